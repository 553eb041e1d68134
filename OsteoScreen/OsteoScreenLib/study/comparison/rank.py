"""Do models that look at bone do better, and would another training rank them the same way? With what n models can support.

Rank correlations: Spearman 1904 between AUC and an explainability measure over the models; Kendall's τ_b (1945) between the AUCs of
two seeds. Intervals come from drawing patients (`patient_bootstrap`), so they say how well the test images fix a correlation among
*these* models. How other models would behave they do not say; for that the models themselves are the sample, and few.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from OsteoScreenLib.study.classifier_figures import Interval
from OsteoScreenLib.study.comparison.drawn_measures import DrawnMeasures
from OsteoScreenLib.study.patient_bootstrap import interval_of

FEWEST_MODELS = 3  # two points always lie on a line
# Of n! orders, two have |ρ| = 1: with fewer models not even these are rarer than 5 %.
_FEWEST_FOR_A_TEST = 5


@dataclass(frozen=True)
class Correlation:
    """Spearman's ρ between AUC and a measure over the models. rho : None where it is not defined. critical : see `critical_rho`."""

    measure: str
    models: int
    rho: Interval | None
    critical: float | None

    @property
    def sentence(self) -> str:
        """What was found and what that many models can support."""
        if self.rho is None:
            why = (
                (f"only {self.models} models have both" if self.models else "the second was not measured")
                if self.models < FEWEST_MODELS
                else "one of the two is the same for all models"
            )
            return f"AUC against {self.measure}: no rank correlation, because {why}."
        found = f"AUC against {self.measure}: Spearman's ρ = {self.rho} over {self.models} models (patients drawn)."
        if self.critical is None:
            return f"{found} So few models cannot show that ρ differs from 0 among models in general."
        verdict = "does" if abs(self.rho.value) >= self.critical else "does not"
        return (
            f"{found} With the models themselves as the sample, |ρ| must reach about {self.critical:.2f} to differ from 0 at the "
            f"5 % level; this one {verdict}. They share cohort and backbones, so even that is generous."
        )


def correlate(drawn: DrawnMeasures, measure: str, values: np.ndarray) -> Correlation:
    """ρ between `drawn.auc` and a measure's values (models, 1 + draws), over the models for which the measure is defined."""
    held = np.isfinite(values[:, 0])
    models = int(held.sum())
    rho = interval_of(spearman(drawn.auc[held], values[held])) if models >= FEWEST_MODELS else None
    return Correlation(measure, models, rho, critical_rho(models))


def spearman(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """ρ over the models, column by column, of two arrays (models, columns); (columns,), NaN where it is not defined."""
    from scipy.stats import rankdata

    a, b = (rankdata(values, axis=0) for values in (first, second))
    a, b = a - a.mean(axis=0), b - b.mean(axis=0)
    size = np.sqrt((a**2).sum(axis=0) * (b**2).sum(axis=0))
    defined = (size > 0) & np.isfinite(first).all(axis=0) & np.isfinite(second).all(axis=0)
    return np.divide((a * b).sum(axis=0), size, out=np.full(len(size), np.nan), where=defined)


def critical_rho(models: int) -> float | None:
    """The |ρ| that n models must reach to differ from 0 at the two-sided 5 % level, by Student's t with n − 2 degrees of freedom.

    None where even a perfect order is not rare enough.
    """
    from scipy.stats import t

    if models < _FEWEST_FOR_A_TEST:
        return None
    limit = float(t.ppf(0.975, models - 2))
    return limit / math.sqrt(models - 2 + limit**2)


@dataclass(frozen=True)
class Standing:
    """One model's place by AUC. rank : 1 is best, ties share the mean. low, high : the middle 95 % of its ranks over the draws."""

    name: str
    auc: float
    rank: float
    low: float
    high: float


def standings(drawn: DrawnMeasures) -> tuple[Standing, ...]:
    """Every model's rank, in the order of `drawn`."""
    from scipy.stats import rankdata

    defined = np.isfinite(drawn.auc).all(axis=0)
    ranks = rankdata(-drawn.auc[:, defined], axis=0)
    low, high = np.percentile(ranks[:, 1:], [2.5, 97.5], axis=1) if ranks.shape[1] > 1 else (ranks[:, 0], ranks[:, 0])
    return tuple(
        Standing(name, float(drawn.auc[i, 0]), float(ranks[i, 0]), float(low[i]), float(high[i]))
        for i, name in enumerate(drawn.names)
    )


@dataclass(frozen=True)
class Agreement:
    """Kendall's τ_b between the AUCs that the same models have under two seeds; None where all AUCs of one are equal.

    unmoved : models with the same AUC under both, as linear probing has, in whose fit nothing is random.
    """

    seeds: tuple[int, int]
    models: int
    unmoved: int
    tau: Interval | None

    @property
    def sentence(self) -> str:
        """For people."""
        told = f"Seed {self.seeds[0]} against seed {self.seeds[1]}, {self.models} models"
        if self.tau is None:
            return f"{told}: Kendall's τ is not defined."
        still = f" {self.unmoved} of them have the same AUC under both, which helps the agreement." if self.unmoved else ""
        return f"{told}: Kendall's τ = {self.tau} (1: the same ranking, 0: no agreement; patients drawn).{still}"


def agreement(first: DrawnMeasures, second: DrawnMeasures, seeds: tuple[int, int]) -> Agreement:
    """τ_b between two seeds; both have the same models in the same order and the same draws."""
    if first.names != second.names or first.auc.shape != second.auc.shape:
        raise ValueError("the seeds have other models or other draws")
    tau = interval_of(kendall(first.auc, second.auc)) if len(first.names) > 1 else None
    return Agreement(seeds, len(first.names), int((first.auc[:, 0] == second.auc[:, 0]).sum()), tau)


def kendall(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """τ_b over the models, column by column, of two arrays (models, columns); (columns,), NaN where it is not defined."""
    i, j = np.triu_indices(len(first), 1)
    a, b = np.sign(first[i] - first[j]), np.sign(second[i] - second[j])
    size = np.sqrt((a != 0).sum(axis=0) * (b != 0).sum(axis=0))
    defined = (size > 0) & np.isfinite(a).all(axis=0) & np.isfinite(b).all(axis=0)
    return np.divide((a * b).sum(axis=0), size, out=np.full(first.shape[1], np.nan), where=defined)
