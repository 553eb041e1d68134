"""`osteoscreen bench panel`: its figures beside their aims. The measuring itself takes half a minute and is left to its user."""

from __future__ import annotations

from pathlib import Path

import pytest


def test_each_figure_stands_beside_its_aim() -> None:
    from OsteoScreenLib.benchmarks.panel import Figure, PanelFigures

    figures = (Figure("Window up", 3.2, "s", 4), Figure("Frame", 75.4, "ms", 60), Figure("For the record", 12.0, "s"))
    told = PanelFigures(figures, "cpu (fp32)", {"processors": "2"})
    text = told.as_text().splitlines()
    assert text[0] == "cpu (fp32); processors 2"
    assert "3.20 s" in text[1] and text[1].endswith("aim 4 s: met")
    assert "75 ms" in text[2] and text[2].endswith("aim 60 ms: missed")
    assert "aim" not in text[3]
    assert [entry["met"] for entry in told.as_json()["figures"]] == [True, False, True]  # type: ignore[attr-defined]


def test_a_viewer_that_cannot_be_measured_is_told_in_one_sentence(slicer_application, tmp_path: Path) -> None:
    from OsteoScreenLib.benchmarks.panel import measure_panel
    from OsteoScreenLib.errors import OsteoScreenError

    (tmp_path / "no image.dcm").write_text("nothing of the kind")
    with pytest.raises(OsteoScreenError, match=r"could not be measured \(no sign of the radiograph: .*\); open it with"):
        measure_panel(tmp_path / "no image.dcm")
