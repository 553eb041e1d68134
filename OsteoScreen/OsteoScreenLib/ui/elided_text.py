"""One line of text that never widens the panel: what does not fit ends in "…", and the tooltip has the whole."""

from __future__ import annotations

from typing import Any

from OsteoScreenLib.ui.qt_api import QtGui, QtWidgets, Widget, elided, get, painting


class ElidedText(QtWidgets.QWidget):
    """The line. `show_text` sets it; a tooltip given there comes before the text that did not fit."""

    def __init__(self, parent: Widget, right: bool = False) -> None:
        QtWidgets.QWidget.__init__(self, parent)
        self._words, self._right = "", right
        policy = QtWidgets.QSizePolicy.Policy
        self.setSizePolicy(policy.Ignored, policy.Fixed)
        self.fit()

    def fit(self) -> None:
        """Take the height of the font as it is now."""
        self.setFixedHeight(QtGui.QFontMetrics(get(self, "font")).height() + 2)

    def show_text(self, text: str, tooltip: str = "") -> None:
        """Show a text."""
        self._words = text
        self.setToolTip(tooltip or text)
        self.setAccessibleName(text)
        self.update()

    @property
    def shown_text(self) -> str:
        """The whole text."""
        return self._words

    def paintEvent(self, event: Any) -> None:
        """Draw as much as fits, in the palette's text colour."""
        metrics = QtGui.QFontMetrics(get(self, "font"))
        width = int(get(self, "width"))
        text = elided(self._words, width, self)
        left = max(0, width - metrics.horizontalAdvance(text)) if self._right else 0
        with painting(self) as painter:
            painter.drawText(left, metrics.ascent() + 1, text)
