"""Bones of one leg end up on one side: by where the fibula lies, else by the larger part; two legs stay two."""

from __future__ import annotations

import numpy as np
import pytest
from builders import make_knee_masks

from OsteoScreenLib.bones.embedded import Letterbox, trimmed
from OsteoScreenLib.bones.limbs import settle_sides
from OsteoScreenLib.bones.vocabulary import CHEST_FRONTAL, KNEE

SHAPE = (96, 80)
NOUNS = ("femur", "tibia", "fibula", "patella")


def leg(side: str, given: dict[str, str] | None = None) -> dict[str, np.ndarray]:
    """Logits of one leg that truly is of `side`; given : noun → the side that the network says instead."""
    right = make_knee_masks(SHAPE)
    planes = {name: np.full(SHAPE, -6, np.float32) for name in KNEE.by_name}
    for noun in NOUNS:
        mask = right.mask(f"right {noun}") if side == "right" else np.fliplr(right.mask(f"right {noun}"))
        planes[f"{(given or {}).get(noun, side)} {noun}"][mask] = 4
    return planes


def drawn(planes: dict[str, np.ndarray]) -> set[str]:
    return {name for name, plane in planes.items() if (plane > 0).any()}


@pytest.mark.parametrize("side", ["right", "left"])
@pytest.mark.parametrize("wrong", [("femur",), ("femur", "patella"), ("tibia",), ("fibula",), ("tibia", "fibula")])
def test_the_fibulas_place_tells_the_side(side: str, wrong: tuple[str, ...]) -> None:
    other = "left" if side == "right" else "right"
    settled = settle_sides(leg(side, dict.fromkeys(wrong, other)), KNEE)
    assert drawn(settled) == {f"{side} {noun}" for noun in NOUNS}
    for noun in NOUNS:
        assert np.array_equal(settled[f"{side} {noun}"] > 0, leg(side)[f"{side} {noun}"] > 0)


def test_without_a_fibula_the_larger_part_decides() -> None:
    planes = leg("right", {"patella": "left"})
    planes["right fibula"][:] = -6
    assert drawn(settle_sides(planes, KNEE)) == {"right femur", "right tibia", "right patella"}


def test_a_bone_drawn_half_and_half_becomes_whole() -> None:
    planes = leg("left")
    half = planes["left femur"].copy()
    half[:, :40] = -6
    planes["right femur"][:, :40] = planes["left femur"][:, :40]
    planes["left femur"] = half
    settled = settle_sides(planes, KNEE)
    assert np.array_equal(settled["left femur"] > 0, leg("left")["left femur"] > 0) and "right femur" not in drawn(settled)


def test_two_legs_stay_two_even_where_they_touch() -> None:
    both = {name: np.hstack([leg("right")[name], leg("left")[name]]) for name in KNEE.by_name}
    touching = {name: np.hstack([leg("right")[name][:, :56], leg("left")[name][:, 24:]]) for name in KNEE.by_name}
    for planes in (both, touching):
        settled = settle_sides(planes, KNEE)
        assert all(np.array_equal(settled[name], planes[name]) for name in planes)


def test_a_site_without_limbs_is_left_alone() -> None:
    rng = np.random.default_rng(0)
    planes = {name: rng.normal(size=(20, 20)).astype(np.float32) for name in CHEST_FRONTAL.by_name}
    settled = settle_sides(planes, CHEST_FRONTAL)
    assert all(np.array_equal(settled[name], plane) for name, plane in planes.items())


def test_nothing_is_drawn_into_plain_margins() -> None:
    pixels = np.zeros((200, 160), np.float32)
    pixels[40:160, 20:140] = np.random.default_rng(1).random((120, 120), dtype=np.float32)
    planes = {"right femur": np.full((40, 40), 5, np.float32)}
    kept = trimmed(planes, Letterbox(pixels.shape, 80), pixels)["right femur"] > 0
    rows, columns = (np.flatnonzero(kept.any(axis=axis)) for axis in (1, 0))
    assert (rows[0], rows[-1]) == (8, 31) and (columns[0], columns[-1]) == (8, 31)
