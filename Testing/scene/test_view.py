"""The view shows the case, writes what must not be missed, listens to cursor and keys, and gives the reader's view back."""

from __future__ import annotations

import gc
import weakref
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scene.drawn import a_map, a_radiograph, at, differs, places, some_bones, zoom

SHAPE = (240, 200)


@pytest.fixture
def case(widget: Any) -> Any:
    from OsteoScreenLib.scene.case_nodes import SceneCase

    made = SceneCase.create("chest", a_radiograph(SHAPE), (0.2, 0.2))
    made.set_bones(some_bones(SHAPE))
    made.set_saliency(a_map(SHAPE))
    return made


def move_cursor(widget: Any, case: Any, column: float, row: float) -> None:
    """Move the mouse to a place on the radiograph."""
    columns, rows = places(widget, case)
    y, x = np.unravel_index(np.argmin((columns - column) ** 2 + (rows - row) ** 2), columns.shape)
    interactor = widget.interactor()
    interactor.SetEventInformation(int(x), int(columns.shape[0] - 1 - y), 0, 0, chr(0), 0, None)
    interactor.InvokeEvent("EnterEvent")
    interactor.InvokeEvent("MouseMoveEvent")


def press(widget: Any, key: str, event: str) -> None:
    interactor = widget.interactor()
    interactor.SetKeySym(key)
    interactor.InvokeEvent(event)


def test_upright_and_not_mirrored(widget: Any, case: Any) -> None:
    from OsteoScreenLib.scene.view import CaseView

    pixels = np.full(SHAPE, 0.2, np.float32)
    pixels[:40, :50] = 0.8
    case.set_pixels(pixels, (0.2, 0.2))
    view = CaseView("Red", sides=False)
    view.show(case, fit=True)
    columns, rows = places(widget, case)
    assert columns[0, 0] < columns[0, -1] and rows[0, 0] < rows[-1, 0]
    sure = np.abs(columns - 49.5) + np.abs(rows - 39.5) > 0
    bright = view.frame()[..., 0] > 128
    edge = (np.abs(columns - 49.5) <= 1) | (np.abs(rows - 39.5) <= 1)
    assert (bright == (at(pixels, columns, rows) > 0.5))[sure & ~edge].all()
    view.close()


def test_untouched_is_the_radiograph_alone_and_back_again(widget: Any, case: Any) -> None:
    from OsteoScreenLib.scene.case_nodes import SceneCase
    from OsteoScreenLib.scene.view import CaseView

    view = CaseView()
    bare = SceneCase.create("bare", a_radiograph(SHAPE), (0.2, 0.2))
    view.show(bare, fit=True)
    plain = view.frame()
    case.set_preview((0, 90, 0, 90), np.zeros((90, 90), np.float32))
    view.show(case)
    view.show_preview(True)
    before = view.frame()
    assert differs(before, plain).any()
    view.show(case, untouched=True)
    assert np.array_equal(view.frame(), plain)
    view.show(case)
    assert np.array_equal(view.frame(), before)
    view.close()


def test_the_view_follows_its_case_without_a_call(widget: Any, case: Any) -> None:
    from OsteoScreenLib.scene.heatmap import HeatStyle
    from OsteoScreenLib.scene.view import CaseView

    view = CaseView()
    case.set_saliency(None)
    view.show(case, fit=True)
    before = view.frame()
    case.set_saliency(a_map(SHAPE))
    with_heat = view.frame()
    assert differs(with_heat, before).any()
    case.set_heat_style(HeatStyle(opacity=0.9))
    assert differs(view.frame(), with_heat).any()
    case.set_heat_style(HeatStyle(visible=False))
    assert np.array_equal(view.frame(), before)
    view.close()


def test_nothing_is_left_when_the_case_leaves(widget: Any, case: Any) -> None:
    from OsteoScreenLib.scene.view import CaseView

    view = CaseView()
    empty = view.frame()
    view.show(case, fit=True)
    view.set_marks(["Research use only"], ["Out of domain"])
    assert differs(view.frame(), empty).any()
    view.show(None)
    assert np.array_equal(view.frame(), empty)
    view.show(case)
    case.remove()
    view.show(None)
    assert np.array_equal(view.frame(), empty)
    view.close()


@pytest.mark.parametrize("size", [(600, 450), (1280, 800), (2560, 1440), (300, 260)])
@pytest.mark.parametrize("grey", [0.0, 0.5, 1.0])
def test_marks_are_at_the_edges_and_readable_on_any_ground(widget: Any, case: Any, size: tuple[int, int], grey: float) -> None:
    from OsteoScreenLib.scene.view import CaseView

    widget.set_size(*size, size[0] / 1280 if size[0] > 1280 else 1.0)
    case.set_pixels(np.full(SHAPE, grey, np.float32), (0.2, 0.2))
    view = CaseView()
    view.show(case, fit=True)
    zoom(widget, 2.5)
    plain = view.frame()
    view.set_marks(
        ["Research use only", "Answer of a model trained on simulated images"],
        ["Out of domain: this radiograph is unlike the images that the model was trained on"],
    )
    frame = view.frame()
    changed = differs(frame, plain)
    marked_rows = np.flatnonzero(changed.any(axis=1)) / size[1]
    assert marked_rows.min() < 0.1 and marked_rows.max() > 0.9
    assert not ((marked_rows > 0.3) & (marked_rows < 0.7)).any()
    marked_columns = np.flatnonzero(changed.any(axis=0))
    assert marked_columns.min() > 0 and marked_columns.max() < size[0] - 1  # nothing is cut off
    # Contrast of letters to their ground, as WCAG defines it.
    ground = 255 * grey * 0.4
    letters = frame[changed].astype(float).max(axis=1).max()
    contrast = ((letters / 255) ** 2.2 + 0.05) / ((ground / 255) ** 2.2 + 0.05)
    assert contrast > 4.5
    view.set_marks([])
    assert np.array_equal(view.frame(), plain)
    view.close()


def test_letters_grow_with_the_screens_resolution(widget: Any, case: Any) -> None:
    from OsteoScreenLib.scene.view import CaseView

    heights = []
    view = CaseView("Red", sides=False)
    for scale in (1.0, 2.0):
        widget.set_size(round(900 * scale), round(700 * scale), scale)
        view.show(case, fit=True)
        view.set_marks([])
        plain = view.frame()
        view.set_marks(["Research use only"])
        rows = np.flatnonzero(differs(view.frame(), plain).any(axis=1))
        heights.append(rows.max() - rows.min())
    assert heights[1] == pytest.approx(2 * heights[0], rel=0.15)
    view.close()


def test_sides_are_the_patients(widget: Any, case: Any) -> None:
    """R stands at the image's left; in a view turned around they change places, in a view from the side they are absent."""
    from OsteoScreenLib.scene.view import CaseView

    def letters(view: Any) -> list[str]:
        view.frame()
        texts = [text for text in view._marks._texts if text.GetInput() in ("R", "L")]
        return [text.GetInput() for text in sorted(texts, key=lambda text: text.GetPosition()[0])]

    view = CaseView()
    view.show(case, fit=True)
    assert letters(view) == ["R", "L"]
    node = widget.mrmlSliceNode()
    node.GetSliceToRAS().SetElement(0, 0, 1.0)
    node.UpdateMatrices()
    assert letters(view) == ["L", "R"]
    node.SetOrientation("Sagittal")
    assert letters(view) == []
    node.SetOrientation("Axial")
    view.close()


def test_names_under_the_cursor(widget: Any, case: Any) -> None:
    from OsteoScreenLib.scene.view import CaseView

    view = CaseView()
    view.show(case, fit=True)
    heard: list[list[str]] = []
    view.names_at_cursor(heard.append)
    move_cursor(widget, case, 92, 100)
    assert heard == [["T7", "right rib 5", "sternum"]]
    move_cursor(widget, case, 93, 101)
    assert len(heard) == 1  # the same bones: nothing new to tell
    move_cursor(widget, case, 150, 100)
    move_cursor(widget, case, 10, 10)
    assert heard[1:] == [["left rib 5"], []]
    zoom(widget, 3.0, 1.0, 1.0)
    view.frame()
    move_cursor(widget, case, 20.3, 90.2)
    assert heard[-1] == ["right rib 5"]
    move_cursor(widget, case, 19.2, 89.2)
    assert heard[-1] == []
    view.close()
    move_cursor(widget, case, 92, 100)
    assert heard[-1] == []


def test_keys_once_pressed_once_released(widget: Any, case: Any) -> None:
    from OsteoScreenLib.scene.view import CaseView

    view = CaseView()
    heard: list[tuple[str, bool]] = []
    view.keys(lambda key, pressed: heard.append((key, pressed)))
    for event in ("KeyPressEvent", "KeyPressEvent", "KeyReleaseEvent", "KeyReleaseEvent"):
        press(widget, "space", event)
    assert heard == [("space", True), ("space", False)]
    press(widget, "3", "KeyPressEvent")
    widget.interactor().InvokeEvent("LeaveEvent")
    press(widget, "3", "KeyReleaseEvent")
    assert heard[2:] == [("3", True), ("3", False)]
    view.close()
    press(widget, "space", "KeyPressEvent")
    assert len(heard) == 4


def test_the_readers_view_is_given_back(widget: Any, case: Any) -> None:
    import slicer.util

    from OsteoScreenLib.scene.view import CaseView

    own = slicer.util.addVolumeFromArray(np.random.default_rng(3).integers(0, 900, (1, 100, 120)).astype(np.int16), name="own")
    other = slicer.util.addVolumeFromArray(np.ones((1, 100, 120), np.int16) * 70, name="other")
    own.GetDisplayNode().AutoWindowLevelOff()
    own.GetDisplayNode().SetWindowLevel(700, 300)
    node, layers = widget.mrmlSliceNode(), widget.mrmlSliceCompositeNode()
    slicer.util.setSliceViewerLayers(background=own, foreground=other, foregroundOpacity=0.35)
    node.SetOrientation("Coronal")
    node.SetOrientation("Axial")
    widget.fit()
    zoom(widget, 1.7, 4.0, -3.0)
    interaction = slicer.mrmlScene.GetNodeByID("vtkMRMLInteractionNodeSingleton")
    interaction.SetCurrentInteractionMode(slicer.vtkMRMLInteractionNode.AdjustWindowLevel)
    manager = widget.displayableManagerByClassName("vtkMRMLScalarBarDisplayableManager")
    view = CaseView()
    case.segmentation.GetDisplayNode().SetVisibility(False)
    before = view.frame()
    drags = manager.GetAdjustForegroundWindowLevelEnabled()

    view.capture()
    view.show(case, fit=True)
    view.capture()  # once is enough: this is OsteoScreen's own view already
    view.set_marks(["Research use only"])
    interaction.SetCurrentInteractionMode(slicer.vtkMRMLInteractionNode.ViewTransform)
    own.GetDisplayNode().SetWindowLevel(10, 3)
    node.SetOrientation("Sagittal")
    assert not manager.GetAdjustForegroundWindowLevelEnabled()
    assert differs(view.frame(), before).any()

    view.restore()
    assert layers.GetBackgroundVolumeID() == own.GetID() and layers.GetForegroundVolumeID() == other.GetID()
    assert layers.GetForegroundOpacity() == 0.35
    assert (own.GetDisplayNode().GetWindow(), own.GetDisplayNode().GetLevel()) == (700, 300)
    assert interaction.GetCurrentInteractionMode() == slicer.vtkMRMLInteractionNode.AdjustWindowLevel
    assert bool(manager.GetAdjustForegroundWindowLevelEnabled()) == bool(drags)
    assert np.array_equal(view.frame(), before)
    view.restore()
    assert np.array_equal(view.frame(), before)

    # And OsteoScreen's view again when the reader comes back.
    view.capture()
    view.show(case, fit=True)
    slicer.mrmlScene.RemoveNode(other)
    view.restore()
    assert layers.GetBackgroundVolumeID() == own.GetID() and not layers.GetForegroundVolumeID()
    view.close()


def test_a_screenshot_is_the_frame(widget: Any, case: Any, tmp_path: Path) -> None:
    from PIL import Image

    from OsteoScreenLib.errors import OsteoScreenError
    from OsteoScreenLib.scene.view import CaseView

    view = CaseView()
    view.show(case, fit=True)
    view.set_marks(["Research use only"])
    written = view.screenshot(tmp_path / "pictures é.png")
    assert np.array_equal(np.asarray(Image.open(written)), view.frame())
    with pytest.raises(OsteoScreenError):
        view.screenshot(tmp_path / "no such folder" / "picture.png")
    view.close()


def test_no_such_view(widget: Any) -> None:
    from OsteoScreenLib.errors import OsteoScreenError
    from OsteoScreenLib.scene.view import CaseView

    with pytest.raises(OsteoScreenError, match="no slice view called Blue"):
        CaseView("Blue")


def test_a_closed_view_leaves_nothing_behind(widget: Any, case: Any) -> None:
    from OsteoScreenLib.scene.view import CaseView

    view = CaseView()
    view.show(case, fit=True)
    view.set_marks(["Research use only"])
    view.names_at_cursor(lambda names: None)
    view.keys(lambda key, pressed: None)
    view.frame()
    view.close()
    view.close()
    gone = weakref.ref(view)
    del view
    gc.collect()
    assert gone() is None
