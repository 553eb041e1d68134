"""How far a command is: a bar on stderr for each of its stages."""

from __future__ import annotations

import sys
from typing import Any, Protocol


class Tell(Protocol):
    """Called with a stage, what is done of it, all of it, and a remark that stands behind its bar."""

    def __call__(self, stage: str, done: int, total: int, remark: str = "") -> None: ...


def silent(stage: str, done: int, total: int, remark: str = "") -> None:
    """Tells nobody, where a callable is wanted all the same."""


class Shown:
    """A bar on stderr for each stage, with the time that is left; nothing where none is wanted."""

    def __init__(self, wanted: bool) -> None:
        self._wanted = wanted
        self._bar: Any = None
        self._tasks: dict[str, Any] = {}

    def __enter__(self) -> Tell | None:
        return self._update if self._wanted else None

    def _update(self, stage: str, done: int, total: int, remark: str = "") -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        if self._bar is None:
            columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
            self._bar = Progress(*columns, TextColumn("{task.fields[remark]}"), console=Console(file=sys.stderr))
            self._bar.start()
        if stage not in self._tasks:  # made with what is done already, so that the time left is reckoned from this call's work
            self._tasks[stage] = self._bar.add_task(stage, total=total, completed=max(done - 1, 0), remark=remark)
        self._bar.update(self._tasks[stage], completed=done, total=total, remark=remark)

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.stop()
