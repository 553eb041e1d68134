"""Wilson's interval with the right denominators, and predictive values at another prevalence."""

from __future__ import annotations

import math

import numpy as np
import pytest
from statsmodels.stats.proportion import proportion_confint

from OsteoScreenLib.errors import InputError
from OsteoScreenLib.study.evaluation.proportions import predictive_values, proportion, wilson


def test_the_study_s_best_sensitivity_has_a_wide_interval() -> None:
    """178 of 211: 78.85 to 88.64 %, twice as wide as what was published."""
    found = wilson(178, 211)
    assert found is not None and (round(found.low, 4), round(found.high, 4)) == (0.7885, 0.8864)


@pytest.mark.parametrize(("count", "of"), [(0, 7), (7, 7), (1, 3), (50, 100), (4000, 4163)])
def test_wilson_is_statsmodels_and_the_formula(count: int, of: int) -> None:
    found = wilson(count, of)
    assert found is not None
    assert (found.low, found.high) == pytest.approx(proportion_confint(count, of, method="wilson"), abs=1e-12)
    z, p = 1.959963984540054, count / of
    middle = (p + z * z / (2 * of)) / (1 + z * z / of)
    reach = z * math.sqrt(p * (1 - p) / of + z * z / (4 * of * of)) / (1 + z * z / of)
    assert (found.low, found.high) == pytest.approx((max(middle - reach, 0), min(middle + reach, 1)), abs=1e-12)


def test_nothing_of_nothing_has_no_proportion() -> None:
    assert wilson(0, 0) is None and proportion(0, 0) is None


def test_predictive_values_follow_from_bayes_rule() -> None:
    found = predictive_values(86, 100, 870, 1000, 0.05)
    assert found.ppv.value == pytest.approx(0.86 * 0.05 / (0.86 * 0.05 + 0.13 * 0.95))
    assert found.npv.value == pytest.approx(0.87 * 0.95 / (0.87 * 0.95 + 0.14 * 0.05))
    assert found.ppv.low < found.ppv.value < found.ppv.high < 1 and found.npv.low < found.npv.value < found.npv.high < 1


def test_at_the_sample_s_own_share_they_are_the_sample_s() -> None:
    found = predictive_values(40, 50, 180, 200, 0.2)
    assert found.ppv.value == pytest.approx(40 / 60) and found.npv.value == pytest.approx(180 / 190)


def test_an_empty_cell_keeps_the_interval_open() -> None:
    found = predictive_values(20, 20, 100, 100, 0.1)
    assert 0 < found.ppv.low < found.ppv.value < found.ppv.high < 1 and 0.9 < found.npv.low < found.npv.value < 1


def test_the_intervals_hold_the_truth_about_as_often_as_they_say() -> None:
    rng, prevalence = np.random.default_rng(0), 0.05
    truth = 0.8 * prevalence / (0.8 * prevalence + 0.15 * 0.95), 0.85 * 0.95 / (0.85 * 0.95 + 0.2 * prevalence)
    held = np.zeros(2)
    for hit, cleared in zip(rng.binomial(80, 0.8, 2000), rng.binomial(300, 0.85, 2000), strict=True):
        found = predictive_values(int(hit), 80, int(cleared), 300, prevalence)
        held += found.ppv.low <= truth[0] <= found.ppv.high, found.npv.low <= truth[1] <= found.npv.high
    assert (held / 2000 > 0.93).all() and (held / 2000 < 0.975).all()


@pytest.mark.parametrize("prevalence", [0.0, 1.0, 5.0])
def test_a_prevalence_is_a_share(prevalence: float) -> None:
    with pytest.raises(InputError, match="prevalence"):
        predictive_values(8, 10, 9, 10, prevalence)
