"""What a comparison trains, as the command line names it."""

from __future__ import annotations

import re

import pytest

from OsteoScreenLib.errors import InputError
from OsteoScreenLib.study.comparison.checklists import AUTHOR, CHECKLISTS, CLAIM, TRIPOD_AI
from OsteoScreenLib.study.comparison.plan import FAMILIES, Plan, parse_backbones, parse_seeds, parse_tunings


def test_four_families_and_three_tunings_are_twelve_models_a_seed() -> None:
    plan = Plan({family: f"{family}-small" for family in FAMILIES}, seeds=(0, 3))
    combinations = list(plan.combinations())
    assert len(combinations) == 24 and len({one.folder for one in combinations}) == 24
    assert len({one.key for one in combinations}) == 12 and [one.seed for one in combinations] == [0] * 12 + [3] * 12
    assert combinations[0].folder == "seed-0/openclip-linear" and combinations[0].backbone == "openclip-small"


def test_the_options_are_read() -> None:
    assert parse_backbones("dinov2=a, raddino = b-c") == {"dinov2": "a", "raddino": "b-c"}
    assert parse_tunings("linear, lora") == ("linear", "lora") and parse_seeds("0,17") == (0, 17)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: parse_backbones("dinov2"), "write for example"),
        (lambda: parse_backbones("resnet=a"), "no family 'resnet'"),
        (lambda: parse_backbones("dinov2=a,dinov2=b"), "named twice"),
        (lambda: parse_backbones(" , "), "No backbone"),
        (lambda: parse_seeds("0,one"), "no list of seeds"),
        (lambda: parse_seeds("-1"), "no list of seeds"),
        (lambda: parse_tunings("linear,full"), "no tuning 'full'"),
        (lambda: Plan({"dinov2": "a"}, ("linear", "linear")), "named twice"),
        (lambda: Plan({"dinov2": "a"}, seeds=()), "at least one"),
    ],
)
def test_wrong_options_are_one_sentence(make: object, words: str) -> None:
    with pytest.raises(InputError, match=re.escape(words)) as caught:
        make()  # type: ignore[operator]
    assert "\n" not in str(caught.value)


def test_the_checklists_have_every_item_once() -> None:
    assert [item.number for item in CLAIM.items] == [str(number) for number in range(1, 45)]
    numbers = [item.number for item in TRIPOD_AI.items]
    assert len(set(numbers)) == len(numbers) == 52 and {int(re.match(r"\d+", one)[0]) for one in numbers} == set(range(1, 28))  # type: ignore[index]
    for checklist in CHECKLISTS:
        left = [item for item in checklist.items if item.where == AUTHOR]
        assert 0 < len(left) < len(checklist.items) and str(len(checklist.items) - len(left)) in checklist.summary
        assert all(len(item.topic) <= 80 for item in checklist.items)
