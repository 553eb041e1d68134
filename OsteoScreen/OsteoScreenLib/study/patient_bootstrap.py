"""Means and AUCs over many images with intervals from drawing whole patients, all measures from the same draws.

Images of one patient are alike, so patients, not images, are drawn with replacement (a cluster bootstrap: Field and Welsh 2007,
doi 10.1111/j.1467-9868.2007.00593.x); a draw is the number of times that each patient is in it, so that every measure of a draw
sees the same images (paired) and none has to be copied. Intervals are percentiles (Efron and Tibshirani 1993).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from OsteoScreenLib.study.classifier_figures import Interval

_AT_ONCE = 250  # draws computed together: bounds the memory, and is part of what a seed means


def patient_draws(patients: Sequence[str], draws: int, seed: int) -> Iterator[np.ndarray]:
    """How often each image is in each draw, float64 (images, up to 250 draws) at a time.

    patients : of each image. The same patients in the same order, draws and seed give the same numbers.
    """
    names = {name: place for place, name in enumerate(dict.fromkeys(patients))}
    of_image = np.array([names[name] for name in patients])
    rng = np.random.default_rng(seed)
    even = np.full(len(names), 1 / len(names))
    for start in range(0, draws, _AT_ONCE):
        counts = rng.multinomial(len(names), even, size=min(_AT_ONCE, draws - start))
        yield np.ascontiguousarray(counts.T[of_image], np.float64)


class RankedScores:
    """One score an image, ranked once, whose AUC is asked for again and again with other numbers of each image.

    scores : float (images,). positive : bool (images,).
    """

    def __init__(self, scores: np.ndarray, positive: np.ndarray) -> None:
        self._positive = np.flatnonzero(positive)
        negative = np.flatnonzero(~positive)
        self._negative = negative[np.argsort(scores[negative], kind="stable")]
        ranked, wanted = scores[self._negative], scores[self._positive]
        self._below = np.searchsorted(ranked, wanted, "left")
        self._not_above = np.searchsorted(ranked, wanted, "right")

    def auc(self, counts: np.ndarray) -> np.ndarray:
        """The share of (positive, negative) pairs in the right order, ties counting half (Mann and Whitney 1947).

        counts : float64 (images, draws), how often each image is there. Returns (draws,), NaN where a class is not there.
        """
        negative = np.zeros((len(self._negative) + 1, counts.shape[1]))
        np.cumsum(counts[self._negative], axis=0, out=negative[1:])
        positive = counts[self._positive]
        right = (positive * (negative[self._below] + negative[self._not_above])).sum(axis=0) / 2
        pairs = positive.sum(axis=0) * negative[-1]
        return np.divide(right, pairs, out=np.full(len(right), np.nan), where=pairs > 0)


class MeanOfDefined:
    """The mean over images of many measures, each over the images where it is defined. values : (measures, images), NaN: not."""

    def __init__(self, values: np.ndarray) -> None:
        defined = np.isfinite(values)
        self._defined = defined.astype(np.float64)
        self._values = np.where(defined, values, 0.0)

    def mean(self, counts: np.ndarray) -> np.ndarray:
        """(measures, draws), NaN where no image has a value. counts : as for `RankedScores.auc`."""
        among = self._defined @ counts
        return np.divide(self._values @ counts, among, out=np.full(among.shape, np.nan), where=among > 0)


def interval(value: float, drawn: np.ndarray) -> Interval | None:
    """The value with the middle 95 % of what the draws (draws,) gave; None where it is not defined.

    Draws in which it is not defined (only one class among the patients) are left out.
    """
    held = drawn[np.isfinite(drawn)]
    if not np.isfinite(value) or not held.size:
        return None
    low, high = np.percentile(held, [2.5, 97.5])
    return Interval(float(value), float(low), float(high))


def interval_of(values: np.ndarray) -> Interval | None:
    """`interval` of a measure's row (1 + draws,): of the images as they are, then of the draws."""
    return interval(float(values[0]), values[1:])
