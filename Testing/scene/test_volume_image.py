"""Volumes in the scene: what Slicer's readers put there becomes the same Radiograph as the file itself."""

from __future__ import annotations

import math
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import SimpleITK
from pydicom import dcmread
from pydicom.encaps import encapsulate
from pydicom.uid import JPEG2000Lossless, JPEGBaseline8Bit, JPEGLSLossless, RLELossless
from radiograph.synthetic import data_set, grey_picture, save
from scene.dicom_kinds import BITS, KINDS, ONE, TWELVE

from OsteoScreenLib.errors import InputError
from OsteoScreenLib.radiograph.radiograph import Placement, Radiograph
from OsteoScreenLib.radiograph.read import radiograph_from_array, radiograph_from_volume, read_radiograph

slicer = pytest.importorskip("slicer", reason="the slicer-core wheel is not installed")
vtk = pytest.importorskip("vtk")

from OsteoScreenLib.scene.volume_image import VolumeImage, header_path_of, image_of, volumes_in_scene  # noqa: E402

SAMPLES = Path(__file__).resolve().parents[2] / "OsteoScreen" / "Resources" / "SampleData"


@pytest.fixture
def scene(slicer_application: Any) -> Iterator[Any]:
    """An empty scene, emptied again afterwards."""
    slicer.mrmlScene.Clear(0)
    yield slicer.mrmlScene
    slicer.mrmlScene.Clear(0)


def loaded(path: Path) -> Any:
    """As File > Add Data and `slicer.util.loadVolume` do."""
    return slicer.util.loadVolume(str(path), {"singleFile": True})


def loaded_by(approach: str, path: Path) -> Any:
    """As Slicer's DICOM module does: by one of its two readers, then without a storage node, with the instance's UID."""
    reader = slicer.vtkITKArchetypeImageSeriesScalarReader()
    reader.SetArchetype(str(path))
    reader.AddFileName(str(path))
    reader.SetSingleFile(0)
    reader.SetOutputScalarTypeToNative()
    reader.SetDesiredCoordinateOrientationToNative()
    reader.SetUseNativeOriginOn()
    getattr(reader, f"SetDICOMImageIOApproachTo{approach}")()
    reader.Update()
    assert reader.GetErrorCode() == 0
    plain = vtk.vtkImageChangeInformation()
    plain.SetInputConnection(reader.GetOutputPort())
    plain.SetOutputSpacing(1, 1, 1)
    plain.SetOutputOrigin(0, 0, 0)
    plain.Update()
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", path.stem)
    node.SetAndObserveImageData(plain.GetOutputDataObject(0))
    node.SetRASToIJKMatrix(reader.GetRasToIjkMatrix())
    node.SetAttribute("DICOM.instanceUIDs", "1.2.3.4")
    return node


class Database:
    """What is asked of `slicer.dicomDatabase`."""

    def __init__(self, **files: Path) -> None:
        self._files = {uid.replace("_", "."): str(path) for uid, path in files.items()}

    def fileForInstance(self, uid: str) -> str:
        return self._files.get(uid, "")


def to_radiograph(node: Any, **overrides: Any) -> Radiograph:
    return _radiograph_of(image_of(node), **overrides)


def _radiograph_of(image: VolumeImage, **overrides: Any) -> Radiograph:
    return radiograph_from_volume(image.array, image.spacing_mm, image.header_path, name=image.name, **overrides)


def assert_same(one: Radiograph, other: Radiograph) -> None:
    np.testing.assert_array_equal(one.pixels, other.pixels)
    assert {k: v for k, v in vars(one).items() if k != "pixels"} == {k: v for k, v in vars(other).items() if k != "pixels"}


def test_every_real_file_gives_the_same_in_every_way(scene: Any, shared_data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By Add Data and by both readers of the DICOM module: pixels, orientation, spacing, view, notes, all of it."""
    refused = []
    files = sorted((shared_data / "radiographs").glob("*.dcm"))
    for path in files:
        monkeypatch.setattr(slicer, "dicomDatabase", Database(**{"1_2_3_4": path}), raising=False)
        try:
            nodes = [loaded(path)]
        except RuntimeError:
            refused.append(path.name)
            with pytest.raises(InputError):
                read_radiograph(path)
            continue
        expected = read_radiograph(path)
        if "2000" not in dcmread(path, stop_before_pixels=True).file_meta.TransferSyntaxUID.name:
            # JPEG 2000 is GDCM's alone, and slow.
            nodes += [loaded_by("GDCM", path), loaded_by("DCMTK", path)]
        seen: list[VolumeImage] = []
        for node in nodes:
            image = image_of(node)
            scene.RemoveNode(node)
            # What goes in alike comes out alike, and decoding takes long.
            if not any(image.spacing_mm == one.spacing_mm and np.array_equal(image.array, one.array) for one in seen):
                assert_same(_radiograph_of(image), expected)
            seen.append(image)
    assert len(files) == 12 and refused == ["chest_dx_corrupt_codestream.dcm"], "the wheel reads others than it did"


@pytest.mark.parametrize("name", ["simulated_chest_normal", "simulated_chest_osteoporosis"])
def test_samples(scene: Any, name: str) -> None:
    assert_same(to_radiograph(loaded(SAMPLES / f"{name}.dcm")), read_radiograph(SAMPLES / f"{name}.dcm"))


@pytest.mark.parametrize("case", KINDS)
def test_headers_of_every_kind(scene: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, case: str) -> None:
    path = save(KINDS[case], tmp_path / "x.dcm")
    monkeypatch.setattr(slicer, "dicomDatabase", Database(**{"1_2_3_4": path}), raising=False)
    nodes = [loaded(path)]
    if case != "grey in colour":
        nodes += [loaded_by("GDCM", path), loaded_by("DCMTK", path)]
    expected = read_radiograph(path)
    for node in nodes:
        assert_same(to_radiograph(node), expected)
    assert_same(to_radiograph(nodes[0], rotate=90, invert=True), read_radiograph(path, rotate=90, invert=True))


def compressed_file(kind: str, path: Path) -> Path:
    """A file in this transfer syntax, by whatever writes it here."""
    syntax = {"jpeg2000": JPEG2000Lossless, "rle": RLELossless, "jpeg-ls": JPEGLSLossless}.get(kind)
    if syntax is not None:
        dataset = data_set(TWELVE, **BITS, **ONE)
        dataset.compress(syntax)
        return save(dataset, path)
    dataset = data_set(grey_picture(96, 80, 255, "u1"))
    ok, jpeg = cv2.imencode(".jpg", grey_picture(96, 80, 255, "u1"), [cv2.IMWRITE_JPEG_QUALITY, 60])
    assert ok
    dataset.PixelData = encapsulate([jpeg.tobytes()])
    dataset["PixelData"].is_undefined_length = True
    dataset.file_meta.TransferSyntaxUID = JPEGBaseline8Bit
    return save(dataset, path)


@pytest.mark.parametrize("kind", ["jpeg2000", "rle", "jpeg-ls", "jpeg"])
def test_compressed_files(scene: Any, tmp_path: Path, kind: str) -> None:
    path = compressed_file(kind, tmp_path / "x.dcm")
    assert_same(to_radiograph(loaded(path)), read_radiograph(path))


def test_header_by_database_else_by_storage_node(scene: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = save(data_set(TWELVE, **BITS, ViewPosition="PA"), tmp_path / "x.dcm")
    node = loaded(path)
    assert header_path_of(node) == str(path) == image_of(node).header_path
    elsewhere = tmp_path / "archive" / "1"
    elsewhere.parent.mkdir()
    shutil.copy(path, elsewhere)
    node.SetAttribute("DICOM.instanceUIDs", "1.2.3.4")
    assert header_path_of(node) == str(path), "no database on the desktop"
    monkeypatch.setattr(slicer, "dicomDatabase", Database(**{"1_2_3_4": elsewhere}), raising=False)
    assert header_path_of(node) == str(elsewhere)
    monkeypatch.setattr(slicer, "dicomDatabase", Database(**{"1_2_3_4": tmp_path / "gone"}))
    assert header_path_of(node) == str(path)
    path.unlink()
    assert header_path_of(node) == ""
    node.SetAttribute("DICOM.instanceUIDs", "1.2.3.4 1.2.3.5")
    monkeypatch.setattr(slicer, "dicomDatabase", Database(**{"1_2_3_4": elsewhere}))
    assert header_path_of(node) == "", "computed from two images"
    monkeypatch.setattr(slicer, "dicomDatabase", None)
    assert to_radiograph(node).notes[0].code == "no-header"


def test_saved_and_opened_again(scene: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A saved scene keeps the volume as NRRD and the instance's UID: Slicer's database still leads to the header."""
    header = {"ViewPosition": "PA", "ImagerPixelSpacing": [0.2, 0.3], "WindowCenter": 2000, "WindowWidth": 3000}
    path = save(data_set(TWELVE, **BITS, **ONE, **header), tmp_path / "x.dcm")
    assert slicer.util.saveNode(loaded(path), str(tmp_path / "x.nrrd"))
    node = loaded(tmp_path / "x.nrrd")
    assert header_path_of(node) == ""
    np.testing.assert_array_equal(image_of(node).array, 4095 - TWELVE)
    assert image_of(node).spacing_mm == pytest.approx((0.2, 0.3))
    node.SetAttribute("DICOM.instanceUIDs", "1.2.3.4")
    monkeypatch.setattr(slicer, "dicomDatabase", Database(**{"1_2_3_4": path}), raising=False)
    assert_same(to_radiograph(node), read_radiograph(path))


def test_header_gone(scene: Any, tmp_path: Path) -> None:
    path = save(data_set(TWELVE, **BITS, ViewPosition="PA", ImagerPixelSpacing=[0.2, 0.3]), tmp_path / "x.dcm")
    node = loaded(path)
    path.unlink()
    radiograph = to_radiograph(node)
    np.testing.assert_array_equal(radiograph.pixels, radiograph_from_array(TWELVE).pixels)
    assert radiograph.spacing_mm == pytest.approx((0.2, 0.3)) and radiograph.view == ""
    for fact in ("which end is white", "window", "view", "body part", "patient", "pixel spacing"):
        assert fact in radiograph.notes[0].text


@pytest.mark.parametrize("suffix", [".nrrd", ".nii.gz", ".mha"])
@pytest.mark.parametrize("placement", [Placement(m, t) for m in (False, True) for t in range(4)], ids=str)
@pytest.mark.parametrize("frontal", [False, True])
def test_volume_files_lie_as_the_reader_of_files_lays_them(
    scene: Any, tmp_path: Path, suffix: str, placement: Placement, frontal: bool
) -> None:
    """Without a DICOM header the volume's own axes decide, in the scene as in a file."""
    stored = np.ascontiguousarray(placement.undo(TWELVE))
    left, down = np.array([1.0, 0, 0]), np.array([0, 0, -1.0]) if frontal else np.array([0, 1.0, 0])
    matrix = placement.stored_to_upright(stored.shape)
    across, below = left * matrix[0, 0] + down * matrix[1, 0], left * matrix[0, 1] + down * matrix[1, 1]
    image = SimpleITK.GetImageFromArray(stored[None])
    image.SetSpacing((0.2, 0.3, 1.0) if placement.quarter_turns % 2 == 0 else (0.3, 0.2, 1.0))
    image.SetDirection(np.stack([across, below, np.cross(across, below)], axis=1).ravel())
    path = tmp_path / f"x{suffix}"
    SimpleITK.WriteImage(image, str(path))
    radiograph, expected = to_radiograph(loaded(path)), read_radiograph(path)
    np.testing.assert_array_equal(radiograph.pixels, expected.pixels)
    np.testing.assert_array_equal(radiograph.pixels, radiograph_from_array(TWELVE).pixels)
    assert radiograph.spacing_mm == pytest.approx(expected.spacing_mm)
    assert radiograph.spacing_mm == pytest.approx((0.3, 0.2), rel=1e-6)


@pytest.mark.parametrize("colour", [False, True])
def test_a_picture_put_into_the_scene_by_hand(scene: Any, tmp_path: Path, colour: bool) -> None:
    """PNG through SimpleITK and addVolumeFromArray, the ordinary way into the scene for pictures."""
    eight = grey_picture(96, 80, 255, "u1")
    cv2.imwrite(str(tmp_path / "x.png"), np.repeat(eight[..., None], 3, 2) if colour else eight)
    array = SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(str(tmp_path / "x.png")))
    kind = "vtkMRMLVectorVolumeNode" if colour else None
    node = slicer.util.addVolumeFromArray(array[None], np.diag([-1.0, -1, 1, 1]), "picture", kind)
    assert volumes_in_scene() == [(node.GetID(), "picture")]
    radiograph = to_radiograph(node)
    np.testing.assert_array_equal(radiograph.pixels, read_radiograph(tmp_path / "x.png").pixels)
    assert radiograph.spacing_mm is None and radiograph.notes[0].code == "no-header"


def test_shown_volumes_are_single_grey_slices(scene: Any) -> None:
    add = slicer.util.addVolumeFromArray
    plain = add(TWELVE[None], name="plain")
    frontal = add(TWELVE[:, None, :], np.diag([-0.3, 1, -0.2, 1.0]), "frontal")
    deep = add(np.stack([TWELVE, TWELVE]), name="deep")
    line = add(TWELVE[None, :1], name="line")
    empty = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "empty")
    labels = add(TWELVE[None], name="labels", nodeClassName="vtkMRMLLabelMapVolumeNode")
    hidden = add(TWELVE[None], name="hidden")
    hidden.SetHideFromEditors(True)
    own = add(TWELVE[None], name="own")
    own.SetAttribute("OsteoScreen", "radiograph")
    assert [name for _, name in volumes_in_scene()] == ["plain", "frontal"]
    np.testing.assert_array_equal(
        image_of(plain).array, np.rot90(TWELVE, 2), err_msg="IJK to RAS of the identity runs to the right"
    )
    assert image_of(plain).spacing_mm is None
    # Rows run to the head in this array's k axis turned down by the matrix: as it lies.
    np.testing.assert_array_equal(image_of(frontal).array, TWELVE)
    assert image_of(frontal).spacing_mm == pytest.approx((0.2, 0.3))
    for node in (deep, line, empty):
        with pytest.raises(InputError, match="single slice"):
            image_of(node)
    assert labels.GetID() and own.GetID()


def test_real_colours_are_refused(scene: Any) -> None:
    colours = np.random.default_rng(1).integers(0, 255, (1, 96, 80, 3), dtype="u1")
    node = slicer.util.addVolumeFromArray(colours, name="photo", nodeClassName="vtkMRMLVectorVolumeNode")
    with pytest.raises(InputError) as caught:
        image_of(node)
    assert caught.value.code == "colour-photo" and "photo" in str(caught.value)


def test_the_array_is_a_copy(scene: Any) -> None:
    node = slicer.util.addVolumeFromArray(TWELVE[None], np.diag([-1.0, -1, 1, 1]), "x")
    image = image_of(node)
    assert image.array.dtype == np.uint16 and image.array.flags.c_contiguous
    image.array[:] = 0
    np.testing.assert_array_equal(slicer.util.arrayFromVolume(node)[0], TWELVE)


def _turned(node: Any, degrees: float, *, harden: bool) -> None:
    transform = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    turn = vtk.vtkTransform()
    turn.RotateZ(degrees)
    transform.SetMatrixTransformToParent(turn.GetMatrix())
    node.SetAndObserveTransformNodeID(transform.GetID())
    if harden:
        node.HardenTransform()


@pytest.mark.parametrize("harden", [True, False])
def test_a_volume_turned_by_a_transform_is_read_as_it_is_seen(scene: Any, tmp_path: Path, harden: bool) -> None:
    path = save(data_set(TWELVE, **BITS, ViewPosition="PA", ImagerPixelSpacing=[0.2, 0.3]), tmp_path / "x.dcm")
    for degrees, turns in ((180.0, 2), (90.0, None)):
        node = loaded(path)
        _turned(node, degrees, harden=harden)
        radiograph, file = to_radiograph(node), read_radiograph(path)
        assert "volume-turned" in {one.code for one in radiograph.notes} and radiograph.view == "PA"
        np.testing.assert_array_equal(radiograph.pixels, radiograph.placement.apply(file.pixels))
        assert turns in (None, radiograph.placement.quarter_turns)
        if (
            turns is None
        ):  # RotateZ turns left to anterior: counter-clockwise as seen from the feet is clockwise seen from above
            assert radiograph.placement.quarter_turns % 2 == 1 and radiograph.spacing_mm == (0.3, 0.2)


def test_edited_cut_and_resampled_volumes_say_so(scene: Any, tmp_path: Path) -> None:
    big = grey_picture(200, 160)
    path = save(data_set(big, **BITS, **ONE, ViewPosition="PA", ImagerPixelSpacing=[0.2, 0.2]), tmp_path / "x.dcm")
    expected = read_radiograph(path)

    def differs(node: Any) -> tuple[Radiograph, str]:
        radiograph = to_radiograph(node)
        assert radiograph.view == "PA" and radiograph.source.sha256 == ""
        return radiograph, next(note.text for note in radiograph.notes if note.code == "volume-differs")

    edited = loaded(path)
    slicer.util.arrayFromVolume(edited)[0, 50:90, 60:100] = 0
    radiograph, text = differs(edited)
    assert "edited: 5 %" in text
    untouched = np.ones(big.shape, bool)
    untouched[50:90, 60:100] = False
    np.testing.assert_array_equal(radiograph.pixels[untouched], expected.pixels[untouched])
    assert (radiograph.pixels[50:90, 60:100] == 0).all(), "nothing there, dark in the scene and here"

    cut = loaded(path)
    part = np.ascontiguousarray(slicer.util.arrayFromVolume(cut)[:, 30:170, 20:120])
    slicer.util.updateVolumeFromArray(cut, part)
    radiograph, text = differs(cut)
    assert "rows 31 to 170 of 200, columns 21 to 120 of 160" in text
    np.testing.assert_array_equal(radiograph.pixels, expected.pixels[30:170, 20:120])

    resampled = loaded(path)
    half = cv2.resize(slicer.util.arrayFromVolume(resampled)[0], (80, 100), interpolation=cv2.INTER_AREA)
    slicer.util.updateVolumeFromArray(resampled, half[None])
    resampled.SetSpacing(0.4, 0.4, 1.0)
    radiograph, text = differs(resampled)
    assert "resampled" in text and radiograph.spacing_mm == pytest.approx((0.4, 0.4))
    assert radiograph.spacing_source == "detector"
    smaller = cv2.resize(expected.pixels, (80, 100), interpolation=cv2.INTER_AREA)
    assert np.abs(radiograph.pixels - smaller).mean() < 0.01


def test_spacing_that_is_no_number_is_unknown(scene: Any) -> None:
    node = slicer.util.addVolumeFromArray(TWELVE[None], np.diag([-1.0, -1, 1, 1]), "x")
    for across, down in ((1.0, 1.0), (0.2, 0.3), (math.nan, 1.0)):
        turned = vtk.vtkMatrix4x4()
        turned.SetElement(0, 0, -across)
        turned.SetElement(1, 1, -down)
        node.SetIJKToRASMatrix(turned)
        spacing = image_of(node).spacing_mm
        assert spacing == ((0.3, 0.2) if across == 0.2 else None)


def test_two_files_of_one_series_make_no_single_slice(scene: Any, tmp_path: Path) -> None:
    """Frontal and lateral view saved as one series: Slicer stacks them, so neither is offered by mistake."""
    for number in (1, 2):
        dataset = data_set(TWELVE, **BITS, InstanceNumber=number)
        dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = f"1.2.3.{number}"
        save(dataset, tmp_path / f"{number}.dcm")
    node = slicer.util.loadVolume(str(tmp_path / "1.dcm"))
    assert node.GetImageData().GetDimensions()[2] == 2
    assert volumes_in_scene() == []
