"""Writing what is shown into a folder: for the reader, or for somebody who asked for its files."""

from __future__ import annotations

from collections.abc import Callable

from OsteoScreenLib.workbench import table_text
from OsteoScreenLib.workbench.case import Case
from OsteoScreenLib.workbench.desk import BUSY, Desk
from OsteoScreenLib.workbench.events import Event

Made = Callable[[dict[str, str]], None]
"""Told the files that were written, by their names; none when it failed or was given up."""


class Saving:
    """At most one job. message : (severity, sentence) for the reader."""

    def __init__(self, desk: Desk, message: Event[[str, str]]) -> None:
        self._desk, self._message = desk, message
        self._case: Case | None = None
        self._folder, self._dicom = "", False
        self._made: Made | None = None
        self._asking = False
        desk.text_found.connect(lambda seen: self._ask())

    def save(self, case: Case | None, folder: str, dicom: bool, made: Made | None = None) -> bool:
        """Write a case's results as they are shown. made : who is told instead of the reader.

        Returns False, after a message, when that cannot be begun.
        """
        if self._desk.busy:
            self._message.emit("warning", BUSY)
            return False
        self._case, self._folder, self._dicom = case, folder, dicom
        begun = self._begin("refuse")
        self._made = made if begun else None
        return begun

    def answer_text(self, mask: bool | None) -> None:
        """What becomes of text in the pictures: it is covered, or stays; None saves nothing."""
        self._asking = False
        if mask is None:
            self._message.emit("info", "Nothing was saved.")
        if mask is None or not self._begin("mask" if mask else "keep"):
            self.tell({})

    def poll(self) -> None:
        """Called regularly: a job that went away with its case is over too."""
        if self._made is not None and not self._asking and not self._desk.busy:
            self.tell({})

    def tell(self, files: dict[str, str]) -> bool:
        """The job is over. False when nobody but the reader is to be told."""
        self._asking = False
        made, self._made = self._made, None
        if made is not None:
            made(files)
        return made is not None

    def _ask(self) -> None:
        self._asking = True

    def _begin(self, text: str) -> bool:
        case = self._case
        if case is None or case.result is None:
            self._message.emit("warning", "There is nothing to save yet; press Analyse first.")
        elif case.masks_edited:
            self._message.emit("warning", "The masks were changed since the last answer; press Recompute, then save.")
        else:
            shown = case.toggles.with_changes(saliency=case.saliency_method.key)
            self._desk.save(self._folder, shown, table_text.files(case), self._dicom, text)
            return True
        return False
