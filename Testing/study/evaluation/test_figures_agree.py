"""Every figure of an evaluation is the reference library's, on the same predictions."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, brier_score_loss, cohen_kappa_score, confusion_matrix, log_loss, roc_auc_score
from sklearn.metrics import roc_curve as sklearn_roc
from statsmodels.formula.api import ols
from study.evaluation.synthetic import synthetic

from OsteoScreenLib.study.evaluation.agreement import agreement_of
from OsteoScreenLib.study.evaluation.baseline import People, baselines
from OsteoScreenLib.study.evaluation.calibration import binned, expected_error, quantile_edges, recalibration
from OsteoScreenLib.study.evaluation.drift import drift_between, stability_index
from OsteoScreenLib.study.evaluation.evaluate import Evaluation, EvaluationOptions, evaluate
from OsteoScreenLib.study.evaluation.net_benefit import THRESHOLDS, NetBenefit
from OsteoScreenLib.study.evaluation.operating_points import sensitivity_threshold, youden_threshold
from OsteoScreenLib.study.evaluation.ordinal import quadratic_kappa
from OsteoScreenLib.study.evaluation.patient_level import by_patient, mixed_patients
from OsteoScreenLib.study.evaluation.predictions import Predictions

VALIDATION, TEST = synthetic(200, 1, most_images=2, name="v"), synthetic(250, 2, most_images=3, name="t")
POSITIVE = TEST.label == 2


@pytest.fixture(scope="module")
def evaluation() -> Evaluation:
    return evaluate(VALIDATION, TEST, EvaluationOptions(prevalence=0.05, draws=200, seed=3))


def test_areas_are_scikit_learns(evaluation: Evaluation) -> None:
    found = {one.question: one for one in evaluation.per_image.aucs}
    assert found["osteoporosis"].value == pytest.approx(roc_auc_score(POSITIVE, TEST.osteoporosis), abs=1e-12)
    assert found["low bone mass"].value == pytest.approx(roc_auc_score(TEST.label >= 1, TEST.low_bone_mass), abs=1e-12)
    for place, name in enumerate(("normal", "osteopenia")):
        assert found[name].value == pytest.approx(roc_auc_score(TEST.label == place, TEST.probabilities[:, place]), abs=1e-12)
    macro = roc_auc_score(TEST.label, TEST.probabilities, multi_class="ovr", average="macro")
    assert found["macro"].value == pytest.approx(macro, abs=1e-12)
    for one in found.values():
        assert one.bootstrap is not None and one.bootstrap.low < one.value < one.bootstrap.high
    assert found["osteoporosis"].positives == POSITIVE.sum() and found["osteoporosis"].negatives == (~POSITIVE).sum()


def test_per_patient_is_the_mean_probability_and_the_worst_class(evaluation: Evaluation) -> None:
    table = pd.DataFrame({"patient": TEST.patient, "p": TEST.osteoporosis, "label": TEST.label}).groupby("patient")
    expected = roc_auc_score(table["label"].max() == 2, table["p"].mean())
    auc = evaluation.per_patient.auc()
    assert auc is not None and auc.value == pytest.approx(expected, abs=1e-12)
    assert (auc.positives or 0) + (auc.negatives or 0) == evaluation.per_patient.count == TEST.patients
    assert by_patient(by_patient(TEST)).patient.tolist() == by_patient(TEST).patient.tolist()


def test_decisions_are_counted_at_thresholds_of_the_validation_images(evaluation: Evaluation) -> None:
    false_rate, true_rate, thresholds = sklearn_roc(VALIDATION.label == 2, VALIDATION.osteoporosis, drop_intermediate=False)
    best = thresholds[np.argmax(true_rate - false_rate)]
    assert youden_threshold(VALIDATION.osteoporosis, VALIDATION.label == 2) <= best
    found = evaluation.per_image.at("osteoporosis", "Youden")
    assert found is not None and found.sensitivity is not None and found.specificity is not None
    yes = TEST.osteoporosis >= found.point.threshold
    tn, fp, fn, tp = confusion_matrix(POSITIVE, yes).ravel()
    assert (found.true_negatives, found.false_positives, found.false_negatives, found.true_positives) == (tn, fp, fn, tp)
    assert (found.sensitivity.count, found.sensitivity.of) == (tp, POSITIVE.sum())
    assert (found.specificity.count, found.specificity.of) == (tn, (~POSITIVE).sum())
    assert found.accuracy is not None and found.accuracy.wilson.value == accuracy_score(POSITIVE, yes)
    assert found.ppv is not None and (found.ppv.count, found.ppv.of) == (tp, tp + fp)
    assert found.npv is not None and (found.npv.count, found.npv.of) == (tn, tn + fn)
    clustered = found.sensitivity.clustered
    assert clustered is not None and clustered.low < found.sensitivity.wilson.value < clustered.high


def test_a_threshold_at_a_sensitivity_is_the_highest_that_reaches_it() -> None:
    scores, positive = VALIDATION.osteoporosis, VALIDATION.label == 2
    for wanted in (0.5, 0.9, 1.0):
        threshold = sensitivity_threshold(scores, positive, wanted)
        assert (scores[positive] >= threshold).mean() >= wanted
        above = scores[scores > threshold].min()
        assert (scores[positive] > above).mean() < wanted
    flat = np.array([0.2, 0.2, 0.9, 0.9])
    assert youden_threshold(flat, np.array([False, False, True, True])) == pytest.approx(0.55)


def test_classes_kappa_and_scores_are_scikit_learns(evaluation: Evaluation) -> None:
    ordinal, calibration = evaluation.per_image.ordinal, evaluation.per_image.calibration
    points = ordinal.thresholds
    decided = np.where(
        TEST.osteoporosis >= points["osteoporosis"], 2, np.where(TEST.low_bone_mass >= points["low bone mass"], 1, 0)
    )
    assert [list(row) for row in ordinal.confusion] == confusion_matrix(TEST.label, decided).tolist()
    assert ordinal.accuracy is not None and ordinal.accuracy.wilson.value == accuracy_score(TEST.label, decided)
    kappa = cohen_kappa_score(TEST.label, decided, weights="quadratic")
    assert ordinal.kappa is not None and ordinal.kappa.value == pytest.approx(kappa, abs=1e-12)
    assert calibration.brier is not None and calibration.log_loss is not None
    assert calibration.brier.value == pytest.approx(brier_score_loss(POSITIVE, TEST.osteoporosis), abs=1e-12)
    assert calibration.log_loss.value == pytest.approx(log_loss(TEST.label, TEST.probabilities), abs=1e-9)
    assert np.isnan(quadratic_kappa(np.array([[9.0], *[[0.0]] * 8]))).all()


def test_slope_and_intercept_are_those_of_two_other_libraries_ways() -> None:
    """scikit-learn's unpenalised regression, statsmodels' Logit, and Newton's steps by hand for the intercept."""
    odds = np.log(TEST.osteoporosis / (1 - TEST.osteoporosis))
    slope, intercept = recalibration(TEST.osteoporosis, POSITIVE, TEST.patient)
    assert slope is not None and intercept is not None
    fitted = LogisticRegression(C=np.inf, tol=1e-10, max_iter=1000).fit(odds[:, None], POSITIVE)
    assert slope.value == pytest.approx(fitted.coef_[0, 0], abs=1e-5)
    held = sm.Logit(POSITIVE.astype(float), sm.add_constant(odds)).fit(disp=0)
    assert slope.value == pytest.approx(held.params[1], abs=1e-6)
    a = 0.0
    for _ in range(50):
        p = 1 / (1 + np.exp(-(odds + a)))
        a += (POSITIVE - p).sum() / (p * (1 - p)).sum()
    assert intercept.value == pytest.approx(a, abs=1e-6)
    # With one image a patient the errors are Logit's own; with several they are those of clusters, and wider here.
    alone, _ = recalibration(TEST.osteoporosis, POSITIVE, np.arange(len(TEST)).astype(str))
    assert alone is not None and (alone.high - alone.low) / 2 == pytest.approx(1.959964 * held.bse[1], rel=1e-4)
    robust = sm.Logit(POSITIVE.astype(float), sm.add_constant(odds)).fit(
        disp=0, cov_type="cluster", cov_kwds={"groups": np.unique(TEST.patient, return_inverse=True)[1]}
    )
    assert (slope.high - slope.low) / 2 == pytest.approx(1.959964 * robust.bse[1], rel=1e-4)


def test_a_model_that_is_calibrated_by_construction_is_found_to_be() -> None:
    rng = np.random.default_rng(0)
    p = rng.beta(1, 6, 20_000)
    seen = rng.random(20_000) < p
    slope, intercept = recalibration(p, seen, np.arange(20_000).astype(str))
    assert slope is not None and slope.low < 1 < slope.high and slope.high - slope.low < 0.2
    assert intercept is not None and intercept.low < 0 < intercept.high
    sharp = p**2 / (p**2 + (1 - p) ** 2)  # log-odds doubled: too extreme by two
    doubled, _ = recalibration(sharp, seen, np.arange(20_000).astype(str))
    assert doubled is not None and doubled.value == pytest.approx(slope.value / 2, rel=1e-3)
    assert (
        expected_error(p, seen, binned(p, quantile_edges(p)))
        < 0.01
        < expected_error(sharp, seen, binned(sharp, quantile_edges(sharp)))
    )
    assert recalibration(np.array([0.1, 0.2, 0.8, 0.9]), np.array([0, 0, 1, 1], bool), np.array(list("abcd")))[0] is None


def test_expected_error_by_hand() -> None:
    p, seen = np.array([0.1, 0.2, 0.7, 0.9]), np.array([False, True, True, True])
    assert expected_error(p, seen, binned(p, np.array([0, 0.5, 1]))) == pytest.approx((abs(1 - 0.3) + abs(2 - 1.6)) / 4)
    assert binned(np.array([0.0, 0.5, 1.0]), np.array([0, 0.5, 1])).tolist() == [0, 1, 1]
    assert len(np.unique(binned(np.full(20, 0.3), quantile_edges(np.full(20, 0.3))))) == 1


def test_net_benefit_by_hand() -> None:
    p, seen = np.array([0.05, 0.3, 0.3, 0.6, 0.9]), np.array([False, False, True, True, True])
    curve = NetBenefit(p, seen).curve(NetBenefit(p, seen).of(np.ones((5, 2))))
    at = int(np.flatnonzero(np.isclose(THRESHOLDS, 0.2))[0])
    assert curve.model[at] == pytest.approx(3 / 5 - 1 / 5 * 0.2 / 0.8)
    assert curve.everyone[at] == pytest.approx(3 / 5 - 2 / 5 * 0.2 / 0.8)
    assert curve.model[98] == 0 and curve.low[at] == pytest.approx(curve.model[at])


def test_agreement_is_anovas_and_numpys() -> None:
    found = agreement_of(TEST, 200, 0)
    assert found is not None and found.icc is not None and found.pearson is not None and found.slope is not None
    x, y = TEST.t_score, TEST.expected_t
    assert found.mae.value == pytest.approx(np.abs(y - x).mean()) and found.bias.value == pytest.approx((y - x).mean())
    assert found.upper.value == pytest.approx((y - x).mean() + 1.96 * (y - x).std(ddof=1))
    assert found.pearson.value == pytest.approx(np.corrcoef(x, y)[0, 1])
    assert found.slope.value == pytest.approx(np.polyfit((x + y) / 2, y - x, 1)[0])
    n = 60  # two-way analysis of variance of a part, for ICC(A,1)
    part = TEST.take(np.arange(n))
    long = pd.DataFrame(
        {"t": np.r_[part.t_score, part.expected_t], "who": np.tile(np.arange(n), 2), "rater": np.repeat([0, 1], n)}
    )
    squares = sm.stats.anova_lm(ols("t ~ C(who) + C(rater)", long).fit())
    msr, msc, mse = squares["mean_sq"]
    icc = agreement_of(part, 100, 0)
    assert icc is not None and icc.icc is not None
    assert icc.icc.value == pytest.approx((msr - mse) / (msr + mse + 2 / n * (msc - mse)))
    assert agreement_of(Predictions(TEST.image, TEST.patient, TEST.label, TEST.probabilities), 100, 0) is None


def test_the_baseline_is_a_logistic_regression_on_the_people_it_is_given() -> None:
    people = People.of(VALIDATION)
    found, missing = baselines(people, "the validation images", TEST)
    assert not missing and {one.question for one in found} == {"osteoporosis", "low bone mass"}
    design = [np.column_stack([held.age, held.sex == "M"]) for held in (VALIDATION, TEST)]
    fitted = LogisticRegression(C=np.inf, max_iter=10_000, tol=1e-9).fit(design[0], VALIDATION.label == 2)
    assert found[0].age_and_sex.value == pytest.approx(roc_auc_score(POSITIVE, fitted.decision_function(design[1])), abs=1e-3)
    assert found[0].uses == "age and sex" and found[0].difference.value.value > 0 and found[0].difference.p < 0.05
    # The test by patients is the more careful one.
    assert found[0].difference.z < found[0].independent.z


def test_impossible_ages_are_no_ages_and_without_any_there_is_no_baseline() -> None:
    ages = TEST.age.copy()
    ages[:50] = 0, *[560.0] * 49
    odd = Predictions(TEST.image, TEST.patient, TEST.label, TEST.probabilities, age=ages)
    found, _ = baselines(People(VALIDATION.label, VALIDATION.age, np.full(len(VALIDATION), "F")), "others", odd)
    assert found[0].images == len(TEST) - 50 and found[0].uses == "age"
    _, missing = baselines(
        People.of(VALIDATION), "others", Predictions(TEST.image, TEST.patient, TEST.label, TEST.probabilities)
    )
    assert missing == ("No age-and-sex baseline: no test image has an age.",)


def test_stability_index_by_hand_and_drift_by_patient() -> None:
    there, here = np.arange(1000.0), np.arange(500.0, 1500.0)
    observed, expected = (np.array([*[0] * 5, *[100] * 4, 600]) + 0.5) / 1005, np.full(10, 100.5) / 1005
    assert stability_index(here, there) == pytest.approx(((observed - expected) * np.log(observed / expected)).sum(), rel=1e-6)
    same, moved = drift_between(TEST, TEST), drift_between(synthetic(250, 8, name="m", shift=-1.5), TEST)
    assert all(one.psi == pytest.approx(0) and one.ks == 0 for one in same.shifts if one.psi is not None)
    assert same.shared_patients == TEST.patients and moved.shared_patients == 0
    scores = {(one.name, one.among): one for one in moved.shifts}
    assert (scores["P(osteoporosis)", "all"].psi or 0) > 0.25 and (scores["P(osteoporosis)", "normal"].psi or 0) > 0.25
    assert (scores["age", "all"].psi or 0) < 0.25 and moved.patients == (250, TEST.patients)


def test_small_subgroups_are_counted_and_not_measured(evaluation: Evaluation) -> None:
    for one in evaluation.subgroups:
        assert (one.auc is not None) == (min(one.positives, one.negatives) >= 10)
        assert (one.sensitivity is not None) == (one.positives >= 10)
    for by in ("age", "sex", "device", "view"):
        assert sum(one.images for one in evaluation.subgroups if one.by == by) == len(TEST)
    women = next(one for one in evaluation.subgroups if one.name == "F")
    chosen = TEST.sex == "F"
    assert women.auc is not None
    assert women.auc.value == pytest.approx(roc_auc_score(POSITIVE[chosen], TEST.osteoporosis[chosen]), abs=1e-12)


def test_failures_are_the_most_wrong_one_a_patient(evaluation: Evaluation) -> None:
    found = evaluation.per_image.at("osteoporosis", evaluation.primary)
    assert found is not None
    threshold = found.point.threshold
    missed = [one for one in evaluation.failures if one.kind == "missed"]
    alarms = [one for one in evaluation.failures if one.kind == "false alarm"]
    assert missed[0].probability == TEST.osteoporosis[POSITIVE].min() and missed[-1].probability < threshold
    assert alarms[0].probability == TEST.osteoporosis[~POSITIVE].max() and all(one.label != "osteoporosis" for one in alarms)
    assert len({one.patient for one in missed}) == len(missed) <= 6
    assert mixed_patients(TEST) == 0


def test_an_unchanged_cohort_s_stability_index_stays_within_chance_in_about_95_of_100_pairs() -> None:
    rng = np.random.default_rng(0)
    within = []
    for run in range(300):
        ages = rng.normal(60, 9, 140)
        here, there = (
            Predictions(
                np.arange(len(some)).astype(str), np.array([f"{run}{one:.9f}" for one in some]), np.arange(len(some)) % 3,
                np.full((len(some), 3), [0.2, 0.3, 0.5]), age=some,
            )
            for some in (ages[:60], ages[60:])
        )  # fmt: skip
        age = next(one for one in drift_between(here, there).shifts if one.name == "age")
        assert age.psi is not None and age.psi_by_chance is not None
        within.append(age.psi <= age.psi_by_chance)
    assert 0.9 < np.mean(within) < 0.99


def test_an_area_of_1_has_no_interval_and_the_report_says_so() -> None:
    held = TEST.probabilities.copy()
    held[POSITIVE] = 0.0, 0.0, 1.0
    held[~POSITIVE] = 0.5, 0.5, 0.0
    found = evaluate(VALIDATION, Predictions(TEST.image, TEST.patient, TEST.label, held), EvaluationOptions(draws=100))
    auc = found.per_image.auc()
    assert auc is not None and auc.value == 1 and auc.delong is auc.clustered is auc.bootstrap is None
    assert any("has no interval" in remark for remark in found.remarks) and found.per_image.calibration.slope is None
