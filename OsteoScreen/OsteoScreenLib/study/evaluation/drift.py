"""How a cohort differs from the one that the model was developed on: its people, its labels, its scores, its images.

Everything is compared by patient, so that the tests see independent values.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from OsteoScreenLib.classifier.prediction import CLASSES
from OsteoScreenLib.study.evaluation.delong import Difference, compare_independent, delong
from OsteoScreenLib.study.evaluation.patient_level import by_patient
from OsteoScreenLib.study.evaluation.predictions import Predictions
from OsteoScreenLib.study.evaluation.proportions import Proportion, proportion
from OsteoScreenLib.study.evaluation.questions import DECIDED, score_of, truth_of

SOME, LARGE = 0.1, 0.25  # of the population stability index, by its usual rule of thumb (Siddiqi 2006)
_BINS, _LEAST = 10, 10


@dataclass(frozen=True)
class Shift:
    """One number's distribution here against there, by patients.

    name : what; among : of whom. psi : population stability index over tenths of the development cohort, with half a patient added
    to each; below 0.1 little, above 0.25 a large change. psi_by_chance : what it stays below in 95 % of pairs of samples of this size
    where nothing changed (Yurdakul and Naranjo 2020, doi 10.21314/JRMV.2020.227). ks : the largest gap between the two distribution functions
    (Kolmogorov and Smirnov), 0 to 1, with its p. None of them where either has fewer than ten patients.
    """

    name: str
    among: str
    here: int
    there: int
    median_here: float | None
    median_there: float | None
    psi: float | None
    psi_by_chance: float | None
    ks: float | None
    p: float | None


@dataclass(frozen=True)
class Share:
    """How common something is, here and there, by patients. difference : here less there."""

    name: str
    here: Proportion
    there: Proportion
    difference: float


@dataclass(frozen=True)
class Drift:
    """This cohort against the development cohort.

    patients : here, there. shared_patients : identifiers that stand in both. labels : of each class. sexes : of each sex.
    ages, scores, distances : shifts. domain : shares of the input check's levels; there, they are given where they are known.
    auc : question → AUC here less there, on different patients.
    """

    patients: tuple[int, int]
    shared_patients: int
    labels: tuple[Share, ...]
    sexes: tuple[Share, ...]
    shifts: tuple[Shift, ...]
    domain: tuple[tuple[str, Proportion, Proportion | None], ...]
    auc: dict[str, Difference]


def drift_between(test: Predictions, development: Predictions) -> Drift:
    """From the predictions of the same model on both."""
    here, there = by_patient(test), by_patient(development)
    return Drift(
        (len(here), len(there)),
        len(np.intersect1d(here.patient, there.patient)),
        labels=tuple(
            share for place, name in enumerate(CLASSES) if (share := _share(name, here.label == place, there.label == place))
        ),
        sexes=_sexes(here, there),
        shifts=tuple(_shifts(here, there)),
        domain=_domain(here, there),
        auc={question: gap for question in DECIDED if (gap := _auc_gap(here, there, question)) is not None},
    )


def stability_index(here: np.ndarray, there: np.ndarray) -> float:
    """The population stability index of values (n,) against those of the development cohort (m,)."""
    edges = np.unique(np.quantile(there, np.linspace(0, 1, _BINS + 1)))[1:-1]

    def shares(values: np.ndarray) -> np.ndarray:
        counts = np.bincount(np.searchsorted(edges, values, side="right"), minlength=len(edges) + 1) + 0.5
        return counts / counts.sum()

    observed, expected = shares(here), shares(there)
    return float(((observed - expected) * np.log(observed / expected)).sum())


def meaning_of(shift: Shift) -> str:
    """The rule of thumb in a word, where the index is more than chance makes of samples of this size."""
    if shift.psi is None or shift.psi_by_chance is None:
        return "too few"
    if shift.psi <= shift.psi_by_chance:
        return "within chance"
    return "little change" if shift.psi < SOME else "some change" if shift.psi < LARGE else "large change"


def _shift(name: str, among: str, here: np.ndarray, there: np.ndarray) -> Shift | None:
    here, there = here[np.isfinite(here)], there[np.isfinite(there)]
    if not here.size or not there.size:
        return None
    middle = float(np.median(here)), float(np.median(there))
    if min(here.size, there.size) < _LEAST:
        return Shift(name, among, here.size, there.size, *middle, None, None, None, None)
    from scipy.stats import chi2, ks_2samp

    test = ks_2samp(here, there)
    by_chance = float(chi2.ppf(0.95, _BINS - 1)) * (1 / here.size + 1 / there.size)
    return Shift(
        name, among, here.size, there.size, *middle, stability_index(here, there), by_chance, float(test.statistic),
        float(test.pvalue),
    )  # fmt: skip


def _shifts(here: Predictions, there: Predictions) -> list[Shift]:
    asked = [("age", "all", here.age, there.age)]
    for question in DECIDED:
        asked.append((f"P({question})", "all", score_of(here, question), score_of(there, question)))
    # Within a class the scores do not move because the classes' shares did.
    asked += [
        ("P(osteoporosis)", name, here.osteoporosis[here.label == place], there.osteoporosis[there.label == place])
        for place, name in enumerate(CLASSES)
    ]
    asked.append(("distance from the training images", "all", here.domain_distance, there.domain_distance))
    return [shift for one in asked if (shift := _shift(*one)) is not None]


def _share(name: str, here: np.ndarray, there: np.ndarray) -> Share | None:
    first, second = proportion(int(here.sum()), len(here)), proportion(int(there.sum()), len(there))
    if first is None or second is None:
        return None
    return Share(name, first, second, first.wilson.value - second.wilson.value)


def _sexes(here: Predictions, there: Predictions) -> tuple[Share, ...]:
    named = [str(name) for name in np.union1d(here.sex, there.sex)]
    if named == [""]:
        return ()
    found = (_share(name or "unknown", here.sex == name, there.sex == name) for name in named)
    return tuple(one for one in found if one is not None)


def _domain(here: Predictions, there: Predictions) -> tuple[tuple[str, Proportion, Proportion | None], ...]:
    known_here, known_there = here.domain_level != "", there.domain_level != ""
    rows = []
    for level in ("in", "borderline", "out"):
        first = proportion(int((here.domain_level == level).sum()), int(known_here.sum()))
        if first is not None:
            rows.append((level, first, proportion(int((there.domain_level == level).sum()), int(known_there.sum()))))
    return tuple(rows)


def _auc_gap(here: Predictions, there: Predictions, question: str) -> Difference | None:
    areas = []
    for one in (here, there):
        truth = truth_of(one, question)
        if min(truth.sum(), (~truth).sum()) < 2:
            return None
        areas.append(delong(score_of(one, question), truth))
    return compare_independent(*areas)
