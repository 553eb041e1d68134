"""A list with columns and without branches."""

from __future__ import annotations

from collections.abc import Sequence

from OsteoScreenLib.ui.qt_api import QtWidgets, Widget


def flat_list(parent: Widget, name: str, heads: Sequence[str], widths: Sequence[int]) -> Widget:
    """An empty list. name : for screen readers. widths : of the columns at first, in pixels; the reader may change them."""
    made = QtWidgets.QTreeWidget(parent)
    made.setHeaderLabels(list(heads))
    made.setRootIsDecorated(False)
    made.setAlternatingRowColors(True)
    made.setAccessibleName(name)
    for column, width in enumerate(widths):
        made.setColumnWidth(column, width)
    return made


def flat_row(texts: Sequence[str]) -> Widget:
    """A row of it, one text a column; what a column is too narrow for stands in its tooltip."""
    row = QtWidgets.QTreeWidgetItem()
    for column, text in enumerate(texts):
        row.setText(column, text)
        row.setToolTip(column, text)
    return row
