"""A gateway process with a quick analyser and a folder in place of the PACS, to be killed: `quick_service.py FOLDER PORT`.

The PACS keeps an object under its UID, as a real one does, and appends to a list what it was sent.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

from gateway_parts import LIMITS, QuickAnalyser, settings

from OsteoScreenLib.gateway.delivering import Delivery
from OsteoScreenLib.gateway.journal import Journal
from OsteoScreenLib.gateway.service import Gateway, run
from OsteoScreenLib.gateway.settings import Listening


class FolderCourier:
    """One line for each object that is taken, in one write, so that a kill leaves no half of it."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def deliver(self, files: Sequence[Path]) -> Delivery:
        """See `Courier`."""
        for path in files:
            os.write(self._file, (path.read_text() + "\n").encode())
        return Delivery(len(files))


class Salted(QuickAnalyser):
    """Results differ from one analysis to the next, as on another device: a second set would be seen."""

    def analyse(self, image: Path, out: Path, following: Path | None, leave: threading.Event) -> Mapping[str, Path]:
        """See `Analyser`."""
        files = super().analyse(image, out, following, leave)
        salt = os.urandom(4).hex()
        for path in files.values():
            path.write_text(f"{path.read_text()} {salt}")
        return files


def main(folder: Path, port: int) -> None:
    """Serve until killed."""
    changed = settings(folder / "queue", limits=LIMITS, listening=Listening(port=port))
    gateway = Gateway(
        changed, [Salted(seconds=0.01), Salted(seconds=0.02)], FolderCourier(folder / "pacs"), journal=Journal(sys.stdout)
    )
    run(gateway, threading.Event())


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
