"""Overlap of maps with bones: equal to the definitions, bounded, undefined where there is nothing to say, and fast."""

from __future__ import annotations

import time
from dataclasses import asdict
from typing import Any

import numpy as np
import pytest
from builders import make_masks
from explain.maps import make_map
from explain.plain_overlap import plain_otsu, plain_overlap
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from OsteoScreenLib.bones.masks import BoneMasks
from OsteoScreenLib.bones.vocabulary import CHEST_FRONTAL
from OsteoScreenLib.errors import InputError
from OsteoScreenLib.explain.overlap import POINTING_TOLERANCE, MeasuredMap, Overlap, measure_overlap, otsu_threshold

SHAPE = (14, 17)
MAPS = arrays.arrays(np.float32, SHAPE, elements=st.floats(0, 1e6, width=32))
MASKS = arrays.arrays(bool, SHAPE)


def random_case(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """A map whose values all differ, rough or smooth, and a mask that is not empty."""
    rng = np.random.default_rng(seed)
    shape = tuple(rng.integers(4, 20, 2))
    values = np.zeros(shape, np.float32)
    while np.unique(values).size < values.size:
        values = rng.random(shape) ** rng.uniform(0.3, 6)
        values = (values.cumsum(0).cumsum(1) if seed % 2 else values).astype(np.float32)
    mask = np.zeros(shape, bool)
    while not mask.any():
        mask = rng.random(shape) < rng.uniform(0, 1)
    return values, mask


@pytest.mark.parametrize("seed", range(25))
def test_every_number_agrees_with_the_definitions(seed: int) -> None:
    values, mask = random_case(seed)
    tolerance = seed / 5
    found = asdict(MeasuredMap(values, tolerance).against(mask))
    expected = plain_overlap(values, mask, tolerance)
    assert set(found) == set(expected) | {"of", "name"}
    for name, value in expected.items():
        assert found[name] == pytest.approx(value, abs=1e-6), name


def test_otsu_is_scikit_images_within_its_bins() -> None:
    skimage = pytest.importorskip("skimage.filters", reason="scikit-image is not installed here")
    for seed in range(5):
        rng = np.random.default_rng(seed)
        values = np.sort(np.concatenate([rng.normal(2, 0.5, 600), rng.normal(6, 1, 300)]).astype(np.float32))
        bins = 4096
        theirs = skimage.threshold_otsu(values, nbins=bins)
        ours = otsu_threshold(values)
        assert ours == plain_otsu(values.tolist())
        # The criterion hardly changes inside the gap between the classes: compare what is chosen.
        assert abs(np.count_nonzero(values > theirs) - np.count_nonzero(values >= ours)) <= 2


def test_bones_groups_and_all_are_read_at_their_places() -> None:
    """On a radiograph small enough to be read at every pixel, each row is that of the drawn map and the bone's own mask."""
    masks = make_masks((60, 50))
    grid = np.random.default_rng(3).random((7, 7))
    saliency = make_map(grid, (60, 50))
    rows = measure_overlap(saliency, masks)
    groups = [("group", "Spine"), ("group", "Right ribs"), ("group", "Clavicles")]
    assert [(row.of, row.name) for row in rows] == [("all", "all bones"), *groups, *(("bone", name) for name in masks.names)]
    drawn = saliency.on_radiograph(scaled=False)
    for row in rows:
        names = {"all": masks.names, "group": CHEST_FRONTAL.groups.get(row.name, ()), "bone": (row.name,)}[row.of]
        mask = masks.union(names)
        assert row.mass_share == pytest.approx(drawn[mask].sum(dtype=float) / drawn.sum(dtype=float), abs=1e-6)
        assert row == MeasuredMap(drawn, POINTING_TOLERANCE * 60).against(mask, None, row.of, row.name)
    assert rows[0].area_share == masks.union(masks.names).mean()


def test_a_large_radiograph_gives_nearly_the_same_numbers_at_fewer_points() -> None:
    grid = np.random.default_rng(4).random((14, 14)) ** 3
    small, large = (measure_overlap(make_map(grid, (size, size)), make_masks((size, size))) for size in (1000, 3000))
    for one, other in zip(small, large, strict=True):
        for name in ("area_share", "mass_share", "rank_accuracy", "iou_otsu", "iou_matched"):
            assert getattr(other, name) == pytest.approx(getattr(one, name), rel=0.02, abs=1e-3), (one.name, name)


def test_what_the_network_was_not_shown_does_not_count() -> None:
    """A "crop" leaves the upper and lower ends out: a flat map still has an enrichment of 1, a bone out there has no numbers."""
    masks = make_masks((400, 100))
    shown = make_map(np.ones((4, 4)), (400, 100), fit="crop")
    assert shown.seen == (slice(150, 250), slice(0, 100))
    rows = {row.name: row for row in measure_overlap(shown, masks)}
    assert rows["T5"].enrichment == pytest.approx(1) and rows["T5"].area_share == pytest.approx(masks.mask("T5").sum() / 1e4)
    assert rows["right rib 1"] == Overlap("bone", "right rib 1", 0.0)


@settings(max_examples=200, deadline=None)
@given(values=MAPS, mask=MASKS, tolerance=st.floats(0, 6))
def test_bounds_hold_for_any_map_and_mask(values: np.ndarray, mask: np.ndarray, tolerance: float) -> None:
    found = MeasuredMap(values, tolerance).against(mask)
    shares = [
        found.mass_share,
        found.rank_accuracy,
        found.pointing,
        found.iou_otsu,
        found.iou_matched,
        *(found.iou_sweep or ()),
    ]
    assert all(share is None or 0 <= share <= 1 for share in shares)
    assert found.area_share == mask.mean()
    if not mask.any() or not values.any():
        assert shares == [None] * 5
        return
    assert found.enrichment is not None and found.mass_share is not None and found.rank_accuracy is not None
    assert found.enrichment == pytest.approx(found.mass_share / found.area_share)
    assert found.iou_matched == pytest.approx(found.rank_accuracy / (2 - found.rank_accuracy))
    flat = values.max() - values.min() <= 1e-6 * values.max()
    assert (found.iou_otsu is None) == (found.pointing is None) == flat
    if mask.all():
        assert found.mass_share == found.rank_accuracy == found.iou_matched == 1


@settings(max_examples=100, deadline=None)
@given(values=MAPS, mask=MASKS)
def test_a_mask_and_the_rest_share_the_map(values: np.ndarray, mask: np.ndarray) -> None:
    measured = MeasuredMap(values)
    one, other = measured.against(mask), measured.against(~mask)
    if one.mass_share is not None and other.mass_share is not None:
        assert one.mass_share + other.mass_share == pytest.approx(1)


@settings(max_examples=100, deadline=None)
@given(mask=MASKS, height=st.floats(2**-10, 1e6, width=32))
def test_a_perfect_map_and_a_flat_one(mask: np.ndarray, height: float) -> None:
    if not mask.any():
        return
    flat = MeasuredMap(np.full(SHAPE, height, np.float32), 1.0).against(mask)
    assert flat.mass_share == pytest.approx(mask.mean()) and flat.enrichment == pytest.approx(1)
    assert flat.rank_accuracy == pytest.approx(mask.mean()) and flat.pointing is None and flat.iou_otsu is None
    assert flat.iou_sweep is not None and set(flat.iou_sweep) == {mask.mean()}
    if mask.all():
        return
    perfect = MeasuredMap(np.where(mask, np.float32(height), np.float32(0)), 1.0).against(mask)
    assert perfect.mass_share == perfect.rank_accuracy == perfect.pointing == perfect.iou_otsu == perfect.iou_matched == 1
    assert perfect.enrichment == pytest.approx(1 / mask.mean()) and perfect.iou_sweep == (1.0,) * 9


@settings(max_examples=60, deadline=None)
@given(values=MAPS, mask=MASKS, place=st.tuples(st.integers(0, 40), st.integers(0, 40)), tolerance=st.floats(0, 5))
def test_a_mask_in_its_box_is_the_mask(values: np.ndarray, mask: np.ndarray, place: Any, tolerance: float) -> None:
    """The same numbers whether a mask is given whole or cut out, wherever in a larger map it lies."""
    large = np.zeros((60, 60), np.float32)
    large[place[0] : place[0] + 14, place[1] : place[1] + 17] = values
    whole = np.zeros((60, 60), bool)
    whole[place[0] : place[0] + 14, place[1] : place[1] + 17] = mask
    whole, large = whole[:57, :59], large[:57, :59]
    box = (slice(place[0], min(place[0] + 14, 57)), slice(place[1], min(place[1] + 17, 59)))
    measured = MeasuredMap(large, tolerance)
    assert measured.against(whole[box], box) == measured.against(whole)


@pytest.mark.parametrize("wrong", [np.nan, np.inf, -1.0])
def test_values_that_are_no_numbers_are_one_sentence(wrong: float) -> None:
    values = np.ones((5, 5), np.float32)
    values[2, 3] = wrong
    with pytest.raises(InputError, match="no numbers") as caught:
        MeasuredMap(values)
    assert caught.value.code == "heatmap-values" and "\n" not in str(caught.value)


def test_masks_of_another_size_are_one_sentence_and_no_masks_are_no_rows() -> None:
    saliency = make_map(np.random.default_rng(0).random((5, 5)), (80, 80))
    with pytest.raises(InputError, match="use masks drawn on this radiograph"):
        measure_overlap(saliency, make_masks((80, 81)))
    assert measure_overlap(saliency, BoneMasks.pack({}, (80, 80))) == ()


def test_one_pixel_full_and_equal_masks() -> None:
    shape = (80, 80)
    masks = {"T5": np.zeros(shape, bool), "T6": np.ones(shape, bool), "T7": np.ones(shape, bool)}
    masks["T5"][40, 33] = True
    rows = {row.name: row for row in measure_overlap(make_map(np.random.default_rng(0).random((5, 5)), shape), BoneMasks.pack(masks, shape))}  # fmt: skip
    assert rows["T5"].area_share == 1 / 6400 and rows["T5"].mass_share is not None and rows["T5"].rank_accuracy in (0.0, 1.0)
    for name in ("T6", "T7", "Spine", "all bones"):
        assert rows[name].enrichment == 1 and rows[name].pointing == 1 and rows[name].iou_matched == 1


def test_all_bones_of_a_large_radiograph_take_well_under_a_second() -> None:
    shape = (2000, 2000)
    row, column = np.ogrid[:2000, :2000]
    rng = np.random.default_rng(0)
    drawn = {
        name: ((row - y) / 60) ** 2 + ((column - x) / 250) ** 2 < 1
        for name, y, x in zip(CHEST_FRONTAL.by_name, rng.uniform(0, 2000, 46), rng.uniform(0, 2000, 46), strict=False)
    }
    masks, saliency = BoneMasks.pack(drawn, shape), make_map(rng.random((37, 37)), shape)
    taken = []
    for _ in range(3):
        begun = time.perf_counter()
        assert len(measure_overlap(saliency, masks)) == 1 + len({CHEST_FRONTAL.by_name[name].group for name in drawn}) + len(
            drawn
        )
        taken.append(time.perf_counter() - begun)
    assert min(taken) < 0.8, taken
