"""Whether a probability means what it says: scores, recalibration, and the curve of what was seen against what was said."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np

from OsteoScreenLib.roc import Z95
from OsteoScreenLib.study.classifier_figures import Interval
from OsteoScreenLib.study.evaluation.proportions import Proportion, proportion

BINS = 10
EDGE = 1e-6  # probabilities are kept this far from 0 and 1 where their log-odds are taken


@dataclass(frozen=True)
class Bin:
    """Images of like probability. predicted : their mean probability. observed : how many of them were positive."""

    predicted: float
    observed: Proportion


@dataclass(frozen=True)
class Calibration:
    """Of the probability of osteoporosis.

    brier : mean squared error of the probability. brier_prevalence : that of saying the sample's share of positives of everyone.
    log_loss : of all three classes, natural logarithm. observed_minus_predicted : share of positives less mean probability.
    ece : expected calibration error, |observed - predicted| averaged over `BINS` bins of equal numbers of images (biased upwards in
    small samples); ece_equal_width : over `BINS` bins of equal width (Guo et al. 2017). slope : of the log-odds in a logistic
    recalibration, 1 is right, below 1 too extreme (Cox 1958); intercept : calibration in the large, with the slope held at 1; 0 is
    right, above 0 the probabilities are too low (Van Calster et al. 2019). Their intervals are Wald's, clustered by patients.
    None where it is not defined, as the slope is when a probability parts the classes without error.
    bins : of equal numbers, at most `BINS` and of about twenty images at least. smooth : (probability, observed share) along a local regression (lowess).
    """

    brier: Interval | None
    brier_prevalence: float
    log_loss: Interval | None
    observed_minus_predicted: Interval | None
    ece: float
    ece_equal_width: float
    slope: Interval | None
    intercept: Interval | None
    bins: tuple[Bin, ...]
    smooth: tuple[tuple[float, float], ...]


def calibration_of(
    probability: np.ndarray,
    positive: np.ndarray,
    patients: np.ndarray,
    drawn: dict[str, Interval | None],
) -> Calibration:
    """From P(osteoporosis) (n,) and truth, bool (n,). drawn : intervals of brier, log_loss and observed_minus_predicted."""
    share = float(positive.mean())
    equal_count = binned(probability, quantile_edges(probability))
    slope, intercept = recalibration(probability, positive, patients)
    return Calibration(
        brier=drawn["brier"],
        brier_prevalence=share * (1 - share),
        log_loss=drawn["log_loss"],
        observed_minus_predicted=drawn["observed_minus_predicted"],
        ece=expected_error(probability, positive, equal_count),
        ece_equal_width=expected_error(probability, positive, binned(probability, np.linspace(0, 1, BINS + 1))),
        slope=slope,
        intercept=intercept,
        bins=_bins(probability, positive, binned(probability, quantile_edges(probability, _groups(len(probability))))),
        smooth=_smooth(probability, positive),
    )


def image_scores(probabilities: np.ndarray, labels: np.ndarray) -> dict[str, np.ndarray]:
    """What the drawn scores are means of, each (n,), from probabilities (n, 3) and labels (n,)."""
    positive = (labels == 2).astype(np.float64)
    told = np.maximum(probabilities[np.arange(len(labels)), labels], 1e-12)
    return {
        "brier": (probabilities[:, 2] - positive) ** 2,
        "log_loss": -np.log(told),
        "observed_minus_predicted": positive - probabilities[:, 2],
    }


def recalibration(
    probability: np.ndarray, positive: np.ndarray, patients: np.ndarray
) -> tuple[Interval | None, Interval | None]:
    """(slope, intercept) of logistic recalibration; see `Calibration`."""
    import statsmodels.api as sm

    kept = probability.clip(EDGE, 1 - EDGE)
    odds = np.log(kept / (1 - kept))
    codes = np.unique(patients, return_inverse=True)[1]
    several = len(np.unique(codes)) < len(codes)
    robust = {"cov_type": "cluster", "cov_kwds": {"groups": codes}} if several else {}
    family = sm.families.Binomial()

    def fitted(design: np.ndarray, offset: np.ndarray | None, place: int) -> Interval | None:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # separation, no convergence, a singular design
            try:
                result = sm.GLM(positive.astype(np.float64), design, family=family, offset=offset).fit(**robust)
                value, error = float(result.params[place]), float(result.bse[place])
            except (Warning, np.linalg.LinAlgError, ValueError):
                return None
        return Interval(value, value - Z95 * error, value + Z95 * error) if np.isfinite([value, error]).all() else None

    constant = np.ones((len(odds), 1))
    slope = None if np.ptp(odds) < 1e-9 else fitted(np.column_stack([constant, odds]), None, 1)
    return slope, fitted(constant, odds, 0)


def quantile_edges(probability: np.ndarray, bins: int = BINS) -> np.ndarray:
    """Edges between which about as many images lie; fewer bins where many have the same probability."""
    return np.unique(np.quantile(probability, np.linspace(0, 1, bins + 1)))


def binned(probability: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """The bin of each image, int (n,); the last bin holds its upper edge."""
    return np.clip(np.searchsorted(edges, probability, side="right") - 1, 0, max(len(edges) - 2, 0))


def expected_error(probability: np.ndarray, positive: np.ndarray, places: np.ndarray) -> float:
    """The mean over images of their bin's |observed share - mean probability|."""
    gap = np.bincount(places, positive.astype(np.float64) - probability)
    return float(np.abs(gap).sum() / len(places))


def _groups(images: int) -> int:
    """As many groups of the curve as leave about twenty images in each."""
    return int(np.clip(images // 20, 2, BINS))


def _bins(probability: np.ndarray, positive: np.ndarray, places: np.ndarray) -> tuple[Bin, ...]:
    found = []
    for one in np.unique(places):
        chosen = places == one
        observed = proportion(int(positive[chosen].sum()), int(chosen.sum()))
        assert observed is not None
        found.append(Bin(float(probability[chosen].mean()), observed))
    return tuple(found)


def _smooth(probability: np.ndarray, positive: np.ndarray, points: int = 60) -> tuple[tuple[float, float], ...]:
    """Between the 1st and the 99th percentile, where there are enough images to say anything."""
    from statsmodels.nonparametric.smoothers_lowess import lowess

    low, high = np.quantile(probability, [0.01, 0.99])
    if len(probability) < 20 or high - low < 1e-6:
        return ()
    across = np.linspace(low, high, points)
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        seen = lowess(positive.astype(np.float64), probability, frac=0.6, it=0, xvals=across)
    return tuple((float(x), float(np.clip(y, 0, 1))) for x, y in zip(across, seen, strict=True) if np.isfinite(y))
