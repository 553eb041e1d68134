"""Tests of the PACS do not wait between attempts, and have settings of their own."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The settings folder, not made yet."""
    monkeypatch.setenv("OSTEOSCREEN_SETTINGS", str(tmp_path / "settings"))
    monkeypatch.setattr("OsteoScreenLib.exchange.pacs.retrying.FIRST_PAUSE_S", 0.01)
    return tmp_path / "settings"
