"""A scene without a window: the desktop's small Slicer, one slice view drawn off screen, nothing of Qt."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec
from typing import Any

import pytest

collect_ignore_glob = [] if find_spec("slicer") else ["test_*.py"]  # without the desktop packages; the run's header says so


@pytest.fixture(scope="module")
def application() -> Iterator[Any]:
    """`slicer.app` with one view called Red, 600 × 450 pixels."""
    from OsteoScreenLib.hosts.desktop.application import MiniSlicer

    running = MiniSlicer().publish()
    running.add_slice_view("Red", (600, 450))
    yield running
    running.close()


@pytest.fixture
def widget(application: Any) -> Iterator[Any]:
    """The slice view, on an empty scene."""
    import slicer

    application.publish()
    slicer.mrmlScene.Clear(0)
    red = application.layoutManager().sliceWidget("Red")
    red.set_size(600, 450)
    yield red
    slicer.mrmlScene.Clear(0)
