"""The covering controls: they show toggles, tell each wish once, and show it when it is granted."""

from __future__ import annotations

from typing import Any

import pytest
from PySide6 import QtCore, QtTest, QtWidgets

from OsteoScreenLib.explain.covering import LARGEST_MARGIN, MODES
from OsteoScreenLib.explain.fills import FILLS
from OsteoScreenLib.ui.covering_section import CoveringSection
from OsteoScreenLib.workbench.toggles import Toggles


@pytest.fixture
def section(parent: Any) -> CoveringSection:
    made = CoveringSection(parent)
    parent.layout().addWidget(made.widget)
    parent.show()
    return made


@pytest.fixture
def told(section: CoveringSection) -> list[tuple[Any, ...]]:
    said: list[tuple[Any, ...]] = []

    def listen(event: str) -> None:
        getattr(section, event).connect(lambda *values: said.append((event, *values)))

    for name in ("mode_chosen", "fill_chosen", "margin_chosen", "all_asked", "none_asked", "only_asked", "invert_asked"):
        listen(name)
    for name in ("reset_asked", "undo_asked", "redo_asked", "hold_changed", "preview_changed"):
        listen(name)
    return said


def mode_shown(section: CoveringSection) -> list[str]:
    return [mode for mode, button in section._modes.items() if button.isChecked()]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("fill", FILLS)
def test_it_shows_toggles_and_tells_nobody(section: CoveringSection, told: list[Any], mode: Any, fill: Any) -> None:
    section.show_toggles(Toggles(mode=mode, fill=fill, margin_px=7.0), True, False)
    assert mode_shown(section) == [mode]
    assert section._fill.currentData() == fill
    assert section._margin.value() == 7
    assert section._undo.isEnabled() and not section._redo.isEnabled()
    assert told == []


def test_each_mode_is_explained(section: CoveringSection) -> None:
    section.show_toggles(Toggles(), False, False)
    assert "Unticked bones are covered" in section._mode_line.text()
    section.show_toggles(Toggles(mode="add-back"), False, False)
    assert "All bones are covered but for" in section._mode_line.text()


def test_a_mode_is_told_once_and_shown_when_granted(section: CoveringSection, told: list[Any]) -> None:
    section._modes["add-back"].click()
    assert told == [("mode_chosen", "add-back")]
    assert mode_shown(section) == ["remove"], "nobody has granted it"
    section.mode_chosen.connect(lambda mode: section.show_toggles(Toggles().with_changes(mode=mode), True, False))
    section._modes["add-back"].click()
    assert told[1:] == [("mode_chosen", "add-back")]
    assert mode_shown(section) == ["add-back"]
    section._modes["remove"].click()
    assert mode_shown(section) == ["remove"]
    assert told[2:] == [("mode_chosen", "remove")]


def test_fill_and_margin_are_told_once(section: CoveringSection, told: list[Any]) -> None:
    section._fill.setCurrentIndex(FILLS.index("inpaint"))
    assert section._fill.currentData() == "mean", "nobody has granted it"
    section._margin.stepUp()
    section.margin_chosen.connect(lambda pixels: section.show_toggles(Toggles(margin_px=pixels), True, False))
    section._margin.setFocus()
    section._margin.selectAll()
    QtTest.QTest.keyClicks(section._margin, "12")
    assert told == [("fill_chosen", "inpaint"), ("margin_chosen", 1.0)], "a number being typed is no margin yet"
    QtTest.QTest.keyClick(section._margin, QtCore.Qt.Key.Key_Return)
    assert told[2:] == [("margin_chosen", 12.0)]
    assert section._margin.value() == 12
    section._margin.setValue(LARGEST_MARGIN + 1)
    assert told[-1] == ("margin_chosen", float(LARGEST_MARGIN))


def test_every_button_asks_for_its_own_thing(section: CoveringSection, told: list[Any]) -> None:
    section.show_toggles(Toggles(), True, True)
    section.show_current("T7")
    for text in ("All", "None", "Only this", "Invert", "Undo", "Redo", "Reset"):
        button = next(b for b in section.widget.findChildren(QtWidgets.QPushButton) if b.text() == text)
        QtTest.QTest.mouseClick(button, QtCore.Qt.MouseButton.LeftButton)
    assert told == [
        ("all_asked",), ("none_asked",), ("only_asked",), ("invert_asked",), ("undo_asked",), ("redo_asked",), ("reset_asked",),
    ]  # fmt: skip


def test_only_this_says_what_this_is(section: CoveringSection) -> None:
    assert not section._only.isEnabled()
    section.show_current("right rib 5")
    assert section._only.isEnabled() and "right rib 5" in section._only.toolTip()
    section.show_current("")
    assert not section._only.isEnabled()


def test_the_untouched_image_shows_while_the_button_is_held(section: CoveringSection, told: list[Any]) -> None:
    button, left = section._hold, QtCore.Qt.MouseButton.LeftButton
    QtTest.QTest.mousePress(button, left)
    assert told == [("hold_changed", True)]
    outside = QtCore.QPoint(-50, -50)
    QtTest.QTest.mouseMove(button, outside)
    QtTest.QTest.mouseRelease(button, left, QtCore.Qt.KeyboardModifier.NoModifier, outside)
    assert told == [("hold_changed", True), ("hold_changed", False)], "also when the hand has left the button"
    QtTest.QTest.mousePress(button, left)
    section.widget.setEnabled(False)
    assert told[2:] == [("hold_changed", True), ("hold_changed", False)], "also when it is taken away meanwhile"


def test_the_preview_box(section: CoveringSection, told: list[Any]) -> None:
    section.show_preview(False)
    assert told == [] and not section._preview_box.isChecked()
    section._preview_box.click()
    section._preview_box.click()
    assert told == [("preview_changed", True), ("preview_changed", False)]


def test_it_fits_into_a_narrow_panel(section: CoveringSection) -> None:
    assert section.widget.minimumSizeHint().width() <= 360
