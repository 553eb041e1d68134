"""A reading in which something goes wrong: one sentence, and the reader goes on with everything that he had entered."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from acceptance.reading_room import NAME, Room, make_study, reading_room, readings_of, store_answers
from acceptance.tables import SICK, KeptClient

from OsteoScreenLib.errors import OsteoScreenError
from OsteoScreenLib.review.nouns import Protocol
from OsteoScreenLib.review.study import ReviewStudy, open_study, protocol_json

pytestmark = pytest.mark.timeout(600)
TRUTH = ["osteoporosis", "normal", "osteopenia", "normal"]


@pytest.fixture(scope="module")
def analysed(tmp_path_factory: pytest.TempPathFactory, client: KeptClient) -> ReviewStudy:
    """Four cases, all of them analysed."""
    study = make_study(tmp_path_factory.mktemp("analysed"), TRUTH, Protocol("A study"))
    store_answers(study, readings_of(study, client), {case.id: "osteoporosis" for case in study.cases})
    return study


@pytest.fixture
def study(analysed: ReviewStudy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ReviewStudy:
    """A copy of it, without reads."""
    monkeypatch.setenv("OSTEOSCREEN_SETTINGS", str(tmp_path / "machine"))
    return open_study(shutil.copytree(analysed.folder, tmp_path / "study"))


@pytest.fixture
def room(view: Any, slicer_application: Any, qapp: Any, client: KeptClient, tmp_path: Path) -> Iterator[Room]:
    with reading_room(slicer_application, qapp, client, tmp_path / "viewer.ini") as made:
        yield made


def enter(room: Room) -> None:
    room.press("3")
    room.press("Right")


def lock_first(room: Room) -> None:
    enter(room)
    room.press("Ctrl+Return")
    room.until(lambda: room.reviewing.model_there)


def nodes(kind: str) -> int:
    import slicer.util

    return len(slicer.util.getNodesByClass(kind))


def test_nothing_else_is_opened_while_a_study_is_read(room: Room, study: ReviewStudy, monkeypatch: Any) -> None:
    room.sign_in(study, "anna", monkeypatch)
    volumes = nodes("vtkMRMLScalarVolumeNode")
    for step in ("first", "second"):
        for ask in [lambda: room.presenter.open_file(SICK), room.presenter.analyse][: 1 if step == "first" else 2]:
            room.tab.messages.clear()
            ask()
            assert "sign out in the Review tab" in room.tab.messages.shown[1]
        assert nodes("vtkMRMLScalarVolumeNode") == volumes
        if step == "first":
            assert room.presenter.case is None
            lock_first(room)
            volumes = nodes("vtkMRMLScalarVolumeNode")
    room.click(room.tab.sign_in._out)
    assert nodes("vtkMRMLScalarVolumeNode") == nodes("vtkMRMLSegmentationNode") == 0
    room.presenter.open_file(SICK)
    room.until(lambda: not room.presenter.busy)
    assert room.presenter.reading is not None


def test_cases_of_the_other_tab_leave_the_scene_before_a_reading(room: Room, study: ReviewStudy, monkeypatch: Any) -> None:
    from OsteoScreenLib.ui import qt_api

    room.presenter.open_file(SICK)
    room.until(lambda: not room.presenter.busy)
    answers, questions = [False, True], []
    monkeypatch.setattr(qt_api, "ask", lambda *words: questions.append(words[-1]) or answers.pop(0))
    monkeypatch.setattr(type(room.presenter), "analysed_count", property(lambda self: 1))
    with pytest.raises(AssertionError):
        room.sign_in(study, "anna", monkeypatch)
    assert not room.reviewing.signed_in and room.presenter.reading is not None and "1 analysed case leaves" in questions[0]
    room.press("Return")
    room.until_ready()
    assert room.presenter.reading is None and nodes("vtkMRMLScalarVolumeNode") == 1
    assert not any(SICK.name in text for text in [*room.texts(), *room.scene(), *room.tabs.analyse.log.lines])


def test_closing_the_scene_signs_out_and_keeps_everything(
    room: Room, study: ReviewStudy, slicer_application: Any, monkeypatch: Any
) -> None:
    room.sign_in(study, "anna", monkeypatch)
    task = room.session.task
    enter(room)
    slicer_application.mrmlScene().Clear(0)
    room.breathe()
    assert not room.reviewing.signed_in and room.said[-1][0] == "warning" and "everything" not in room.said[-1][1]
    assert "signed out" in room.tab.messages.shown[1]
    room.sign_in(study, "anna", monkeypatch)
    assert room.session.task == task
    assert (room.reviewing.draft.decision, room.reviewing.draft.confidence) == ("osteoporosis", 55)


@pytest.mark.parametrize("phase", ["first", "second"])
def test_a_node_that_is_deleted_comes_back(room: Room, study: ReviewStudy, monkeypatch: Any, phase: str) -> None:
    import slicer

    room.sign_in(study, "anna", monkeypatch)
    enter(room)
    if phase == "second":
        lock_first(room)
    before, picture = room.reviewing.draft, room.view.frame()
    room.reviewing._place.scene.radiograph.GetID()
    slicer.mrmlScene.RemoveNode(room.reviewing._place.scene.radiograph)
    room.breathe()
    assert room.reviewing.draft == before and room.reviewing.model_there == (phase == "second")
    assert nodes("vtkMRMLScalarVolumeNode") == (1 if phase == "first" else 2)
    assert (room.view.frame() == picture).mean() > 0.99
    room.press("Ctrl+Return")
    assert room.session.locked(phase, None) is not None or room.session.status(room.session.tasks[0]) == "done"


def test_a_radiograph_that_is_gone_is_passed_over_without_its_name(room: Room, study: ReviewStudy, monkeypatch: Any) -> None:
    from OsteoScreenLib.review.worklist import worklist

    first = worklist(study, "anna").tasks[0]
    path = study.image_path(study.case(first.case))
    kept = path.with_name("kept")
    path.rename(kept)
    try:
        room.sign_in(study, "anna", monkeypatch)
        assert room.session.task != first and room.session.status(first) == "skipped"
        words = next(sentence for severity, sentence in room.said if severity == "warning")
        assert words.startswith("Case 1 was passed over") and NAME not in words and first.case not in words
        kept.rename(path)
        room.press("PgUp")
        room.until(lambda: room.session.task == first and room.reviewing.can_enter)
        lock_first(room)
    finally:
        if kept.exists():
            kept.rename(path)


def test_a_full_disk_keeps_the_entries_and_the_next_try_locks(room: Room, study: ReviewStudy, monkeypatch: Any) -> None:
    room.sign_in(study, "anna", monkeypatch)
    task = room.session.task
    enter(room)
    store, whole = room.reviewing._store, type(room.reviewing._store).lock

    def full(self: Any, *values: Any) -> Any:
        raise OsteoScreenError("The disk is full: free some space, then lock again.")

    monkeypatch.setattr(type(store), "lock", full)
    room.press("Ctrl+Return")
    assert room.said[-1][0] == "error" and "free some space" in room.tab.messages.shown[1]
    assert room.session.task == task and room.session.phase == "first" and not room.reviewing.model_there
    assert room.reviewing.draft.decision == "osteoporosis" and nodes("vtkMRMLSegmentationNode") == 0
    monkeypatch.setattr(type(store), "lock", whole)
    room.press("Ctrl+Return")
    room.until(lambda: room.reviewing.model_there)


def test_the_window_does_not_close_over_entries_that_a_full_disk_refused(
    room: Room, study: ReviewStudy, monkeypatch: Any
) -> None:
    room.sign_in(study, "anna", monkeypatch)
    store, whole = type(room.reviewing._store), type(room.reviewing._store).keep_draft

    def full(self: Any, *values: Any) -> Any:
        raise OsteoScreenError("The disk is full: free some space.")

    monkeypatch.setattr(store, "keep_draft", full)
    enter(room)
    asked: list[str] = []
    monkeypatch.setattr("OsteoScreenLib.ui.qt_api.ask", lambda _parent, title, question: bool(asked.append(question)))
    assert not room.window.close() and room.window.isVisible()
    assert len(asked) == 1 and "Close, and lose it?" in asked[0]
    assert room.reviewing.draft.decision == "osteoporosis"
    monkeypatch.setattr(store, "keep_draft", whole)
    assert room.window.close() and not room.window.isVisible() and len(asked) == 1


def test_without_stored_results_it_says_so_and_the_case_can_be_skipped(
    room: Room, study: ReviewStudy, monkeypatch: Any
) -> None:
    shutil.rmtree(study.folder / "analyses")
    room.sign_in(study, "anna", monkeypatch)
    task = room.session.task
    enter(room)
    room.press("Ctrl+Return")
    room.until(lambda: room.reviewing.model_words)
    assert "osteoscreen review analyse" in room.tab.answer._compared.text() and task.case not in room.reviewing.model_words
    room.press("S")
    room.write("no model")
    room.press("Return")
    room.until(lambda: room.session.task not in (task, None))
    assert room.session.locked("first", task) is not None


@pytest.mark.parametrize("mode", ["open", "alone"])
def test_teaching_shows_the_model_at_once_and_a_study_without_a_model_never(
    room: Room, study: ReviewStudy, monkeypatch: Any, mode: Any
) -> None:
    import json

    facts = json.loads((study.folder / "study.json").read_text())
    facts["protocol"] = protocol_json(replace(study.protocol, mode=mode))
    (study.folder / "study.json").write_text(json.dumps(facts))
    room.sign_in(study, "anna", monkeypatch)
    task = room.session.task
    if mode == "open":
        room.until(lambda: room.reviewing.model_there)
        assert "The model says osteoporosis." in room.tab.answer._compared.text()
    assert nodes("vtkMRMLSegmentationNode") == (1 if mode == "open" else 0)
    assert room.tabs.widget.isTabEnabled(0) == (mode == "open")
    enter(room)
    room.press("Ctrl+Return")
    room.until(lambda: room.session.task not in (task, None) and room.reviewing.can_enter)
    read = room.session.locked("first", task)
    assert read.model.decision == ("osteoporosis" if mode == "open" else "") and room.session.locked("second", task) is None
