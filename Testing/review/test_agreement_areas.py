"""ROC curves of confidence, areas with intervals, and averages over readers."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from review.drawn_reads import a_case, a_read, drawn_study, says
from scipy.stats import norm

pytest.importorskip("statsmodels", reason="the study's packages are not installed here")
pytest.importorskip("sklearn")

from OsteoScreenLib.review.agreement import mrmc
from OsteoScreenLib.review.agreement.areas import areas, gains, influence_on_auc, logit_interval
from OsteoScreenLib.review.agreement.estimate import standard_error
from OsteoScreenLib.review.agreement.mrmc import averages, reader_aucs
from OsteoScreenLib.review.agreement.ratings import Ratings, ratings_of
from OsteoScreenLib.review.agreement.readings import readings_of
from OsteoScreenLib.review.nouns import Protocol
from OsteoScreenLib.study.evaluation.delong import compare, delong


def test_areas_by_hand() -> None:
    """Confidences 10 40 40 | 40 90 of cases without and with osteoporosis: 3.5 + 0.5 · 2 … of 6 pairs in order."""
    cases = [a_case(1, "n"), a_case(2, "l"), a_case(3, "n"), a_case(4, "o"), a_case(5, "o"), a_case(6)]
    sure = (10, 40, 40, 40, 90, 100)
    reads = [a_read("R1", k, "n", confidence) for k, confidence in enumerate(sure, 1)]
    (area,) = areas(readings_of(reads, cases, Protocol("t")))
    # 90 is above all three; 40 is above one and ties with two.
    assert area.auc.value == pytest.approx((3 + 1 + 2 * 0.5) / 6)
    assert (area.positives, area.negatives) == (2, 3)
    assert area.false_positive_rate == pytest.approx((0, 0, 2 / 3, 1))
    assert area.true_positive_rate == pytest.approx((0, 0.5, 1, 1))
    assert (area.who, area.phase, area.aided) == ("R1", "first", "unaided")


def test_the_target_decides_who_is_positive() -> None:
    cases = [a_case(1, "n"), a_case(2, "l"), a_case(3, "n")]
    reads = [a_read("R1", k, "n", 50, "second", says("o" if k == 3 else "n")) for k in (1, 2, 3)]
    found = areas(readings_of(reads, cases, Protocol("t", target="normal")))
    assert [(area.who, area.positives) for area in found] == [("R1", 2), ("the model", 2)]
    assert found[1].auc.value == pytest.approx((0.5 + 0) / 2)  # P(normal) is 0.8, 0.8 and 0.1; the second is no normal one


@pytest.mark.parametrize("patients", [None, 3])
def test_variance_is_delongs_and_by_patients_near_obuchowskis(patients: int | None) -> None:
    rng = np.random.default_rng(0)
    positive = rng.random(90) < 0.4
    scores = np.round(positive + rng.normal(0, 1, 90), 1)  # with ties
    clusters = np.arange(90) // (patients or 1)
    area, influence = influence_on_auc(scores, positive)
    theirs = delong(scores, positive, clusters)
    assert area == pytest.approx(float(theirs.area[0]), abs=1e-12)
    error = standard_error(influence, clusters)
    assert error == pytest.approx(theirs.standard_error(), abs=1e-12 if patients is None else 5e-4)
    held = theirs.interval()
    if patients is None:
        assert logit_interval(area, error).interval == pytest.approx((held.low, held.high), abs=1e-12)


def test_a_readers_gain_is_delongs_paired_difference() -> None:
    reads, cases, protocol = drawn_study(60, ("R1",))
    readings = readings_of(reads, cases, protocol)
    (gain,) = gains(readings)
    positive = np.array([case.truth == "osteoporosis" for case in cases])
    scores = np.array(
        [[readings.of("R1", phase)[case.id].opinion.confidence for case in cases] for phase in ("first", "second")]
    )
    theirs = compare(delong(scores, positive), 1, 0).value
    assert (gain.gain.value, *(gain.gain.interval or ())) == pytest.approx((theirs.value, theirs.low, theirs.high), abs=1e-12)


def test_a_perfect_reader_has_no_interval() -> None:
    cases = [a_case(k, "no"[k % 2]) for k in range(1, 9)]
    reads = [a_read("R1", k, "n", 90 * (k % 2)) for k in range(1, 9)]
    (area,) = areas(readings_of(reads, cases, Protocol("t")))
    assert area.auc.value == 1 and area.auc.interval is None


Comparison = tuple[str, str, str, float]


def comparisons(ratings: Ratings, modality: str) -> list[Comparison]:
    """Reader, case without, case with the condition, and whether the second scores higher, one by one."""
    found = []
    for reader, low, high in itertools.product(ratings.readers, ratings.cases(False), ratings.cases(True)):
        one, other = (ratings.scores.get((reader, case, modality)) for case in (low, high))
        if one is not None and other is not None:
            found.append((reader, low, high, float(other > one) + 0.5 * (other == one)))
    return found


def by_enumeration(ratings: Ratings, first: str, second: str) -> tuple[float, float, float]:
    """Both averages and their covariance."""
    one, other = comparisons(ratings, first), comparisons(ratings, second)
    products = [a[3] * b[3] for a in one for b in other if not (a[0] == b[0] or a[1] == b[1] or a[2] == b[2])]
    areas_ = [sum(row[3] for row in rows) / len(rows) for rows in (one, other)]
    return areas_[0], areas_[1], areas_[0] * areas_[1] - sum(products) / len(products)


def freedom_by_enumeration(ratings: Ratings, modality: str, variance: float) -> float:
    """Satterthwaite's, of what two comparisons share with the same reader, the same case without, and the same with the condition."""
    all_of = comparisons(ratings, modality)
    area, spread, fewest = sum(row[3] for row in all_of) / len(all_of), 0.0, np.inf
    for field in range(3):
        products = [a[3] * b[3] for a in all_of for b in all_of if a[field] == b[field]]
        freedom = round(len(all_of) ** 2 / len(products) - 1)
        spread += (sum(products) / len(products) - area**2) ** 2 / freedom**3
        fewest = min(fewest, freedom)
    return float(max(variance**2 / spread, fewest))


@pytest.mark.parametrize("each", [0, 2])
def test_averages_agree_with_enumeration(each: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Fully crossed and split-plot; with blocks so small that there are several."""
    monkeypatch.setattr(mrmc, "_AT_ONCE", 40)
    reads, cases, protocol = drawn_study(18, each=each, seed=4)
    ratings = ratings_of(reads, cases, protocol)
    assert ratings.fully_crossed == (each == 0)
    unaided, aided, difference = averages(ratings)
    one, _, one_variance = by_enumeration(ratings, "unaided", "unaided")
    other, _, other_variance = by_enumeration(ratings, "aided", "aided")
    _, _, shared = by_enumeration(ratings, "unaided", "aided")
    assert (unaided.modality, unaided.auc.value) == ("unaided", pytest.approx(one))
    assert (aided.modality, aided.auc.value) == ("aided", pytest.approx(other))
    assert unaided.variance == pytest.approx(one_variance)
    assert aided.variance == pytest.approx(other_variance)
    for average in (unaided, aided):
        assert average.variance is not None and average.variance > 0
        assert average.freedom == pytest.approx(freedom_by_enumeration(ratings, average.modality, average.variance))
    assert difference.modality == "aided - unaided"
    assert difference.auc.value == pytest.approx(other - one)
    assert difference.variance == pytest.approx(one_variance + other_variance - 2 * shared)


def test_freedom_is_at_least_that_of_the_fewest() -> None:
    reads, cases, protocol = drawn_study(40)
    ratings = ratings_of(reads, cases, protocol)
    for average in averages(ratings):
        if average.freedom is not None:
            assert average.freedom >= len(ratings.readers) - 1
            assert average.auc.interval is not None and average.auc.interval[0] < average.auc.value < average.auc.interval[1]


def test_one_reader_gives_an_average_without_an_interval() -> None:
    reads, cases, protocol = drawn_study(20, ("R1",))
    found = averages(ratings_of(reads, cases, protocol))
    assert [one.auc.interval for one in found] == [None, None, None]


def test_the_average_of_a_crossed_design_is_the_mean_of_the_readers() -> None:
    reads, cases, protocol = drawn_study(30)
    ratings = ratings_of(reads, cases, protocol)
    singles = [one.auc for one in reader_aucs(ratings) if one.modality == "unaided"]
    assert averages(ratings)[0].auc.value == pytest.approx(np.mean([auc for auc in singles if auc is not None]))


def test_the_variance_is_right_on_average() -> None:
    """Readers and cases drawn anew 300 times: the mean of the estimates is the variance of the averages, and intervals hold."""
    rng = np.random.default_rng(5)
    truth = np.arange(40) % 2 == 0
    # A score is normal: skill 1.2 ± 0.4, a case's own ± 0.6 and noise ± 1; two cases are compared.
    known = float(norm.cdf(1.2 / np.sqrt(2 * (0.6**2 + 1) + 0.4**2)))
    found, estimated, held = [], [], 0
    for _ in range(300):
        skill, own = rng.normal(1.2, 0.4, 4), rng.normal(0, 0.6, 40)
        drawn = truth * skill[:, None] + own + rng.normal(size=(4, 40))
        scores = {(f"R{r}", f"C{k}", "m"): float(drawn[r, k]) for r in range(4) for k in range(40)}
        (average,) = averages(Ratings({f"C{k}": bool(truth[k]) for k in range(40)}, scores))
        found.append(average.auc.value)
        estimated.append(average.variance)
        interval = average.auc.interval
        held += interval is not None and interval[0] <= known <= interval[1]
    assert np.mean(found) == pytest.approx(known, abs=0.015)
    assert np.mean([value for value in estimated if value is not None]) == pytest.approx(np.var(found), rel=0.2)
    assert 0.90 <= held / 300 <= 0.99
