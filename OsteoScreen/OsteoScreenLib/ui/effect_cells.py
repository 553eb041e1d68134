"""How one figure is written and drawn: signed, diverging bar, tooltip. Sign, side and colour all say the same thing."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from OsteoScreenLib.ui.qt_api import QtCore, QtGui, painting
from OsteoScreenLib.workbench.numbers import EffectCell
from OsteoScreenLib.workbench.toggles import Toggles

# Okabe and Ito's vermilion and blue: told apart by every kind of colour vision, and readable on a light and a dark ground.
SUPPORTS, OPPOSES = "#d55e00", "#2a86c8"
BAR_WIDTH, BAR_HEIGHT = 36, 12  # pixels of the window, before its scale factor
SHARE_WIDTH = 20  # of a bar that has one side only
# Ends of the bars in percentage points: steps, so that the bars stay put while numbers come in one by one.
_SCALES = (1.0, 2.0, 3.0, 5.0, 7.0, 10.0, 15.0, 20.0, 30.0, 50.0, 70.0, 100.0)


def signed(value: float, decimals: int) -> str:
    """A number with its sign and a real minus; what rounds to zero has none."""
    text = f"{abs(value):.{decimals}f}"
    if float(text) == 0:
        return text
    return ("+" if value > 0 else "−") + text


def effect_text(cell: EffectCell) -> str:
    """What stands in the column Δ; old numbers carry an asterisk."""
    if cell.state == "computing":
        return "…"
    if cell.delta_points is None or cell.state == "none":
        return "–"
    return signed(cell.delta_points, 1) + ("*" if cell.state == "stale" else "")


def bar_scale(cells: Iterable[EffectCell]) -> float:
    """Percentage points at which a bar is full: the smallest step that holds the largest |Δ|."""
    largest = max((abs(cell.delta_points) for cell in cells if cell.delta_points is not None), default=0.0)
    return next((scale for scale in _SCALES if scale >= largest), _SCALES[-1])


def bar_length(cell: EffectCell, scale: float) -> int | None:
    """Signed length of the bar in hundredths of its half; None where there is nothing to draw."""
    if cell.delta_points is None or cell.state not in ("current", "stale"):
        return None
    return round(100 * max(-1.0, min(1.0, cell.delta_points / scale)))


@lru_cache(maxsize=1024)
def effect_bar(length: int, hollow: bool, pixel_ratio: float) -> Any:
    """QIcon with a bar from the middle to the right (supports the target) or to the left (speaks against it).

    length : see `bar_length`. hollow : an old number. pixel_ratio : of the screen.
    """
    icon = QtGui.QIcon()
    for mode, plate in ((QtGui.QIcon.Mode.Normal, False), (QtGui.QIcon.Mode.Selected, True)):
        icon.addPixmap(_bar_pixmap(length, hollow, pixel_ratio, plate), mode)
    return icon


def _bar_pixmap(length: int, hollow: bool, pixel_ratio: float, plate: bool) -> Any:
    pixmap = QtGui.QPixmap(round(BAR_WIDTH * pixel_ratio), round(BAR_HEIGHT * pixel_ratio))
    pixmap.setDevicePixelRatio(pixel_ratio)
    # On a selected row the bar stands on a light plate, or its blue would drown in the selection's.
    pixmap.fill(QtGui.QColor(255, 255, 255, 235 if plate else 0))
    middle, reach = BAR_WIDTH / 2, BAR_WIDTH / 2 - 1
    colour = QtGui.QColor(SUPPORTS if length > 0 else OPPOSES)
    end = middle + reach * length / 100
    with painting(pixmap) as painter:
        painter.fillRect(QtCore.QRectF(1, BAR_HEIGHT - 2, 2 * reach, 1), QtGui.QColor(128, 128, 128, 90))
        bar = QtCore.QRectF(min(middle, end), 2, max(abs(end - middle), 1.0), BAR_HEIGHT - 5)
        if hollow:
            painter.setPen(QtGui.QPen(colour, 1.0))
            painter.drawRect(bar)
        elif length:
            painter.fillRect(bar, colour)
        painter.fillRect(QtCore.QRectF(middle - 0.5, 0, 1, BAR_HEIGHT), QtGui.QColor(128, 128, 128))
    return pixmap


@lru_cache(maxsize=512)
def share_bar(length: int, hollow: bool, mark: int, pixel_ratio: float) -> Any:
    """QIcon with a bar from the left. length : 0 to 100. mark : where a line stands, 0 to 100, or -1 for none."""
    icon = QtGui.QIcon()
    for mode, plate in ((QtGui.QIcon.Mode.Normal, False), (QtGui.QIcon.Mode.Selected, True)):
        pixmap = QtGui.QPixmap(round(SHARE_WIDTH * pixel_ratio), round(BAR_HEIGHT * pixel_ratio))
        pixmap.setDevicePixelRatio(pixel_ratio)
        pixmap.fill(QtGui.QColor(255, 255, 255, 235 if plate else 0))
        grey = QtGui.QColor(128, 128, 128)
        with painting(pixmap) as painter:
            painter.fillRect(QtCore.QRectF(0, BAR_HEIGHT - 2, SHARE_WIDTH, 1), QtGui.QColor(128, 128, 128, 90))
            bar = QtCore.QRectF(0, 2, SHARE_WIDTH * length / 100, BAR_HEIGHT - 5)
            if hollow:
                painter.setPen(QtGui.QPen(grey, 1.0))
                painter.drawRect(bar)
            else:
                painter.fillRect(bar, grey)
            if mark >= 0:
                painter.fillRect(QtCore.QRectF(SHARE_WIDTH * mark / 100 - 0.5, 0, 1, BAR_HEIGHT), QtGui.QColor(SUPPORTS))
        icon.addPixmap(pixmap, mode)
    return icon


def meaning(toggles: Toggles) -> str:
    """One sentence: what Δ is in this mode."""
    target = toggles.target
    if toggles.mode == "remove":
        return (
            f"Δ = P({target}) on the untouched radiograph minus P({target}) with this covered. "
            f"Above zero: it supports {target}; covering it lowers the probability."
        )
    return (
        f"Δ = P({target}) with this shown alone minus P({target}) with all bones covered. "
        f"Above zero: it supports {target}; showing it raises the probability."
    )


def effect_tooltip(cell: EffectCell, toggles: Toggles) -> str:
    """Δ in points and in log-odds, what it means, and what is to be done about an old number."""
    lines = []
    if cell.state == "computing":
        lines.append("Being computed.")
    elif cell.delta_points is not None and cell.state != "none":
        odds = "" if cell.delta_log_odds is None else f", log-odds {signed(cell.delta_log_odds, 3)}"
        lines.append(f"Δ {signed(cell.delta_points, 2)} percentage points of P({toggles.target}){odds}")
    if cell.state == "stale":
        lines.append("* Belongs to the masks before they were changed. It is computed anew when the editing rests.")
    return "\n".join([*lines, meaning(toggles)])
