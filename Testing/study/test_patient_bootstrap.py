"""AUCs from counts, and intervals that cover what they should when images of one patient are alike."""

from __future__ import annotations

import math
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from OsteoScreenLib.study.patient_bootstrap import MeanOfDefined, RankedScores, interval, patient_draws


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(4, 60), st.integers(1, 30))
def test_the_auc_is_scikit_learns_ties_and_counts_included(seed: int, images: int, levels: int) -> None:
    rng = np.random.default_rng(seed)
    scores, positive = rng.integers(0, levels, images) / levels, np.arange(images) % 3 == 0
    counts = rng.integers(0, 4, (images, 5)).astype(float)
    counts[:2] += 1  # one of each class at least
    found = RankedScores(scores, positive).auc(np.hstack([np.ones((images, 1)), counts]))
    assert found[0] == pytest.approx(roc_auc_score(positive, scores), abs=1e-12)
    for draw in range(5):
        expected = roc_auc_score(positive, scores, sample_weight=counts[:, draw])
        assert found[1 + draw] == pytest.approx(expected, abs=1e-12)


def test_an_auc_without_one_of_the_classes_is_not_defined() -> None:
    ranked = RankedScores(np.arange(4.0), np.array([True, True, False, False]))
    counts = np.array([[1.0, 0, 1], [1, 0, 1], [1, 1, 0], [1, 1, 0]])
    assert ranked.auc(counts)[0] == 0 and np.isnan(ranked.auc(counts)[1:]).all()
    assert np.isnan(RankedScores(np.arange(3.0), np.ones(3, bool)).auc(np.ones((3, 2)))).all()
    assert interval(np.nan, np.ones(5)) is None and interval(0.5, np.full(5, np.nan)) is None


def test_a_mean_takes_the_images_where_it_is_defined() -> None:
    values = np.array([[1.0, np.nan, 4.0], [np.nan] * 3])
    counts = np.array([[1.0, 2, 0], [1, 5, 1], [1, 1, 0]])
    np.testing.assert_allclose(MeanOfDefined(values).mean(counts), [[2.5, 2.0, np.nan], [np.nan] * 3])


def test_draws_take_whole_patients_and_the_seed_decides() -> None:
    patients = ["b", "a", "b", "c", "a", "b"]
    draws = np.concatenate(list(patient_draws(patients, 700, 3)), axis=1)
    assert draws.shape == (6, 700) and (draws[0] == draws[2]).all() and (draws[1] == draws[4]).all()
    assert (draws[[0, 1, 3]].sum(axis=0) == 3).all() and draws[[0, 1, 3]].mean() == pytest.approx(1)
    np.testing.assert_array_equal(draws, np.concatenate(list(patient_draws(patients, 700, 3)), axis=1))
    assert (draws != np.concatenate(list(patient_draws(patients, 700, 4)), axis=1)).any()


def test_intervals_cover_the_truth_about_as_often_as_they_say() -> None:
    """Patients with one to four images that are nearly alike: drawing patients covers the true AUC, drawing images does not."""
    rng = np.random.default_rng(7)
    distance, between, within = 1.2, 1.0, 0.3
    truth = 0.5 * (1 + math.erf(distance / math.sqrt(2 * (between**2 + within**2)) / math.sqrt(2)))
    runs, covered = 200, {"patients": 0, "images": 0}
    for run in range(runs):
        of_patient = np.repeat(np.arange(70), rng.integers(1, 5, 70))
        positive = (of_patient % 3 == 0).astype(bool)
        scores = distance * positive + (between * rng.normal(size=70))[of_patient] + within * rng.normal(size=len(of_patient))
        ranked = RankedScores(scores, positive)
        for of, names in (("patients", of_patient.astype(str)), ("images", np.arange(len(of_patient)).astype(str))):
            drawn = np.concatenate([ranked.auc(counts) for counts in patient_draws(list(names), 400, run)])
            found = interval(float(ranked.auc(np.ones((len(scores), 1)))[0]), drawn)
            assert found is not None
            covered[of] += found.low <= truth <= found.high
    assert 0.89 <= covered["patients"] / runs <= 0.985, covered
    assert covered["images"] < covered["patients"] - 0.08 * runs, covered


def test_two_thousand_draws_of_every_row_take_seconds() -> None:
    rng = np.random.default_rng(0)
    positive, patients = rng.random(1000) < 0.3, [str(p) for p in rng.integers(0, 700, 1000)]
    ranked = [RankedScores(scores, positive) for scores in rng.random((53, 1000))]
    begun = time.perf_counter()
    drawn = np.concatenate(
        [np.stack([one.auc(counts) for one in ranked]) for counts in patient_draws(patients, 2000, 0)], axis=1
    )
    assert drawn.shape == (53, 2000) and time.perf_counter() - begun < 15
