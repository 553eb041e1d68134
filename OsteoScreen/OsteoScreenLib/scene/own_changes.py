"""Tells OsteoScreen's own changes of a case's nodes from those that the reader makes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

_changing: Counter[str] = Counter()


@contextmanager
def changing(token: str) -> Iterator[None]:
    """While this lasts, what happens to the case's nodes is OsteoScreen's own doing."""
    _changing[token] += 1
    try:
        yield
    finally:
        _changing[token] -= 1
        if not _changing[token]:
            del _changing[token]


def is_changing(token: str) -> bool:
    """OsteoScreen itself is changing nodes of this case."""
    return token in _changing
