"""`osteoscreen bench panel`: how the viewer feels, measured in a fresh process without a display."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from OsteoScreenLib.errors import OsteoScreenError

LONGEST_SECONDS = 600


@dataclass(frozen=True)
class Figure:
    """One measured value and what it should be at most."""

    title: str
    value: float
    unit: str
    aim: float | None = None

    @property
    def met(self) -> bool:
        """At most the aim; a figure without one has nothing to miss."""
        return self.aim is None or self.value <= self.aim


@dataclass(frozen=True)
class PanelFigures:
    """What one fresh viewer process measured on one image. device : where its network ran. conditions : what else matters."""

    figures: tuple[Figure, ...]
    device: str
    conditions: dict[str, str]

    def as_json(self) -> dict[str, object]:
        """The figures and whether each aim was met, as JSON values."""
        return {
            "device": self.device,
            "conditions": self.conditions,
            "figures": [{**asdict(figure), "met": figure.met} for figure in self.figures],
        }

    def as_text(self) -> str:
        """One line a figure, its aim beside it."""
        width = max(len(figure.title) for figure in self.figures)
        lines = [f"{self.device}; {', '.join(f'{name} {value}' for name, value in self.conditions.items())}"]
        for figure in self.figures:
            aim = "" if figure.aim is None else f"   aim {figure.aim:g} {figure.unit}: {'met' if figure.met else 'missed'}"
            lines.append(f"{figure.title:<{width}}  {figure.value:8.{2 if figure.unit == 's' else 0}f} {figure.unit}{aim}")
        return "\n".join(lines)


def measure_panel(image: Path) -> PanelFigures:
    """Open the viewer on this image, analyse, switch bones, cancel. Raises `OsteoScreenError` when that fails."""
    package = str(Path(__file__).resolve().parents[2])
    environment = os.environ | {"PYTHONPATH": package, "QT_QPA_PLATFORM": "offscreen"}
    command = [sys.executable, "-m", "OsteoScreenLib.benchmarks.panel_run", str(image), repr(time.time())]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, encoding="utf-8", env=environment, check=False, timeout=LONGEST_SECONDS
        )
    except subprocess.TimeoutExpired as error:
        raise OsteoScreenError(
            f"The viewer did not finish its measurements within {LONGEST_SECONDS} s; run it again with other programs closed."
        ) from error
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise OsteoScreenError(
            f"The viewer could not be measured ({last}); open it with 'osteoscreen view' to see what is wrong."
        )
    answer = json.loads(done.stdout.splitlines()[-1])
    return PanelFigures(tuple(Figure(**figure) for figure in answer["figures"]), answer["device"], answer["conditions"])


def sample_radiograph() -> Path:
    """The simulated radiograph that comes with OsteoScreen."""
    return Path(__file__).resolve().parents[2] / "Resources" / "SampleData" / "simulated_chest_osteoporosis.dcm"
