"""The desk, the real worker and the embedded models on the sample radiograph, from opening it to closing the window."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from OsteoScreenLib.errors import OsteoScreenError
from OsteoScreenLib.files import resource_folder
from OsteoScreenLib.workbench.answers import Patch, Question
from OsteoScreenLib.workbench.case import Case
from OsteoScreenLib.workbench.desk import Desk
from OsteoScreenLib.workbench.reading import ImageSource, Reading, Result
from OsteoScreenLib.workbench.worker_client import WorkerClient
from OsteoScreenLib.worker.requests import AnalysisOptions

SAMPLE = resource_folder("SampleData") / "simulated_chest_osteoporosis.dcm"
SOURCE = ImageSource(SAMPLE.name, path=str(SAMPLE))
OPTIONS = AnalysisOptions(device="cpu", precision="fp32")
HEARTBEAT = 0.02
LONGEST_POLL = 0.25  # seconds that the desk may keep the window; 0.02 on a machine that does nothing else


class Window:
    """A window's timer and its ears, without a window. longest : the longest time that the desk kept it, in seconds."""

    def __init__(self, client: WorkerClient) -> None:
        self.client = client
        self.desk = Desk(client)
        self.readings: list[Reading] = []
        self.results: list[tuple[Reading, Result]] = []
        self.patches: list[tuple[Question, Patch]] = []
        self.files: list[dict[str, str]] = []
        self.devices: list[list[str]] = []
        self.targets: list[str] = []
        self.failed: list[str] = []
        self.progress: list[tuple[str, float, float | None]] = []
        self.longest = 0.0
        desk = self.desk
        desk.opened.connect(self.readings.append)
        desk.analysed.connect(lambda reading, result: self.results.append((reading, result)))
        desk.covered.connect(lambda question, patch: self.patches.append((question, patch)))
        desk.explained.connect(lambda saliency, overlap: self.targets.append(saliency.target))
        desk.saved.connect(self.files.append)
        desk.devices_known.connect(self.devices.append)
        desk.progressed.connect(lambda *told: self.progress.append(told))
        desk.failed.connect(lambda sentence, details: self.failed.append(sentence))

    def during(self, work: Callable[[], Any]) -> float:
        began = time.perf_counter()
        work()
        taken = time.perf_counter() - began
        self.longest = max(self.longest, taken)
        return taken

    def until(self, done: Callable[[], object], seconds: float = 60) -> None:
        deadline = time.monotonic() + seconds
        while not done():
            assert time.monotonic() < deadline, f"nothing came; failed: {self.failed}, state {self.desk.state}"
            self.during(self.desk.poll)
            time.sleep(HEARTBEAT)

    def ask(self, case: Case, *bones: str) -> Patch:
        question = case.question(frozenset(bones))
        before = len(self.patches)
        self.during(lambda: self.desk.ask(question, want_patch=True))
        self.until(lambda: any(one == question for one, _ in self.patches[before:]))
        return next(patch for one, patch in reversed(self.patches) if one == question)


@pytest.fixture(scope="module")
def window() -> Iterator[Window]:
    window = Window(WorkerClient())
    yield window
    window.desk.close()


@pytest.fixture(scope="module")
def case(window: Window) -> Case:
    """The sample, opened and analysed, on the table."""
    window.during(lambda: window.desk.open(SOURCE))
    window.until(lambda: window.readings)
    assert window.desk.analyse(SOURCE, OPTIONS)
    window.until(lambda: window.results)
    reading, result = window.results[0]
    case = Case(reading, window.desk.answers)
    case.take_result(reading, result)
    window.desk.attach(case.token, reading, result, OPTIONS)
    return case


def test_the_sample_is_opened_upright_and_analysed(window: Window, case: Case) -> None:
    assert window.readings[0].image_sha256 == case.reading.image_sha256 and case.reading.facts["view"] == "PA"
    assert case.result is not None and len(case.found) > 40 and case.result.masks_sha256 == case.result.masks.sha256
    assert case.result.saliency is not None and case.result.saliency.target == "osteoporosis"
    fractions = [fraction for _, fraction, _ in window.progress]
    assert fractions[-1] > 0.9 and any(left is not None for _, _, left in window.progress) and window.failed == []


@pytest.mark.parametrize(
    ("mode", "fill", "margin"), [("remove", "mean", 0.0), ("add-back", "inpaint", 4.0), ("remove", "noise", 0.0)]
)
def test_the_patch_is_what_explain_shows_the_model_bit_by_bit(
    window: Window, case: Case, mode: str, fill: str, margin: float
) -> None:
    from OsteoScreenLib.explain.analyse import make_coverer
    from OsteoScreenLib.explain.analysis import AnalysisRequest
    from OsteoScreenLib.radiograph.radiograph import Radiograph

    assert case.result is not None
    case.switch(case.toggles.with_changes(mode=mode, fill=fill, margin_px=margin))
    bones = frozenset({"T7", "right rib 5", "left clavicle"}) & case.found
    patch = window.ask(case, *bones)
    request = AnalysisRequest(mode=mode, fill=fill, dilation_px=margin)  # type: ignore[arg-type]
    shown = make_coverer(Radiograph(case.reading.pixels), case.result.masks, request).cover(bones)
    painted = case.reading.pixels.copy()
    first_row, end_row, first_column, end_column = patch.box
    painted[first_row:end_row, first_column:end_column] = patch.pixels
    np.testing.assert_array_equal(painted, shown)
    assert (painted != case.reading.pixels).any()
    answer = window.desk.answers.get(case.question(bones))
    assert answer is not None and answer.area_px > 0 and sum(answer.probabilities) == pytest.approx(1)


def test_the_bone_trees_numbers_are_those_of_the_saved_file(window: Window, case: Case, tmp_path: Path) -> None:
    """A number shown while switching, in small requests, is bit by bit that of one long analysis."""
    case.reset()
    window.during(lambda: window.desk.sweep(case.questions()))
    window.until(lambda: not window.desk.sweeping and window.desk.state == "idle")
    window.desk.explain("low bone mass", "grad-cam")
    window.until(lambda: window.targets == ["low bone mass"])
    chosen = frozenset(sorted(case.found)[:5])
    case.set_covered(chosen, True)
    window.desk.save(str(tmp_path), case.toggles)
    window.until(lambda: window.files)
    assert {path.name for path in tmp_path.iterdir()} == {"analysis.json", "overlay.png", "report.html", "masks.seg.nrrd"}
    effects = json.loads((tmp_path / "analysis.json").read_text(encoding="utf-8"))["covering"]["effects"]
    shown = case.effects()
    compared = 0
    for effect in effects:
        if effect["of"] == "bone":
            answer = window.desk.answers.get(case.question(frozenset(effect["bones"])))
            assert answer is not None and list(answer.probabilities) == list(effect["probabilities"].values())
            assert shown[effect["name"]].delta_points == pytest.approx(effect["delta_points"], abs=1e-12)
            compared += 1
    assert compared == 5 and all(cell.state == "current" for cell in shown.values())


def test_the_bone_trees_numbers_stand_in_the_structured_report(window: Window, case: Case, tmp_path: Path) -> None:
    """Saved with DICOM objects, the whole table comes back from sr.dcm, each bone's row with its segment."""
    from OsteoScreenLib.exchange.dicom.read_report import read_report
    from OsteoScreenLib.workbench import table_text

    case.reset()
    window.during(lambda: window.desk.sweep(case.questions()))
    window.until(lambda: not window.desk.sweeping and window.desk.state == "idle")
    window.files.clear()
    window.desk.save(str(tmp_path), case.toggles, table_text.files(case), dicom=True, text="keep")
    window.until(lambda: window.files)
    report = read_report(Path(window.files[0]["sr"]))
    assert report.table is not None and report.target == case.toggles.target
    assert (report.table.fill, report.table.margin_px) == (case.toggles.fill, case.toggles.margin_px)
    told = {row.name: row for row in report.table.rows}
    rows = case.table.rows()
    assert set(told) == {name for name, row in rows.items() if row.removed.delta_points is not None}
    assert len([row for row in report.table.rows if row.of == "bone"]) == len(case.found)
    for name, row in told.items():
        assert row.removed is not None
        assert row.removed.delta_points == rows[name].removed.delta_points
        assert row.removed.delta_log_odds == rows[name].removed.delta_log_odds
        assert (row.added is None) == (rows[name].added.delta_points is None)  # the other mode was not asked for


def test_a_killed_worker_costs_a_sentence_and_no_number(window: Window, case: Case) -> None:
    case.reset()
    known = len(window.desk.answers.to_json(case.reading.image_sha256))
    pid = window.client.process_id
    assert pid is not None
    window.desk.ask(case.question(frozenset({"T8", "T9"})), want_patch=True)
    os.kill(pid, signal.SIGKILL)
    window.until(lambda: window.desk.answers.get(case.question(frozenset({"T8", "T9"}))))
    assert len(window.failed) <= 1 and all("by itself" in sentence for sentence in window.failed)
    window.failed.clear()
    assert window.client.process_id not in (None, pid) and not psutil.pid_exists(pid)
    assert len(window.desk.answers.to_json(case.reading.image_sha256)) == known + 1
    window.ask(case, "T10")


def test_cancel_takes_no_time_and_the_case_stays(window: Window, case: Case) -> None:
    pid = window.client.process_id
    assert pid is not None and window.desk.analyse(SOURCE, OPTIONS)
    window.until(lambda: window.desk.state == "analysing")
    assert window.during(window.desk.cancel) < 0.5
    assert not window.desk.busy and window.client.process_id not in (None, pid)
    window.ask(case, "T11")
    assert window.failed == [] and len(window.results) == 1
    assert not psutil.pid_exists(pid)


def test_the_devices_are_told_when_the_libraries_are_there(window: Window, case: Case) -> None:
    window.desk.warm_up(OPTIONS)
    window.until(lambda: window.devices)
    assert window.devices[0][-1] == "cpu"


def test_the_window_was_never_kept_waiting(window: Window, case: Case) -> None:
    assert window.longest < LONGEST_POLL


@pytest.mark.parametrize("busy", [True, False])
def test_closing_the_window_leaves_no_process(busy: bool) -> None:
    window = Window(WorkerClient())
    window.desk.warm_up()
    pid = window.client.process_id
    assert pid is not None
    if busy:
        window.desk.analyse(SOURCE, OPTIONS)
        window.until(lambda: window.progress[-1][1] > 0)
    window.desk.close()
    assert not psutil.pid_exists(pid)


def test_an_interpreter_that_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    window = Window(WorkerClient(tmp_path / "PythonSlicer"))
    window.desk.warm_up()
    window.desk.open(SOURCE)
    window.desk.poll()
    assert len(window.failed) == 1 and "could not be started" in window.failed[0] and not window.desk.busy


def test_a_large_message_to_a_child_that_does_not_read_keeps_nobody_waiting() -> None:
    """As a child that is importing torch: the pipe is full long before the message is written."""
    client = WorkerClient(arguments=["-c", "import time; time.sleep(60)"])
    began = time.perf_counter()
    client.submit("read", {}, {"volume": np.zeros((4000, 4000), np.float32)})
    assert time.perf_counter() - began < 0.3 and client.poll() is None
    pid = client.process_id
    began = time.perf_counter()
    client.close()
    assert time.perf_counter() - began < 3 and pid is not None and not psutil.pid_exists(pid)


def test_a_child_without_the_library_says_what_is_missing() -> None:
    code = "import sys; sys.exit(\"ModuleNotFoundError: No module named 'numpy'\")"
    client = WorkerClient(sys.executable, arguments=["-c", code])
    with pytest.raises(OsteoScreenError, match=r"library is missing there \(.*numpy"):
        client.request("hello")
