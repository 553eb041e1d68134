"""Controls go the way of all questions: one key, one cache, asked in batches; one without room is not asked for ever."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from workbench.cases import case as analysed_case
from workbench.scripted_client import ScriptedClient, probabilities

from OsteoScreenLib.workbench import messages
from OsteoScreenLib.workbench.answers import Answer, Answers, asked
from OsteoScreenLib.workbench.case import Case
from OsteoScreenLib.workbench.desk import Desk
from OsteoScreenLib.worker.protocol import Message
from OsteoScreenLib.worker.requests import AnalysisOptions


@pytest.fixture
def case() -> Case:
    return analysed_case()


def test_a_control_is_a_question_of_its_own_with_a_seed(case: Case) -> None:
    bones = frozenset({"T7"})
    plain, first, second = (case.question(bones, draw=draw) for draw in (0, 1, 2))
    assert len({plain, first, second}) == 3
    assert asked(replace(plain, seed=4)) == plain, "the fill mean has no seed"
    assert asked(replace(first, seed=4)) != first, "a control has one"
    assert case.question(bones, "add-back", 1) != first
    assert case.question(frozenset(), "add-back", 1) != case.question(frozenset(), "add-back")
    case.switch(case.toggles.with_changes(fill="linear"))
    assert asked(replace(case.question(bones), seed=4)) != case.question(bones)


def test_answers_to_controls_are_kept_and_saved_and_missing_ones_are_settled(case: Case) -> None:
    question = case.question(frozenset({"T7"}), draw=3)
    answers = Answers()
    answers.put(question, Answer((0.1, 0.2, 0.7), 9))
    answers.put(replace(question, draw=4), None)
    assert [answers.settled(replace(question, draw=draw)) for draw in (2, 3, 4)] == [False, True, True]
    assert answers.get(replace(question, draw=4)) is None
    again = Answers()
    again.add_json(json.loads(json.dumps(answers.to_json(question.image_sha256))))
    assert again.get(question) == Answer((0.1, 0.2, 0.7), 9)
    assert again.settled(replace(question, draw=4)) and again.get(replace(question, draw=4)) is None
    assert not again.settled(replace(question, draw=2))
    plain = Answers()
    plain.put(case.question(frozenset({"T7"})), Answer((0.1, 0.2, 0.7), 9))
    older: dict[str, Any] = plain.to_json(question.image_sha256)[0]
    del older["question"]["draw"]  # a scene that was saved before there were controls
    again.add_json([older])
    assert again.get(replace(question, draw=0, seed=0)) == Answer((0.1, 0.2, 0.7), 9)


def test_a_sweep_with_controls_goes_out_in_batches_and_ends_even_without_room(case: Case) -> None:
    client = ScriptedClient()
    desk = Desk(client, case.answers)
    assert case.result is not None
    desk.attach(case.token, case.reading, case.result, AnalysisOptions())
    bones = frozenset({"T7"})
    wanted = [case.question(bones), *(case.question(bones, draw=draw) for draw in (1, 2, 3))]
    answer = client.answer

    def without_room_for_the_second(kind: str, body: dict[str, Any]) -> Message:
        said = answer(kind, body)
        if kind != "cover":
            return said
        answers = [None if draw == 2 else one for one, draw in zip(said.body["answers"], body["draws"], strict=True)]
        return Message(said.kind, {**said.body, "answers": answers})

    client.answer = without_room_for_the_second  # type: ignore[method-assign]
    desk.sweep(wanted)
    for _ in range(20):
        desk.poll()
    assert not desk.sweeping and all(map(case.answers.settled, wanted))
    known = [case.answers.get(question) for question in wanted]
    assert known[2] is None and [one.probabilities for one in known if one] == [tuple(probabilities(["T7"]))] * 3
    draws = [draw for kind, body in client.sent if kind == "cover" for draw in body["draws"]]
    assert sorted(draws) == [0, 1, 2, 3]
    assert messages.cover_request(tuple(wanted[1:]), False)["draws"] == [1, 2, 3]
    desk.close()
