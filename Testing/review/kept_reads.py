"""Stores with reads in them, places that cannot be written and clocks that run as told, for the tests of what is kept."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from OsteoScreenLib.review.nouns import LockedRead, ModelFacts, Opinion, Phase, Task
from OsteoScreenLib.review.places import store_path
from OsteoScreenLib.review.store import ReaderStore

START = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)
_NOBODY = 65534


def clock_at(*minutes: float) -> Callable[[], datetime]:
    """A clock that shows these minutes after `START`, one with each look, and stays at the last."""
    left = list(minutes)
    return lambda: START + timedelta(minutes=left.pop(0) if len(left) > 1 else left[0])


_NINE = clock_at(0)


def store_in(study: Path, reader: str = "r1", machine: str = "mA", clock: Callable[[], datetime] = _NINE) -> ReaderStore:
    """The store of a reader on a machine in a study's folder."""
    return ReaderStore.open(store_path(study, reader, machine), reader, machine, "1.0", clock)


def lock(store: ReaderStore, case: str, phase: Phase = "first", repeat: int = 0, decision: str = "normal") -> LockedRead:
    """Lock a plain read."""
    facts = ModelFacts("chest", "ab" * 32, "osteopenia", (0.2, 0.5, 0.3)) if phase == "second" else ModelFacts()
    return store.lock(Task(case, repeat), phase, Opinion(decision, 40, comment="seen"), facts, 12.5, 1.25)


@contextmanager
def without_rights() -> Iterator[None]:
    """Inside, the administrator may write only where everyone may; others are as they are."""
    if sys.platform == "win32" or os.geteuid() != 0:
        yield
        return
    os.seteuid(_NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


def for_everyone(folder: Path) -> Path:
    """Make a folder that `without_rights` may write."""
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o777)
    return folder
