"""Which study, and who reads it: a folder and a code, never a name."""

from __future__ import annotations

from collections.abc import Sequence

from OsteoScreenLib.ui.qt_api import QtWidgets, Widget, get, signals_blocked
from OsteoScreenLib.ui.review_keys import ReviewKeys
from OsteoScreenLib.ui.text_guard import TextGuard
from OsteoScreenLib.workbench.events import Event

WELCOME = (
    "Open the folder of a study. “osteoscreen review create” makes one from radiographs, and “osteoscreen review analyse” stores "
    "the model's answers in it."
)

_FEW = 4  # readers that are named in the field for the code


class SignIn:
    """study_asked : another folder is wanted. last_asked : the study that was read last. sign_in_asked : (code). sign_out_asked.

    keys_asked : the table of keys is wanted. left : Escape leaves the code's field.
    """

    def __init__(self, parent: Widget, keys: ReviewKeys) -> None:
        self.study_asked: Event[[]] = Event()
        self.last_asked: Event[[]] = Event()
        self.sign_in_asked: Event[[str]] = Event()
        self.sign_out_asked: Event[[]] = Event()
        self.keys_asked: Event[[]] = Event()
        self.left: Event[[]] = Event()
        self.widget = QtWidgets.QWidget(parent)
        self._guard = TextGuard(self.widget, self.left.emit)
        column = QtWidgets.QVBoxLayout(self.widget)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        self._words = QtWidgets.QLabel(WELCOME, self.widget)
        self._words.setWordWrap(True)
        column.addWidget(self._words)
        line = QtWidgets.QHBoxLayout()
        self._open = self._button("Open study…", "Choose the folder of a study")
        self._open.clicked.connect(lambda checked=False: self.study_asked.emit())
        self._last = self._button("Last study", "Open the study that was read last")
        self._last.clicked.connect(lambda checked=False: self.last_asked.emit())
        self._code = QtWidgets.QLineEdit(self.widget)
        self._code.setToolTip("The code under which you read; no name of a person")
        self._code.setAccessibleName("Reader's code")
        self._code.setMaxLength(32)
        self._code.returnPressed.connect(self._on_sign_in)
        self._guard.watch(self._code)
        self._in = self._button("Sign in", "Begin to read, or go on where you stopped")
        self._in.clicked.connect(lambda checked=False: self._on_sign_in())
        self._out = self._button("Sign out", "Stop reading; everything is kept")
        self._out.clicked.connect(lambda checked=False: self.sign_out_asked.emit())
        self._keys = self._button("Keys…", "All keys of a reading, and how to change them")
        self._keys.clicked.connect(lambda checked=False: self.keys_asked.emit())
        for part in (self._open, self._last, self._code, self._in, self._out):
            line.addWidget(part)
        line.addStretch(1)
        line.addWidget(self._keys)
        column.addLayout(line)
        self.show("", (), "", "", False)

    def show(self, title: str, readers: Sequence[str], reader: str, tally: str, last: bool) -> None:
        """Show the study's title ("" for none), who may sign in (empty for all), who has, and how far he is.

        last : there is a study that was read last.
        """
        signed_in = bool(reader)
        self._words.setText(f"{title}. Reader {reader}: {tally}." if signed_in else f"{title}." if title else WELCOME)
        with signals_blocked(self._code):
            if signed_in:
                self._code.setText("")
        few = 0 < len(readers) <= _FEW
        self._code.setPlaceholderText(f"Your code: {', '.join(readers)}" if few else "Your code")
        for part, shown in (
            (self._open, not signed_in), (self._last, last and not title and not signed_in), (self._code, bool(title) and not signed_in),
            (self._in, bool(title) and not signed_in), (self._out, signed_in),
        ):  # fmt: skip
            part.setVisible(shown)

    def focus(self) -> None:
        """Put the focus where the next entry belongs."""
        self._code.setFocus()

    def close(self) -> None:
        """Tell nobody any more."""
        self._guard.close()

    def _on_sign_in(self) -> None:
        self.sign_in_asked.emit(str(get(self._code, "text")))

    def _button(self, text: str, tip: str) -> Widget:
        button = QtWidgets.QPushButton(text, self.widget)
        button.setToolTip(tip)
        return button
