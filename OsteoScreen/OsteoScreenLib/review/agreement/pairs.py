"""Two sides that each named a class for the same images: two readers, a reader twice, a reader and the model or the reference."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from OsteoScreenLib.classifier.prediction import CLASSES
from OsteoScreenLib.review.agreement.estimate import Estimate, Share, share
from OsteoScreenLib.review.agreement.kappa import Fleiss, cohen_kappa, fleiss_kappa
from OsteoScreenLib.review.agreement.readings import PLACE, Readings
from OsteoScreenLib.review.nouns import Phase

# No reader's code holds a blank.
MODEL, REFERENCE = "the model", "the reference"


@dataclass(frozen=True)
class Pair:
    """How two sides agree.

    one, other : readers' codes, `MODEL` or `REFERENCE`; the same code twice for a reader's repeats. aided : "aided" or "unaided" of
    the phase, "" where no reader is among them. images, patients : that both judged. table : 3 × 3 counts in the order of
    `CLASSES`, rows of `one`. same : share of images with the same class. plain, linear, quadratic : Cohen's kappa by weights, None
    where it is not defined (both always name one class).
    """

    one: str
    other: str
    phase: Phase | None
    aided: str
    images: int
    patients: int
    table: tuple[tuple[int, ...], ...]
    same: Share
    plain: Estimate | None
    linear: Estimate | None
    quadratic: Estimate | None


def between_readers(readings: Readings) -> tuple[Pair, ...]:
    """Every two readers in every phase, where they read a common case."""
    return _some(
        pair_of(readings, (one, readings.decisions(one, phase)), (other, readings.decisions(other, phase)), phase)
        for phase in readings.phases
        for one, other in combinations(readings.readers, 2)
    )


def all_readers(readings: Readings) -> tuple[Fleiss, ...]:
    """Fleiss' kappa of each phase over the cases that two readers or more read."""
    found = []
    for phase in readings.phases:
        counts: dict[str, np.ndarray] = {}
        members: set[str] = set()
        for reader in readings.readers:
            for case, place in readings.decisions(reader, phase).items():
                counts.setdefault(case, np.zeros(len(CLASSES), int))[place] += 1
                members.add(reader)
        shared = sorted(case for case, row in counts.items() if row.sum() >= 2)
        if shared:
            kappa = fleiss_kappa(np.stack([counts[case] for case in shared]), readings.patients(shared))
            found.append(Fleiss(phase, readings.aided(phase), kappa, len(shared), len(members)))
    return tuple(found)


def within_readers(readings: Readings) -> tuple[Pair, ...]:
    """Every reader's first time against the planned repeats, in every phase."""
    repeats = sorted({read.task.repeat for read in readings.reads} - {0})
    found = []
    for phase in readings.phases:
        for reader in readings.readers:
            first = readings.decisions(reader, phase)
            later = [
                (case, place) for k in repeats for case, place in readings.decisions(reader, phase, k).items() if case in first
            ]
            cases = [case for case, _ in later]
            found.append(
                _pair(
                    readings, (reader, [first[case] for case in cases]), (reader, [place for _, place in later]), cases, phase
                )
            )
    return _some(found)


def with_model(readings: Readings) -> tuple[Pair, ...]:
    """Every reader in every phase against what the model says of the same case."""
    model = model_decisions(readings)
    return _some(
        pair_of(readings, (reader, readings.decisions(reader, phase)), (MODEL, model), phase)
        for phase in readings.phases
        for reader in readings.readers
    )


def with_reference(readings: Readings) -> tuple[Pair, ...]:
    """Every reader in every phase, then the model, against the reference."""
    reference = (REFERENCE, readings.truth)
    readers = [
        pair_of(readings, (reader, readings.decisions(reader, phase)), reference, phase)
        for phase in readings.phases
        for reader in readings.readers
    ]
    return _some([*readers, pair_of(readings, (MODEL, model_decisions(readings)), reference, None)])


def model_decisions(readings: Readings) -> dict[str, int]:
    """Case → place of the model's class in `CLASSES`."""
    return {case: PLACE[facts.decision] for case, facts in sorted(readings.model.items())}


def pair_of(
    readings: Readings, one: tuple[str, Mapping[str, int]], other: tuple[str, Mapping[str, int]], phase: Phase | None
) -> Pair | None:
    """Two named sides, each case → place, over the cases that both have; None where there is none."""
    cases = sorted(one[1].keys() & other[1].keys())
    return _pair(
        readings, (one[0], [one[1][case] for case in cases]), (other[0], [other[1][case] for case in cases]), cases, phase
    )


def _pair(
    readings: Readings, one: tuple[str, list[int]], other: tuple[str, list[int]], cases: list[str], phase: Phase | None
) -> Pair | None:
    first, second, patients = np.array(one[1], int), np.array(other[1], int), readings.patients(cases)
    same = share(first == second, patients)
    if same is None:
        return None
    k = len(CLASSES)
    table = np.bincount(first * k + second, minlength=k * k).reshape(k, k)
    return Pair(
        one=one[0],
        other=other[0],
        phase=phase,
        aided=readings.aided(phase) if phase else "",
        images=len(cases),
        patients=len(np.unique(patients)),
        table=tuple(tuple(map(int, row)) for row in table),
        same=same,
        plain=cohen_kappa(first, second, patients, "none"),
        linear=cohen_kappa(first, second, patients, "linear"),
        quadratic=cohen_kappa(first, second, patients, "quadratic"),
    )


def _some(pairs: Iterable[Pair | None]) -> tuple[Pair, ...]:
    return tuple(pair for pair in pairs if pair is not None)
