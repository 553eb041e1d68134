"""The wheel scrolls the panel and changes no setting that happens to lie under it."""

from __future__ import annotations

from typing import Any

from OsteoScreenLib.ui.qt_api import Qt, QtCore, Widget

_GUARDED = ("QComboBox", "QAbstractSpinBox", "QAbstractSlider")


class WheelGuard(QtCore.QObject):
    """Keeps wheel events from fields without the focus, so that they go on to the scroll area around the panel."""

    def __init__(self, parent: Widget) -> None:
        QtCore.QObject.__init__(self, parent)

    def watch(self, widget: Widget) -> int:
        """Guard every field inside a widget; scroll bars stay as they are. Returns how many are guarded."""
        count = 0
        for child in widget.children():
            if not child.isWidgetType():
                continue
            if any(child.inherits(name) for name in _GUARDED) and not child.inherits("QScrollBar"):
                # By default the wheel gives the focus, which would undo the guard.
                child.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
                child.installEventFilter(self)
                count += 1
            count += self.watch(child)
        return count

    def eventFilter(self, watched: Any, event: Any) -> bool:
        """True keeps the event from the field; ignored, it goes on to the field's parent."""
        if event.type() == QtCore.QEvent.Type.Wheel and not watched.hasFocus():
            event.ignore()
            return True
        return False
