"""The buttons below the bones: correct the masks or import others, choose the columns, copy the table."""

from __future__ import annotations

from typing import Any

from OsteoScreenLib.ui.qt_api import QtGui, QtWidgets, signals_blocked, text_width
from OsteoScreenLib.workbench.events import Event

_COLUMN_WORDS = {
    "removed": "Δ removed",
    "added": "Δ added back",
    "percentile": "Percentile among controls",
    "share": "Share of the heatmap",
    "iou": "IoU with the heatmap",
}


class TableTools:
    """edit_asked, import_asked, copy_asked. columns_chosen : the keys that are to be shown. controls_chosen : compare with controls."""

    def __init__(self, parent: Any) -> None:
        self.edit_asked: Event[[]] = Event()
        self.import_asked: Event[[]] = Event()
        self.copy_asked: Event[[]] = Event()
        self.columns_chosen: Event[[frozenset[str]]] = Event()
        self.controls_chosen: Event[[bool]] = Event()
        self._columns: frozenset[str] = frozenset()
        self._controls_on = True
        self.widget = QtWidgets.QWidget(parent)
        row = QtWidgets.QHBoxLayout(self.widget)
        row.setContentsMargins(0, 0, 0, 0)
        self._edit = self._button(
            "Correct masks…", "Correct the bones' outlines by hand in the segment editor; the numbers follow"
        )
        self._import = self._button("Import…", "Take the bones' masks from a DICOM segmentation or a .seg.nrrd file")
        self._choose = self._button("Columns", "Which figures stand beside the bones. Δ of the present mode is always there.")
        self._copy = self._button("Copy table", "Copy all figures, tab-separated with heads and units, for a spreadsheet")
        for button in (self._edit, self._import, self._choose, self._copy):
            row.addWidget(button)
        self._edit.clicked.connect(lambda checked=False: self.edit_asked.emit())
        self._import.clicked.connect(lambda checked=False: self.import_asked.emit())
        self._copy.clicked.connect(lambda checked=False: self.copy_asked.emit())
        self._menu = QtWidgets.QMenu(self._choose)
        self._actions: dict[str, Any] = {}
        for key, words in _COLUMN_WORDS.items():
            self._actions[key] = self._action(words)
            self._actions[key].triggered.connect(lambda checked=False, key=key: self._turn(key))
        self._menu.addSeparator()
        self._controls = self._action("Compare with controls, in the background")
        self._controls.triggered.connect(lambda checked=False: self._turn_controls())
        self._choose.setMenu(self._menu)
        self.show(self._columns, self._controls_on)
        self.enable(False)

    def _button(self, text: str, tip: str) -> Any:
        button = QtWidgets.QPushButton(text, self.widget)
        button.setToolTip(tip)
        button.setMinimumWidth(text_width(text, button) + 16)
        return button

    def _action(self, words: str) -> Any:
        action = QtGui.QAction(words, self._menu)
        action.setCheckable(True)
        self._menu.addAction(action)
        return action

    def show(self, columns: frozenset[str], controls_on: bool) -> None:
        """Show which columns are chosen, and whether effects are compared with controls."""
        self._columns, self._controls_on = columns, controls_on
        with signals_blocked(self._controls, *self._actions.values()):
            for key, action in self._actions.items():
                action.setChecked(key in columns)
            self._controls.setChecked(controls_on)

    def enable(self, answered: bool) -> None:
        """There are masks to correct and figures to copy."""
        self._edit.setEnabled(answered)
        self._import.setEnabled(answered)
        self._copy.setEnabled(answered)

    def _turn(self, key: str) -> None:
        columns = self._columns ^ {key}
        self.show(self._columns, self._controls_on)  # as it was, until the listeners show other columns
        self.columns_chosen.emit(columns)

    def _turn_controls(self) -> None:
        on = not self._controls_on
        self.show(self._columns, self._controls_on)
        self.controls_chosen.emit(on)
