"""A scripted review for the tests of its tab: it records what the tab asks for and says what a test tells it to."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from OsteoScreenLib.review.draft import Draft
from OsteoScreenLib.review.nouns import FINDINGS, Protocol
from OsteoScreenLib.ui.review_list import Row
from OsteoScreenLib.workbench.events import Event


class ScriptedMasks:
    """No masks are on the table."""

    def __init__(self) -> None:
        self.changed: Event[[str]] = Event()
        self.message: Event[[str, str]] = Event()
        self.there, self.editing, self.rows, self.current, self.version = False, "", (), "", 0
        self.brush_size, self.unit, self.erasing, self.can_undo, self.can_redo = 5, "mm", False, False, False

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return lambda *values: None


class ScriptedReview:
    """Every method of the review's presenter is recorded in `calls`; every property is an attribute that a test sets."""

    def __init__(self) -> None:
        self.changed: Event[[str]] = Event()
        self.message: Event[[str, str]] = Event()
        self.emptied: Event[[]] = Event()
        self.calls: list[tuple[Any, ...]] = []
        self.masks = ScriptedMasks()
        self.study: Any = None
        self.signed_in, self.reader, self.readers, self.last_study, self.others_open = False, "", (), "", 0
        self.rows: list[Row] = []
        self.current, self.listed = -1, None
        self.tally = self.headline = self.target = self.first_decision = self.model_words = ""
        self.seconds = 0
        self.draft, self.findings = Draft(), ()
        self.is_second = self.is_blind = self.can_enter = self.can_skip = self.model_there = self.outlines_shown = False
        self.analyse_open, self.written = True, True
        self.fails: Exception | None = None  # raised by everything but `edit`
        self.refuses = False  # to take an entry

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return lambda *values: self._record(name, *values)

    def _record(self, *call: Any) -> None:
        if self.fails is not None:
            raise self.fails
        self.calls.append(call)

    def touch(self) -> None:
        """Not recorded: every step of the reader is one."""

    def on_screen(self, seen: bool) -> None:
        """Neither: it is told ten times a second."""

    def may_sign_out(self) -> bool:
        """As the test says."""
        return self.written

    def poll(self) -> None:
        """Nothing happens."""

    def edit(self, name: str, value: Any) -> None:
        """Recorded, and taken into the draft."""
        from dataclasses import replace

        self.calls.append(("edit", name, value))
        if self.refuses:
            return
        self.draft = replace(self.draft, **{name: value})
        self.tell("draft")

    def tell(self, *parts: str) -> None:
        """Say that these parts changed."""
        for part in parts or ("study", "list", "case", "draft", "model", "time"):
            self.changed.emit(part)

    def at_work(self) -> ScriptedReview:
        """A reader is at his second of three cases, blind."""
        self.study = SimpleNamespace(protocol=Protocol("A study"))
        self.signed_in, self.reader, self.analyse_open = True, "R1", False
        self.rows = [Row("Case 1", "done"), Row("Case 2", "unread"), Row("Case 3", "skipped")]
        self.current, self.tally, self.headline = 1, "1 of 3 read, 1 skipped", "Case 2 of 3: first read, blind"
        self.findings, self.target = FINDINGS, "osteoporosis"
        self.is_blind = self.can_enter = self.can_skip = True
        self.tell()
        return self
