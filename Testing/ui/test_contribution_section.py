"""The chart of contributions: its bars lie where the numbers are, its choice, and the verdict above it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from PySide6 import QtGui, QtWidgets
from ui.panel_doubles import rows, rows_of

from OsteoScreenLib.bones.vocabulary import CHEST_FRONTAL
from OsteoScreenLib.explain.overlap import ALL_BONES
from OsteoScreenLib.ui.contribution_chart import ContributionBar, ContributionChart, axis_of
from OsteoScreenLib.ui.contribution_section import ContributionSection
from OsteoScreenLib.workbench.numbers import EffectCell
from OsteoScreenLib.workbench.toggles import Toggles
from OsteoScreenLib.workbench.verdict_line import VerdictLine

SAID = VerdictLine("looks at bone", "Looks at bone: covering Spine moves the answer by 8.1 percentage points.", "current")
ORANGE, BLUE = (213, 94, 0), (42, 134, 200)


@pytest.fixture
def section(parent: Any) -> ContributionSection:
    made = ContributionSection(parent)
    parent.layout().addWidget(made.widget)
    parent.resize(380, 400)
    parent.show()
    return made


def painted(widget: Any) -> np.ndarray:
    """int (rows, columns, 3)."""
    QtWidgets.QApplication.processEvents()
    image = widget.grab().toImage().convertToFormat(QtGui.QImage.Format.Format_RGB888)
    lines = np.frombuffer(image.constBits(), np.uint8).reshape(image.height(), image.bytesPerLine())
    return lines[:, : 3 * image.width()].reshape(image.height(), image.width(), 3).astype(int)


def coloured(picture: np.ndarray, colour: tuple[int, int, int]) -> np.ndarray:
    return np.asarray(np.abs(picture - colour).max(axis=2) < 12)


def test_bars_go_from_zero_to_their_number(parent: Any) -> None:
    chart = ContributionChart(parent)
    parent.layout().addWidget(chart)
    parent.resize(420, 200)
    parent.show()
    bars = [ContributionBar("Spine", 8.0), ContributionBar("Ribs", -4.0), ContributionBar("Sternum", None, waiting=True)]
    chart.show_bars(bars)
    picture = painted(chart)
    row = chart.height() // 4
    for index, (points, colour, other) in enumerate([(8.0, ORANGE, BLUE), (-4.0, BLUE, ORANGE), (None, None, ORANGE)]):
        strip = picture[index * row : (index + 1) * row]
        assert not coloured(strip, other).any()  # type: ignore[arg-type]
        if points is None:
            continue
        columns = np.flatnonzero(coloured(strip, colour).any(axis=0))  # type: ignore[arg-type]
        scale = 10.0 + 5.0  # the axis goes from −5 to +10
        left, right = chart_ends(chart)
        assert len(columns) == pytest.approx(abs(points) / scale * (right - left), abs=2)
        zero = left + 5.0 / scale * (right - left)
        assert (columns[0] if points > 0 else columns[-1]) == pytest.approx(zero, abs=2)
    assert chart.accessibleName() == "Spine +8.0; Ribs −4.0; Sternum …"


def chart_ends(chart: ContributionChart) -> tuple[int, int]:
    """Where names end and figures begin, as the chart reckons it."""
    from OsteoScreenLib.ui.qt_api import text_width

    names = max(text_width(bar.name, chart) + 4 for bar in chart._bars)
    return names + 8, chart.width() - text_width("−88.8*", chart) - 4


def test_the_axis_holds_bars_and_controls_and_zero() -> None:
    assert axis_of([ContributionBar("a", 22.5), ContributionBar("b", -8.0)]) == (-10.0, 30.0)
    low, high = axis_of([ContributionBar("a", 3.0)])
    assert high == 3.0 and -0.2 < low < 0
    low, high = axis_of([ContributionBar("a", 1.0, chance=(-6.0, 2.0))])
    assert (low, high) == (-7.0, 2.0)
    for points in (None, 0.0, 0.049, -0.049):
        low, high = axis_of([ContributionBar("a", points)])
        assert low <= 0 <= high and high - low >= 0.5, "bars too short to be seen still have an axis"


def test_the_controls_range_is_shaded_and_its_end_is_marked(parent: Any) -> None:
    chart = ContributionChart(parent)
    parent.layout().addWidget(chart)
    parent.resize(420, 100)
    parent.show()
    chart.show_bars([ContributionBar("Spine", 9.0, chance=(1.0, 3.0))])
    with_range = painted(chart)
    chart.show_bars([ContributionBar("Spine", 9.0)])
    without = painted(chart)
    different = np.flatnonzero((np.abs(with_range - without).max(axis=2) > 20)[: chart.height() // 2].any(axis=0))
    left, right = chart_ends(chart)
    low, high = axis_of([ContributionBar("Spine", 9.0, chance=(1.0, 3.0))])
    end = left + (right - left) * (3.0 - low) / (high - low)
    assert different.max() == pytest.approx(end, abs=3), "the mark over the bar"


def test_old_numbers_are_hollow(parent: Any) -> None:
    chart = ContributionChart(parent)
    parent.layout().addWidget(chart)
    parent.resize(420, 100)
    parent.show()
    chart.show_bars([ContributionBar("Spine", 9.0, stale=True)])
    hollow = coloured(painted(chart), ORANGE).sum()
    chart.show_bars([ContributionBar("Spine", 9.0)])
    assert 0 < hollow < coloured(painted(chart), ORANGE).sum() / 2
    assert ContributionBar("Spine", 9.0, stale=True).words == "+9.0*"


def test_groups_first_and_bones_on_demand(section: ContributionSection) -> None:
    section.show(CHEST_FRONTAL, rows(), Toggles(), SAID)
    assert [bar.name for bar in section.shown_bars] == ["All bones", *CHEST_FRONTAL.groups]
    assert section.shown_bars[0].points == 22.5 and section.shown_bars[1].chance is not None
    section._choice.widget.setCurrentIndex(1)
    assert [bar.name for bar in section.shown_bars] == list(CHEST_FRONTAL.groups["Spine"])
    assert len(section._chart._bars) == len(section.shown_bars)
    given = rows()
    del given["Spine"]  # another radiograph, on which it was not found
    section.show(CHEST_FRONTAL, given, Toggles(), SAID)
    assert [bar.name for bar in section.shown_bars] == ["All bones", *list(CHEST_FRONTAL.groups)[1:]]


def test_the_chart_follows_mode_and_target_and_says_so(section: ContributionSection) -> None:
    given = rows_of({ALL_BONES: EffectCell(2.0, 0.1, "current")}, {ALL_BONES: EffectCell(-3.0, -0.1, "current")})
    section.show(CHEST_FRONTAL, given, Toggles(), SAID)
    assert section.shown_bars[0].points == 2.0 and "Δ removed, points of P(osteoporosis)" in section._caption.text()
    section.show(CHEST_FRONTAL, given, Toggles(mode="add-back", target="normal"), SAID)
    assert section.shown_bars[0].points == -3.0 and "Δ added back, points of P(normal)" in section._caption.text()
    assert "shaded" not in section._caption.text()
    section.show(CHEST_FRONTAL, rows(), Toggles(), SAID)
    assert "shaded: controls" in section._caption.text()


def test_the_verdict_is_about_the_model(section: ContributionSection) -> None:
    section.show(CHEST_FRONTAL, rows(), Toggles(), SAID)
    assert section._verdict.text() == SAID.sentence and not section._verdict.font().italic()
    assert "nothing about the patient" in section._verdict.toolTip()
    section.show(CHEST_FRONTAL, rows(), Toggles(), replace(SAID, state="stale"))
    assert section._verdict.text().startswith("* Of the masks before")
    section.show(CHEST_FRONTAL, rows(), Toggles(), VerdictLine(state="computing"))
    assert "being compared" in section._verdict.text() and section._verdict.font().italic()
    section.show(CHEST_FRONTAL, rows(), Toggles(), VerdictLine())
    assert "Not compared" in section._verdict.text()


def test_without_an_answer_there_is_nothing_to_see(section: ContributionSection) -> None:
    section.show(CHEST_FRONTAL, {}, Toggles(), VerdictLine())
    assert section.shown_bars == [] and not section._chart.isVisible() and not section._verdict.isVisible()
    assert section._caption.text() == "No answer yet."
