"""The columns of figures in the bone tree: which are shown, what stands in them, and in which order they put the rows."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from PySide6 import QtCore, QtTest, QtWidgets
from ui.panel_doubles import bone_areas, overlap_of, rows, rows_of

from OsteoScreenLib.bones.vocabulary import CHEST_FRONTAL
from OsteoScreenLib.explain.chance import against_chance
from OsteoScreenLib.ui.bone_tree import BoneTree
from OsteoScreenLib.ui.effect_cells import BAR_HEIGHT, SHARE_WIDTH, share_bar
from OsteoScreenLib.ui.figure_columns import ADDED, BONE, IOU, MODEL_SEES, PERCENTILE, REMOVED, SHARE
from OsteoScreenLib.ui.table import COLUMNS
from OsteoScreenLib.ui.tree_columns import FIGURES, order_by, shown_figures
from OsteoScreenLib.workbench.effect_rows import ChanceCell, EffectRow, OverlapCell
from OsteoScreenLib.workbench.numbers import EffectCell
from OsteoScreenLib.workbench.toggles import Toggles

Qt = QtCore.Qt
ALL = frozenset(COLUMNS)


@pytest.fixture
def tree(parent: Any) -> BoneTree:
    made = BoneTree(parent)
    parent.layout().addWidget(made.widget)
    parent.resize(420, 900)
    made.show_bones(CHEST_FRONTAL, bone_areas(), 0.02)
    parent.show()
    QtWidgets.QApplication.processEvents()
    return made


def shown(tree: BoneTree) -> list[int]:
    return [column for column in range(REMOVED, IOU + 1) if not tree._tree.isColumnHidden(column)]


def names(tree: BoneTree, group: str = "") -> list[str]:
    """The groups from the top, or the bones of one."""
    root = tree._items[group] if group else tree._tree.invisibleRootItem()
    return [root.child(at).data(BONE, Qt.ItemDataRole.UserRole) for at in range(root.childCount())]


def cell(tree: BoneTree, subject: str, column: int) -> tuple[str, str]:
    item = tree._items[subject]
    return item.text(column), item.toolTip(column)


def press(tree: BoneTree, column: int) -> None:
    """With the mouse, on the head of a column."""
    header = tree._tree.header()
    place = QtCore.QPoint(header.sectionViewportPosition(column) + 20, header.height() // 2)
    QtTest.QTest.mouseClick(header.viewport(), Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, place)


def chance(percentile: int, state: Any = "current") -> ChanceCell:
    """A cell whose effect, zero, lies above so many of twenty controls."""
    return ChanceCell(against_chance(0.0, [-1.0] * percentile + [1.0] * (20 - percentile)), state)


# Which columns


def test_the_present_modes_difference_is_always_there_and_the_others_by_choice(tree: BoneTree) -> None:
    tree.show_columns(frozenset({"percentile"}))
    assert shown(tree) == [REMOVED, PERCENTILE]
    tree.show_toggles(Toggles(mode="add-back"))
    assert shown(tree) == [ADDED, PERCENTILE]
    tree.show_columns(ALL)
    assert shown(tree) == [REMOVED, ADDED, PERCENTILE, SHARE, IOU]
    tree.show_columns(frozenset())
    assert shown(tree) == [ADDED]
    assert [figure.key for figure in FIGURES] == list(COLUMNS)
    assert shown_figures(frozenset({"iou"}), "remove") == {"iou", "removed"}


@pytest.mark.parametrize("width", [400, 500])
def test_the_first_columns_need_no_scrolling_in_a_narrow_dock(tree: BoneTree, parent: Any, width: int) -> None:
    parent.layout().setContentsMargins(0, 0, 0, 0)
    parent.resize(width - 20, 700)  # margins of the panel and of its section
    tree.show_columns(frozenset({"percentile"}))
    tree._tree.expandAll()
    tree.show_rows(rows())
    QtWidgets.QApplication.processEvents()
    assert not tree._tree.horizontalScrollBar().isVisible()
    tree.show_columns(ALL)
    QtWidgets.QApplication.processEvents()
    view = tree._tree
    for subject, item in tree._items.items():
        for column in (BONE, *range(REMOVED, IOU + 1)):
            room = view.visualRect(view.indexFromItem(item, column)).width()
            icon = item.icon(column)
            wide = 0 if icon.isNull() else icon.actualSize(view.iconSize()).width() + 4
            font = item.font(column) if column != BONE else view.font()
            from PySide6.QtGui import QFontMetrics

            text = QFontMetrics(font).horizontalAdvance(item.text(column))
            assert text + wide + 4 <= room or not item.text(column), (subject, column, item.text(column))


# What stands in them


def test_every_figure_is_written_and_explained(tree: BoneTree) -> None:
    tree.show_columns(ALL)
    over = OverlapCell(overlap_of("T6", 0.123), "current")
    row = EffectRow("bone", EffectCell(1.25, 0.1, "current"), chance(20), EffectCell(-3.0, -0.2, "current"), chance(3), over)
    tree.show_rows({"T6": row})
    assert cell(tree, "T6", REMOVED)[0] == "+1.2" and cell(tree, "T6", ADDED)[0] == "−3.0"
    assert "with this covered" in cell(tree, "T6", REMOVED)[1] and "with this shown alone" in cell(tree, "T6", ADDED)[1]
    text, tip = cell(tree, "T6", PERCENTILE)
    assert text == "95" and tree._items["T6"].font(PERCENTILE).bold()
    assert "Percentile 95.2" in tip and "20 controls" in tip and "p 0.048 one-sided" in tip and "generous" not in tip
    text, tip = cell(tree, "T6", SHARE)
    assert text == "12.3" and "12.3 %" in tip and "1.50 times what chance would give" in tip
    assert cell(tree, "T6", IOU)[0] == "0.04" and "IoU" in cell(tree, "T6", IOU)[1]
    assert not any(tree._items["T6"].icon(column).isNull() for column in range(REMOVED, IOU + 1)), "each with its bar"
    tree.show_toggles(Toggles(mode="add-back"))
    text, tip = cell(tree, "T6", PERCENTILE)
    assert text == "14" and not tree._items["T6"].font(PERCENTILE).bold() and "too generous" in tip


def test_what_is_computed_what_has_no_room_and_what_is_not_known_look_different(tree: BoneTree) -> None:
    tree.show_columns(ALL)
    tree.show_rows({
        "T6": EffectRow("bone", removed_chance=ChanceCell(state="computing"), overlap=OverlapCell(state="computing")),
        "T7": EffectRow("bone", removed_chance=ChanceCell(state="no room"), overlap=OverlapCell(replace(overlap_of("T7", 0.1), iou_otsu=None), "current")),
        "T8": EffectRow("bone", EffectCell(2.0, 0.1, "stale"), chance(20, "stale"), overlap=OverlapCell(overlap_of("T8", 0.1), "stale")),
    })  # fmt: skip
    assert [cell(tree, name, PERCENTILE)[0] for name in ("T6", "T7", "T8", "T9")] == ["…", "n/a", "95*", "–"]
    assert "background" in cell(tree, "T6", PERCENTILE)[1] and "no control" in cell(tree, "T7", PERCENTILE)[1].lower()
    assert [cell(tree, name, IOU)[0] for name in ("T6", "T7", "T8", "T9")] == ["…", "–", "0.03*", "–"]
    assert "Not defined" in cell(tree, "T7", IOU)[1] and "There is no heatmap" in cell(tree, "T9", IOU)[1]
    assert cell(tree, "C7", REMOVED)[0] == "not found" and cell(tree, "C7", SHARE)[0] == ""
    for column in (REMOVED, PERCENTILE, SHARE):
        assert tree._items["T8"].font(column).italic() and "before they were changed" in cell(tree, "T8", column)[1]
    assert "* Of the masks before" in tree._legend.text()


def test_the_legend_says_how_far_the_comparison_has_come(tree: BoneTree) -> None:
    tree.show_columns(frozenset({"percentile"}))
    waiting = rows("computing")
    tree.show_rows(waiting)
    assert f"Controls: 0 of {len(waiting)} rows" in tree._legend.text()
    some = {**waiting, "T6": replace(waiting["T6"], removed_chance=chance(4))}
    tree.show_rows(some)
    assert f"1 of {len(waiting)} rows" in tree._legend.text()
    tree.show_rows(rows())
    assert "Compared" not in tree._legend.text()
    tree.show_columns(frozenset())
    tree.show_rows(waiting)
    assert "Compared" not in tree._legend.text()


# Order


def test_a_click_on_a_head_sorts_groups_and_bones_inside_them(tree: BoneTree) -> None:
    tree.show_columns(ALL)
    given = rows()
    tree.show_rows(given)
    tree._items["Spine"].setExpanded(True)
    tree._tree.setCurrentItem(tree._items["T6"])
    press(tree, REMOVED)
    points = [given[name].removed.delta_points for name in names(tree)]
    assert points == sorted(points, reverse=True) and names(tree) != list(CHEST_FRONTAL.groups)  # type: ignore[type-var]
    bones = [name for name in names(tree, "Spine") if name not in {"C7", "L2"}]
    inside = [given[name].removed.delta_points for name in bones]
    assert inside == sorted(inside, reverse=True) and set(names(tree, "Spine")) == set(CHEST_FRONTAL.groups["Spine"])  # type: ignore[type-var]
    assert "▾" in tree._tree.headerItem().text(REMOVED)
    assert tree._items["Spine"].isExpanded() and tree._tree.currentItem() is tree._items["T6"]
    press(tree, REMOVED)
    points = [given[name].removed.delta_points for name in names(tree)]
    assert points == sorted(points) and "▴" in tree._tree.headerItem().text(REMOVED)  # type: ignore[type-var]
    press(tree, REMOVED)
    assert names(tree) == list(CHEST_FRONTAL.groups) and names(tree, "Spine") == list(CHEST_FRONTAL.groups["Spine"])
    for column in (ADDED, PERCENTILE, SHARE, IOU):
        press(tree, column)
        assert "▾" in tree._tree.headerItem().text(column)
    press(tree, MODEL_SEES)
    assert "▾" in tree._tree.headerItem().text(IOU), "boxes are no figures"
    press(tree, BONE)
    assert names(tree) == list(CHEST_FRONTAL.groups) and "▾" not in tree._tree.headerItem().text(IOU)


def test_rows_stay_where_they_are_while_figures_come_in(tree: BoneTree) -> None:
    tree.show_columns(frozenset({"percentile"}))
    every = {name: row for name, row in rows().items() if name in CHEST_FRONTAL.groups}
    tree.show_rows(every)
    press(tree, PERCENTILE)
    order = names(tree)
    turned = {name: replace(row, removed_chance=chance(at)) for at, (name, row) in enumerate(every.items())}
    tree.show_rows({**turned, "Spine": replace(turned["Spine"], removed_chance=ChanceCell(state="computing"))})
    assert names(tree) == order, "one is still on its way"
    tree.show_rows(turned)
    assert names(tree) == list(every)[::-1]
    tree.show_rows({**turned, "Spine": replace(turned["Spine"], removed_chance=ChanceCell(state="no room"))})
    assert names(tree)[-1] == "Spine", "what has no figure comes last"


def test_another_radiograph_and_another_mode_keep_the_order(tree: BoneTree) -> None:
    tree.show_columns(ALL)
    tree.show_rows(rows())
    press(tree, SHARE)
    tree.show_bones(CHEST_FRONTAL, dict.fromkeys(("T6", "left rib 5", "sternum"), 5), None)
    few = rows_of(dict.fromkeys(("Spine", "T6", "Left ribs"), EffectCell(1.0, 0.1, "current")), overlap={
        "Left ribs": OverlapCell(overlap_of("Left ribs", 0.4), "current"), "Spine": OverlapCell(overlap_of("Spine", 0.1), "current"),
    })  # fmt: skip
    tree.show_rows(few)
    assert names(tree)[:2] == ["Left ribs", "Spine"]
    tree.show_columns(frozenset())
    tree.show_rows(few)
    assert names(tree) == list(CHEST_FRONTAL.groups), "nobody can see what they were sorted by"


def test_sorting_keeps_the_order_of_equals_and_puts_the_unknown_last() -> None:
    column = FIGURES[0]
    known = rows_of(
        {
            "a": EffectCell(1.0, 0, "current"),
            "b": EffectCell(),
            "c": EffectCell(3.0, 0, "current"),
            "d": EffectCell(1.0, 0, "current"),
        }
    )
    assert sorted(known, key=order_by(column, known, known, "remove", True).__getitem__) == ["c", "a", "d", "b"]
    assert sorted(known, key=order_by(column, known, known, "remove", False).__getitem__) == ["a", "d", "c", "b"]
    assert list(order_by(None, known, known, "remove", True)) == list(known)


# Bars


@pytest.mark.parametrize("ratio", [1.0, 2.0])
def test_one_sided_bars_are_as_long_as_they_say(qapp: Any, ratio: float) -> None:
    size = QtCore.QSize(SHARE_WIDTH, BAR_HEIGHT)
    for length in (0, 40, 100):
        image = share_bar(length, False, -1, ratio).pixmap(size, ratio).toImage()
        row = int(5 * ratio)
        filled = [x for x in range(image.width()) if image.pixelColor(x, row).alpha() > 200]
        assert len(filled) == pytest.approx(length / 100 * SHARE_WIDTH * ratio, abs=ratio)
        assert filled == list(range(len(filled)))
    marked = share_bar(10, False, 95, 1.0).pixmap(size).toImage()
    columns = np.array([marked.pixelColor(x, 5).alpha() for x in range(marked.width())])
    assert columns[: SHARE_WIDTH // 2].any() and columns[round(0.95 * SHARE_WIDTH) - 1 :].any() and not columns[8:15].any()
