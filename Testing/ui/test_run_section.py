"""Model, device, and the button that starts and stops."""

from __future__ import annotations

from typing import Any

import pytest

from OsteoScreenLib.ui import run_section
from OsteoScreenLib.ui.run_section import RunSection, time_left


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    clock = [100.0]
    monkeypatch.setattr(run_section.time, "monotonic", lambda: clock[0])
    return clock


@pytest.fixture
def section(parent: Any, now: list[float]) -> RunSection:
    made = RunSection(parent)
    parent.layout().addWidget(made.strip)
    parent.layout().addWidget(made.widget)
    parent.resize(360, 300)
    parent.show()
    made.show_ready(True)
    return made


def told(section: RunSection) -> list[Any]:
    heard: list[Any] = []
    section.analyse_asked.connect(lambda: heard.append("analyse"))
    section.cancel_asked.connect(lambda: heard.append("cancel"))
    section.add_model_asked.connect(lambda: heard.append("add"))
    section.release_asked.connect(lambda: heard.append("release"))
    section.model_chosen.connect(lambda name: heard.append(("model", name)))
    section.device_chosen.connect(lambda name: heard.append(("device", name)))
    return heard


def test_analyse_turns_into_cancel_and_back(section: RunSection, now: list[float]) -> None:
    heard = told(section)
    assert section._run.text() == "Analyse"
    section._run.click()
    section.show_busy(True)
    assert section._run.text() == "Cancel"
    now[0] += 1
    section._run.click()
    section.show_busy(False)
    assert section._run.text() == "Analyse"
    assert heard == ["analyse", "cancel"]


def test_a_double_click_on_analyse_does_not_cancel_it(section: RunSection, now: list[float]) -> None:
    heard = told(section)
    section.analyse_asked.connect(lambda: section.show_busy(True))
    section._run.click()
    now[0] += 0.2
    section._run.click()
    assert heard == ["analyse"]
    now[0] += 0.4
    section.show_busy(True)  # said again, it does not start the half second again
    section._run.click()
    assert heard == ["analyse", "cancel"]


def test_without_a_radiograph_there_is_nothing_to_analyse(section: RunSection) -> None:
    heard = told(section)
    section.show_ready(False)
    section._run.click()
    assert heard == []
    assert section._run.toolTip() == "Open a radiograph first"
    section.show_busy(True)  # but what runs can be cancelled, for example the first opening
    assert section._run.isEnabled()


def test_progress_with_the_time_left(section: RunSection) -> None:
    section.show_busy(True)
    assert section._bar.isVisible()
    assert (section._bar.minimum(), section._bar.maximum()) == (0, 0)  # no figure before the first progress
    section.show_progress("Outlining the bones", 0.42, 12.3)
    assert section._bar.value() == 420
    assert section._words.text() == "Outlining the bones · about 10 s left"
    section.show_progress("Asking the model", 7.0, None)
    assert (section._bar.value(), section._words.text()) == (1000, "Asking the model")
    section.show_busy(False)
    section.show_idle("Analysed in 2.4 s.")
    assert not section._bar.isVisible()
    assert section._words.text() == "Analysed in 2.4 s."


@pytest.mark.parametrize(
    "seconds,words",
    [
        (0.2, "a moment left"),
        (4.4, "about 4 s left"),
        (33, "about 35 s left"),
        (100, "about 2 min left"),
        (600, "about 10 min left"),
    ],
)
def test_the_time_left_in_words(seconds: float, words: str) -> None:
    assert time_left(seconds) == words


def test_models_and_devices_are_chosen_by_name(section: RunSection) -> None:
    heard = told(section)
    section.show_models([("a", "Model A"), ("b", "Model B")], "a")
    section.show_devices(["auto", "cpu", "cuda", "xpu"], "auto")
    assert [section._device.widget.itemText(index) for index in range(4)] == ["Automatic", "Processor", "NVIDIA GPU", "xpu"]
    section._model.widget.setCurrentIndex(1)
    section._device.widget.setCurrentIndex(2)
    assert heard == [("model", "b"), ("device", "cuda")]


def test_no_model_is_said(section: RunSection) -> None:
    section.show_models([], "")
    assert section._model.widget.currentText() == "No model yet"


def test_add_model_cannot_be_missed(section: RunSection) -> None:
    heard = told(section)
    assert section._add.isVisible() and section._add.text() == "Add model…"
    assert abs(section._add.geometry().center().y() - section._model.widget.geometry().center().y()) <= 3  # beside the models
    section._add.click()
    assert heard == ["add"]


def test_memory_is_given_back_from_the_menu(section: RunSection) -> None:
    heard = told(section)
    section._release.trigger()
    assert heard == ["release"]
    section.show_busy(True)
    section._release.trigger()
    assert heard == ["release"]


def test_model_and_device_stay_while_a_job_runs(section: RunSection) -> None:
    section.show_models([("a", "Model A")], "a")
    section.show_busy(True)
    assert not section._model.widget.isEnabled() and not section._device.widget.isEnabled()
    section.show_busy(False)
    assert section._model.widget.isEnabled()
