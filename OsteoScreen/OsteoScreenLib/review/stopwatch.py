"""How long a reader looks at one radiograph: active while there is input, idle after a minute without."""

from __future__ import annotations

import time
from collections.abc import Callable

IDLE_AFTER_SECONDS = 60.0  # without input, from when on the time counts as idle


class Stopwatch:
    """Adds up active and idle seconds while it runs. It begins stopped.

    seconds : a clock that never runs backwards, in seconds.
    """

    def __init__(self, seconds: Callable[[], float] = time.monotonic) -> None:
        self._seconds = seconds
        self._active = self._idle = 0.0
        self._touched: float | None = None  # when the last input came; None while stopped

    @property
    def running(self) -> bool:
        """Time is being counted."""
        return self._touched is not None

    @property
    def times(self) -> tuple[float, float]:
        """(active, idle) seconds until now."""
        active, idle = self._since_touch()
        return self._active + active, self._idle + idle

    def set(self, active: float = 0.0, idle: float = 0.0) -> None:
        """Stop, and go on from these seconds at the next `start`."""
        self._active, self._idle, self._touched = active, idle, None

    def start(self) -> None:
        """Count from now on; does nothing while it runs."""
        if self._touched is None:
            self._touched = self._seconds()

    def touch(self) -> None:
        """There was input. A stopped watch stays stopped."""
        if self._touched is not None:
            self._active, self._idle = self.times
            self._touched = self._seconds()

    def stop(self) -> None:
        """Count no more."""
        self._active, self._idle = self.times
        self._touched = None

    def _since_touch(self) -> tuple[float, float]:
        passed = 0.0 if self._touched is None else max(0.0, self._seconds() - self._touched)
        return min(passed, IDLE_AFTER_SECONDS), max(0.0, passed - IDLE_AFTER_SECONDS)
