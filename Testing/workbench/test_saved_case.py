"""What a scene keeps of a case comes back whole, or is refused in one sentence."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from workbench.cases import answer, answer_all, case, masks, saliency

from OsteoScreenLib.bones.masks import BoneMasks
from OsteoScreenLib.bones.vocabulary import CHEST_FRONTAL, KNEE
from OsteoScreenLib.errors import InputError
from OsteoScreenLib.explain.overlap import measure_overlap
from OsteoScreenLib.workbench.answers import Answers
from OsteoScreenLib.workbench.case import Case
from OsteoScreenLib.workbench.saved_case import from_json, site_of, to_json


def switched() -> Case:
    made = case()
    made.switch(made.toggles.with_changes(mode="add-back", fill="noise", seed=3, margin_px=2.0, target="low bone mass"))
    made.set_covered(["T7"], True)
    made.set_hidden(["left rib 5"], True)
    answer_all(made, {frozenset({"T7"}): 0.31})
    return made


def test_the_round_trip_keeps_every_number() -> None:
    made = switched()
    back = from_json(to_json(made), made.reading.pixels, masks(), Answers(), "token")
    assert back.token == "token"
    assert back.toggles == made.toggles and not back.can_undo
    assert back.numbers() == made.numbers() and back.effects() == made.effects()
    assert not back.masks_edited
    before, after = made.result, back.result
    assert before is not None and after is not None
    assert after.model == before.model and after.statements == before.statements and after.analysis == before.analysis
    assert after.saliency is not None and before.saliency is not None
    np.testing.assert_array_equal(after.saliency.grid, before.saliency.grid)
    np.testing.assert_array_equal(after.saliency.grid_to_radiograph, before.saliency.grid_to_radiograph)
    assert back.reading.notes == made.reading.notes and back.reading.spacing_mm == made.reading.spacing_mm


def test_the_table_the_method_and_the_percentiles_come_back() -> None:
    made = switched()
    assert made.result is not None
    measured = measure_overlap(saliency(), masks())
    made.take_result(made.reading, replace(made.result, overlap=measured, saliency_methods=("grad-cam", "rollout")))
    made.set_saliency("rollout")
    made.take_saliency(replace(saliency("low bone mass"), method="Attention rollout"), measured)
    for question in [*made.questions("remove"), *made.questions("add-back")]:
        if not question.untouched:
            made.answers.put(question, answer(question, 0.2 + 0.01 * len(question.covered)))
    for number, question in enumerate(made.table.controls("add-back")):
        made.answers.put(question, answer(question, (number % 7) / 10) if number % 60 else None)
    rows = made.table.rows()
    assert {row.added_chance.state for row in rows.values()} == {"current"}
    back = from_json(to_json(made), made.reading.pixels, masks(), Answers(), "token")
    assert back.table.rows() == rows and back.toggles.saliency == "rollout" and back.saliency is not None
    assert back.result is not None and back.result.saliency_methods == ("grad-cam", "rollout")
    assert list(back.table.controls("add-back")) == [], "nothing has to be asked again"


def test_a_case_of_the_time_before_the_table_comes_back_too() -> None:
    table = json.loads(to_json(switched()))
    for name in ("overlap", "saliency_methods"):
        del table["result"][name]
    del table["toggles"]["saliency"]
    back = from_json(json.dumps(table), case().reading.pixels, masks(), Answers(), "token")
    assert back.result is not None and back.result.overlap == () and back.toggles.saliency == "grad-cam"
    table["toggles"]["saliency"] = "tea leaves"
    with pytest.raises(InputError):
        from_json(json.dumps(table), case().reading.pixels, masks(), Answers(), "token")


def test_masks_that_were_changed_in_the_saved_scene_are_marked() -> None:
    made = switched()
    drawn = {name: masks().mask(name) for name in masks().names}
    drawn["T7"] = np.roll(drawn["T7"], 2, axis=0)
    changed = type(masks()).pack(drawn, masks().shape)
    back = from_json(to_json(made), made.reading.pixels, changed, Answers(), "token")
    assert back.masks_edited and back.numbers().state == "stale"  # type: ignore[union-attr]


def test_what_is_known_of_the_masks_comes_back_and_changed_bones_are_edited() -> None:
    made = switched()
    assert made.result is not None
    facts = {"confidence": {"T7": 0.7, "left rib 5": 0.6}, "left_out": {"C7": "faint"}, "trust": {"T7": "good"}}
    made.take_result(made.reading, replace(made.result, masks=made.result.masks.with_facts(**facts)))
    saved = to_json(made)
    same = from_json(saved, made.reading.pixels, masks(), Answers(), "token").result
    assert same is not None and same.masks.facts == made.result.masks.facts
    drawn = {name: masks().mask(name) for name in masks().names}
    drawn["T7"] = np.roll(drawn["T7"], 2, axis=0)
    changed = from_json(saved, made.reading.pixels, type(masks()).pack(drawn, masks().shape), Answers(), "token").result
    assert changed is not None and changed.masks.facts.edited == {"T7"}
    assert changed.masks.facts.confidence == {"left rib 5": 0.6}
    # A case saved before masks had facts comes back without any.
    table = json.loads(saved)
    del table["result"]["mask_facts"], table["result"]["mask_digests"]
    old = from_json(json.dumps(table), made.reading.pixels, masks(), Answers(), "token").result
    assert old is not None and old.masks.facts == masks().facts


def test_a_case_that_was_not_analysed_comes_back_too() -> None:
    fresh = Case(case().reading, Answers())
    back = from_json(to_json(fresh), fresh.reading.pixels, None, Answers(), "token")
    assert back.result is None and back.reading.source.name == "chest.dcm"


def test_another_image_is_refused() -> None:
    made = switched()
    other = made.reading.pixels.copy()
    other[0, 0] += 0.5
    with pytest.raises(InputError, match="not the one"):
        from_json(to_json(made), other, masks(), Answers(), "token")


@pytest.mark.parametrize("damage", ["", "[]", "{}", '{"format_version": 1}', "not json", '{"format_version": 99}'])
def test_damage_is_one_sentence(damage: str) -> None:
    with pytest.raises(InputError):
        from_json(damage, case().reading.pixels, masks(), Answers(), "token")


@pytest.mark.parametrize("key", ["source", "reading", "toggles", "answers", "result"])
def test_a_missing_part_is_one_sentence(key: str) -> None:
    table = json.loads(to_json(switched()))
    del table[key]
    with pytest.raises(InputError):
        from_json(json.dumps(table), case().reading.pixels, masks(), Answers(), "token")


def test_unknown_toggles_are_refused() -> None:
    table = json.loads(to_json(switched()))
    table["toggles"]["fill"] = "glitter"
    with pytest.raises(InputError):
        from_json(json.dumps(table), case().reading.pixels, masks(), Answers(), "token")


def test_a_saved_case_tells_whose_bones_it_has() -> None:
    """The scene's segmentation is read with that vocabulary; what is damaged or older counts as a chest."""
    made = case()
    assert site_of(to_json(made)) is CHEST_FRONTAL
    assert made.result is not None
    drawn = np.zeros(masks().shape, bool)
    drawn[20:30, 20:30] = True
    knee = BoneMasks.pack({"left patella": drawn}, drawn.shape, KNEE, "drawn by hand")
    made.take_result(made.reading, replace(made.result, masks=knee, masks_sha256=knee.sha256))
    text = to_json(made)
    assert site_of(text) is KNEE
    back = from_json(text, made.reading.pixels, knee, Answers(), "token")
    assert back.result is not None and back.result.masks.site is KNEE and set(back.subjects()) >= {"Patellae", "left patella"}
    older = json.loads(text)
    del older["result"]["site"]
    for words in (json.dumps(older), "{", "[]", '{"result": null}', '{"result": {"site": "elbow"}}'):
        assert site_of(words) is CHEST_FRONTAL
