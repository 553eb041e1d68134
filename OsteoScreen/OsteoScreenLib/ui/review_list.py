"""The worklist: every task of the reader in his order, how far each is, a search and a filter."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from OsteoScreenLib.ui.choice import Choice
from OsteoScreenLib.ui.qt_api import Qt, QtWidgets, Widget, get, signals_blocked
from OsteoScreenLib.ui.review_keys import ReviewKeys
from OsteoScreenLib.ui.text_guard import TextGuard
from OsteoScreenLib.workbench.events import Event

WORDS = {"unread": "○ not read", "first": "◐ first read locked", "done": "● read", "skipped": "⤼ skipped"}
"""A status of `review.worklist` in words, with a sign that is told apart without colour."""
_FILTERS = (("", "All"), *((status, words[2:].capitalize()) for status, words in WORDS.items()))
_MOST_ROWS = 7  # that are seen at once


@dataclass(frozen=True)
class Row:
    """One line. label : "Case 7". status : a key of `WORDS`."""

    label: str
    status: str


class ReviewList:
    """Shows rows, and which of them a search and a filter leave; what they leave is somebody else's business.

    chosen : (index of a row) by the reader's hand. narrowed : (words to search, status or ""). left : Escape leaves the search.
    """

    def __init__(self, parent: Widget, keys: ReviewKeys) -> None:
        self.chosen: Event[[int]] = Event()
        self.narrowed: Event[[str, str]] = Event()
        self.left: Event[[]] = Event()
        self._rows: tuple[Row, ...] = ()
        self._items: list[Widget] = []
        self._shown: Collection[int] | None = None
        self._wanted, self._words = "", ""
        self.widget = QtWidgets.QWidget(parent)
        self._guard = TextGuard(self.widget, self.left.emit)
        column = QtWidgets.QVBoxLayout(self.widget)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        line = QtWidgets.QHBoxLayout()
        self._search = QtWidgets.QLineEdit(self.widget)
        self._search.setPlaceholderText("Search")
        self._search.setClearButtonEnabled(True)
        self._search.setToolTip(keys.tip("Show only cases with these words; a number finds that case", "search"))
        self._search.setAccessibleName("Search the worklist")
        self._search.textChanged.connect(lambda text: self._narrow(str(text), self._wanted))
        self._guard.watch(self._search)
        self._filter = Choice(self.widget, "Which cases are listed")
        self._filter.show(_FILTERS, "")
        self._filter.chosen.connect(lambda wanted: self._narrow(self._words, str(wanted)))
        line.addWidget(self._search, 3)
        line.addWidget(self._filter.widget, 2)
        column.addLayout(line)
        self._tree = QtWidgets.QTreeWidget(self.widget)
        self._tree.setHeaderLabels(["Case", "Status"])
        self._tree.setRootIsDecorated(False)
        self._tree.setUniformRowHeights(True)
        self._tree.setAlternatingRowColors(True)
        self._tree.setAccessibleName("Worklist")
        self._tree.itemClicked.connect(lambda item, at: self._on_row(item))
        self._tree.itemActivated.connect(lambda item, at: self._on_row(item))
        column.addWidget(self._tree)

    # What is shown

    def show(self, rows: Sequence[Row], current: int, left: Collection[int] | None) -> None:
        """Show rows. Only what has changed is drawn anew.

        current : which is on the table, -1 for none. left : those that search and filter leave, None for all.
        """
        rows = tuple(rows)
        if len(rows) != len(self._rows):
            self._tree.clear()
            self._items = [self._item(at, row) for at, row in enumerate(rows)]
            self._tree.addTopLevelItems(self._items)
            self._rows, self._shown = rows, None
            self._fit()
        else:
            former, self._rows = self._rows, rows
            for at, row in enumerate(rows):
                if row != former[at]:
                    self._write(self._items[at], row)
        if left != self._shown:
            self._shown = left
            for at, item in enumerate(self._items):
                hidden = left is not None and at not in left
                if item.isHidden() != hidden:
                    item.setHidden(hidden)
        self.mark(current)

    def mark(self, current: int) -> None:
        """Show which row is on the table."""
        with signals_blocked(self._tree):
            if not 0 <= current < len(self._items):
                self._tree.clearSelection()
            elif not self._items[current].isSelected():
                self._tree.setCurrentItem(self._items[current])

    @property
    def shown_rows(self) -> list[tuple[str, str]]:
        """(case, status) of the lines that are listed."""
        return [(str(item.text(0)), str(item.text(1))) for item in self._items if not item.isHidden()]

    def _item(self, at: int, row: Row) -> Widget:
        item = QtWidgets.QTreeWidgetItem()
        item.setData(0, Qt.ItemDataRole.UserRole, at)
        self._write(item, row)
        return item

    def _write(self, item: Widget, row: Row) -> None:
        item.setText(0, row.label)
        item.setText(1, WORDS[row.status])

    def _fit(self) -> None:
        """As high as its rows, up to a few."""
        row = int(self._tree.sizeHintForRow(0)) if self._items else 0
        head = int(get(self._tree.header(), "sizeHint").height())
        self._tree.setFixedHeight(head + row * min(max(len(self._items), 2), _MOST_ROWS) + 4)
        self._tree.resizeColumnToContents(0)

    # What the reader does

    def search(self) -> None:
        """Put the focus into the search field."""
        self._search.setFocus(Qt.FocusReason.ShortcutFocusReason)
        self._search.selectAll()

    def close(self) -> None:
        """Tell nobody any more."""
        self._guard.close()

    def _on_row(self, item: Widget) -> None:
        self.chosen.emit(int(item.data(0, Qt.ItemDataRole.UserRole)))

    def _narrow(self, words: str, wanted: str) -> None:
        self._words, self._wanted = words, wanted
        self.narrowed.emit(words, wanted)
