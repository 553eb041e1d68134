"""Splits by patient: nobody in two, each class in its share, the same for a seed whatever the order of the rows."""

from __future__ import annotations

from collections import Counter, defaultdict
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from OsteoScreenLib.errors import InputError
from OsteoScreenLib.study.cohort import CohortRow
from OsteoScreenLib.study.cohort_cells import SPLITS
from OsteoScreenLib.study.cohorts.splits import absent_classes, read_shares, require_classes, split_by_patient


def cohort(labels: dict[str, list[int]], split: dict[str, str] | None = None) -> list[CohortRow]:
    """One row for each label of each patient."""
    named = [(patient, label) for patient, all_ in labels.items() for label in all_]
    return [
        CohortRow(place + 2, patient, Path(f"{place}.png"), label, split=(split or {}).get(patient))  # type: ignore[arg-type]
        for place, (patient, label) in enumerate(named)
    ]


PATIENTS = st.dictionaries(
    st.text("abcdefgh0123", min_size=1, max_size=5),
    st.lists(st.integers(0, 2), min_size=1, max_size=4),
    min_size=3,
    max_size=60,
)
SHARES = st.sampled_from([(70.0, 10.0, 20.0), (60.0, 20.0, 20.0), (80.0, 0.0, 20.0), (1.0, 1.0, 1.0), (0.5, 0.25, 0.25)])


@settings(max_examples=150, deadline=None)
@given(PATIENTS, SHARES, st.integers(0, 5), st.randoms(use_true_random=False))
def test_every_class_comes_within_one_patient_of_its_share(labels, shares, seed, random) -> None:  # type: ignore[no-untyped-def]
    rows = cohort(labels)
    splits = split_by_patient(rows, shares, seed)
    assert set(splits) == set(labels)
    shuffled = list(rows)
    random.shuffle(shuffled)
    assert split_by_patient(shuffled, shares, seed) == splits
    wanted = [share for share in shares if share > 0]
    counts: dict[int, Counter[str]] = defaultdict(Counter)
    for patient, own in labels.items():
        counts[max(own)][splits[patient]] += 1
    for of_class in counts.values():
        size = of_class.total()
        if size >= len(wanted):
            assert all(of_class[split] for split, share in zip(SPLITS, shares, strict=True) if share > 0)
        rare = any(size * share / sum(shares) < 1 for share in wanted)  # then one patient each goes before the shares
        for split, share in zip(SPLITS, shares, strict=True):
            away = abs(of_class[split] - size * share / sum(shares))
            assert away < 1 if not rare else away < 2
    if not any(of_class.total() * share / sum(shares) < 1 for of_class in counts.values() for share in wanted):
        whole = Counter(splits.values())
        for split, share in zip(SPLITS, shares, strict=True):
            assert abs(whole[split] - len(labels) * share / sum(shares)) < 1


@settings(max_examples=80, deadline=None)
@given(PATIENTS, st.data())
def test_given_splits_stay_and_groups_stay_together(labels, data) -> None:  # type: ignore[no-untyped-def]
    patients = sorted(labels)
    fixed = data.draw(st.dictionaries(st.sampled_from(patients), st.sampled_from(SPLITS), max_size=len(patients)))
    group = data.draw(st.lists(st.sampled_from([one for one in patients if one not in fixed] or patients), max_size=4))
    rows = cohort(labels, fixed)
    try:
        splits = split_by_patient(rows, together=[group] if not set(group) & set(fixed) else [])
    except InputError as error:
        assert error.code == "one-patient"
        return
    assert all(splits[patient] == split for patient, split in fixed.items())
    if not set(group) & set(fixed):
        assert len({splits[patient] for patient in group}) <= 1


def test_the_shares_of_the_study_at_its_size() -> None:
    labels = {f"P{place}": [0 if place < 8400 else 1 if place < 13_770 else 2] for place in range(14_502)}
    splits = split_by_patient(cohort(labels))
    for part, of in ((splits, 14_502), ({patient: splits[patient] for patient in labels if labels[patient] == [2]}, 732)):
        counts = Counter(part.values())
        assert all(abs(counts[split] - share * of) < 1 for split, share in zip(SPLITS, (0.7, 0.1, 0.2), strict=True))


def test_another_seed_is_another_split_and_a_new_patient_moves_few() -> None:
    labels = {f"P{place}": [place % 3] for place in range(300)}
    one, other = split_by_patient(cohort(labels)), split_by_patient(cohort(labels), seed=1)
    assert sum(one[patient] != other[patient] for patient in labels) > 60
    more = split_by_patient(cohort({**labels, "new": [2]}))
    assert sum(one[patient] != more[patient] for patient in labels) < 10


def test_a_rare_class_is_spread_first() -> None:
    labels = {f"P{place}": [0] for place in range(40)}
    for number, there in ((1, {"training"}), (2, {"training", "test"}), (3, set(SPLITS))):
        rare = {f"R{place}": [2] for place in range(number)}
        rows = cohort({**labels, **rare})
        splits = split_by_patient(rows)
        assert {splits[patient] for patient in rare} == there
        absent = absent_classes(rows, splits)
        assert {split for split, _ in absent} == set(SPLITS) - there and all(label == 2 for _, label in absent)


def test_what_cannot_be_split_is_one_sentence() -> None:
    with pytest.raises(InputError, match=r"All images are of one patient \(P1\), too few for 3 splits") as caught:
        split_by_patient(cohort({"P1": [0, 1, 2]}))
    assert caught.value.code == "one-patient"
    assert split_by_patient(cohort({"P1": [0, 1, 2]}), (0, 0, 100)) == {"P1": "test"}
    with pytest.raises(InputError, match="of 2 patients who can be kept apart, too few for 3"):
        split_by_patient(cohort({"A": [0], "B": [1], "C": [2]}), together=[["A", "C"]])
    rows = [*cohort({"P1": [0], "P2": [1]}, {"P1": "test"}), CohortRow(9, "P1", Path("x.png"), 0, split="training")]
    with pytest.raises(InputError, match="Rows 2 and 9, column split: patient P1 stands in test and in training") as caught:
        split_by_patient(rows)
    assert caught.value.code == "given-splits"
    rows = cohort({f"P{place}": [place % 2] for place in range(30)})
    with pytest.raises(InputError, match="The split training has no image of osteoporosis") as caught:
        require_classes(rows, split_by_patient(rows))
    assert caught.value.code == "absent-class"
    whole = cohort({f"P{place}": [place % 3] for place in range(30)})
    require_classes(whole, split_by_patient(whole))


@pytest.mark.parametrize("text", ["70,30", "a,b,c", "0,0,0", "70,-10,40", "nan,1,1", "inf,1,1"])
def test_shares_that_are_none_are_one_sentence(text: str) -> None:
    with pytest.raises(InputError, match="three numbers, for example 70,10,20"):
        read_shares(text)
    assert read_shares("70, 10,20") == (70, 10, 20)
