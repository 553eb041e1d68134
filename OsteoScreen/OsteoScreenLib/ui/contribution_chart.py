"""The contribution chart: one horizontal bar for what each group or bone is worth, and where chance ends."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from OsteoScreenLib.ui.effect_cells import OPPOSES, SUPPORTS, signed
from OsteoScreenLib.ui.qt_api import Qt, QtCore, QtGui, QtWidgets, elided, get, painting, text_width
from OsteoScreenLib.workbench.effect_rows import EffectRow
from OsteoScreenLib.workbench.toggles import Toggles

_GAP = 4
_STEPS = (0.5, 1.0, 2.0, 3.0, 5.0, 7.0, 10.0, 15.0, 20.0, 30.0, 50.0, 70.0, 100.0)
_LEAST = 25  # the shorter side of the axis is at least this part of the longer one


@dataclass(frozen=True)
class ContributionBar:
    """points : Δ in percentage points, None while it is not known. waiting : it is being computed. stale : of former masks.

    chance : the 5 and 95 % points of its controls' Δ, None where it was not compared.
    """

    name: str
    points: float | None
    waiting: bool = False
    stale: bool = False
    chance: tuple[float, float] | None = None

    @classmethod
    def of(cls, name: str, row: EffectRow, toggles: Toggles) -> ContributionBar:
        """From a row of the table, in the present mode."""
        cell, chance = row.effect(toggles.mode), row.chance(toggles.mode).chance
        ends = None if chance is None else (chance.quantiles["0.05"], chance.quantiles["0.95"])
        return cls(name, cell.delta_points, cell.state == "computing", cell.state == "stale", ends)

    @property
    def words(self) -> str:
        """The figure beside the bar."""
        if self.points is None:
            return "…" if self.waiting else "–"
        return signed(self.points, 1) + ("*" if self.stale else "")


def axis_of(bars: Sequence[ContributionBar]) -> tuple[float, float]:
    """(lowest, highest) point of the axis: whole steps that hold every bar and every controls' range, zero among them."""
    values = [0.0, *(bar.points for bar in bars if bar.points is not None)]
    values += [end for bar in bars if bar.chance is not None for end in bar.chance]
    low, high = min(values), max(values)
    below, above = _step(-low), _step(high)
    if not below and not above:  # no bar is long enough to be seen
        above = _STEPS[0]
    least = max(below, above) / _LEAST  # so that the zero line never touches the names
    return -max(below, least), max(above, least)


def _step(reach: float) -> float:
    return 0.0 if reach < 0.05 else next((step for step in _STEPS if step >= reach), _STEPS[-1])


class ContributionChart(QtWidgets.QWidget):
    """Bars to the right support the target, bars to the left speak against it; the hatched range is that of the controls."""

    def __init__(self, parent: Any) -> None:
        super().__init__(parent)
        self._bars: tuple[ContributionBar, ...] = ()
        self.setSizePolicy(QtWidgets.QSizePolicy.Policy.Expanding, QtWidgets.QSizePolicy.Policy.Fixed)
        self.setMinimumWidth(180)

    def show_bars(self, bars: Sequence[ContributionBar]) -> None:
        """Show these, from the top."""
        if tuple(bars) == self._bars:
            return
        self._bars = tuple(bars)
        self.setFixedHeight(self._row() * len(self._bars) + (self._row() if self._bars else 0))
        self.setAccessibleName("; ".join(f"{bar.name} {bar.words}" for bar in self._bars))
        self.update()

    def _row(self) -> int:
        return int(QtGui.QFontMetrics(get(self, "font")).height()) + 3

    def paintEvent(self, event: Any) -> None:
        """Names at the left, figures at the right, bars between them over one axis."""
        if not self._bars:
            return
        row, width = self._row(), int(get(self, "width"))
        names = min(max(text_width(bar.name, self) + 4 for bar in self._bars), width // 3)
        figures = text_width("−88.8*", self)
        left, right = names + 2 * _GAP, width - figures - _GAP
        low, high = axis_of(self._bars)

        def at(points: float) -> float:
            return left + (right - left) * (points - low) / (high - low)

        palette = get(self, "palette")
        ink = palette.color(QtGui.QPalette.ColorRole.WindowText)
        faint = QtGui.QColor(128, 128, 128, 110)
        with painting(self) as painter:
            for index, bar in enumerate(self._bars):
                top = index * row
                painter.setPen(ink)
                middle = Qt.AlignmentFlag.AlignVCenter
                text = elided(bar.name, names, self)
                painter.drawText(QtCore.QRect(0, top, names, row), Qt.AlignmentFlag.AlignLeft | middle, text)
                figure = QtCore.QRect(right + _GAP, top, figures, row)
                painter.drawText(figure, Qt.AlignmentFlag.AlignRight | middle, bar.words)
                self._draw_bar(painter, bar, QtCore.QRectF(at(0), top + 3, 0, row - 6), at, faint)
            painter.fillRect(QtCore.QRectF(at(0) - 0.5, 0, 1, row * len(self._bars)), ink)
            self._draw_axis(painter, at, (low, high), (left, right))

    def _draw_bar(self, painter: Any, bar: ContributionBar, place: Any, at: Any, faint: Any) -> None:
        top, height, zero = float(place.y()), float(place.height()), float(place.x())
        if bar.chance is not None:
            first, last = (at(end) for end in bar.chance)
            painter.fillRect(QtCore.QRectF(first, top, max(last - first, 1.0), height), faint)
        if bar.points is not None:
            colour = QtGui.QColor(SUPPORTS if bar.points > 0 else OPPOSES)
            end = at(bar.points)
            box = QtCore.QRectF(min(zero, end), top + 3, max(abs(end - zero), 1.0), height - 6)
            if bar.stale:
                painter.setPen(QtGui.QPen(colour, 1.0))
                painter.drawRect(box)
            else:
                painter.fillRect(box, colour)
        if bar.chance is not None:  # over the bar, so that it is seen whether the bar passes it
            ink = get(self, "palette").color(QtGui.QPalette.ColorRole.WindowText)
            painter.fillRect(QtCore.QRectF(at(bar.chance[1]) - 0.75, top, 1.5, height), ink)

    def _draw_axis(self, painter: Any, at: Any, axis: tuple[float, float], ends: tuple[int, int]) -> None:
        """The ends of the axis and zero, as figures below the bars."""
        top, row = self._row() * len(self._bars), self._row()
        low, high = axis
        marks = [(0.0, "0")]
        # An end that is too near to zero for a figure of its own has none.
        marks += [(end, _words(end)) for end in (low, high) if abs(end) >= max(-low, high) / 5]
        painter.setPen(get(self, "palette").color(QtGui.QPalette.ColorRole.WindowText))
        for points, text in marks:
            width = text_width(text, self) + 4
            from_left = min(max(at(points) - width / 2, ends[0] - 2), ends[1] - width + 2)
            painter.drawText(QtCore.QRectF(from_left, top, width, row), Qt.AlignmentFlag.AlignCenter, text)


def _words(points: float) -> str:
    return signed(points, 1 if points % 1 else 0)
