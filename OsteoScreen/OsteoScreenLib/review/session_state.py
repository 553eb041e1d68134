"""What can be known of a reading session: where the reader is, what he may see, what he has entered, what is locked."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from OsteoScreenLib.errors import OsteoScreenError
from OsteoScreenLib.events import Event as Signal
from OsteoScreenLib.review.draft import Draft
from OsteoScreenLib.review.entries import Entries
from OsteoScreenLib.review.nouns import LockedRead, ModelFacts, Phase, ReviewCase, Task
from OsteoScreenLib.review.progress import Progress, Tally
from OsteoScreenLib.review.project import merged, stores_of
from OsteoScreenLib.review.stopwatch import Stopwatch
from OsteoScreenLib.review.worklist import Status

if TYPE_CHECKING:
    from OsteoScreenLib.review.store import ReaderStore
    from OsteoScreenLib.review.study import ReviewStudy
    from OsteoScreenLib.review.worklist import Worklist


class SessionState:
    """The readable side of a `Session`, which says what the events and parameters are."""

    def __init__(
        self,
        study: ReviewStudy,
        reader: str,
        store: ReaderStore,
        worklist: Worklist,
        *,
        seconds: Callable[[], float] = time.monotonic,
    ) -> None:
        self.changed: Signal[[str]] = Signal()
        self.message: Signal[[str, str]] = Signal()
        self.study, self.reader, self.protocol = study, reader, study.protocol
        self._store = store
        self.worklist = worklist
        self._progress = _progress(study, store, worklist)
        self._entries = Entries(store, self.message.emit, seconds)
        self._watch = Stopwatch(seconds)
        self._seconds = seconds
        self._walked: tuple[Task, ...] = self._progress.tasks
        self._task: Task | None = None
        self._phase: Phase | None = None
        self._draft = Draft()
        self._facts = ModelFacts()
        self._kept_at = 0.0
        self._gone = 0  # tasks in a row whose radiograph could not be opened
        self._signed_in = self._closed = False

    # Where the reader is

    @property
    def tasks(self) -> tuple[Task, ...]:
        """All of this reader's tasks in his order."""
        return self._progress.tasks

    @property
    def walked(self) -> tuple[Task, ...]:
        """Those that `next`, `previous` and `next_unread` go through."""
        return self._walked

    @property
    def task(self) -> Task | None:
        """The task on the table; None before `start`, after `leave` and at the end of the list."""
        return self._task

    @property
    def case(self) -> ReviewCase | None:
        """Its case."""
        return None if self._task is None else self.case_of(self._task)

    @property
    def phase(self) -> Phase | None:
        """What is being read; None when the task is read to the end and only looked at, or when there is no task."""
        return self._phase

    @property
    def model_visible(self) -> bool:
        """Results of the model may be shown for the task on the table. Where False, they must not be there at all."""
        if self._task is None or self.protocol.mode == "alone":
            return False
        return self.protocol.mode == "open" or self.locked("first") is not None

    @property
    def at_end(self) -> bool:
        """Nothing is left to read but what was skipped."""
        return self._progress.open_after(None, self.tasks) is None

    @property
    def tally(self) -> Tally:
        """How far the reader is."""
        return self._progress.tally

    def case_of(self, task: Task) -> ReviewCase:
        """A task's case."""
        return self.study.case(task.case)

    def label(self, task: Task) -> str:
        """What the reader calls a task: "Case 7", by its place in his list.

        A repeat bears such a name as every other task does, so that it is not known by it; the pseudonym would tell.
        """
        return self.worklist.label(task)

    def status(self, task: Task) -> Status:
        """How far a task is."""
        return self._progress.status(task)

    @property
    def statuses(self) -> dict[Task, Status]:
        """How far every task is, for the list and its filters."""
        return {task: self.status(task) for task in self.tasks}

    @property
    def upcoming(self) -> Task | None:
        """The task that `next_unread` would show, and that may be read ahead."""
        return self._progress.open_after(self._task, self._walked)

    def locked(self, phase: Phase, task: Task | None = None) -> LockedRead | None:
        """What was locked in a phase of a task; of the one on the table by default."""
        task = task or self._task
        return None if task is None else self._progress.locked(task, phase)

    # What is entered

    @property
    def draft(self) -> Draft:
        """What is entered; what was locked last where nothing can be entered any more."""
        return self._draft

    @property
    def missing(self) -> str:
        """One sentence that says why `lock` is not possible yet; "" when it is."""
        if self._phase is None:
            return "This case is locked and only looked at." if self._task is not None else "There is no case on the table."
        former = self.locked("first")
        try:
            self._draft.opinion(former.opinion if former is not None else None)
        except OsteoScreenError as error:
            return str(error)
        if self.model_visible and not self._facts.decision:
            return "The model's answer has not been shown yet; wait for it, or skip this case with a reason."
        return ""

    @property
    def times(self) -> tuple[float, float]:
        """(active, idle) seconds of the phase being read."""
        return self._watch.times

    @property
    def unwritten(self) -> bool:
        """Entries are in memory only, because the disk takes none; closing now loses them."""
        return self._entries.unwritten


def _progress(study: ReviewStudy, store: ReaderStore, worklist: Worklist) -> Progress:
    """How far the reader is, here and on other machines whose stores lie in the study: nothing is read twice."""
    others = [path for path in stores_of(study.folder) if path.name.startswith(f"{store.reader}@") and path != store.file]
    view = merged(others)
    events = {event.id: event for event in (*view.events, *store.events()) if event.reader == store.reader}
    in_order = sorted(events.values(), key=lambda event: (event.at, event.machine, event.sequence))
    return Progress(study.protocol.mode, worklist.tasks, (*view.reads, *store.reads()), in_order)
