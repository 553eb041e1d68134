"""How long importing OsteoScreen takes, in fresh processes so that nothing is warm by accident."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

from OsteoScreenLib.errors import OsteoScreenError

START_LIMIT_SECONDS = 0.3
HEAVY = ("torch", "PySide6", "PySide2", "PyQt6", "PyQt5", "qtpy", "qt", "vtk", "vtkmodules", "slicer")
_REPEATS = 5

_PROBE = """
import json, sys, time
began = time.perf_counter()
import OsteoScreenLib
seconds = time.perf_counter() - began
print(json.dumps({"seconds": seconds, "imported": [name for name in %r if name in sys.modules]}))
"""


@dataclass(frozen=True)
class StartFigures:
    """`import OsteoScreenLib` in fresh processes.

    seconds : median of the runs. slowest_seconds : the worst of them. heavy_imports : which of `HEAVY` came along.
    """

    seconds: float
    slowest_seconds: float
    runs: int
    limit_seconds: float
    heavy_imports: tuple[str, ...]

    @property
    def passed(self) -> bool:
        """Within the limit, and nothing heavy imported."""
        return self.seconds <= self.limit_seconds and not self.heavy_imports

    def as_json(self) -> dict[str, object]:
        """The figures and the verdict as JSON values."""
        return {**asdict(self), "heavy_imports": list(self.heavy_imports), "passed": self.passed}


def measure_start(runs: int = _REPEATS) -> StartFigures:
    """Import the package in `runs` fresh processes. Raises `OsteoScreenError` when one of them fails."""
    package = str(Path(__file__).resolve().parents[2])
    environment = os.environ | {"PYTHONPATH": package}
    seconds: list[float] = []
    heavy: set[str] = set()
    for _ in range(runs):
        done = subprocess.run(
            [sys.executable, "-c", _PROBE % (HEAVY,)], capture_output=True, text=True, env=environment, check=False
        )
        if done.returncode:
            last = (done.stderr.strip().splitlines() or ["no message"])[-1]
            raise OsteoScreenError(f"A fresh process could not import OsteoScreenLib ({last}); install OsteoScreen again.")
        answer = json.loads(done.stdout)
        seconds.append(answer["seconds"])
        heavy.update(answer["imported"])
    return StartFigures(statistics.median(seconds), max(seconds), runs, START_LIMIT_SECONDS, tuple(sorted(heavy)))
