"""Several files opened one after another, as cases that stay; what cannot be opened is left out and counted."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from OsteoScreenLib.workbench.reading import ImageSource


class Opening:
    """running : files are being opened, so that none of them makes room for the next. opened : tokens of the cases so far."""

    def __init__(self) -> None:
        self.running = False
        self.opened: list[str] = []
        self._waiting: deque[tuple[str, str]] = deque()
        self._count = 0

    def begin(self, files: Sequence[tuple[str, str]]) -> None:
        """Take files, each (path, name)."""
        self._waiting, self._count, self.opened = deque(files), len(files), []
        self.running = bool(files)

    def next(self) -> ImageSource | None:
        """The next one; None when all were tried."""
        if not self._waiting:
            self.running = False
            return None
        path, name = self._waiting.popleft()
        return ImageSource(name=name, path=path)

    def stop(self) -> None:
        """No more of them."""
        self._waiting.clear()
        self.running = False

    @property
    def remark(self) -> str:
        """What came of it, in one sentence; "" for a single file, which speaks for itself."""
        failed = self._count - len(self.opened)
        if self._count < 2:
            return ""
        opened = f"{len(self.opened)} of {self._count} files were opened"
        return (
            f"{opened}; the log says why {'the other' if failed == 1 else 'others'} could not be." if failed else f"{opened}."
        )
