"""Whether acting on the answer does more good than harm: decision curves (Vickers and Elkin 2006, doi 10.1177/0272989X06295361)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

THRESHOLDS = np.arange(1, 100) / 100


@dataclass(frozen=True)
class DecisionCurve:
    """Net benefit against the probability of osteoporosis from which one would act, at the sample's own prevalence.

    thresholds : 0.01 to 0.99. model, low, high : true positives less weighted false positives, per image, with the middle 95 % of
    the draws of patients. everyone : of acting on all. Acting on none is worth 0.
    """

    thresholds: tuple[float, ...]
    model: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    everyone: tuple[float, ...]


class NetBenefit:
    """probability : of the condition (n,). positive : bool (n,)."""

    def __init__(self, probability: np.ndarray, positive: np.ndarray) -> None:
        acted = probability[None] >= THRESHOLDS[:, None]
        odds = (THRESHOLDS / (1 - THRESHOLDS))[:, None]
        worth = np.where(positive[None], 1.0, -odds)  # of acting on an image
        self._model, self._everyone = acted * worth, worth

    def of(self, counts: np.ndarray) -> np.ndarray:
        """(thresholds, draws). counts : float64 (n, draws), how often each image is there."""
        worth: np.ndarray = self._model @ counts / counts.sum(axis=0)
        return worth

    def curve(self, drawn: np.ndarray) -> DecisionCurve:
        """drawn : (thresholds, draws) of `of`."""
        low, high = np.percentile(drawn, [2.5, 97.5], axis=1)
        as_it_is = self._model.mean(axis=1), low, high, self._everyone.mean(axis=1)
        return DecisionCurve(tuple(map(float, THRESHOLDS)), *(tuple(map(float, row)) for row in as_it_is))
