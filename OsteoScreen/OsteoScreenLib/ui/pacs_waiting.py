"""How far a request to an archive is, and the button that stops it."""

from __future__ import annotations

from OsteoScreenLib.ui.elided_text import ElidedText
from OsteoScreenLib.ui.qt_api import QtWidgets, Widget
from OsteoScreenLib.workbench.events import Event


class PacsWaiting:
    """A bar, a few words and "Cancel", seen only while something runs. cancel_asked."""

    def __init__(self, parent: Widget) -> None:
        self.cancel_asked: Event[[]] = Event()
        self.widget = QtWidgets.QWidget(parent)
        row = QtWidgets.QHBoxLayout(self.widget)
        row.setContentsMargins(0, 0, 0, 0)
        self._bar = QtWidgets.QProgressBar(self.widget)
        self._bar.setRange(0, 1000)
        self._bar.setFormat("%p %")
        self._words = ElidedText(self.widget)
        self._cancel = QtWidgets.QPushButton("Cancel", self.widget)
        self._cancel.setToolTip("Stop; what the archive has taken already stays there")
        self._cancel.setAutoDefault(False)
        self._cancel.clicked.connect(lambda checked=False: self.cancel_asked.emit())
        row.addWidget(self._bar, 1)
        row.addWidget(self._words, 2)
        row.addWidget(self._cancel)
        self.widget.setVisible(False)

    def show_busy(self, busy: bool) -> None:
        """Something runs, or no longer."""
        if busy:
            self._bar.setRange(0, 0)  # until the first progress: moving, but without a figure
            self._words.show_text("Asking the archive…")
        self.widget.setVisible(busy)

    def show_progress(self, fraction: float, sentence: str) -> None:
        """How far it is, from 0 to 1; 0 when that cannot be told yet."""
        if fraction > 0:
            self._bar.setRange(0, 1000)
            self._bar.setValue(round(1000 * min(max(fraction, 0.0), 1.0)))
        self._words.show_text(sentence)

    def restyle(self) -> None:
        """Take the font's height again."""
        self._words.fit()
