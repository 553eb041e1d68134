"""The area under the ROC curve with its variance, intervals and tests, without assuming a distribution of the scores.

The variance is DeLong's (DeLong, DeLong and Clarke-Pearson 1988, doi 10.2307/2531595), which takes images as independent. Where a
patient has several, the structural components are added up by patient first (Obuchowski 1997, doi 10.2307/2533958); with one image
each the two are the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from OsteoScreenLib.errors import InputError
from OsteoScreenLib.roc import Z95, logit_bounds, structural_components
from OsteoScreenLib.study.classifier_figures import Interval


@dataclass(frozen=True, eq=False)
class Aucs:
    """AUCs of k scores on the same images. area : (k,). covariance : (k, k), of the areas."""

    area: np.ndarray
    covariance: np.ndarray

    def standard_error(self, k: int = 0) -> float:
        """Of one area."""
        return float(np.sqrt(max(self.covariance[k, k], 0.0)))

    def interval(self, k: int = 0, scale: Literal["plain", "logit"] = "logit") -> Interval:
        """One area with its 95 % interval.

        scale : "plain" is area ± 1.96 standard errors, cut at 0 and 1. "logit" makes the interval on log(A / (1 - A)), so that it
        stays inside and covers better near 1 (Pepe 2003, section 5.2); at an area of 0 or 1 there is no logit, and the plain one is given.
        """
        area, error = float(self.area[k]), self.standard_error(k)
        if scale == "plain" or not 0 < area < 1:
            return Interval(area, max(area - Z95 * error, 0.0), min(area + Z95 * error, 1.0))
        return Interval(area, *logit_bounds(area, error))


@dataclass(frozen=True)
class Difference:
    """One AUC less another. value : with its 95 % interval. z : value over its standard error. p : two-sided, of no difference."""

    value: Interval
    z: float
    p: float


def delong(scores: np.ndarray, positive: np.ndarray, clusters: np.ndarray | None = None) -> Aucs:
    """The AUCs of scores (n,) or (k, n), higher for positives, with their covariance.

    positive : bool (n,). clusters : of each image, for example its patient; None takes every image for itself.
    Raises `InputError` (one-class) when positives or negatives are missing; the covariance is NaN where only one of either (or one
    patient of either) is there.
    """
    scores = np.atleast_2d(np.asarray(scores, np.float64))
    positive = np.asarray(positive, bool)
    require_both(positive)
    of_positives, of_negatives = structural_components(scores, positive)
    m, n = of_positives.shape[1], of_negatives.shape[1]
    area = of_positives.mean(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        if clusters is None:
            covariance = np.atleast_2d(_covariance(of_positives) / m + _covariance(of_negatives) / n)
        else:
            clusters = np.asarray(clusters)
            covariance = _clustered(of_positives, of_negatives, area, clusters[positive], clusters[~positive])
    return Aucs(area, covariance)


def compare(aucs: Aucs, first: int = 0, second: int = 1) -> Difference:
    """The paired test of DeLong: whether two scores on the same images have the same AUC."""
    c = aucs.covariance
    variance = c[first, first] + c[second, second] - 2 * c[first, second]
    return _tested(float(aucs.area[first] - aucs.area[second]), float(variance))


def compare_independent(one: Aucs, other: Aucs) -> Difference:
    """The same for two cohorts that share no patient: first less second."""
    return _tested(float(one.area[0] - other.area[0]), float(one.covariance[0, 0] + other.covariance[0, 0]))


def require_both(positive: np.ndarray, what: str = "the images") -> None:
    """Raises `InputError` (one-class) when all are positive or none is."""
    if not 0 < int(positive.sum()) < len(positive):
        missing = "negative" if positive.any() else "positive"
        raise InputError(f"There is no {missing} one among {what}, so there is no AUC; add some.", code="one-class")


def _tested(value: float, variance: float) -> Difference:
    from scipy.stats import norm

    error = float(np.sqrt(variance)) if variance > 1e-18 else 0.0 if variance <= 1e-18 else float("nan")
    # Scores in the same order leave nothing to test: no difference, and no variance.
    z = value / error if error > 0 else 0.0 if abs(value) < 1e-12 else float(np.copysign(np.inf, value))
    return Difference(Interval(value, value - Z95 * error, value + Z95 * error), float(z), float(2 * norm.sf(abs(z))))


def _covariance(components: np.ndarray) -> np.ndarray:
    if components.shape[1] < 2:
        return np.full((len(components), len(components)), np.nan)
    return np.cov(components)


def _clustered(
    of_positives: np.ndarray, of_negatives: np.ndarray, area: np.ndarray, of_m: np.ndarray, of_n: np.ndarray
) -> np.ndarray:
    """(k, k) from the components summed within clusters, each less its expectation."""
    names, places = np.unique(np.concatenate([of_m, of_n]), return_inverse=True)
    m, n = of_positives.shape[1], of_negatives.shape[1]

    def summed(components: np.ndarray, where: np.ndarray) -> tuple[np.ndarray, int]:
        sums = np.stack([np.bincount(where, row - a, minlength=len(names)) for row, a in zip(components, area, strict=True)])
        return sums, len(np.unique(where))

    x, with_m = summed(of_positives, places[:m])
    y, with_n = summed(of_negatives, places[m:])
    if with_m < 2 or with_n < 2:
        return np.full((len(area), len(area)), np.nan)
    both = x @ y.T * len(names) / (len(names) - 1)
    own = x @ x.T * with_m / (with_m - 1) / m**2 + y @ y.T * with_n / (with_n - 1) / n**2
    total: np.ndarray = own + (both + both.T) / (m * n)
    return total
