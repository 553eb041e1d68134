"""How long the stages of a piece of work took."""

from __future__ import annotations

import time


class Stopwatch:
    """Runs from its making. seconds : wall-clock time of each stage so far, in the order in which they ended."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._last = time.perf_counter()

    def lap(self, stage: str) -> None:
        """What was done since the last lap belonged to `stage`; a stage that comes again adds up."""
        now = time.perf_counter()
        self.seconds[stage] = self.seconds.get(stage, 0.0) + now - self._last
        self._last = now
