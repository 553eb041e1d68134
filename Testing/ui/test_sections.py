"""Sections that fold, the line that is cut, and the choice that fits its box."""

from __future__ import annotations

from typing import Any

import pytest
from PySide6 import QtCore, QtGui, QtTest, QtWidgets

from OsteoScreenLib.ui import qt_api
from OsteoScreenLib.ui.choice import Choice
from OsteoScreenLib.ui.elided_text import ElidedText
from OsteoScreenLib.ui.sections import Section
from OsteoScreenLib.ui.wheel_guard import WheelGuard


@pytest.fixture
def section(parent: Any) -> Section:
    made = Section(parent, "Heatmap")
    made.body_layout.addWidget(QtWidgets.QLabel("body", made.body))
    parent.layout().addWidget(made.widget)
    parent.layout().addStretch(1)
    parent.resize(300, 300)
    parent.show()
    qt_api.process_events()
    return made


def test_a_click_on_the_title_folds_and_tells(section: Section) -> None:
    heard: list[bool] = []
    section.toggled.connect(heard.append)
    high = section.widget.height()
    section._title.click()
    qt_api.process_events()
    assert heard == [False]
    assert not section.body.isVisible()
    assert section.widget.height() < high
    section._title.click()
    qt_api.process_events()
    assert heard == [False, True]
    assert section.body.isVisible()
    assert section.widget.height() == high


def test_folding_by_the_program_tells_nobody(section: Section) -> None:
    heard: list[bool] = []
    section.toggled.connect(heard.append)
    section.set_expanded(False)
    assert (section.expanded, heard) == (False, [])


def test_the_keyboard_folds(section: Section) -> None:
    section._title.setFocus()
    QtTest.QTest.keyClick(section._title, QtCore.Qt.Key.Key_Space)
    assert not section.expanded


def test_the_summary_stands_in_for_a_folded_body(section: Section) -> None:
    section.set_summary("osteopenia")
    assert section.summary == ""
    section.set_expanded(False)
    assert section.summary == "osteopenia"
    section.set_expanded(True)
    section.set_summary("T7", always=True)
    assert section.summary == "T7"


def test_a_line_never_widens_and_keeps_the_whole_in_its_tooltip(parent: Any) -> None:
    line = ElidedText(parent)
    parent.layout().addWidget(line)
    parent.resize(120, 60)
    parent.show()
    line.show_text("right rib 5, right rib 6, left rib 9, T7, T8 and T9")
    qt_api.process_events()
    assert parent.width() == 120
    assert line.toolTip() == line.shown_text
    drawn = line.grab().toImage()
    assert len({drawn.pixel(x, y) for x in range(drawn.width()) for y in range(drawn.height())}) > 2  # something is drawn


PAIRS = [("a", "Bone density on simulated chest radiographs"), ("b", "Another model of quite some length, too")]


@pytest.fixture
def choice(parent: Any) -> Choice:
    made = Choice(parent, "The model that answers", "No model yet")
    parent.layout().addWidget(made.widget)
    parent.resize(180, 60)
    parent.show()
    qt_api.process_events()
    return made


def test_a_choice_tells_only_what_the_reader_chose(choice: Choice) -> None:
    heard: list[Any] = []
    choice.chosen.connect(heard.append)
    choice.show(PAIRS, "b")
    assert (choice.value, heard) == ("b", [])
    choice.widget.setCurrentIndex(0)
    assert (choice.value, heard) == ("a", ["a"])
    choice.show(PAIRS, "a")
    assert heard == ["a"]


def test_a_choice_that_is_gone_leaves_the_prompt(choice: Choice) -> None:
    heard: list[Any] = []
    choice.chosen.connect(heard.append)
    choice.show(PAIRS, "c")
    assert choice.value is None
    assert choice.widget.currentText() == "No model yet"
    choice.widget.setCurrentIndex(2)
    choice.widget.setCurrentIndex(0)  # the prompt is no choice
    assert heard == ["b"]
    choice.show(PAIRS, "b")
    assert choice.widget.count() == 2


def test_none_can_be_a_choice_of_its_own(parent: Any) -> None:
    heard: list[Any] = []
    choice = Choice(parent, "Turn")
    choice.chosen.connect(heard.append)
    choice.show([(None, "Automatic"), (90, "90°")], 90)
    choice.widget.setCurrentIndex(0)
    assert heard == [None]


def test_labels_are_cut_to_the_box_and_whole_in_list_and_tooltip(choice: Choice) -> None:
    choice.show(PAIRS, "a")
    shown = choice.widget.currentText()
    assert shown.endswith("…")
    assert qt_api.text_width(shown, choice.widget) < choice.widget.width()
    assert PAIRS[0][1] in choice.widget.toolTip()
    choice.widget.showPopup()
    assert [choice.widget.itemText(index) for index in range(2)] == [label for _, label in PAIRS]
    choice.widget.hidePopup()
    assert choice.widget.currentText() == shown
    choice.widget.window().resize(700, 60)
    qt_api.process_events()
    assert choice.widget.currentText() == PAIRS[0][1]
    assert choice.label == PAIRS[0][1]


def test_the_wheel_leaves_fields_without_the_focus_alone(parent: Any) -> None:
    box, slider = QtWidgets.QComboBox(parent), QtWidgets.QSlider(parent)
    box.addItems(["Remove", "Add back"])
    inner = QtWidgets.QWidget(parent)
    spin = QtWidgets.QSpinBox(inner)
    guard = WheelGuard(parent)
    assert guard.watch(parent) == 3
    parent.show()
    qt_api.process_events()
    for field, name in ((box, "currentIndex"), (slider, "value"), (spin, "value")):
        before = getattr(field, name)()
        for focused in (False, True):
            (field if focused else parent).setFocus()
            qt_api.process_events()
            place = QtCore.QPointF(4, 4)
            event = QtGui.QWheelEvent(
                place,
                field.mapToGlobal(place),
                QtCore.QPoint(),
                QtCore.QPoint(0, -120 if field is box else 120),
                QtCore.Qt.MouseButton.NoButton,
                QtCore.Qt.KeyboardModifier.NoModifier,
                QtCore.Qt.ScrollPhase.NoScrollPhase,
                False,
            )
            QtWidgets.QApplication.sendEvent(field, event)
            assert (getattr(field, name)() != before) is focused, (field, focused)
