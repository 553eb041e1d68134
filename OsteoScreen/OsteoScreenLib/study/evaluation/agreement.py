"""How the T-score that a model expects agrees with the measured one (Bland and Altman 1986, doi 10.1016/S0140-6736(86)90837-8)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from OsteoScreenLib.study.classifier_figures import Interval
from OsteoScreenLib.study.evaluation.predictions import Predictions
from OsteoScreenLib.study.patient_bootstrap import interval_of, patient_draws

LEAST = 3


@dataclass(frozen=True)
class Agreement:
    """Expected less measured T-score, in units of T.

    mae : mean absolute error. bias : mean difference. lower, upper : 95 % limits of agreement, bias ± 1.96 SD of the differences.
    pearson : correlation. icc : intraclass correlation of absolute agreement, single measures, ICC(A,1) (McGraw and Wong 1996).
    slope : of the difference on the mean of the two; 0 is right, below 0 the model shrinks towards the middle.
    Intervals from drawing patients. pairs : (measured, expected) of each image.
    """

    images: int
    patients: int
    mae: Interval
    bias: Interval
    lower: Interval
    upper: Interval
    pearson: Interval | None
    icc: Interval | None
    slope: Interval | None
    pairs: tuple[tuple[float, float], ...]


def agreement_of(predictions: Predictions, draws: int, seed: int) -> Agreement | None:
    """None where fewer than three images have both T-scores."""
    known = np.isfinite(predictions.t_score) & np.isfinite(predictions.expected_t)
    if known.sum() < LEAST:
        return None
    part = predictions.take(known)
    measured, expected = part.t_score, part.expected_t
    columns = [_measures(measured, expected, np.ones((len(part), 1)))]
    columns += [
        _measures(measured, expected, counts) for counts in patient_draws([str(one) for one in part.patient], draws, seed)
    ]
    rows = np.concatenate(columns, axis=1)
    mae, bias, lower, upper, pearson, icc, slope = (interval_of(row) for row in rows)
    assert mae is not None and bias is not None and lower is not None and upper is not None
    pairs = tuple((float(x), float(y)) for x, y in zip(measured, expected, strict=True))
    return Agreement(len(part), part.patients, mae, bias, lower, upper, pearson, icc, slope, pairs)


def _measures(x: np.ndarray, y: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """(7, draws) in the order of `Agreement`. x, y : measured, expected (n,). counts : (n, draws)."""
    n = counts.sum(axis=0)
    # Around the overall means, which changes no variance and keeps the sums short.
    u, v = x - x.mean(), y - y.mean()
    mean_u, mean_v, uu, vv, uv, absolute = (np.stack([u, v, u * u, v * v, u * v, np.abs(y - x)]) @ counts) / n
    freedom = np.maximum(n - 1, 1) / n
    with np.errstate(invalid="ignore", divide="ignore"):
        of_x, of_y, both = (uu - mean_u**2) / freedom, (vv - mean_v**2) / freedom, (uv - mean_u * mean_v) / freedom
        bias = (mean_v + y.mean()) - (mean_u + x.mean())
        of_difference = np.maximum(of_x + of_y - 2 * both, 0)
        reach = 1.96 * np.sqrt(of_difference)
        error = of_difference / 2  # the mean square that is left after subjects and raters
        icc = 2 * both / (of_x + of_y + bias**2 - 2 * error / n)
        slope = (of_y - of_x) / 2 / ((of_x + of_y + 2 * both) / 4)
        pearson = both / np.sqrt(of_x * of_y)
    return np.stack([absolute, bias, bias - reach, bias + reach, pearson, icc, slope])
