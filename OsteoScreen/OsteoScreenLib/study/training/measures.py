"""Figures of the validation images that training itself needs: the AUC, the temperature, the operating points."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from OsteoScreenLib.classifier.prediction import OperatingPoints
from OsteoScreenLib.study.classifier_figures import best_temperature, softmax
from OsteoScreenLib.study.evaluation.operating_points import sensitivity_threshold, youden_threshold

_MARGIN = 1e-6  # thresholds are kept this far from 0 and 1


def osteoporosis_auc(logits: np.ndarray, labels: np.ndarray) -> float:
    """AUC of P(osteoporosis) against the rest, from logits (n, 3) and classes (n,), at the temperature that suits them best.

    With three classes the temperature has a say in the ranking, and the bundle answers at that one.
    """
    from sklearn.metrics import roc_auc_score

    return float(roc_auc_score(labels == 2, softmax(logits, best_temperature(logits, labels))[:, 2]))


@dataclass(frozen=True)
class Calibration:
    """What validation fixes. temperature : divides the logits. points : the two thresholds."""

    temperature: float
    points: OperatingPoints


def calibrated(logits: np.ndarray, labels: np.ndarray, sensitivity: float | None) -> Calibration:
    """Temperature (Guo et al. 2017) and operating points from validation logits (n, 3) and classes (n,).

    sensitivity : of both points; None takes Youden's index.
    """
    temperature = best_temperature(logits, labels)
    probabilities = softmax(logits, temperature)
    threshold: Callable[[np.ndarray, np.ndarray], float] = youden_threshold
    if sensitivity is not None:
        wanted = sensitivity

        def threshold(scores: np.ndarray, positive: np.ndarray) -> float:
            return sensitivity_threshold(scores, positive, wanted)

    worst = threshold(probabilities[:, 2], labels == 2)
    low = threshold(probabilities[:, 1:].sum(axis=1), labels >= 1)
    points = OperatingPoints(*(float(np.clip(value, _MARGIN, 1 - _MARGIN)) for value in (worst, low)))
    return Calibration(temperature, points)
