"""How well the probabilities put the classes in order: areas under ROC curves, and the curves."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from OsteoScreenLib.study.classifier_figures import Interval
from OsteoScreenLib.study.evaluation.delong import delong
from OsteoScreenLib.study.evaluation.predictions import Predictions
from OsteoScreenLib.study.evaluation.questions import ONE_VS_REST, QUESTIONS, score_of, truth_of

MACRO = "macro"
_MOST_POINTS = 400  # of a curve that is kept


@dataclass(frozen=True)
class Auc:
    """An area under the ROC curve with three 95 % intervals.

    question : what is told from what; `MACRO` is the mean of the three classes against the rest. positives, negatives : images (or
    patients), None for the mean. delong : takes each as independent. clustered : DeLong's by patients (Obuchowski 1997); both on the
    logit scale. bootstrap : patients drawn. None where an interval was not made: DeLong's for `MACRO`; where a single positive or
    negative leaves no variance; and at an area of 0 or 1, where neither way shows how uncertain it is.
    """

    question: str
    value: float
    positives: int | None
    negatives: int | None
    delong: Interval | None = None
    clustered: Interval | None = None
    bootstrap: Interval | None = None


@dataclass(frozen=True)
class RocCurve:
    """From (0, 0) to (1, 1). false_positive_rate, true_positive_rate : as many points."""

    question: str
    false_positive_rate: tuple[float, ...]
    true_positive_rate: tuple[float, ...]


def auc_of(
    scores: np.ndarray, positive: np.ndarray, patients: np.ndarray, question: str, bootstrap: Interval | None = None
) -> Auc | None:
    """None where positives or negatives are missing."""
    positives, negatives = int(positive.sum()), int((~positive).sum())
    if not positives or not negatives:
        return None
    plain, clustered = delong(scores, positive), delong(scores, positive, patients)
    area = float(plain.area[0])
    if area in (0.0, 1.0):
        return Auc(question, area, positives, negatives)
    made = [one.interval() if np.isfinite(one.covariance).all() else None for one in (plain, clustered)]
    return Auc(question, area, positives, negatives, made[0], made[1], bootstrap)


def roc_curves(predictions: Predictions) -> tuple[RocCurve, ...]:
    """Of every question that has both answers."""
    held = ((question, truth_of(predictions, question)) for question in QUESTIONS)
    return tuple(
        roc_points(score_of(predictions, question), positive, question)
        for question, positive in held
        if positive.any() and not positive.all()
    )


def roc_points(scores: np.ndarray, positive: np.ndarray, question: str) -> RocCurve:
    """The corners of the curve, thinned to a few hundred where there are more."""
    from sklearn.metrics import roc_curve

    false_rate, true_rate, _ = roc_curve(positive, scores)
    if len(false_rate) > _MOST_POINTS:
        kept = np.unique(np.linspace(0, len(false_rate) - 1, _MOST_POINTS).round().astype(int))
        false_rate, true_rate = false_rate[kept], true_rate[kept]
    return RocCurve(question, tuple(map(float, false_rate)), tuple(map(float, true_rate)))


def macro_of(drawn: dict[str, np.ndarray]) -> np.ndarray:
    """The unweighted mean of the three classes against the rest, draw by draw; NaN where one is not defined."""
    return np.mean([drawn[question] for question in ONE_VS_REST], axis=0)
