"""What a reader has entered and not locked, and what he did: on the disk within a second, in memory while the disk takes nothing."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from OsteoScreenLib.errors import OsteoScreenError
from OsteoScreenLib.review.draft import Draft
from OsteoScreenLib.review.nouns import Phase, Task

if TYPE_CHECKING:
    from OsteoScreenLib.review.store import ReaderStore

WRITE_SECONDS = 0.5  # between two writes of what is being typed
RETRY_SECONDS = 5.0  # between two attempts on a disk that takes nothing


@dataclass(frozen=True)
class Entry:
    """What was entered in one phase of a task, and the seconds spent on it."""

    draft: Draft
    active_seconds: float = 0.0
    idle_seconds: float = 0.0

    @classmethod
    def from_values(cls, values: Mapping[str, Any]) -> Entry:
        """What `to_values` made."""
        return cls(Draft.from_values(values), float(values.get("active_seconds", 0.0)), float(values.get("idle_seconds", 0.0)))

    def to_values(self) -> dict[str, Any]:
        """JSON values."""
        return {**self.draft.to_values(), "active_seconds": self.active_seconds, "idle_seconds": self.idle_seconds}


class Entries:
    """Writes entries and events to a reader's store, and keeps them while that is not possible; nothing here raises.

    tell : called with (severity, sentence) once when the disk stops taking what is written, and once when it takes it again.
    seconds : a clock that never runs backwards.
    """

    def __init__(
        self, store: ReaderStore, tell: Callable[[str, str], None], seconds: Callable[[], float] = time.monotonic
    ) -> None:
        self._store, self._tell, self._seconds = store, tell, seconds
        self._drafts: dict[tuple[Task, Phase], Entry] = {}  # not written yet
        self._events: list[tuple[str, Task | None, dict[str, Any]]] = []
        self._due = 0.0
        self._troubled = False

    @property
    def unwritten(self) -> bool:
        """Something is in memory only."""
        return bool(self._drafts or self._events)

    def entry(self, task: Task, phase: Phase) -> Entry | None:
        """What was entered there, now or before a crash; None where nothing was."""
        if (task, phase) in self._drafts:
            return self._drafts[task, phase]
        try:
            values = self._store.draft(task, phase)
            return None if values is None else Entry.from_values(values)
        except OsteoScreenError as error:
            self._tell("warning", f"What was entered here before cannot be read: {error}")
        except (KeyError, TypeError, ValueError):  # a draft of another version: nothing that was locked
            self._tell("warning", "What was entered here before cannot be read; enter it again.")
        return None

    def put(self, task: Task, phase: Phase, entry: Entry) -> None:
        """Keep what is entered; it is written now, or by `tick` within a second."""
        self._drafts[task, phase] = entry
        self.tick()

    def drop(self, task: Task, phase: Phase) -> None:
        """It was locked."""
        self._drafts.pop((task, phase), None)

    def record(self, kind: str, task: Task | None = None, body: Mapping[str, Any] | None = None) -> None:
        """Write an event."""
        self._events.append((kind, task, dict(body or {})))
        self.write()

    def tick(self) -> None:
        """Write what is due."""
        if self.unwritten and self._seconds() >= self._due:
            self.write()

    def write(self) -> bool:
        """Write everything now; False while the disk takes nothing."""
        try:
            while self._events:
                self._store.append(*self._events[0])
                del self._events[0]
            for key, entry in tuple(self._drafts.items()):
                self._keep(*key, entry)
        except OsteoScreenError as error:
            self._due = self._seconds() + RETRY_SECONDS
            if not self._troubled:
                self._troubled = True
                self._tell("error", f"{error} Your entries stay here and are written as soon as that is possible.")
            return False
        self._due = self._seconds() + WRITE_SECONDS
        if self._troubled:
            self._troubled = False
            self._tell("info", "What you entered is written again; nothing was lost.")
        return True

    def _keep(self, task: Task, phase: Phase, entry: Entry) -> None:
        try:
            self._store.keep_draft(task, phase, entry.to_values())
        except OsteoScreenError as error:
            if getattr(error, "code", "") != "locked":  # in another window: then there is nothing to keep any more
                raise
        del self._drafts[task, phase]
