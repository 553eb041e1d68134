"""Measuring on fewer processors than the machine has."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import psutil


def processors() -> int:
    """How many processors this process may use."""
    process = psutil.Process()
    return len(process.cpu_affinity()) if hasattr(process, "cpu_affinity") else os.cpu_count() or 1


@contextmanager
def held_to(count: int) -> Iterator[bool]:
    """Keep this process, and those that it starts, on its first `count` processors. Gives whether the system can; macOS cannot."""
    process = psutil.Process()
    if not hasattr(process, "cpu_affinity"):
        yield False
        return
    before = process.cpu_affinity()
    process.cpu_affinity(before[:count])
    try:
        yield True
    finally:
        process.cpu_affinity(before)
