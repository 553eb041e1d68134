"""The viewer as a process: how it ends, what it leaves behind, and what it says where it cannot begin."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
SAMPLE = REPOSITORY / "OsteoScreen" / "Resources" / "SampleData" / "simulated_chest_osteoporosis.dcm"
SCRIPT = Path(__file__).with_name("viewer_process.py")


@pytest.fixture
def environment(slicer_application: Any, tmp_path: Path) -> dict[str, str]:
    """Of a process of its own, with logs and settings of its own."""
    return os.environ | {
        "PYTHONPATH": str(REPOSITORY / "OsteoScreen"),
        "QT_QPA_PLATFORM": "offscreen",
        "OSTEOSCREEN_LOGS": str(tmp_path / "logs"),
        "XDG_CONFIG_HOME": str(tmp_path / "config"),
        "OMP_NUM_THREADS": "1",
    }


def run(environment: dict[str, str], scenario: str, folder: Path, *image: Path, **more: str) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, str(SCRIPT), scenario, str(folder), *map(str, image)],
        capture_output=True,
        text=True,
        env=environment | more,
        timeout=200,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_closing_during_an_analysis_leaves_no_process_behind(environment, tmp_path) -> None:
    answer = run(environment, "close_during_work", tmp_path, SAMPLE)
    assert answer["busy"] and answer["worker"]
    assert not psutil.pid_exists(answer["worker"]) and answer["children"] == []
    assert answer["seconds"] < 2
    assert not [line for line in answer["log"] if "Traceback" in line]


def test_closing_at_once_does_not_wait_for_the_worker(environment, tmp_path) -> None:
    answer = run(environment, "close_at_once", tmp_path)
    assert answer["worker"] and not psutil.pid_exists(answer["worker"]) and answer["children"] == []
    assert answer["seconds"] < 2


def test_on_a_screen_scaled_twofold_pixels_are_sharp_and_the_mouse_finds_them(environment, tmp_path) -> None:
    answer = run(environment, "scaled", tmp_path, QT_SCALE_FACTOR="2")
    assert answer["ratio"] == 2
    assert answer["frame"] == answer["painted"] == [2 * side for side in answer["widget"]]
    assert answer["same"]
    assert answer["contrast"] > 250  # black and white alternate from pixel to pixel
    assert answer["cursor"] == pytest.approx([202, 114], abs=0.51)


@pytest.fixture
def viewing(environment) -> Iterator[tuple[psutil.Process, psutil.Process]]:
    """`osteoscreen view` with its window up, and its worker."""
    process = subprocess.Popen(
        [sys.executable, "-m", "OsteoScreenLib.cli", "view", str(SAMPLE)],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    log = Path(environment["XDG_CONFIG_HOME"])
    end = time.monotonic() + 60
    children: list[psutil.Process] = []
    while not children and time.monotonic() < end:
        time.sleep(0.05)
        children = psutil.Process(process.pid).children()
    assert children, log
    yield process, children[0]  # type: ignore[misc]
    if process.poll() is None:
        process.kill()
    process.communicate(timeout=10)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no polite kill")
def test_a_polite_kill_closes_window_and_worker(viewing) -> None:
    process, worker = viewing
    time.sleep(4)  # the window is up or coming up
    process.send_signal(signal.SIGTERM)
    out, error = process.communicate(timeout=30)
    assert process.returncode in (0, -signal.SIGTERM), error
    assert "Traceback" not in error and out == ""
    assert _gone(worker)


def test_a_killed_viewer_takes_its_worker_along(viewing) -> None:
    process, worker = viewing
    process.kill()
    process.wait(timeout=10)
    assert _gone(worker)


def _gone(process: psutil.Process) -> bool:
    try:
        process.wait(timeout=30)
    except psutil.TimeoutExpired:
        return False
    return True


def view(environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "OsteoScreenLib.cli", "view", *arguments],
        capture_output=True,
        text=True,
        env=environment,
        timeout=60,
        check=False,
    )


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux runs without a screen")
def test_without_a_display_one_sentence_says_what_to_do(environment) -> None:
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"):
        environment.pop(name, None)
    done = view(environment)
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr.count("\n") == 1 and "osteoscreen analyse" in done.stderr


def test_a_missing_file_is_told_before_a_window_opens(environment, tmp_path) -> None:
    done = view(environment, str(tmp_path / "none.dcm"))
    assert done.returncode == 2 and "none.dcm" in done.stderr and done.stderr.count("\n") == 1


def test_missing_packages_are_named_with_the_way_to_them(monkeypatch) -> None:
    from OsteoScreenLib.commands import view as command
    from OsteoScreenLib.errors import InputError

    monkeypatch.setattr(command, "DESKTOP_PACKAGES", {"no_such_module": "slicer-core", "json": "there"})
    with pytest.raises(InputError, match=r"\(slicer-core\).*pip install 'osteoscreen\[desktop\]'.*start\.py"):
        command.require_packages()


def test_libraries_of_the_system_that_qt_needs_for_windows_are_named(monkeypatch) -> None:
    from OsteoScreenLib.commands import view as command
    from OsteoScreenLib.errors import InputError

    monkeypatch.setattr(command, "X11_LIBRARIES", {"libno-such.so.0": "libno-such0"})
    with pytest.raises(InputError, match=r"apt-get install libno-such0"):
        command.require_display({"DISPLAY": ":0"}, "linux")
    command.require_display({"WAYLAND_DISPLAY": "wayland-0"}, "linux")
    command.require_display({}, "darwin")
