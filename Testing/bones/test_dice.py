"""Dice between two sets of masks, against values counted by hand."""

from __future__ import annotations

import numpy as np
import pytest

from OsteoScreenLib.bones.dice import dice
from OsteoScreenLib.bones.masks import BoneMasks
from OsteoScreenLib.bones.vocabulary import KNEE
from OsteoScreenLib.errors import InputError


def masks(**boxes: tuple[int, int, int, int]) -> BoneMasks:
    drawn = {}
    for name, (row, row_after, column, column_after) in boxes.items():
        drawn[name.replace("_", " ")] = np.zeros((50, 50), bool)
        drawn[name.replace("_", " ")][row:row_after, column:column_after] = True
    return BoneMasks.pack(drawn, (50, 50))


def test_dice_is_twice_the_overlap_over_the_sum_of_the_areas() -> None:
    one = masks(T7=(0, 10, 0, 10), right_rib_5=(20, 30, 0, 10), sternum=(0, 4, 40, 44))
    other = masks(T7=(0, 10, 5, 15), right_rib_5=(20, 30, 0, 10), left_clavicle=(40, 44, 0, 9))
    # T7: 50 pixels in common of 100 + 100; rib 5 the same in both; the sternum and the clavicle in one of them only.
    assert dice(one, other) == {"T7": 0.5, "right rib 5": 1.0, "left clavicle": 0.0, "sternum": 0.0}
    assert dice(other, one) == dice(one, other)


def test_bones_that_do_not_meet_agree_in_nothing() -> None:
    assert dice(masks(T7=(0, 10, 0, 10)), masks(T7=(30, 40, 30, 40))) == {"T7": 0.0}
    assert dice(masks(), masks()) == {}


def test_masks_of_another_image_or_site_are_refused() -> None:
    with pytest.raises(InputError, match="same radiograph"):
        dice(masks(), BoneMasks.pack({}, (50, 51)))
    with pytest.raises(InputError, match="same radiograph"):
        dice(masks(), BoneMasks.pack({}, (50, 50), KNEE))
