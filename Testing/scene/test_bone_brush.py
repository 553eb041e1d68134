"""The brush in a slice view: what the left button paints, what it leaves to the view, and how the bone stands out."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scene.drawn import a_radiograph, at, differs, places, some_bones

SHAPE = (240, 200)


@pytest.fixture
def case(widget: Any) -> Any:
    from OsteoScreenLib.scene.case_nodes import SceneCase
    from OsteoScreenLib.scene.view import CaseView

    made = SceneCase.create("chest", a_radiograph(SHAPE), (0.5, 0.5))
    made.set_bones(some_bones(SHAPE))
    view = CaseView("Red")
    view.show(made, fit=True)
    yield made
    view.close()


def brush(case: Any, bone: str = "T7", diameter_mm: float = 6.0, changes: list[int] | None = None) -> Any:
    from OsteoScreenLib.scene.bone_brush import BoneBrush

    told = [] if changes is None else changes
    return BoneBrush(case, case.bone_masks(some_bones().site), bone, diameter_mm, lambda: told.append(1))


def send(widget: Any, event: str, row: float, column: float, control: int = 0, shift: int = 0) -> None:
    """A mouse event over this pixel of the radiograph."""
    import slicer.util

    from OsteoScreenLib.scene.image_node import pixel_to_ras

    to_xy = np.linalg.inv(slicer.util.arrayFromVTKMatrix(widget.mrmlSliceNode().GetXYToRAS()))
    x, y = (to_xy @ pixel_to_ras((0.5, 0.5)) @ (column, row, 0, 1))[:2]
    widget.interactor().SetEventInformation(round(x), round(y), control, shift, chr(0), 0, None)
    widget.interactor().InvokeEvent(event)


def stroke(widget: Any, start: tuple[float, float], end: tuple[float, float], **held: int) -> None:
    send(widget, "MouseMoveEvent", *start, **held)
    send(widget, "LeftButtonPressEvent", *start, **held)
    for share in (0.5, 1.0):
        place = [a + (b - a) * share for a, b in zip(start, end, strict=True)]
        send(widget, "MouseMoveEvent", *place, **held)
    send(widget, "LeftButtonReleaseEvent", *end, **held)


def reached(start: tuple[float, float], end: tuple[float, float], radius: float) -> np.ndarray:
    rows, columns = np.indices(SHAPE)
    drawn = np.zeros(SHAPE, bool)
    for share in np.linspace(0, 1, 400):
        row, column = (a + (b - a) * share for a, b in zip(start, end, strict=True))
        drawn |= (rows - row) ** 2 + (columns - column) ** 2 <= radius**2
    return drawn


def test_a_drag_paints_the_bone_where_the_cursor_was_and_no_other(widget: Any, case: Any) -> None:
    before, changes = some_bones(SHAPE), []
    window = case.radiograph.GetDisplayNode().GetWindow()
    painting = brush(case, changes=changes)
    stroke(widget, (150, 60), (170, 120))
    after = case.bone_masks(before.site)
    wanted = before.mask("T7") | reached((150, 60), (170, 120), 6.0)  # 6 mm across are 12 pixels
    # The cursor is on whole pixels of the view, so the stroke may lie up to half of one beside.
    wrong = np.count_nonzero(after.mask("T7") ^ wanted)
    assert wrong < 0.12 * np.count_nonzero(wanted & ~before.mask("T7"))
    for name in ("right rib 5", "left rib 5", "sternum"):  # the sternum lies under the stroke
        assert np.array_equal(after.mask(name), before.mask(name))
    assert painting.strokes.masks().sha256 == after.sha256 and changes == [1]
    assert case.radiograph.GetDisplayNode().GetWindow() == window, "the drag was the brush's alone"
    painting.close()


def test_erasing_undo_redo_and_control(widget: Any, case: Any) -> None:
    before = some_bones(SHAPE)
    painting = brush(case)
    painting.erase = True
    stroke(widget, (115, 85), (115, 105))
    erased = case.bone_masks(before.site)
    assert erased.areas()["T7"] < before.areas()["T7"] and np.array_equal(erased.mask("sternum"), before.mask("sternum"))
    stroke(widget, (160, 60), (160, 60), control=1)  # the opposite, for one stroke
    assert case.bone_masks(before.site).areas()["T7"] > erased.areas()["T7"]
    painting.undo()
    assert case.bone_masks(before.site).sha256 == erased.sha256
    painting.undo()
    assert case.bone_masks(before.site).sha256 == before.sha256
    painting.redo()
    assert case.bone_masks(before.site).sha256 == erased.sha256
    painting.replace(before.mask("T7"))
    assert case.bone_masks(before.site).sha256 == before.sha256
    painting.close()


def test_shift_other_buttons_and_the_time_after_it_belong_to_the_view(widget: Any, case: Any) -> None:
    import slicer

    mode = slicer.app.applicationLogic().GetInteractionNode()
    mode.SetCurrentInteractionMode(slicer.vtkMRMLInteractionNode.AdjustWindowLevel)
    before = some_bones(SHAPE).sha256
    painting = brush(case)
    origin = widget.mrmlSliceNode().GetXYZOrigin()
    stroke(widget, (150, 60), (170, 90), shift=1)
    assert case.bone_masks(some_bones().site).sha256 == before
    assert widget.mrmlSliceNode().GetXYZOrigin() != origin, "Shift moves the image"
    assert widget.mouse_is_lent()
    painting.close()
    painting.close()
    assert not widget.mouse_is_lent()
    window = case.radiograph.GetDisplayNode().GetWindow()
    stroke(widget, (150, 60), (170, 120))
    assert case.bone_masks(some_bones().site).sha256 == before
    assert case.radiograph.GetDisplayNode().GetWindow() != window, "window and level by dragging again"


def test_a_bone_that_was_not_found_can_be_drawn(widget: Any, case: Any) -> None:
    import slicer

    painting = brush(case, "left clavicle")
    stroke(widget, (40, 120), (40, 160))
    masks = case.bone_masks(some_bones().site)
    assert masks.areas()["left clavicle"] > 300
    segment = case.segmentation.GetSegmentation().GetSegment("left_clavicle")
    red, green, blue = masks.site.by_name["left clavicle"].colour
    assert segment.GetColor() == pytest.approx((red / 255, green / 255, blue / 255))
    painting.undo()
    assert "left clavicle" not in case.bone_masks(some_bones().site).table
    painting.close()
    assert slicer.mrmlScene.IsNodePresent(case.segmentation)


def test_painting_is_our_own_change_so_nothing_is_computed_again_meanwhile(widget: Any, case: Any) -> None:
    from OsteoScreenLib.scene.watch import SceneWatch

    told: list[str] = []
    watch = SceneWatch(on_bones_edited=told.append)
    painting = brush(case)
    stroke(widget, (150, 60), (170, 120))
    painting.undo()
    painting.close()
    watch.close()
    assert told == []


def test_the_stroke_and_the_brush_are_seen_and_the_brush_goes(widget: Any, case: Any) -> None:
    bare = widget.grab()
    painting = brush(case)
    stroke(widget, (160, 40), (160, 40))
    columns, rows = places(widget, case)
    seen = differs(widget.grab(), bare)
    disc = (rows - 160) ** 2 + (columns - 40) ** 2
    assert seen[disc < 100].any(), "outline and circle"
    others = (abs(rows - 115) < 18) & (abs(columns - 95) < 18)  # where the vertebra crosses other bones it lies on top now
    assert not seen[(disc > 20**2) & ~others].any(), "and nothing else"
    painting.undo()
    send(widget, "LeaveEvent", 160, 40)
    assert not (differs(widget.grab(), bare) & ~others).any()
    painting.close()


def test_one_bone_stands_out_and_all_look_alike_again(widget: Any, case: Any) -> None:
    from OsteoScreenLib.scene.bone_emphasis import emphasise, hidden_bones

    bones = some_bones(SHAPE)
    case.set_outlines(frozenset({"left rib 5"}))
    bare = widget.grab()
    emphasise(case.segmentation, "right rib 5")
    shown = widget.grab()
    columns, rows = places(widget, case)
    inside = at(bones.mask("right rib 5").astype(float), columns, rows) > 0
    filled = differs(shown, bare) & inside
    assert filled.sum() > 0.8 * inside.sum(), "its inside is filled"
    outside = at(bones.mask("T7").astype(float), columns, rows) > 0
    middle = outside & (abs(rows - 122) < 4) & (abs(columns - 85) < 3)  # of the vertebra
    assert not differs(shown, bare)[middle].any(), "the others are not"
    assert hidden_bones(case.segmentation, bones.names) == {"left rib 5"}, "what was off stays off"
    emphasise(case.segmentation, "left rib 5")
    assert hidden_bones(case.segmentation, bones.names) == frozenset(), "but for the bone that is looked at"
    emphasise(case.segmentation, "")
    case.set_outlines(frozenset({"left rib 5"}))
    # As `CaseView` shows bones: outlines alone.
    assert not case.segmentation.GetDisplayNode().GetVisibility2DFill()
    assert not differs(widget.grab(), bare).any()
