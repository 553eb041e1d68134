"""Covering changes exactly the pixels that the mode says, with every fill, and nothing else by a single bit."""

from __future__ import annotations

import numpy as np
import pytest
from builders import make_masks, make_radiograph
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import distance_transform_edt

from OsteoScreenLib.bones.masks import BoneMasks
from OsteoScreenLib.errors import InputError
from OsteoScreenLib.explain.covering import MODES, Coverer, Mode, Region
from OsteoScreenLib.explain.fills import FILLS, Fill

BONES = ("T5", "T6", "right rib 1", "right rib 5", "right clavicle", "sternum")


@st.composite
def cases(draw: st.DrawFn) -> tuple[dict[str, np.ndarray], frozenset[str], Mode, Fill, float]:
    """Random overlapping boxes and blobs as bones, some absent, some empty, some touching the border; a choice of them."""
    shape = draw(st.tuples(st.integers(1, 40), st.integers(1, 40)))
    random = np.random.default_rng(draw(st.integers(0, 10**6)))
    masks = {}
    for name in draw(st.sets(st.sampled_from(BONES))):
        mask = np.zeros(shape, bool)
        top, left = random.integers(0, shape[0]), random.integers(0, shape[1])
        mask[top : top + random.integers(0, 25), left : left + random.integers(0, 25)] = True
        masks[name] = mask & (random.random(shape) < random.choice([0.5, 1.0]))
    chosen = frozenset(draw(st.sets(st.sampled_from(BONES))))
    margin = draw(st.sampled_from([0.0, 0.5, 1.0, 1.5, 2.0, 3.7]))
    return masks, chosen, draw(st.sampled_from(MODES)), draw(st.sampled_from(FILLS)), margin


def expected_region(
    masks: dict[str, np.ndarray], chosen: frozenset[str], mode: str, margin: float, shape: tuple[int, ...]
) -> np.ndarray:
    """The definition, written down plainly."""
    none = np.zeros(shape, bool)
    covered = np.logical_or.reduce([masks[n] for n in masks if n in chosen] or [none])
    shown = np.logical_or.reduce([masks[n] for n in masks if n not in chosen] or [none])
    if margin == 0 and mode == "add-back":
        return np.logical_or.reduce([*masks.values(), none]) & ~shown
    wide = distance_transform_edt(~covered) <= margin if covered.any() else none
    return wide & ~shown if mode == "add-back" else wide


@settings(max_examples=200, deadline=None)
@given(cases())
def test_exactly_the_modes_pixels_change(case: tuple[dict[str, np.ndarray], frozenset[str], Mode, Fill, float]) -> None:
    masks, chosen, mode, fill, margin = case
    shape = next(iter(masks.values())).shape if masks else (7, 9)
    # Above 1, so that black and noise differ from every pixel.
    pixels = (np.random.default_rng(1).random(shape) + 3).astype(np.float32)
    before = pixels.copy()
    region = expected_region(masks, chosen, mode, margin, shape)
    coverer = Coverer(pixels, BoneMasks.pack(masks, shape), mode, fill, margin, seed=2)

    painted = coverer.cover(chosen)

    np.testing.assert_array_equal(coverer.region(chosen).full(shape), region)
    assert coverer.region(chosen).area == region.sum()
    np.testing.assert_array_equal(painted[~region], before[~region])
    np.testing.assert_array_equal(pixels, before, err_msg="the radiograph itself must never change")
    assert painted.dtype == np.float32 and np.isfinite(painted).all()
    if fill in ("black", "noise"):  # these stay within [0, 1], so every covered pixel must have changed
        assert (painted[region] != before[region]).all()


@pytest.mark.parametrize("fill", FILLS)
@pytest.mark.parametrize("mode", MODES)
def test_covered_pixels_do_change_and_overlaps_go_the_modes_way(mode: Mode, fill: Fill) -> None:
    radiograph, masks = make_radiograph(), make_masks()
    overlap = masks.mask("T5") & masks.mask("right rib 5")
    assert overlap.any()
    painted = Coverer(radiograph.pixels, masks, mode, fill, seed=1).cover(["T5"])
    changed = painted != radiograph.pixels
    if mode == "remove":
        assert changed[overlap].mean() > 0.95, "covered wins"
        assert changed[masks.mask("T5")].mean() > 0.95
    else:
        assert not changed[overlap].any(), "shown wins"
        assert changed[masks.mask("T5") & ~overlap].mean() > 0.95
    assert not changed[~masks.mask("T5")].any()


def test_margin_widens_covered_bones_and_never_paints_over_shown_ones() -> None:
    radiograph, masks = make_radiograph(), make_masks()
    rest = [name for name in masks.names if name != "right rib 5"]
    region = Coverer(radiograph.pixels, masks, "add-back", "mean", 6.0).region(rest).full(masks.shape)
    assert not (region & masks.mask("right rib 5")).any()
    assert (region & ~masks.union(masks.names)).any()


def test_fills_are_what_they_say() -> None:
    radiograph, masks = make_radiograph((480, 400)), make_masks((480, 400))
    pixels, covered = radiograph.pixels, masks.mask("T5")

    def painted(fill: Fill, seed: int = 0) -> np.ndarray:
        return Coverer(pixels, masks, "remove", fill, seed=seed).cover(["T5"])[covered]

    bones = masks.union(masks.names)
    rows, columns = np.flatnonzero(bones.any(1)), np.flatnonzero(bones.any(0))
    box = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    tissue = pixels[box][~bones[box]]
    assert set(painted("black")) == {0.0}
    assert np.unique(painted("mean")).size == 1 and painted("mean")[0] == pytest.approx(tissue.mean(), abs=1e-5)
    noise = painted("noise")
    assert noise.std() == pytest.approx(tissue.std(), rel=0.35) and noise.mean() == pytest.approx(tissue.mean(), abs=0.05)
    np.testing.assert_array_equal(noise, painted("noise"))
    assert (noise != painted("noise", seed=1)).mean() > 0.9
    one, both = Coverer(pixels, masks, "remove", "noise"), Coverer(pixels, masks, "remove", "noise")
    np.testing.assert_array_equal(one.cover(["T5"])[covered], both.cover(["T5", "T6"])[covered], err_msg="one noise for all")


def test_blur_removes_detail_and_keeps_regional_brightness() -> None:
    row, column = np.mgrid[:512, :512]
    stripes = ((row // 4) % 2 * 0.5 + column / 1024).astype(np.float32)
    mask = (abs(row - 256) < 60) & (abs(column - 256) < 60)
    painted = Coverer(stripes, BoneMasks.pack({"T5": mask}, mask.shape), "remove", "blur").cover(["T5"])
    expected = (0.25 + column / 1024)[mask]
    assert abs(painted[mask] - expected).max() < 0.03


def test_inpainting_grows_in_from_the_surroundings_and_forgets_the_bone() -> None:
    row, column = np.mgrid[:600, :500]
    ramp = (column / 600 + row / 3000).astype(np.float32)
    mask = np.hypot(row - 300, column - 250) < 60
    bright = np.where(mask, np.float32(1), ramp)
    painted = Coverer(bright, BoneMasks.pack({"T5": mask}, mask.shape), "remove", "inpaint").cover(["T5"])
    assert abs(painted[mask] - ramp[mask]).mean() < 0.03, "a ramp is nearly restored"
    other = Coverer(np.where(mask, np.float32(0.3), ramp), BoneMasks.pack({"T5": mask}, mask.shape), "remove", "inpaint")
    np.testing.assert_allclose(other.cover(["T5"])[mask], painted[mask], atol=0.01, err_msg="the bone's own grey plays no part")


def test_linear_imputation_makes_each_pixel_the_mean_of_its_neighbours() -> None:
    """On an image no larger than the copy that it is solved on, with the noise taken away again."""
    masks = make_masks((120, 100))
    pixels = make_radiograph((120, 100)).pixels
    mask = masks.mask("T5")
    with_noise, other_noise = (Coverer(pixels, masks, "remove", "linear", seed=seed).cover(["T5"]) for seed in (1, 2))
    noise = (with_noise - other_noise)[mask] / np.sqrt(2)
    assert noise.std() == pytest.approx(0.01, rel=0.15) and abs(noise.mean()) < 0.002
    from OsteoScreenLib.explain.fills import fill_source

    everywhere = np.s_[0:120, 0:100]
    flat = fill_source("linear", np.full((120, 100), 0.5, np.float32), everywhere, np.zeros((120, 100), bool), 1)
    speckle = np.asarray(flat(everywhere, mask)) - np.float32(0.5)
    solved = np.where(mask, with_noise - speckle, pixels)
    mean = np.zeros_like(solved)
    for row, column, weight in [(0, 1, 1 / 6), (1, 0, 1 / 6), (1, 1, 1 / 12), (1, -1, 1 / 12)]:
        for sign in (1, -1):
            mean += np.float32(weight) * np.roll(solved, (sign * row, sign * column), (0, 1))
    np.testing.assert_allclose(solved[mask], mean[mask], atol=2e-5)
    assert (solved != pixels)[mask].mean() > 0.95


def test_linear_imputation_forgets_the_bone_and_moves_no_random_state() -> None:
    import torch

    row, column = np.mgrid[:600, :500]
    ramp = (column / 600 + row / 3000).astype(np.float32)
    mask = np.hypot(row - 300, column - 250) < 60
    packed = BoneMasks.pack({"T5": mask}, mask.shape)
    state = torch.get_rng_state()
    painted, other = (
        Coverer(np.where(mask, np.float32(grey), ramp), packed, "remove", "linear").cover(["T5"]) for grey in (1.0, 0.3)
    )
    assert torch.equal(torch.get_rng_state(), state)
    assert abs(painted[mask] - ramp[mask]).mean() < 0.03, "a ramp is nearly restored"
    np.testing.assert_allclose(other[mask], painted[mask], atol=0.01, err_msg="the bone's own grey plays no part")


def test_regions_of_the_same_pixels_have_the_same_key() -> None:
    masks = make_masks()
    coverer = Coverer(make_radiograph().pixels, masks)
    whole = coverer.region(masks.names)
    again = Region((slice(0, 240), slice(0, 200)), whole.full((240, 200)))
    assert whole.key == again.key and whole.box != again.box
    assert len({coverer.region([name]).key for name in masks.names}) == len(masks.names)
    moved = Region((slice(whole.box[0].start + 1, whole.box[0].stop + 1), whole.box[1]), whole.inside)
    assert moved.key != whole.key and coverer.region([]).key == b""
    assert coverer.region(masks.names, "add-back").key == whole.key, "with all covered, the modes are one"


def test_everything_covered_and_nothing_covered() -> None:
    pixels = make_radiograph((50, 40)).pixels
    full = BoneMasks.pack({"T5": np.ones((50, 40), bool)}, (50, 40))
    for fill in FILLS:
        assert np.isfinite(Coverer(pixels, full, "remove", fill).cover(["T5"])).all()
        np.testing.assert_array_equal(Coverer(pixels, full, "remove", fill).cover([]), pixels)
        np.testing.assert_array_equal(Coverer(pixels, full, "remove", fill).cover(["sternum"]), pixels)
        np.testing.assert_array_equal(Coverer(pixels, BoneMasks.pack({}, (50, 40)), "add-back", fill).cover(["T5"]), pixels)


def test_wrong_words_are_one_sentence() -> None:
    pixels, masks = make_radiograph().pixels, make_masks()
    for arguments, words in (
        ({"mode": "hide"}, "no mode called 'hide'"),
        ({"fill": "pink"}, "no fill called 'pink'"),
    ):
        with pytest.raises(InputError, match=words):
            Coverer(pixels, masks, **arguments)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="from 0 to 200 pixels"):
        Coverer(pixels, masks, margin_px=-1).cover(["T5"])
    with pytest.raises(InputError, match="use masks drawn on this radiograph"):
        Coverer(pixels[:-1], masks)
