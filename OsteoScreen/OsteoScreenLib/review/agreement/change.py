"""What seeing the model changes: second reads against first reads of the same reader and case."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from OsteoScreenLib.classifier.prediction import CLASSES
from OsteoScreenLib.review.agreement.estimate import Estimate, Share, mean, share
from OsteoScreenLib.review.agreement.readings import PLACE, Readings
from OsteoScreenLib.review.nouns import LockedRead

EVERYONE = "all readers"


@dataclass(frozen=True)
class Outcome:
    """First and second answers by whether they are right.

    helped : wrong, then right. harmed : right, then wrong. stayed_right, stayed_wrong : the rest, so that the four add up to the
    reads. net : (helped - harmed) / reads, with the interval by patients; None of no reads.
    """

    helped: int
    harmed: int
    stayed_right: int
    stayed_wrong: int
    net: Estimate | None

    @property
    def reads(self) -> int:
        """All of them."""
        return self.helped + self.harmed + self.stayed_right + self.stayed_wrong


@dataclass(frozen=True)
class Change:
    """Of one reader, or of `EVERYONE`.

    changed : share of the reads whose class, of three, differs. towards_model, away : of the changed ones, those that came to the
    model's class and those that left it. classes, target : outcomes where the reference is known, by the three classes and by the
    target against the rest. model_right, model_wrong : `classes`, apart by whether the model's class is the reference's.
    """

    who: str
    changed: Share
    towards_model: int
    away: int
    classes: Outcome
    target: Outcome
    model_right: Outcome
    model_wrong: Outcome


@dataclass(frozen=True)
class ChangedRead:
    """One read whose class changed. effect : "helped", "harmed", "still wrong", or "" without a reference. because : in own words."""

    case: str
    reader: str
    first: str
    second: str
    model: str
    truth: str
    effect: str
    because: str


@dataclass(frozen=True, eq=False)
class _Both:
    """Places in `CLASSES` of the reads that were done twice; -1 where not known. All (n,)."""

    patients: np.ndarray
    first: np.ndarray
    second: np.ndarray
    model: np.ndarray
    truth: np.ndarray

    def where(self, kept: np.ndarray) -> _Both:
        return _Both(self.patients[kept], self.first[kept], self.second[kept], self.model[kept], self.truth[kept])


def changes(readings: Readings) -> tuple[Change, ...]:
    """Of every reader with second reads, then of all together."""
    rows = [(reader, _both(readings, [reader])) for reader in readings.readers]
    held = [(who, both) for who, both in rows if len(both.first)]
    if held:
        held.append((EVERYONE, _both(readings, readings.readers)))
    return tuple(_change(readings, who, both) for who, both in held)


def changed_reads(readings: Readings) -> tuple[ChangedRead, ...]:
    """Every one, by reader and case."""
    found = []
    for _, (one, other) in _twice(readings, readings.readers):
        case, first, second = other.task.case, one.opinion.decision, other.opinion.decision
        if first == second:
            continue
        place = readings.truth.get(case)
        truth = "" if place is None else CLASSES[place]
        effect = "" if not truth else "helped" if second == truth else "harmed" if first == truth else "still wrong"
        because = other.opinion.changed_because
        found.append(ChangedRead(case, other.reader, first, second, other.model.decision, truth, effect, because))
    return tuple(found)


def _twice(readings: Readings, readers: Sequence[str]) -> list[tuple[str, tuple[LockedRead, LockedRead]]]:
    """Case → both reads, of the first time only."""
    found = []
    for reader in readers:
        first = readings.of(reader, "first")
        second = readings.of(reader, "second")
        found += [(case, (first[case], read)) for case, read in second.items() if case in first]
    return found


def _both(readings: Readings, readers: Sequence[str]) -> _Both:
    rows = _twice(readings, readers)
    return _Both(
        patients=readings.patients(case for case, _ in rows),
        first=np.array([PLACE[one.opinion.decision] for _, (one, _) in rows], int),
        second=np.array([PLACE[other.opinion.decision] for _, (_, other) in rows], int),
        model=np.array([PLACE.get(other.model.decision, -1) for _, (_, other) in rows], int),
        truth=np.array([readings.truth.get(case, -1) for case, _ in rows], int),
    )


def _change(readings: Readings, who: str, both: _Both) -> Change:
    different = both.first != both.second
    changed = share(different, both.patients)
    assert changed is not None  # the caller has reads
    known = both.where(both.truth >= 0)
    told = known.model >= 0
    first, second, truth = (readings.positive(places) for places in (known.first, known.second, known.truth))
    return Change(
        who=who,
        changed=changed,
        towards_model=int((different & (both.second == both.model)).sum()),
        away=int((different & (both.first == both.model)).sum()),
        classes=_outcome(known),
        target=_outcome_of(first, second, truth, known.patients),
        model_right=_outcome(known.where(told & (known.model == known.truth))),
        model_wrong=_outcome(known.where(told & (known.model != known.truth))),
    )


def _outcome(both: _Both) -> Outcome:
    return _outcome_of(both.first, both.second, both.truth, both.patients)


def _outcome_of(first: np.ndarray, second: np.ndarray, truth: np.ndarray, patients: np.ndarray) -> Outcome:
    before, after = first == truth, second == truth
    return Outcome(
        helped=int((~before & after).sum()),
        harmed=int((before & ~after).sum()),
        stayed_right=int((before & after).sum()),
        stayed_wrong=int((~before & ~after).sum()),
        net=mean(after.astype(float) - before.astype(float), patients),
    )
