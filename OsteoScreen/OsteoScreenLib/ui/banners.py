"""Sentences above everything else: research use, simulated model, patient outside the population; and what just happened."""

from __future__ import annotations

from html import escape

from OsteoScreenLib.ui.qt_api import Qt, QtWidgets, Widget, single_shot
from OsteoScreenLib.ui.style import SIGNS, WORDS, Colours, css
from OsteoScreenLib.workbench.events import Event

INFO_STAYS_MS = 8000


class Banners:
    """A stack of sentences, each with the sign of its severity. They cannot be closed."""

    def __init__(self, parent: Widget) -> None:
        self.widget = QtWidgets.QWidget(parent)
        self._layout = QtWidgets.QVBoxLayout(self.widget)
        self._layout.setContentsMargins(0, 0, 0, 0)
        self._layout.setSpacing(2)
        self._labels: list[Widget] = []
        self._shown: list[tuple[str, str]] = []
        self.widget.setVisible(False)

    @property
    def shown(self) -> list[tuple[str, str]]:
        """(severity, sentence) from the top."""
        return list(self._shown)

    def show(self, banners: list[tuple[str, str]]) -> None:
        """Show these sentences and no others."""
        if list(banners) == self._shown:
            return
        self._shown = list(banners)
        while len(self._labels) < len(self._shown):
            label = QtWidgets.QLabel(self.widget)
            label.setWordWrap(True)
            label.setTextFormat(Qt.TextFormat.RichText)
            self._layout.addWidget(label)
            self._labels.append(label)
        self.restyle()

    def restyle(self) -> None:
        """Take the palette's colours again."""
        colours = Colours.of(self.widget)
        for index, label in enumerate(self._labels):
            used = index < len(self._shown)
            label.setVisible(used)
            if used:
                paint_sentence(label, *self._shown[index], colours)
            else:
                forget_sentence(label)
        self.widget.setVisible(bool(self._shown))


class MessageBar:
    """The last thing that happened, in one sentence. A remark goes by itself, a warning or an error when it is closed."""

    def __init__(self, parent: Widget) -> None:
        self.closed: Event[[]] = Event()
        self.widget = QtWidgets.QWidget(parent)
        row = QtWidgets.QHBoxLayout(self.widget)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(2)
        self._label = QtWidgets.QLabel(self.widget)
        self._label.setWordWrap(True)
        self._label.setTextFormat(Qt.TextFormat.RichText)
        self._close = QtWidgets.QToolButton(self.widget)
        self._close.setText("✕")
        self._close.setAutoRaise(True)
        self._close.setToolTip("Close this message; it stays in the log")
        self._close.setAccessibleName("Close this message")
        self._close.clicked.connect(lambda checked=False: self.clear())
        row.addWidget(self._label, 1)
        row.addWidget(self._close, 0, Qt.AlignmentFlag.AlignTop)
        self._severity, self._sentence = "", ""
        self._timer = single_shot(self.widget, INFO_STAYS_MS, self.clear)
        self.widget.setVisible(False)

    @property
    def shown(self) -> tuple[str, str]:
        """(severity, sentence), both "" when nothing is shown."""
        return self._severity, self._sentence

    def show(self, severity: str, sentence: str) -> None:
        """Show a sentence in the place of the former one."""
        self._severity, self._sentence = severity, sentence
        self.restyle()
        self.widget.setVisible(True)
        self._timer.stop()
        if severity == "info":
            self._timer.start()

    def clear(self) -> None:
        """Show nothing."""
        self._timer.stop()
        if self._sentence:
            self._severity = self._sentence = ""
            self.widget.setVisible(False)
            forget_sentence(self._label)
            self.closed.emit()

    def restyle(self) -> None:
        """Take the palette's colours again."""
        if self._sentence:
            paint_sentence(self._label, self._severity, self._sentence, Colours.of(self.widget))

    def close(self) -> None:
        """Stop the timer for good."""
        self._timer.close()


def paint_sentence(label: Widget, severity: str, sentence: str, colours: Colours) -> None:
    """A sentence with its severity's sign on its severity's surface."""
    tint = colours.tint(severity)
    label.setStyleSheet(
        f"QLabel {{ background: {css(tint.background)}; color: {css(tint.text)};"
        f" border-left: 4px solid {css(tint.edge)}; padding: 3px 5px; }}"
    )
    label.setText(f"{SIGNS.get(severity, SIGNS['info'])}&nbsp;{escape(sentence)}")
    label.setToolTip(f"{WORDS.get(severity, WORDS['info'])}: {sentence}")
    label.setAccessibleName(f"{WORDS.get(severity, WORDS['info'])}: {sentence}")


def forget_sentence(label: Widget) -> None:
    """A hidden label too holds nothing of what it said."""
    label.setText("")
    label.setToolTip("")
    label.setAccessibleName("")
