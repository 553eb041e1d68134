"""Broken masks are marked, whatever chest they lie on, and whole ones are not."""

from __future__ import annotations

import numpy as np
import pytest
from bones.quality_doubles import SHAPE, drawn_chest, packed, widened
from hypothesis import given, settings
from hypothesis import strategies as st

from OsteoScreenLib.bones.masks import BoneMasks, MaskFacts
from OsteoScreenLib.bones.quality import IMPLAUSIBLE, SHORT, MaskQuality, assess, notes_on, out_of_turn
from OsteoScreenLib.bones.shapes import chest_shapes, fit_frame, measure
from OsteoScreenLib.bones.trust import LEVELS, TRUST, trust_levels, trust_manifest
from OsteoScreenLib.bones.vocabulary import CHEST_FRONTAL, SITES

RIBS = [f"{side} rib {number}" for side in ("right", "left") for number in range(2, 11)]
INNER = [*RIBS, *(f"T{number}" for number in range(3, 12))]
PAIRED = [name for name in RIBS if name.startswith("right")] + ["right clavicle", "right scapula"]


def marked(quality: dict[str, MaskQuality]) -> set[str]:
    return {name for name, one in quality.items() if one.implausible}


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10**6), size=st.floats(150, 240), tilt=st.floats(-0.08, 0.08))
def test_a_chest_as_expected_has_no_marks(seed: int, size: float, tilt: float) -> None:
    assert marked(assess(packed(drawn_chest(seed, size=size, tilt=tilt)))) == set()


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10**6), name=st.sampled_from(INNER), times=st.floats(2.4, 3.5))
def test_a_mask_far_too_large_is_marked_alone(seed: int, name: str, times: float) -> None:
    masks = drawn_chest(seed)
    masks[name] = widened(masks[name], times)
    quality = assess(packed(masks))
    assert marked(quality) == {name} and "large" in quality[name].codes


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10**6), name=st.sampled_from(INNER))
def test_a_third_of_a_mask_is_marked_alone(seed: int, name: str) -> None:
    masks = drawn_chest(seed)
    columns = np.nonzero(masks[name])[1]
    middle, half = columns.mean(), np.ptp(columns) / 6
    masks[name] &= np.abs(np.arange(SHAPE[1]) - middle)[None, :] <= half
    quality = assess(packed(masks))
    assert marked(quality) == {name} and "small" in quality[name].codes


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10**6), name=st.sampled_from(INNER))
def test_a_removed_mask_is_missing(seed: int, name: str) -> None:
    masks = drawn_chest(seed)
    del masks[name]
    quality = assess(packed(masks))
    assert marked(quality) == {name} and quality[name].codes == ("missing",) and not quality[name].found
    # A file of some bones is not blamed for the others, but for a gap in what it counts.
    alone = BoneMasks.pack(masks, SHAPE)
    assert marked(assess(alone)) == {name}
    del masks["left scapula"]
    assert marked(assess(BoneMasks.pack(masks, SHAPE))) == {name}


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10**6), right=st.sampled_from(PAIRED))
def test_bones_that_changed_sides_are_both_marked(seed: int, right: str) -> None:
    masks = drawn_chest(seed)
    left = right.replace("right", "left")
    masks[right], masks[left] = masks[left], masks[right]
    quality = assess(packed(masks))
    assert marked(quality) == {right, left}
    assert "wrong-side" in quality[right].codes and "wrong-side" in quality[left].codes


def test_a_mirrored_chest_is_on_the_wrong_side_as_a_whole() -> None:
    masks = {name: mask[:, ::-1] for name, mask in drawn_chest().items()}
    quality = assess(packed(masks))
    paired = {name for name in masks if CHEST_FRONTAL.by_name[name].side != "midline"}
    assert {name for name, one in quality.items() if "wrong-side" in one.codes} == paired
    without_spine = {name: mask for name, mask in masks.items() if name in paired}
    assert {name for name, one in assess(packed(without_spine)).items() if "wrong-side" in one.codes} == paired


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10**6), side=st.sampled_from(["right", "left"]), number=st.integers(2, 9))
def test_two_ribs_that_changed_places_are_both_out_of_order(seed: int, side: str, number: int) -> None:
    masks = drawn_chest(seed)
    one, other = f"{side} rib {number}", f"{side} rib {number + 1}"
    masks[one], masks[other] = masks[other], masks[one]
    quality = assess(packed(masks))
    assert marked(quality) == {one, other}
    assert {name for name, found in quality.items() if "out-of-order" in found.codes} == {one, other}


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10**6), side=st.sampled_from(["right", "left"]), order=st.permutations(range(3, 11)))
def test_shuffled_ribs_are_marked_and_no_other_bone(seed: int, side: str, order: list[int]) -> None:
    """A rib that is one place off in a row that still descends cannot be told from a chest counted one off: hence the ≈."""
    masks = drawn_chest(seed)
    drawn = {f"{side} rib {number}": masks[f"{side} rib {taken}"] for number, taken in zip(range(3, 11), order, strict=True)}
    far = {f"{side} rib {number}" for number, taken in zip(range(3, 11), order, strict=True) if abs(number - taken) > 1}
    found = marked(assess(packed(masks | drawn)))
    assert far <= found
    assert bool(found) == (order != list(range(3, 11)))
    # One that has stayed may be out of turn among the shuffled; what was not shuffled is left alone.
    assert found <= set(drawn)


@settings(max_examples=50)
@given(heights=st.lists(st.integers(0, 40), min_size=1, max_size=12, unique=True))
def test_what_is_not_out_of_turn_descends(heights: list[int]) -> None:
    named = {str(place): float(height) for place, height in enumerate(heights)}
    out = out_of_turn(named, 0.0)
    kept = [height for name, height in named.items() if name not in out]
    assert kept == sorted(kept)
    assert not out if heights == sorted(heights) else out


def test_a_bone_far_from_its_place_is_named_alone() -> None:
    assert out_of_turn({"1": 10, "2": 20, "3": 90, "4": 40, "5": 50, "6": 60}, 0.0) == ("3",)
    assert out_of_turn({"1": 10, "2": 30, "3": 20, "4": 40}, 0.0) == ("2", "3")
    assert out_of_turn({}, 0.0) == ()


def test_the_edge_informs_and_does_not_accuse() -> None:
    masks = {name: mask[100:, :] for name, mask in drawn_chest().items()}  # cut through the upper thorax
    quality = assess(BoneMasks.pack(masks, (SHAPE[0] - 100, SHAPE[1])))
    cut = {name for name, one in quality.items() if "cut-by-edge" in one.codes}
    assert cut and not cut & marked(quality)
    assert not quality["C7"].found and not quality["C7"].marks


def test_few_bones_are_judged_by_sides_and_order_alone() -> None:
    masks = drawn_chest()
    some = {name: masks[name] for name in ("right rib 4", "right rib 5", "left clavicle")}
    some["right rib 5"] = widened(some["right rib 5"], 3)
    assert marked(assess(BoneMasks.pack(some, SHAPE))) == set()
    assert marked(assess(BoneMasks.pack({}, SHAPE))) == set()


def test_what_was_left_out_says_why() -> None:
    masks = drawn_chest()
    for name in ("right rib 5", "left rib 12", "L2"):
        del masks[name]
    left_out = {"right rib 5": "out-of-order", "left rib 12": "faint", "L2": "removed"}
    quality = assess(packed(masks).with_facts(left_out=left_out))
    assert quality["right rib 5"].codes == ("out-of-order",) and quality["right rib 5"].implausible
    assert "too little evidence" in quality["left rib 12"].marks[0].text
    assert quality["L2"].codes == ("removed",) and not quality["L2"].implausible


def test_a_corrected_bone_loses_its_confidence_and_is_edited() -> None:
    masks = drawn_chest()
    before = packed(masks).with_facts(
        confidence=dict.fromkeys(masks, 0.9), left_out={"left humerus": "faint"}, trust={"T7": "check", "T8": "check"}
    )
    changed = dict(masks)
    changed["T7"] = widened(changed["T7"], 1.2)
    del changed["T8"]
    after = BoneMasks.pack(changed, SHAPE).corrected_from(before.digests, before.facts)
    quality = assess(after)
    assert quality["T7"].edited and quality["T7"].confidence is None
    assert quality["T6"].confidence == 0.9 and not quality["T6"].edited
    assert quality["T8"].codes == ("removed",) and after.facts.trust == before.facts.trust
    # Nothing changed: nothing is edited, however the masks are packed.
    same = BoneMasks.pack(masks, SHAPE).corrected_from(before.digests, before.facts)
    assert same.facts == before.facts and same.sha256 == before.sha256
    # A second look keeps what the first one knew.
    again = BoneMasks.pack(changed, SHAPE).corrected_from(after.digests, after.facts)
    assert again.facts == after.facts


def test_numbers_of_ribs_and_vertebrae_are_uncertain_and_no_others() -> None:
    uncertain = {name for name, one in assess(packed(drawn_chest())).items() if one.numbering_uncertain}
    assert uncertain == {bone.name for bone in CHEST_FRONTAL.bones if bone.group == "Spine" or " rib " in bone.name}


def test_several_implausible_masks_make_one_note() -> None:
    masks = drawn_chest()
    assert notes_on(assess(packed(masks))) == ()
    for number in range(3, 8):
        masks[f"left rib {number}"] = np.roll(masks[f"left rib {number}"], -140, axis=1)
    del masks["right rib 6"]
    (note,) = notes_on(assess(packed(masks)))
    assert note.code == "masks-implausible" and note.severity == "warning"
    assert "5 bone masks look" in note.text and "1 bone that should be in the picture has no usable mask" in note.text


def test_every_code_has_words() -> None:
    assert set(SHORT) >= IMPLAUSIBLE | {"cut-by-edge", "left-out", "removed", "edited"}


def test_thinned_masks_measure_the_same() -> None:
    small = drawn_chest(3, jitter=0)
    large = {name: np.kron(mask, np.ones((5, 5), bool)) for name, mask in small.items()}
    shape = (SHAPE[0] * 5, SHAPE[1] * 5)
    one, five = measure(BoneMasks.pack(small, SHAPE)), measure(BoneMasks.pack(large, shape))
    assert set(one) == set(five)
    for name, here in one.items():
        there = five[name]
        assert there.area == pytest.approx(25 * here.area, rel=0.05)
        assert there.width == pytest.approx(5 * here.width, rel=0.05) and there.height == pytest.approx(
            5 * here.height, rel=0.15
        )
        assert (there.row, there.column) == pytest.approx((5 * here.row + 2, 5 * here.column + 2), abs=3)


def test_the_frame_is_found_among_outliers() -> None:
    rng = np.random.default_rng(4)
    masks = drawn_chest(4, size=200, tilt=0.05)
    for name in rng.choice(list(masks), 9, replace=False):
        masks[name] = np.roll(masks[name], (int(rng.integers(40, 120)), int(rng.integers(-90, 90))), axis=(0, 1))
    frame = fit_frame(measure(BoneMasks.pack(masks, SHAPE)), chest_shapes())
    assert frame is not None and frame.unit == pytest.approx(200, rel=0.04)
    assert frame.to_image(0, 0) == pytest.approx((0.47 * SHAPE[0], 0.5 * SHAPE[1]), abs=5)
    place = frame.to_image(0.3, -0.2)
    assert frame.to_thorax(*place) == pytest.approx((0.3, -0.2))


def test_trust_names_only_bones_and_groups() -> None:
    for name, site in SITES.items():
        assert set(TRUST[name]) <= set(site.by_name) | set(site.groups)
    assert {level for table in TRUST.values() for level, _ in table.values()} <= set(LEVELS)
    levels = trust_levels()
    assert set(levels) == set(CHEST_FRONTAL.by_name)
    assert levels["left rib 12"] == "hidden" and levels["left rib 4"] == "check" and levels["left clavicle"] == "good"
    assert trust_levels(trust_manifest()) == levels
    assert set(trust_levels({"Spine": "good", "T7": "hidden", "Left ribs": "wonderful"}).values()) == set(LEVELS)


def test_facts_are_no_part_of_the_masks_hash() -> None:
    masks = packed(drawn_chest())
    assert masks.sha256 == masks.with_facts(confidence={"T7": 0.1}).sha256
    assert BoneMasks.pack({}, SHAPE).facts == MaskFacts()
