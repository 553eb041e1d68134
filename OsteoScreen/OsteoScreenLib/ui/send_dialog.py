"""The window behind "Send…": exactly what would leave this machine, to whom, and nothing without the reader's word."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from OsteoScreenLib.ui import qt_api
from OsteoScreenLib.ui.buttons import push_button
from OsteoScreenLib.ui.flat_list import flat_list, flat_row
from OsteoScreenLib.ui.pacs_head import PacsHead, connection_in_words
from OsteoScreenLib.ui.pacs_waiting import PacsWaiting
from OsteoScreenLib.ui.qt_api import Qt, QtWidgets, Widget, signals_blocked
from OsteoScreenLib.ui.sentence_line import SentenceLine
from OsteoScreenLib.workbench.events import Event
from OsteoScreenLib.workbench.pacs_nouns import ConnectionFacts, OutgoingObject, SendOutcome

_HEADS = ("What", "State", "Size", "Description", "File")
_WIDEST = (200, 160, 80, 270, 110)
_STATE = 1
_BEFORE = "The objects are being made…"


class SendDialog:
    """send_asked : (paths) after the reader has confirmed the list and the receiver. closed : the window was put away.

    head, waiting : as in the window that brings radiographs.
    """

    def __init__(self, parent: Widget) -> None:
        self.send_asked: Event[[tuple[str, ...]]] = Event()
        self.closed: Event[[]] = Event()
        self._objects: tuple[OutgoingObject, ...] = ()
        self._items: list[Widget] = []
        self._facts: ConnectionFacts | None = None
        self._busy = self._preparing = False
        self.widget = QtWidgets.QDialog(parent)
        self.widget.setWindowTitle("Send results to a PACS")
        self.widget.resize(860, 480)
        column = QtWidgets.QVBoxLayout(self.widget)
        self.head = PacsHead(self.widget)
        self._message = SentenceLine(self.widget)
        self._list = flat_list(self.widget, "What would be sent", _HEADS, _WIDEST)
        self._list.itemChanged.connect(lambda item, at: self._fit())
        self._carries = QtWidgets.QLabel(self.widget)
        self._carries.setWordWrap(True)
        self._carries.setTextFormat(Qt.TextFormat.PlainText)
        self.waiting = PacsWaiting(self.widget)
        row = QtWidgets.QHBoxLayout()
        self._send = push_button(self.widget, "Send…", "Asks once more, then sends what is ticked", self._on_send)
        self._close = push_button(self.widget, "Close", "Back to the panel; these files are deleted", self.close)
        row.addStretch(1)
        row.addWidget(self._send)
        row.addWidget(self._close)
        for widget in (self.head.widget, self._message.widget):
            column.addWidget(widget)
        column.addWidget(self._list, 1)
        for widget in (self._carries, self.waiting.widget):
            column.addWidget(widget)
        column.addLayout(row)
        self.widget.finished.connect(lambda result: self.closed.emit())
        self.show_objects(())

    def open(self) -> None:
        """Show the window. The event loop goes on."""
        self.widget.show()
        self.widget.raise_()

    def close(self) -> None:
        """Put the window away."""
        self.widget.done(0)

    def show_connections(self, connections: Sequence[ConnectionFacts], chosen: str, typed: bool) -> None:
        """Offer these archives. typed : the secret of the chosen one was typed already."""
        self._facts = next((one for one in connections if one.name == chosen), None)
        self.head.show(connections, chosen, typed)
        self._fit()

    def show_objects(self, objects: Sequence[OutgoingObject], preparing: bool = False) -> None:
        """List what would be sent, all of it ticked. preparing : it is still being made."""
        self._objects, self._preparing = tuple(objects), preparing
        with signals_blocked(self._list):
            self._list.clear()
            self._items = []
            for one in self._objects:
                texts = [one.kind, "not sent", size_in_words(one.bytes), one.title, Path(one.path).name]
                item = flat_row(texts)
                item.setCheckState(0, Qt.CheckState.Checked)
                self._items.append(item)
            self._list.addTopLevelItems(self._items)
        self._fit()

    def show_outcomes(self, outcomes: Sequence[SendOutcome]) -> None:
        """What became of each file; one that was stored is no longer ticked."""
        told = {outcome.path: outcome.problem for outcome in outcomes}
        with signals_blocked(self._list):
            for one, item in zip(self._objects, self._items, strict=True):
                if one.path in told:
                    state = f"✖ {told[one.path]}" if told[one.path] else "✓ stored"
                    item.setText(_STATE, state)
                    item.setToolTip(_STATE, state)
                    item.setCheckState(0, Qt.CheckState.Checked if told[one.path] else Qt.CheckState.Unchecked)
        self._fit()

    def show_busy(self, busy: bool) -> None:
        """While a request runs, nothing else is asked."""
        self._busy = busy
        self.waiting.show_busy(busy)
        self.head.enable(not busy)
        self._fit()

    def show_message(self, severity: str, sentence: str) -> None:
        """What came of the last request; "" clears."""
        self._message.show(severity, sentence)

    def restyle(self) -> None:
        """Take the palette's colours again."""
        self.head.restyle()
        self.waiting.restyle()
        self._message.restyle()

    @property
    def ticked(self) -> tuple[OutgoingObject, ...]:
        """What would be sent."""
        ticked = Qt.CheckState.Checked
        return tuple(one for one, item in zip(self._objects, self._items, strict=True) if item.checkState(0) == ticked)

    def _fit(self) -> None:
        chosen = self.ticked
        count = len(chosen)
        self._carries.setText(carried_in_words(chosen) if self._objects else _BEFORE if self._preparing else "")
        self._send.setText("Send…" if count < 2 else f"Send {count} objects…")
        self._send.setEnabled(count > 0 and self._facts is not None and not self._busy)

    def _on_send(self) -> None:
        chosen, facts = self.ticked, self._facts
        if not chosen or facts is None or self._busy:
            return
        self.head.tell_secret()
        if qt_api.ask(self.widget, "Send to a PACS", question(chosen, facts)):
            self.send_asked.emit(tuple(one.path for one in chosen))


def question(objects: Sequence[OutgoingObject], facts: ConnectionFacts) -> str:
    """What the reader is asked before anything leaves the machine: what, what of the patient, to whom, and how safely."""
    one = len(objects) == 1
    listed = "\n".join(f"  • {each.kind}, {size_in_words(each.bytes)}" for each in objects)
    parts = [
        f"{'This object leaves' if one else f'These {len(objects)} objects leave'} this machine:\n{listed}",
        carried_in_words(objects),
        f"{'It goes' if one else 'They go'} to {facts.name}: {connection_in_words(facts)}.",
        facts.remark,
        f"Send {'it' if one else 'them'}?",
    ]
    return "\n\n".join(part for part in parts if part)


def carried_in_words(objects: Sequence[OutgoingObject]) -> str:
    """One sentence on what of the patient these objects carry."""
    carried = list(dict.fromkeys(part for one in objects for part in one.carries))
    if not objects:
        return "Nothing is ticked, so nothing would be sent."
    if not carried:
        return "They carry nothing that names the patient."
    return f"They carry: {', '.join(carried)}."


def size_in_words(size: int) -> str:
    """ "12 kB", "3.4 MB"."""
    return f"{size / 1e6:.1f} MB" if size >= 1e6 else f"{max(size / 1e3, 0.1):.1f} kB" if size < 1e4 else f"{size / 1e3:.0f} kB"
