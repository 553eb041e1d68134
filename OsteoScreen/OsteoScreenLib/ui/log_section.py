"""What happened, line by line, to be copied into a question to whoever helps."""

from __future__ import annotations

from collections import deque

from OsteoScreenLib.ui import qt_api
from OsteoScreenLib.ui.qt_api import QtGui, QtWidgets, Widget

MOST_LINES = 1000


class LogSection:
    """The latest lines and a button that copies them."""

    def __init__(self, parent: Widget) -> None:
        self._lines: deque[str] = deque(maxlen=MOST_LINES)
        self.widget = QtWidgets.QWidget(parent)
        column = QtWidgets.QVBoxLayout(self.widget)
        column.setContentsMargins(0, 0, 0, 0)
        self._text = QtWidgets.QPlainTextEdit(self.widget)
        self._text.setReadOnly(True)
        self._text.setMaximumBlockCount(MOST_LINES)
        self._text.setFixedHeight(120)
        self._text.setLineWrapMode(QtWidgets.QPlainTextEdit.LineWrapMode.NoWrap)
        self._text.setFont(QtGui.QFontDatabase.systemFont(QtGui.QFontDatabase.SystemFont.FixedFont))
        self._text.setAccessibleName("Log")
        column.addWidget(self._text)
        row = QtWidgets.QHBoxLayout()
        self._copy = QtWidgets.QPushButton("Copy log", self.widget)
        self._copy.setToolTip("Put the whole log into the clipboard")
        self._copy.clicked.connect(lambda checked=False: self.copy())
        row.addWidget(self._copy)
        row.addStretch(1)
        column.addLayout(row)

    @property
    def lines(self) -> list[str]:
        """The lines that are kept, the oldest first."""
        return list(self._lines)

    def add(self, line: str) -> None:
        """Add what happened; several lines at once are taken apart."""
        for part in line.splitlines():
            self._lines.append(part)
            self._text.appendPlainText(part)

    def clear(self) -> None:
        """Forget every line."""
        self._lines.clear()
        self._text.clear()

    def copy(self) -> None:
        """Put the lines into the clipboard."""
        qt_api.set_clipboard_text("\n".join(self._lines))
