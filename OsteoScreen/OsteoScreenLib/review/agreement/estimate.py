"""Figures with 95 % intervals in which the images of one patient count as belonging together.

Every estimator here is smooth in the data, so that it has an influence of each image on it (Hampel 1974, doi
10.1080/01621459.1974.10482962); added up within patients, their squares give a variance that needs no independent images (Liang and
Zeger 1986, doi 10.1093/biomet/73.1.13). With one image a patient it is the usual asymptotic variance.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from OsteoScreenLib.roc import Z95

Bounds = tuple[float, float]


@dataclass(frozen=True)
class Estimate:
    """A figure. interval : its 95 % interval, None where the images cannot tell one (for example when all agree)."""

    value: float
    interval: Bounds | None = None

    def __str__(self) -> str:
        if self.interval is None:
            return f"{self.value:.2f}"
        return f"{self.value:.2f} ({self.interval[0]:.2f} to {self.interval[1]:.2f})"


@dataclass(frozen=True)
class Share:
    """`count` of `of`. interval : 95 %, by Wilson (see `share`)."""

    count: int
    of: int
    interval: Bounds

    @property
    def value(self) -> float:
        """Between 0 and 1."""
        return self.count / self.of

    def __str__(self) -> str:
        low, high = self.interval
        return f"{100 * self.value:.0f} % ({self.count} of {self.of}; {100 * low:.0f} to {100 * high:.0f} %)"


def standard_error(influence: np.ndarray, patients: np.ndarray) -> float:
    """Of an estimate, from each image's influence (n,), which has mean 0, and its patient (n,)."""
    return float(np.sqrt(np.square(_sums(influence, patients)).sum()) / len(influence))


def estimate(value: float, influence: np.ndarray, patients: np.ndarray, lowest: float = -1.0) -> Estimate:
    """The value ± 1.96 standard errors, cut at `lowest` and 1; without an interval where the error is 0."""
    error = standard_error(influence, patients)
    if not np.isfinite(error) or error <= 1e-12:
        return Estimate(float(value))
    return Estimate(float(value), (max(value - Z95 * error, lowest), min(value + Z95 * error, 1.0)))


def mean(values: np.ndarray, patients: np.ndarray) -> Estimate | None:
    """The mean of values (n,) between -1 and 1; None of nothing."""
    if not len(values):
        return None
    middle = float(np.mean(values))
    return estimate(middle, values - middle, patients)


def share(hits: np.ndarray, patients: np.ndarray) -> Share | None:
    """How many of hits, bool (n,), are true, with Wilson's score interval (Wilson 1927, doi 10.1080/01621459.1927.10502953).

    Where patients have several images, count and number are divided by the design effect first (Rao and Scott 1992, doi
    10.2307/2532311); where all or none are hits that effect cannot be seen, and each patient counts as one. None of nothing.
    """
    from statsmodels.stats.proportion import proportion_confint

    of, count = len(hits), int(np.sum(hits))
    if not of:
        return None
    value = count / of
    effect, people = 1.0, len(np.unique(patients))
    if people < of:
        plain = value * (1 - value) / of
        effect = max(1.0, standard_error(hits - value, patients) ** 2 / plain) if plain > 0 else of / people
    low, high = proportion_confint(count / effect, of / effect, alpha=0.05, method="wilson")
    return Share(count, of, (max(float(low), 0.0), min(float(high), 1.0)))


def _sums(values: np.ndarray, patients: np.ndarray) -> np.ndarray:
    _, places = np.unique(patients, return_inverse=True)
    return np.bincount(places, weights=values)
