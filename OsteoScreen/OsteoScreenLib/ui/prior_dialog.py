"""The window that shows an earlier result: what a structured report of OsteoScreen's says, as a table."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from OsteoScreenLib.ui import qt_api
from OsteoScreenLib.ui.qt_api import QtWidgets, Widget

_SAYS = "This is what was written then, by the model named here. Nothing was computed anew. Research use only."


class PriorDialog:
    """Titles and values, which may be long, side by side."""

    def __init__(self, parent: Widget) -> None:
        self._rows: tuple[tuple[str, str], ...] = ()
        self.widget = QtWidgets.QDialog(parent)
        self.widget.setWindowTitle("Earlier result")
        self.widget.resize(620, 560)
        column = QtWidgets.QVBoxLayout(self.widget)
        words = QtWidgets.QLabel(_SAYS, self.widget)
        words.setWordWrap(True)
        column.addWidget(words)
        self._text = QtWidgets.QTextEdit(self.widget)
        self._text.setReadOnly(True)
        self._text.setAccessibleName("Earlier result")
        column.addWidget(self._text, 1)
        row = QtWidgets.QHBoxLayout()
        copy = QtWidgets.QPushButton("Copy", self.widget)
        copy.setToolTip("Copy the table, tab-separated, for a spreadsheet")
        copy.clicked.connect(lambda checked=False: self._on_copy())
        close = QtWidgets.QPushButton("Close", self.widget)
        close.clicked.connect(lambda checked=False: self.close())
        row.addStretch(1)
        row.addWidget(copy)
        row.addWidget(close)
        column.addLayout(row)

    @property
    def rows(self) -> tuple[tuple[str, str], ...]:
        """What is shown."""
        return self._rows

    def show(self, rows: Sequence[tuple[str, str]]) -> None:
        """Show (title, value) rows in the window."""
        self._rows = tuple(rows)
        cells = "".join(
            f'<tr><td width="34%" style="padding:2px 10px 2px 0;">{escape(title)}</td><td style="padding:2px 0;">{_in_lines(value)}</td></tr>'
            for title, value in self._rows
        )
        self._text.setHtml(f'<table width="100%" cellspacing="0">{cells}</table>')
        self.widget.show()
        self.widget.raise_()

    def clear(self) -> None:
        """Hold nothing of it any more."""
        self._rows = ()
        self._text.setHtml("")

    def close(self) -> None:
        """Put the window away."""
        self.widget.hide()

    def restyle(self) -> None:
        """Nothing here has colours of its own."""

    def _on_copy(self) -> None:
        qt_api.set_clipboard_text("\n".join(f"{title}\t{value}" for title, value in self._rows))


def _in_lines(text: str) -> str:
    return escape(text).replace("\n", "<br>")
