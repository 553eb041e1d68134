"""Masks written for 3D Slicer lie on the stored image and come back pixel for pixel."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import slicerio

from OsteoScreenLib.bones.masks import BoneMasks
from OsteoScreenLib.bones.segnrrd import read_seg_nrrd, write_seg_nrrd
from OsteoScreenLib.errors import InputError
from OsteoScreenLib.radiograph.radiograph import Placement, Radiograph

UPRIGHT = Placement()
PLACEMENTS = [Placement(mirrored, turns) for mirrored in (False, True) for turns in range(4)]


def example(placement: Placement = UPRIGHT, shape: tuple[int, int] = (40, 60)) -> tuple[Radiograph, BoneMasks]:
    rng = np.random.default_rng(1)
    radiograph = Radiograph(rng.random(shape, dtype=np.float32), (0.2, 0.3), "detector", placement=placement)
    rib, vertebra, clavicle = (np.zeros(shape, bool) for _ in range(3))
    rib[5:20, 8:30] = True
    vertebra[10:30, 25:35] = True
    clavicle[2, 3] = True
    masks = BoneMasks.pack({"right rib 5": rib, "T7": vertebra, "left clavicle": clavicle}, shape, method="test")
    return radiograph, masks


@pytest.mark.parametrize("placement", PLACEMENTS, ids=str)
def test_masks_come_back_pixel_for_pixel(tmp_path: Path, placement: Placement) -> None:
    radiograph, masks = example(placement)
    read = read_seg_nrrd(write_seg_nrrd(tmp_path / "masks.seg.nrrd", masks, radiograph), radiograph)
    assert read.names == masks.names
    for name in masks.names:
        assert np.array_equal(read.mask(name), masks.mask(name))


@pytest.mark.parametrize("placement", PLACEMENTS, ids=str)
def test_a_segment_lies_on_the_stored_image(tmp_path: Path, placement: Placement) -> None:
    """One marked pixel, followed through the file's own geometry, is the marked pixel of the image as stored."""
    radiograph, masks = example(placement)
    stored = np.argwhere(placement.undo(masks.mask("left clavicle")))[0]
    row_mm, column_mm = radiograph.spacing_mm or (0, 0)
    stored_spacing = (column_mm, row_mm) if placement.quarter_turns % 2 else (row_mm, column_mm)
    segmentation = slicerio.read_segmentation(str(write_seg_nrrd(tmp_path / "m.seg.nrrd", masks, radiograph)))
    layer, label = masks.table["left clavicle"]
    index = np.argwhere(segmentation["voxels"][layer] == label)[0]
    lps = segmentation["ijkToLPS"] @ [*index, 1]
    assert np.allclose(lps[:3], [stored[1] * stored_spacing[1], stored[0] * stored_spacing[0], 0], atol=1e-6)


def test_names_colours_and_terms_are_slicers(tmp_path: Path) -> None:
    radiograph, masks = example()
    segments = slicerio.read_segmentation(str(write_seg_nrrd(tmp_path / "m.seg.nrrd", masks, radiograph)))["segments"]
    clavicle = next(segment for segment in segments if segment["name"] == "left clavicle")
    assert clavicle["terminology"]["type"] == ["SCT", "51299004", "Clavicle"]
    assert clavicle["terminology"]["typeModifier"] == ["SCT", "7771000", "Left"]
    assert np.allclose(np.array(clavicle["color"]) * 255, masks.site.by_name["left clavicle"].colour, atol=0.01)


def test_confidence_and_remarks_are_tags(tmp_path: Path) -> None:
    radiograph, masks = example()
    masks = masks.with_facts(confidence={"right rib 5": 0.8125}, edited=frozenset({"T7"}))
    path = write_seg_nrrd(tmp_path / "m.seg.nrrd", masks, radiograph)
    tags = {segment["name"]: segment["tags"] for segment in slicerio.read_segmentation(str(path))["segments"]}
    assert tags["right rib 5"]["OsteoScreen.confidence"] in ("0.812", "0.813")
    assert tags["right rib 5"]["OsteoScreen.numbering"] == "uncertain" and "OsteoScreen.numbering" not in tags["left clavicle"]
    assert "OsteoScreen.confidence" not in tags["T7"] and "edited" in tags["T7"]["OsteoScreen.remarks"].split(",")
    # Whoever edits such a file in Slicer changes pixels, not tags: what is read has no confidence.
    assert read_seg_nrrd(path, radiograph).facts.confidence == {}


def test_a_cropped_and_renamed_file_from_slicer_is_understood(tmp_path: Path) -> None:
    """Segment Editor crops the array to the segments and users rename segments; place and term still tell the bone."""
    radiograph, masks = example()
    path = write_seg_nrrd(tmp_path / "m.seg.nrrd", masks, radiograph)
    segmentation = slicerio.read_segmentation(str(path))
    segmentation["voxels"] = np.ascontiguousarray(segmentation["voxels"][:, 3:40, 2:35])
    segmentation["ijkToLPS"] = segmentation["ijkToLPS"] @ np.array([[1, 0, 0, 3], [0, 1, 0, 2], [0, 0, 1, 0], [0, 0, 0, 1]])
    for segment in segmentation["segments"]:
        segment["name"] = "Segment renamed"
    slicerio.write_segmentation(str(path), segmentation)
    read = read_seg_nrrd(path, radiograph)
    assert read.names == masks.names
    for name in masks.names:
        assert np.array_equal(read.mask(name), masks.mask(name))


def test_no_bones_is_slicers_single_voxel(tmp_path: Path) -> None:
    radiograph, masks = example()
    empty = BoneMasks.pack({}, masks.shape)
    path = write_seg_nrrd(tmp_path / "m.seg.nrrd", empty, radiograph)
    assert slicerio.read_segmentation(str(path))["voxels"].size == 1
    with pytest.raises(InputError, match="holds no bone"):
        read_seg_nrrd(path, radiograph)


def test_bad_files_are_one_sentence(tmp_path: Path) -> None:
    radiograph, masks = example()
    with pytest.raises(InputError, match="There is no masks file"):
        read_seg_nrrd(tmp_path / "absent.seg.nrrd", radiograph)
    path = write_seg_nrrd(tmp_path / "m.seg.nrrd", masks, radiograph)
    for damage in (path.read_bytes()[:-40], b"", b"NRRD0004\ngarbage"):
        (tmp_path / "damaged.seg.nrrd").write_bytes(damage)
        with pytest.raises(InputError, match="could not be read as a segmentation"):
            read_seg_nrrd(tmp_path / "damaged.seg.nrrd", radiograph)
    elsewhere = slicerio.read_segmentation(str(path))
    elsewhere["ijkToLPS"] = elsewhere["ijkToLPS"] + np.array([[0, 0, 0, 500], [0, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]])
    slicerio.write_segmentation(str(path), elsewhere)
    with pytest.raises(InputError, match="outside this radiograph"):
        read_seg_nrrd(path, radiograph)
