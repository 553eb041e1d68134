"""A text that is being written keeps its keys: shortcuts of the window without Ctrl or Alt wait until the reader leaves it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from OsteoScreenLib.ui.qt_api import Qt, QtCore, QtWidgets, Widget

_SHORTCUT_KEYS = ("ControlModifier", "AltModifier", "MetaModifier")


class TextGuard(QtCore.QObject):
    """Watches text fields. left : called when Escape leaves one of them."""

    def __init__(self, parent: Widget, left: Callable[[], object]) -> None:
        QtCore.QObject.__init__(self, parent)
        self._left: Callable[[], object] | None = left

    def watch(self, field: Widget) -> None:
        """Guard a text field."""
        field.installEventFilter(self)

    def close(self) -> None:
        """Tell nobody any more."""
        self._left = None

    def eventFilter(self, watched: Any, event: Any) -> bool:
        """True keeps the event from the field."""
        kind = event.type()
        if kind == QtCore.QEvent.Type.ShortcutOverride:
            # Inside Slicer this event may come without its key.
            held = event.modifiers() if hasattr(event, "modifiers") else QtWidgets.QApplication.keyboardModifiers()
            if not any(held & getattr(Qt.KeyboardModifier, name) for name in _SHORTCUT_KEYS):
                event.accept()
                return True
        elif kind == QtCore.QEvent.Type.KeyPress and event.key() == Qt.Key.Key_Escape and self._left is not None:
            self._left()
            return True
        return False
