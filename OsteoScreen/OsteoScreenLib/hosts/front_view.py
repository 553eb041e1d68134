"""Slicer's view, lent to OsteoScreen while its module is in front; the reader's own as soon as he turns to another module."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import slicer

from OsteoScreenLib.scene.case_nodes import SceneCase
from OsteoScreenLib.scene.view import CaseView


class FrontView(CaseView):
    """A `CaseView` that does nothing to the view, and hears nothing from it, unless the module is in front.

    Between `restore` and the next `capture` an analysis may end, and keys belong to Segment Editor. When a case is first shown
    after `capture`, the view gets the whole layout and the radiograph the whole view; `restore` gives both back.
    """

    def __init__(self, view_name: str = "Red") -> None:
        super().__init__(view_name)
        self._in_front = self._settled = False

    def capture(self) -> None:
        """The module comes to the front."""
        super().capture()
        self._in_front, self._settled = True, False

    def restore(self) -> None:
        """The module goes to the back."""
        self._in_front = False
        super().restore()

    def show(self, scene_case: SceneCase | None, untouched: bool = False, fit: bool = False) -> None:
        """As `CaseView.show`, in front; later, when it is not."""
        if not self._in_front:
            return
        if scene_case is not None and not self._settled:
            self._settled = fit = True
            slicer.app.layoutManager().setLayout(slicer.vtkMRMLLayoutNode.SlicerLayoutOneUpRedSliceView)
        super().show(scene_case, untouched, fit)

    def show_preview(self, shown: bool) -> None:
        """As `CaseView.show_preview`, in front."""
        if self._in_front:
            super().show_preview(shown)

    def set_marks(self, marks: Sequence[str], top: Sequence[str] = ()) -> None:
        """As `CaseView.set_marks`, in front."""
        if self._in_front:
            super().set_marks(marks, top)

    def names_at_cursor(self, callback: Callable[[list[str]], object]) -> None:
        """As `CaseView.names_at_cursor`, in front."""
        super().names_at_cursor(lambda names: callback(names) if self._in_front else None)

    def hands(self, callback: Callable[[], object]) -> None:
        """As `CaseView.hands`, in front."""
        super().hands(lambda: callback() if self._in_front else None)

    def keys(self, callback: Callable[[str, bool], object]) -> None:
        """As `CaseView.keys`, in front; a key that is held when the module goes to the back still counts as released."""
        super().keys(lambda key, pressed: callback(key, pressed) if self._in_front or not pressed else None)
