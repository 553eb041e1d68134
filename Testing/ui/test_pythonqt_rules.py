"""The fixture that makes PySide6 behave like PythonQt: strict towards the panel, invisible to others, gone afterwards."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import pytest
from PySide6 import QtCore, QtGui, QtWidgets
from pythonqt_rules import property_getters, pythonqt_rules, qt_classes

CODE = """
from PySide6 import QtCore, QtGui, QtWidgets

class Own(QtWidgets.QWidget):
    def __init__(self, parent=None):
        super().__init__(parent)
        self._label = QtWidgets.QLabel("T7", self)
    def sizeHint(self):
        # Qt asks for this one itself, and its own answer asks for the property again.
        self._asked = getattr(self, "_asked", 0) + 1
        return self._label.sizeHint

def read(qobject, name): return getattr(qobject, name)
def call(qobject, name): return getattr(qobject, name)()
def construct(kind, *arguments, **named): return kind(*arguments, **named)
def enter(manager):
    with manager:
        return True
"""


def module(name: str) -> Any:
    """The same code under a module's name."""
    made = ModuleType(name)
    exec(CODE, made.__dict__)
    return made


@pytest.fixture
def rules(qapp: Any) -> Iterator[None]:
    with pythonqt_rules():
        yield


ruled = module("OsteoScreenLib.ui.trial")
host = module("OsteoScreenLib.hosts.desktop.trial")


@pytest.mark.usefixtures("rules")
class TestUnderTheRules:
    @pytest.mark.parametrize(
        ("kind", "name", "setter", "value"),
        [
            (QtWidgets.QSpinBox, "value", "setValue", 7),
            (QtWidgets.QLabel, "text", "setText", "T7"),
            (QtWidgets.QPushButton, "text", "setText", "T7"),  # inherited from QAbstractButton
            (QtWidgets.QSlider, "maximum", "setMaximum", 40),
            (QtCore.QTimer, "interval", "setInterval", 250),
        ],
    )
    def test_a_getter_is_an_attribute(self, kind: Callable[[], Any], name: str, setter: str, value: object) -> None:
        qobject = kind()
        getattr(qobject, setter)(value)
        assert ruled.read(qobject, name) == value
        with pytest.raises(TypeError, match="not callable"):
            ruled.call(qobject, name)

    def test_what_works_in_both_still_works(self) -> None:
        box = QtWidgets.QCheckBox("x")
        box.setChecked(True)
        assert ruled.call(box, "isChecked") is True
        assert ruled.call(QtCore.QRect(0, 0, 3, 4), "width") == 3
        assert box.property("text") == "x"

    def test_others_are_not_bothered(self) -> None:
        spin = QtWidgets.QSpinBox()
        spin.setValue(7)
        assert host.call(spin, "value") == spin.value() == 7
        assert host.construct(QtCore.QTimer, parent=spin).parent() is spin
        assert host.enter(QtCore.QSignalBlocker(spin))
        assert not host.construct(QtGui.QImage, bytes(64), 4, 4, 16, QtGui.QImage.Format.Format_RGB32).isNull()
        assert host.read(spin, "sender")() is None

    def test_own_classes_can_answer_for_qt(self) -> None:
        own = ruled.Own()
        layout = QtWidgets.QVBoxLayout()
        layout.addWidget(own)
        window = QtWidgets.QWidget()
        window.setLayout(layout)
        window.adjustSize()
        assert own._asked > 0
        assert window.sizeHint().height() > own.sizeHint().height() > 0

    def test_constructors_take_no_keywords(self) -> None:
        with pytest.raises(TypeError, match=r"QTimer\(\) takes positional arguments only, got parent"):
            ruled.construct(QtCore.QTimer, parent=None)
        with pytest.raises(TypeError, match="positional"):
            ruled.construct(QtWidgets.QLabel, "x", parent=None)

    def test_painters_and_blockers_are_no_context_managers(self) -> None:
        qobject = QtCore.QObject()
        with pytest.raises((AttributeError, TypeError)):
            ruled.enter(QtCore.QSignalBlocker(qobject))
        picture = QtGui.QPixmap(4, 4)
        painter = QtGui.QPainter(picture)
        with pytest.raises((AttributeError, TypeError)):
            ruled.enter(painter)
        painter.end()

    @pytest.mark.parametrize("buffer", [bytes(64), bytearray(64), memoryview(bytes(64))], ids=["bytes", "bytearray", "view"])
    def test_images_wrap_no_buffers(self, buffer: object) -> None:
        with pytest.raises(ValueError, match="buffer"):
            ruled.construct(QtGui.QImage, buffer, 4, 4, 16, QtGui.QImage.Format.Format_RGB32)
        assert ruled.construct(QtGui.QImage, 4, 4, QtGui.QImage.Format.Format_RGB32).width() == 4
        assert ruled.construct(QtGui.QImage, "no-such-file.png").isNull()

    def test_there_is_no_sender(self) -> None:
        with pytest.raises(AttributeError, match="sender"):
            ruled.read(QtCore.QObject(), "sender")


def test_everything_is_put_back(qapp: Any) -> None:
    before = {kind: dict(kind.__dict__) for kind in qt_classes()}
    spin = QtWidgets.QSpinBox()
    with pytest.raises(KeyError), pythonqt_rules():
        assert not callable(ruled.read(spin, "value"))
        raise KeyError
    after = {kind: dict(kind.__dict__) for kind in qt_classes()}
    assert {kind for kind in before if before[kind] != after[kind]} == set()
    assert ruled.call(spin, "value") == 0
    assert ruled.construct(QtCore.QTimer, parent=spin).parent() is spin


def test_the_getters_that_matter_are_among_those_replaced() -> None:
    names = {(owner.__name__, name) for owner, name in property_getters()}
    wanted = {
        "QWidget": "width",
        "QAbstractSlider": "value",
        "QComboBox": "currentIndex",
        "QLineEdit": "text",
        "QAction": "text",
    }
    assert set(wanted.items()) <= names
    assert len(names) > 500
    assert ("QWidget", "isVisible") not in names and ("QAbstractButton", "isChecked") not in names


def test_a_test_runs_in_both_ways(qt_way: str, qapp: Any) -> None:
    spin = QtWidgets.QSpinBox()
    assert callable(ruled.read(spin, "value")) is (qt_way == "PySide6")
