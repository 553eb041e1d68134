"""The check in a process of its own: with the real libraries, and with a torch that is really broken."""

from __future__ import annotations

import itertools
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from OsteoScreenLib.hosts import library_report
from OsteoScreenLib.hosts.library_report import Report, ask, what_is_broken

PYTHON = Path(sys.executable)
VISUAL_CPP = r"[WinError 126] The specified module could not be found. Error loading \"C:\Slicer\lib\torch\lib\c10.dll\""


def broken_torch(folder: Path, program: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A package torch that does this when it is imported, in front of the real one."""
    (folder / "torch").mkdir()
    (folder / "torch" / "__init__.py").write_text(program, encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", str(folder))


def test_everything_that_is_installed_here_imports_and_computes() -> None:
    rounds = []
    report = ask(PYTHON, lambda: rounds.append(time.monotonic()))
    assert report.complete, report
    assert report.versions["torch"] and report.versions["grad-cam"]
    gaps = [later - earlier for earlier, later in itertools.pairwise(rounds)]
    assert len(rounds) > 10 and sorted(gaps)[len(gaps) // 2] < 0.1, "the window stays alive meanwhile"


@pytest.mark.parametrize(
    ("program", "says"),
    [
        (
            "from torch._C import nothing",
            r"^PyTorch is only half installed \(ModuleNotFoundError: No module named 'torch\._C'\); unin",
        ),
        (f"raise OSError({VISUAL_CPP!r})", r"^PyTorch is installed, but Windows cannot load one of its DLLs .*Visual C\+\+"),
        (
            "raise OSError('[WinError 206] The filename or extension is too long')",
            r"Windows refuses paths longer than 260 char",
        ),
        (
            "raise ImportError('libtorch_cpu.so: cannot open shared object file: No such file')",
            r"one of its libraries is missing",
        ),
        ("raise ImportError('DLL load failed while importing _C')", r"Visual C\+\+ Redistributable"),
        ("raise ImportError('numpy.core.multiarray failed to import')", r"was built for another NumPy"),
        ("import os; os.abort()", r"^The process that loads PyTorch ended at once \(code -6\)"),
        ("", r"^PyTorch is only half installed \(ImportError: torch is an empty folder\)"),
    ],
)
def test_a_broken_torch_is_recognised_and_explained(
    program: str, says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken_torch(tmp_path, program, monkeypatch)
    report = ask(PYTHON, lambda: None)
    assert not report.complete and "torch" not in report.missing
    sentence = what_is_broken(report)
    assert sentence == " ".join(sentence.split()) and sentence.endswith(".") and "Traceback" not in sentence
    assert re.search(says, sentence), sentence


def test_a_process_that_hangs_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken_torch(tmp_path, "import time; time.sleep(600)", monkeypatch)
    began = time.monotonic()
    report = ask(PYTHON, lambda: None, seconds=1.5)
    assert time.monotonic() - began < 10
    assert what_is_broken(report).startswith("PyTorch did not load within")


def test_what_is_not_installed_is_missing_and_not_broken(tmp_path: Path) -> None:
    """A Python without site-packages: its own standard library is all it has."""
    environment = {**os.environ, "PYTHONPATH": str(Path(library_report.__file__).resolve().parents[2])}
    done = subprocess.run(
        [sys.executable, "-S", *library_report.CHECK], env=environment, cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert '"broken": {}' in done.stdout and '"missing": ["qtpy", "typer", "rich", "torch", "torchvision"' in done.stdout


def test_a_python_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such file"):
        ask(tmp_path / "PythonSlicer", lambda: None)


def test_nothing_is_broken_in_a_complete_report() -> None:
    assert Report(versions={"torch": "2.9"}).complete and what_is_broken(Report()) == ""
    assert not Report(missing=("timm",)).complete
    assert "force-reinstall --no-deps timm" in what_is_broken(Report(broken={"timm": ("ImportError", "cannot import x")}))
