"""Kappas, shares and their intervals: hand-computed values, scikit-learn, statsmodels, and how often intervals hold the truth."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pytest

pytest.importorskip("statsmodels", reason="the study's packages are not installed here")
pytest.importorskip("sklearn")

from OsteoScreenLib.review.agreement.estimate import mean, share
from OsteoScreenLib.review.agreement.kappa import Weights, cohen_kappa, fleiss_kappa

ALL: tuple[Weights, ...] = ("none", "linear", "quadratic")
# Ten images; counts of (one, other) are (3 1 0 / 1 1 1 / 0 0 3).
ONE = np.array([0, 0, 0, 0, 1, 1, 1, 2, 2, 2])
OTHER = np.array([0, 0, 0, 1, 0, 1, 2, 2, 2, 2])
TEN = np.arange(10)


def test_cohens_kappa_by_hand() -> None:
    # Same class: 7 of 10; by chance (4·4 + 3·2 + 3·4) / 100 = 0.34. Neighbours: 3 of 10; by chance (8 + 12 + 12 + 6) / 100 = 0.38.
    expected = {"none": (0.7 - 0.34) / 0.66, "linear": (0.85 - 0.53) / 0.47, "quadratic": (0.925 - 0.625) / 0.375}
    for weights in ALL:
        found = cohen_kappa(ONE, OTHER, TEN, weights)
        assert found is not None
        assert found.value == pytest.approx(expected[weights], abs=1e-12)
    assert expected["none"] == pytest.approx(6 / 11)
    assert expected["quadratic"] == pytest.approx(0.8)


def test_fleiss_kappa_by_hand() -> None:
    # Agreeing pairs: 1, 1, 1/3, 1/3, so 2/3 in the mean; by chance 1/9 + 1/4 + 1/36 = 7/18.
    found = fleiss_kappa(np.array([[3, 0, 0], [0, 3, 0], [1, 2, 0], [0, 1, 2]]), np.arange(4))
    assert found is not None
    assert found.value == pytest.approx((2 / 3 - 7 / 18) / (11 / 18), abs=1e-12)
    assert found.value == pytest.approx(5 / 11)


@pytest.mark.parametrize("weights", ALL)
@pytest.mark.parametrize("seed", range(5))
def test_cohens_kappa_and_interval_agree_with_scikit_learn_and_statsmodels(weights: Weights, seed: int) -> None:
    from sklearn.metrics import cohen_kappa_score
    from statsmodels.stats.inter_rater import cohens_kappa

    rng = np.random.default_rng(seed)
    one = rng.integers(3, size=60)
    other = np.where(rng.random(60) < 0.6, one, rng.integers(3, size=60))
    found = cohen_kappa(one, other, np.arange(60), weights)
    assert found is not None and found.interval is not None
    name = None if weights == "none" else weights
    assert found.value == pytest.approx(cohen_kappa_score(one, other, labels=[0, 1, 2], weights=name), abs=1e-12)
    table = np.bincount(one * 3 + other, minlength=9).reshape(3, 3)
    theirs = cohens_kappa(table, wt=name)
    assert found.value == pytest.approx(theirs.kappa, abs=1e-12)
    assert found.interval == pytest.approx((theirs.kappa_low, theirs.kappa_upp), abs=1e-9)


def test_fleiss_kappa_agrees_with_statsmodels() -> None:
    from statsmodels.stats.inter_rater import fleiss_kappa as theirs

    rng = np.random.default_rng(1)
    counts = rng.multinomial(4, [0.5, 0.2, 0.3], size=50)
    counts[:25] = np.eye(3, dtype=int)[rng.integers(3, size=25)] * 4
    found = fleiss_kappa(counts, np.arange(50))
    assert found is not None
    assert found.value == pytest.approx(theirs(counts, method="fleiss"), abs=1e-12)


def test_fleiss_kappa_of_an_unbalanced_design() -> None:
    """Cases that one reader read say nothing; the others count the same whether two or three read them."""
    counts = np.array([[2, 0, 0], [0, 3, 0], [1, 1, 0], [0, 0, 1]])
    found, without = fleiss_kappa(counts, np.arange(4)), fleiss_kappa(counts[:3], np.arange(3))
    assert found == without
    # Agreeing 1, 1, 0; shares (1.5, 1.5, 0) / 3.
    assert found is not None
    assert found.value == pytest.approx((2 / 3 - 1 / 2) / (1 / 2))


@pytest.mark.parametrize("weights", ALL)
def test_kappa_is_not_defined_when_both_always_name_one_class(weights: Weights) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert cohen_kappa(np.ones(5, int), np.ones(5, int), np.arange(5), weights) is None
        assert cohen_kappa(np.array([], int), np.array([], int), np.array([]), weights) is None
    assert fleiss_kappa(np.array([[0, 2, 0], [0, 3, 0]]), np.arange(2)) is None


def test_full_agreement_has_no_interval() -> None:
    found = cohen_kappa(ONE, ONE, TEN, "quadratic")
    assert found is not None
    assert found.value == 1 and found.interval is None


def test_images_of_one_patient_do_not_narrow_the_interval() -> None:
    """Every image three times as three images of a patient: the same kappa, and the interval of the patients."""
    once = cohen_kappa(ONE, OTHER, TEN, "linear")
    thrice = cohen_kappa(np.repeat(ONE, 3), np.repeat(OTHER, 3), np.repeat(TEN, 3), "linear")
    assert once is not None and thrice is not None and thrice.interval is not None
    assert thrice.value == pytest.approx(once.value)
    assert thrice.interval == pytest.approx(once.interval)
    counts = np.array([[3, 0, 0], [0, 3, 0], [1, 2, 0], [0, 1, 2]])
    alone, copied = fleiss_kappa(counts, np.arange(4)), fleiss_kappa(np.repeat(counts, 2, axis=0), np.repeat(np.arange(4), 2))
    assert alone is not None and copied is not None and copied.interval is not None
    assert copied.interval == pytest.approx(alone.interval)


@pytest.mark.parametrize("of_a_patient", [1, 3])
def test_the_intervals_hold_the_truth_as_often_as_they_say(of_a_patient: int) -> None:
    """Drawn studies whose kappas are known from 200,000 images; images of a patient are alike."""
    rng = np.random.default_rng(3)

    def drawn(patients: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        truth = rng.integers(3, size=patients).repeat(of_a_patient)
        hard = (rng.random(patients) < 0.4).repeat(of_a_patient)
        one, other = (
            np.where(hard & (rng.random(len(truth)) < 0.8), rng.integers(3, size=len(truth)), truth) for _ in range(2)
        )
        return one, other, np.arange(patients).repeat(of_a_patient)

    def rows(one: np.ndarray, other: np.ndarray) -> np.ndarray:
        counted: np.ndarray = np.eye(3, dtype=int)[one] + np.eye(3, dtype=int)[other]
        return counted

    one, other, patients = drawn(200_000 // of_a_patient)
    known, of_all = cohen_kappa(one, other, patients, "quadratic"), fleiss_kappa(rows(one, other), patients)
    assert known is not None and of_all is not None
    held = held_by_all = 0
    for _ in range(400):
        one, other, patients = drawn(60)
        found, fleiss = cohen_kappa(one, other, patients, "quadratic"), fleiss_kappa(rows(one, other), patients)
        assert found is not None and found.interval is not None and fleiss is not None and fleiss.interval is not None
        held += found.interval[0] <= known.value <= found.interval[1]
        held_by_all += fleiss.interval[0] <= of_all.value <= fleiss.interval[1]
    assert 0.90 <= held / 400 <= 0.98
    assert 0.90 <= held_by_all / 400 <= 0.98


def test_wilsons_interval_by_hand() -> None:
    found = share(np.array([True] * 7 + [False] * 3), TEN)
    assert found is not None
    z = 1.959963984540054
    middle = (0.7 + z**2 / 20) / (1 + z**2 / 10)
    reach = z / (1 + z**2 / 10) * math.sqrt(0.7 * 0.3 / 10 + z**2 / 400)
    assert (found.count, found.of) == (7, 10)
    assert found.interval == pytest.approx((middle - reach, middle + reach))
    assert share(np.array([], bool), np.array([])) is None


def test_copies_of_an_image_do_not_narrow_a_share() -> None:
    hits = np.array([True] * 7 + [False] * 3)
    once, twice = share(hits, TEN), share(hits.repeat(2), TEN.repeat(2))
    assert once is not None and twice is not None
    assert (twice.count, twice.of) == (14, 20)
    assert twice.interval == pytest.approx(once.interval)
    surely = share(np.ones(20, bool), TEN.repeat(2))
    alone = share(np.ones(10, bool), TEN)
    assert surely is not None and alone is not None
    assert surely.interval == pytest.approx(alone.interval)


def test_mean_of_differences() -> None:
    found = mean(np.array([1.0, 0, 0, -1, 1, 0]), np.arange(6))
    assert found is not None and found.interval is not None
    error = math.sqrt(np.var([1, 0, 0, -1, 1, 0]) / 6)
    assert found.value == pytest.approx(1 / 6)
    assert found.interval[0] == pytest.approx(1 / 6 - 1.959963984540054 * error)
    assert mean(np.array([]), np.array([])) is None
