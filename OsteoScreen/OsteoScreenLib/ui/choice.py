"""A combo box over (value, label) pairs that tells only of what the reader chose, and never widens the panel."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from OsteoScreenLib.ui.qt_api import Qt, QtWidgets, Widget, elided, get, signals_blocked, text_width
from OsteoScreenLib.workbench.events import Event

_ARROW = 38  # pixels of a box that are not its text, in every style
_WIDEST_LIST = 600


class Choice:
    """chosen : (value) by the reader's hand.

    tip : what the box is for; the chosen label is added, for it may be cut. prompt : stands in the box while what is chosen
    is not among the pairs; "" for a box that always has a choice.
    """

    def __init__(self, parent: Widget, tip: str, prompt: str = "") -> None:
        self.chosen: Event[[Any]] = Event()
        self._tip, self._prompt = tip, prompt
        self._pairs: list[tuple[Any, str]] = []
        self._value: Any = None
        self.widget = _Box(parent, self._write_labels)
        self.widget.setSizeAdjustPolicy(QtWidgets.QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.widget.setMinimumContentsLength(7)
        policy = QtWidgets.QSizePolicy.Policy
        self.widget.setSizePolicy(policy.Ignored, policy.Fixed)
        self.widget.setAccessibleName(tip)
        self.widget.currentIndexChanged.connect(self._on_index)

    @property
    def value(self) -> Any:
        """What is chosen; None while the prompt stands there."""
        return self._value

    @property
    def label(self) -> str:
        """The words of what is chosen."""
        return next((label for value, label in self._pairs if value == self._value), "")

    def show(self, pairs: Sequence[tuple[Any, str]], current: Any) -> None:
        """Offer these and choose `current`; where it is not among them, the prompt is shown. Tells nobody."""
        offered = list(pairs)
        known = any(value == current for value, _ in offered)
        if self._prompt and not known:
            offered = [(None, self._prompt), *offered]
        with signals_blocked(self.widget):
            if offered != self._pairs:
                self._pairs = offered
                self.widget.clear()
                for index, (_, label) in enumerate(offered):
                    self.widget.addItem(label)
                    self.widget.setItemData(index, label, Qt.ItemDataRole.ToolTipRole)
                widest = max((text_width(label, self.widget) for _, label in offered), default=0)
                self.widget.view().setMinimumWidth(min(widest + _ARROW, _WIDEST_LIST))
            at = next((index for index, (value, _) in enumerate(offered) if value == current), 0 if offered else -1)
            self.widget.setCurrentIndex(at)
        self._take(at)

    def _on_index(self, index: int) -> None:
        self._take(int(index))
        if self._value is not None or not self._prompt:
            self.chosen.emit(self._value)

    def _take(self, index: int) -> None:
        value, label = self._pairs[index] if 0 <= index < len(self._pairs) else (None, "")
        self._value = value
        self.widget.setToolTip(f"{self._tip}: {label}" if label and label != self._prompt else self._tip)
        self._write_labels(False)

    def _write_labels(self, whole: bool) -> None:
        """Qt cuts a label that does not fit; one that ends in "…" says so. The opened list has room for the whole."""
        room = int(get(self.widget, "width")) - _ARROW
        with signals_blocked(self.widget):
            for index, (_, label) in enumerate(self._pairs):
                text = label if whole else elided(label, max(room, 20), self.widget)
                self.widget.setItemText(index, text)


class _Box(QtWidgets.QComboBox):
    """The box: it says when its labels must fit its width (`write(False)`), and when there is room for them (`write(True)`)."""

    def __init__(self, parent: Widget, write: Callable[[bool], None]) -> None:
        self._write: Callable[[bool], None] | None = None
        QtWidgets.QComboBox.__init__(self, parent)
        self._write = write

    def resizeEvent(self, event: Any) -> None:
        """Cut the labels to the new width."""
        QtWidgets.QComboBox.resizeEvent(self, event)
        if self._write is not None:
            self._write(False)

    def showPopup(self) -> None:
        """Open the list with whole labels."""
        if self._write is not None:
            self._write(True)
        QtWidgets.QComboBox.showPopup(self)

    def hidePopup(self) -> None:
        """Close the list and cut the labels again."""
        QtWidgets.QComboBox.hidePopup(self)
        if self._write is not None:
            self._write(False)
