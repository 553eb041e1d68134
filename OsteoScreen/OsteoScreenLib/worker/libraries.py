"""When torch is imported: before it is needed, but not while a reader waits for an image that can be read without it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from OsteoScreenLib.worker.models import Ahead
from OsteoScreenLib.worker.quick_imports import import_quickly

# How long a fresh process waits for its first request: an image to open would take three times as long beside the import.
PATIENCE_SECONDS = 0.3


class Libraries:
    """The import of the libraries of an analysis, on a thread of its own. It begins by itself soon after the process has."""

    def __init__(self, patience: float = PATIENCE_SECONDS, work: Callable[[], None] = import_quickly) -> None:
        self._work = work
        self._lock = threading.Lock()
        self._ahead: Ahead | None = None
        self._held_off = False
        timer = threading.Timer(patience, self._begin_unless_held_off)
        timer.daemon = True
        timer.start()

    @property
    def ready(self) -> bool:
        """Imported, or the import has failed; nothing has to wait for it any more."""
        return self._ahead is not None and self._ahead.done

    def begin(self) -> None:
        """Begin now unless it has begun. Returns at once."""
        with self._lock:
            if self._ahead is None:
                self._ahead = Ahead("libraries", self._work)

    def wait(self) -> None:
        """Return once they are there; raises what their import raised."""
        self.begin()
        assert self._ahead is not None
        self._ahead.result()

    @contextmanager
    def held_off(self) -> Iterator[None]:
        """Within this context the import does not begin; afterwards it does, without waiting any longer."""
        self._held_off = True
        try:
            yield
        finally:
            self._held_off = False
            self.begin()

    def _begin_unless_held_off(self) -> None:
        if not self._held_off:
            self.begin()
