"""Toggles, undo, stale marks and the numbers made of answers."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from bones.quality_doubles import drawn_chest, packed
from hypothesis import given, settings
from hypothesis import strategies as st
from workbench.cases import answer, answer_all, case, masks, reading, result

from OsteoScreenLib.bones.masks import BoneMasks
from OsteoScreenLib.bones.quality import assess, notes_on
from OsteoScreenLib.workbench.answers import Answers
from OsteoScreenLib.workbench.case import Case

BONES = frozenset({"T7", "right rib 5", "left rib 5", "left clavicle"})


def test_a_case_without_an_answer_has_no_numbers() -> None:
    fresh = Case(reading(), Answers())
    assert fresh.numbers() is None and fresh.effects() == {} and fresh.subjects() == {}
    fresh.set_covered(["T7"], True)
    assert fresh.toggles.covered == frozenset()  # nothing was found that could be covered


def test_untouched_numbers_and_the_ordinal_decision() -> None:
    numbers = case().numbers()
    assert numbers is not None and numbers.state == "current"
    assert [row.untouched for row in numbers.rows] == [0.2, 0.3, 0.5]
    assert all(row.now is None and row.delta_points is None for row in numbers.rows)
    assert numbers.decision_untouched == "osteoporosis" and numbers.decision_now is None


def test_remove_is_positive_when_the_bone_supports_the_target() -> None:
    made = case()
    made.set_covered(["T7"], True)
    assert made.numbers().state == "computing"  # type: ignore[union-attr]
    answer_all(made, {frozenset({"T7"}): 0.3})
    numbers = made.numbers()
    assert numbers is not None and numbers.state == "current" and numbers.reference == "untouched"
    assert numbers.delta_points == pytest.approx(20.0)
    assert numbers.delta_log_odds == pytest.approx(math.log(0.5 / 0.5) - math.log(0.3 / 0.7))
    assert numbers.rows[2].now == 0.3 and numbers.rows[2].delta_points == pytest.approx(20.0)
    assert numbers.covered_area_px == 10
    assert numbers.decision_now == "osteopenia"  # 0.3 < 0.4, and 0.35 + 0.3 reaches the lower point
    assert "1 bone covered" in numbers.sentence and "30.0 %" in numbers.sentence and "50.0 %" in numbers.sentence
    assert made.effects()["T7"].delta_points == pytest.approx(20.0)
    assert made.effects()["Spine"].delta_points == pytest.approx(20.0)  # the only vertebra that was found
    assert made.effects()["left clavicle"].delta_points == pytest.approx(40.0)


def test_add_back_counts_from_all_covered() -> None:
    made = case()
    made.switch(made.toggles.with_changes(mode="add-back"))
    made.show_only(["T7"])
    assert made.toggles.covered == BONES - {"T7"}
    answer_all(made, {BONES: 0.05, BONES - {"T7"}: 0.25})
    numbers = made.numbers()
    assert numbers is not None and numbers.reference == "all covered"
    assert numbers.delta_points == pytest.approx(20.0)  # 0.25 − 0.05
    assert "1 bone shown alone" in numbers.sentence and "5.0 %" in numbers.sentence
    assert made.effects()["T7"].delta_points == pytest.approx(20.0)
    assert made.effects()["left rib 5"].delta_points == pytest.approx(5.0)


def test_all_none_only_invert_reset() -> None:
    made = case()
    made.show_none()
    assert made.toggles.covered == BONES
    made.show_only(made.subjects()["Left ribs"])
    assert made.toggles.covered == BONES - {"left rib 5"}
    made.invert()
    assert made.toggles.covered == {"left rib 5"}
    made.set_hidden(["T7"], True)
    made.set_target("normal")
    made.switch(made.toggles.with_changes(fill="black", margin_px=3.0))
    made.reset()
    assert made.toggles.covered == frozenset() and made.toggles.hidden == frozenset() and made.toggles.fill == "mean"
    assert made.toggles.target == "normal"
    made.show_all()  # nothing to do, so no step
    made.undo()
    assert made.toggles.fill == "black" and made.toggles.hidden == {"T7"}


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from(sorted(BONES)), st.booleans(), st.sampled_from(["cover", "hide", "fill", "mode"])),
        max_size=12,
    )
)
def test_undo_and_redo_walk_the_same_way(steps: list[tuple[str, bool, str]]) -> None:
    made = case()
    seen = [made.toggles]
    for name, on, kind in steps:
        if kind == "cover":
            made.set_covered([name], on)
        elif kind == "hide":
            made.set_hidden([name], on)
        elif kind == "fill":
            made.switch(made.toggles.with_changes(fill="blur" if on else "mean"))
        else:
            made.switch(made.toggles.with_changes(mode="add-back" if on else "remove"))
        if made.toggles != seen[-1]:
            seen.append(made.toggles)
    for earlier in reversed(seen[:-1]):
        assert made.can_undo
        made.undo()
        assert made.toggles == earlier
    assert not made.can_undo
    for later in seen[1:]:
        made.redo()
        assert made.toggles == later
    assert not made.can_redo


def test_equal_pictures_are_one_question() -> None:
    made = case()
    untouched = made.question_now
    made.switch(made.toggles.with_changes(mode="add-back", fill="noise", seed=7, margin_px=4.0))
    assert made.question_now == untouched  # nothing is covered, so nothing differs
    made.set_covered(["T7"], True)
    noisy = made.question_now
    made.switch(made.toggles.with_changes(seed=8))
    assert made.question_now != noisy
    made.switch(made.toggles.with_changes(fill="black"))
    black = made.question_now
    made.switch(made.toggles.with_changes(seed=9))
    assert made.question_now == black  # only noise has a seed
    made.set_covered(["no such bone"], True)
    assert made.question_now == black


def test_other_models_and_images_get_no_foreign_answer() -> None:
    made = case()
    made.set_covered(["T7"], True)
    answer_all(made, {frozenset({"T7"}): 0.3})
    made.take_result(made.reading, result((0.6, 0.3, 0.1), model="n" * 64))
    assert made.toggles.covered == {"T7"}  # the reader compares models
    numbers = made.numbers()
    assert numbers is not None and numbers.state == "computing" and numbers.rows[0].untouched == 0.6
    made.take_result(made.reading, result())
    assert made.numbers().state == "current"  # type: ignore[union-attr]  # the first model's answers are still known
    made.take_reading(reading(seed=1))
    assert made.result is None and made.numbers() is None


def test_edited_masks_mark_every_number_that_depends_on_them() -> None:
    made = case()
    answer_all(made, {})
    parts: list[str] = []
    made.changed.connect(parts.append)
    made.mark_masks(True)
    assert parts == ["masks"]
    assert made.numbers().state == "current"  # type: ignore[union-attr]  # the untouched answer needs no mask
    assert {cell.state for cell in made.effects().values()} == {"stale"}
    made.set_covered(["T7"], True)
    assert made.numbers().state == "stale"  # type: ignore[union-attr]
    made.mark_masks(False)  # the strokes were undone
    assert made.numbers().state == "current"  # type: ignore[union-attr]
    assert {cell.state for cell in made.effects().values()} == {"current"}


def test_corrected_masks_ask_anew_and_going_back_does_not() -> None:
    made = case()
    made.set_covered(["T7"], True)
    answer_all(made, {frozenset({"T7"}): 0.3})
    former = made.result.masks  # type: ignore[union-attr]
    drawn = {name: former.mask(name) for name in former.names}
    drawn["T7"] = np.roll(drawn["T7"], 3, axis=1)
    made.take_masks(type(former).pack(drawn, former.shape))
    assert made.numbers().state == "computing"  # type: ignore[union-attr]
    made.take_masks(masks())
    assert made.numbers().delta_points == pytest.approx(20.0)  # type: ignore[union-attr]


def test_the_digest_of_masks_is_that_of_the_bones_and_not_of_their_packing() -> None:
    drawn = masks()
    again = {name: drawn.mask(name) for name in drawn.names}
    layers = np.stack([again[name].astype(np.uint8) for name in drawn.names])
    spread = type(drawn)(layers, {name: (index, 1) for index, name in enumerate(drawn.names)})
    assert spread.sha256 == drawn.sha256
    again["T7"] = again["T7"].copy()
    again["T7"][0, 0] = True
    assert type(drawn).pack(again, drawn.shape).sha256 != drawn.sha256
    swapped = {
        **{name: drawn.mask(name) for name in drawn.names},
        "T7": drawn.mask("left clavicle"),
        "left clavicle": drawn.mask("T7"),
    }
    assert type(drawn).pack(swapped, drawn.shape).sha256 != drawn.sha256


def test_a_target_changes_delta_without_a_new_question() -> None:
    made = case()
    made.set_covered(["T7"], True)
    question = made.question_now
    made.answers.put(question, answer(question, 0.3))
    made.set_target("normal")
    assert made.question_now == question
    assert made.numbers().delta_points == pytest.approx(100 * (0.2 - 0.35))  # type: ignore[union-attr]


def trusted() -> Case:
    """A fresh case whose first answer names a bone that is not to be trusted."""
    made = Case(reading(), Answers())
    drawn = masks().with_facts(trust={"T7": "good", "right rib 5": "hidden"}, confidence=dict.fromkeys(masks().names, 0.8))
    made.take_result(reading(), replace(result(), masks=drawn))
    return made


def test_outlines_that_cannot_be_trusted_start_hidden_and_stay_as_the_reader_has_them() -> None:
    made = trusted()
    assert made.toggles.hidden == {"right rib 5"} and not made.can_undo
    made.set_covered(["right rib 5"], True)
    assert made.toggles.covered == {"right rib 5"}, "covering works all the same"
    made.set_hidden(["right rib 5"], False)
    made.take_result(reading(), made.result)  # type: ignore[arg-type]
    assert made.toggles.hidden == frozenset(), "a second answer does not hide what the reader has opened"
    made.reset()
    assert made.toggles.hidden == {"right rib 5"} and made.toggles.covered == frozenset()


def test_a_corrected_bone_is_edited_and_the_others_keep_their_confidence() -> None:
    made = trusted()
    assert made.quality["T7"].confidence == 0.8 and made.quality is made.quality
    drawn = {name: masks().mask(name) for name in masks().names}
    drawn["right rib 5"] = np.roll(drawn["right rib 5"], 3, axis=0)
    made.take_masks(BoneMasks.pack(drawn, masks().shape))
    quality = made.quality
    assert quality["right rib 5"].edited and quality["right rib 5"].confidence is None
    assert quality["T7"].confidence == 0.8 and not quality["T7"].edited
    made.reset()
    assert made.toggles.hidden == frozenset(), "a bone that a person has drawn is his own"


def test_the_note_on_masks_follows_their_correction() -> None:
    made = Case(reading(), Answers())
    chest = drawn_chest()
    broken = dict(chest)
    for number in range(3, 8):
        broken[f"left rib {number}"] = np.roll(chest[f"left rib {number}"], -140, axis=1)
    noted = replace(reading(), notes=(*reading().notes, *notes_on(assess(packed(broken)))))
    made.take_result(noted, replace(result(), masks=packed(broken)))
    assert [note.code for note in made.reading.notes] == ["no-spacing", "masks-implausible"]
    heard: list[str] = []
    made.changed.connect(heard.append)
    made.take_masks(packed(chest))
    assert [note.code for note in made.reading.notes] == ["no-spacing"] and heard == ["masks", "reading"]
    assert Case(reading(), Answers()).quality == {}
