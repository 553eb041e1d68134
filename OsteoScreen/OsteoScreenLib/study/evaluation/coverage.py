"""How often 95 % intervals of an AUC hold the true one, on simulated patients whose AUC is known.

Scores are normal in both groups with equal spread (the binormal model), so that the true AUC is Φ(d / √2) for means d apart. A
patient's images share part of their spread. All samples are bootstrapped by the same draws of patients: a sample's interval is
what it would be with draws of its own, up to the noise of finitely many draws.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass

import numpy as np

from OsteoScreenLib.errors import InputError
from OsteoScreenLib.study.classifier_figures import Interval
from OsteoScreenLib.study.evaluation.delong import delong
from OsteoScreenLib.study.evaluation.proportions import wilson
from OsteoScreenLib.study.patient_bootstrap import RankedScores, interval, patient_draws

METHODS = ("bootstrap by patients", "DeLong by patients", "DeLong, logit", "DeLong, plain")


@dataclass(frozen=True)
class CoverageOptions:
    """What is simulated. patients, positives : of each sample. auc : the true one. samples : how many. draws : of patients in each.

    most_images : a patient has one to so many images. alike : share of the score's variance that a patient's images have in common.
    """

    patients: int = 200
    positives: int = 60
    auc: float = 0.8
    samples: int = 1000
    draws: int = 1000
    most_images: int = 1
    alike: float = 0.8
    seed: int = 0


@dataclass(frozen=True)
class Coverage:
    """covered : method → share of the samples whose interval holds the true AUC, with Wilson's interval. width : their mean width."""

    options: CoverageOptions
    covered: dict[str, Interval]
    width: dict[str, float]

    def as_json(self) -> dict[str, object]:
        """As JSON values."""
        return asdict(self)


def measure_coverage(options: CoverageOptions, progress: Callable[[int, int], None] | None = None) -> Coverage:
    """Simulate, make the intervals, and count. Raises `InputError` (options) where nothing can be simulated."""
    o = options
    if not (
        1 < o.positives < o.patients - 1 and 0.5 <= o.auc < 1 and o.samples > 0 and o.most_images > 0 and 0 <= o.alike <= 1
    ):
        raise InputError(
            "Take at least two positive and two other patients, an AUC from 0.5 to below 1, and a share from 0 to 1.",
            code="options",
        )
    counts = np.concatenate(list(patient_draws([str(one) for one in range(o.patients)], o.draws, o.seed)), axis=1)
    held: dict[str, list[Interval]] = {method: [] for method in METHODS}
    for done, (scores, positive, owner) in enumerate(_samples(o), start=1):
        for method, made in _intervals(scores, positive, owner, counts[owner]).items():
            held[method].append(made)
        if progress is not None:
            progress(done, o.samples)
    covered = {method: wilson(sum(one.low <= o.auc <= one.high for one in made), o.samples) for method, made in held.items()}
    return Coverage(
        o,
        {method: share for method, share in covered.items() if share is not None},
        {method: float(np.mean([one.high - one.low for one in made])) for method, made in held.items()},
    )


def _samples(o: CoverageOptions) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """(scores, positive, owner) of each sample's images."""
    from scipy.stats import norm

    apart = math.sqrt(2) * float(norm.ppf(o.auc))
    for sample in range(o.samples):
        rng = np.random.default_rng([o.seed, sample, 87])
        owner = np.repeat(np.arange(o.patients), rng.integers(1, o.most_images + 1, o.patients))
        positive = owner < o.positives
        common = rng.normal(0, math.sqrt(o.alike), o.patients)[owner]
        yield common + rng.normal(0, math.sqrt(1 - o.alike), len(owner)) + apart * positive, positive, owner


def _intervals(scores: np.ndarray, positive: np.ndarray, owner: np.ndarray, counts: np.ndarray) -> dict[str, Interval]:
    ranked = RankedScores(scores, positive)
    drawn = interval(float(ranked.auc(np.ones((len(scores), 1)))[0]), ranked.auc(counts))
    assert drawn is not None
    plain, clustered = delong(scores, positive), delong(scores, positive, owner)
    made = (drawn, clustered.interval(), plain.interval(), plain.interval(scale="plain"))
    return dict(zip(METHODS, made, strict=True))
