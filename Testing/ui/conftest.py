"""What the panel's tests share: a parent for widgets. With it a test runs twice, on PySide6 and by PythonQt's rules."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec
from typing import Any

import pytest
from pythonqt_rules import qt_way

__all__ = ["qt_way"]

collect_ignore_glob = [] if find_spec("PySide6") else ["test_*.py"]  # without the desktop packages; the run's header says so


@pytest.fixture
def application(qapp: Any) -> Any:
    """The one QApplication."""
    return qapp


@pytest.fixture
def parent(qapp: Any, qt_way: str) -> Iterator[Any]:
    """A window to put widgets into; it and they are gone after the test."""
    from PySide6 import QtCore, QtWidgets

    window = QtWidgets.QWidget()
    QtWidgets.QVBoxLayout(window)
    yield window
    window.close()
    window.deleteLater()
    QtCore.QCoreApplication.sendPostedEvents(None, QtCore.QEvent.Type.DeferredDelete)
