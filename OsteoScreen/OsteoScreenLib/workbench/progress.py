"""How far a job is and how long it still takes."""

from __future__ import annotations

import time
from collections.abc import Callable

SMALLEST_BASIS = 0.15  # of the way; before that nothing can be said about the rest
SHORTEST_BASIS = 0.5  # seconds
TELL_SECONDS = 0.5  # between two tellings


class JobProgress:
    """Progress of one job.

    tell : called with (sentence, fraction, seconds left). The seconds are None while there is no basis for them, and again when
        the job takes longer than was estimated.
    """

    def __init__(self, tell: Callable[[str, float, float | None], None], sentence: str) -> None:
        self._say = tell
        self._began = time.monotonic()
        self._ends: float | None = None
        self._sentence, self._fraction = sentence, 0.0
        self._told = -TELL_SECONDS

    def reached(self, fraction: float, sentence: str) -> None:
        """The job is that far (0 to 1) and does this now."""
        self._sentence, self._fraction = sentence, fraction
        elapsed = time.monotonic() - self._began
        if fraction >= SMALLEST_BASIS and elapsed >= SHORTEST_BASIS:
            self._ends = self._began + elapsed / fraction
        self._tell()

    def tick(self) -> None:
        """Tell what is known, with less time left than before, when that is due; at once the first time."""
        if time.monotonic() - self._told >= TELL_SECONDS:
            self._tell()

    def _tell(self) -> None:
        self._told = now = time.monotonic()
        left = None if self._ends is None or now > self._ends else self._ends - now
        self._say(self._sentence, self._fraction, left)
