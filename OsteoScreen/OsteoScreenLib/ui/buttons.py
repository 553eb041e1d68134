"""Push buttons that are no wider than their words."""

from __future__ import annotations

from collections.abc import Callable

from OsteoScreenLib.ui.qt_api import QtWidgets, Widget, text_width


def narrow_button(row: Widget, parent: Widget, text: str, tip: str, action: Callable[[], object]) -> Widget:
    """A button at the end of a row, so narrow that four of them fit into a narrow panel. row : a layout."""
    button = QtWidgets.QPushButton(text, parent)
    button.setToolTip(tip)
    button.setMinimumWidth(text_width(text, button) + 16)
    button.clicked.connect(lambda checked=False: action())
    row.addWidget(button)
    return button
