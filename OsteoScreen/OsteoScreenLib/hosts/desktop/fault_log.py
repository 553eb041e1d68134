"""Where faults of the viewer go: into the log file that the command line names, never as a traceback on the terminal."""

from __future__ import annotations

import logging
import os
import sys
import traceback
from collections.abc import Callable
from types import TracebackType

from OsteoScreenLib.ui.qt_api import QtCore

WriteLog = Callable[[str], object]
"""Appends a text to the log file."""


class FaultLog:
    """Takes what Python, VTK and Qt complain about while the viewer runs.

    Parameters
    ----------
    write : appends to the log. tell : shows one sentence to the reader.
    """

    def __init__(self, write: WriteLog, tell: Callable[[str], object]) -> None:
        self.write, self._tell = write, tell
        self._handler = _Handler(write)
        self._python_hook = sys.excepthook
        logging.getLogger("OsteoScreenLib").addHandler(self._handler)
        sys.excepthook = self._on_exception
        QtCore.qInstallMessageHandler(self._on_qt_message)

    def _on_exception(self, kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        self.write("".join(traceback.format_exception(kind, error, trace)))
        self._tell(f"Something went wrong inside OsteoScreen ({kind.__name__}); go on, and send the log when you ask for help.")

    def _on_qt_message(self, kind: object, _context: object, text: str) -> None:
        self.write(f"Qt: {text}")
        if kind == QtCore.QtMsgType.QtFatalMsg:
            # Qt aborts the process next, with a core dump; nothing that the reader could use.
            reason = " ".join(text.split())
            print(f"The window could not be opened: {reason}", file=sys.stderr, flush=True)
            os._exit(1)

    def close(self) -> None:
        """Give everything back as it was."""
        logging.getLogger("OsteoScreenLib").removeHandler(self._handler)
        sys.excepthook = self._python_hook
        QtCore.qInstallMessageHandler(None)


class _Handler(logging.Handler):
    def __init__(self, write: WriteLog) -> None:
        super().__init__(logging.WARNING)
        self._write_log = write

    def emit(self, record: logging.LogRecord) -> None:
        self._write_log(f"{record.name}: {record.getMessage()}")
