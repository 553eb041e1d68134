"""Asks the Python of the worker about its libraries in a process of its own, and puts what is wrong into one sentence."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from OsteoScreenLib.worker.library_check import MARK

CHECK = ("-m", "OsteoScreenLib.worker.library_check")
CHECK_SECONDS = 300.0  # a first import of torch from a slow disk, with a virus scanner reading along, takes minutes
INDEX = "https://pypi.org/simple/pip/"
TOOK_TOO_LONG = "took too long"
PYTORCH_UTIL = "the module PyTorch Util"


@dataclass(frozen=True)
class Report:
    """What a check found.

    versions : of what is installed. missing : names of what is not. broken : name → (kind of error, message).
    ended : how the process ended when it did not get to the end, with its last lines, else "".
    """

    versions: Mapping[str, str] = field(default_factory=dict)
    missing: tuple[str, ...] = ()
    broken: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    ended: str = ""

    @property
    def complete(self) -> bool:
        """Everything imports and computes."""
        return not (self.missing or self.broken or self.ended)


def ask(
    python: Path, meanwhile: Callable[[], None], command: tuple[str, ...] = CHECK, seconds: float = CHECK_SECONDS
) -> Report:
    """Run the check with `python`. meanwhile : called again and again while it runs, so that a window stays alive."""
    code, output, errors = run(python, command, meanwhile, seconds)
    for line in reversed(output.splitlines()):
        if line.startswith(MARK):
            found: dict[str, Any] = json.loads(line[len(MARK) :])
            broken = {name: (str(kind), str(text)) for name, (kind, text) in found["broken"].items()}
            return Report(found["versions"], tuple(found["missing"]), broken)
    how = TOOK_TOO_LONG if code is None else f"ended with code {code}"
    return Report(ended=f"{how}\n{errors[-4000:]}")


def run(python: Path, arguments: tuple[str, ...], meanwhile: Callable[[], None], seconds: float) -> tuple[int | None, str, str]:
    """Exit code (None after `seconds`), output and errors of a short-lived Python process.

    Raises OSError when it cannot be started. Output goes through files: a pipe that nobody reads stops the process.
    """
    environment = dict(os.environ)
    package = str(Path(__file__).resolve().parents[2])
    environment["PYTHONPATH"] = os.pathsep.join([package, *filter(None, [environment.get("PYTHONPATH", "")])])
    environment.update(PYTHONIOENCODING="utf-8:backslashreplace", HF_HUB_OFFLINE="1")
    options: dict[str, Any] = {}
    if sys.platform == "win32":
        options["creationflags"] = subprocess.CREATE_NO_WINDOW
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(
            [str(python), *arguments], stdin=subprocess.DEVNULL, stdout=output, stderr=errors, env=environment, **options
        )
        deadline = time.monotonic() + seconds
        try:
            while process.poll() is None and time.monotonic() < deadline:
                meanwhile()
                time.sleep(0.02)
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
                code = None
            else:
                code = process.returncode
        texts = []
        for stream in (output, errors):
            stream.seek(0)
            texts.append(stream.read().decode("utf-8", "replace"))
    return code, texts[0], texts[1]


def index_reachable(python: Path, meanwhile: Callable[[], None]) -> bool:
    """Whether the package index answers. Asked only after an installation failed that the user wanted."""
    program = f"import urllib.request; urllib.request.urlopen({INDEX!r}, timeout=8).read(1)"
    return run(python, ("-c", program), meanwhile, 20)[0] == 0


def what_is_broken(report: Report) -> str:
    """One sentence on the first thing that is installed but does not work, "" when nothing is."""
    if report.ended:
        name = (re.findall(r"^importing (\S+)$", report.ended, re.MULTILINE) or ["Python"])[-1]
        return _sentence(name, "", report.ended)
    for name, (kind, text) in report.broken.items():
        return _sentence(name, kind, text)
    return ""


def _sentence(name: str, kind: str, text: str) -> str:
    title = "PyTorch" if name in ("torch", "torchvision") else name
    again = (
        f"uninstall it in {PYTORCH_UTIL}, start Slicer again and press Analyse"
        if title == "PyTorch"
        else f"run 'PythonSlicer -m pip install --force-reinstall --no-deps {name}' in a terminal, start Slicer again and press Analyse"
    )
    lower = text.lower()
    if lower.startswith(TOOK_TOO_LONG):
        return f"{title} did not load within {CHECK_SECONDS / 60:g} minutes; look for a virus scanner that holds it up, and try again."
    if "winerror 206" in lower or "name too long" in lower or "extension is too long" in lower:
        return (
            f"{title} is only half installed, because Windows refuses paths longer than 260 characters; install Slicer in a "
            "short folder such as C:\\Slicer, or switch on long paths in Windows, and install it again."
        )
    if "winerror 126" in lower or "winerror 127" in lower or "dll load failed" in lower or "winerror 1114" in lower:
        return (
            f"{title} is installed, but Windows cannot load one of its DLLs ({_short(text)}); install the Microsoft Visual C++ "
            f"Redistributable (x64); if that does not help, {again}."
        )
    if "cannot open shared object file" in lower or "image not found" in lower or "library not loaded" in lower:
        return f"{title} is installed, but one of its libraries is missing ({_short(text)}); {again}."
    if "compiled using numpy" in lower or "numpy.core.multiarray" in lower or "numpy is not available" in lower:
        return f"{title} was built for another NumPy than the one in this Slicer; {again}."
    if "ended with code" in lower:
        code = re.search(r"ended with code (-?\d+)", text)
        return f"The process that loads {title} ended at once (code {code.group(1) if code else '?'}); {again}."
    return f"{title} is only half installed ({kind}: {_short(text)}); {again}."


def _short(text: str) -> str:
    line = " ".join(text.split()).rstrip(".")
    return line if len(line) <= 120 else line[:117] + "…"
