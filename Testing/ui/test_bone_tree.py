"""The bone tree: what it shows of toggles and effects, and that each thing a reader does is told once and shown when granted."""

from __future__ import annotations

import random
import time
from typing import Any

import pytest
from PySide6 import QtCore, QtTest, QtWidgets
from ui.panel_doubles import rows_of

from OsteoScreenLib.bones.vocabulary import CHEST_FRONTAL, KNEE
from OsteoScreenLib.ui.bone_tree import BoneTree
from OsteoScreenLib.ui.effect_cells import BAR_HEIGHT, BAR_WIDTH, bar_length, bar_scale, effect_bar, effect_text, signed
from OsteoScreenLib.ui.figure_columns import ADDED, BONE, MODEL_SEES, OUTLINE, REMOVED
from OsteoScreenLib.workbench.numbers import EffectCell
from OsteoScreenLib.workbench.toggles import Toggles

Qt = QtCore.Qt
ABSENT = {"C7", "L2", "left rib 12", "right humerus", "left humerus"}
AREAS = {name: 1000 + index for index, name in enumerate(CHEST_FRONTAL.by_name) if name not in ABSENT}
SPINE = tuple(name for name in CHEST_FRONTAL.groups["Spine"] if name not in ABSENT)


class Reader:
    """Writes down what the tree tells."""

    def __init__(self, tree: BoneTree) -> None:
        self.told: list[tuple[Any, ...]] = []
        tree.covered_asked.connect(lambda names, covered: self.told.append(("cover", names, covered)))
        tree.hidden_asked.connect(lambda names, hidden: self.told.append(("hide", names, hidden)))
        tree.only_asked.connect(lambda name: self.told.append(("only", name)))
        tree.current_changed.connect(lambda name: self.told.append(("current", name)))


@pytest.fixture
def tree(parent: Any) -> BoneTree:
    made = BoneTree(parent)
    parent.layout().addWidget(made.widget)
    parent.resize(380, 1100)
    made.show_bones(CHEST_FRONTAL, AREAS, 0.0225)
    made._tree.expandAll()
    parent.show()
    QtWidgets.QApplication.processEvents()
    return made


@pytest.fixture
def reader(tree: BoneTree) -> Reader:
    return Reader(tree)


def box(tree: BoneTree, subject: str, column: int = MODEL_SEES) -> Any:
    return tree._items[subject].checkState(column)


def text(tree: BoneTree, subject: str, column: int = REMOVED) -> str:
    return tree._items[subject].text(column)


def click(tree: BoneTree, subject: str, column: int, *, double: bool = False) -> None:
    """With the mouse, in the box of a row where the column has one."""
    view = tree._tree
    view.scrollToItem(tree._items[subject])
    rect = view.visualRect(view.indexFromItem(tree._items[subject], column))
    place = QtCore.QPoint(rect.left() + 10, rect.center().y())
    QtTest.QTest.mouseClick(view.viewport(), Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, place)
    if double:
        QtTest.QTest.mouseDClick(view.viewport(), Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, place)


def current(value: float) -> EffectCell:
    return EffectCell(value, value / 10, "current")


# What is shown


def test_bones_stand_in_anatomical_order_under_their_groups(tree: BoneTree) -> None:
    view = tree._tree
    rows = [view.topLevelItem(i) for i in range(view.topLevelItemCount())]
    assert [row.data(BONE, Qt.ItemDataRole.UserRole) for row in rows] == list(CHEST_FRONTAL.groups)
    for row, members in zip(rows, CHEST_FRONTAL.groups.values(), strict=True):
        assert [row.child(i).text(BONE) for i in range(row.childCount())] == list(members)


def test_bones_that_were_not_found_are_greyed_and_have_no_boxes(tree: BoneTree) -> None:
    for subject in ("C7", "Humeri"):
        item = tree._items[subject]
        assert text(tree, subject) == "not found"
        assert item.isDisabled()
        assert item.data(MODEL_SEES, Qt.ItemDataRole.CheckStateRole) is None
        assert "Not found on this radiograph." in item.toolTip(BONE)
    assert not tree._items["T1"].isDisabled()
    assert tree._items["Spine"].text(BONE) == "Spine 13/15"
    assert tree._items["Clavicles"].text(BONE) == "Clavicles"


def test_every_name_fits_into_a_narrow_panel(tree: BoneTree) -> None:
    """At 345 pixels, what a panel 380 pixels wide leaves between its margins and scroll bar."""
    view = tree._tree
    tree.widget.setParent(None)
    tree.widget.resize(345, 400)
    tree.widget.show()
    QtWidgets.QApplication.processEvents()
    assert view.verticalScrollBar().isVisible()
    metrics = view.fontMetrics()
    for item in tree._items.values():
        cell = view.visualRect(view.indexFromItem(item, BONE))
        swatch = 0 if item.icon(BONE).isNull() else 11 + 4
        assert metrics.horizontalAdvance(item.text(BONE)) + swatch + 4 <= cell.width(), item.text(BONE)
    tree.widget.close()


def test_before_an_answer_nothing_is_called_not_found(parent: Any) -> None:
    tree = BoneTree(parent)
    tree.show_bones(CHEST_FRONTAL, {}, None)
    assert {text(tree, subject) for subject in tree._items} == {""}
    assert "press Analyse" in tree._legend.text()


def test_boxes_show_toggles(tree: BoneTree) -> None:
    tree.show_toggles(Toggles(covered=frozenset({"T4", "L2"}), hidden=frozenset(AREAS)))
    assert box(tree, "T4") == Qt.CheckState.Unchecked
    assert box(tree, "T5") == Qt.CheckState.Checked
    assert box(tree, "Spine") == Qt.CheckState.PartiallyChecked
    assert box(tree, "Sternum") == Qt.CheckState.Checked
    assert box(tree, "Spine", OUTLINE) == box(tree, "T5", OUTLINE) == Qt.CheckState.Unchecked
    tree.show_toggles(Toggles(covered=frozenset(SPINE)))
    assert box(tree, "Spine") == Qt.CheckState.Unchecked
    tree.show_toggles(Toggles(covered=frozenset({"C7", "L2"})))
    assert box(tree, "Spine") == Qt.CheckState.Checked, "bones without a mask count for nothing"


def test_effects_are_written_with_sign_and_state(tree: BoneTree) -> None:
    tree.show_rows(rows_of({
        "T1": current(1.249), "T2": current(-12.3), "T3": current(0.04), "T4": current(-0.01),
        "T5": EffectCell(state="computing"), "T6": EffectCell(2.0, 0.1, "stale"), "T7": EffectCell(state="stale"),
        "Spine": current(3.0), "C7": current(5.0),
    }))  # fmt: skip
    written = {subject: text(tree, subject) for subject in ("T1", "T2", "T3", "T4", "T5", "T6", "T7", "T8", "Spine", "C7")}
    assert written == {
        "T1": "+1.2", "T2": "−12.3", "T3": "0.0", "T4": "0.0", "T5": "…", "T6": "+2.0*", "T7": "–", "T8": "–",
        "Spine": "+3.0", "C7": "not found",
    }  # fmt: skip
    assert tree._items["T6"].font(REMOVED).italic() and not tree._items["T1"].font(REMOVED).italic()
    assert "* Of the masks before" in tree._legend.text()
    assert tree._items["T5"].icon(REMOVED).isNull() and not tree._items["T1"].icon(REMOVED).isNull()
    tree.show_rows(rows_of({"T6": current(2.0)}))
    assert text(tree, "T6") == "+2.0" and not tree._items["T6"].font(REMOVED).italic()
    assert "*" not in tree._legend.text()
    assert text(tree, "T1") == "–" and tree._items["T1"].icon(REMOVED).isNull(), "what is not named any more is not known"


def test_tooltips_say_what_a_figure_is(tree: BoneTree) -> None:
    tree.show_rows(rows_of({"right rib 5": EffectCell(1.2345, -0.0567, "current"), "T6": EffectCell(2.0, 0.1, "stale")}))
    name = tree._items["right rib 5"].toolTip(BONE)
    area = AREAS["right rib 5"]
    assert "right rib 5 (Fifth rib, right side of the patient)" in name
    assert f"Area {area:,} px, {area * 0.0225:,.0f} mm²" in name
    tip = tree._items["right rib 5"].toolTip(REMOVED)
    assert "Δ +1.23 percentage points of P(osteoporosis), log-odds −0.057" in tip
    assert "minus P(osteoporosis) with this covered" in tip
    assert "before they were changed" in tree._items["T6"].toolTip(REMOVED)
    tree.show_toggles(Toggles(mode="add-back", target="low bone mass"))
    tip = tree._items["right rib 5"].toolTip(ADDED)
    assert "P(low bone mass) with this shown alone minus P(low bone mass) with all bones covered" in tip
    tree.show_bones(CHEST_FRONTAL, AREAS, None)
    assert f"Area {area:,} px, mm² unknown" in tree._items["right rib 5"].toolTip(BONE)
    assert text(tree, "T6", ADDED) == "–"
    spine = sum(AREAS[name] for name in SPINE)
    assert f"Areas together {spine:,} px" in tree._items["Spine"].toolTip(BONE)


def test_another_radiograph_keeps_open_groups_and_the_cursor(tree: BoneTree, reader: Reader) -> None:
    tree._tree.collapseAll()
    tree._items["Spine"].setExpanded(True)
    tree._tree.setCurrentItem(tree._items["T6"])
    tree.show_rows(rows_of({"T6": current(1.0)}))
    reader.told.clear()
    tree.show_bones(CHEST_FRONTAL, dict.fromkeys(("C7", "T6", "T8"), 5), None)
    assert text(tree, "T6") == text(tree, "T8") == "–", "the former number was another radiograph's"
    tree.show_rows(rows_of({"C7": current(2.0)}))
    assert [name for name in CHEST_FRONTAL.groups if tree._items[name].isExpanded()] == ["Spine"]
    assert tree._tree.currentItem().text(BONE) == "T6"
    assert (text(tree, "C7"), text(tree, "T6"), text(tree, "T7")) == ("+2.0", "–", "not found")
    assert box(tree, "C7") == Qt.CheckState.Checked
    assert reader.told == []


# What the reader does


def test_a_click_is_told_once_and_shown_when_it_is_granted(tree: BoneTree, reader: Reader) -> None:
    click(tree, "T6", MODEL_SEES)
    click(tree, "T6", OUTLINE)
    assert [told for told in reader.told if told[0] != "current"] == [("cover", ("T6",), True), ("hide", ("T6",), True)]
    assert box(tree, "T6") == box(tree, "T6", OUTLINE) == Qt.CheckState.Checked, "nobody has granted it"
    tree.show_toggles(Toggles(covered=frozenset({"T6"})))
    assert box(tree, "T6") == Qt.CheckState.Unchecked
    click(tree, "T6", MODEL_SEES)
    assert reader.told[-1] == ("cover", ("T6",), False)


def test_a_group_is_one_thing_to_do(tree: BoneTree, reader: Reader) -> None:
    def told() -> list[tuple[Any, ...]]:
        return [told for told in reader.told if told[0] != "current"]

    click(tree, "Spine", MODEL_SEES)
    assert told() == [("cover", SPINE, True)]
    tree.show_toggles(Toggles(covered=frozenset({"T4"})))
    click(tree, "Spine", MODEL_SEES)
    assert told()[1:] == [("cover", SPINE, False)], "partly ticked becomes ticked"
    click(tree, "Humeri", MODEL_SEES)
    assert len(told()) == 2, "there is nothing to cover"


def test_granting_inside_the_event_is_what_stays(tree: BoneTree) -> None:
    """The presenter shows new toggles while the click is still being told."""
    tree.covered_asked.connect(lambda names, covered: tree.show_toggles(Toggles(covered=frozenset(names if covered else ()))))
    click(tree, "Right ribs", MODEL_SEES)
    assert box(tree, "right rib 3") == box(tree, "Right ribs") == Qt.CheckState.Unchecked
    click(tree, "right rib 3", MODEL_SEES)
    assert box(tree, "right rib 3") == Qt.CheckState.Checked


def test_a_double_click_asks_for_this_alone(tree: BoneTree, reader: Reader) -> None:
    click(tree, "T7", BONE, double=True)
    click(tree, "Spine", REMOVED, double=True)
    assert [told for told in reader.told if told[0] != "current"] == [("only", "T7"), ("only", "Spine")]
    assert tree._items["Spine"].isExpanded(), "it does not fold the group away"
    reader.told.clear()
    click(tree, "T7", MODEL_SEES, double=True)
    assert not [told for told in reader.told if told[0] == "only"], "two quick clicks into a box"


def test_the_space_key_switches_the_selected_rows(tree: BoneTree, reader: Reader) -> None:
    view = tree._tree
    view.setFocus()
    view.setCurrentItem(tree._items["T6"], BONE)
    assert reader.told == [("current", "T6")]
    reader.told.clear()
    QtTest.QTest.keyClick(view, Qt.Key.Key_Space)
    tree._items["left clavicle"].setSelected(True)
    QtTest.QTest.keyClick(view, Qt.Key.Key_Space)
    tree.show_toggles(Toggles(covered=frozenset({"T6"})))
    QtTest.QTest.keyClick(view, Qt.Key.Key_Space)
    assert reader.told == [
        ("cover", ("T6",), True),
        ("cover", ("T6", "left clavicle"), True),
        ("cover", ("T6", "left clavicle"), False),
    ]
    reader.told.clear()
    view.setCurrentItem(tree._items["T6"], OUTLINE)
    QtTest.QTest.keyClick(view, Qt.Key.Key_Space)
    assert reader.told == [("hide", ("T6",), True)], "in the outlines' column it switches outlines"


def test_the_menu_offers_what_can_be_done(tree: BoneTree, reader: Reader) -> None:
    tree.show_toggles(Toggles(covered=frozenset({"T4"})))
    entries = dict(tree._entries("Spine"))
    assert list(entries)[:4] == [
        "Show only Spine to the model", "Cover Spine", "Show Spine to the model", "Hide the outline of Spine",
    ]  # fmt: skip
    for name in list(entries)[:4]:
        entries[name]()
    assert reader.told == [("only", "Spine"), ("cover", SPINE, True), ("cover", SPINE, False), ("hide", SPINE, True)]
    assert list(dict(tree._entries("C7"))) == list(dict(tree._entries(""))) == ["Open all groups", "Close all groups"]
    tree._items["T5"].setSelected(True)
    tree._items["T6"].setSelected(True)
    assert "Cover 2 bones" in dict(tree._entries("T6"))
    assert "Cover T7" in dict(tree._entries("T7"))


def test_the_menu_opens_at_the_row(tree: BoneTree, reader: Reader) -> None:
    view = tree._tree
    place = view.visualItemRect(tree._items["T6"]).center()
    view.customContextMenuRequested.emit(place)
    actions = tree._menu.actions()
    assert [action.text() for action in actions][:2] == ["Show only T6 to the model", "Cover T6"]
    actions[1].trigger()
    tree._menu.close()
    assert reader.told[-1] == ("cover", ("T6",), True)


# Bars


def test_bars_point_the_way_of_the_sign() -> None:
    assert (signed(1.26, 1), signed(-1.26, 1), signed(-0.04, 1)) == ("+1.3", "−1.3", "0.0")
    assert effect_text(EffectCell(-100.0, -9.0, "current")) == "−100.0"
    assert bar_scale([]) == bar_scale([current(-0.2)]) == 1.0
    assert bar_scale([current(1.2), current(-4.1), EffectCell(state="computing")]) == 5.0
    assert bar_scale([current(100.0)]) == 100.0
    assert (bar_length(current(2.5), 5.0), bar_length(current(-9.0), 5.0)) == (50, -100)
    assert bar_length(EffectCell(state="computing"), 5.0) is None


@pytest.mark.parametrize("ratio", [1.0, 2.0])
@pytest.mark.parametrize("length", [60, -60])
def test_bars_are_drawn_to_their_side(qapp: Any, length: int, ratio: float) -> None:
    size = QtCore.QSize(BAR_WIDTH, BAR_HEIGHT)
    image = effect_bar(length, False, ratio).pixmap(size, ratio).toImage()
    assert (image.width(), image.height()) == (BAR_WIDTH * ratio, BAR_HEIGHT * ratio)
    row, middle = int(5 * ratio), BAR_WIDTH / 2 * ratio
    coloured = [x for x in range(image.width()) if image.pixelColor(x, row).alpha() > 200 and abs(x + 0.5 - middle) > ratio]
    reach = (BAR_WIDTH / 2 - 1) * ratio
    assert all((x - middle) * length > 0 for x in coloured)
    assert len(coloured) == pytest.approx(abs(length) / 100 * reach, abs=2 * ratio)
    hollow = effect_bar(length, True, ratio).pixmap(size, ratio).toImage()
    inside = int(middle + length / 100 * reach / 2)
    assert hollow.pixelColor(inside, row).alpha() == 0 and image.pixelColor(inside, row).alpha() == 255


def test_numbers_that_come_in_one_by_one_cost_little(tree: BoneTree) -> None:
    """The tree lives in the window's thread, which also draws the image."""
    draw = random.Random(1)
    cells: dict[str, EffectCell] = {}
    for _ in range(2):  # the first round fills the cache of bars
        times = []
        for subject in [*CHEST_FRONTAL.groups, *AREAS]:
            cells[subject] = current(draw.gauss(0, 3))
            start = time.process_time()
            tree.show_rows(rows_of(dict(cells)))
            times.append(time.process_time() - start)
    # On a quiet core 2 ms; the room is for machines that are busy with other things.
    assert sorted(times)[len(times) // 2] < 0.010
    start = time.process_time()
    tree.show_bones(CHEST_FRONTAL, dict.fromkeys(AREAS, 5), None)
    assert time.process_time() - start < 0.050


def test_a_knee_has_its_own_rows(tree: BoneTree) -> None:
    """The tree takes the rows of whatever site it is given, and gives up those of the one before."""
    tree.show_bones(KNEE, {"left femur": 900, "left tibia": 800, "left patella": 90}, 0.04)
    rows = [tree._tree.topLevelItem(place) for place in range(tree._tree.topLevelItemCount())]
    assert [row.data(BONE, Qt.ItemDataRole.UserRole) for row in rows] == list(KNEE.groups)
    assert set(tree._items) >= {*KNEE.groups, *KNEE.by_name} and "Spine" not in tree._items and "T7" not in tree._items
    tree.show_bones(CHEST_FRONTAL, AREAS, None)
    assert "Spine" in tree._items and "left patella" not in tree._items
