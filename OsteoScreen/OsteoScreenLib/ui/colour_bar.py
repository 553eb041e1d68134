"""The colour bar beside the heatmap: which colour is which share of this image's largest value, and from where it is drawn."""

from __future__ import annotations

from typing import Any

import numpy as np

from OsteoScreenLib.exchange.colour_maps import colours
from OsteoScreenLib.ui.qt_api import Qt, QtCore, QtGui, QtWidgets, get, image_from_rgb, painting

_BAR_HEIGHT = 14
_GAP = 3
_REMARK = "scaled within this image"


class ColourBar(QtWidgets.QWidget):
    """A horizontal bar from 0 to 1. What lies below the threshold is not drawn in the image and is hatched here."""

    def __init__(self, parent: Any) -> None:
        super().__init__(parent)
        self._table = colours("plasma")
        self._threshold = 0.0
        metrics = QtGui.QFontMetrics(get(self, "font"))
        words = sum(_room(metrics, text) for text in ("0", _REMARK, "1"))
        self.setMinimumSize(words, _BAR_HEIGHT + 2 * _GAP + int(metrics.height()))
        self.setSizePolicy(QtWidgets.QSizePolicy.Policy.Expanding, QtWidgets.QSizePolicy.Policy.Fixed)
        self.setToolTip(
            "0 is no relevance, 1 the largest value in this very image: every map that is not empty reaches 1 somewhere, "
            "so colours of two images cannot be compared."
        )

    def show_colours(self, colour_map: str, threshold: float) -> None:
        """Show a colour map of `exchange.colour_maps` and where it is cut: smaller values, from 0 to 1, are not drawn."""
        self._table = colours(colour_map)
        self._threshold = threshold
        self.update()

    def paintEvent(self, event: Any) -> None:
        width = int(get(self, "width"))
        cut = round(self._threshold * (width - 1))
        bar = QtCore.QRect(0, 0, width, _BAR_HEIGHT)
        ink = get(self, "palette").color(QtGui.QPalette.ColorRole.WindowText)
        with painting(self) as painter:
            painter.drawImage(bar, image_from_rgb(np.ascontiguousarray(self._table[None, :, :])))
            if cut > 0:
                hidden = QtCore.QRect(0, 0, cut, _BAR_HEIGHT)
                painter.fillRect(hidden, get(self, "palette").color(QtGui.QPalette.ColorRole.Window))
                painter.fillRect(hidden, QtGui.QBrush(ink, Qt.BrushStyle.BDiagPattern))
            painter.setPen(ink)
            painter.drawRect(QtCore.QRect(0, 0, width - 1, _BAR_HEIGHT - 1))
            if cut > 0:
                painter.fillRect(QtCore.QRect(cut, 0, 2, _BAR_HEIGHT + _GAP), ink)
            self._letter(painter, width, cut)

    def _letter(self, painter: Any, width: int, cut: int) -> None:
        """0 and 1 at the ends; the remark, which always has room; the cut at its place where there is room for it too."""
        metrics = QtGui.QFontMetrics(get(self, "font"))

        def write(left: int, text: str) -> None:
            place = QtCore.QRect(left, _BAR_HEIGHT + _GAP, _room(metrics, text), int(metrics.height()))
            painter.drawText(place, Qt.AlignmentFlag.AlignCenter, text)

        first, last = _room(metrics, "0"), width - _room(metrics, "1")
        write(0, "0")
        write(last, "1")
        remark, value = _room(metrics, _REMARK), f"{self._threshold:.2f}"
        share = _room(metrics, value)
        at = min(max(cut - share // 2, first), last - share)
        before, after = at - first, last - at - share
        if cut > 0 and max(before, after) >= remark:
            write(at, value)
            first, last = (at + share, last) if after >= before else (first, at)
        write(first + (last - first - remark) // 2, _REMARK)


def _room(metrics: Any, text: str) -> int:
    return int(metrics.boundingRect(text).width()) + 6
