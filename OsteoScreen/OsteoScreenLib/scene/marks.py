"""Words on the image itself: what a reader must not miss, at its edges and never over its middle."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import vtk

_AMBER, _WHITE, _BLACK = (1.0, 0.8, 0.35), (1.0, 1.0, 1.0), (0.0, 0.0, 0.0)
_LARGEST, _SMALLEST, _SIDE_LETTERS = 12, 8, 15  # points: VTK scales them with the window's dots per inch
_SHARE = 0.14  # of the view's height that either edge may take
_MARGIN = 6  # points
_POINTS_PER_INCH = 72.0
_SIDEWAYS = 0.9  # cosine from which on a view's horizontal axis is the patient's right-left axis


class Marks:
    """Lines of text at the bottom and the top of a slice view, and the letters R and L at its sides.

    They are laid out anew whenever the view's size or resolution changes.

    renderer : the view's topmost vtkRenderer. slice_node : tells which side of the patient is left in the view.
    """

    def __init__(self, renderer: Any, slice_node: Any) -> None:
        self._renderer, self._slice_node = renderer, slice_node
        self._bottom: tuple[str, ...] = ()
        self._top: tuple[str, ...] = ()
        self._sides = False
        self._texts: list[Any] = []
        self._laid_out_for: object = None
        self._observer = renderer.AddObserver(vtk.vtkCommand.StartEvent, self._lay_out)

    def set(self, bottom: Sequence[str], top: Sequence[str] = (), *, sides: bool = False) -> None:
        """Show these lines, beside each other where they fit, wrapped to the view's width where they do not. sides : also R and L at the patient's sides."""
        wanted = (tuple(bottom), tuple(top), sides)
        if wanted != (self._bottom, self._top, self._sides):
            self._bottom, self._top, self._sides = wanted
            self._laid_out_for = None

    def close(self) -> None:
        """Take everything off the image."""
        self._renderer.RemoveObserver(self._observer)
        self._clear()

    def _clear(self) -> None:
        for text in self._texts:
            self._renderer.RemoveViewProp(text)
        self._texts.clear()

    def _lay_out(self, *_: object) -> None:
        width, height = self._renderer.GetSize()
        dpi = self._renderer.GetRenderWindow().GetDPI()
        across = self._slice_node.GetSliceToRAS().GetElement(0, 0)
        key = (width, height, dpi, round(across, 3))
        if key == self._laid_out_for:
            return
        self._laid_out_for = key
        self._clear()
        margin = round(_MARGIN * dpi / _POINTS_PER_INCH)
        for lines, at_top in ((self._bottom, False), (self._top, True)):
            if lines:
                text = self._fitted(lines, width - 2 * margin, _SHARE * height)
                prop = text.GetTextProperty()
                if at_top:
                    prop.SetVerticalJustificationToTop()
                text.SetPosition(width / 2, height - margin if at_top else margin)
        if self._sides and abs(across) > _SIDEWAYS:
            letters = "RL" if across < 0 else "LR"  # RAS: the first axis points to the patient's right
            for letter, x in zip(letters, (2 * margin, width - 2 * margin), strict=True):
                text = self._text(letter, _SIDE_LETTERS, _WHITE)
                text.GetTextProperty().SetVerticalJustificationToCentered()
                text.SetPosition(x, height / 2)

    def _fitted(self, lines: Sequence[str], width: float, height: float) -> Any:
        """The lines in the largest letters with which they take no more than this room."""
        text = self._text("", _LARGEST, _AMBER)
        for points in range(_LARGEST, _SMALLEST - 1, -1):
            text.GetTextProperty().SetFontSize(points)
            text.SetInput(
                "\n".join(part for line in self._joined(text, lines, width) for part in self._wrapped(text, line, width))
            )
            if self._size(text)[1] <= height:
                break
        return text

    def _joined(self, text: Any, lines: Sequence[str], width: float) -> list[str]:
        """Short lines beside each other where they fit, to take less of the image."""
        joined: list[str] = []
        for line in lines:
            longer = f"{joined[-1]}  ·  {line}" if joined else line
            text.SetInput(longer)
            if joined and self._size(text)[0] <= width:
                joined[-1] = longer
            else:
                joined.append(line)
        return joined

    def _wrapped(self, text: Any, line: str, width: float) -> list[str]:
        parts: list[str] = []
        for word in line.split():
            longer = f"{parts[-1]} {word}" if parts else word
            text.SetInput(longer)
            if parts and self._size(text)[0] <= width:
                parts[-1] = longer
            else:
                parts.append(word)
        return parts

    def _size(self, text: Any) -> tuple[float, float]:
        size = [0.0, 0.0]
        text.GetSize(self._renderer, size)
        return size[0], size[1]

    def _text(self, words: str, points: int, colour: tuple[float, float, float]) -> Any:
        text = vtk.vtkTextActor()
        text.SetInput(words)
        text.PickableOff()
        text.GetPositionCoordinate().SetCoordinateSystemToViewport()
        prop = text.GetTextProperty()
        prop.SetFontSize(points)
        prop.BoldOn()
        prop.SetColor(*colour)
        prop.SetJustificationToCentered()
        prop.SetVerticalJustificationToBottom()
        prop.SetLineSpacing(1.15)
        # Dark ground under bright letters reads on bone, on air and on any heatmap.
        prop.SetBackgroundColor(*_BLACK)
        prop.SetBackgroundOpacity(0.6)
        text.SetLayerNumber(10)
        self._renderer.AddViewProp(text)
        self._texts.append(text)
        return text
