"""Events as they are written and what is read from them; nothing here touches a disk.

A store is a chain: an event's id is the SHA-256 (its first 32 digits) of the id before it and of all that the event says, and the
first one hangs on the store's `Header` (a hash chain after Haber and Stornetta, "How to time-stamp a digital document", Journal of
Cryptology 3, 1991). So a copied event is known by its id wherever it lies, and a line that was changed, lost or torn is seen.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from OsteoScreenLib.review.nouns import Event, LockedRead, MaskVerdict, ModelFacts, Opinion, Phase, Task

KINDS = ("signed-in", "opened", "locked", "skipped", "mask", "note")


@dataclass(frozen=True)
class Header:
    """Whose store it is. uid : random, of this one store. made : UTC, ISO 8601."""

    uid: str
    reader: str
    machine: str
    made: str

    @property
    def root(self) -> str:
        """What the first event's id hangs on."""
        return _digest([self.uid, self.reader, self.machine, self.made])


def text_of(body: Mapping[str, Any]) -> str:
    """JSON with one way to write each value. Raises `ValueError` or `TypeError` for what JSON cannot hold."""
    return json.dumps(body, sort_keys=True, separators=(",", ":"), allow_nan=False)


def event_id(before: str, sequence: int, at: str, kind: str, task: Task | None, body: str) -> str:
    """An event's id. before : id of the event before it, or the header's root. body : as `text_of` writes it."""
    return _digest([before, sequence, at, kind, [task.case, task.repeat] if task else None, body])


def read_body(
    phase: Phase, opinion: Opinion, model: ModelFacts, active_seconds: float, idle_seconds: float, app: str
) -> dict[str, Any]:
    """The body of an event "locked"."""
    return {
        "phase": phase,
        "opinion": asdict(opinion),
        "model": asdict(model),
        "active_seconds": round(float(active_seconds), 3),
        "idle_seconds": round(float(idle_seconds), 3),
        "app": app,
    }


def read_of(event: Event) -> LockedRead:
    """The read that an event "locked" tells of."""
    assert event.task is not None
    body = event.body
    opinion = {**body["opinion"], "findings": tuple(body["opinion"]["findings"])}
    model = {**body["model"], "probabilities": tuple(body["model"]["probabilities"])}
    return LockedRead(
        event.id, event.reader, event.machine, event.task, body["phase"], Opinion(**opinion), ModelFacts(**model),
        body["active_seconds"], body["idle_seconds"], event.at, body["app"],
    )  # fmt: skip


def verdict_body(bone: str, verdict: str, version: int, reason: str) -> dict[str, Any]:
    """The body of an event "mask"."""
    return {"bone": bone, "verdict": verdict, "version": version, "reason": reason}


def verdict_of(event: Event) -> MaskVerdict:
    """The verdict that an event "mask" tells of."""
    assert event.task is not None
    body = event.body
    return MaskVerdict(event.reader, event.task.case, body["bone"], body["verdict"], body["version"], body["reason"], event.at)


def last_verdicts(events: Iterable[Event]) -> tuple[MaskVerdict, ...]:
    """Each reader's last word on each bone of each case, sorted by these; `events` come in the order of time."""
    last = {(event.reader, event.task, event.body["bone"]): event for event in events if event.kind == "mask" and event.task}
    found = [verdict_of(event) for event in last.values()]
    return tuple(sorted(found, key=lambda verdict: (verdict.reader, verdict.case, verdict.bone)))


def task_of(case: str | None, repeat: int | None) -> Task | None:
    """The task of two cells of a table."""
    return None if case is None else Task(case, repeat or 0)


def _digest(values: list[Any]) -> str:
    return hashlib.sha256(json.dumps(values, separators=(",", ":")).encode("ascii")).hexdigest()[:32]
