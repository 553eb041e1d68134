"""The panel's source keeps the rules that make one source run on PythonQt and on PySide6; and each rule would be missed."""

from __future__ import annotations

from pathlib import Path

import pytest
from qt_rules import breaches, event_names

import OsteoScreenLib

LIBRARY = Path(OsteoScreenLib.__file__).parent
# What also runs inside 3D Slicer keeps them too.
IN_SLICER = [*sorted((LIBRARY / "hosts").glob("slicer*.py")), LIBRARY.parent / "OsteoScreen.py"]
SOURCES = [*sorted((LIBRARY / "ui").glob("*.py")), *IN_SLICER]

BAD = {
    "PySide6 imported": (1, "from PySide6 import QtWidgets"),
    "qt imported": (1, "import qt"),
    "qtpy imported inside a function": (1, "def f():\n    from qtpy.QtCore import QTimer"),
    "getter of a widget held": (
        2,
        "class A:\n    def f(self):\n        self._box = QtWidgets.QSpinBox(p)\n        return self._box.value()",
    ),
    "getter of a local widget": (2, "def f(p):\n    label = QtWidgets.QLabel(p)\n    return label.text()"),
    "getter of an own widget": (2, "class A(QtWidgets.QWidget):\n    def f(self):\n        return self.width()"),
    "getter that only a widget has": (2, "def f(box):\n    return box.currentIndex()"),
    "getter of two made at once": (2, "def f(p):\n    a, b = QtWidgets.QLabel(p), QtWidgets.QSlider(p)\n    return b.value()"),
    "keyword in a constructor": (3, "QtWidgets.QLabel('x', parent=p)"),
    "keyword in an inherited constructor": (
        3,
        "class A(QtWidgets.QWidget):\n    def f(self):\n        super().__init__(parent=p)",
    ),
    "keyword in a method": (3, "def f(p):\n    grid = QtWidgets.QGridLayout(p)\n    grid.addWidget(p, row=0, column=1)"),
    "attribute without underscore": (3, "class A(QtWidgets.QWidget):\n    def f(self):\n        self.size = 3"),
    "attribute on a Qt object": (3, "def f(p):\n    item = QtWidgets.QTreeWidgetItem(p)\n    item._name = 'T7'"),
    "signal with subscript": (4, "combo.currentIndexChanged[int].connect(f)"),
    "sender": (4, "def f(self):\n    return self.sender()"),
    "stateChanged": (4, "box.stateChanged.connect(f)"),
    "slot with *args": (4, "button.clicked.connect(lambda *a: f())"),
    "method with *args": (
        4,
        "class A:\n    def g(self, *args): ...\n    def f(self):\n        self._b.clicked.connect(self.g)",
    ),
    "click handler without checked": (4, "button.clicked.connect(lambda: f())"),
    "click method without checked": (
        4,
        "class A:\n    def g(self): ...\n    def f(self):\n        self._b.clicked.connect(self.g)",
    ),
    "event emitted by a signal": (4, "button.clicked.connect(self.undo_asked.emit)"),
    "unscoped alignment": (5, "label.setAlignment(Qt.AlignLeft)"),
    "unscoped enum through the module": (5, "x = QtCore.Qt.Checked"),
    "unscoped enum of a class": (5, "frame.setFrameShape(QtWidgets.QFrame.HLine)"),
    "timer without parent": (5, "timer = QtCore.QTimer()"),
    "menu without parent": (5, "menu = QtWidgets.QMenu('File')"),
    "action without parent": (5, "action = QtGui.QAction('Undo')"),
    "shortcut without parent": (5, "key = QtGui.QShortcut()"),
    "widget in no layout": (5, "label = QtWidgets.QLabel('x')"),
    "super in paintEvent": (6, "class A(QtWidgets.QWidget):\n    def paintEvent(self, e):\n        super().paintEvent(e)"),
    "isinstance": (6, "isinstance(w, QtWidgets.QLabel)"),
    "isinstance of several": (6, "isinstance(w, (str, QtGui.QColor))"),
    "painter left to itself": (6, "p = QtGui.QPainter(w)"),
    "QThread": (7, "class A(QtCore.QThread): ..."),
    "thread pool": (7, "QtCore.QThreadPool.globalInstance()"),
    "threading": (7, "import threading"),
    "futures": (7, "from concurrent.futures import ThreadPoolExecutor"),
    "file dialog": (8, "QtWidgets.QFileDialog.getOpenFileName(p)"),
}

GOOD = {
    "property read": 'class A(QtWidgets.QWidget):\n    def f(self):\n        return get(self, "width")',
    "methods that are no getters": "def f(item):\n    return item.checkState(0), item.data(0, role), item.text(0)",
    "isChecked": "def f(p):\n    box = QtWidgets.QCheckBox('x', p)\n    return box.isChecked()",
    "getters of value classes": "def f(r):\n    rect = QtCore.QRect(0, 0, 1, 1)\n    return rect.width(), r.height(), 'x'.title()",
    "scoped enums": "x = Qt.AlignmentFlag.AlignLeft | QtCore.Qt.AlignmentFlag.AlignTop",
    "widget put into a layout": "def f(row):\n    label = QtWidgets.QLabel('x')\n    row.addWidget(label, 1)",
    "widget made in place": "row.addWidget(QtWidgets.QLabel('x'))",
    "layout put into a layout": "def f(box):\n    row = QtWidgets.QHBoxLayout()\n    box.addLayout(row)",
    "own attribute": "class A(QtWidgets.QWidget):\n    def f(self):\n        self._size = 3",
    "attributes of a plain class": "class A:\n    def f(self, p):\n        self.widget = QtWidgets.QWidget(p)",
    "base constructor": "class A(QtWidgets.QWidget):\n    def __init__(self, p):\n        super().__init__(p)",
    "click handler": "button.clicked.connect(lambda checked=False: f())",
    "signal without argument": "button.pressed.connect(lambda: f())",
    "own event of a Qt signal's name": "self.section.toggled.connect(self.other.emit)",
    "isinstance of Python's types": "isinstance(x, (str, tuple))",
    "own method of a getter's name": "class A:\n    def currentIndex(self): ...\n    def f(self):\n        return self.currentIndex()",
}


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.name)
def test_the_panel_keeps_the_rules(path: Path) -> None:
    own = event_names(LIBRARY / "ui") | event_names(LIBRARY / "workbench")
    found = breaches(path.read_text(encoding="utf-8"), is_qt_api=path.name == "qt_api.py", own_events=own)
    assert not found, "\n".join(f"{path.name}:{breach.line} rule {breach.rule}: {breach.advice}" for breach in found)


def test_the_panel_is_there() -> None:
    """An empty folder would keep every rule."""
    assert {"qt_api.py", "panel.py", "bone_tree.py", "slicer.py", "OsteoScreen.py"} <= {path.name for path in SOURCES}


@pytest.mark.parametrize("case", BAD)
def test_a_breach_is_found(case: str) -> None:
    rule, source = BAD[case]
    assert [breach.rule for breach in breaches(source)] == [rule]


@pytest.mark.parametrize("case", GOOD)
def test_what_is_allowed_is_left_alone(case: str) -> None:
    assert breaches(GOOD[case], own_events=frozenset({"toggled"})) == []


def test_only_qt_api_imports_qt() -> None:
    source = "import qt\nx = QtWidgets.QFileDialog\npainter = QtGui.QPainter(d)"
    assert breaches(source, is_qt_api=True) == []
    assert [breach.rule for breach in breaches(source)] == [1, 8, 6]
