"""The radiographs of a reading session: nothing tells of the file, the next one is there before it is asked for, faults go on."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from workbench import cases as handmade
from workbench.scripted_client import ScriptedClient

from OsteoScreenLib.errors import InputError
from OsteoScreenLib.radiograph.radiograph import pixels_sha256
from OsteoScreenLib.review.draft import Draft
from OsteoScreenLib.review.nouns import Protocol, ReadingMode, ReviewCase, Task
from OsteoScreenLib.review.places import store_path
from OsteoScreenLib.review.session import Session
from OsteoScreenLib.review.store import ReaderStore
from OsteoScreenLib.review.study import ReviewStudy
from OsteoScreenLib.review.worklist import worklist
from OsteoScreenLib.workbench import stored_case
from OsteoScreenLib.workbench.answers import Answers
from OsteoScreenLib.workbench.case import Case
from OsteoScreenLib.workbench.desk import Desk
from OsteoScreenLib.workbench.reading import Reading
from OsteoScreenLib.workbench.review_cases import KEPT, ReviewCases
from OsteoScreenLib.workbench.stored_case import StoredCase
from OsteoScreenLib.workbench.worker_client import ProgressCallback
from OsteoScreenLib.worker.protocol import Message

NAME, UID = "Doe^Jane_osteoporosis", "1.2.3.4"
ENTERED = Draft(decision="normal", confidence=10)


class ReadingClient(ScriptedClient):
    """Reads every file as random pixels seeded by its bytes, with a header that tells too much.

    silent_from : the number of the request from which on nothing is answered.
    """

    silent_from = 10**9

    def poll(self, on_progress: ProgressCallback | None = None) -> Message | None:
        return None if len(self.sent) >= self.silent_from else super().poll(on_progress)

    def answer(self, kind: str, body: dict[str, Any]) -> Message:
        if kind != "read":
            return super().answer(kind, body)
        data = Path(body["path"]).read_bytes()
        pixels = np.random.default_rng(list(data)).random(handmade.SHAPE, np.float32)
        source = {"path": body["path"], "sha256": hashlib.sha256(data).hexdigest(), "sop_instance_uid": UID}
        facts = {"source": source, "placement": {"mirrored": False, "quarter_turns": 0, "inverted": False}}
        values = {"spacing_mm": [0.2, 0.15], "image_sha256": pixels_sha256(pixels), "facts": facts, "notes": []}
        return Message("result", values, {"pixels": pixels})


class Window:
    """A session, a desk and what they told."""

    def __init__(self, folder: Path, mode: ReadingMode = "blind", count: int = 5) -> None:
        (folder / "originals").mkdir(parents=True)
        (folder / "private").mkdir()
        listed, rows = [], ["id,path"]
        for number in range(1, count + 1):
            path = folder / "originals" / f"{NAME}_{number}.dcm"
            path.write_bytes(bytes([number]))
            rows.append(f"C-{number:05},{path}")
            listed.append(ReviewCase(f"C-{number:05}", "", hashlib.sha256(bytes([number])).hexdigest()))
        (folder / "private" / "sources.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
        self.study = ReviewStudy(folder, Protocol("A study", mode=mode, seed=1), tuple(listed))
        self.client = ReadingClient()
        self.desk = Desk(self.client)
        self.told: list[tuple[str, Any]] = []
        for name in ("opened", "failed", "logged", "progressed", "busy_changed", "analysed"):
            getattr(self.desk, name).connect(lambda *values, name=name: self.told.append((name, values)))
        self.session = Session(
            self.study,
            "anna",
            ReaderStore.open(store_path(folder, "anna", "m1"), "anna", "m1", "1"),
            worklist(self.study, "anna"),
        )
        self.cases = ReviewCases(self.session, self.desk)
        self.events: list[tuple[str, Any]] = []
        self.cases.cleared.connect(lambda: self.events.append(("cleared", None)))
        self.cases.ready.connect(self._on_ready)
        self.cases.answered.connect(lambda stored: self.events.append(("answered", stored)))
        self.cases.unanswered.connect(lambda sentence: self.events.append(("unanswered", sentence)))
        self.messages: list[str] = []
        self.session.message.connect(lambda severity, sentence: self.messages.append(sentence))

    def _on_ready(self, reading: Reading) -> None:
        self.events.append(("ready", reading))
        self.session.shown()

    def poll(self, times: int = 12) -> None:
        for _ in range(times):
            self.desk.poll()

    def file(self, task: Task) -> Path:
        return self.study.image_path(self.study.case(task.case))

    def reads(self) -> list[str]:
        return [body["path"] for kind, body in self.client.sent if kind == "read"]

    def last(self, name: str) -> Any:
        return [value for event, value in self.events if event == name][-1]

    def store_analysis(self, task: Task) -> None:
        """What `osteoscreen review analyse` leaves behind, made by hand."""
        body = self.client.answer("read", {"path": str(self.file(task))})
        opened = handmade.reading()
        opened = Reading(
            opened.source, body.arrays["pixels"], (0.2, 0.15), body.body["image_sha256"], body.body["facts"], opened.notes
        )
        case = Case(opened, Answers())
        result = handmade.result()
        result.analysis["prediction"] = {"decision": "osteoporosis"}  # type: ignore[index]
        case.take_result(opened, result)
        stored_case.store(self.study.folder, task.case, opened, case, (), {})

    def close(self) -> None:
        self.cases.close()
        self.session.close()
        self.desk.close()


@pytest.fixture
def window(tmp_path: Path) -> Iterator[Window]:
    made = Window(tmp_path / "study")
    yield made
    made.close()


def test_the_radiograph_comes_without_a_trace_of_its_file(window: Window) -> None:
    window.session.start()
    assert window.cases.opening
    window.poll()
    reading = window.last("ready")
    assert not window.cases.opening and window.cases.reading is reading
    assert reading.source.name == "Case 1" and reading.source.path == reading.source.header_path == ""
    assert reading.facts["source"]["path"] == reading.facts["source"]["sop_instance_uid"] == ""
    everything = f"{reading.source}{reading.facts}{reading.notes}{window.told}{window.messages}"
    assert "Jane" not in everything and UID not in everything and "C-0" not in everything
    assert window.told == [], "the desk's own listeners hear nothing of it"


def test_the_next_one_is_there_before_it_is_asked_for(window: Window) -> None:
    window.session.start()
    window.poll()
    tasks = window.session.tasks
    assert window.reads() == [str(window.file(task)) for task in tasks[:2]]
    sent = len(window.client.sent)
    window.events.clear()
    window.session.next()
    assert [name for name, _ in window.events] == ["cleared", "ready"], "at once, without the worker"
    assert window.last("ready").source.name == "Case 2"
    window.poll()
    assert window.reads()[sent:] == [str(window.file(tasks[2]))]
    window.session.previous()
    assert len(window.client.sent) == sent + 1, "the former one is still there, too"


def test_memory_holds_few_radiographs_however_long_one_reads(window: Window) -> None:
    window.session.start()
    for _ in range(5):
        window.poll()
        window.session.next()
    window.poll()
    assert len(window.cases._opened) == KEPT


def test_one_that_is_already_being_read_ahead_is_not_read_twice(window: Window) -> None:
    window.client.silent_from = 2
    window.session.start()
    window.poll(3)
    assert len(window.client.sent) == 2
    window.session.next()
    assert window.cases.opening
    window.client.silent_from = 10**9
    window.poll()
    assert window.last("ready").source.name == "Case 2" and len(set(window.reads())) == len(window.reads()) == 3


def test_only_the_last_of_many_quick_steps_is_opened(window: Window) -> None:
    window.client.script.append("silence")
    window.session.start()
    for _ in range(3):
        window.session.next()
    window.client.script.clear()
    window.poll()
    ready = [value.source.name for name, value in window.events if name == "ready"]
    assert ready == ["Case 4"]
    assert window.reads()[:2] == [str(window.file(window.session.tasks[place])) for place in (0, 3)]


def test_the_models_results_come_only_when_they_may_be_seen(window: Window) -> None:
    tasks = window.session.tasks
    for task in tasks[:2]:
        window.store_analysis(task)
    window.session.start()
    window.poll()
    assert not any(name in {"answered", "unanswered"} for name, _ in window.events)
    window.session.edit(ENTERED)
    assert window.session.lock()
    first = window.session.locked("first", tasks[0])
    assert first is not None and first.model.model == "some-model" and first.model.decision == ""
    stored = window.last("answered")
    assert isinstance(stored, StoredCase) and stored.result.probabilities == (0.2, 0.3, 0.5)
    assert window.session.lock(), window.messages
    second = window.session.locked("second", tasks[0])
    assert second is not None and second.model.decision == "osteoporosis"
    names = [name for name, _ in window.events]
    assert names[-2:] == ["cleared", "ready"] and names.count("answered") == 1
    window.session.go(tasks[0])
    assert [name for name, _ in window.events][-3:] == ["cleared", "ready", "answered"], "looking back shows them again"


def test_results_that_are_not_stored_are_said_and_the_reader_goes_on(window: Window) -> None:
    window.session.start()
    window.poll()
    window.session.edit(ENTERED)
    window.session.lock()
    assert "not stored" in window.last("unanswered") and "Case 1" in window.last("unanswered")
    assert not window.session.lock()
    assert window.session.skip("no results") and window.session.task == window.session.tasks[1]


def test_damaged_results_are_said_without_the_pseudonym(window: Window) -> None:
    task = window.session.tasks[0]
    window.store_analysis(task)
    (window.study.folder / "analyses" / task.case / "analysis.json").write_text("{", encoding="utf-8")
    window.session.start()
    window.poll()
    window.session.edit(ENTERED)
    window.session.lock()
    assert "Case 1 is damaged" in window.last("unanswered") and task.case not in window.last("unanswered")


def test_without_a_model_nothing_is_ever_handed_over(tmp_path: Path) -> None:
    window = Window(tmp_path / "study", "alone")
    window.store_analysis(window.session.tasks[0])
    window.session.start()
    window.poll()
    window.session.edit(ENTERED)
    assert window.session.lock()
    window.session.go(window.session.tasks[0])
    assert not any(name in {"answered", "unanswered"} for name, _ in window.events)
    window.close()


def test_a_file_that_is_gone_is_passed_over_at_once_and_read_when_it_is_back(window: Window) -> None:
    tasks = window.session.tasks
    path = window.file(tasks[0])
    data = path.read_bytes()
    path.unlink()
    window.session.start()
    window.poll()
    assert window.session.task == tasks[1] and window.last("ready").source.name == "Case 2"
    assert any(sentence.startswith("Case 1 was passed over: its image is not there") for sentence in window.messages)
    assert not any("Jane" in sentence or tasks[0].case in sentence for sentence in window.messages)
    path.write_bytes(data)
    window.session.go(tasks[0])
    window.poll()
    assert window.last("ready").source.name == "Case 1" and window.session.phase == "first"


def test_another_file_in_its_place_is_refused(window: Window) -> None:
    window.file(window.session.tasks[0]).write_bytes(b"another")
    window.session.start()
    window.poll()
    assert window.session.task == window.session.tasks[1]
    assert any("not the one that the study was made with" in sentence for sentence in window.messages)


def test_an_image_that_cannot_be_read_says_no_file_name(window: Window) -> None:
    window.client.script.append(InputError(f"{NAME}_1.dcm is empty.", "empty-file"))
    window.session.start()
    window.poll()
    assert window.session.task == window.session.tasks[1]
    assert "cannot be read (empty-file)" in window.messages[0] and "Jane" not in str(window.messages + window.told)


def test_a_crash_while_reading_is_tried_once_more(window: Window) -> None:
    window.client.script.append("crash")
    window.session.start()
    window.poll()
    assert window.last("ready").source.name == "Case 1" and window.messages == []


def test_a_second_crash_passes_the_case_over(window: Window) -> None:
    window.client.script.extend(["crash", "crash"])
    window.session.start()
    window.poll()
    assert window.session.task == window.session.tasks[1] and window.last("ready").source.name == "Case 2"
    assert "process that reads images ended" in window.messages[0]


def test_with_every_file_gone_it_stops_instead_of_emptying_the_list(window: Window) -> None:
    for task in window.session.tasks:
        window.file(task).unlink()
    window.session.start()
    window.poll()
    assert window.session.task == window.session.tasks[3] and window.session.tally.skipped == 3
    assert "drive" in window.messages[-1] and window.client.sent == []


def test_a_process_that_is_ended_while_it_reads_is_started_again(window: Window) -> None:
    window.client.silent_from = 1
    window.session.start()
    window.poll(2)
    window.desk.release()
    window.client.silent_from = 10**9
    window.poll()
    assert window.last("ready").source.name == "Case 1"
