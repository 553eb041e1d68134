"""What is refused before anything is computed, in one sentence each."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from study.training.small_cohort import quick

from OsteoScreenLib.errors import InputError
from OsteoScreenLib.study.cohort import CohortRow
from OsteoScreenLib.study.training.balance import Balance
from OsteoScreenLib.study.training.batches import batches_of
from OsteoScreenLib.study.training.options import TrainOptions
from OsteoScreenLib.study.training.parts import parts_of


def rows_of(*who: tuple[str, int]) -> tuple[CohortRow, ...]:
    return tuple(CohortRow(number, patient, Path(f"{number}.png"), label) for number, (patient, label) in enumerate(who, 2))


EVERY = [(f"{part}{label}", label) for part in ("training", "validation", "test") for label in range(3)]
SPLITS = {name: name[:-1] for name, _ in EVERY}


def test_rows_go_where_their_patient_goes() -> None:
    parts = parts_of(rows_of(*EVERY, ("validation1", 1), ("nobody", 2)), SPLITS)
    assert [len(parts.of[split]) for split in ("training", "validation", "test")] == [3, 4, 3]
    assert parts.counts("validation").tolist() == [1, 2, 1]
    assert parts.patients("validation") == 3


def test_one_patient_is_one_sentence() -> None:
    with pytest.raises(InputError, match=r"^The cohort has one patient only, .*; add patients\.$") as caught:
        parts_of(rows_of(("A", 0), ("A", 2)), {"A": "training"})
    assert caught.value.code == "one-patient"


@pytest.mark.parametrize("part", ["training", "validation", "test"])
def test_a_class_absent_from_a_part_is_named(part: str) -> None:
    rows = rows_of(*[one for one in EVERY if one != (f"{part}2", 2)])
    with pytest.raises(InputError, match=f"{part} has no image of osteoporosis") as caught:
        parts_of(rows, SPLITS)
    assert caught.value.code == "absent-class"


def test_without_test_images_is_allowed_without_validation_images_not() -> None:
    assert len(parts_of(rows_of(*EVERY[:6]), SPLITS).of["test"]) == 0
    with pytest.raises(InputError, match="No patient is in the validation part"):
        parts_of(rows_of(*EVERY[:3], *EVERY[6:]), SPLITS)


def test_the_digest_tells_another_split_label_or_file_apart() -> None:
    rows = rows_of(*EVERY)
    parts = parts_of(rows, SPLITS)
    assert parts.digest() == parts_of(rows, SPLITS).digest()
    others = [
        parts_of((*rows[:-1], replace(rows[-1], t_score=-2.0)), SPLITS).digest(),
        parts_of((replace(rows[0], label=0, patient="x"), *rows), SPLITS | {"x": "training"}).digest(),
        parts.digest(["0"] * 9),
        parts.digest(["0"] * 8 + ["1"]),
    ]
    assert len({parts.digest(), *others}) == 5


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"tuning": "full"}, "tuning"),
        ({"epochs": 0}, "epochs"),
        ({"imbalance": "smote"}, "imbalance"),
        ({"lora_dropout": 1.0}, "lora_dropout"),
        ({"sensitivity": 1.2}, "sensitivity"),
        ({"adapters_alone": True}, "adapters_alone"),
        ({"name": "../x"}, "name"),
        ({"weights": Path("x")}, "random weights"),
    ],
)
def test_a_wrong_option_is_named(changes: dict[str, Any], named: str) -> None:
    with pytest.raises(InputError, match=named) as caught:
        quick(**changes).checked()
    assert caught.value.code == "option" and str(caught.value).endswith(".")


def test_what_does_not_change_the_result_is_not_in_the_recipe() -> None:
    options = TrainOptions("x")
    assert replace(options, workers=3, cache=Path("c"), checkpoint_steps=7).recipe() == options.recipe()
    assert replace(options, seed=1).recipe() != options.recipe()
    assert (
        replace(options, lora_targets=("qkv", "fc1"), augment=False, t_score=True)
        .command()
        .endswith("--backbone x --lora-targets qkv,fc1 --no-augment --t-score")
    )


def test_weights_and_sampling_are_undone_by_the_offset() -> None:
    counts = np.array([80, 15, 5])
    for imbalance in ("weights", "sampling"):
        balance = Balance.of(counts, imbalance)
        # A network that learnt to answer evenly where it knows nothing then answers with the cohort's frequencies.
        answer = np.exp(balance.offset) / np.exp(balance.offset).sum()
        assert answer == pytest.approx(counts / 100)
    assert Balance.of(counts, "weights").weights @ counts / 100 == pytest.approx(1)
    assert not Balance.of(counts, "none").offset.any()


def test_batches_follow_from_seed_and_epoch() -> None:
    places, labels = np.arange(100, 137), np.array([0] * 30 + [1] * 5 + [2] * 2)
    first = batches_of(places, labels, 8, 3, 0, False)
    assert [len(one) for one in first] == [8] * 4
    assert len(set(np.concatenate(first))) == 32
    again = batches_of(places, labels, 8, 3, 0, False)
    assert all((one == other).all() for one, other in zip(first, again, strict=True))
    assert not np.array_equal(np.concatenate(first), np.concatenate(batches_of(places, labels, 8, 3, 1, False)))
    drawn = np.concatenate([np.concatenate(batches_of(places, labels, 8, 3, epoch, True)) for epoch in range(60)])
    assert np.bincount(labels[drawn - 100]) / len(drawn) == pytest.approx([1 / 3] * 3, abs=0.04)
    assert len(batches_of(places[:5], labels[:5], 8, 3, 0, False)[0]) == 5
