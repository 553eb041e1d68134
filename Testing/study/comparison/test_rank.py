"""Correlations over models: equal to SciPy's, with intervals that widen as patients get fewer, and honest about few models."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import roc_auc_score

from OsteoScreenLib.study.comparison.drawn_measures import DrawnMeasures, Explained, Scored, draw_measures
from OsteoScreenLib.study.comparison.rank import agreement, correlate, critical_rho, kendall, spearman, standings


def drawn(patients: int, models: int = 12, seed: int = 0, together: float = 1.0, draws: int = 300) -> DrawnMeasures:
    """Models whose skill rises one after the other; their overlap rises with it (`together` 1) or falls (−1)."""
    rng = np.random.default_rng(seed)
    positive = rng.random(patients) < 0.4
    of_patient = [f"P{i}" for i in range(patients)]
    made = []
    for i in range(models):
        skill = 0.3 + 0.15 * i
        scores = skill * positive + rng.normal(size=patients)
        iou = np.clip(0.4 + together * 0.01 * i + 0.05 * rng.normal(size=patients), 0, 1)
        made.append(Scored(f"model {i}", scores, Explained(scores, rng.normal(size=patients), iou)))
    return draw_measures(made, of_patient, positive, draws, seed=1)


def test_the_first_column_is_what_scipy_and_scikit_learn_give() -> None:
    rng = np.random.default_rng(3)
    positive = rng.random(80) < 0.5
    models = [Scored(str(i), np.round(positive * 0.2 * i + rng.random(80), 1)) for i in range(7)]
    found = draw_measures(models, [f"P{i // 2}" for i in range(80)], positive, draws=20)
    assert found.auc[:, 0] == pytest.approx([roc_auc_score(positive, model.scores) for model in models])
    assert np.isnan(found.iou).all() and np.isnan(found.delta).all()
    a, b = rng.integers(0, 5, (7, 30)).astype(float), rng.random((7, 30))
    assert spearman(a, b) == pytest.approx([stats.spearmanr(a[:, i], b[:, i])[0] for i in range(30)])
    assert kendall(a, b) == pytest.approx([stats.kendalltau(a[:, i], b[:, i])[0] for i in range(30)])
    a[:, 4] = 1.0
    assert np.isnan(spearman(a, b)[4]) and np.isnan(kendall(a, b)[4])


def test_images_that_were_not_measured_are_left_out_of_delta_alone() -> None:
    rng = np.random.default_rng(5)
    positive = rng.random(60) < 0.5
    scores, covered, iou = positive + rng.normal(size=60), rng.normal(size=60), rng.random(60)
    gone = np.arange(60) < 9
    explained = Explained(*(np.where(gone, np.nan, values) for values in (scores, covered, iou)))
    found = draw_measures([Scored("one", scores, explained)], [str(i) for i in range(60)], positive, draws=5)
    assert found.auc[0, 0] == pytest.approx(roc_auc_score(positive, scores))
    no_bone = max(roc_auc_score(positive[9:], covered[9:]), 0.5)
    assert found.delta[0, 0] == pytest.approx(roc_auc_score(positive[9:], scores[9:]) - no_bone)
    assert found.iou[0, 0] == pytest.approx(iou[9:].mean())


@pytest.mark.parametrize("together", [1.0, -1.0])
def test_the_correlation_has_the_right_sign_and_more_patients_narrow_it(together: float) -> None:
    few, many = (drawn(patients, together=together) for patients in (60, 2000))
    found = correlate(many, "IoU", many.iou)
    loose = correlate(few, "IoU", few.iou)
    assert found.rho is not None and loose.rho is not None
    assert together * found.rho.value > 0.8 and together * found.rho.low > 0.5 and together * found.rho.high > 0.5
    assert loose.rho.high - loose.rho.low > found.rho.high - found.rho.low
    assert "12 models" in found.sentence and "about 0.58" in found.sentence and "this one does." in found.sentence


def test_few_models_are_told_as_such() -> None:
    four = drawn(300, models=4)
    assert critical_rho(4) is None and "So few models cannot" in correlate(four, "IoU", four.iou).sentence
    two = drawn(300, models=2)
    found = correlate(two, "IoU", two.iou)
    assert found.rho is None and "only 2 models" in found.sentence
    nothing = correlate(four, "IoU", np.full_like(four.iou, np.nan))
    assert nothing.rho is None and nothing.models == 0
    # Critical values of Student's approximation against the exact table for 12 (0.587) and 30 (0.362).
    assert critical_rho(12) == pytest.approx(0.587, abs=0.015) and critical_rho(30) == pytest.approx(0.362, abs=0.005)


def test_ranks_come_with_how_sure_they_are() -> None:
    places = standings(drawn(400))
    assert [one.rank for one in sorted(places, key=lambda one: -one.auc)] == sorted(one.rank for one in places)
    assert {one.rank for one in places} == set(range(1, 13))
    assert all(one.low <= one.high for one in places) and any(one.high - one.low >= 2 for one in places)


def test_seeds_that_rank_alike_and_seeds_that_do_not() -> None:
    first, second = drawn(400, seed=0), drawn(400, seed=8)
    same = agreement(first, first, (0, 1))
    assert same.tau is not None and (same.tau.value, same.tau.low, same.tau.high) == (1, 1, 1)
    other = agreement(first, second, (0, 1))
    assert other.tau is not None and other.tau.value < 1
    assert other.tau.value == pytest.approx(stats.kendalltau(first.auc[:, 0], second.auc[:, 0])[0])
    turned = DrawnMeasures(first.names, -first.auc, first.iou, first.delta)
    against = agreement(first, turned, (0, 1))
    assert against.tau is not None and against.tau.value == -1 and "-1.000" in against.sentence
