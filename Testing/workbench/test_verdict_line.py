"""The verdict in one sentence: only when all groups were compared, for what is set now, and never about the patient."""

from __future__ import annotations

from dataclasses import replace

import pytest
from workbench.cases import answer, masks, result, saliency
from workbench.test_effect_table import ROOMLESS, answer_controls
from workbench.test_effect_table import case as _case

from OsteoScreenLib.explain.overlap import measure_overlap
from OsteoScreenLib.workbench.case import Case
from OsteoScreenLib.workbench.verdict_line import VerdictLine, verdict_line

case = _case
SPINE = frozenset({"T7"})


def line(case: Case) -> VerdictLine:
    return verdict_line(case, case.table.rows())


def test_it_waits_for_every_group(case: Case) -> None:
    case.take_saliency(saliency(), measure_overlap(saliency(), masks()))
    assert line(case) == VerdictLine(state="computing")
    answer_controls(case, "remove", 30)
    assert line(case).state == "computing"
    answer_controls(case, "remove")
    told = line(case)
    assert told.state == "current" and told.kind and told.sentence.endswith(".") and "\n" not in told.sentence
    case.mark_masks(True)
    assert line(case).state == "stale" and line(case).sentence == told.sentence


@pytest.mark.parametrize(("spine", "elsewhere", "kind"), [(0.1, 0.49, "looks at bone"), (0.5, 0.3, "does not")])
def test_it_follows_the_answers(case: Case, spine: float, elsewhere: float, kind: str) -> None:
    """A model that reads the spine, and one that reads everything else."""
    case.take_result(case.reading, replace(result(), saliency=None))
    for question in case.questions("remove"):
        covered = question.covered
        if covered:
            case.answers.put(question, answer(question, spine if covered >= SPINE else 0.5))
    for question in case.table.controls("remove"):
        room = question.covered != ROOMLESS
        case.answers.put(question, answer(question, elsewhere - 0.001 * question.draw) if room else None)
    told = line(case)
    assert told.kind == kind, told.sentence
    assert (told.kind == "looks at bone") == ("Spine" in told.sentence)
    for word in ("patient", "diagnos", "treat"):
        assert word not in told.sentence


def test_an_image_unlike_the_training_images_has_no_verdict(case: Case) -> None:
    domain = {"distance": 9.0, "percentile": 100.0, "level": "out"}
    case.take_result(case.reading, replace(result(), saliency=None, analysis={"prediction": {"domain": domain}}))
    answer_controls(case, "remove")
    assert line(case).kind == "cannot tell" and "unlike" in line(case).sentence


def test_while_the_heatmap_is_another_ones_it_waits(case: Case) -> None:
    case.take_saliency(saliency(), measure_overlap(saliency(), masks()))
    answer_controls(case, "remove")
    case.set_target("normal")
    assert line(case) == VerdictLine(state="computing")
