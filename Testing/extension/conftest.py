"""What the tests of the extension share: the installed tree, and just enough of Slicer's application."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from extension.installed_tree import InstalledTree, install
from extension.slicer_stand_in import Application


@pytest.fixture(scope="session")
def installed_tree(tmp_path_factory: pytest.TempPathFactory) -> InstalledTree:
    """The extension as CMake installs it."""
    return install(tmp_path_factory.mktemp("extension"))


@pytest.fixture
def application(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Application]:
    """Slicer's application and message boxes, played; what the user is asked is in `questions`, what he answers in `consents`."""
    slicer = pytest.importorskip("slicer", reason="the desktop packages (requirements-desktop.txt) are not installed here")
    played = Application(tmp_path / "Slicer")
    importlib.import_module("slicer.util")
    monkeypatch.setattr(slicer, "app", played, raising=False)
    monkeypatch.setattr(slicer.util, "confirmOkCancelDisplay", played.confirm)
    monkeypatch.setattr(slicer.util, "showStatusMessage", played.show_status)
    monkeypatch.setattr(slicer.util, "mainWindow", lambda: None)
    yield played
