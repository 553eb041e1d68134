"""Which archive: the choice, what is known of its connection, and the secret where it has to be typed."""

from __future__ import annotations

from collections.abc import Sequence

from OsteoScreenLib.ui.buttons import push_button
from OsteoScreenLib.ui.choice import Choice
from OsteoScreenLib.ui.elided_text import ElidedText
from OsteoScreenLib.ui.qt_api import QtWidgets, Widget, get, signals_blocked
from OsteoScreenLib.workbench.events import Event
from OsteoScreenLib.workbench.pacs_nouns import ConnectionFacts

KIND_WORDS = {"dicomweb": "DICOMweb", "dimse": "DIMSE"}


class PacsHead:
    """connection_chosen : (name). secret_typed : (name, secret). add_asked, test_asked, remove_asked : about the chosen one."""

    def __init__(self, parent: Widget) -> None:
        self.connection_chosen: Event[[str]] = Event()
        self.secret_typed: Event[[str, str]] = Event()
        self.add_asked: Event[[]] = Event()
        self.test_asked: Event[[]] = Event()
        self.remove_asked: Event[[]] = Event()
        self.chosen = ""
        self._enabled = True
        self.widget = QtWidgets.QWidget(parent)
        column = QtWidgets.QVBoxLayout(self.widget)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        row = QtWidgets.QHBoxLayout()
        label = QtWidgets.QLabel("Archive", self.widget)
        self._choice = Choice(self.widget, "The archive that is asked", "Choose an archive…")
        self._choice.chosen.connect(lambda name: self.connection_chosen.emit(str(name)))
        label.setBuddy(self._choice.widget)
        row.addWidget(label)
        row.addWidget(self._choice.widget, 1)
        self._add = push_button(self.widget, "Add…", "Tell OsteoScreen how to reach another archive", self.add_asked.emit)
        self._test = push_button(
            self.widget, "Test", "Ask this archive whether it is there and lets us in", self.test_asked.emit
        )
        self._remove = push_button(self.widget, "Remove…", "Forget this connection and its password", self.remove_asked.emit)
        for button in (self._add, self._test, self._remove):
            row.addWidget(button)
        column.addLayout(row)
        self._facts = ElidedText(self.widget)
        column.addWidget(self._facts)
        self._asking = QtWidgets.QWidget(self.widget)
        asking = QtWidgets.QHBoxLayout(self._asking)
        asking.setContentsMargins(0, 0, 0, 0)
        words = QtWidgets.QLabel("Password or token", self._asking)
        self._secret = QtWidgets.QLineEdit(self._asking)
        self._secret.setEchoMode(QtWidgets.QLineEdit.EchoMode.Password)
        self._secret.setToolTip("Kept until the panel is closed, and written nowhere")
        self._secret.setAccessibleName("Password or token")
        self._secret.editingFinished.connect(self.tell_secret)
        words.setBuddy(self._secret)
        asking.addWidget(words)
        asking.addWidget(self._secret, 1)
        column.addWidget(self._asking)
        self.show((), "", False)

    def show(self, connections: Sequence[ConnectionFacts], chosen: str, typed: bool) -> None:
        """Offer these; `chosen` may be "". typed : the secret of the chosen one was typed already."""
        facts = next((one for one in connections if one.name == chosen), None)
        self.chosen = facts.name if facts is not None else ""
        self._choice.show([(one.name, one.name) for one in connections], self.chosen or None)
        words, remark = connection_in_words(facts), facts.remark if facts is not None else ""
        tip = "\n".join(part for part in (words, remark) if part)
        self._facts.show_text(words if connections else "No archive is known yet; press Add…", tip)
        wanted = facts is not None and facts.secret == "missing"
        self._asking.setVisible(wanted)
        with signals_blocked(self._secret):
            self._secret.setText("")
        self._secret.setPlaceholderText("typed already; write here to change it" if typed else "typed for this session only")
        self.enable(self._enabled)

    def enable(self, enabled: bool) -> None:
        """While a request runs, the archive stays."""
        self._enabled = enabled
        for part in (self._choice.widget, self._add, self._secret):
            part.setEnabled(enabled)
        for part in (self._test, self._remove):
            part.setEnabled(enabled and self.chosen != "")

    def tell_secret(self) -> None:
        """Hand over what was typed, and empty the field."""
        secret = str(get(self._secret, "text"))
        if secret and self.chosen:
            with signals_blocked(self._secret):
                self._secret.setText("")
            self._secret.setPlaceholderText("typed already; write here to change it")
            self.secret_typed.emit(self.chosen, secret)

    def restyle(self) -> None:
        """Take the font's height again."""
        self._facts.fit()


def connection_in_words(facts: ConnectionFacts | None) -> str:
    """Where a connection leads and how it is protected, in one line; "" for none."""
    return "" if facts is None else " · ".join(part for part in (KIND_WORDS[facts.kind], facts.where, facts.protection) if part)
