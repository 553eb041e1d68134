"""Thresholds that are fixed on validation images, before a test image is looked at."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from OsteoScreenLib.classifier.prediction import OperatingPoints
from OsteoScreenLib.errors import InputError
from OsteoScreenLib.study.evaluation.predictions import Predictions
from OsteoScreenLib.study.evaluation.questions import DECIDED, LOW_BONE_MASS, OSTEOPOROSIS, score_of, truth_of

YOUDEN, BUNDLE = "Youden", "model's own"


@dataclass(frozen=True)
class OperatingPoint:
    """A threshold: what is asked is answered with yes from `threshold` on.

    question : one of `DECIDED`. name : `YOUDEN`, "sensitivity 0.90" or `BUNDLE`. fixed_on : where it comes from, in words.
    """

    question: str
    name: str
    threshold: float
    fixed_on: str


def youden_threshold(scores: np.ndarray, positive: np.ndarray) -> float:
    """The threshold with the largest sensitivity + specificity - 1 (Youden 1950), midway to the next score below it."""
    false_rate, true_rate, thresholds = _roc(scores, positive)
    return _midway(thresholds, int(np.argmax(true_rate - false_rate)))


def sensitivity_threshold(scores: np.ndarray, positive: np.ndarray, sensitivity: float) -> float:
    """The highest threshold that finds at least this share of the positives, midway to the next score below it."""
    _, true_rate, thresholds = _roc(scores, positive)
    return _midway(thresholds, int(np.argmax(true_rate >= sensitivity - 1e-12)))


def fixed_on_validation(validation: Predictions, sensitivity: float, what: str) -> tuple[OperatingPoint, ...]:
    """Youden's point and that of a chosen sensitivity, for both questions.

    what : how the report calls the validation images.
    Raises `InputError`: sensitivity; validation-class when the validation images lack positives or negatives.
    """
    if not 0 < sensitivity <= 1:
        raise InputError(f"A sensitivity of {sensitivity:g} cannot be had; give one above 0 and at most 1.", code="sensitivity")
    points = []
    for question in DECIDED:
        scores, positive = score_of(validation, question), truth_of(validation, question)
        if not 0 < positive.sum() < len(positive):
            there = "nothing but" if positive.any() else "no"
            raise InputError(
                f"There is {there} {question} among the validation images, so no operating point can be fixed on them; add images "
                "of the class that is missing.",
                code="validation-class",
            )
        points += [
            OperatingPoint(question, YOUDEN, youden_threshold(scores, positive), what),
            OperatingPoint(
                question, f"sensitivity {sensitivity:.2f}", sensitivity_threshold(scores, positive, sensitivity), what
            ),
        ]
    return tuple(points)


def of_bundle(points: OperatingPoints) -> tuple[OperatingPoint, ...]:
    """The two points that a model brings."""
    held = ((OSTEOPOROSIS, points.osteoporosis), (LOW_BONE_MASS, points.low_bone_mass))
    return tuple(OperatingPoint(question, BUNDLE, threshold, "from the model's manifest") for question, threshold in held)


def _roc(scores: np.ndarray, positive: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """False and true positive rates at each score as threshold, from the highest score down."""
    from sklearn.metrics import roc_curve

    false_rate, true_rate, thresholds = roc_curve(positive, scores, drop_intermediate=False)
    return false_rate[1:], true_rate[1:], thresholds[1:]


def _midway(thresholds: np.ndarray, place: int) -> float:
    below = thresholds[place + 1] if place + 1 < len(thresholds) else thresholds[place]
    middle = float(thresholds[place] + below) / 2
    # Neighbouring floats have no number between them, and rounding must not let the lower one in.
    return middle if below < middle else float(thresholds[place])
