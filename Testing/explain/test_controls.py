"""Controls: as many pixels to the pixel, elsewhere, where they may be, reproducible."""

from __future__ import annotations

import numpy as np
import pytest
from builders import make_masks, make_radiograph
from explain.readers import SHAPE, grainy, small_chest
from scipy.ndimage import binary_dilation, label

from OsteoScreenLib.bones.masks import BoneMasks
from OsteoScreenLib.explain.bone_sweep import subjects_of
from OsteoScreenLib.explain.controls import Controls
from OsteoScreenLib.explain.covering import MODES, Coverer, Mode

DRAWS = range(1, 9)


def hull_of(mask: np.ndarray) -> np.ndarray:
    from scipy.spatial import Delaunay

    points = np.argwhere(mask)
    grid = np.argwhere(np.ones(mask.shape, bool))
    return np.asarray(Delaunay(points).find_simplex(grid) >= 0).reshape(mask.shape)


@pytest.mark.parametrize("margin", [0.0, 3.0])
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_area_place_and_group(mode: Mode, margin: float, seed: int) -> None:
    masks = small_chest(seed)
    coverer = Coverer(grainy(seed), masks, mode, "mean", margin)
    controls = Controls(coverer, seed)
    every = frozenset(masks.names)
    everything = coverer.region(every).full(SHAPE)
    hull = binary_dilation(hull_of(everything), np.ones((3, 3)))  # its outermost pixels are a matter of rounding
    for subject in subjects_of(masks.site, every):
        if subject.of == "set":
            continue
        covered = subject.bones if mode == "remove" else every - subject.bones
        own = coverer.region(covered)
        mates = {name for group in masks.site.groups.values() if subject.bones & set(group) for name in group} & every
        seen = set()
        for draw in DRAWS:
            control = controls.region(covered, mode, draw)
            assert control is not None and control.area == own.area, "the area is the same to the pixel"
            seen.add(control.key)
            drawn = control.full(SHAPE)
            if mode == "remove":
                assert not (drawn & coverer.region(mates).full(SHAPE)).any(), "no bone of the group is touched"
                assert not (drawn & ~hull).any() or hull.sum() < 3 * own.area, "inside the hull of all bones"
            else:
                others = masks.union(every - mates)
                shown = everything & ~drawn
                assert not (drawn & ~everything).any() and not (shown & masks.union(mates) & ~others).any()
        assert len(seen) == len(DRAWS), "no two are alike"


def test_odd_draws_are_shifted_and_even_ones_turned() -> None:
    pixels, masks = make_radiograph((480, 400)).pixels, make_masks((480, 400))
    coverer = Coverer(pixels, masks)
    controls = Controls(coverer)
    own = coverer.region(["T5"])
    kinds = [controls.region({"T5"}, "remove", draw) for draw in range(1, 21)]
    shifted = [region for region in kinds[::2] if region is not None and region.inside.shape == own.inside.shape]
    assert len(shifted) >= 5 and all((region.inside == own.inside).all() for region in shifted)
    turned = [region for region in kinds[1::2] if region is not None]
    assert sum(region.inside.shape != own.inside.shape for region in turned) >= 9
    for region in turned:  # a rectangle that was turned is in one piece
        assert label(region.full(masks.shape), np.ones((3, 3)))[1] == 1


def test_they_follow_from_seed_bones_mode_and_number_alone() -> None:
    masks = small_chest(3)
    pixels = grainy(3)

    def key(seed: int, draw: int, *before: tuple[str, int], fill: str = "mean") -> bytes:
        controls = Controls(Coverer(pixels, masks, "remove", fill), seed)  # type: ignore[arg-type]
        for name, other in before:
            controls.region({name}, "remove", other)
        region = controls.region({"T6"}, "remove", draw)
        assert region is not None
        return region.key

    assert key(5, 4) == key(5, 4, ("T5", 1), ("T6", 9)) == key(5, 4, ("sternum", 2), fill="black")
    assert len({key(5, 4), key(6, 4), key(5, 3)}) == 3


def test_no_room_means_no_control() -> None:
    full = np.ones(SHAPE, bool)
    full[0, :5] = False
    masks = BoneMasks.pack({"T5": full, "T6": small_chest(0).mask("T6")}, SHAPE)
    coverer = Coverer(grainy(0), masks)
    assert Controls(coverer).region({"T5"}, "remove", 1) is None
    assert Controls(coverer).region(set(), "remove", 1) is None, "nothing covered has no area"
    assert Controls(coverer).region(set(), "add-back", 1) is None, "all bones shown leave no other bone to show"


def test_a_one_pixel_bone_has_one_pixel_controls_until_places_run_out() -> None:
    dot = np.zeros((6, 5), bool)
    dot[3, 2] = True
    coverer = Coverer(np.zeros((6, 5), np.float32), BoneMasks.pack({"T5": dot}, dot.shape))
    controls = Controls(coverer)
    regions = [controls.region({"T5"}, "remove", draw) for draw in range(1, 61)]
    found = [region.full(dot.shape) for region in regions if region is not None]
    assert all(region.sum() == 1 and not (region & dot).any() for region in found)
    assert 20 < len(found) <= 29 and len({region.tobytes() for region in found}) == len(found)
