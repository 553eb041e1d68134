"""Keeps what C libraries print about damaged files off the user's terminal."""

from __future__ import annotations

import contextlib
import os
import threading
import warnings
from collections.abc import Iterator

_lock = threading.Lock()
_depth = 0
_saved = -1


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Silence Python warnings and the process's standard error (descriptor 2) while a codec runs.

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
        if _depth == 0 and _saved >= 0:
            os.dup2(_saved, 2)
            os.close(_saved)
            _saved = -1
