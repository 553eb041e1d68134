"""The section of the annotation check, on PySide6 and by PythonQt's rules: what it shows, and what it hands on."""

from __future__ import annotations

from typing import Any

import pytest
from PySide6 import QtCore, QtTest, QtWidgets
from ui.panel_doubles import ScriptedHost
from ui.review_doubles import ScriptedMasks

from OsteoScreenLib.bones.quality import Mark, MaskQuality
from OsteoScreenLib.review.mask_check import REASONS
from OsteoScreenLib.review.nouns import MaskVerdict
from OsteoScreenLib.ui.mask_check import BONE, DICE, VERDICT, MaskCheckSection
from OsteoScreenLib.ui.mask_checking import SIZES_MM
from OsteoScreenLib.ui.mask_nouns import BoneRow
from OsteoScreenLib.ui.review_keys import ReviewKeys

Key = QtCore.Qt.Key


class Masks(ScriptedMasks):
    """Three bones on the table; what is asked for is recorded."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[tuple[Any, ...]] = []

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return lambda *values: self.calls.append((name, *values))

    def lay_out(self) -> None:
        """As after `MaskChecking.open`."""
        doubtful = MaskQuality("T2", True, 0.4, (Mark("small", "It is smaller than expected."),), True)
        fixed = MaskVerdict("R1", "C-1", "T1", "fixed", 3)
        self.rows = (
            BoneRow("T1", "Spine", (230, 159, 0), fixed, 0.876, True, None),
            BoneRow("T2", "Spine", (230, 159, 0), None, 1.0, True, doubtful),
            BoneRow("sternum", "Sternum", (240, 228, 66), None, None, False, None),
        )
        self.there, self.current, self.version = True, "T2", 3
        self.tell("case")

    def tell(self, part: str) -> None:
        self.changed.emit(part)


@pytest.fixture
def masks() -> Masks:
    return Masks()


@pytest.fixture
def section(parent: Any, masks: Masks) -> MaskCheckSection:
    made = MaskCheckSection(parent, masks, ReviewKeys(ScriptedHost()))  # type: ignore[arg-type]
    parent.layout().addWidget(made.widget)
    parent.show()
    parent.activateWindow()
    QtWidgets.QApplication.processEvents()
    return made


def press(section: MaskCheckSection, key: Any, on: Any = None, held: Any = QtCore.Qt.KeyboardModifier.NoModifier) -> None:
    target = on if on is not None else section._list
    target.setFocus()
    QtTest.QTest.keyClick(target, key, held)
    QtWidgets.QApplication.processEvents()


def test_without_masks_nothing_can_be_pressed(section: MaskCheckSection) -> None:
    assert not any(button.isEnabled() for button in section._buttons.values())
    assert not section._brush.widget.isVisible() and section._list.topLevelItemCount() == 0


def test_each_bone_shows_verdict_agreement_and_doubts(section: MaskCheckSection, masks: Masks) -> None:
    masks.lay_out()
    texts = [[section._items[row.name].text(at) for at in (BONE, VERDICT, DICE)] for row in masks.rows]
    assert texts == [["T1", "✎ fixed", "0.88"], ["T2 (≈) ⚠", "", ""], ["sternum", "", ""]]
    assert "your version 3" in section._items["T1"].toolTip(VERDICT)
    assert "smaller than expected" in section._items["T2"].toolTip(BONE)
    assert "no outline" in section._items["sternum"].toolTip(BONE)
    assert section._list.currentItem() is section._items["T2"]
    words = section._words.text()
    assert words.startswith("1 of 3 bones checked. Masks: your version 3.") and "⚠" in words and "≈" in words
    assert masks.calls == [], "showing tells nobody"


def test_buttons_keys_and_clicks_are_handed_on(section: MaskCheckSection, masks: Masks) -> None:
    masks.lay_out()
    for name in ("accept", "fix"):
        section._buttons[name].click()
    for key in (Key.Key_A, Key.Key_X, Key.Key_Down, Key.Key_Up):
        press(section, key)
    section._list.setCurrentItem(section._items["sternum"])
    assert masks.calls == [("accept",), ("fix",), ("accept",), ("fix",), ("step", 1), ("step", -1), ("choose", "sternum")]


def test_a_rejection_needs_a_reason_and_gives_the_keys_back(section: MaskCheckSection, masks: Masks) -> None:
    masks.lay_out()
    left: list[int] = []
    section.left.connect(lambda: left.append(1))
    field = section._reason.lineEdit()
    press(section, Key.Key_R)
    assert masks.calls == [] and field.hasFocus()
    press(section, Key.Key_Down, on=field)
    press(section, Key.Key_Return, on=field)
    assert masks.calls == [("reject", REASONS[0])] and left == [1]
    masks.tell("current")
    assert field.text() == "", "a reason is given for one bone"
    QtTest.QTest.keyClicks(field, "axe ")
    section._buttons["reject"].click()
    assert masks.calls[1:] == [("reject", "axe")], "letters of a reason are no keys"
    press(section, Key.Key_Escape, on=field)
    assert left == [1, 1, 1]


def test_the_brush_is_there_while_masks_are_edited(section: MaskCheckSection, masks: Masks) -> None:
    masks.lay_out()
    for key in (Key.Key_E, Key.Key_Z, Key.Key_Plus):
        press(section, key)
    assert masks.calls == [], "without a brush its keys mean nothing"
    masks.editing, masks.can_undo, masks.brush_size = "brush", True, 8
    masks.tell("brush")
    QtWidgets.QApplication.processEvents()
    row = section._brush
    assert row.widget.isVisible() and section._buttons["fix"].text() == "✎ Keep"
    assert row._words.text() == f"{SIZES_MM[8]} mm" and row._size.value() == 8
    assert row._undo.isEnabled() and not row._redo.isEnabled() and row._paint.isChecked() and not row._erase.isChecked()
    press(section, Key.Key_E)
    press(section, Key.Key_Z)
    press(section, Key.Key_Z, held=QtCore.Qt.KeyboardModifier.ShiftModifier)
    press(section, Key.Key_Plus)
    press(section, Key.Key_Minus)
    row._size.setValue(2)
    row._erase.click()
    row._reset.click()
    wanted = [("set_erasing", True), ("undo",), ("redo",), ("set_brush_size", 9), ("set_brush_size", 7), ("set_brush_size", 2)]
    assert masks.calls == [*wanted, ("set_erasing", True), ("as_the_model_drew_it",)]
    masks.editing = "editor"
    masks.tell("brush")
    assert row.widget.isVisible() and not row._tools.isVisible() and not row._undo.isVisible()
    masks.editing = ""
    masks.tell("brush")
    assert not row.widget.isVisible() and section._buttons["fix"].text() == "✎ Fix"


def test_closed_it_follows_no_more(section: MaskCheckSection, masks: Masks) -> None:
    section.close()
    masks.lay_out()
    assert section._list.topLevelItemCount() == 0
