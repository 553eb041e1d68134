"""Proportions with the right denominator: Wilson's interval, and predictive values at a prevalence that is not the sample's."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from OsteoScreenLib.errors import InputError
from OsteoScreenLib.roc import Z95
from OsteoScreenLib.study.classifier_figures import Interval


@dataclass(frozen=True)
class Proportion:
    """count of `of`.

    wilson : with its 95 % interval, which takes each one as independent. clustered : the same from drawing patients with
    replacement; None where it was not drawn.
    """

    count: int
    of: int
    wilson: Interval
    clustered: Interval | None = None


def wilson(count: int, of: int) -> Interval | None:
    """A proportion with Wilson's score interval (Wilson 1927), which stays inside 0 and 1; None of nothing."""
    if not of:
        return None
    from statsmodels.stats.proportion import proportion_confint

    low, high = proportion_confint(count, of, alpha=0.05, method="wilson")
    return Interval(count / of, max(float(low), 0.0), min(float(high), 1.0))


def proportion(count: int, of: int, clustered: Interval | None = None) -> Proportion | None:
    """None of nothing."""
    held = wilson(count, of)
    return None if held is None else Proportion(int(count), int(of), held, clustered)


@dataclass(frozen=True)
class PredictiveValues:
    """At a stated prevalence, with 95 % intervals. ppv, npv : of a positive and a negative answer."""

    prevalence: float
    ppv: Interval
    npv: Interval


def predictive_values(
    true_positives: int, positives: int, true_negatives: int, negatives: int, prevalence: float
) -> PredictiveValues:
    """What answers are worth where a share `prevalence` has the condition, from sensitivity and specificity by Bayes' rule.

    Intervals on the logit scale (Mercaldo, Lau and Zhou 2007, doi 10.1002/sim.2677). Where one of the four cells is empty the logit
    is not defined, and value and interval come from the counts with z²/2 added to each cell, as they propose.
    """
    if not 0 < prevalence < 1:
        raise InputError(
            f"A prevalence of {prevalence:g} is none; give a number between 0 and 1, such as 0.05.", code="prevalence"
        )
    cells = np.array([true_positives, positives - true_positives, true_negatives, negatives - true_negatives], float)
    if not cells.all():
        cells = cells + Z95**2 / 2
    hit, missed, cleared, alarmed = cells
    n1, n0 = hit + missed, cleared + alarmed
    sensitivity, specificity = hit / n1, cleared / n0
    odds = prevalence / (1 - prevalence)
    ppv = _logistic(
        np.log(sensitivity / (1 - specificity) * odds),
        (1 - sensitivity) / sensitivity / n1 + specificity / (1 - specificity) / n0,
    )
    npv = _logistic(
        np.log(specificity / (1 - sensitivity) / odds),
        sensitivity / (1 - sensitivity) / n1 + (1 - specificity) / specificity / n0,
    )
    return PredictiveValues(prevalence, ppv, npv)


def _logistic(middle: float, variance: float) -> Interval:
    reach = Z95 * np.sqrt(variance)
    value, low, high = 1 / (1 + np.exp(-np.array([middle, middle - reach, middle + reach])))
    return Interval(float(value), float(low), float(high))
