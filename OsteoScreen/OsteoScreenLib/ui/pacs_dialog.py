"""The window behind "PACS…": which archive, what is searched for, what was found, and bringing it here."""

from __future__ import annotations

from collections.abc import Sequence

from OsteoScreenLib.ui.buttons import push_button
from OsteoScreenLib.ui.elided_text import ElidedText
from OsteoScreenLib.ui.flat_list import flat_list, flat_row
from OsteoScreenLib.ui.pacs_head import PacsHead
from OsteoScreenLib.ui.pacs_search import PacsSearch
from OsteoScreenLib.ui.pacs_waiting import PacsWaiting
from OsteoScreenLib.ui.qt_api import Qt, QtWidgets, Widget
from OsteoScreenLib.ui.sentence_line import SentenceLine
from OsteoScreenLib.workbench.events import Event
from OsteoScreenLib.workbench.pacs_nouns import ConnectionFacts, FoundSeries

_HEADS = ("Patient", "Patient id", "Date", "Modality", "Description", "Images")
_WIDEST = (190, 130, 100, 80, 240, 70)  # pixels of a column at first; the reader may widen it
_NOTHING = "Choose an archive and press Search. Nothing is asked of it before."


class PacsDialog:
    """Shows what its presenter says; `head`, `search` and `waiting` are its parts, and tell of what the reader does there.

    open_asked : (rows of the list) are to be brought here.
    """

    def __init__(self, parent: Widget) -> None:
        self.open_asked: Event[[tuple[int, ...]]] = Event()
        self._items: list[Widget] = []
        self._busy = False
        self.widget = QtWidgets.QDialog(parent)
        self.widget.setWindowTitle("Radiographs from a PACS")
        self.widget.resize(860, 600)
        column = QtWidgets.QVBoxLayout(self.widget)
        self.head = PacsHead(self.widget)
        self.search = PacsSearch(self.widget)
        self._message = SentenceLine(self.widget)
        self._list = flat_list(self.widget, "Series that were found", _HEADS, _WIDEST)
        self._list.setUniformRowHeights(True)
        self._list.setSelectionMode(QtWidgets.QAbstractItemView.SelectionMode.ExtendedSelection)
        self._list.setTextElideMode(Qt.TextElideMode.ElideRight)
        self._list.itemSelectionChanged.connect(self._fit)
        self._list.itemDoubleClicked.connect(lambda item, at: self._on_open())
        self._count = ElidedText(self.widget)
        self.waiting = PacsWaiting(self.widget)
        row = QtWidgets.QHBoxLayout()
        self._open = push_button(self.widget, "Open", "Bring the chosen series here and open them as cases", self._on_open)
        self._close = push_button(
            self.widget, "Close", "Back to the panel; files of this session are deleted when the panel is closed", self.close
        )
        row.addWidget(self._count, 1)
        row.addWidget(self._open)
        row.addWidget(self._close)
        column.addWidget(self.head.widget)
        column.addWidget(self.search.widget)
        column.addWidget(self._message.widget)
        column.addWidget(self._list, 1)
        column.addWidget(self.waiting.widget)
        column.addLayout(row)
        self.show_found((), _NOTHING)

    def open(self) -> None:
        """Show the window. The event loop goes on."""
        self.widget.show()
        self.widget.raise_()

    def close(self) -> None:
        """Put the window away."""
        self.widget.hide()

    def show_connections(self, connections: Sequence[ConnectionFacts], chosen: str, typed: bool) -> None:
        """Offer these archives. typed : the secret of the chosen one was typed already."""
        self.head.show(connections, chosen, typed)
        self._fit()

    def show_found(self, series: Sequence[FoundSeries], remark: str) -> None:
        """List these series; nothing is chosen. remark : a few words below the list."""
        self._list.clear()
        self._items = []
        for at, one in enumerate(series):
            images = "" if one.images is None else str(one.images)
            texts = [
                name_in_words(one.patient_name),
                one.patient_id,
                day_in_words(one.date),
                one.modality,
                one.description,
                images,
            ]
            item = flat_row(texts)
            item.setData(0, Qt.ItemDataRole.UserRole, at)
            self._items.append(item)
        self._list.addTopLevelItems(self._items)
        self._count.show_text(remark)
        self._fit()

    def show_busy(self, busy: bool) -> None:
        """While a request runs, nothing else is asked."""
        self._busy = busy
        self.waiting.show_busy(busy)
        self.head.enable(not busy)
        self.search.enable(not busy and self.head.chosen != "")
        self._fit()

    def show_message(self, severity: str, sentence: str) -> None:
        """What came of the last request; "" clears."""
        self._message.show(severity, sentence)

    def restyle(self) -> None:
        """Take the palette's colours again."""
        self.head.restyle()
        self.waiting.restyle()
        self._message.restyle()

    def _chosen(self) -> tuple[int, ...]:
        return tuple(sorted(at for at, item in enumerate(self._items) if item.isSelected()))

    def _fit(self) -> None:
        count = len(self._chosen())
        self._open.setText("Open" if count < 2 else f"Open {count} series")
        self._open.setEnabled(count > 0 and not self._busy)
        self.search.enable(not self._busy and self.head.chosen != "")

    def _on_open(self) -> None:
        chosen = self._chosen()
        if chosen and not self._busy:
            self.open_asked.emit(chosen)


def day_in_words(date: str) -> str:
    """ "20240131" → "2024-01-31"; anything else as it is."""
    return f"{date[:4]}-{date[4:6]}-{date[6:]}" if len(date) == 8 and date.isdigit() else date


def name_in_words(name: str) -> str:
    """A person's name as DICOM writes it (PS3.5 6.2.1.1), for a reader: "Meier^Eva^^Dr." → "Meier, Eva Dr."; other scripts follow."""
    groups = (group.split("^") for group in name.split("="))
    words = (", ".join(part for part in (group[0], " ".join(filter(None, group[1:]))) if part) for group in groups)
    return " / ".join(filter(None, words))
