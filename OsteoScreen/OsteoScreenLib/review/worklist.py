"""What one reader has to read, and in which order; how far that is says `progress`.

Nothing is stored: order, repeats and assignment follow from the study's seed, the pseudonyms and the reader's code by SHA-256, so
that they are the same on every machine and with every version of Python.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

import numpy as np

from OsteoScreenLib.errors import InputError
from OsteoScreenLib.review.nouns import Protocol, ReviewCase, Task, checked_code
from OsteoScreenLib.review.study import ReviewStudy

# "first": the first read is locked and the second is still to come. "skipped": put aside, and nothing of it is locked.
Status = Literal["unread", "first", "done", "skipped"]
STATUSES: tuple[Status, ...] = ("unread", "first", "done", "skipped")


@dataclass(frozen=True)
class Worklist:
    """A reader's tasks in the order in which they are read. reader : the code. cases : by pseudonym."""

    reader: str
    protocol: Protocol
    tasks: tuple[Task, ...]
    cases: Mapping[str, ReviewCase] = field(repr=False)

    def number(self, task: Task) -> int:
        """The task's place in the list, from 1. Raises `InputError` (no-task) when it is not this reader's."""
        try:
            return self._places[task] + 1
        except KeyError:
            raise InputError(f"{task.case} is not on the list of reader {self.reader}.", code="no-task") from None

    def label(self, task: Task) -> str:
        """What the reader sees of it: "Case 17". It tells nothing, not even that a case comes again."""
        return f"Case {self.number(task)}"

    def matching(
        self,
        statuses: Mapping[Task, Status] | None = None,
        *,
        search: str = "",
        status: Status | None = None,
        view: str = "",
    ) -> tuple[Task, ...]:
        """The tasks that a filter leaves, in the list's order.

        statuses : of `progress.Progress` or a session, wanted where `status` is given. search : in the label, and as a whole number the place itself.
        Pseudonyms are not searched, so that a search does not show which case comes again. view : "PA", "AP", ….
        """
        wanted = search.strip().lower()
        return tuple(
            task
            for task in self.tasks
            if (status is None or (statuses or {}).get(task, "unread") == status)
            and (not view or self.cases[task.case].view == view)
            and (not wanted or self._found(task, wanted))
        )

    def views(self) -> tuple[str, ...]:
        """The views that occur, for a filter."""
        return tuple(sorted({self.cases[task.case].view for task in self.tasks} - {""}))

    def _found(self, task: Task, wanted: str) -> bool:
        return str(self.number(task)) == wanted if wanted.isdigit() else wanted in self.label(task).lower()

    @cached_property
    def _places(self) -> Mapping[Task, int]:
        return {task: place for place, task in enumerate(self.tasks)}


def worklist(study: ReviewStudy, reader: str) -> Worklist:
    """The tasks of one reader.

    Raises `InputError`: (code) for what is no code, (reader) for someone whom the protocol does not name.
    """
    reader = checked_code(reader)
    protocol = study.protocol
    if protocol.readers and reader not in protocol.readers:
        raise InputError(
            f"Reader {reader} is not one of this study's; its readers are {', '.join(protocol.readers)}.", code="reader"
        )
    own = [case.id for case in study.cases]
    if protocol.each_case and protocol.each_case < len(protocol.readers):
        own = [case for case, readers in assignment(study.cases, protocol).items() if reader in readers]
    order = _shuffled(own, f"{protocol.seed}/order/{reader}")
    tasks = with_repeats(order, protocol.repeats, f"{protocol.seed}/repeats/{reader}")
    return Worklist(reader, protocol, tasks, {case.id: case for case in study.cases})


def assignment(cases: Sequence[ReviewCase], protocol: Protocol) -> dict[str, frozenset[str]]:
    """Which readers read which case: pseudonym → `each_case` codes.

    Loads differ by one case at most, in all and, since the cases are dealt class by class, nearly so in each class. Among equally
    loaded readers those come together that have had the fewest cases in common, so that every pair can be compared.
    """
    readers = _shuffled(protocol.readers, f"{protocol.seed}/readers")
    load, together = np.zeros(len(readers), np.int64), np.zeros((len(readers), len(readers)), np.int64)
    dealt = {}
    by_class = sorted(cases, key=lambda case: (case.truth or "", _rank(f"{protocol.seed}/deal", case.id)))
    for case in by_class:
        chosen: list[int] = []
        for _ in range(protocol.each_case):
            met = together[chosen].sum(axis=0) if chosen else together.sum(axis=0)
            cost = load * (together.max() * protocol.each_case * len(readers) + 1) + met
            cost[chosen] = np.iinfo(np.int64).max
            chosen.append(int(cost.argmin()))
        load[chosen] += 1
        together[np.ix_(chosen, chosen)] += 1
        together[chosen, chosen] = 0
        dealt[case.id] = frozenset(readers[place] for place in chosen)
    return {case.id: dealt[case.id] for case in cases}


def with_repeats(order: Sequence[str], share: float, seed: str) -> tuple[Task, ...]:
    """First readings in their order, and a share of the cases a second time.

    Repeats are drawn from the first half of the order and come at least half of the list later; where more than half of the cases
    are repeated, the rest follows at the end in the order of the first readings. A single case is never repeated.
    """
    count, half = len(order), len(order) // 2
    again = min(int(share * count + 0.5), count) if count > 1 else 0
    drawn = _shuffled(order[:half], seed)[: min(again, half)]
    before: dict[int, list[Task]] = {}  # place in the order → repeats that stand before it
    place_of = {case: place for place, case in enumerate(order)}
    for case in drawn:
        earliest = place_of[case] + half + 1
        place = earliest + _rank(f"{seed}/place", case) % (count + 1 - earliest)
        before.setdefault(place, []).append(Task(case, 1))
    tasks: list[Task] = []
    for place, case in enumerate(order):
        tasks += [*before.get(place, ()), Task(case)]
    return (*tasks, *before.get(count, ()), *(Task(case, 1) for case in order[half : half + max(again - half, 0)]))


def counts(statuses: Mapping[Task, Status]) -> dict[Status, int]:
    """How many tasks have each status."""
    found = Counter(statuses.values())
    return {status: found[status] for status in STATUSES}


def _shuffled(codes: Iterable[str], seed: str) -> list[str]:
    return sorted(codes, key=lambda code: (_rank(seed, code), code))


def _rank(seed: str, code: str) -> int:
    return int.from_bytes(hashlib.sha256(f"{seed}/{code}".encode()).digest()[:8], "big")
