"""The three classes decided in order from two operating points, against the true ones: agreement and the confusion."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from OsteoScreenLib.classifier.prediction import CLASSES
from OsteoScreenLib.study.classifier_figures import Interval
from OsteoScreenLib.study.evaluation.predictions import Predictions
from OsteoScreenLib.study.evaluation.proportions import Proportion, proportion
from OsteoScreenLib.study.evaluation.questions import LOW_BONE_MASS, OSTEOPOROSIS

_K = len(CLASSES)


@dataclass(frozen=True)
class Ordinal:
    """The decided classes.

    points : the name of the operating points. confusion : rows true class, columns decided class. accuracy : of all.
    kappa : quadratic-weighted (Cohen 1968), with its interval from drawing patients.
    """

    points: str
    thresholds: dict[str, float]
    confusion: tuple[tuple[int, ...], ...]
    accuracy: Proportion | None
    kappa: Interval | None


def decided_classes(predictions: Predictions, thresholds: Mapping[str, float]) -> np.ndarray:
    """int (n,): osteoporosis from its threshold on, else osteopenia from that of low bone mass on, else normal."""
    worst, low = predictions.osteoporosis >= thresholds[OSTEOPOROSIS], predictions.low_bone_mass >= thresholds[LOW_BONE_MASS]
    decided: np.ndarray = np.where(worst, 2, np.where(low, 1, 0))
    return decided


def cells(truth: np.ndarray, decided: np.ndarray) -> np.ndarray:
    """Which of the 3 x 3 cells each image is in, float64 (9, n); its product with counts (n, draws) is a confusion a draw."""
    return (np.arange(_K * _K)[:, None] == truth * _K + decided).astype(np.float64)


def quadratic_kappa(confusion: np.ndarray) -> np.ndarray:
    """From confusions (9, draws), rows true and columns decided class flattened; (draws,), NaN where it is not defined."""
    table = confusion.reshape(_K, _K, -1)
    weights = ((np.arange(_K)[:, None] - np.arange(_K)) ** 2)[..., None]
    expected = table.sum(axis=1)[:, None] * table.sum(axis=0)[None] / table.sum(axis=(0, 1))
    observed, by_chance = (weights * table).sum(axis=(0, 1)), (weights * expected).sum(axis=(0, 1))
    kappa: np.ndarray = 1 - np.divide(observed, by_chance, out=np.full(len(observed), np.nan), where=by_chance > 0)
    return kappa


def ordinal_figures(
    predictions: Predictions,
    name: str,
    thresholds: Mapping[str, float],
    accuracy: Interval | None,
    kappa: Interval | None,
) -> Ordinal:
    """accuracy, kappa : their drawn intervals."""
    decided = decided_classes(predictions, thresholds)
    table = cells(predictions.label, decided).sum(axis=1).astype(int).reshape(_K, _K)
    right = int(np.trace(table))
    rows = tuple(tuple(int(value) for value in row) for row in table)
    return Ordinal(name, dict(thresholds), rows, proportion(right, len(predictions), accuracy), kappa)
