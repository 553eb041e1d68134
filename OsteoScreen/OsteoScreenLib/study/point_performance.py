"""How good a classifier's decision is at its two operating points, as a bundle's manifest says it."""

from __future__ import annotations

from typing import Any

import numpy as np

from OsteoScreenLib.classifier.prediction import OperatingPoints

_POINTS = {"osteoporosis": 2, "low_bone_mass": 1}  # the lowest class that is a positive


def confusion_at(probabilities: np.ndarray, labels: np.ndarray, points: OperatingPoints) -> np.ndarray:
    """Rows true class, columns decided class, int (3, 3), from probabilities (n, 3) and labels (n,) in 0..2; see `decide`."""
    low = probabilities[:, 1:].sum(axis=1)
    decided = np.where(probabilities[:, 2] >= points.osteoporosis, 2, np.where(low >= points.low_bone_mass, 1, 0))
    confusion = np.zeros((3, 3), int)
    np.add.at(confusion, (labels, decided), 1)
    return confusion


def performance_of(confusion: np.ndarray, measured_on: str) -> dict[str, Any]:
    """The manifest's section "performance" from a confusion matrix (rows true class, columns decided class).

    measured_on : which images, in a few words. A point without positives or without negatives is left out; {} when both are.
    """
    found: dict[str, Any] = {}
    for name, lowest in _POINTS.items():
        positives, negatives = int(confusion[lowest:].sum()), int(confusion[:lowest].sum())
        if positives and negatives:
            found[name] = {
                "sensitivity": int(confusion[lowest:, lowest:].sum()) / positives,
                "specificity": int(confusion[:lowest, :lowest].sum()) / negatives,
                "positives": positives,
                "negatives": negatives,
            }
    return {"measured_on": measured_on, **found} if found else {}
