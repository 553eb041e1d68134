"""DeLong's variance, intervals and tests: published examples, brute force, and sums by patient."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from OsteoScreenLib.errors import InputError
from OsteoScreenLib.study.evaluation.delong import compare, compare_independent, delong

# Patients with ovarian cancer of DeLong, DeLong and Clarke-Pearson 1988, as many as have all tests, printed in the SAS/STAT User's
# Guide with the results below ("Comparing Receiver Operating Characteristic Curves"): albumin, total protein, K-G score, benefit.
_PRINTED = """
    3.0 5.8 10 0  3.2 6.3 5 1  3.9 6.8 3 1  2.8 4.8 6 0  3.2 5.8 3 1  0.9 4.0 5 0  2.5 5.7 8 0  1.6 5.6 5 1  3.8 5.7 5 1
    3.7 6.7 6 1  3.2 5.4 4 1  3.8 6.6 6 1  4.1 6.6 5 1  3.6 5.7 5 1  4.3 7.0 4 1  3.6 6.7 4 0  2.3 4.4 6 1  4.2 7.6 4 0
    4.0 6.6 6 0  3.5 5.8 6 1  3.8 6.8 7 1  3.0 4.7 8 0  4.5 7.4 5 1  3.7 7.4 5 1  3.1 6.6 6 1  4.1 8.2 6 1  4.3 7.0 5 1
    4.3 6.5 4 1  3.2 5.1 5 1  2.6 4.7 6 1  3.3 6.8 6 0  1.7 4.0 7 0  3.7 6.1 5 1  3.3 6.3 7 1  4.2 7.7 6 1  3.5 6.2 5 1
    2.9 5.7 9 0  2.1 4.8 7 1  2.8 6.2 8 0  4.0 7.0 7 1  3.3 5.7 6 1  3.7 6.9 5 1  3.6 6.6 5 1
"""
OVARIAN = np.fromstring(_PRINTED, sep=" ").reshape(-1, 4)


def test_the_ovarian_example_gives_the_published_areas_errors_and_tests() -> None:
    """Albumin, K-G score and total protein: areas, standard errors, 95 % limits, differences, chi-squares."""
    albumin, protein, score, benefit = OVARIAN.T
    found = delong(np.stack([albumin, 10 - score, protein]), benefit == 1)
    np.testing.assert_allclose(found.area, [0.7366, 0.7258, 0.6478], atol=5e-5)
    np.testing.assert_allclose([found.standard_error(k) for k in range(3)], [0.0927, 0.1028, 0.1000], atol=5e-5)
    limits = [(0.5549, 0.9182), (0.5243, 0.9273), (0.4518, 0.8439)]
    for k, (low, high) in enumerate(limits):
        made = found.interval(k, "plain")
        assert (made.low, made.high) == (pytest.approx(low, abs=5e-5), pytest.approx(high, abs=5e-5))
    first, second = compare(found, 0, 1), compare(found, 2, 1)
    assert (first.value.value, first.value.low, first.value.high) == pytest.approx((0.0108, -0.1761, 0.1976), abs=5e-5)
    assert (first.z**2, first.p) == (pytest.approx(0.0127, abs=5e-5), pytest.approx(0.9102, abs=5e-5))
    assert (second.value.value, second.z**2, second.p) == pytest.approx((-0.0780, 0.5554, 0.4561), abs=5e-5)
    contrast = np.array([[1, -1, 0], [0, -1, 1]])
    apart = contrast @ found.area
    assert apart @ np.linalg.solve(contrast @ found.covariance @ contrast.T, apart) == pytest.approx(2.5340, abs=5e-5)


def test_the_ratings_of_hanley_and_mcneil() -> None:
    """The 109 CT ratings of Hanley and McNeil 1982: area 0.8932, DeLong's error 0.0307, limits 0.83295 and 0.95339 (Stata, roctab)."""
    ratings = np.arange(1, 6)
    abnormal, normal = np.repeat(ratings, [3, 2, 2, 11, 33]), np.repeat(ratings, [33, 6, 6, 11, 2])
    found = delong(np.concatenate([abnormal, normal]), np.repeat([True, False], [51, 58]))
    made = found.interval(scale="plain")
    assert found.area[0] == pytest.approx(0.8932, abs=5e-5) and found.standard_error() == pytest.approx(0.0307, abs=5e-5)
    assert (made.low, made.high) == (pytest.approx(0.83295, abs=5e-6), pytest.approx(0.95339, abs=5e-6))


def test_four_images_by_hand() -> None:
    """Positives 3 and 4 against negatives 1 and 3.5: components 0.5, 1 and 1, 0.5, so area 0.75 and variance 0.125/2 + 0.125/2."""
    found = delong(np.array([3, 4, 1, 3.5]), np.array([True, True, False, False]))
    assert found.area[0] == 0.75 and found.covariance[0, 0] == pytest.approx(0.125)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(8, 40), st.integers(2, 12))
def test_midranks_give_what_every_pair_gives(seed: int, images: int, levels: int) -> None:
    """Structural components from all pairs, in two loops, for three scores with ties; and the area is scikit-learn's."""
    rng = np.random.default_rng(seed)
    scores, positive = rng.integers(0, levels, (3, images)).astype(float), np.arange(images) % 3 == 0
    found = delong(scores, positive)
    above, below = scores[:, positive], scores[:, ~positive]
    kernel = np.array(
        [[[1.0 if x > y else 0.5 if x == y else 0.0 for y in b] for x in a] for a, b in zip(above, below, strict=True)]
    )
    v10, v01 = kernel.mean(axis=2), kernel.mean(axis=1)
    np.testing.assert_allclose(found.covariance, np.cov(v10) / v10.shape[1] + np.cov(v01) / v01.shape[1], atol=1e-12)
    for row, area in zip(scores, found.area, strict=True):
        assert area == pytest.approx(roc_auc_score(positive, row), abs=1e-12)


def test_by_patients_is_the_same_where_each_has_one_image_and_obuchowskis_where_not() -> None:
    rng = np.random.default_rng(3)
    positive = rng.random(60) < 0.4
    scores = rng.normal(size=(2, 60)) + positive
    alone = delong(scores, positive)
    np.testing.assert_allclose(delong(scores, positive, np.arange(60)).covariance, alone.covariance, atol=1e-14)
    owner = rng.integers(0, 20, 60)
    found = delong(scores, positive, owner)
    # Her formulas, patient by patient.
    kernel = (scores[:, positive][:, :, None] > scores[:, ~positive][:, None]).astype(float)
    v10, v01, area = kernel.mean(axis=2), kernel.mean(axis=1), kernel.mean(axis=(1, 2))
    m, n, names = int(positive.sum()), int((~positive).sum()), np.unique(owner)
    x = np.array([(v10[:, owner[positive] == one] - area[:, None]).sum(axis=1) for one in names])
    y = np.array([(v01[:, owner[~positive] == one] - area[:, None]).sum(axis=1) for one in names])
    i10, i01, i = len(np.unique(owner[positive])), len(np.unique(owner[~positive])), len(names)
    s10, s01, s11 = i10 / ((i10 - 1) * m) * x.T @ x, i01 / ((i01 - 1) * n) * y.T @ y, i / (i - 1) * x.T @ y
    np.testing.assert_allclose(found.covariance, s10 / m + s01 / n + (s11 + s11.T) / (m * n), atol=1e-14)


def test_copies_of_an_image_do_not_make_an_interval_by_patients_narrower() -> None:
    rng = np.random.default_rng(4)
    positive = np.arange(50) < 20
    scores = rng.normal(size=50) + positive
    once = delong(scores, positive).standard_error()
    twice = delong(np.tile(scores, 2), np.tile(positive, 2), np.tile(np.arange(50), 2)).standard_error()
    naive = delong(np.tile(scores, 2), np.tile(positive, 2)).standard_error()
    assert twice == pytest.approx(once, rel=0.01) and naive < 0.75 * once


def test_what_has_no_variance_and_no_area() -> None:
    ordered = delong(np.stack([np.arange(6.0), np.arange(6.0) ** 3]), np.arange(6) > 2)
    assert ordered.area.tolist() == [1, 1] and ordered.interval().low == ordered.interval().high == 1
    assert (compare(ordered).z, compare(ordered).p) == (0, 1)
    assert np.isnan(delong(np.arange(3.0), np.array([False, False, True])).covariance).all()
    with pytest.raises(InputError, match="no positive one") as error:
        delong(np.arange(3.0), np.zeros(3, bool))
    assert error.value.code == "one-class"


def test_two_cohorts_differ_by_the_sum_of_their_variances() -> None:
    rng = np.random.default_rng(5)
    one, other = (delong(rng.normal(size=80) + shift * (np.arange(80) < 30), np.arange(80) < 30) for shift in (2.0, 0.4))
    gap = compare_independent(one, other)
    assert gap.z == pytest.approx((one.area[0] - other.area[0]) / np.hypot(one.standard_error(), other.standard_error()))
    assert gap.p < 0.001 and gap.value.low > 0
