"""Bones go into the segmentation as they are packed, are outlined where they are, and come back as the reader left them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scene.drawn import a_radiograph, at, differs, on_a_border, places, some_bones, zoom

from OsteoScreenLib.bones.masks import BoneMasks
from OsteoScreenLib.bones.vocabulary import CHEST_FRONTAL

SHAPE = (240, 200)
LABELMAP = "Binary labelmap"


def a_case(spacing: tuple[float, float] | None = None) -> Any:
    from OsteoScreenLib.scene.case_nodes import SceneCase

    case = SceneCase.create("chest", a_radiograph(SHAPE), spacing)
    case.set_bones(some_bones(SHAPE))
    return case


def edit(case: Any, segment: str, mask: np.ndarray) -> None:
    """What Segment Editor does when a stroke ends."""
    import slicer.util

    slicer.util.updateSegmentBinaryLabelmapFromArray(mask[None].astype(np.uint8), case.segmentation, segment, case.radiograph)


def same(one: BoneMasks, other: BoneMasks) -> bool:
    return dict(one.table) == dict(other.table) and np.array_equal(one.layers, other.layers) and one.method == other.method


def test_segments_share_label_maps_as_packed(widget: Any) -> None:
    masks = some_bones(SHAPE)
    segmentation = a_case().segmentation.GetSegmentation()
    assert segmentation.GetNumberOfLayers() == len(masks.layers) == 3
    assert [segmentation.GetNthSegment(i).GetName() for i in range(4)] == list(masks.names)
    for name in masks.names:
        segment = segmentation.GetSegment(name.replace(" ", "_"))
        assert (segmentation.GetLayerIndex(name.replace(" ", "_")), segment.GetLabelValue()) == masks.table[name]
        assert np.allclose(np.array(segment.GetColor()) * 255, CHEST_FRONTAL.by_name[name].colour)


def test_terms_are_those_that_slicer_reads_from_its_own_files(widget: Any, tmp_path: Any) -> None:
    """The tag of each segment is, letter for letter, what Slicer makes of OsteoScreen's .seg.nrrd."""
    import slicer
    import slicer.util
    import vtk

    from OsteoScreenLib.bones.segnrrd import write_seg_nrrd
    from OsteoScreenLib.radiograph.radiograph import Radiograph

    case = a_case()
    written = write_seg_nrrd(tmp_path / "masks.seg.nrrd", some_bones(SHAPE), Radiograph(a_radiograph(SHAPE)))
    loaded = slicer.util.loadSegmentation(str(written))

    def entry(node: Any, identifier: str) -> str:
        value = vtk.reference("")
        assert node.GetSegmentation().GetSegment(identifier).GetTag("TerminologyEntry", value)
        return str(value)

    for name in some_bones(SHAPE).names:
        identifier = name.replace(" ", "_")
        ours, theirs = entry(case.segmentation, identifier).split("~"), entry(loaded, identifier).split("~")
        assert ours[:4] == theirs[:4] and ours[2].split("^")[1] == CHEST_FRONTAL.by_name[name].code.value
    assert "24028007" in entry(case.segmentation, "right_rib_5")


@pytest.mark.parametrize("spacing", [None, (0.3, 0.14)])
def test_masks_come_back_unchanged(widget: Any, spacing: tuple[float, float] | None) -> None:
    case = a_case(spacing)
    assert same(case.bone_masks(CHEST_FRONTAL), some_bones(SHAPE))
    case.set_bones(some_bones(SHAPE))
    assert same(case.bone_masks(CHEST_FRONTAL), some_bones(SHAPE))
    assert case.segmentation.GetSegmentation().GetNumberOfSegments() == 4


def test_no_bones_at_all(widget: Any) -> None:
    from OsteoScreenLib.scene.case_nodes import SceneCase

    case = SceneCase.create("chest", a_radiograph(SHAPE), None)
    empty = BoneMasks.pack({}, SHAPE)
    assert case.bone_masks(CHEST_FRONTAL).layers.shape == (0, *SHAPE)
    case.set_bones(some_bones(SHAPE))
    case.set_bones(empty)
    assert case.segmentation.GetSegmentation().GetNumberOfSegments() == 0
    assert case.bone_masks(CHEST_FRONTAL).layers.shape == (0, *SHAPE)
    case.set_bones(some_bones(SHAPE))
    assert same(case.bone_masks(CHEST_FRONTAL), some_bones(SHAPE))


def test_bones_as_pack_would_not_have_laid_them_are_packed_anew(widget: Any) -> None:
    """The same masks give the same layers, so an answer is found again whoever laid them out."""
    packed = some_bones(SHAPE)
    spread = BoneMasks(
        np.stack([packed.mask(name).astype(np.uint8) * 7 for name in reversed(packed.names)]),
        {name: (i, 7) for i, name in enumerate(reversed(packed.names))},
        method=packed.method,
    )
    case = a_case()
    case.set_bones(spread)
    assert case.segmentation.GetSegmentation().GetNumberOfLayers() == 4
    assert same(case.bone_masks(CHEST_FRONTAL), packed)


def test_corrections_come_back(widget: Any) -> None:
    """Strokes over other bones, into the corner, beyond a layer's extent; renamed, removed, erased and added segments."""
    case = a_case()
    drawn = {name: some_bones(SHAPE).mask(name) for name in some_bones(SHAPE).names}
    drawn["right rib 5"] = drawn["right rib 5"].copy()
    drawn["right rib 5"][110:140, 60:120] = True
    edit(case, "right_rib_5", drawn["right rib 5"])
    assert case.segmentation.GetSegmentation().GetNumberOfLayers() == 4
    assert same(case.bone_masks(CHEST_FRONTAL), BoneMasks.pack(drawn, SHAPE, method="drawn by hand"))

    drawn["left rib 5"] = np.zeros(SHAPE, bool)
    drawn["left rib 5"][-5:, -5:] = True
    drawn["left rib 5"][0, 0] = True
    edit(case, "left_rib_5", drawn["left rib 5"])
    segmentation = case.segmentation.GetSegmentation()
    segmentation.GetSegment("left_rib_5").SetName("the lowest one")
    assert same(case.bone_masks(CHEST_FRONTAL), BoneMasks.pack(drawn, SHAPE, method="drawn by hand"))

    segmentation.RemoveSegment("sternum")
    edit(case, "T7", np.zeros(SHAPE, bool))
    segmentation.AddEmptySegment("note_to_self", "Note to self")
    edit(case, "note_to_self", np.ones(SHAPE, bool))
    segmentation.AddEmptySegment("left_clavicle", "left clavicle")
    drawn["left clavicle"] = np.zeros(SHAPE, bool)
    drawn["left clavicle"][40:50, 120:180] = True
    edit(case, "left_clavicle", drawn["left clavicle"])
    del drawn["sternum"], drawn["T7"]
    masks, strangers = case.bones_and_strangers(CHEST_FRONTAL)
    assert same(masks, BoneMasks.pack(drawn, SHAPE, method="drawn by hand"))
    assert strangers == ("Note to self",)


def test_collapsed_label_maps_come_back_the_same(widget: Any) -> None:
    case = a_case()
    segmentation = case.segmentation.GetSegmentation()
    segmentation.SeparateSegmentLabelmap("right_rib_5")
    assert segmentation.GetNumberOfLayers() == 4
    assert same(case.bone_masks(CHEST_FRONTAL), some_bones(SHAPE))
    segmentation.CollapseBinaryLabelmaps(False)
    assert same(case.bone_masks(CHEST_FRONTAL), some_bones(SHAPE))


def test_a_label_map_with_other_voxels_is_sampled_at_pixel_centres(widget: Any) -> None:
    """Voxels half as large and turned around, as a Segment Editor with oversampling or another volume leaves them."""
    import slicer
    from vtk.util.numpy_support import numpy_to_vtk

    case = a_case((0.4, 0.2))
    mask = some_bones(SHAPE).mask("sternum")
    fine = np.kron(mask, np.ones((2, 2), np.uint8))[:, ::-1].astype(np.int16) * 300
    image = slicer.vtkOrientedImageData()
    image.SetDimensions(2 * SHAPE[1], 2 * SHAPE[0], 1)
    scalars = numpy_to_vtk(np.ascontiguousarray(fine).ravel(), deep=True)
    scalars.SetName("ImageScalars")
    image.GetPointData().SetScalars(scalars)
    last = 2 * SHAPE[1] - 1
    to_ras = np.array([[0.1, 0, 0, 0.05 - 0.1 * last], [0, -0.2, 0, 0.1], [0, 0, 1, 0], [0, 0, 0, 1]])
    image.SetImageToWorldMatrix(slicer.util.vtkMatrixFromArray(to_ras))
    segment = case.segmentation.GetSegmentation().GetSegment("sternum")
    segment.RemoveAllRepresentations()
    segment.AddRepresentation(LABELMAP, image)
    segment.SetLabelValue(300)
    assert same(case.bone_masks(CHEST_FRONTAL), some_bones(SHAPE))


@pytest.mark.parametrize("spacing", [None, (0.3, 0.14)])
@pytest.mark.parametrize("factor", [1.0, 3.3])
def test_outlines_lie_on_the_square_to_half_a_pixel(widget: Any, spacing: tuple[float, float] | None, factor: float) -> None:
    from OsteoScreenLib.scene.case_nodes import SceneCase
    from OsteoScreenLib.scene.view import CaseView

    square = np.zeros(SHAPE, bool)
    square[90:150, 80:125] = True
    case = SceneCase.create("chest", a_radiograph(SHAPE), spacing)
    view = CaseView("Red", sides=False)
    view.show(case, fit=True)
    zoom(widget, factor, 2.2 * case.spacing_mm()[1], 3.7 * case.spacing_mm()[0])
    without = view.frame()
    case.set_bones(BoneMasks.pack({"sternum": square}, SHAPE))
    drawn = differs(view.frame(), without)
    view.close()
    columns, rows = places(widget, case)
    inside = at(square, columns, rows) > 0
    # The line runs along the inner side of the edge, two frame pixels wide: nothing outside, nothing deeper inside.
    deep = inside.copy()
    for axis in (0, 1):
        for step in (-3, 3):
            deep &= np.roll(inside, step, axis)
    assert drawn.any() and not drawn[~inside].any() and not drawn[deep].any()
    # And it is drawn on every frame pixel along the edge.
    rim = inside & ~(np.roll(inside, 1, 0) & np.roll(inside, -1, 0) & np.roll(inside, 1, 1) & np.roll(inside, -1, 1))
    assert drawn[rim].all()
    reach = columns[drawn].min(), columns[drawn].max(), rows[drawn].min(), rows[drawn].max()
    frame_pixel = abs(columns[0, 1] - columns[0, 0]), abs(rows[1, 0] - rows[0, 0])
    for found, edge, size in zip(reach, (79.5, 124.5, 89.5, 149.5), np.repeat(frame_pixel, 2), strict=True):
        assert abs(found - edge) <= max(size, 0.5)


def test_hiding_an_outline_changes_nothing_else(widget: Any) -> None:
    from OsteoScreenLib.scene.view import CaseView

    case = a_case()
    view = CaseView("Red", sides=False)
    view.show(case, fit=True)
    before = view.frame()
    case.set_outlines(frozenset({"left rib 5"}))
    after = view.frame()
    changed = differs(before, after)
    columns, rows = places(widget, case)
    rib = at(some_bones(SHAPE).mask("left rib 5"), columns, rows) > 0
    assert changed.any() and not changed[~rib & ~on_a_border(columns, rows)].any()
    assert same(case.bone_masks(CHEST_FRONTAL), some_bones(SHAPE))
    case.set_outlines(frozenset())
    assert np.array_equal(view.frame(), before)
    case.set_outlines(frozenset(some_bones(SHAPE).names))
    case.segmentation.GetDisplayNode().SetVisibility(False)
    bare = view.frame()
    case.segmentation.GetDisplayNode().SetVisibility(True)
    assert np.array_equal(view.frame(), bare)
    view.close()


def test_a_group_is_hidden_with_one_change_of_the_display_node(widget: Any) -> None:
    import vtk

    case = a_case()
    changes: list[int] = []
    display = case.segmentation.GetDisplayNode()
    observer = display.AddObserver(vtk.vtkCommand.ModifiedEvent, lambda *_: changes.append(1))
    case.set_outlines(frozenset({"T7", "sternum", "left rib 5"}))
    assert len(changes) == 1
    case.set_outlines(frozenset({"T7", "sternum", "left rib 5"}))
    assert len(changes) == 1
    case.set_outlines(frozenset({"T7"}))
    assert len(changes) == 2
    display.RemoveObserver(observer)
    assert [display.GetSegmentVisibility(i) for i in ("T7", "sternum", "left_rib_5", "right_rib_5")] == [
        False,
        True,
        True,
        True,
    ]


def test_masks_of_another_image_are_refused(widget: Any) -> None:
    case = a_case()
    with pytest.raises(ValueError, match="do not fit"):
        case.set_bones(some_bones((200, 240)))
