"""Keeps what libraries say about damaged files off the user's terminal and out of logs: they quote values, and so patients' names."""

from __future__ import annotations

import contextlib
import logging
import os
import threading
import warnings
from collections.abc import Iterator

_lock = threading.Lock()
_depth = 0
_saved = -1
_TALKATIVE = ("pydicom", "highdicom")
_levels: dict[str, int] = {}


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Silence Python warnings, the loggers of DICOM libraries and the process's standard error (descriptor 2) while a codec runs.

    Codecs written in C report to the descriptor itself; what they have to say reaches the user as one sentence instead.
    Nested and concurrent uses share one redirection. Does nothing where there is no standard error.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        _silence()
        try:
            yield
        finally:
            _restore()


def _silence() -> None:
    global _depth, _saved
    with _lock:
        _depth += 1
        if _depth > 1:
            return
        for name in _TALKATIVE:
            _levels[name] = logging.getLogger(name).level
            logging.getLogger(name).setLevel(logging.CRITICAL + 1)
        try:
            _saved = os.dup(2)
        except OSError:
            _saved = -1
            return
        sink = os.open(os.devnull, os.O_WRONLY)
        os.dup2(sink, 2)
        os.close(sink)


def _restore() -> None:
    global _depth, _saved
    with _lock:
        _depth -= 1
        if _depth == 0:
            for name, level in _levels.items():
                logging.getLogger(name).setLevel(level)
        if _depth == 0 and _saved >= 0:
            os.dup2(_saved, 2)
            os.close(_saved)
            _saved = -1
