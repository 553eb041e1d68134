"""When the slow import begins: by itself, at once when it is needed, and not beside a reading that a person waits for."""

from __future__ import annotations

import threading
import time

import pytest

from OsteoScreenLib.worker.libraries import Libraries


def test_the_import_begins_by_itself() -> None:
    done = threading.Event()
    libraries = Libraries(patience=0.02, work=done.set)
    assert done.wait(5)
    libraries.wait()
    assert libraries.ready


def test_whoever_needs_it_does_not_wait_for_the_timer() -> None:
    calls: list[float] = []
    libraries = Libraries(patience=60, work=lambda: calls.append(time.monotonic()))
    assert not libraries.ready
    libraries.wait()
    libraries.wait()
    assert libraries.ready and len(calls) == 1


def test_it_is_held_off_while_an_image_is_read_and_begins_right_after() -> None:
    began = threading.Event()
    libraries = Libraries(patience=0.02, work=began.set)
    with libraries.held_off():
        time.sleep(0.2)
        assert not began.is_set()
    assert began.wait(5)


def test_what_the_import_raises_is_raised_where_it_is_needed() -> None:
    def fail() -> None:
        raise ModuleNotFoundError("No module named 'torch'", name="torch")

    libraries = Libraries(patience=60, work=fail)
    for _ in range(2):
        with pytest.raises(ModuleNotFoundError, match="torch"):
            libraries.wait()
