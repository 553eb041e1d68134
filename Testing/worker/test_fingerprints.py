"""Hashes that name an image or its masks in cache keys: equal for what is equal, however it is stored."""

from __future__ import annotations

import time

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from OsteoScreenLib.bones.masks import BoneMasks
from OsteoScreenLib.bones.vocabulary import CHEST_FRONTAL
from OsteoScreenLib.radiograph.radiograph import pixels_sha256

NAMES = tuple(CHEST_FRONTAL.by_name)
SHAPE = (9, 7)


def drawn(seed: int, bones: int) -> dict[str, np.ndarray]:
    """Random masks that overlap and touch the image's borders."""
    random = np.random.default_rng(seed)
    return {name: random.random(SHAPE) < 0.4 for name in NAMES[:bones]}


def one_layer_each(masks: dict[str, np.ndarray]) -> BoneMasks:
    """The same masks as `pack` gives, stored as an editor may store them: a layer and a high label for each, backwards."""
    held = {name: mask for name, mask in masks.items() if mask.any()}
    names = list(held)[::-1]
    layers = np.stack([np.where(held[name], 200 + k, 0).astype(np.uint8) for k, name in enumerate(names)])
    return BoneMasks(layers, {name: (k, 200 + k) for k, name in enumerate(names)})


@given(st.integers(0, 10**6), st.integers(1, 5))
@settings(max_examples=40, deadline=None)
def test_packing_makes_no_difference(seed: int, bones: int) -> None:
    masks = drawn(seed, bones)
    assert BoneMasks.pack(masks, SHAPE).sha256 == one_layer_each(masks).sha256


@given(st.integers(0, 10**6), st.integers(0, SHAPE[0] * SHAPE[1] - 1))
@settings(max_examples=40, deadline=None)
def test_every_pixel_counts(seed: int, position: int) -> None:
    masks = drawn(seed, 3)
    before = BoneMasks.pack(masks, SHAPE).sha256
    masks[NAMES[1]].flat[position] ^= True
    assert BoneMasks.pack(masks, SHAPE).sha256 != before


def test_names_shapes_and_runs_across_row_ends_count() -> None:
    mask = np.zeros((2, 4), bool)
    mask[0, 3] = mask[1, 0] = True  # one run in memory, two in the image
    other = mask.reshape(4, 2)
    first = BoneMasks.pack({"T5": mask}, (2, 4))
    assert first.sha256 != BoneMasks.pack({"T6": mask}, (2, 4)).sha256
    assert first.sha256 != BoneMasks.pack({"T5": other}, (4, 2)).sha256
    swapped = BoneMasks.pack({"T5": np.roll(mask, 1, axis=1)}, (2, 4))
    assert first.sha256 != swapped.sha256
    assert BoneMasks.pack({}, (2, 4)).sha256 != BoneMasks.pack({}, (4, 2)).sha256


def test_forty_six_bones_on_four_megapixels_are_quick() -> None:
    random = np.random.default_rng(0)
    row, column = np.ogrid[:2000, :2000]
    masks = {}
    for name in NAMES:
        y, x = random.uniform(0.1, 0.9, 2) * 2000
        masks[name] = ((row - y) / random.uniform(40, 200)) ** 2 + ((column - x) / random.uniform(200, 700)) ** 2 < 1
    packed = BoneMasks.pack(masks, (2000, 2000))
    began = time.process_time()
    first = packed.sha256
    assert time.process_time() - began < 0.06 and packed.sha256 is first  # computed once


def test_pixels_count_by_type_shape_and_value() -> None:
    pixels = np.random.default_rng(0).random((4, 6), np.float32)
    digest = pixels_sha256(pixels)
    assert digest == pixels_sha256(np.asfortranarray(pixels)) == pixels_sha256(pixels.astype(">f4"))
    others = [pixels.reshape(6, 4), pixels.view(np.uint32), pixels + np.float32(1e-6), pixels[::-1], pixels.astype(np.float64)]
    assert digest not in {pixels_sha256(other) for other in others}
    assert len(digest) == 64
