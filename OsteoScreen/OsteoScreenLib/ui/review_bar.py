"""Below the form: back, skip with a reason, lock, on; and above it which case lies on the table."""

from __future__ import annotations

from OsteoScreenLib.ui.elided_text import ElidedText
from OsteoScreenLib.ui.qt_api import Qt, QtWidgets, Widget, get, text_width
from OsteoScreenLib.ui.review_keys import ReviewKeys
from OsteoScreenLib.ui.text_guard import TextGuard
from OsteoScreenLib.workbench.events import Event

_ARROW = 40  # pixels


class ReviewBar:
    """head : which case, and its time. widget : the buttons.

    previous_asked, next_asked, lock_asked. skip_asked : (reason). left : the reader leaves the reason for the image.
    """

    def __init__(self, parent: Widget, keys: ReviewKeys) -> None:
        self.previous_asked: Event[[]] = Event()
        self.next_asked: Event[[]] = Event()
        self.lock_asked: Event[[]] = Event()
        self.skip_asked: Event[[str]] = Event()
        self.left: Event[[]] = Event()
        self.head = QtWidgets.QWidget(parent)
        line = QtWidgets.QHBoxLayout(self.head)
        line.setContentsMargins(0, 0, 0, 0)
        self._headline = ElidedText(self.head)
        font = get(self._headline, "font")
        font.setBold(True)
        self._headline.setFont(font)
        self._headline.fit()
        self._time = QtWidgets.QLabel("", self.head)
        self._time.setToolTip("Time on this read, without the minutes in which nothing was touched")
        self._time.setMinimumWidth(text_width("88:88:88", self._time))
        self._time.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        line.addWidget(self._headline, 1)
        line.addWidget(self._time)

        self.widget = QtWidgets.QWidget(parent)
        self._guard = TextGuard(self.widget, self._give_up_skipping)
        column = QtWidgets.QVBoxLayout(self.widget)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        self._asking = QtWidgets.QWidget(self.widget)
        asking = QtWidgets.QHBoxLayout(self._asking)
        asking.setContentsMargins(0, 0, 0, 0)
        self._reason = QtWidgets.QLineEdit(self._asking)
        self._reason.setPlaceholderText("Why is this case skipped? Then Enter.")
        self._reason.setAccessibleName("Why this case is skipped")
        self._reason.returnPressed.connect(self._on_reason)
        self._guard.watch(self._reason)
        asking.addWidget(self._reason)
        column.addWidget(self._asking)
        row = QtWidgets.QHBoxLayout()
        self._previous = self._button("◀", keys.tip("The case before", "previous"), self.previous_asked.emit)
        self._previous.setAccessibleName("The case before")
        self._skip = self._button(
            "Skip…", keys.tip("Pass over this case, with a reason; it can be read later", "skip"), self.ask_reason
        )
        self._lock = self._button(
            "Lock", keys.tip("Lock this read; it can never be changed afterwards", "lock"), self.lock_asked.emit
        )
        self._next = self._button("▶", keys.tip("The next case", "next"), self.next_asked.emit)
        self._next.setAccessibleName("The next case")
        for button in (self._previous, self._next):
            button.setMaximumWidth(_ARROW)
        font = get(self._lock, "font")
        font.setBold(True)
        self._lock.setFont(font)
        for button, stretch in ((self._previous, 0), (self._skip, 0), (self._lock, 1), (self._next, 0)):
            row.addWidget(button, stretch)
        column.addLayout(row)
        self.show("", "", False, False)

    def show(self, headline: str, lock_words: str, can_lock: bool, can_skip: bool) -> None:
        """Show which case it is, what locking leads to, and what can be done."""
        self._headline.show_text(headline)
        self._lock.setText(lock_words or "Lock")
        self._lock.setEnabled(can_lock)
        self._skip.setEnabled(can_skip)
        self._asking.setVisible(False)
        self._reason.setText("")
        for button in (self._previous, self._next):
            button.setEnabled(bool(headline))

    def show_time(self, seconds: int) -> None:
        """Active seconds on this read."""
        minutes, rest = divmod(seconds, 60)
        self._time.setText(f"{minutes}:{rest:02d}")

    def ask_reason(self) -> None:
        """Ask why the case is skipped."""
        if get(self._skip, "enabled"):
            self._asking.setVisible(True)
            self._reason.setFocus(Qt.FocusReason.ShortcutFocusReason)

    def close(self) -> None:
        """Tell nobody any more."""
        self._guard.close()

    def _on_reason(self) -> None:
        reason = str(get(self._reason, "text")).strip()
        if reason:
            self._give_up_skipping()
            self.skip_asked.emit(reason)

    def _give_up_skipping(self) -> None:
        self._asking.setVisible(False)
        self._reason.setText("")
        self.left.emit()

    def _button(self, text: str, tip: str, action: object) -> Widget:
        button = QtWidgets.QPushButton(text, self.widget)
        button.setToolTip(tip)
        button.clicked.connect(lambda checked=False: action())  # type: ignore[operator]
        return button
