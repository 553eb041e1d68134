"""`CaseView`: one slice view of the application that shows a case. The same in 3D Slicer and on the desktop."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import slicer
import slicer.util
import vtk
from vtk.util.numpy_support import vtk_to_numpy

from OsteoScreenLib.errors import OsteoScreenError
from OsteoScreenLib.files import write_bytes
from OsteoScreenLib.scene import bones_segmentation
from OsteoScreenLib.scene.case_nodes import SceneCase
from OsteoScreenLib.scene.marks import Marks
from OsteoScreenLib.scene.readers_view import ReadersView
from OsteoScreenLib.scene.volume_image import OWN_NODE

_WINDOW_LEVEL = "vtkMRMLScalarBarDisplayableManager"
_HANDS = (
    "MouseMoveEvent", "LeftButtonPressEvent", "MiddleButtonPressEvent", "RightButtonPressEvent", "MouseWheelForwardEvent",
    "MouseWheelBackwardEvent", "KeyPressEvent",
)  # fmt: skip


class CaseView:
    """Shows a `SceneCase` in a slice view and follows it: a new heatmap, other bones or another style need no call.

    view_name : the view's layout name. sides : write R and L at the patient's sides.
    Raises `OsteoScreenError` when the application has no such view.
    """

    def __init__(self, view_name: str = "Red", sides: bool = True) -> None:
        self._sides = sides
        layouts = slicer.app.layoutManager()  # None in a Slicer without a main window
        self._widget: Any = layouts.sliceWidget(view_name) if layouts is not None else None
        if self._widget is None:
            raise OsteoScreenError(f"There is no slice view called {view_name}; choose a layout that has one.")
        self._readers: ReadersView | None = None
        self._foreground_drags: bool | None = None
        self._case: SceneCase | None = None
        self._untouched = False
        self._preview = False
        self._marks: Marks | None = None
        self._mark_lines: tuple[tuple[str, ...], tuple[str, ...]] = ((), ())
        self._pressed: set[str] = set()
        self._names: list[str] = []
        self._observers: list[tuple[Any, int]] = []
        self._case_observer: tuple[Any, int] | None = None

    # What it shows

    @property
    def case(self) -> SceneCase | None:
        """The case that is shown."""
        return self._case

    def show(self, scene_case: SceneCase | None, untouched: bool = False, fit: bool = False) -> None:
        """Show a case: radiograph or preview, heatmap, outlines. With None cases and marks leave the view.

        untouched : the radiograph alone, nothing over it. fit : upright and whole in the view, else zoom and place stay.
        """
        if scene_case is None:
            self._show_nothing()
            return
        if scene_case != self._case:
            self._stop_following()
            tag = scene_case.node.AddObserver(vtk.vtkCommand.ModifiedEvent, self._case_changed)
            self._case, self._case_observer = scene_case, (scene_case.node, tag)
        self._untouched = untouched
        with slicer.util.RenderBlocker():
            self._apply()
            if fit:
                self._slice_node().SetOrientation("Axial")
                self._widget.sliceLogic().FitSliceToBackground()

    def show_preview(self, shown: bool) -> None:
        """Show what the model sees in place of the radiograph."""
        self._preview = shown
        if self._case is not None:
            self._apply()

    def set_marks(self, marks: Sequence[str], top: Sequence[str] = ()) -> None:
        """Write these lines on the image, at its bottom edge, and `top` at its top edge. They stay in a screenshot."""
        self._mark_lines = tuple(marks), tuple(top)
        if self._case is not None:
            self._draw_marks()
            self._widget.sliceView().scheduleRender()

    # What the reader does in it

    def names_at_cursor(self, callback: Callable[[list[str]], object]) -> None:
        """Call with the bones under the cursor whenever they change; an empty list when there are none."""
        crosshair = slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLCrosshairNode")
        if crosshair is None:
            return

        def moved(*_: object) -> None:
            names = self._names_at(crosshair)
            if names != self._names:
                self._names = names
                callback(names)

        self._observe(crosshair, slicer.vtkMRMLCrosshairNode.CursorPositionModifiedEvent, moved)

    def keys(self, callback: Callable[[str, bool], object]) -> None:
        """Call with (VTK's name of the key, pressed). Keys arrive while the view has the focus; repeats are left out.

        A key that is held when the cursor leaves the view counts as released: its release may go elsewhere.
        """
        interactor = self._widget.sliceView().interactor()

        def pressed(*_: object) -> None:
            key = interactor.GetKeySym() or ""
            if key and key not in self._pressed and not interactor.GetControlKey():
                self._pressed.add(key)
                callback(key, True)

        def released(*_: object) -> None:
            key = interactor.GetKeySym() or ""
            # A key that is let go with Shift held has another name than it was pressed with.
            for held in [key] if key in self._pressed else sorted(self._pressed - {"space"}):
                self._pressed.discard(held)
                callback(held, False)

        def left(*_: object) -> None:
            for key in sorted(self._pressed):
                self._pressed.discard(key)
                callback(key, False)

        self._observe(interactor, "KeyPressEvent", pressed)
        self._observe(interactor, "KeyReleaseEvent", released)
        self._observe(interactor, "LeaveEvent", left)

    def hands(self, callback: Callable[[], object]) -> None:
        """Call whenever the reader moves the mouse in the view, presses a button, turns the wheel or presses a key."""
        interactor = self._widget.sliceView().interactor()

        def moved(*_: object) -> None:
            callback()

        for event in _HANDS:
            self._observe(interactor, event, moved)

    # The reader's own view

    def capture(self) -> None:
        """Remember the reader's layers, places, layout, mouse mode and windows; while they are remembered, does nothing."""
        if self._readers is None:
            self._readers = ReadersView()

    def restore(self) -> None:
        """Put back what `capture` remembered and take the case and the marks off the view."""
        with slicer.util.RenderBlocker():
            self._stop_following()
            for case in SceneCase.all_in_scene():
                _show_segmentation(case, False)
            if self._marks is not None:
                self._marks.close()
                self._marks = None
            manager = self._window_level()
            if manager is not None and self._foreground_drags is not None:
                manager.SetAdjustForegroundWindowLevelEnabled(self._foreground_drags)
            self._foreground_drags = None
            if self._readers is not None:
                self._readers.put_back()
                self._readers = None
        self._widget.sliceView().scheduleRender()

    def close(self) -> None:
        """Listen to nothing any more and take the marks off; the layers stay as they are."""
        self._stop_following()
        for watched, tag in self._observers:
            watched.RemoveObserver(tag)
        self._observers.clear()
        if self._marks is not None:
            self._marks.close()
            self._marks = None

    # Pictures

    def frame(self) -> np.ndarray:
        """A new frame of the view, uint8 (rows, columns, 3), first row at the top."""
        image = self._grabbed()
        width, height, _ = image.GetDimensions()
        return np.array(vtk_to_numpy(image.GetPointData().GetScalars()).reshape(height, width, 3)[::-1])

    def screenshot(self, path: Path) -> Path:
        """Write the view as it is drawn, marks included, to a PNG file. Raises `OsteoScreenError` when it cannot be written."""
        writer = vtk.vtkPNGWriter()
        writer.SetInputData(self._grabbed())
        writer.WriteToMemoryOn()
        writer.Write()
        return write_bytes(Path(path), vtk_to_numpy(writer.GetResult()).tobytes())

    # Inside

    def _slice_node(self) -> Any:
        return self._widget.mrmlSliceNode()

    def _window_level(self) -> Any:
        return self._widget.sliceView().displayableManagerByClassName(_WINDOW_LEVEL)

    def _apply(self) -> None:
        case = self._case
        if case is None or case.radiograph is None:
            return
        manager = self._window_level()
        if manager is not None and self._foreground_drags is None:
            # Else dragging over the heatmap would change the heatmap's window in place of the radiograph's.
            self._foreground_drags = bool(manager.GetAdjustForegroundWindowLevelEnabled())
            manager.SetAdjustForegroundWindowLevelEnabled(False)
        style = case.heat_style
        background = case.preview if self._preview and not self._untouched and case.preview is not None else case.radiograph
        heat = case.heatmap if style.visible and not self._untouched else None
        layers = self._widget.sliceLogic().GetSliceCompositeNode()
        with slicer.util.NodeModify(layers):
            layers.SetBackgroundVolumeID(background.GetID())
            layers.SetForegroundVolumeID(heat.GetID() if heat is not None else None)
            layers.SetForegroundOpacity(style.opacity)
            layers.SetLabelVolumeID(None)
        for other in SceneCase.all_in_scene():
            _show_segmentation(other, other == case and not self._untouched)
        if case.segmentation is not None:
            bones_segmentation.set_line_width(case.segmentation, self._widget.sliceView().renderWindow().GetDPI())
        self._draw_marks()

    def _show_nothing(self) -> None:
        self._stop_following()
        self._mark_lines = (), ()
        if self._marks is not None:
            self._marks.set(())
        for case in SceneCase.all_in_scene():
            _show_segmentation(case, False)
        layers = self._widget.sliceLogic().GetSliceCompositeNode()
        with slicer.util.NodeModify(layers):
            for get, put in (
                (layers.GetBackgroundVolumeID, layers.SetBackgroundVolumeID),
                (layers.GetForegroundVolumeID, layers.SetForegroundVolumeID),
            ):
                node = slicer.mrmlScene.GetNodeByID(get() or "")
                if node is None or node.GetAttribute(OWN_NODE) is not None:
                    put(None)
        self._widget.sliceView().scheduleRender()

    def _draw_marks(self) -> None:
        if self._marks is None:
            renderers = self._widget.sliceView().renderWindow().GetRenderers()
            every = [renderers.GetItemAsObject(index) for index in range(renderers.GetNumberOfItems())]
            self._marks = Marks(max(every, key=lambda renderer: renderer.GetLayer()), self._slice_node())
        self._marks.set(*self._mark_lines, sides=self._sides)

    def _case_changed(self, *_: object) -> None:
        if self._case is not None and slicer.mrmlScene.IsNodePresent(self._case.node):
            self._apply()

    def _stop_following(self) -> None:
        if self._case_observer is not None:
            watched, tag = self._case_observer
            watched.RemoveObserver(tag)
        self._case = self._case_observer = None

    def _names_at(self, crosshair: Any) -> list[str]:
        case = self._case
        if case is None or case.segmentation is None or crosshair.GetCursorPositionXYZ([0.0] * 3) is not self._slice_node():
            return []
        ras = [0.0] * 3
        if not crosshair.GetCursorPositionRAS(ras):
            return []
        return bones_segmentation.names_at(case.segmentation, (ras[0], ras[1], 0.0))

    def _observe(self, watched: Any, event: Any, callback: Callable[..., None]) -> None:
        self._observers.append((watched, watched.AddObserver(event, callback)))

    def _grabbed(self) -> Any:
        view = self._widget.sliceView()
        view.forceRender()
        grabber = vtk.vtkWindowToImageFilter()
        grabber.SetInput(view.renderWindow())
        grabber.SetInputBufferTypeToRGB()
        grabber.ReadFrontBufferOff()
        grabber.ShouldRerenderOff()
        grabber.Update()
        return grabber.GetOutput()


def _show_segmentation(case: SceneCase, shown: bool) -> None:
    segmentation = case.segmentation
    display = segmentation.GetDisplayNode() if segmentation is not None else None
    if display is not None and bool(display.GetVisibility()) != shown:
        display.SetVisibility(shown)
