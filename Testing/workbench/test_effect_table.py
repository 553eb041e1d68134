"""The table beside the bones: both Δ, ranks among controls as they come in, the heatmap's overlap, and what is asked for them."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice

import numpy as np
import pytest
from workbench.cases import answer, answer_all, masks, result, saliency
from workbench.cases import case as analysed_case

from OsteoScreenLib.bones.masks import BoneMasks
from OsteoScreenLib.explain.chance import CONTROLS, against_chance
from OsteoScreenLib.explain.covering import Mode
from OsteoScreenLib.explain.overlap import ALL_BONES, Overlap, measure_overlap
from OsteoScreenLib.workbench.answers import Answer, Answers
from OsteoScreenLib.workbench.case import Case
from OsteoScreenLib.workbench.effect_rows import EffectRow, at_rest

BONES = frozenset({"T7", "right rib 5", "left rib 5", "left clavicle"})
ROOMLESS = frozenset({"left clavicle"})


@pytest.fixture
def case() -> Case:
    made = analysed_case()
    answer_all(made, {frozenset({"T7"}): 0.3, BONES: 0.05})
    for question in made.questions("add-back"):
        if made.answers.get(question) is None:
            made.answers.put(question, answer(question, {BONES: 0.05, BONES - {"T7"}: 0.25}.get(question.covered, 0.1)))
    return made


def answer_controls(made: Case, mode: Mode, number: int | None = None) -> None:
    """Answer so many controls of a mode in the order in which they are asked; P(osteoporosis) from the draw alone."""
    open_ = (question for question in made.table.controls(mode) if not made.answers.settled(question))
    for question in islice(open_, number):
        none = question.covered == ROOMLESS
        made.answers.put(question, None if none else answer(question, 0.4 + 0.005 * question.draw))


def test_a_row_holds_both_differences(case: Case) -> None:
    rows = case.table.rows()
    assert list(rows) == [ALL_BONES, *case.subjects()]
    assert [rows[name].of for name in (ALL_BONES, "Spine", "T7")] == ["all", "group", "bone"]
    assert rows["T7"].removed.delta_points == pytest.approx(20) and rows["T7"].added.delta_points == pytest.approx(20)
    assert rows[ALL_BONES].removed.delta_points == pytest.approx(45) == rows[ALL_BONES].added.delta_points
    assert rows["left rib 5"].added.delta_points == pytest.approx(5)
    assert rows["T7"].effect("remove") is rows["T7"].removed and rows["T7"].chance("add-back") is rows["T7"].added_chance
    assert {row.removed_chance.state for row in rows.values()} == {"computing"}


def test_a_case_without_an_answer_has_no_rows(case: Case) -> None:
    fresh = Case(case.reading, Answers())
    assert fresh.table.rows() == {} and fresh.table.subjects() == {} and list(fresh.table.controls("remove")) == []


def test_percentiles_come_row_by_row_with_the_last_of_their_controls(case: Case) -> None:
    groups = [group for group in case.subjects() if case.subjects()[group] and group not in BONES]
    answer_controls(case, "remove", CONTROLS - 1)
    assert {row.removed_chance.state for row in case.table.rows().values()} == {"computing"}
    answer_controls(case, "remove", 1)
    rows = case.table.rows()
    known = [name for name, row in rows.items() if row.removed_chance.chance is not None]
    assert known[0] == groups[0] and set(known) <= {groups[0], "T7"}, "the first group, and its only bone"
    chance = rows[groups[0]].removed_chance.chance
    points = [100 * (0.5 - (0.4 + 0.005 * draw)) for draw in range(1, CONTROLS + 1)]
    expected = against_chance(rows[groups[0]].removed.delta_points or 0.0, points)
    assert chance is not None and expected is not None and chance.effects == pytest.approx(points)
    assert (chance.percentile, chance.p_two_sided) == (expected.percentile, expected.p_two_sided)
    answer_controls(case, "remove")
    rows = case.table.rows()
    assert {name for name, row in rows.items() if row.removed_chance.state == "no room"} == {"Clavicles", "left clavicle"}
    assert {row.removed_chance.state for row in rows.values()} == {"current", "no room"}
    assert rows["T7"].removed_chance.chance.percentile == pytest.approx(100 * 20 / 21)  # type: ignore[union-attr]
    assert {row.added_chance.state for row in rows.values()} == {"computing"}, "a mode's percentiles are its own"


def test_groups_removed_are_compared_first_whatever_the_mode_and_nothing_twice(case: Case) -> None:
    asked = list(case.table.controls("add-back"))
    groups = [bones for name, bones in case.subjects().items() if name in masks().site.groups]
    first = asked[: CONTROLS * len(groups)]
    assert {question.mode for question in first} == {"remove"} and [q.covered for q in first[::CONTROLS]] == groups
    assert {question.mode for question in asked[len(first) :]} == {"add-back"}
    assert len(set(asked)) == len(asked) and [q.draw for q in asked[:CONTROLS]] == list(range(1, CONTROLS + 1))
    answer_controls(case, "add-back")
    case.table.rows()
    assert list(case.table.controls("add-back")) == []


def test_what_is_still_to_be_asked_does_not_change_under_the_workers_hands(case: Case) -> None:
    controls = case.table.controls("remove")
    first = next(controls)
    case.switch(case.toggles.with_changes(fill="noise", seed=7, mode="add-back"))
    second = next(controls)
    assert (second.fill, second.seed, second.mode) == (first.fill, first.seed, first.mode) == ("mean", 0, "remove")
    case.take_reading(replace(case.reading, image_sha256="another"))
    assert case.result is None and next(controls).image_sha256 == first.image_sha256
    assert next(case.table.controls("remove"), None) is None


def test_another_fill_or_target_has_percentiles_of_its_own(case: Case) -> None:
    answer_controls(case, "remove")
    before = case.table.rows()["T7"].removed_chance.chance
    case.set_target("normal")
    after = case.table.rows()["T7"].removed_chance.chance
    assert before is not None and after is not None and after.effects != before.effects, "of the same answers"
    case.switch(case.toggles.with_changes(fill="black"))
    assert case.table.rows()["T7"].removed_chance.state == "computing"
    case.undo()
    assert case.table.rows()["T7"].removed_chance.chance == after


def test_changed_masks_mark_every_figure(case: Case) -> None:
    case.take_saliency(saliency(), measure_overlap(saliency(), masks()))
    answer_controls(case, "remove")
    case.mark_masks(True)
    rows = case.table.rows()
    assert {row.removed.state for row in rows.values()} == {row.overlap.state for row in rows.values()} == {"stale"}
    assert {row.removed_chance.state for row in rows.values()} == {"stale", "no room"}
    assert {row.added_chance.state for row in rows.values()} == {"none"}, "nobody computes them now"
    drawn = {name: masks().mask(name) for name in masks().names}
    drawn["T7"] = np.roll(drawn["T7"], 3, axis=1)
    case.take_masks(BoneMasks.pack(drawn, masks().shape))
    rows = case.table.rows()
    assert rows["T7"].removed.state == rows["T7"].removed_chance.state == rows["T7"].overlap.state == "computing"
    assert rows["T7"].mass_share is None and rows["T7"].iou is None


def test_overlap_stands_only_beside_the_heatmap_that_it_was_measured_on(case: Case) -> None:
    assert case.table.rows()["T7"].overlap.state == "computing", "a map that was not measured yet"
    measured = measure_overlap(saliency(), masks())
    case.take_saliency(saliency(), measured)
    row = case.table.rows()["T7"]
    wanted = next(one for one in measured if one.name == "T7")
    assert row.overlap.overlap == wanted and row.mass_share == wanted.mass_share and row.iou == wanted.iou_otsu
    assert case.table.rows()[ALL_BONES].overlap.overlap == measured[0]
    case.set_target("normal")
    assert case.table.rows()["T7"].overlap.state == "computing" and case.saliency is None
    case.undo()
    case.take_result(case.reading, replace(result(), saliency_methods=("grad-cam", "layercam"), overlap=measured))
    case.set_saliency("layercam")
    assert case.saliency is None and case.table.rows()["T7"].overlap.overlap is None
    case.take_saliency(replace(saliency(), method="LayerCAM"), (Overlap("bone", "T7", 0.1),))
    assert case.saliency is not None and case.table.rows()["T7"].overlap.overlap == Overlap("bone", "T7", 0.1)
    case.take_result(case.reading, replace(result(), saliency=None))
    assert case.table.rows()["T7"].overlap.state == "none", "no heatmap was wanted"


def test_a_method_that_the_model_cannot_give_is_no_choice(case: Case) -> None:
    case.set_saliency("rollout")
    assert case.toggles.saliency == "auto" and case.saliency_method.title == "Grad-CAM"
    case.take_result(case.reading, replace(result(), saliency_methods=("grad-cam", "rollout", "gradient-attention")))
    assert case.saliency_method.title == "Gradient attention", "the default of a vision transformer"
    case.set_saliency("rollout")
    assert case.saliency_method.title == "Attention rollout" and case.can_undo
    case.reset()
    assert case.toggles.saliency == "rollout", "as the target, it stays"
    case.take_result(case.reading, result(model="n" * 64))  # a model without attention
    assert case.saliency_method.key == "grad-cam" and case.toggles.saliency == "rollout"
    assert case.saliency is not None


def test_at_rest_nothing_is_being_computed() -> None:
    fresh = analysed_case()
    row = fresh.table.rows()["T7"]
    assert at_rest(row, effects=True, controls=True, heatmap=True) == row
    still = at_rest(row, effects=False, controls=False, heatmap=False)
    assert still == EffectRow("bone")
    assert at_rest(row, effects=True, controls=False, heatmap=False).removed.state == "computing"


def test_a_rank_is_not_counted_twice(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    answer_controls(case, "remove")
    case.table.rows()
    asked: list[object] = []
    get = Answers.get
    monkeypatch.setattr(Answers, "get", lambda self, question: asked.append(question) or get(self, question))  # type: ignore[func-returns-value]
    case.table.rows()
    assert not any(getattr(question, "draw", 0) for question in asked), "known ranks need no control"
    assert isinstance(get(case.answers, case.question(frozenset({"T7"}), draw=3)), Answer)
