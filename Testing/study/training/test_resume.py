"""A run that is killed in the middle of an epoch gives, when it goes on, what the uninterrupted run gives, to the last digit."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from study.training.killed_run import PATIENTS, STEPS_AN_EPOCH, options
from study.training.small_cohort import TINY, small_cohort

from OsteoScreenLib.errors import InputError
from OsteoScreenLib.study.training.train import train

HERE = Path(__file__).resolve()


def newest(run: Path) -> int:
    steps = [int(path.stem[5:]) for path in (run / "checkpoints").glob("step-*.json")]
    return max(steps, default=0)


def start(images: Path, run: Path) -> subprocess.Popen[bytes]:
    paths = [str(HERE.parents[3] / "OsteoScreen"), str(HERE.parents[2])]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
    return subprocess.Popen([sys.executable, str(HERE.parent / "killed_run.py"), str(images), str(run)], env=environment)


def killed_in_mid_epoch(images: Path, run: Path, first: int) -> int:
    """Kill -9 once `first` steps and a part of an epoch are done; the step of the newest checkpoint."""
    for _ in range(5):
        process = start(images, run)
        deadline = time.monotonic() + 240
        while not (newest(run) >= first and 2 < newest(run) % STEPS_AN_EPOCH < STEPS_AN_EPOCH - 4):
            assert process.poll() is None, "the run ended before it could be killed"
            assert time.monotonic() < deadline
            time.sleep(0.005)
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
        if newest(run) % STEPS_AN_EPOCH:
            return newest(run)
    raise AssertionError("never killed within an epoch")


@pytest.mark.timeout(900)
@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL")
def test_killed_twice_and_resumed_is_the_uninterrupted_run(tmp_path: Path) -> None:
    images = tmp_path / "images"
    rows, splits = small_cohort(images, PATIENTS)
    whole = train(rows, splits, options(), tmp_path / "whole", entry=TINY)
    run = tmp_path / "killed"
    early = killed_in_mid_epoch(images, run, 1)
    assert early % STEPS_AN_EPOCH > 0
    # A newest checkpoint that the fall also damaged: the one before serves.
    damaged = run / "checkpoints" / f"step-{early:09d}.safetensors"
    damaged.write_bytes(damaged.read_bytes()[:100])
    resumed = train(rows, splits, options(), run, entry=TINY)
    events = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    assert [one["event"] for one in events if one["event"] != "epoch"] == [
        "started", "started", "damaged-checkpoint", "resumed", "done",
    ]  # fmt: skip
    again = next(one for one in events if one["event"] == "resumed")
    assert (again["epoch"] - 1) * STEPS_AN_EPOCH + again["step"] == early - 1
    for name in (
        "curves.csv",
        "predictions-validation.csv",
        "predictions-test.csv",
        "done.json",
        "bundle/manifest.json",
        "bundle/card.md",
    ):
        assert (resumed.folder / name).read_bytes() == (whole.folder / name).read_bytes(), name


@pytest.mark.timeout(600)
def test_a_run_does_not_go_on_with_other_images(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows, splits = small_cohort(tmp_path / "images", 12)
    from OsteoScreenLib.study.training import train as module

    def stopped(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "finish", stopped)
    with pytest.raises(KeyboardInterrupt):
        train(rows, splits, options(), tmp_path / "run", entry=TINY)
    monkeypatch.undo()
    rows[0].image.write_bytes(rows[1].image.read_bytes())
    with pytest.raises(InputError, match="have changed since this run began") as caught:
        train(rows, splits, options(), tmp_path / "run", entry=TINY)
    assert caught.value.code == "changed"
