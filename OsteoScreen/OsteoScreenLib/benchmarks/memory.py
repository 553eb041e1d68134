"""The most memory that this process and its children hold together."""

from __future__ import annotations

import threading
from types import TracebackType

import psutil

_EVERY_SECONDS = 0.05


class PeakMemory:
    """Looks while the `with` lasts. bytes : the largest sum of resident memory seen; what processes share counts for each."""

    def __init__(self) -> None:
        self.bytes = 0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> PeakMemory:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._ended.set()
        self._thread.join()

    def _look(self) -> None:
        process = psutil.Process()
        while True:
            held = 0
            for one in (process, *process.children(recursive=True)):
                try:
                    held += one.memory_info().rss
                except psutil.Error:  # it has just ended
                    continue
            self.bytes = max(self.bytes, held)
            if self._ended.wait(_EVERY_SECONDS):
                return
