"""The figures beside the bones, as columns of the tree: which are shown, how wide, what stands in them, in which order the rows are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from OsteoScreenLib.explain.covering import Mode
from OsteoScreenLib.ui.qt_api import Qt, QtGui, QtWidgets, get, text_width
from OsteoScreenLib.ui.tree_columns import FIGURES, Column, Scale, icon, order_by, scale_of, shown_figures
from OsteoScreenLib.workbench.effect_rows import EffectRow
from OsteoScreenLib.workbench.toggles import Toggles

BONE, OUTLINE, MODEL_SEES = range(3)
REMOVED, ADDED, PERCENTILE, SHARE, IOU = range(3, 3 + len(FIGURES))
_ORDER = 3 + len(FIGURES)  # never shown: each row's rank, by which Qt sorts
_UNKNOWN = EffectRow("bone")
_HEADS = ["Bone", "Out-\nline", "Model\nsees", *(figure.head for figure in FIGURES), ""]
_TIPS = (
    "Double-click a bone or a group to show it alone to the model. Space switches the selected rows.\nClick for anatomical order.",
    "Show the outline in the image. It changes nothing that the model is shown.",
    "Unticked bones are covered before the model looks.",
    *(f"{figure.tip}\nClick to sort by it." for figure in FIGURES),
)
_LEAST_NAME = 60
_RIGHT = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter


class FigureColumns:
    """Columns of a QTreeWidget whose first three are the name and the two boxes.

    A click on a figure's head sorts groups, and bones inside each group, by it: falling, rising, then anatomically again. Rows
    move by themselves only when all figures of that column are there, so that none slips away under the cursor.
    """

    def __init__(self, tree: Any) -> None:
        self._tree = tree
        self._items: Mapping[str, Any] = {}
        self._rows: Mapping[str, EffectRow] = {}
        self._toggles = Toggles()
        self._chosen: frozenset[str] = frozenset()
        self._sorted_by: tuple[Column, bool] | None = None  # a figure and whether it falls; None is anatomical order
        self._order: dict[str, int] = {}
        self._drawn: dict[tuple[str, int], object] = {}  # what a cell looks like now, to leave unchanged ones alone
        self._name_width = _LEAST_NAME
        self._set_up()

    def _set_up(self) -> None:
        tree, header = self._tree, self._tree.header()
        tree.setColumnCount(len(_HEADS))
        tree.setHeaderLabels(_HEADS)
        for column, tip in enumerate(_TIPS):
            tree.headerItem().setToolTip(column, tip)
            if column > MODEL_SEES:
                tree.headerItem().setTextAlignment(column, _RIGHT)
        # Fixed widths: fitting them to the contents would lay the whole tree out again at every number that comes in.
        header.setStretchLastSection(False)
        header.setMinimumSectionSize(20)
        self._widths = {column: _head_width(_HEADS[column], tree) for column in (OUTLINE, MODEL_SEES)}
        for column, figure in enumerate(FIGURES, start=REMOVED):
            widest = figure.bar_width + text_width(figure.widest, tree) + 12
            self._widths[column] = max(widest, _head_width(figure.head, tree))
        for column, width in self._widths.items():
            header.resizeSection(column, width)
        for column in range(len(_HEADS)):
            header.setSectionResizeMode(column, QtWidgets.QHeaderView.ResizeMode.Fixed)
        header.setSectionsClickable(True)
        header.sectionClicked.connect(self._on_head)
        self._show_columns()

    @property
    def shown(self) -> frozenset[str]:
        """Keys of the figures that are shown."""
        return shown_figures(self._chosen, self._toggles.mode)

    @property
    def scale(self) -> Scale:
        """Where the bars are full."""
        modes: list[Mode] = ["remove"] if "removed" in self.shown else []
        modes += ["add-back"] if "added" in self.shown else []
        return scale_of((row for name, row in self._rows.items() if name in self._items), modes)

    def choose(self, columns: frozenset[str]) -> None:
        """Show these figures, keys of `FIGURES`, and Δ of the present mode in any case. To be followed by `show`."""
        self._chosen = columns
        self._show_columns()

    def take_items(self, items: Mapping[str, Any]) -> None:
        """The tree's rows by subject, in anatomical order, newly made or newly named."""
        self._items, self._order = items, {}
        self._drawn.clear()
        indentation = 2 * int(get(self._tree, "indentation"))
        names = (
            text_width(item.text(BONE), self._tree) + (indentation if item.parent() is not None else indentation // 2)
            for item in items.values()
        )
        self._name_width = max(max(names, default=0) + 21, _LEAST_NAME)
        self.fit()

    def show(self, rows: Mapping[str, EffectRow], toggles: Toggles, absent: Mapping[str, str]) -> None:
        """Show the figures of these rows. absent : subjects of which no bone was found → what is to stand there."""
        if (toggles.mode, toggles.target) != (self._toggles.mode, self._toggles.target):
            self._drawn.clear()
        self._rows, self._toggles = rows, toggles
        self._show_columns()
        shown, scale, pixel_ratio = self.shown, self.scale, float(self._tree.devicePixelRatioF())
        for column, figure in enumerate(FIGURES, start=REMOVED):
            for subject, item in self._items.items() if figure.key in shown else ():
                if subject in absent:
                    self._show_absent(subject, item, column, absent[subject])
                else:
                    self._show_cell(subject, item, column, (figure, rows.get(subject, _UNKNOWN), scale, pixel_ratio))
        self._sort()

    def fit(self) -> None:
        """Names take what the figures leave, and at least what the longest of them needs; then the tree scrolls sideways."""
        shown = self.shown
        hidden = {REMOVED + at for at, figure in enumerate(FIGURES) if figure.key not in shown}
        taken = sum(width for column, width in self._widths.items() if column not in hidden)
        room = int(get(self._tree.viewport(), "width")) - taken
        self._tree.header().resizeSection(BONE, max(room, self._name_width))

    def _show_columns(self) -> None:
        shown = self.shown
        for column, figure in enumerate(FIGURES, start=REMOVED):
            self._tree.setColumnHidden(column, figure.key not in shown)
        self._tree.setColumnHidden(_ORDER, True)
        if self._sorted_by is not None and self._sorted_by[0].key not in shown:
            self._sorted_by = None
            self._show_heads()
        self.fit()

    def _show_absent(self, subject: str, item: Any, column: int, words: str) -> None:
        """Of a bone without a mask there is nothing to say; that is said once."""
        text = words if column == (REMOVED if self._toggles.mode == "remove" else ADDED) else ""
        if self._drawn.get((subject, column)) != text:
            self._drawn[subject, column] = text
            item.setText(column, text)
            item.setIcon(column, QtGui.QIcon())
            item.setToolTip(column, "")

    def _show_cell(self, subject: str, item: Any, column: int, looks: tuple[Column, EffectRow, Scale, float]) -> None:
        figure, row, scale, pixel_ratio = looks
        if self._drawn.get((subject, column)) == looks:
            return
        self._drawn[subject, column] = looks
        look = figure.look(row, self._toggles, scale)
        font = QtGui.QFont(get(self._tree, "font"))
        font.setItalic(look.stale)  # not struck through: a line would hide the minus sign
        font.setBold(look.strong)
        item.setFont(column, font)
        item.setText(column, look.text)
        item.setIcon(column, icon(look, pixel_ratio) or QtGui.QIcon())
        item.setToolTip(column, look.tip)

    # Order

    def _on_head(self, column: int) -> None:
        """Falling, rising, anatomical."""
        if column == BONE:
            self._sorted_by = None
        elif REMOVED <= column < _ORDER:
            figure = FIGURES[column - REMOVED]
            falling = self._sorted_by != (figure, True)
            self._sorted_by = None if self._sorted_by == (figure, False) else (figure, falling)
        else:
            return
        self._show_heads()
        self._sort(at_once=True)

    def _show_heads(self) -> None:
        for column, figure in enumerate(FIGURES, start=REMOVED):
            sign = ""
            if self._sorted_by is not None and self._sorted_by[0] is figure:
                sign = " ▾" if self._sorted_by[1] else " ▴"
            self._tree.headerItem().setText(column, f"{figure.head}{sign}")

    def _sort(self, at_once: bool = False) -> None:
        """Put the rows into their order. at_once : also while figures are on their way."""
        figure, falling = self._sorted_by or (None, False)
        mode = self._toggles.mode
        if figure is not None and not at_once and any(figure.computing(row, mode) for row in self._rows.values()):
            return
        order = order_by(figure, self._items, self._rows, mode, falling)
        if order == self._order:
            return
        self._order = order
        for name, rank in order.items():
            self._items[name].setData(_ORDER, Qt.ItemDataRole.DisplayRole, rank)
        self._tree.sortItems(_ORDER, Qt.SortOrder.AscendingOrder)


def align_figures(item: Any, brush: Any = None) -> None:
    """Figures stand at the right; brush : of their text, for a row that is greyed out."""
    for column in range(REMOVED, _ORDER):
        item.setTextAlignment(column, _RIGHT)
        if brush is not None:
            item.setForeground(column, brush)


def _head_width(head: str, tree: Any) -> int:
    return max(text_width(line, tree) for line in head.split("\n")) + 12
