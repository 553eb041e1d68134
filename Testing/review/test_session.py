"""A reading session with a real store: what may be seen, what is kept, where it goes on, and what a full disk does to it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from OsteoScreenLib.errors import OsteoScreenError
from OsteoScreenLib.review.draft import Draft
from OsteoScreenLib.review.nouns import ModelFacts, Protocol, ReadingMode, ReviewCase, Task
from OsteoScreenLib.review.places import store_path
from OsteoScreenLib.review.project import merged
from OsteoScreenLib.review.session import MOST_GONE, Session
from OsteoScreenLib.review.store import ReaderStore
from OsteoScreenLib.review.study import ReviewStudy
from OsteoScreenLib.review.worklist import worklist

ENTERED = Draft(decision="osteopenia", confidence=40, findings=("scoliosis",), comment="faint")
MODEL = ModelFacts("bundle", "b" * 64, "osteoporosis", (0.1, 0.2, 0.7))


class Place:
    """A reader's place: a study of a few cases, his store, and a clock that the test turns."""

    def __init__(self, folder: Path, mode: ReadingMode = "blind", cases: int = 4, repeats: float = 0.0) -> None:
        self.now = 1000.0
        protocol = Protocol("A study", mode=mode, readers=("anna",), repeats=repeats, seed=3)
        listed = tuple(ReviewCase(f"C-{number:05}", f"images/C-{number:05}.png") for number in range(1, cases + 1))
        self.study = ReviewStudy(folder, protocol, listed)
        self.messages: list[tuple[str, str]] = []
        self.changes: list[str] = []
        self.session = self.signed_in()

    def signed_in(self, machine: str = "m1") -> Session:
        """A new session on the same study, and on the machine's store."""
        self.store = ReaderStore.open(store_path(self.study.folder, "anna", machine), "anna", machine, "1.0")
        session = Session(self.study, "anna", self.store, worklist(self.study, "anna"), seconds=lambda: self.now)
        session.message.connect(lambda severity, sentence: self.messages.append((severity, sentence)))
        session.changed.connect(self.changes.append)
        return session

    def read(self, draft: Draft = ENTERED) -> None:
        """Read what is on the table in one phase."""
        session = self.session
        task = session.task
        assert task is not None
        session.set_model(task, MODEL)
        session.shown()
        session.edit(draft)
        assert session.lock(), self.messages


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    made = Place(tmp_path)
    made.session.start()
    yield made
    made.session.close()


def test_the_model_stays_away_until_the_first_read_is_locked(place: Place) -> None:
    session = place.session
    task = session.task
    assert task == session.tasks[0] and session.phase == "first" and not session.model_visible
    place.read()
    assert (session.task, session.phase, session.model_visible) == (task, "second", True)
    first = session.locked("first")
    assert first is not None and first.opinion.decision == "osteopenia"
    assert first.model == ModelFacts("bundle", "b" * 64), "the blind read holds which model, not what it said"
    place.read(replace(session.draft, decision="osteoporosis", changed_because="heatmap"))
    second = session.locked("second", task)
    assert second is not None and second.model == MODEL and second.opinion.changed_because == "heatmap"
    assert session.task == session.tasks[1] and not session.model_visible
    assert session.status(task) == "done"


@pytest.mark.parametrize(("mode", "visible"), [("open", True), ("alone", False)])
def test_without_blinding_there_is_one_phase(tmp_path: Path, mode: ReadingMode, visible: bool) -> None:
    place = Place(tmp_path, mode)
    session = place.session
    session.start()
    task = session.task
    assert session.phase == "first" and session.model_visible is visible
    place.read()
    assert task is not None and session.status(task) == "done" and session.task == session.tasks[1]
    read = session.locked("first", task)
    assert read is not None and read.model == (MODEL if visible else ModelFacts())
    session.go(task)
    assert session.model_visible is visible and session.phase is None
    session.close()


def test_what_is_missing_is_said_and_nothing_is_locked(place: Place) -> None:
    session = place.session
    for draft, word in (
        (Draft(), "Choose"),
        (Draft(decision="normal"), "confident"),
    ):
        session.edit(draft)
        assert word in session.missing and not session.lock()
    assert session.locked("first") is None and len(place.messages) == 2
    session.edit(ENTERED)
    assert session.lock()
    session.edit(replace(session.draft, decision="normal"))
    assert "changed because" in session.missing
    session.edit(replace(session.draft, changed_because="the heatmap"))
    assert "has not been shown" in session.missing, "a second read needs an answer that was there to be seen"
    task = session.task
    assert task is not None
    session.set_model(task, MODEL)
    assert session.missing == "" and session.lock()


def test_a_second_read_begins_with_what_the_first_one_said(place: Place) -> None:
    place.read()
    assert place.session.draft == ENTERED
    place.read(place.session.draft)
    second = place.session.locked("second", place.session.tasks[0])
    assert second is not None and second.opinion.decision == "osteopenia" and second.opinion.changed_because == ""


def test_what_is_locked_cannot_be_edited(place: Place) -> None:
    place.read()
    place.read(place.session.draft)
    session = place.session
    session.previous()
    assert session.task == session.tasks[0] and session.phase is None and session.draft == ENTERED
    session.edit(Draft(decision="normal", confidence=1))
    assert session.draft == ENTERED and not session.lock()
    assert place.messages[-1][0] == "warning"


def test_time_is_split_into_active_and_idle_per_phase(place: Place) -> None:
    session = place.session
    place.now += 500  # the image is not on the screen yet
    session.shown()
    place.now += 50
    session.touch()
    place.now += 100  # 60 of them still count as reading
    session.edit(ENTERED)
    place.now += 5
    session.hidden()
    place.now += 900
    session.shown()
    place.now += 3
    assert session.lock()
    first = session.locked("first")
    assert first is not None and (first.active_seconds, first.idle_seconds) == (118.0, 40.0)
    place.now += 7  # the image is still there, so the second phase has begun
    place.read(session.draft)
    second = session.locked("second", session.tasks[0])
    assert second is not None and (second.active_seconds, second.idle_seconds) == (7.0, 0.0)


def test_entries_and_their_time_survive_a_crash(place: Place) -> None:
    session = place.session
    session.next()
    session.shown()
    session.edit(replace(ENTERED, comment="a"))
    place.now += 0.1
    session.edit(ENTERED)  # too early to be written again …
    place.now += 1
    session.tick()  # … but now it is
    place.now += 20
    session.tick()
    revived = place.signed_in()  # the former one is never closed
    revived.start()
    assert revived.task == session.tasks[1] and revived.draft == ENTERED
    assert revived.times == (21.1, 0.0)
    revived.close()


def test_going_to_and_fro_keeps_every_draft(place: Place) -> None:
    session = place.session
    session.edit(ENTERED)
    session.next()
    assert session.draft == Draft()
    session.edit(replace(ENTERED, comment="second case"))
    session.previous()
    assert session.draft == ENTERED
    session.next()
    assert session.draft.comment == "second case"


def test_resuming_goes_to_the_task_that_was_left(place: Place) -> None:
    place.read()
    place.read(place.session.draft)
    place.session.next()
    left = place.session.task
    place.session.close()
    revived = place.session = place.signed_in()
    revived.start()
    assert revived.task == left == revived.tasks[2]
    place.read()  # the first phase of it
    place.session.close()
    again = place.session = place.signed_in()
    again.start()
    assert (again.task, again.phase, again.model_visible) == (left, "second", True)


def test_skipped_tasks_are_read_later_and_the_end_is_told(place: Place) -> None:
    session = place.session
    first = session.tasks[0]
    assert not session.skip("  ") and session.task == first
    assert session.skip("arms over the lungs") and session.task == session.tasks[1]
    while session.task is not None:
        place.read(session.draft if session.phase == "second" else ENTERED)
    assert session.at_end and session.tally.done == 3 and session.tally.skipped == 1
    assert "3 of 4 read, 1 skipped" in place.messages[-1][1]
    skipped = [event for event in place.store.events() if event.kind == "skipped"]
    assert [(event.task, event.body["reason"], event.body["phase"]) for event in skipped] == [
        (first, "arms over the lungs", "first")
    ]
    revived = place.signed_in()
    revived.start()
    assert revived.task is None and revived.status(first) == "skipped"
    revived.go(first)
    place.session = revived
    place.read()
    place.read(revived.draft)
    assert revived.status(first) == "done" and revived.tally.skipped == 0 and revived.task is None


def test_a_second_phase_that_is_skipped_is_not_come_back_to(place: Place) -> None:
    place.read()
    session = place.session
    assert session.skip("no heatmap")
    assert session.status(session.tasks[0]) == "first" and session.tally.skipped == 1
    session.first_unread()
    assert session.task == session.tasks[1]


def test_next_and_previous_walk_through_what_a_filter_leaves(place: Place) -> None:
    session = place.session
    tasks = session.tasks
    session.walk([tasks[3], tasks[1]])
    session.next()
    assert session.task == tasks[1]
    session.next()
    assert session.task == tasks[3]
    session.next()
    assert session.task == tasks[3] and "last case" in place.messages[-1][1]
    session.previous()
    assert session.task == tasks[1]
    for _ in range(4):
        place.read(session.draft if session.phase == "second" else ENTERED)
    assert session.task is None and not session.at_end and "filter" in place.messages[-1][1]
    session.walk(None)
    session.next_unread()
    assert session.task == tasks[0]


def test_labels_tell_no_case_and_no_repeat(tmp_path: Path) -> None:
    place = Place(tmp_path, cases=8, repeats=0.5)
    labels = [place.session.label(task) for task in place.session.tasks]
    assert labels == [f"Case {number}" for number in range(1, 13)]
    assert any(task.repeat for task in place.session.tasks)
    place.session.close()


def test_a_repeat_is_read_blind_again(tmp_path: Path) -> None:
    place = Place(tmp_path, cases=4, repeats=0.5)
    session = place.session
    session.start()
    seen = []
    while session.task is not None:
        if session.phase == "first":
            assert not session.model_visible
            assert session.draft == Draft(), "nothing of the first time is there"
            seen.append(session.task)
        place.read(session.draft if session.phase == "second" else ENTERED)
    assert tuple(seen) == session.tasks and len(place.store.reads()) == 12
    session.close()


def test_a_case_whose_file_is_gone_is_passed_over_and_can_be_read_later(place: Place) -> None:
    session = place.session
    first = session.tasks[0]
    session.cannot_open(first, "its image is not there")
    assert session.task == session.tasks[1] and session.status(first) == "skipped"
    severity, sentence = place.messages[-1]
    assert severity == "warning" and sentence.startswith("Case 1 was passed over: its image is not there")
    assert first.case not in sentence
    session.go(first)
    assert session.phase == "first" and session.draft == Draft()


def test_when_a_whole_drive_is_gone_the_list_is_not_emptied(tmp_path: Path) -> None:
    place = Place(tmp_path, cases=10)
    session = place.session
    opened: list[Task] = []

    def fail(part: str) -> None:
        if part == "case" and session.task is not None:
            opened.append(session.task)

    session.changed.connect(fail)
    session.start()
    for _ in range(20):
        if session.task is not None and session.status(session.task) == "unread":
            session.cannot_open(session.task, "its image is not there")
    assert session.tally.skipped == MOST_GONE and len(opened) == MOST_GONE + 1
    assert "drive" in place.messages[-1][1]
    here = session.task
    assert here is not None
    session.go(here)
    assert opened[-1] == opened[-2] == here, "the reader can try the same one again"
    session.close()


class FullDisk:
    """Stands before a store and takes nothing while `full`."""

    def __init__(self, store: ReaderStore) -> None:
        self.full, self._store = True, store

    def __getattr__(self, name: str) -> object:
        if self.full and name in {"append", "lock", "keep_draft"}:

            def refuse(*_: object) -> None:
                raise OsteoScreenError("The disk is full; free some space.")

            return refuse
        return getattr(self._store, name)


def test_a_full_disk_costs_nothing_that_was_entered(place: Place) -> None:
    session = place.session
    disk = FullDisk(place.store)
    session._store = session._entries._store = disk  # type: ignore[assignment]
    session.edit(ENTERED)
    place.now += 100
    session.tick()
    assert [severity for severity, _ in place.messages] == ["error"], "said once"
    assert "free some space" in place.messages[0][1]
    assert not session.lock() and session.phase == "first" and session.draft == ENTERED
    session.next()
    session.edit(replace(ENTERED, comment="other"))
    session.skip("not now")
    session.go(session.tasks[0])
    assert session.draft == ENTERED and session.unwritten
    disk.full = False
    place.now += 100
    session.tick()
    assert not session.unwritten and place.messages[-1][0] == "info"
    kinds = [(event.kind, event.task) for event in place.store.events()]
    assert kinds[2:] == [
        ("opened", session.tasks[1]),
        ("skipped", session.tasks[1]),
        ("opened", session.tasks[2]),
        ("opened", session.tasks[0]),
    ]
    assert session.lock() and session.locked("first") is not None


def test_what_another_window_has_locked_counts(place: Place) -> None:
    other = place.signed_in()
    other.start()
    other.edit(replace(ENTERED, decision="normal"))
    assert other.lock()
    session = place.session
    session.edit(ENTERED)
    assert session.lock()
    first = session.locked("first")
    assert first is not None and first.opinion.decision == "normal" and session.phase == "second"
    assert "locked before" in place.messages[-1][1]
    other.close()


def test_leaving_stops_the_time_and_starting_comes_back(place: Place) -> None:
    session = place.session
    session.shown()
    place.now += 5
    session.edit(ENTERED)
    task = session.task
    session.leave()
    assert session.task is None and session.phase is None and not session.model_visible and session.draft == Draft()
    place.now += 50
    session.start()
    assert session.task == task and session.draft == ENTERED and session.times == (5.0, 0.0)
    assert [event.kind for event in place.store.events()].count("signed-in") == 1
    session.close()
    session.close()


def test_after_the_end_one_can_go_back(place: Place) -> None:
    session = place.session
    for _ in range(8):
        place.read(session.draft if session.phase == "second" else ENTERED)
    assert session.task is None
    session.previous()
    assert session.task == session.tasks[-1] and session.phase is None


def test_on_another_machine_the_reader_goes_on_where_the_first_one_stopped(place: Place) -> None:
    place.read()
    place.read(place.session.draft)
    place.read()  # the first phase of the second task
    tasks = place.session.tasks
    place.session.close()
    place.session = moved = place.signed_in("m2")
    moved.start()
    assert (moved.task, moved.phase, moved.model_visible) == (tasks[1], "second", True)
    assert moved.status(tasks[0]) == "done" and moved.draft == ENTERED
    place.read(moved.draft)
    assert moved.task == tasks[2]
    view = merged(place.study.folder)
    assert view.conflicts == ()
    assert [(read.task, read.phase, read.machine) for read in sorted(view.reads, key=lambda read: read.at)] == [
        (tasks[0], "first", "m1"),
        (tasks[0], "second", "m1"),
        (tasks[1], "first", "m1"),
        (tasks[1], "second", "m2"),
    ]
