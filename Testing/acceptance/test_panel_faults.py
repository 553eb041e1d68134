"""What must never break the panel, with the real worker: it says one sentence and loses nothing."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from acceptance.tables import SICK, WELL, Bench, bench

from OsteoScreenLib.workbench.worker_client import WorkerClient

pytestmark = pytest.mark.timeout(600)


def test_released_memory_leaves_no_number_waiting_for_ever(table: Bench) -> None:
    table.open(SICK)
    table.analyse()
    table.presenter.set_covered(["T7", "left rib 7"], True)
    table.presenter.release()
    numbers = table.presenter.numbers
    assert numbers is not None and numbers.state == "unanswered" and "Recompute" in numbers.sentence
    table.presenter.recompute()
    table.rest()
    assert table.presenter.numbers.state == "current"  # type: ignore[union-attr]


def test_a_volume_deleted_during_the_analysis(table: Bench) -> None:
    import slicer

    table.open(SICK)
    table.presenter.analyse()
    table.until(lambda: table.presenter.progress is not None and table.presenter.progress[1] > 0)
    slicer.mrmlScene.RemoveNode(table.nodes.radiograph)
    assert not table.presenter.busy and table.presenter.case is None
    assert any("removed from the scene" in sentence for _, sentence in table.said)
    table.rest()
    table.open(WELL)
    table.analyse()


def test_a_scene_closed_during_the_analysis(table: Bench) -> None:
    import slicer

    table.open(SICK)
    table.presenter.analyse()
    table.until(lambda: table.presenter.progress is not None and table.presenter.progress[1] > 0)
    slicer.mrmlScene.Clear(0)
    assert not table.presenter.busy and table.presenter.case is None and table.presenter.numbers is None
    table.rest()
    assert [severity for severity, _ in table.said if severity == "error"] == []
    table.open(SICK)
    table.analyse()


def test_analyse_pressed_twice_is_done_once(table: Bench) -> None:
    results: list[object] = []
    table.desk.analysed.connect(lambda reading, result: results.append(result))
    table.open(SICK)
    table.presenter.analyse()
    table.presenter.analyse()
    table.until(lambda: not table.presenter.busy)
    table.rest()
    assert len(results) == 1


def test_cancel_brings_the_last_good_state_back(table: Bench) -> None:
    table.open(SICK)
    table.analyse()
    table.presenter.set_covered(["T7"], True)
    table.rest()
    good = (table.presenter.numbers, table.presenter.effects, table.frame())
    table.presenter.analyse()
    table.until(lambda: table.presenter.progress is not None and table.presenter.progress[1] > 0)
    began = time.monotonic()
    table.presenter.cancel()
    assert not table.presenter.busy and time.monotonic() - began < 1.0
    assert (table.presenter.numbers, table.presenter.effects) == good[:2]
    np.testing.assert_array_equal(table.frame(), good[2])
    table.presenter.set_covered(["T8"], True)
    table.rest()
    assert table.presenter.numbers.state == "current"  # type: ignore[union-attr]


@pytest.mark.skipif(sys.platform == "win32", reason="sends a POSIX signal")
def test_a_killed_worker_costs_one_answer(table: Bench) -> None:
    table.open(SICK)
    table.analyse()
    numbers = table.presenter.numbers
    table.presenter.analyse()
    table.until(lambda: table.presenter.progress is not None and table.presenter.progress[1] > 0)
    assert table.client.process_id is not None
    os.kill(table.client.process_id, signal.SIGKILL)
    table.until(lambda: not table.presenter.busy)
    errors = [sentence for severity, sentence in table.said if severity == "error"]
    assert len(errors) == 1 and "ended unexpectedly" in errors[0]
    assert table.presenter.numbers == numbers  # what was there stays
    table.presenter.set_covered(["T7"], True)
    table.rest()
    assert table.presenter.numbers.state == "current"  # type: ignore[union-attr]


def test_without_torch_the_panel_says_so_and_goes_on(view: Any, qapp: Any, tmp_path: Path) -> None:
    (tmp_path / "torch").mkdir()
    (tmp_path / "torch" / "__init__.py").write_text("raise ModuleNotFoundError(\"No module named 'torch'\", name='torch')\n")
    worker = WorkerClient(sys.executable, environment={"PYTHONPATH": str(tmp_path)})
    with bench(worker, qapp) as table:
        table.open(SICK)  # reading needs no torch
        assert table.frame().std() > 10
        table.presenter.analyse()
        table.until(lambda: not table.presenter.busy)
        errors = [sentence for severity, sentence in table.said if severity == "error"]
        assert len(errors) == 1 and "torch" in errors[0] and "Traceback" not in errors[0]
        assert table.presenter.numbers is None
    assert worker.process_id is None


def test_a_host_that_is_not_ready_is_said_and_nothing_starts(table: Bench) -> None:
    table.host.problem = "PyTorch is missing; install the PyTorch extension."
    table.presenter.open_file(SICK)
    assert table.said == [("error", table.host.problem)] and not table.presenter.busy


def test_bad_input_loses_nothing(table: Bench, tmp_path: Path) -> None:
    table.open(SICK)
    table.analyse()
    good = (table.presenter.numbers, table.frame())
    bad = tmp_path / "notes.dcm"
    bad.write_text("this is no image")
    table.presenter.open_file(bad)
    table.until(lambda: not table.presenter.busy)
    assert [severity for severity, _ in table.said] == ["error"]
    assert table.presenter.numbers == good[0]
    np.testing.assert_array_equal(table.frame(), good[1])


def test_torch_never_comes_into_the_windows_process() -> None:
    import subprocess

    code = (
        "import sys; from OsteoScreenLib.hosts.desktop import viewer; import OsteoScreenLib.ui.presenter, OsteoScreenLib.ui.panel;"
        "print(sorted({'torch', 'timm', 'cv2', 'pydicom', 'SimpleITK'} & set(sys.modules)))"
    )
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert printed.strip() == "[]"
