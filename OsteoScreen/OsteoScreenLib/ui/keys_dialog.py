"""The window behind "Keys…": what every key of a reading does, and other keys in their place."""

from __future__ import annotations

from OsteoScreenLib.errors import OsteoScreenError
from OsteoScreenLib.ui.qt_api import Qt, QtWidgets, Widget, signals_blocked
from OsteoScreenLib.ui.review_keys import KEYS, ReviewKeys


class KeysDialog:
    """A table; the right column is written in. A change acts at once."""

    def __init__(self, parent: Widget, keys: ReviewKeys) -> None:
        self._keys = keys
        self.widget = QtWidgets.QDialog(parent)
        self.widget.setWindowTitle("Keys of a reading")
        self.widget.resize(520, 560)
        column = QtWidgets.QVBoxLayout(self.widget)
        words = QtWidgets.QLabel(
            "Double-click a key to write another one, for example F5 or Ctrl+L; empty for none. While a text is written, keys without "
            "Ctrl or Alt are letters.",
            self.widget,
        )
        words.setWordWrap(True)
        column.addWidget(words)
        self._table = QtWidgets.QTableWidget(len(KEYS), 2, self.widget)
        self._table.setHorizontalHeaderLabels(["What it does", "Key"])
        self._table.verticalHeader().setVisible(False)
        self._table.horizontalHeader().setStretchLastSection(True)
        self._table.setAccessibleName("Keys")
        for row, key in enumerate(KEYS):
            does, held = QtWidgets.QTableWidgetItem(key.does), QtWidgets.QTableWidgetItem(keys[key.name])
            does.setFlags(Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable)
            self._table.setItem(row, 0, does)
            self._table.setItem(row, 1, held)
        self._table.resizeColumnToContents(0)
        self._table.cellChanged.connect(self._on_change)
        column.addWidget(self._table, 1)
        self._problem = QtWidgets.QLabel("", self.widget)
        self._problem.setWordWrap(True)
        column.addWidget(self._problem)
        row_of_buttons = QtWidgets.QHBoxLayout()
        reset = QtWidgets.QPushButton("As they come", self.widget)
        reset.setToolTip("All keys as they were at the beginning")
        reset.clicked.connect(lambda checked=False: self._on_reset())
        close = QtWidgets.QPushButton("Close", self.widget)
        close.clicked.connect(lambda checked=False: self.close())
        row_of_buttons.addWidget(reset)
        row_of_buttons.addStretch(1)
        row_of_buttons.addWidget(close)
        column.addLayout(row_of_buttons)

    def open(self) -> None:
        """Show the window with the keys as they are now."""
        self._write()
        self.widget.show()
        self.widget.raise_()

    def close(self) -> None:
        """Put the window away."""
        self.widget.hide()

    def _on_change(self, row: int, column: int) -> None:
        if column != 1:
            return
        try:
            self._keys.change(KEYS[row].name, str(self._table.item(row, 1).text()))
            self._problem.setText("")
        except OsteoScreenError as error:
            self._problem.setText(str(error))
        self._write()

    def _on_reset(self) -> None:
        self._keys.reset()
        self._problem.setText("")
        self._write()

    def _write(self) -> None:
        with signals_blocked(self._table):
            for row, key in enumerate(KEYS):
                self._table.item(row, 1).setText(self._keys[key.name])
