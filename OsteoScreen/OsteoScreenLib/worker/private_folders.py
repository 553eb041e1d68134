"""Folders among the temporary files for what names a patient: readable by this user alone, gone with the window that made them."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from pathlib import Path

_PREFIX = "osteoscreen-pacs-"


class PrivateFolders:
    """Those of one window. What a window that was killed has left behind is deleted by `remove_leftovers`."""

    def __init__(self) -> None:
        self._made: list[Path] = []

    def new(self) -> Path:
        """An empty one (`mkdtemp` gives it mode 0700); its name says whose process it belongs to."""
        folder = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-"))
        self._made.append(folder)
        return folder

    def remove(self, folder: Path) -> None:
        """Delete one of these and all that is in it; another folder is left alone."""
        if folder in self._made:
            self._made.remove(folder)
            shutil.rmtree(folder, ignore_errors=True)

    def close(self) -> None:
        """Delete all."""
        for folder in tuple(self._made):
            self.remove(folder)


def remove_leftovers() -> None:
    """Delete the folders of windows that are no longer running. Needs psutil, and so runs in a child's Python."""
    import psutil

    for folder in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        owner = re.match(rf"{_PREFIX}(\d+)-", folder.name)
        if owner and not folder.is_symlink() and not psutil.pid_exists(int(owner[1])):
            shutil.rmtree(folder, ignore_errors=True)
