"""How far one reader is with his tasks, from what his store holds."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from OsteoScreenLib.review.nouns import Event, LockedRead, Phase, ReadingMode, Task
from OsteoScreenLib.review.worklist import Status

PHASES: dict[ReadingMode, tuple[Phase, ...]] = {"blind": ("first", "second"), "open": ("first",), "alone": ("first",)}


@dataclass(frozen=True)
class Tally:
    """How far a reader is. done : read to the end. skipped : passed over, and not read since. total : of his list."""

    done: int
    skipped: int
    total: int


class Progress:
    """Which tasks are skipped and locked, and which was opened last.

    mode : of the protocol; says how many phases a task has. tasks : the reader's, in his order.
    reads, events : what his store holds, in the order in which it was written.
    """

    def __init__(
        self, mode: ReadingMode, tasks: Sequence[Task], reads: Iterable[LockedRead] = (), events: Iterable[Event] = ()
    ) -> None:
        self.phases = PHASES[mode]
        self.tasks = tuple(tasks)
        self.places = {task: place for place, task in enumerate(self.tasks)}
        self.last: Task | None = None  # opened last
        self._reads = {(read.task, read.phase): read for read in reads}
        self._skipped: set[Task] = set()
        self._finished = {task for task in self.tasks if self.phase(task) is None}
        for event in events:
            if event.task is not None:
                self._take(event.kind, event.task)

    def phase(self, task: Task) -> Phase | None:
        """What is to be read of a task next; None when it is finished."""
        return next((phase for phase in self.phases if (task, phase) not in self._reads), None)

    def locked(self, task: Task, phase: Phase) -> LockedRead | None:
        """What was locked."""
        return self._reads.get((task, phase))

    def status(self, task: Task) -> Status:
        """How far a task is. One whose second phase was skipped is "first", and not open."""
        if task in self._finished:
            return "done"
        if (task, "first") in self._reads:
            return "first"
        return "skipped" if task in self._skipped else "unread"

    def is_open(self, task: Task) -> bool:
        """It is neither finished nor skipped."""
        return task not in self._finished and task not in self._skipped

    @property
    def tally(self) -> Tally:
        """How far the reader is."""
        skipped = sum(task in self.places and task not in self._finished for task in self._skipped)
        return Tally(len(self._finished), skipped, len(self.tasks))

    def open_after(self, task: Task | None, among: Sequence[Task]) -> Task | None:
        """The next open task in the reader's order after `task`, from the beginning again after the last. among : in his order."""
        here = -1 if task is None else self.places.get(task, -1)
        first: Task | None = None
        for one in among:
            if one != task and self.is_open(one):
                if self.places[one] > here:
                    return one
                first = first or one
        return first

    def opened(self, task: Task) -> None:
        """It was put on the table."""
        self._take("opened", task)

    def skipped(self, task: Task) -> None:
        """It was passed over."""
        self._take("skipped", task)

    def take(self, read: LockedRead) -> None:
        """It was locked in one phase."""
        self._reads.setdefault((read.task, read.phase), read)
        self._take("locked", read.task)

    def _take(self, kind: str, task: Task) -> None:
        if kind == "opened":
            self.last = task
        elif kind == "skipped":
            self._skipped.add(task)
        elif kind == "locked":
            self._skipped.discard(task)
            if task in self.places and self.phase(task) is None:
                self._finished.add(task)
