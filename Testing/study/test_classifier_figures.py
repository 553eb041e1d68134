"""Density classes, calibration, operating points and AUCs of the embedded classifier's training."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("torch")

from OsteoScreenLib.classifier.truth_cells import class_of
from OsteoScreenLib.simulate.bone_loss import DensityLine
from OsteoScreenLib.study.classifier_figures import (
    Interval,
    LeftOut,
    Measured,
    auc_interval,
    best_temperature,
    classifier_figures,
    keep_figures,
    kept_figures,
    softmax,
    youden,
)
from OsteoScreenLib.study.density import density_at, random_t_score


@pytest.mark.parametrize(("t_score", "label"), [(1.0, 0), (-1.0, 0), (-1.01, 1), (-2.49, 1), (-2.5, 2), (-4.0, 2)])
def test_classes_have_the_borders_of_the_who(t_score, label):
    assert class_of(t_score) == label


def test_random_t_scores_stay_in_their_class():
    rng = np.random.default_rng(0)
    for label in range(3):
        assert {class_of(random_t_score(rng, label)) for _ in range(500)} == {label}


def test_less_density_at_lower_t_scores():
    line = DensityLine(-0.5, -1.5)
    thick, thin = (density_at(t, line, np.random.default_rng(0)) for t in (0.0, -3.0))
    assert thin.trabecular < thick.trabecular and thin.cortical < thick.cortical
    assert 1 - thin.trabecular / thick.trabecular > 1 - thin.cortical / thick.cortical


def test_temperature_undoes_overconfidence():
    rng = np.random.default_rng(1)
    honest = rng.normal(0, 1.5, (6000, 3))
    chances = softmax(honest)
    labels = (rng.random((6000, 1)) > chances.cumsum(axis=1)).sum(axis=1).clip(0, 2)
    assert best_temperature(honest * 3, labels) == pytest.approx(3, rel=0.1)


def test_youden_splits_what_can_be_split():
    scores = np.array([0.1, 0.2, 0.35, 0.6, 0.7, 0.9])
    assert 0.35 < youden(scores, scores > 0.5) < 0.6


def test_figures_of_a_perfect_and_of_a_useless_classifier():
    labels = np.tile([0, 1, 2, 0, 1, 2], 4)
    bodies = np.repeat(np.arange(4), 6)
    perfect = np.eye(3)[labels] * 0.9 + 0.1 / 3
    figures = classifier_figures(perfect, labels, bodies, (0.5, 0.5))
    assert figures.osteoporosis == figures.low_bone_mass == figures.osteoporosis_within == 1
    assert np.array_equal(figures.confusion, np.diag([8, 8, 8]))
    blind = classifier_figures(np.full((24, 3), 1 / 3), labels, bodies, (0.5, 0.5))
    assert blind.osteoporosis == blind.low_bone_mass_within == 0.5
    assert blind.log_loss == pytest.approx(np.log(3))


def test_within_bodies_forgives_what_bodies_differ_in():
    labels = np.tile([0, 2], 10)
    bodies = np.repeat(np.arange(10), 2)
    worst = np.linspace(0.05, 0.6, 10).repeat(2) + np.where(labels == 2, 0.02, 0)
    probabilities = np.stack([1 - worst, np.zeros(20), worst], axis=1)
    figures = classifier_figures(probabilities, labels, bodies, (0.5, 0.5))
    assert figures.osteoporosis_within == 1 and figures.osteoporosis < 0.7


def test_intervals_hold_the_value_and_widen_when_clusters_agree():
    rng = np.random.default_rng(0)
    positive = np.arange(400) % 2 == 1
    scores = positive + rng.normal(0, 1.5, 400)
    alone = auc_interval(scores, positive, np.arange(400))
    assert alone.low < alone.value < alone.high and alone.excludes_chance
    shared = rng.normal(0, 3, 10)[np.arange(400) // 40]
    wide = auc_interval(scores + shared, positive, np.arange(400) // 40)
    assert wide.high - wide.low > 0
    chance = auc_interval(rng.normal(size=400), positive, np.arange(400))
    assert not chance.excludes_chance


def test_figures_of_runs_without_a_source_come_back(tmp_path):
    labels = np.tile([0, 1, 2], 8)
    figures = classifier_figures(np.eye(3)[labels], labels, np.arange(24) // 3, (0.5, 0.5))
    row = Measured("untouched", 24, 8, Interval(0.9, 0.8, 0.95), Interval(0.85, 0.7, 0.9))
    keep_figures(tmp_path, "lidc2", 130, figures, (row, row))
    assert kept_figures(tmp_path) == (LeftOut("lidc2", 130, 1.0, (row, row)),)


def test_sensitivity_and_specificity_of_a_decision():
    """Against counting by hand, with the ordinal rule: osteoporosis first, then low bone mass."""
    from OsteoScreenLib.classifier.prediction import OperatingPoints, decide
    from OsteoScreenLib.study.point_performance import confusion_at, performance_of

    rng = np.random.default_rng(4)
    probabilities, labels = rng.dirichlet([1, 1, 1], 300), rng.integers(0, 3, 300)
    points = OperatingPoints(0.4, 0.6)
    decided = [("normal", "osteopenia", "osteoporosis").index(decide(one, points).decision) for one in probabilities]
    told = performance_of(confusion_at(probabilities, labels, points), "300 draws")
    for name, lowest in (("osteoporosis", 2), ("low_bone_mass", 1)):
        yes, truth = np.array(decided) >= lowest, labels >= lowest
        assert told[name]["sensitivity"] == pytest.approx((yes & truth).sum() / truth.sum())
        assert told[name]["specificity"] == pytest.approx((~yes & ~truth).sum() / (~truth).sum())
        assert told[name]["positives"] + told[name]["negatives"] == 300
    assert "osteoporosis" not in performance_of(np.diag([3, 4, 0]), "no osteoporosis")
    assert performance_of(np.zeros((3, 3), int), "nothing") == {}
