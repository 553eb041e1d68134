"""Bone masks that went to an archive and came back lie in the scene where they were, however the image is stored.

The radiograph's own grey values say which bone a pixel belongs to, so that the volume itself is the measure and no turn, mirror or
shift can agree with itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from exchange.dicom_cases import PLACEMENTS, dicom_case
from orthanc import Orthanc, needs_orthanc, orthanc
from radiograph.synthetic import data_set, save

from OsteoScreenLib.bones.masks import BoneMasks
from OsteoScreenLib.bones.vocabulary import CHEST_FRONTAL
from OsteoScreenLib.exchange.dicom.masks_file import read_masks
from OsteoScreenLib.exchange.dicom.objects import write_dicom
from OsteoScreenLib.exchange.pacs.client import open_client
from OsteoScreenLib.exchange.pacs.fetching import fetch
from OsteoScreenLib.exchange.pacs.outgoing import look
from OsteoScreenLib.exchange.pacs.query import Query
from OsteoScreenLib.exchange.pacs.sending import send
from OsteoScreenLib.radiograph.read import read_radiograph

pytestmark = needs_orthanc

SHAPE = (150, 118)  # stored rows and columns
TOP = 4095
GREYS = {"T7": (1500, 3500), "left rib 6": (2500, 3500), "right clavicle": (4000,)}  # 3500 where the first two overlap
SPACING = ("0.4", "0.25")


def drawn_image() -> np.ndarray:
    """The stored pixels, uint16: three shapes that no turn or mirror carries into themselves, on a dark slope."""
    down, across = np.mgrid[0 : SHAPE[0], 0 : SHAPE[1]]
    image = (400 * down / SHAPE[0] + 300 * across / SHAPE[1]).astype(np.uint16)
    first = (down >= 30) & (down < 90) & (across >= 40) & (across < 40 + (down - 25) // 2)
    second = (down >= 70) & (down < 83) & (across >= 20) & (across < 101)
    third = (down >= 8) & (down < 19) & (across >= 60) & (across < 111 - down)
    image[first], image[second], image[first & second], image[third] = 1500, 2500, 3500, 4000
    return image


def bone_of(grey: np.ndarray) -> dict[str, np.ndarray]:
    """Bone → where its greys are. grey : values from 0 to 4095, or the radiograph's from 0 to 1."""
    values = np.rint(grey * TOP) if grey.dtype.kind == "f" and grey.max() <= 1 else grey
    return {name: np.isin(values, greys) for name, greys in GREYS.items()}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Orthanc]:
    with orthanc(tmp_path_factory.mktemp("archive")) as running:
        yield running


@pytest.fixture(params=PLACEMENTS, ids=lambda placement: f"{placement[0]}-{placement[1] or 'straight'}")
def brought_back(request: Any, server: Orthanc, tmp_path: Path) -> tuple[Path, Path, int, str | None]:
    """(radiograph's file, masks' file, rotate, flip) after both were sent to the archive and fetched again."""
    rotate, flip = request.param
    server.clear()
    tags = {
        "PixelSpacing": list(SPACING),
        "PixelSpacingCalibrationType": "GEOMETRY",
        "WindowCenter": "2048",
        "WindowWidth": "4096",
    }
    original = save(data_set(drawn_image(), BitsStored=12, HighBit=11, **tags), tmp_path / "image.dcm")
    upright = read_radiograph(original, rotate=rotate, flip=flip)
    masks = BoneMasks.pack(bone_of(upright.pixels), upright.shape, method="drawn")
    case = dicom_case(tmp_path, original, rotate=rotate, flip=flip, masks=masks)
    (tmp_path / "made").mkdir()
    made = write_dicom(tmp_path / "made", original, case.analysis, case.radiograph, masks, case.overlay, only=("seg",))
    with open_client(server.dicomweb()) as client:
        sent = list(send(client, look([original, made["seg"]])[0]))
        assert [one.status for one in sent] == ["stored", "stored"]
        listing = client.find_series(Query(study_uid=case.source.study_instance_uid, modalities=()))
        images = [image for series in listing.series for image in client.find_images(series)]
        (tmp_path / "came").mkdir()
        came = [one.path for one in fetch(client, images, tmp_path / "came")]
    kinds = {str(pydicom.dcmread(path, stop_before_pixels=True).Modality): path for path in came if path is not None}
    assert set(kinds) == {"DX", "SEG"}
    return kinds["DX"], kinds["SEG"], rotate, flip


def to_ras(node: Any) -> np.ndarray:
    """4 × 4 matrix of a volume's IJK → RAS."""
    import vtk

    matrix = vtk.vtkMatrix4x4()
    node.GetIJKToRASMatrix(matrix)
    return np.array([[matrix.GetElement(row, column) for column in range(4)] for row in range(4)])


def segment_voxels(segmentation: Any, name: str) -> np.ndarray:
    """RAS of the centre of every voxel of a segment, float (n, 3), from the segment's own label map."""
    import slicer
    import vtk
    from vtk.util.numpy_support import vtk_to_numpy

    image = slicer.vtkOrientedImageData()
    segmentation.GetBinaryLabelmapRepresentation(name.replace(" ", "_"), image)
    matrix = vtk.vtkMatrix4x4()
    image.GetImageToWorldMatrix(matrix)
    first = image.GetExtent()[::2]
    labels = vtk_to_numpy(image.GetPointData().GetScalars()).reshape(image.GetDimensions()[::-1])
    k, j, i = np.nonzero(labels)
    ijk = np.stack([i + first[0], j + first[1], k + first[2], np.ones_like(i)])
    world = np.array([[matrix.GetElement(row, column) for column in range(4)] for row in range(4)])
    return (world @ ijk)[:3].T


def test_masks_lie_on_the_pixels_that_they_are_about(widget: Any, brought_back: tuple[Path, Path, int, str | None]) -> None:
    """The case in the scene: its upright volume and its segmentation, voxel by voxel in RAS."""
    import slicer.util

    from OsteoScreenLib.scene.case_nodes import SceneCase

    image, segmentation, rotate, flip = brought_back
    radiograph = read_radiograph(image, rotate=rotate, flip=flip)
    masks = read_masks(segmentation, radiograph, CHEST_FRONTAL)
    assert set(masks.names) == set(GREYS)
    case = SceneCase.create("chest", radiograph.pixels, radiograph.spacing_mm)
    case.set_bones(masks)
    volume = slicer.util.arrayFromVolume(case.radiograph)[0]
    ras_to_ijk = np.linalg.inv(to_ras(case.radiograph))
    for name, expected in bone_of(volume).items():
        ras = segment_voxels(case.segmentation, name)
        ijk = (ras_to_ijk @ np.column_stack([ras, np.ones(len(ras))]).T)[:3].T
        np.testing.assert_allclose(ijk, np.rint(ijk), atol=1e-6)  # voxel centres on pixel centres
        column, row, slice_ = np.rint(ijk).astype(int).T
        assert (slice_ == 0).all()
        seen = np.zeros(volume.shape, bool)
        seen[row, column] = True
        np.testing.assert_array_equal(seen, expected, err_msg=name)
        again = slicer.util.arrayFromSegmentBinaryLabelmap(case.segmentation, name.replace(" ", "_"), case.radiograph)[0]
        np.testing.assert_array_equal(again > 0, expected)  # as Slicer itself lays the one over the other


def test_frames_lie_on_the_stored_image(widget: Any, brought_back: tuple[Path, Path, int, str | None]) -> None:
    """Without OsteoScreen: the volume that Slicer makes of the stored file, and the object's frames by pydicom alone."""
    import slicer.util

    image, segmentation, _, _ = brought_back
    volume = slicer.util.arrayFromVolume(slicer.util.loadVolume(str(image), {"singleFile": True}))
    dataset = pydicom.dcmread(segmentation)
    frames = np.atleast_3d(dataset.pixel_array)
    frames = frames if dataset.pixel_array.ndim == 3 else dataset.pixel_array[None]
    labels = {int(item.SegmentNumber): str(item.SegmentLabel) for item in dataset.SegmentSequence}
    numbers = [
        int(group.SegmentIdentificationSequence[0].ReferencedSegmentNumber)
        for group in dataset.PerFrameFunctionalGroupsSequence
    ]
    assert sorted(labels[number] for number in numbers) == sorted(GREYS) and frames.shape[1:] == SHAPE
    for number, frame in zip(numbers, frames, strict=True):
        np.testing.assert_array_equal(frame > 0, bone_of(volume[0])[labels[number]], err_msg=labels[number])
    assert (dataset.Rows, dataset.Columns) == SHAPE


@pytest.mark.parametrize("flipped", [False, True])
def test_a_volume_of_the_scene_has_objects_on_its_stored_image_too(widget: Any, tmp_path: Path, flipped: bool) -> None:
    """As in Slicer, where a radiograph comes from the scene and its header from a file; also when the application holds it upside down."""
    import slicer.util

    from OsteoScreenLib.radiograph.read import radiograph_from_volume

    tags = {
        "PixelSpacing": list(SPACING),
        "PixelSpacingCalibrationType": "GEOMETRY",
        "WindowCenter": "2048",
        "WindowWidth": "4096",
    }
    original = save(data_set(drawn_image(), BitsStored=12, HighBit=11, **tags), tmp_path / "image.dcm")
    array = slicer.util.arrayFromVolume(slicer.util.loadVolume(str(original), {"singleFile": True}))[0]
    held = array[::-1] if flipped else array
    radiograph = radiograph_from_volume(held, (float(SPACING[0]), float(SPACING[1])), str(original), name="chest", rotate=90)
    masks = BoneMasks.pack(bone_of(radiograph.pixels), radiograph.shape, method="drawn")
    case = dicom_case(tmp_path, original, masks=BoneMasks.pack(bone_of(drawn_image()), SHAPE))
    (tmp_path / "made").mkdir()
    made = write_dicom(tmp_path / "made", original, case.analysis, radiograph, masks, case.overlay, only=("seg",))
    dataset = pydicom.dcmread(made["seg"])
    labels = [str(item.SegmentLabel) for item in dataset.SegmentSequence]
    for number, frame in enumerate(dataset.pixel_array):
        np.testing.assert_array_equal(frame > 0, bone_of(drawn_image())[labels[number]])
