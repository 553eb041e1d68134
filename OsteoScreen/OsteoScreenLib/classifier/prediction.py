"""The noun `Prediction`: probabilities per class and the ordinal decision made from them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from OsteoScreenLib.classifier.domain import Domain

CLASSES = ("normal", "osteopenia", "osteoporosis")
# "low bone mass" is osteopenia or worse: the score of the lower of the two operating points.
TARGETS = (*CLASSES, "low bone mass")

# Which classes a target adds up.
_MEMBERS: dict[str, tuple[int, ...]] = {"normal": (0,), "osteopenia": (1,), "osteoporosis": (2,), "low bone mass": (1, 2)}
# Probabilities are kept this far from 0 and 1 when odds are taken, so that a saturated answer stays finite.
_ODDS_MARGIN = 1e-12


@dataclass(frozen=True)
class OperatingPoints:
    """The two thresholds of the ordinal decision, on probabilities.

    osteoporosis : on P(osteoporosis), against the rest. low_bone_mass : on P(osteopenia) + P(osteoporosis), against normal.
    """

    osteoporosis: float
    low_bone_mass: float


@dataclass(frozen=True)
class PointPerformance:
    """How good the class decision was at one operating point, as the bundle's makers measured it.

    point : "osteoporosis" (against the rest) or "low bone mass" (osteopenia or worse against normal). sensitivity, specificity : 0
    to 1. positives, negatives : images with and without it. measured_on : which images, in a few words.
    """

    point: str
    sensitivity: float
    specificity: float
    positives: int
    negatives: int
    measured_on: str


@dataclass(frozen=True)
class Prediction:
    """One radiograph's answer.

    probabilities : class → probability, in the order of `CLASSES`, adding up to 1.
    decision : the class at the bundle's operating points (ordinal, not the largest probability).
    expected_t_score : by the bundle's regression, beside the classes; None where the bundle has none, and for covered variants.
    domain : where the image lies among the training images; None where the bundle has no input check, and for covered variants.
    """

    probabilities: Mapping[str, float]
    decision: str
    operating_points: OperatingPoints
    domain: Domain | None = None
    expected_t_score: float | None = None

    @property
    def low_bone_mass(self) -> float:
        """P(osteopenia) + P(osteoporosis), the score of the lower operating point."""
        return self.probabilities["osteopenia"] + self.probabilities["osteoporosis"]


def decide(probabilities: np.ndarray, points: OperatingPoints) -> Prediction:
    """The ordinal decision for one image; `probabilities` is (3,) in the order of `CLASSES`.

    Osteoporosis when its probability reaches its operating point; else osteopenia when osteopenia or worse reaches the
    other; else normal.
    """
    values = [float(value) for value in probabilities]
    if values[2] >= points.osteoporosis:
        decision = "osteoporosis"
    elif values[1] + values[2] >= points.low_bone_mass:
        decision = "osteopenia"
    else:
        decision = "normal"
    return Prediction(dict(zip(CLASSES, values, strict=True)), decision, points)


def members_of(target: str) -> tuple[int, ...]:
    """The class indices that a target of `TARGETS` adds up."""
    if target not in _MEMBERS:
        raise ValueError(f"unknown target {target!r}; targets are {', '.join(TARGETS)}")
    return _MEMBERS[target]


def target_probability(probabilities: np.ndarray, target: str) -> np.ndarray:
    """The probability of a target, from (…, 3) class probabilities."""
    return np.asarray(probabilities)[..., list(members_of(target))].sum(axis=-1)


def log_odds(probability: float) -> float:
    """Natural logarithm of p / (1 - p)."""
    kept = min(max(probability, _ODDS_MARGIN), 1 - _ODDS_MARGIN)
    return math.log(kept) - math.log1p(-kept)
