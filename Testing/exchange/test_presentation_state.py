"""The presentation state: outlines where the bones are, and the image upright, in the grey values that OsteoScreen sees."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pydicom
import pytest
from exchange.conformance import errors, needs_checkers
from exchange.dicom_cases import PLACEMENTS, dicom_file, many_bones
from radiograph.synthetic import data_set, grey_picture, save

from OsteoScreenLib.bones.masks import BoneMasks
from OsteoScreenLib.exchange.dicom.presentation_state import TOLERANCE, build_presentation, rotation_and_flip
from OsteoScreenLib.exchange.dicom.saving import save_dicom
from OsteoScreenLib.exchange.dicom.source import source_image
from OsteoScreenLib.exchange.dicom.uids import ResultUids
from OsteoScreenLib.radiograph.radiograph import Placement, Radiograph
from OsteoScreenLib.radiograph.read import read_radiograph

UIDS = ResultUids("2.25.1", "2.25.2", "2.25.3", "2.25.4", "2.25.5")
needs_dcmtk = pytest.mark.skipif(shutil.which("dcmp2pgm") is None, reason="dcmp2pgm is not installed (Debian: dcmtk)")


def presentation(path: Path, radiograph: Radiograph, masks: BoneMasks, folder: Path) -> Path:
    source = source_image(path, radiograph)
    return save_dicom(folder / "pr.dcm", build_presentation(source, UIDS, radiograph, masks), source.character_set)


def shown(image: Path, state: Path, folder: Path) -> np.ndarray:
    """The image as dcmtk shows it under a presentation state, float (rows, columns) in [0, 1]."""
    dataset = pydicom.dcmread(image, force=True)
    if dataset.file_meta.TransferSyntaxUID.is_compressed:
        dataset.decompress()
    dataset.save_as(folder / "plain.dcm")
    done = subprocess.run(
        ["dcmp2pgm", "--pstate", str(state), str(folder / "plain.dcm"), str(folder / "shown.pgm")],
        capture_output=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return cv2.imread(str(folder / "shown.pgm"), cv2.IMREAD_UNCHANGED) / 255.0


@pytest.mark.parametrize(("rotate", "flip"), PLACEMENTS)
def test_rotation_then_flip_is_what_the_placement_does(rotate: int, flip: str | None) -> None:
    image = np.arange(12).reshape(3, 4)
    placement = Placement(flip is not None, rotate // 90)
    degrees, mirrored = rotation_and_flip(placement)
    turned = np.rot90(image, -degrees // 90)  # DICOM turns clockwise
    assert np.array_equal(np.fliplr(turned) if mirrored else turned, placement.apply(image))


@needs_dcmtk
@pytest.mark.parametrize(("rotate", "flip"), PLACEMENTS)
@pytest.mark.parametrize("invert", [False, True])
def test_dcmtk_shows_what_we_see(tmp_path: Path, rotate: int, flip: str | None, invert: bool) -> None:
    path = dicom_file(tmp_path / "image.dcm", WindowCenter=1800, WindowWidth=2500)
    radiograph = read_radiograph(path, rotate=rotate, flip=flip, invert=invert)
    state = presentation(path, radiograph, many_bones(radiograph.shape), tmp_path)
    picture = shown(path, state, tmp_path)
    assert picture.shape == radiograph.shape
    assert np.abs(picture - radiograph.pixels).max() <= 1.2 / 255


TABLE = (np.sqrt(np.linspace(0, 1, 4096)) * 65535).astype("<u2")


@needs_dcmtk
@pytest.mark.parametrize(
    "tags",
    [
        {"PhotometricInterpretation": "MONOCHROME1"},
        {"PhotometricInterpretation": "MONOCHROME1", "PresentationLUTShape": "INVERSE"},
        {"RescaleSlope": "0.5", "RescaleIntercept": "-100", "WindowCenter": 700, "WindowWidth": 1200},
        {"WindowCenter": [0, 1500], "WindowWidth": [1, 2000]},
        {"WindowCenter": 9000, "WindowWidth": 10},
        {},
    ],
    ids=["monochrome1", "inverse", "rescaled", "second window", "useless window", "no window"],
)
def test_dcmtk_shows_the_grey_chain_as_it_was_read(tmp_path: Path, tags: dict[str, Any]) -> None:
    path = dicom_file(tmp_path / "image.dcm", **tags)
    radiograph = read_radiograph(path)
    state = presentation(path, radiograph, many_bones(radiograph.shape), tmp_path)
    assert np.abs(shown(path, state, tmp_path) - radiograph.pixels).max() <= 1.2 / 255


@needs_dcmtk
@pytest.mark.parametrize("keyword", ["VOILUTSequence", "ModalityLUTSequence"])
def test_dcmtk_shows_lookup_tables_as_they_were_read(tmp_path: Path, keyword: str) -> None:
    item = pydicom.Dataset()
    item.add_new("LUTDescriptor", "US", [TABLE.size, 0, 16])
    item.add_new("LUTData", "OW", TABLE.tobytes())
    if keyword == "ModalityLUTSequence":
        item.ModalityLUTType = "US"
    path = dicom_file(tmp_path / "image.dcm", **{keyword: [item]})
    radiograph = read_radiograph(path)
    state = presentation(path, radiograph, many_bones(radiograph.shape), tmp_path)
    assert np.abs(shown(path, state, tmp_path) - radiograph.pixels).max() <= 1.2 / 255


@needs_dcmtk
@pytest.mark.parametrize(
    "name",
    [
        "chest_dx_inverted_upside_down_16bit",
        "chest_pa_tagged_monochrome1",
        "chest_pa_j2k_pixelspacing_zero",
        "panoramic_modality_lut",
    ],
)
def test_dcmtk_shows_real_files_as_we_see_them(shared_data: Path, tmp_path: Path, name: str) -> None:
    path = shared_data / "radiographs" / f"{name}.dcm"
    radiograph = read_radiograph(path, rotate=180).turned(inverted=True)
    state = presentation(path, radiograph, many_bones(radiograph.shape), tmp_path)
    # Lossy JPEG is decoded by another program here, to a grey value or two.
    assert np.abs(shown(path, state, tmp_path) - radiograph.pixels).max() <= 2.5 / 255


@pytest.mark.parametrize(("rotate", "flip"), PLACEMENTS)
def test_outlines_enclose_the_stored_masks(tmp_path: Path, rotate: int, flip: str | None) -> None:
    path = dicom_file(tmp_path / "image.dcm", 303, 271)
    radiograph = read_radiograph(path, rotate=rotate, flip=flip)
    masks = many_bones(radiograph.shape)
    state = pydicom.dcmread(presentation(path, radiograph, masks, tmp_path))
    source = source_image(path, radiograph)
    drawn: dict[str, list[np.ndarray]] = {}
    for annotation in state.GraphicAnnotationSequence:
        for item in annotation.get("GraphicObjectSequence", []):
            points = np.array(item.GraphicData).reshape(-1, 2)
            assert np.array_equal(points[0], points[-1]) and item.GraphicAnnotationUnits == "PIXEL"
            drawn.setdefault(item.TrackingID, []).append(points)
    assert set(drawn) == set(masks.names)
    for name, curves in drawn.items():
        mask = source.stored(masks.mask(name)).astype(np.uint8)
        # Positions count from the corner of the first pixel; ten cells a pixel, so that a cell is in or out.
        filled = np.zeros((mask.shape[0] * 10, mask.shape[1] * 10), np.uint8)
        cv2.fillPoly(filled, [np.rint(points * 10).astype(np.int32) for points in curves], 1)
        enclosed = filled[5::10, 5::10]  # at the pixels' centres
        near_edge = cv2.dilate(mask, np.ones((3, 3))) != cv2.erode(mask, np.ones((3, 3)))
        assert not ((enclosed != mask) & ~near_edge).any(), name
        area = float(mask.sum())
        assert abs(filled.sum() / 100 - area) <= TOLERANCE * float(near_edge.sum()), name


def test_layers_are_groups_with_their_colours_and_names(tmp_path: Path) -> None:
    path = dicom_file(tmp_path / "image.dcm")
    radiograph = read_radiograph(path)
    masks = many_bones(radiograph.shape)
    state = pydicom.dcmread(presentation(path, radiograph, masks, tmp_path))
    layers = {layer.GraphicLayer: layer for layer in state.GraphicLayerSequence}
    groups = [group.upper() for group in masks.site.groups]
    assert list(layers) == [*groups, "NOTICE"]
    assert all(len(layers[group].GraphicLayerRecommendedDisplayCIELabValue) == 3 for group in groups)
    named = {
        text.UnformattedTextValue: annotation.GraphicLayer
        for annotation in state.GraphicAnnotationSequence
        for text in annotation.TextObjectSequence
    }
    assert set(masks.names) < set(named) and named["T5"] == "SPINE" and named["left rib 3"] == "LEFT RIBS"
    assert any("RESEARCH USE ONLY" in text and layer == "NOTICE" for text, layer in named.items())
    reference = state.ReferencedSeriesSequence[0].ReferencedImageSequence[0]
    assert reference.ReferencedSOPInstanceUID == pydicom.dcmread(path).SOPInstanceUID


@pytest.mark.parametrize(
    ("tags", "ratio"),
    [({}, [2, 3]), ({"PixelSpacing": ["0.2", "0.2"]}, [1, 1]), ({"PixelSpacing": None}, [1, 1]), ({"PixelSpacing": None, "PixelAspectRatio": ["4", "3"]}, [4, 3])],
)  # fmt: skip
def test_pixels_keep_their_shape(tmp_path: Path, tags: dict[str, Any], ratio: list[int]) -> None:
    path = dicom_file(tmp_path / "image.dcm", **tags)
    radiograph = read_radiograph(path, rotate=90)
    state = pydicom.dcmread(presentation(path, radiograph, many_bones(radiograph.shape), tmp_path))
    (area,) = state.DisplayedAreaSelectionSequence
    assert list(area.PresentationPixelAspectRatio) == ratio and "PresentationPixelSpacing" not in area
    rows, columns = radiograph.source.stored_shape
    # Turned a quarter counter-clockwise, the stored image's upper right corner comes to the upper left.
    assert list(area.DisplayedAreaTopLeftHandCorner) == [columns, 1] and list(area.DisplayedAreaBottomRightHandCorner) == [
        1,
        rows,
    ]


def test_a_colour_source_gets_a_colour_presentation_state(tmp_path: Path) -> None:
    grey = (grey_picture(120, 130) >> 4).astype(np.uint8)
    path = save(
        data_set(np.repeat(grey[..., None], 3, axis=2), PhotometricInterpretation="RGB", SamplesPerPixel=3, PlanarConfiguration=0),
        tmp_path / "image.dcm",
    )  # fmt: skip
    radiograph = read_radiograph(path, rotate=90)
    state = pydicom.dcmread(presentation(path, radiograph, many_bones(radiograph.shape), tmp_path))
    assert state.SOPClassUID.name == "Color Softcopy Presentation State Storage"
    assert state.ImageRotation == 270 and "PresentationLUTShape" not in state


@needs_checkers
@pytest.mark.parametrize("colour", [False, True])
def test_dciodvfy_finds_no_error(tmp_path: Path, colour: bool) -> None:
    grey = (grey_picture(120, 130) >> 4).astype(np.uint8)
    tags = {"PhotometricInterpretation": "RGB", "SamplesPerPixel": 3, "PlanarConfiguration": 0} if colour else {}
    path = save(
        data_set(np.repeat(grey[..., None], 3, axis=2) if colour else grey, PatientName="Nightingale^F", **tags),
        tmp_path / "image.dcm",
    )
    radiograph = read_radiograph(path, rotate=90)
    assert errors(presentation(path, radiograph, many_bones(radiograph.shape), tmp_path)) == []
