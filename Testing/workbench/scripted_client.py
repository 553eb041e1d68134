"""A client of the worker without a process: a test says what comes back, and sees what was asked."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from workbench.cases import SHAPE

from OsteoScreenLib.errors import InputError, OsteoScreenError
from OsteoScreenLib.explain.overlap import Overlap
from OsteoScreenLib.explain.saliency_methods import SALIENCY_METHODS
from OsteoScreenLib.workbench.worker_client import ProgressCallback, WorkerClient, WorkerEnded, WorkerFault
from OsteoScreenLib.worker.protocol import Message


class ScriptedClient(WorkerClient):
    """Answers questions by itself, from the covered bones alone, unless a test has put something else into `script`.

    script : what comes back next: a Message, an error to raise, "crash", or "silence" (nothing, until it is taken out).
    sent : (kind, body) of every request, in order. device, precision : where it says that it computes.
    """

    def __init__(self) -> None:
        super().__init__("no-python")
        self.script: deque[Message | OsteoScreenError | str] = deque()
        self.sent: list[tuple[str, dict[str, Any]]] = []
        self.started = self.cancelled = 0
        self.process: int | None = None
        self.device, self.precision = "cpu", "fp32"
        self.held = ""
        self.untouched = (0.2, 0.3, 0.5)
        self.model = "m" * 64
        self.asked: tuple[str, dict[str, Any]] | None = None
        self.telling: list[tuple[str, float, str]] = []

    @property
    def process_id(self) -> int | None:
        return self.process

    @property
    def busy(self) -> bool:
        return self.asked is not None

    def start(self) -> None:
        if self.process is None:
            self.started += 1
            self.process = 1000 + self.started
            self.held = ""

    def submit(
        self, kind: str, body: Mapping[str, Any] | None = None, arrays: Mapping[str, np.ndarray] | None = None, doing: str = ""
    ) -> int:
        assert self.asked is None, "one request at a time"
        self.start()
        self.asked = (kind, dict(body or {}))
        self.sent.append(self.asked)
        return len(self.sent)

    def poll(self, on_progress: ProgressCallback | None = None) -> Message | None:
        if self.asked is None:
            return None
        while self.telling and on_progress is not None:
            on_progress(*self.telling.pop(0))
        if self.asked is None or (self.script and self.script[0] == "silence"):
            return None
        (kind, body), self.asked = self.asked, None
        scripted = self.script.popleft() if self.script else None
        if scripted == "crash":
            self.process, self.held = None, ""
            raise WorkerEnded("The analysis process ended unexpectedly (signal 9) while testing", "run it again", "last words")
        if isinstance(scripted, OsteoScreenError):
            raise scripted
        if isinstance(scripted, Message):
            return scripted
        return self.answer(kind, body)

    def cancel(self, wait_seconds: float = 0.0, *, finish_files: bool = False) -> None:
        self.cancelled += 1
        self.process, self.asked, self.held = None, None, ""

    def close(self) -> None:
        self.cancel()

    def answer(self, kind: str, body: dict[str, Any]) -> Message:
        where = {"device": self.device, "precision": self.precision}
        if kind == "hold":
            self.held = body["case"]
            points = {"osteoporosis": 0.4, "low_bone_mass": 0.5}
            model = {"id": "m", "title": "M", "sha256": self.model, "simulated": True, "operating_points": points}
            return Message("result", {"probabilities": list(self.untouched), "model": model, **where})
        if kind in {"cover", "explain", "save"} and body["case"] != self.held:
            raise WorkerFault("The analysis process does not hold this case.", code="no-case")
        if kind == "cover":
            answers = [{"probabilities": probabilities(bones), "area_px": 10 * len(bones)} for bones in body["sets"]]
            arrays = {"patch": np.full((2, 3), len(body["sets"][-1]), np.float32)} if body["patch"] else {}
            return Message("result", {"answers": answers, "box": [1, 3, 1, 4], "seconds": 0.04, **where}, arrays)
        if kind == "explain":
            grid = np.ones((3, 4), np.float32)
            eye = np.eye(3).tolist()
            method = SALIENCY_METHODS[body["saliency"]].title
            words = {"target": body["target"], "score": "logit", "method": method, "layer": "last"}
            overlap = [asdict(Overlap("bone", "T7", 0.1, 0.2, 2.0, 0.3, 1.0, 0.4, 0.5, (0.1,) * 9))]
            shapes = {"radiograph_shape": list(SHAPE), "input_shape": list(SHAPE)}
            saliency = {**words, **shapes, "grid_to_radiograph": eye, "input_to_radiograph": eye}
            return Message("result", {"saliency": saliency, "overlap": overlap, **where}, {"saliency": grid})
        if kind == "save":
            return Message("result", {"files": {"report": body["out"] + "/report.html"}})
        raise InputError(f"not scripted: {kind}")

    def kinds(self) -> list[str]:
        """What was asked, in order."""
        return [kind for kind, _ in self.sent]

    def covered(self) -> list[list[str]]:
        """Every set of bones that was asked about, in order."""
        return [bones for kind, body in self.sent if kind == "cover" for bones in body["sets"]]


def probabilities(bones: Sequence[str]) -> list[float]:
    """Different for every set of bones."""
    share = (sum(map(len, bones)) % 17) / 40
    return [share, 0.3, 0.7 - share]
