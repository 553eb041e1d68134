"""The door to Qt: what the panel builds on, in both ways."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pytest
from PySide6 import QtCore, QtGui, QtTest, QtWidgets

from OsteoScreenLib.ui import qt_api


def wait(seconds: float) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        qt_api.process_events()


def test_properties_are_read_as_values(parent: Any) -> None:
    label = QtWidgets.QLabel("T7", parent)
    assert qt_api.get(label, "text") == "T7"


def test_blocked_signals_come_back_as_they_were(parent: Any) -> None:
    box, other = QtWidgets.QSpinBox(parent), QtWidgets.QSpinBox(parent)
    other.blockSignals(True)
    heard: list[int] = []
    box.valueChanged.connect(heard.append)
    with pytest.raises(KeyError), qt_api.signals_blocked(box, other):
        box.setValue(3)
        raise KeyError
    box.setValue(4)
    assert heard == [4]
    assert other.signalsBlocked()


def test_a_painter_is_ended_when_its_body_raises(parent: Any) -> None:
    image = QtGui.QImage(8, 8, QtGui.QImage.Format.Format_RGB32)
    with pytest.raises(KeyError), qt_api.painting(image) as painter:
        raise KeyError
    assert not painter.isActive()


def test_an_image_has_the_pixels_and_its_own_memory(parent: Any) -> None:
    pixels = np.random.default_rng(3).integers(0, 256, (7, 5, 3), dtype=np.uint8)
    image = qt_api.image_from_rgb(pixels)
    before = pixels.copy()
    pixels[:] = 0
    found = [[QtGui.QColor(image.pixel(x, y)).getRgb()[:3] for x in range(5)] for y in range(7)]
    assert np.array_equal(np.array(found), before)


def test_an_image_needs_bytes() -> None:
    with pytest.raises(ValueError, match="uint8"):
        qt_api.image_from_rgb(np.zeros((4, 4, 3)))


def test_a_single_shot_rings_once_after_its_last_start(parent: Any) -> None:
    rung: list[float] = []
    timer = qt_api.single_shot(parent, 60, lambda: rung.append(time.monotonic()))
    timer.start()
    wait(0.03)
    again = time.monotonic()
    timer.start()
    wait(0.2)
    assert len(rung) == 1
    assert rung[0] - again >= 0.05
    assert not timer.active


def test_a_repeating_timer_rings_until_it_is_closed(parent: Any) -> None:
    rung: list[int] = []
    timer = qt_api.repeating(parent, 5, lambda: rung.append(1))
    timer.start()
    wait(0.1)
    timer.close()
    count = len(rung)
    timer.start()  # closed for good
    wait(0.05)
    assert count > 3
    assert len(rung) == count


def test_a_timer_goes_with_its_parent(application: Any) -> None:
    rung: list[int] = []
    owner = QtWidgets.QWidget()
    timer = qt_api.repeating(owner, 1, lambda: rung.append(1))
    timer.start()
    owner.deleteLater()
    QtCore.QCoreApplication.sendPostedEvents(None, QtCore.QEvent.Type.DeferredDelete)
    wait(0.03)
    assert rung == []


def test_a_shortcut_works_inside_its_widget_only(parent: Any) -> None:
    pressed: list[int] = []
    inside, outside = QtWidgets.QWidget(parent), QtWidgets.QLineEdit(parent)
    field = QtWidgets.QLineEdit(inside)
    qt_api.shortcut("Ctrl+K", inside, lambda: pressed.append(1))
    parent.show()
    for widget, expected in ((outside, 0), (field, 1)):
        widget.setFocus()
        qt_api.process_events()
        QtTest.QTest.keyClick(widget, QtCore.Qt.Key.Key_K, QtCore.Qt.KeyboardModifier.ControlModifier)
        assert len(pressed) == expected


def test_the_place_of_mouse_and_wheel_events(application: Any) -> None:
    point = QtCore.QPointF(3.5, 8.0)
    none = QtCore.Qt.MouseButton.NoButton, QtCore.Qt.KeyboardModifier.NoModifier
    mouse = QtGui.QMouseEvent(QtCore.QEvent.Type.MouseMove, point, point, none[0], *none)
    assert qt_api.event_xy(mouse) == (3.5, 8.0)

    class OldEvent:  # Qt 5 has no position()
        def pos(self) -> QtCore.QPoint:
            return QtCore.QPoint(2, 4)

    assert qt_api.event_xy(OldEvent()) == (2.0, 4.0)


@pytest.mark.parametrize("answer", ["/a/b.dcm", ("/a/b.dcm", "Images (*)")])
def test_file_dialogs_answer_with_a_string(parent: Any, monkeypatch: pytest.MonkeyPatch, answer: object) -> None:
    for name in ("getOpenFileName", "getSaveFileName", "getExistingDirectory"):
        monkeypatch.setattr(QtWidgets.QFileDialog, name, lambda *values: answer)
    assert qt_api.ask_for_file(parent, "Open") == "/a/b.dcm"
    assert qt_api.ask_for_save_name(parent, "Save") == "/a/b.dcm"
    assert qt_api.ask_for_folder(parent, "Folder") == "/a/b.dcm"


def test_no_answer_is_an_empty_string(parent: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(QtWidgets.QFileDialog, "getOpenFileName", lambda *values: ("", ""))
    assert qt_api.ask_for_file(parent, "Open") == ""


@pytest.mark.parametrize("name,expected", [("Yes", True), ("No", False)])
def test_questions_are_answered_with_yes_or_no(parent: Any, monkeypatch: pytest.MonkeyPatch, name: str, expected: bool) -> None:
    button = getattr(QtWidgets.QMessageBox.StandardButton, name)
    monkeypatch.setattr(QtWidgets.QMessageBox, "question", lambda *values: button)
    assert qt_api.ask(parent, "Remove", "Remove it?") is expected


def test_text_is_cut_with_an_ellipsis(parent: Any) -> None:
    label = QtWidgets.QLabel(parent)
    cut = qt_api.elided("a very long title of a model", 80, label)
    assert cut.endswith("…")
    assert qt_api.text_width(cut, label) <= 80
    assert qt_api.elided("short", 80, label) == "short"


def test_the_clipboard_keeps_a_text(parent: Any) -> None:
    qt_api.set_clipboard_text("two\nlines")
    assert qt_api.clipboard_text() == "two\nlines"
