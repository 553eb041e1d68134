"""Packing overlapping bones into disjoint layers loses nothing."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from OsteoScreenLib.bones.masks import BoneMasks, bounding_box
from OsteoScreenLib.bones.vocabulary import CHEST_FRONTAL

NAMES = [bone.name for bone in CHEST_FRONTAL.bones]


@st.composite
def boxes(draw: st.DrawFn) -> dict[str, np.ndarray]:
    masks = {}
    for name in draw(st.lists(st.sampled_from(NAMES), unique=True, max_size=12)):
        mask = np.zeros((23, 31), bool)
        top, left = draw(st.integers(0, 22)), draw(st.integers(0, 30))
        mask[top : top + draw(st.integers(0, 9)), left : left + draw(st.integers(0, 12))] = True
        masks[name] = mask
    return masks


@settings(max_examples=150, deadline=None)
@given(boxes())
def test_every_mask_comes_back_whole(masks: dict[str, np.ndarray]) -> None:
    packed = BoneMasks.pack(masks, (23, 31))
    present = {name for name, mask in masks.items() if mask.any()}
    assert set(packed.names) == present
    for name in NAMES:
        assert np.array_equal(packed.mask(name), masks.get(name, np.zeros((23, 31), bool)))
    chosen = sorted(present)[::2]
    expected = np.zeros((23, 31), bool)
    for name in chosen:
        expected |= masks[name]
    assert np.array_equal(packed.union(chosen), expected)
    assert packed.areas() == {name: int(masks[name].sum()) for name in packed.names}


def test_disjoint_bones_share_one_layer_and_overlapping_ones_do_not() -> None:
    left = np.zeros((4, 8), bool)
    left[:, :4] = True
    assert len(BoneMasks.pack({"T1": left, "T2": ~left}, (4, 8)).layers) == 1
    assert len(BoneMasks.pack({"T1": left, "T2": np.ones((4, 8), bool)}, (4, 8)).layers) == 2


def test_order_of_the_dictionary_does_not_matter() -> None:
    rng = np.random.default_rng(0)
    masks = {name: rng.random((16, 16)) > 0.6 for name in NAMES[:6]}
    forwards, backwards = BoneMasks.pack(masks, (16, 16)), BoneMasks.pack(dict(reversed(masks.items())), (16, 16))
    assert forwards.table == backwards.table
    assert np.array_equal(forwards.layers, backwards.layers)


def test_a_bone_outside_the_vocabulary_is_refused() -> None:
    with pytest.raises(ValueError, match="femur"):
        BoneMasks(np.zeros((1, 4, 4), np.uint8), {"femur": (0, 1)})


def test_bounding_box() -> None:
    mask = np.zeros((10, 12), bool)
    assert bounding_box(mask) == (slice(0, 0), slice(0, 0))
    mask[3, 4] = mask[7, 9] = True
    assert bounding_box(mask) == (slice(3, 8), slice(4, 10))
