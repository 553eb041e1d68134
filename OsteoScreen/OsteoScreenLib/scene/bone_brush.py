"""`BoneBrush`: in a slice view the left mouse button paints one bone of a case, or erases it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import slicer
import slicer.util

from OsteoScreenLib.bones.masks import BoneMasks
from OsteoScreenLib.bones.strokes import Box, Strokes
from OsteoScreenLib.errors import OsteoScreenError
from OsteoScreenLib.scene.brush_circle import BrushCircle
from OsteoScreenLib.scene.case_nodes import SceneCase
from OsteoScreenLib.scene.image_node import matrix_of
from OsteoScreenLib.scene.painted_bones import PaintedBones

_BEFORE_OTHERS = 10.0  # priority of an observer: the view's own mouse must not act too
_POINTS_PER_INCH = 72.0


class BoneBrush:
    """Paints until `close`. Shift with the left button, the other buttons and the wheel still move and enlarge the image;
    with Ctrl the brush does the opposite for one stroke.

    Parameters
    ----------
    case : whose segmentation shows the strokes. masks : its bones as they are now. bone : the one under the brush.
    diameter_mm : of the brush, in the scene's millimetres. on_change : called after every stroke, undo and redo.
    view_name : the view's layout name.

    Raises `OsteoScreenError` when the application has no such view.
    """

    def __init__(
        self,
        case: SceneCase,
        masks: BoneMasks,
        bone: str,
        diameter_mm: float,
        on_change: Callable[[], object],
        view_name: str = "Red",
    ) -> None:
        layouts = slicer.app.layoutManager()
        widget = layouts.sliceWidget(view_name) if layouts is not None else None
        if widget is None:
            raise OsteoScreenError(f"There is no slice view called {view_name}; choose a layout that has one.")
        self.bone, self.erase, self.diameter_mm = bone, False, diameter_mm
        self._case, self._on_change = case, on_change
        self._site = masks.site
        self._strokes, self._painted = Strokes(masks), PaintedBones(case)
        self._view, self._slice_node = widget.sliceView(), widget.mrmlSliceNode()
        self._to_pixel = np.linalg.inv(matrix_of(case.radiograph))
        renderers = self._view.renderWindow().GetRenderers()
        every = [renderers.GetItemAsObject(index) for index in range(renderers.GetNumberOfItems())]
        self._circle = BrushCircle(max(every, key=lambda renderer: renderer.GetLayer()))
        self._inside = False
        # No mouse mode of Slicer's is the brush's; in this one nothing else acts on the left button.
        self._interaction = slicer.app.applicationLogic().GetInteractionNode()
        self._former_mode = self._interaction.GetCurrentInteractionMode()
        self._interaction.SetCurrentInteractionMode(slicer.vtkMRMLInteractionNode.User)
        self._interactor = self._view.interactor()
        self._tags: list[int] = []
        for event, callback, taken in (
            ("LeftButtonPressEvent", self._pressed, True),
            ("LeftButtonReleaseEvent", self._released, True),
            ("MouseMoveEvent", self._moved, False),
            ("EnterEvent", self._moved, False),
            ("LeaveEvent", self._left, False),
        ):
            self._observe(event, callback, taken)

    # What it makes

    @property
    def strokes(self) -> Strokes:
        """What was painted."""
        return self._strokes

    def replace(self, mask: np.ndarray) -> None:
        """Put another mask, bool (rows, columns), in the place of the bone's."""
        box = self._strokes.replace(self.bone, mask)
        self._step((self.bone, box) if box is not None else None)

    def undo(self) -> None:
        """Take the last stroke back."""
        self._step(self._strokes.undo())

    def redo(self) -> None:
        """Do it again."""
        self._step(self._strokes.redo())

    def refresh(self) -> None:
        """Draw the circle as the brush is now."""
        self._draw_circle()

    def close(self) -> None:
        """Give the mouse back; what was painted stays in the scene. Safe to call twice."""
        self._strokes.end()
        for tag in self._tags:
            self._interactor.RemoveObserver(tag)
        if self._tags:
            self._circle.close()
            self._interaction.SetCurrentInteractionMode(self._former_mode)
            self._view.scheduleRender()
        self._tags.clear()

    # The mouse

    def _observe(self, event: str, callback: Callable[[], bool], taken: bool) -> None:
        def happened(*_: object) -> None:
            if callback() and taken:
                self._interactor.GetCommand(tag).SetAbortFlag(1)

        tag = self._interactor.AddObserver(event, happened, _BEFORE_OTHERS)
        self._tags.append(tag)

    def _pressed(self) -> bool:
        if self._interactor.GetShiftKey():
            return False
        row, column = self._place()
        row_mm, column_mm = self._case.spacing_mm()
        radii = self.diameter_mm / 2 / row_mm, self.diameter_mm / 2 / column_mm
        self._show(self._strokes.begin(self.bone, row, column, radii, self._erasing()))
        return True

    def _moved(self) -> bool:
        self._inside = True
        if self._strokes.running:
            self._show(self._strokes.move(*self._place()))
        self._draw_circle()
        return False

    def _released(self) -> bool:
        if not self._strokes.running:
            return False
        self._strokes.end()
        self._on_change()
        return True

    def _left(self) -> bool:
        self._inside = False
        self._draw_circle()
        return False

    def _erasing(self) -> bool:
        return self.erase != bool(self._interactor.GetControlKey())

    def _place(self) -> tuple[float, float]:
        """(row, column) on the radiograph under the cursor, with fractions."""
        x, y = self._interactor.GetEventPosition()
        to_ras = slicer.util.arrayFromVTKMatrix(self._slice_node.GetXYToRAS())
        column, row = (self._to_pixel @ to_ras @ (x, y, 0.0, 1.0))[:2]
        return float(row), float(column)

    # The picture

    def _show(self, box: Box | None) -> None:
        if box is not None:
            self._painted.write(self._site.by_name[self.bone], self._strokes.mask(self.bone), box)

    def _step(self, step: tuple[str, Box] | None) -> None:
        if step is not None:
            bone, box = step
            self._painted.write(self._site.by_name[bone], self._strokes.mask(bone), box)
            self._on_change()

    def _draw_circle(self) -> None:
        if self._inside:
            x, y = self._interactor.GetEventPosition()
            to_ras = slicer.util.arrayFromVTKMatrix(self._slice_node.GetXYToRAS())
            radius = self.diameter_mm / 2 / float(np.linalg.norm(to_ras[:3, 0]))
            scale = self._view.renderWindow().GetDPI() / _POINTS_PER_INCH
            self._circle.show(x, y, radius, self._erasing(), scale)
        else:
            self._circle.hide()
        self._view.scheduleRender()
