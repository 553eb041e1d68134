"""Push buttons: words, a tip and what they do."""

from __future__ import annotations

from collections.abc import Callable

from OsteoScreenLib.ui.qt_api import QtWidgets, Widget, text_width


def push_button(parent: Widget, text: str, tip: str, action: Callable[[], object]) -> Widget:
    """A button of a window. Return does not press it unless it has the focus."""
    button = QtWidgets.QPushButton(text, parent)
    button.setToolTip(tip)
    button.setAutoDefault(False)
    button.clicked.connect(lambda checked=False: action())
    return button


def narrow_button(row: Widget, parent: Widget, text: str, tip: str, action: Callable[[], object]) -> Widget:
    """A button at the end of a row, so narrow that four of them fit into a narrow panel. row : a layout."""
    button = push_button(parent, text, tip, action)
    button.setMinimumWidth(text_width(text, button) + 16)
    row.addWidget(button)
    return button
