"""What the view shows of the case on the table: never a covering, or a map, that belongs to another number."""

from __future__ import annotations

from collections.abc import Sequence

from OsteoScreenLib.scene.view import CaseView
from OsteoScreenLib.ui.shelf import Place
from OsteoScreenLib.workbench import remarks
from OsteoScreenLib.workbench.answers import Patch, Question
from OsteoScreenLib.workbench.case import Case
from OsteoScreenLib.workbench.desk import Desk


class Picture:
    """held : the reader holds a key to see the bare radiograph."""

    def __init__(self, view: CaseView, desk: Desk) -> None:
        self.held = False
        self._view, self._desk = view, desk
        self._covered: tuple[str, Question] | None = None  # case and question that the preview shows

    def show(self, place: Place | None, preview_on: bool, cursor_bones: Sequence[str], fit: bool = False) -> None:
        """Show a case as its number has it. preview_on : the reader wants to see what is covered. fit : whole in the view."""
        if place is not None:
            self._view.show(place.scene, untouched=self.held, fit=fit)
            self._view.show_preview(preview_on and self._fits(place.case))
            self.mark(place, cursor_bones)

    def mark(self, place: Place, cursor_bones: Sequence[str]) -> None:
        """What must not be missed stands at the image's lower edge, the bones under the cursor at its upper one."""
        names = (", ".join(cursor_bones),) if cursor_bones else ()
        self._view.set_marks(remarks.marks(place.case.reading, place.case.result), names)

    def cover(self, place: Place, question: Question, patch: Patch) -> None:
        """Put what the model is shown into the preview."""
        place.scene.set_preview(patch.box, patch.pixels)
        self._covered = (place.case.token, question)

    def uncover(self, place: Place) -> None:
        """Nothing is covered."""
        place.scene.clear_preview()
        self._covered = None

    def clear(self) -> None:
        """No case is on the table."""
        self._covered = None
        self._view.show(None)

    def _fits(self, case: Case) -> bool:
        """The preview shows what is asked now; or still what was asked before, until the number and its picture come."""
        if case.result is None or self._covered is None or self._covered[0] != case.token:
            return False
        question = case.question_now
        if question.untouched:
            return False
        return self._covered[1] == question or (self._desk.asking and case.answers.get(question) is None)
