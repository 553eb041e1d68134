"""The AUC averaged over readers, with intervals that hold for other readers and other cases than those of the study.

Readers and cases are both samples, so an interval from either alone is too narrow. The variance is the unbiased one of a
U-statistic over readers, cases without and cases with the condition (Gallas 2006, doi 10.1016/j.acra.2005.11.030; Gallas et al. 2009,
doi 10.1080/03610920802610084, for designs that are not fully crossed): the square of the average less the average of the products of
two kernels that share neither reader nor case. Degrees of freedom by Satterthwaite's rule as iMRMC has them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from OsteoScreenLib.review.agreement.areas import influence_on_auc
from OsteoScreenLib.review.agreement.estimate import Estimate
from OsteoScreenLib.review.agreement.ratings import Ratings

_BETWEEN = " - "
_AT_ONCE = 2_000_000  # comparisons held in memory together: some 100 MB


@dataclass(frozen=True)
class ReaderAuc:
    """One reader in one modality; None where the reader scored no positive or no negative case."""

    reader: str
    modality: str
    auc: float | None


@dataclass(frozen=True)
class Average:
    """Over readers. modality : or "aided - unaided" for a difference. auc : with its 95 % interval by Student's t; without where
    the variance cannot be told (a single reader, no two readers with different cases in both classes) or comes out negative.
    """

    modality: str
    auc: Estimate
    variance: float | None
    freedom: float | None


@dataclass(frozen=True)
class _Moments:
    """Of two modalities (or one with itself). areas : both averages. covariance : of them; None where it cannot be told.
    parts : shared variance of cases without, cases with the condition, and readers. freedom : of the same three."""

    areas: tuple[float, float]
    covariance: float | None
    parts: np.ndarray
    freedom: np.ndarray


def reader_aucs(ratings: Ratings) -> tuple[ReaderAuc, ...]:
    """By modality, then reader. The area of the empirical curve, ties counting half."""
    found = []
    for modality in ratings.modalities:
        below, above = (ratings.array(modality, truth) for truth in (False, True))
        for reader, negative, positive in zip(ratings.readers, below, above, strict=True):
            n, p = negative[np.isfinite(negative)], positive[np.isfinite(positive)]
            positives = np.arange(len(n) + len(p)) >= len(n)
            auc = influence_on_auc(np.concatenate([n, p]), positives)[0] if len(n) and len(p) else None
            found.append(ReaderAuc(reader, modality, auc))
    return tuple(found)


def averages(ratings: Ratings) -> tuple[Average, ...]:
    """Of each modality, then, where there are two, of their difference: the second less the first ("aided - unaided").

    Readers count by the number of their comparisons, as in iMRMC, so that a split-plot design does not overweigh short lists.
    Nothing where a modality has no comparison.
    """
    own = {modality: _moments(ratings, modality, modality) for modality in ratings.modalities}
    held = {modality: moments for modality, moments in own.items() if moments is not None}
    found = [_average(modality, one.areas[0], one.covariance, one.parts, one.freedom) for modality, one in held.items()]
    if len(held) == 2:
        (first, a), (second, b) = held.items()
        both = _moments(ratings, first, second)
        if both is not None:
            known = [one.covariance for one in (a, b, both)]
            variance = None if None in known else known[0] + known[1] - 2 * known[2]  # type: ignore[operator]
            parts, freedom = a.parts + b.parts - 2 * both.parts, np.minimum(a.freedom, b.freedom)
            found.append(_average(f"{second}{_BETWEEN}{first}", b.areas[0] - a.areas[0], variance, parts, freedom))
    return tuple(found)


def _average(name: str, value: float, variance: float | None, parts: np.ndarray, freedom: np.ndarray) -> Average:
    from scipy.stats import t

    if variance is None or variance <= 1e-18 or freedom.min() < 1:
        return Average(name, Estimate(value), variance, None)
    spread = float((parts**2 / freedom**3).sum())
    held = max(variance**2 / spread if spread > 0 else np.inf, float(freedom.min()))
    reach = float(t.ppf(0.975, np.floor(held)) * np.sqrt(variance))
    lowest = -1.0 if _BETWEEN in name else 0.0
    return Average(name, Estimate(value, (max(value - reach, lowest), min(value + reach, 1.0))), variance, held)


def _kernel(negative: np.ndarray, positive: np.ndarray) -> np.ndarray:
    """1 where the case with the condition scores higher, ½ at a tie, else 0."""
    return (positive > negative) + 0.5 * (positive == negative)


def _moments(ratings: Ratings, first: str, second: str) -> _Moments | None:
    """Sums over all pairs of comparisons, those with the same reader or case apart; None where a modality has no comparison."""
    sides = [(ratings.array(modality, False), ratings.array(modality, True)) for modality in (first, second)]
    readers, negatives = sides[0][0].shape
    positives = sides[0][1].shape[1]
    step = max(1, _AT_ONCE // max(1, readers * positives))
    # Each of four (readers, readers): the same two cases, the same case with the condition, the same without, any; successes and counts.
    same, without = np.zeros((2, readers, readers)), np.zeros((2, readers, readers))
    by_positive = np.zeros((2, 2, readers, positives))
    for start in range(0, negatives, step):
        blocks = [
            _block(negative[:, start : start + step], positive) for negative, positive in sides
        ]  # each (2, readers, step, positives)
        for kind in range(2):
            one, other = blocks[0][kind], blocks[1][kind]
            same[kind] += one.reshape(readers, -1) @ other.reshape(readers, -1).T
            without[kind] += one.sum(axis=2) @ other.sum(axis=2).T
            by_positive[kind] += one.sum(axis=1), other.sum(axis=1)
    totals = by_positive.sum(axis=3)  # (2, 2, readers)
    if not totals[1].sum(axis=1).all():
        return None
    by_with = np.stack([one @ other.T for one, other in by_positive])
    any_case = np.stack([np.outer(one, other) for one, other in totals])
    apart = any_case - by_with - without + same  # neither case shared
    free = np.array([block.sum() - np.trace(block) for block in apart])  # nor the reader
    areas = totals[0].sum(axis=1) / totals[1].sum(axis=1)
    product = float(areas[0] * areas[1])
    pairs = any_case[1].sum()
    shared = [(without[k].sum(), by_with[k].sum(), np.trace(any_case[k])) for k in range(2)]
    with np.errstate(divide="ignore", invalid="ignore"):
        parts = np.nan_to_num(np.divide(shared[0], shared[1]) - product)
        freedom = np.nan_to_num(np.round(pairs / np.array(shared[1]) - 1), posinf=0.0)
    covariance = product - float(free[0] / free[1]) if free[1] > 0 else None
    return _Moments((float(areas[0]), float(areas[1])), covariance, parts, freedom)


def _block(negative: np.ndarray, positive: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Successes and whether there is a comparison, each float64 (readers, negatives, positives)."""
    n, p = negative[:, :, None], positive[:, None, :]
    there = np.isfinite(n) & np.isfinite(p)
    return np.where(there, _kernel(n, p), 0.0), there.astype(float)
