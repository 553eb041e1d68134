"""What the answers are worth at an operating point: counts, proportions of the right denominators, predictive values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from OsteoScreenLib.study.classifier_figures import Interval
from OsteoScreenLib.study.evaluation.operating_points import OperatingPoint
from OsteoScreenLib.study.evaluation.predictions import Predictions
from OsteoScreenLib.study.evaluation.proportions import PredictiveValues, Proportion, predictive_values, proportion
from OsteoScreenLib.study.evaluation.questions import score_of, truth_of

MEASURES = ("sensitivity", "specificity", "accuracy", "ppv", "npv")


@dataclass(frozen=True)
class Decisions:
    """Counted at one operating point.

    sensitivity : of the positives. specificity : of the negatives. accuracy : of all. ppv, npv : of the positive and negative
    answers, at the sample's own share of positives. at_prevalence : the same at a chosen one. None where there is nothing to count.
    """

    point: OperatingPoint
    true_positives: int
    false_negatives: int
    true_negatives: int
    false_positives: int
    sensitivity: Proportion | None
    specificity: Proportion | None
    accuracy: Proportion | None
    ppv: Proportion | None
    npv: Proportion | None
    at_prevalence: PredictiveValues | None


def answered(predictions: Predictions, point: OperatingPoint) -> np.ndarray:
    """Whether the answer is yes, bool (n,)."""
    yes: np.ndarray = score_of(predictions, point.question) >= point.threshold
    return yes


def hits(predictions: Predictions, point: OperatingPoint) -> np.ndarray:
    """What `MEASURES` are means of, float64 (5, n): 1 right, 0 wrong, NaN where an image does not count for the measure."""
    truth, yes = truth_of(predictions, point.question), answered(predictions, point)
    right = (truth == yes).astype(np.float64)
    among = (truth, ~truth, np.ones(len(truth), bool), yes, ~yes)
    return np.stack([np.where(counted, right, np.nan) for counted in among])


def decisions_at(
    predictions: Predictions, point: OperatingPoint, prevalence: float | None, drawn: Mapping[str, Interval | None]
) -> Decisions:
    """Counts and proportions. prevalence : for predictive values elsewhere. drawn : a name of `MEASURES` → its drawn interval."""
    truth, yes = truth_of(predictions, point.question), answered(predictions, point)
    tp, fn = int((truth & yes).sum()), int((truth & ~yes).sum())
    tn, fp = int((~truth & ~yes).sum()), int((~truth & yes).sum())
    both = tp + fn and tn + fp
    return Decisions(
        point, tp, fn, tn, fp,
        sensitivity=proportion(tp, tp + fn, drawn.get("sensitivity")),
        specificity=proportion(tn, tn + fp, drawn.get("specificity")),
        accuracy=proportion(tp + tn, len(truth), drawn.get("accuracy")),
        ppv=proportion(tp, tp + fp, drawn.get("ppv")),
        npv=proportion(tn, tn + fn, drawn.get("npv")),
        at_prevalence=predictive_values(tp, tp + fn, tn, tn + fp, prevalence) if prevalence and both else None,
    )  # fmt: skip
