"""The "model sees" preview shows exactly what the model is given, and leaves no trace of what was shown before."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scene.drawn import a_radiograph, at, differs, on_a_border, places, some_bones, zoom

SHAPE = (240, 200)


@pytest.fixture
def case(widget: Any) -> Any:
    from OsteoScreenLib.scene.case_nodes import SceneCase

    made = SceneCase.create("chest", a_radiograph(SHAPE), (0.3, 0.2))
    made.radiograph.GetDisplayNode().SetInterpolate(False)  # every frame pixel shows one pixel's value
    return made


def covered(fill: str, names: list[str], mode: str = "remove") -> tuple[np.ndarray, tuple[int, int, int, int], np.ndarray]:
    """What the worker answers: the covered image, the box and the patch."""
    from OsteoScreenLib.explain.covering import Coverer

    coverer = Coverer(a_radiograph(SHAPE), some_bones(SHAPE), mode, fill, 3.0)  # type: ignore[arg-type]
    image, region = coverer.cover(names), coverer.region(names)
    box = (region.box[0].start, region.box[0].stop, region.box[1].start, region.box[1].stop)
    return image, box, image[region.box].copy()


@pytest.mark.parametrize("fill", ["mean", "black", "noise", "blur", "inpaint"])
@pytest.mark.parametrize("zoomed", [False, True])
def test_the_fill_is_where_the_model_gets_it(widget: Any, case: Any, fill: str, zoomed: bool) -> None:
    from OsteoScreenLib.scene.view import CaseView

    view = CaseView("Red", sides=False)
    view.show(case, fit=True)
    if zoomed:
        zoom(widget, 4.1, 1.3, 2.7)
    untouched = view.frame()
    image, box, patch = covered(fill, ["right rib 5", "sternum"])
    case.set_preview(box, patch)
    assert np.array_equal(view.frame(), untouched)  # the preview is not shown yet
    view.show_preview(True)
    frame = view.frame().astype(int)
    columns, rows = places(widget, case)
    wanted = at(image, columns, rows, outside=0.0) * 255
    border = on_a_border(columns, rows)
    for channel in range(3):
        assert np.abs(frame[..., channel] - wanted)[~border].max() <= 1.01
    changed = differs(view.frame(), untouched)
    hidden = at(image != a_radiograph(SHAPE), columns, rows) > 0
    assert changed.any() and not changed[~hidden & ~border].any()
    view.close()


def test_what_was_shown_before_leaves_no_trace(case: Any) -> None:
    import slicer.util

    for fill, names, mode in (
        ("black", ["sternum"], "remove"),
        ("noise", ["left rib 5"], "remove"),
        ("mean", ["T7", "right rib 5"], "add-back"),
    ):
        image, box, patch = covered(fill, names, mode)
        case.set_preview(box, patch)
        assert np.array_equal(slicer.util.arrayFromVolume(case.preview)[0], image)
    case.clear_preview()
    assert np.array_equal(slicer.util.arrayFromVolume(case.preview)[0], a_radiograph(SHAPE))
    assert np.array_equal(case.pixels(), a_radiograph(SHAPE))


def test_undo_gives_the_very_same_frame(widget: Any, case: Any) -> None:
    from OsteoScreenLib.scene.view import CaseView

    view = CaseView()
    case.set_bones(some_bones(SHAPE))
    view.show(case, fit=True)
    view.show_preview(True)
    view.set_marks(["Research use only"])
    before = view.frame()
    _, box, patch = covered("blur", ["sternum"])
    case.set_preview(box, patch)
    assert differs(view.frame(), before).any()
    case.clear_preview()
    assert np.array_equal(view.frame(), before)
    view.show_preview(False)
    assert np.array_equal(view.frame(), before)
    view.close()


def test_one_change_of_the_volume_for_a_patch(case: Any) -> None:
    import vtk

    _, box, patch = covered("black", ["sternum"])
    case.set_preview(box, patch)
    changes: list[int] = []
    observer = case.preview.AddObserver(vtk.vtkCommand.ModifiedEvent, lambda *_: changes.append(1))
    case.set_preview(box, patch * 0.5)
    assert len(changes) == 1
    case.clear_preview()
    assert len(changes) == 2
    case.clear_preview()
    assert len(changes) == 2
    case.preview.RemoveObserver(observer)


def test_window_and_level_are_one(widget: Any, case: Any) -> None:
    from OsteoScreenLib.scene.view import CaseView

    _, box, patch = covered("black", ["sternum"])
    case.set_preview(box, patch)
    view = CaseView("Red", sides=False)
    view.show(case, fit=True)
    case.radiograph.GetDisplayNode().SetWindowLevelMinMax(0.2, 0.6)
    plain = view.frame()
    view.show_preview(True)
    changed = differs(view.frame(), plain)
    columns, rows = places(widget, case)
    in_box = (columns >= box[2] - 0.5) & (columns < box[3] - 0.5) & (rows >= box[0] - 0.5) & (rows < box[1] - 0.5)
    assert changed.any() and not changed[~in_box].any()
    view.close()


def test_a_patch_of_the_wrong_size_is_refused(case: Any) -> None:
    with pytest.raises(ValueError, match="does not fit"):
        case.set_preview((0, 5, 0, 5), np.zeros((4, 5), np.float32))
    case.set_preview((0, 0, 0, 0), np.zeros((0, 0), np.float32))
    assert np.array_equal(case.pixels(), a_radiograph(SHAPE))
