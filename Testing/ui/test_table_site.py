"""Before there is an answer, the table lists the bones of the site that the chosen model reads."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from builders import make_classifier_bundle

from OsteoScreenLib.bones.vocabulary import CHEST_FRONTAL, KNEE
from OsteoScreenLib.ui.table import Table
from OsteoScreenLib.worker.requests import AnalysisOptions


@pytest.fixture
def table(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    monkeypatch.setenv("OSTEOSCREEN_MODELS", str(tmp_path))
    make_classifier_bundle(tmp_path / "some-knee", site="knee")
    desk: Any = SimpleNamespace(answers=None)
    return Table(desk, "cpu")


def test_the_chosen_models_site_is_listed(table: Any) -> None:
    assert table.site is CHEST_FRONTAL
    table._options = AnalysisOptions(model="some-knee")
    assert table.site is KNEE
    table._options = AnalysisOptions(model="gone")
    assert table.site is CHEST_FRONTAL
