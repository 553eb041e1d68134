"""One sentence inside a window, with its severity's sign and colours, or nothing."""

from __future__ import annotations

from OsteoScreenLib.ui.banners import forget_sentence, paint_sentence
from OsteoScreenLib.ui.qt_api import Qt, QtWidgets, Widget
from OsteoScreenLib.ui.style import Colours


class SentenceLine:
    """Stays until it is cleared or another one comes, unlike a message of the panel."""

    def __init__(self, parent: Widget) -> None:
        self.widget = QtWidgets.QLabel(parent)
        self.widget.setWordWrap(True)
        self.widget.setTextFormat(Qt.TextFormat.RichText)
        self.shown = ("", "")
        self.show("", "")

    def show(self, severity: str, sentence: str) -> None:
        """Show a sentence in the place of the former one; "" clears."""
        self.shown = (severity, sentence)
        self.widget.setVisible(bool(sentence))
        if sentence:
            paint_sentence(self.widget, severity, sentence, Colours.of(self.widget))
        else:
            forget_sentence(self.widget)

    def restyle(self) -> None:
        """Take the palette's colours again."""
        self.show(*self.shown)
