"""Saving for the reader and for somebody else: who is told what, whatever becomes of the job."""

from __future__ import annotations

from typing import Any

import pytest
from workbench.cases import case as analysed_case
from workbench.scripted_client import ScriptedClient

from OsteoScreenLib.errors import InputError
from OsteoScreenLib.ui.saving import Saving
from OsteoScreenLib.workbench.desk import Desk
from OsteoScreenLib.workbench.events import Event
from OsteoScreenLib.worker.requests import AnalysisOptions


class Parts:
    """A desk with a case, what is saved from it, and what was said."""

    def __init__(self) -> None:
        self.client = ScriptedClient()
        self.case = analysed_case()
        self.desk = Desk(self.client, self.case.answers)
        assert self.case.result is not None
        self.desk.attach(self.case.token, self.case.reading, self.case.result, AnalysisOptions())
        self.message: Event[[str, str]] = Event()
        self.said: list[tuple[str, str]] = []
        self.message.connect(lambda severity, sentence: self.said.append((severity, sentence)))
        self.saving = Saving(self.desk, self.message)
        self.desk.saved.connect(lambda files: self.saving.tell(files))
        self.told: list[dict[str, str]] = []
        self.desk.save("/first", self.case.toggles)
        self.poll()  # the case is handed over

    def poll(self) -> None:
        for _ in range(20):
            self.desk.poll()
            self.saving.poll()

    def refuse_text(self) -> None:
        """The next request finds text."""
        self.client.script.append(InputError("It shows text; choose --text.", code="text-found"))


@pytest.fixture
def parts() -> Parts:
    return Parts()


def test_who_asked_for_the_files_is_told_and_nobody_else(parts: Parts) -> None:
    assert parts.saving.save(parts.case, "/out", True, parts.told.append)
    parts.poll()
    assert parts.told == [{"report": "/out/report.html"}] and parts.said == []
    assert parts.saving.tell({}) is False  # only once


@pytest.mark.parametrize(("mask", "text"), [(True, "mask"), (False, "keep")])
def test_an_answer_about_text_goes_on_with_the_same_job(parts: Parts, mask: bool, text: str) -> None:
    parts.saving.save(parts.case, "/out", True, parts.told.append)
    parts.refuse_text()
    parts.poll()
    assert parts.told == []  # the question is open
    parts.saving.answer_text(mask)
    parts.poll()
    assert parts.client.sent[-1][1]["text"] == text and parts.client.sent[-1][1]["out"] == "/out"
    assert parts.client.sent[-1][1]["dicom"] is True
    assert parts.told == [{"report": "/out/report.html"}]


def test_no_answer_saves_nothing(parts: Parts) -> None:
    parts.saving.save(parts.case, "/out", True, parts.told.append)
    parts.refuse_text()
    parts.poll()
    parts.saving.answer_text(None)
    parts.poll()
    assert parts.told == [{}] and parts.said == [("info", "Nothing was saved.")]
    assert parts.client.kinds().count("save") == 2  # the first one, and the one that was refused


def test_a_job_that_left_with_its_case_is_over_too(parts: Parts) -> None:
    parts.client.script.append("silence")
    parts.desk.ask(parts.case.question(frozenset({"T7"})), want_patch=False)  # is being answered meanwhile
    parts.saving.save(parts.case, "/out", True, parts.told.append)
    parts.desk.detach()
    parts.client.script.clear()
    parts.poll()
    assert parts.told == [{}]


def test_what_cannot_be_begun_is_said(parts: Parts) -> None:
    told: list[Any] = []
    assert not parts.saving.save(None, "/out", False, told.append)
    parts.case.mark_masks(True)
    assert not parts.saving.save(parts.case, "/out", False, told.append)
    parts.case.mark_masks(False)
    parts.desk.save("/other", parts.case.toggles)
    assert not parts.saving.save(parts.case, "/out", False, told.append)
    words = [sentence for _, sentence in parts.said]
    assert "nothing to save" in words[0] and "Recompute" in words[1] and "still running" in words[2]
    parts.poll()
    assert told == []
