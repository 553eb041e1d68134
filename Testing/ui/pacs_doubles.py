"""Connections, series and objects for the tests of the windows for a PACS, and a client that answers as a test wants."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from OsteoScreenLib.workbench.pacs_nouns import ConnectionFacts, FoundSeries, OutgoingObject
from OsteoScreenLib.worker.protocol import Message

OPEN = ConnectionFacts(
    "ward",
    "dimse",
    "ORTHANC at 10.0.0.7:4242",
    "not encrypted",
    "none",
    "Connection ward is not encrypted: images can be read on the way.",
)
LOCKED = ConnectionFacts(
    "hospital", "dicomweb", "https://pacs.example/dicom-web", "encrypted, user anna with a password", "missing"
)
KEPT = ConnectionFacts("archive", "dicomweb", "https://archive.example/dicom-web", "encrypted, with a token", "there")

GERMAN = "Röntgenthorax in zwei Ebenen, Verlaufskontrolle nach Oberlappenteilresektion rechts, Liegendaufnahme auf der Intensivstation"


def series(number: int = 1, **changes: Any) -> FoundSeries:
    """A series of a patient with a long name."""
    values: dict[str, Any] = {
        "study_uid": f"1.2.3.{number}",
        "series_uid": f"1.2.3.{number}.1",
        "patient_name": f"Schmidt-Rottenburg-Lüdenscheidt^Karoline Ännchen {number}",
        "patient_id": f"P{number:04d}",
        "date": "20240131",
        "modality": "DX",
        "description": GERMAN,
        "images": 1,
    }
    return FoundSeries(**{**values, **changes})


def objects(folder: str = "/tmp/made") -> tuple[OutgoingObject, ...]:
    """Three objects; the last shows the picture."""
    carries = ("the patient's name", "patient id", "the study's and the image's UIDs")
    return (
        OutgoingObject(f"{folder}/seg.dcm", "segmentation", "Bones drawn by OsteoScreen (research use only)", 41_200, carries),
        OutgoingObject(f"{folder}/sr.dcm", "structured report", "OsteoScreen result (research use only)", 30_000, carries),
        OutgoingObject(
            f"{folder}/sc.dcm",
            "secondary capture",
            f"OsteoScreen overlay (research use only), {GERMAN}",
            3_400_000,
            (*carries, "the picture of the radiograph"),
        ),
    )


class ScriptedClient:
    """Stands where the child's client is: `asked` has the requests; `answers` (kind → body, or an exception) what comes back."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.answers: dict[str, Any] = {}
        self.progress: list[tuple[str, float, str]] = []
        self.held = False  # no answer comes yet
        self.cancelled = 0
        self._waiting: deque[str] = deque()

    def submit(self, kind: str, body: Mapping[str, Any] | None = None, arrays: Any = None, doing: str = "") -> int:
        self.asked.append((kind, dict(body or {})))
        self._waiting.append(kind)
        return len(self.asked)

    def poll(self, on_progress: Callable[[str, float, str], None] | None = None) -> Message | None:
        while self.progress and on_progress is not None:
            on_progress(*self.progress.pop(0))
        if self.held or not self._waiting:
            return None
        answer = self.answers.get(self._waiting.popleft(), {})
        if isinstance(answer, Exception):
            raise answer
        return Message("result", answer)

    def cancel(self, wait_seconds: float = 0.0, *, finish_files: bool = False) -> None:
        self.cancelled += 1
        self._waiting.clear()

    def kinds(self) -> list[str]:
        """What was asked for, in order."""
        return [kind for kind, _ in self.asked]


class ScriptedTable:
    """What of the panel's presenter the windows need; a test says what becomes of the objects."""

    def __init__(self) -> None:
        self.busy = False
        self.opened: list[list[tuple[str, str]]] = []
        self.imported: list[str] = []
        self.folders: list[str] = []
        self.done: Callable[[dict[str, str]], None] | None = None
        self.able = True

    def open_files(self, files: Sequence[tuple[str, str]]) -> None:
        self.opened.append(list(files))

    def import_masks(self, path: str) -> None:
        self.imported.append(path)

    def make_objects(self, folder: str, done: Callable[[dict[str, str]], None]) -> bool:
        self.folders.append(folder)
        self.done = done
        return self.able
