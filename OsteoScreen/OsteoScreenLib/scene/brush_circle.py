"""The brush under the cursor: a circle of its size, with a plus or a minus in its middle."""

from __future__ import annotations

from typing import Any

import vtk

_CORNERS = 48
_SIGN = 4.0  # pixels from the middle to the end of a stroke of the sign
_PAINT, _ERASE, _SHADOW = (1.0, 1.0, 1.0), (1.0, 0.8, 0.35), (0.0, 0.0, 0.0)


class BrushCircle:
    """Drawn over a slice view's image, bright on a dark shadow, so that it is seen on bone and on air.

    renderer : the view's topmost one.
    """

    def __init__(self, renderer: Any) -> None:
        self._renderer = renderer
        self._circle = vtk.vtkRegularPolygonSource()
        self._circle.SetNumberOfSides(_CORNERS)
        self._circle.GeneratePolygonOff()
        self._across, self._down = vtk.vtkLineSource(), vtk.vtkLineSource()
        lines = vtk.vtkAppendPolyData()
        for source in (self._circle, self._across, self._down):
            lines.AddInputConnection(source.GetOutputPort())
        self._actors = []
        for width, colour in ((3.0, _SHADOW), (1.5, _PAINT)):
            mapper = vtk.vtkPolyDataMapper2D()
            mapper.SetInputConnection(lines.GetOutputPort())
            actor = vtk.vtkActor2D()
            actor.SetMapper(mapper)
            actor.GetProperty().SetLineWidth(width)
            actor.GetProperty().SetColor(*colour)
            actor.SetVisibility(False)
            actor.PickableOff()
            renderer.AddViewProp(actor)
            self._actors.append(actor)

    def show(self, x: float, y: float, radius: float, erase: bool, scale: float = 1.0) -> None:
        """Show it at a place and in a size given in the view's pixels. scale : pixels per unit of the screen's layout."""
        self._circle.SetCenter(x, y, 0.0)
        self._circle.SetRadius(max(radius, 1.0))
        sign = _SIGN * scale
        self._across.SetPoint1(x - sign, y, 0.0)
        self._across.SetPoint2(x + sign, y, 0.0)
        up = 0.0 if erase else sign
        self._down.SetPoint1(x, y - up, 0.0)
        self._down.SetPoint2(x, y + up, 0.0)
        for actor, width in zip(self._actors, (3.0, 1.5), strict=True):
            actor.GetProperty().SetLineWidth(width * scale)
            actor.SetVisibility(True)
        self._actors[-1].GetProperty().SetColor(*(_ERASE if erase else _PAINT))

    def hide(self) -> None:
        """Show none."""
        for actor in self._actors:
            actor.SetVisibility(False)

    def close(self) -> None:
        """Take it off the view."""
        for actor in self._actors:
            self._renderer.RemoveViewProp(actor)
        self._actors.clear()
