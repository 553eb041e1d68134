"""What age and sex alone tell, by logistic regression, and whether the model tells more (DeLong's paired test, by patients)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from OsteoScreenLib.study.cohort import CohortRow
from OsteoScreenLib.study.evaluation.delong import Difference, compare, delong
from OsteoScreenLib.study.evaluation.discrimination import Auc, RocCurve, auc_of, roc_points
from OsteoScreenLib.study.evaluation.predictions import Predictions
from OsteoScreenLib.study.evaluation.questions import DECIDED, score_of, truth_of

OLDEST = 120.0  # years; ages that no one has are taken as unknown
LEAST = 5  # of positives and of negatives with a known age, to fit on


@dataclass(frozen=True, eq=False)
class People:
    """Whom the baseline is fitted on: arrays (n,) as in `Predictions`."""

    label: np.ndarray
    age: np.ndarray
    sex: np.ndarray

    @classmethod
    def of(cls, predictions: Predictions) -> People:
        """The people of a split."""
        return cls(predictions.label, predictions.age, predictions.sex)

    @classmethod
    def of_rows(cls, rows: Sequence[CohortRow]) -> People:
        """The people of a table's rows."""
        return cls(
            np.array([row.label for row in rows], int),
            np.array([np.nan if row.age is None else row.age for row in rows], float),
            np.array([row.sex or "" for row in rows], str),
        )


@dataclass(frozen=True)
class Baseline:
    """One question, on the test images whose age is known.

    fitted_on : images, in words. uses : "age and sex" or "age" (where all have one sex, or none is known). images : of the test.
    age_and_sex, model : both on the same images. difference : model less baseline, clustered by patients.
    independent : the same test with every image for itself, as DeLong has it.
    """

    question: str
    fitted_on: str
    uses: str
    images: int
    age_and_sex: Auc
    model: Auc
    difference: Difference
    independent: Difference
    roc: RocCurve


def baselines(people: People, fitted_on: str, test: Predictions) -> tuple[tuple[Baseline, ...], tuple[str, ...]]:
    """For both questions, those that can be asked; and one sentence for each that cannot."""
    known = test_ages = np.isfinite(_ages(test.age))
    if not test_ages.any():
        return (), ("No age-and-sex baseline: no test image has an age.",)
    part = test.take(known)
    found, missing = [], []
    for question in DECIDED:
        truth = truth_of(part, question)
        if truth.all() or not truth.any():
            missing.append(f"No age-and-sex baseline for {question}: the test images with an age are all of one kind.")
            continue
        risk = _fitted(people, question)
        if risk is None:
            missing.append(
                f"No age-and-sex baseline for {question}: fewer than {LEAST} positives or negatives with an age in {fitted_on}."
            )
            continue
        found.append(_measured(part, question, truth, *risk, fitted_on))
    return tuple(found), tuple(missing)


def _measured(
    part: Predictions,
    question: str,
    truth: np.ndarray,
    risk: Callable[[np.ndarray, np.ndarray], np.ndarray],
    uses: str,
    fitted_on: str,
) -> Baseline:
    scores = np.stack([score_of(part, question), risk(part.age, part.sex)])
    areas = [auc_of(row, truth, part.patient, question) for row in scores]
    assert areas[0] is not None and areas[1] is not None
    return Baseline(
        question=question,
        fitted_on=fitted_on,
        uses=uses,
        images=len(part),
        age_and_sex=areas[1],
        model=areas[0],
        difference=compare(delong(scores, truth, part.patient)),
        independent=compare(delong(scores, truth)),
        roc=roc_points(scores[1], truth, question),
    )


def _fitted(people: People, question: str) -> tuple[Callable[[np.ndarray, np.ndarray], np.ndarray], str] | None:
    """The log-odds that age and sex give, and what they use; None where there is too little to fit on."""
    from sklearn.linear_model import LogisticRegression

    from OsteoScreenLib.classifier.prediction import members_of

    age = _ages(people.age)
    known = np.isfinite(age)
    positive = np.isin(people.label, members_of(question))[known]
    if min(positive.sum(), (~positive).sum()) < LEAST:
        return None
    middle, spread = float(age[known].mean()), float(age[known].std()) or 1.0
    levels = [str(name) for name in np.unique(people.sex[known])]
    told_apart = levels[1:] if len(levels) > 1 else []

    def design(ages: np.ndarray, sexes: np.ndarray) -> np.ndarray:
        return np.column_stack([(ages - middle) / spread, *((sexes == name).astype(np.float64) for name in told_apart)])

    fit = LogisticRegression(C=np.inf, max_iter=1000).fit(design(age[known], people.sex[known]), positive)
    return lambda ages, sexes: fit.decision_function(design(ages, sexes)), "age and sex" if told_apart else "age"


def _ages(age: np.ndarray) -> np.ndarray:
    """Years, NaN where unknown or impossible."""
    with np.errstate(invalid="ignore"):
        return np.where((age > 0) & (age <= OLDEST), age, np.nan)
