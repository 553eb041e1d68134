"""`osteoscreen analyse` as a user runs it: one line or one JSON document, files, exit codes, and nothing left behind."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from builders import make_classifier_bundle, make_radiograph
from PIL import Image

from OsteoScreenLib.commands import images
from OsteoScreenLib.commands.images import output_folders

QUICK_CLI = str(Path(__file__).with_name("quick_cli.py"))
FILES = {"analysis.json", "overlay.png", "report.html", "masks.seg.nrrd"}


def environment(**more: str) -> dict[str, str]:
    return os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)} | more


def command(*arguments: str | Path) -> list[str]:
    return [sys.executable, QUICK_CLI, *map(str, arguments)]


def run(*arguments: str | Path, **more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command(*arguments), capture_output=True, text=True, env=environment(**more), check=False)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cli")
    make_classifier_bundle(folder / "tiny")
    for seed, name in enumerate(("a/chest.png", "b/Chest.png", "other.tif")):
        (folder / name).parent.mkdir(exist_ok=True)
        pixels = np.rint(make_radiograph((240, 200), seed=seed).pixels * 255).astype(np.uint8)
        Image.fromarray(pixels).save(folder / name)
    Image.fromarray(np.zeros((100, 400), np.uint8) + np.arange(400, dtype=np.uint8)).save(folder / "wide.png")
    (folder / "empty.dcm").touch()
    return folder


def one_sentence(text: str) -> bool:
    lines = [line for line in text.splitlines() if line.strip()]
    return len(lines) == 1 and lines[0].endswith((".", "?")) and "Traceback" not in text


def test_several_images_one_document(folder: Path, tmp_path: Path) -> None:
    good = [folder / "a/chest.png", folder / "b/Chest.png", folder / "other.tif"]
    bad = [folder / "wide.png", folder / "empty.dcm", folder / "a", folder / "none.dcm"]
    done = run("analyse", *good, *bad, "--out", tmp_path, "--model", folder / "tiny", "--cover", "t5", "--json")
    assert done.returncode == 2, done.stderr
    assert done.stderr == ""
    document: dict[str, Any] = json.loads(done.stdout)
    entries = {entry["path"]: entry for entry in document["images"]}
    assert list(entries) == [str(path) for path in good + bad]
    assert "Research use only" in document["notice"]
    for path in good:
        entry = entries[str(path)]
        assert entry["status"] == "analysed" and {p.name for p in Path(entry["out"]).iterdir()} == FILES
    assert len({entries[str(path)]["out"].casefold() for path in good}) == 3
    hashes = {
        json.loads((Path(entries[str(p)]["out"]) / "analysis.json").read_text("utf-8"))["radiograph"]["sha256"] for p in good
    }
    assert len(hashes) == 3
    for path in bad:
        assert entries[str(path)]["status"] == "refused" and one_sentence(entries[str(path)]["sentence"])
    assert entries[str(folder / "wide.png")]["code"] == "not-frontal-chest"
    assert {path.name for path in tmp_path.iterdir()} == {"chest", "Chest-2", "other"}


def test_one_image_one_line(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "new" / "out"
    done = run("analyse", folder / "other.tif", "--out", out, "--model", folder / "tiny", "--rotate", "90", "--no-invert")
    assert done.returncode == 0, done.stderr
    line = done.stdout.strip()
    assert "\n" not in line and line.startswith("other.tif: ") and line.endswith(f"report: {out / 'report.html'}")
    assert all(f"{name} " in line for name in ("normal", "osteopenia", "osteoporosis"))
    assert done.stderr.strip() == "Research use only · model trained on simulated images."
    assert {path.name for path in out.iterdir()} == FILES
    placement = json.loads((out / "analysis.json").read_text("utf-8"))["radiograph"]["placement"]
    assert placement["quarter_turns"] == 1


def test_the_heatmap_is_made_as_asked(folder: Path, tmp_path: Path) -> None:
    make_classifier_bundle(tmp_path / "convnet", "resnet10t", {"channels": [8, 16, 16, 32], "stem_width": 8})
    for method, title in (("gradient-attention", "Gradient attention"), ("none", None)):
        done = run(
            "analyse", folder / "other.tif", "--out", tmp_path / method, "--model", folder / "tiny", "--saliency", method
        )
        assert done.returncode == 0, done.stderr
        analysis = json.loads((tmp_path / method / "analysis.json").read_text("utf-8"))
        assert (analysis["saliency"] or {"method": None})["method"] == title
        assert analysis["request"]["saliency_method"] == (method if title else None)
    refused = run(
        "analyse", folder / "other.tif", "--out", tmp_path / "x", "--model", tmp_path / "convnet", "--saliency", "rollout"
    )
    assert refused.returncode == 2 and one_sentence(refused.stderr) and "choose one of grad-cam, " in refused.stderr


def test_segment(folder: Path, tmp_path: Path) -> None:
    done = run("segment", folder / "other.tif", "--out", tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("other.tif: 5 bones")
    assert {path.name for path in tmp_path.iterdir()} == {"masks.seg.nrrd", "overlay.png"}


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (["--model", "no-such-model"], "no-such-model"),
        (["--cover", "femur"], "femur"),
        (["--mode", "dissolve"], "--mode"),
        (["--device", "abacus"], "--device"),
        (["--margin", "-3"], "--margin"),
        (["--targett", "x"], "--targett"),
    ],
)
def test_wrong_options_are_one_sentence(folder: Path, tmp_path: Path, wrong: list[str], says: str) -> None:
    done = run("analyse", folder / "other.tif", "--out", tmp_path / "out", *wrong)
    assert done.returncode == 2
    assert done.stdout == "" and one_sentence(done.stderr) and says in done.stderr


def test_out_that_is_a_file(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    done = run("analyse", folder / "other.tif", "--out", tmp_path / "file")
    assert done.returncode == 2 and one_sentence(done.stderr) and "is a file" in done.stderr


def test_an_error_before_any_image_is_a_document_too(folder: Path, tmp_path: Path) -> None:
    done = run("analyse", folder / "other.tif", "--out", tmp_path, "--model", "no-such-model", "--json")
    assert done.returncode == 2
    error = json.loads(done.stdout)["error"]
    assert error["code"] == "model-unknown" and one_sentence(error["sentence"])


def wait_for(condition: Any, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)


class Slow:
    """The command line in its own process, with a segmenter that takes its time; `worker` waits until it is at it."""

    def __init__(self, mark: Path, seconds: float, *arguments: str | Path) -> None:
        self._mark = mark
        mark.unlink(missing_ok=True)
        slow = environment(TEST_SEGMENTER_SECONDS=str(seconds), TEST_SEGMENTER_MARK=str(mark))
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        # A test run in the background of a shell ignores Ctrl-C, and its children would too.
        listen = {} if sys.platform == "win32" else {"preexec_fn": lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)}
        self.process = subprocess.Popen(command(*arguments), text=True, env=slow, **pipes, **listen)  # type: ignore[call-overload]

    def worker(self) -> psutil.Process:
        wait_for(lambda: self._mark.is_file() and self._mark.read_text(), 120)
        return psutil.Process(int(self._mark.read_text()))


def test_a_worker_killed_midway_is_one_sentence_and_the_next_image_is_analysed(folder: Path, tmp_path: Path) -> None:
    images = (folder / "a/chest.png", folder / "other.tif")
    slow = Slow(tmp_path / "mark", 1.5, "analyse", *images, "--out", tmp_path / "out", "--model", folder / "tiny", "--json")
    os.kill(slow.worker().pid, signal.SIGKILL)
    out, err = slow.process.communicate(timeout=200)
    entries = json.loads(out)["images"]
    assert slow.process.returncode == 1 and err == ""
    assert entries[0]["status"] == "failed" and one_sentence(entries[0]["sentence"])
    assert "ended unexpectedly (signal 9) while analysing chest.png" in entries[0]["sentence"]
    assert entries[1]["status"] == "analysed"


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGINT])
def test_no_worker_outlives_its_command_line(folder: Path, tmp_path: Path, end: signal.Signals) -> None:
    slow = Slow(tmp_path / "mark", 100, "analyse", folder / "other.tif", "--out", tmp_path, "--model", folder / "tiny")
    worker = slow.worker()
    slow.process.send_signal(end)
    _, err = slow.process.communicate(timeout=60)
    wait_for(lambda: not worker.is_running() or worker.status() == psutil.STATUS_ZOMBIE, 30)
    if end == signal.SIGINT:
        assert slow.process.returncode == 130 and err.strip() == "Cancelled."


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such terminals")
def test_a_terminal_shows_progress_and_then_the_line(folder: Path, tmp_path: Path) -> None:
    import pty

    ours, theirs = pty.openpty()
    arguments = command("analyse", folder / "other.tif", "--out", tmp_path, "--model", folder / "tiny")
    process = subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=theirs, text=True, env=environment(TERM="xterm"))
    os.close(theirs)
    shown = b""
    with contextlib.suppress(OSError):  # how a terminal's end looks on Linux
        while part := os.read(ours, 4096):
            shown += part
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 0 and out.startswith("other.tif: ")
    text = shown.decode("utf-8", "replace")
    assert "Loading the models" in text and "other.tif" in text and "Research use only" in text and "Traceback" not in text


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can mount a small disk")
def test_a_small_disk_fills_up(folder: Path, tmp_path: Path) -> None:
    disk = tmp_path / "small"
    disk.mkdir()
    if subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=100k", "tmpfs", str(disk)], capture_output=True, check=False
    ).returncode:
        pytest.skip("this machine does not let root mount a small disk")
    try:
        done = run("analyse", folder / "other.tif", "--out", disk / "out", "--model", folder / "tiny")
        left = {path.name for path in disk.rglob("*") if path.is_file()}
    finally:
        subprocess.run(["umount", str(disk)], check=True)
    assert done.returncode == 1
    assert one_sentence(done.stdout) and "No space left on device" in done.stdout and done.stderr == ""
    assert left <= FILES and "report.html" not in left


def test_folders_never_collide_and_keep_to_plain_names(tmp_path: Path) -> None:
    images = [Path(name) for name in ("a/x.dcm", "b/x.png", "c/X.dcm", "x-2.dcm", "...dcm", "CON:1.dcm", "d/x.dcm")]
    folders = output_folders(images, tmp_path)
    assert len({str(path).casefold() for path in folders}) == len(images)
    assert all(path.parent == tmp_path for path in folders)
    assert [path.name for path in folders[:3]] == ["x", "x-2", "X-3"]
    assert folders[5].name == "CON_1"
    assert output_folders([Path("only.dcm")], tmp_path) == [tmp_path]


def test_the_line_of_a_segmentation_names_what_to_check() -> None:
    body = {"bones": ["T7", "T8"], "notes": [], "files": {"masks": "m"}}
    assert images.summary({**body, "remarks": {"T7": ["cut-by-edge"]}}) == "2 bones; masks: m"
    line = images.summary({**body, "remarks": {"T7": ["large", "cut-by-edge"], "left rib 8": ["out-of-order"]}})
    assert line == "2 bones, 2 to check: T7 (too large), left rib 8 (out of order); masks: m"
    many = images.summary({**body, "remarks": {f"right rib {number}": ["small"] for number in range(1, 12)}})
    assert "11 to check" in many and "and 3 more" in many


def test_the_line_of_an_answer_tells_the_t_score_where_there_is_one() -> None:
    shares = {"normal": 0.2, "osteopenia": 0.5, "osteoporosis": 0.3}
    body = {"decision": "osteopenia", "probabilities": shares, "notes": [], "files": {"report": "r"}, "domain": {"level": "in"}}
    assert images.summary({**body, "expected_t_score": -1.84}) == (
        "osteopenia (normal 20.0 %, osteopenia 50.0 %, osteoporosis 30.0 %); expected T-score -1.8; report: r"
    )
    assert "T-score" not in images.summary({**body, "expected_t_score": None})
