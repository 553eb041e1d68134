"""The bone tree: which outlines the reader sees, which bones the model sees, and what each is worth to the answer."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from OsteoScreenLib.bones.quality import MaskQuality
from OsteoScreenLib.bones.vocabulary import Site
from OsteoScreenLib.ui.bone_words import area_words, full_name, swatch
from OsteoScreenLib.ui.effect_cells import BAR_HEIGHT, BAR_WIDTH, OPPOSES, SUPPORTS, meaning
from OsteoScreenLib.ui.figure_columns import BONE, MODEL_SEES, OUTLINE, FigureColumns, align_figures
from OsteoScreenLib.ui.qt_api import Qt, QtCore, QtGui, QtWidgets, get, shortcut, signals_blocked
from OsteoScreenLib.ui.quality_marks import legend, mark_of, sentences
from OsteoScreenLib.workbench.effect_rows import EffectRow
from OsteoScreenLib.workbench.events import Event
from OsteoScreenLib.workbench.toggles import Toggles

_ABSENT = QtGui.QColor(128, 128, 128)  # text of bones that were not found: grey, and readable on a light and a dark ground


class BoneTree:
    """Groups and bones, each with two boxes and the figures of its `EffectRow`.

    It shows `Toggles` and holds none: a click is told to the listeners, and the box changes when they show new toggles.

    covered_asked : (bone names, covered), once for each thing the reader does, also for a whole group.
    hidden_asked : (bone names, hidden), the same for outlines.
    only_asked : (bone or group name) the model is to see this alone. current_changed : (bone or group name, or "").
    """

    def __init__(self, parent: Any) -> None:
        self.covered_asked: Event[[tuple[str, ...], bool]] = Event()
        self.hidden_asked: Event[[tuple[str, ...], bool]] = Event()
        self.only_asked: Event[[str]] = Event()
        self.current_changed: Event[[str]] = Event()
        self._site: Site | None = None
        self._found: dict[str, tuple[str, ...]] = {}  # bone or group → the bones found that it stands for
        self._toggles = Toggles()
        self._rows: Mapping[str, EffectRow] = {}
        self._quality: Mapping[str, MaskQuality] = {}
        self._items: dict[str, Any] = {}
        self._current = ""
        self.widget = QtWidgets.QWidget(parent)
        self._tree = _Tree(self.widget)
        self._figures = FigureColumns(self._tree)
        self._tree.tell_resized(self._figures.fit)
        self._legend = QtWidgets.QLabel("", self.widget)
        self._legend.setWordWrap(True)
        layout = QtWidgets.QVBoxLayout(self.widget)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._tree, 1)
        layout.addWidget(self._legend)
        self._menu = QtWidgets.QMenu(self._tree)
        self._set_up_tree()
        self._show_legend()

    def _set_up_tree(self) -> None:
        tree = self._tree
        tree.setUniformRowHeights(True)
        tree.setExpandsOnDoubleClick(False)
        tree.setIndentation(11)
        tree.setIconSize(QtCore.QSize(BAR_WIDTH, BAR_HEIGHT))
        tree.setMinimumHeight(170)
        tree.setSelectionMode(QtWidgets.QAbstractItemView.SelectionMode.ExtendedSelection)
        tree.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        header = tree.header()
        # Fusion draws the frame of a box in a darker shade of this colour; a dark window's own would make empty boxes invisible.
        palette, plain = get(tree, "palette"), get(tree, "palette")
        palette.setColor(QtGui.QPalette.ColorRole.Window, QtGui.QColor(160, 160, 160))
        tree.setPalette(palette)
        header.setPalette(plain)
        tree.itemChanged.connect(self._on_item_changed)
        tree.itemDoubleClicked.connect(self._on_double_click)
        tree.currentItemChanged.connect(self._on_current_changed)
        tree.customContextMenuRequested.connect(self._on_context_menu)
        self._space = shortcut("Space", tree, self._switch_selected)

    # What is shown

    def show_bones(
        self,
        site: Site,
        areas: Mapping[str, int],
        pixel_mm2: float | None,
        quality: Mapping[str, MaskQuality] | None = None,
    ) -> None:
        """List a site's bones.

        areas : pixels of each bone that was found; the others are greyed out. Empty: there is no answer yet.
        pixel_mm2 : area of one pixel, None when the spacing is unknown. quality : how good each bone's mask looks.
        Effects shown before belong to other masks and are forgotten.
        """
        self._rows, self._quality = {}, quality or {}
        found = {group: tuple(name for name in members if name in areas) for group, members in site.groups.items()}
        found |= {name: (name,) if name in areas else () for name in site.by_name}
        with _quiet(self._tree):
            if (site, found) != (self._site, self._found):
                self._site, self._found = site, found
                self._build()
            for subject, item in self._items.items():
                self._describe(subject, item, areas, pixel_mm2)
            self._figures.take_items(self._items)
        self.show_toggles(self._toggles)

    def show_toggles(self, toggles: Toggles) -> None:
        """Show what is switched."""
        self._toggles = toggles
        with _quiet(self._tree):
            for subject, item in self._items.items():
                self._show_boxes(subject, item)
        self.show_rows(self._rows)

    def show_columns(self, columns: frozenset[str]) -> None:
        """Show these figures, keys of `FIGURES`; Δ of the present mode is shown in any case."""
        self._figures.choose(columns)
        self.show_rows(self._rows)

    def show_rows(self, rows: Mapping[str, EffectRow]) -> None:
        """Show the figures by bone and group name. A subject that is not named has none."""
        self._rows = rows
        words = "not found" if any(self._found.values()) else ""
        with _quiet(self._tree):
            self._figures.show(rows, self._toggles, {subject: words for subject, found in self._found.items() if not found})
        self._show_legend()

    def _build(self) -> None:
        """A row for each group and below it one for each bone. The cursor stays, and open groups stay open.

        Rows are made anew where another bone is found: a box, once there, cannot be taken away in both bindings.
        """
        assert self._site is not None
        opened = {subject for subject, item in self._items.items() if item.isExpanded()}
        self._items.clear()
        self._tree.clear()
        for group, members in self._site.groups.items():
            parent = self._add_row(self._tree, group)
            for name in members:
                self._add_row(parent, name)
            parent.setExpanded(group in opened)
        if self._current in self._items:
            self._tree.setCurrentItem(self._items[self._current])

    def _add_row(self, parent: Any, subject: str) -> Any:
        item = QtWidgets.QTreeWidgetItem(parent, [subject])
        item.setData(BONE, Qt.ItemDataRole.UserRole, subject)
        usable = Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable | Qt.ItemFlag.ItemIsUserCheckable
        if self._found[subject]:
            item.setFlags(usable)
        else:
            item.setFlags(Qt.ItemFlag.NoItemFlags)
            item.setForeground(BONE, QtGui.QBrush(_ABSENT))
        align_figures(item, None if self._found[subject] else QtGui.QBrush(_ABSENT))
        self._items[subject] = item
        return item

    def _describe(self, subject: str, item: Any, areas: Mapping[str, int], pixel_mm2: float | None) -> None:
        """Swatch, full name, area."""
        assert self._site is not None
        found = self._found[subject]
        bone = self._site.by_name.get(subject)
        if bone is not None:
            item.setIcon(BONE, swatch(bone.colour, bool(found), float(self._tree.devicePixelRatioF())))
            of_bone = [self._quality[subject]] if subject in self._quality else []
            item.setText(BONE, f"{subject}{mark_of(of_bone)}")
            lines = [full_name(bone)]
        else:
            members = self._site.groups[subject]
            some = 0 < len(found) < len(members)
            of_bone = [self._quality[name] for name in members if name in self._quality]
            count = f" {len(found)}/{len(members)}" if some else ""
            item.setText(BONE, f"{subject}{count}{mark_of(of_bone, group=True)}")
            lines = [f"{subject}: {len(found)} of {len(members)} bones found"]
            key = list(self._site.groups).index(subject) + 1
            if key <= 9:
                lines.append(f"Key {key} switches them while the image has the focus.")
        if found:
            lines.append(area_words(sum(areas[name] for name in found), pixel_mm2, bone is None))
        elif areas:
            lines.append("Not found on this radiograph.")
        lines += sentences(of_bone)
        item.setToolTip(BONE, "\n".join(lines))

    def _show_boxes(self, subject: str, item: Any) -> None:
        found = self._found[subject]
        if not found:
            return
        for column, off in ((OUTLINE, self._toggles.hidden), (MODEL_SEES, self._toggles.covered)):
            ticked = sum(name not in off for name in found)
            state = Qt.CheckState.PartiallyChecked
            if ticked in (0, len(found)):
                state = Qt.CheckState.Checked if ticked else Qt.CheckState.Unchecked
            item.setCheckState(column, state)

    def _show_legend(self) -> None:
        if not any(self._found.values()):
            self._legend.setText("No bones to switch yet: press Analyse.")
            self._legend.setToolTip("")
            return
        scale, target = self._figures.scale.points, self._toggles.target
        old = "* Of the masks before they were changed." if _any_stale(self._rows) else ""
        compared = self._progress() if "percentile" in self._figures.shown else ""
        # One second line for all of them: a third would not fit under the tree in a narrow dock.
        more = " ".join(words for words in (compared, old, legend(self._quality.values())) if words)
        self._legend.setText(
            f"<small>Bars to ±{scale:g} points. <span style='color:{SUPPORTS}'>▶</span> supports {target}, "
            f"<span style='color:{OPPOSES}'>◀</span> speaks against it.{'<br>' if more else ''}{more}</small>"
        )
        self._legend.setToolTip(meaning(self._toggles))

    def _progress(self) -> str:
        """How far the comparison with controls has come, while it goes on."""
        cells = [row.chance(self._toggles.mode) for row in self._rows.values()]
        waiting = sum(cell.state == "computing" for cell in cells)
        return f"Controls: {len(cells) - waiting} of {len(cells)} rows." if waiting else ""

    # What the reader does

    def _on_item_changed(self, item: Any, column: int) -> None:
        if column not in (OUTLINE, MODEL_SEES):
            return
        subject = _subject(item)
        ticked = item.checkState(column) == Qt.CheckState.Checked
        with _quiet(self._tree):
            self._show_boxes(subject, item)  # as it was, until the listeners show new toggles
        self._ask(column, self._found[subject], ticked)

    def _switch_selected(self) -> None:
        """Space: the selected rows' boxes, of outlines when the cursor is in their column. Partly ticked becomes ticked."""
        bones = self._bones_of(self._selected())
        column = OUTLINE if self._tree.currentColumn() == OUTLINE else MODEL_SEES
        off = self._toggles.hidden if column == OUTLINE else self._toggles.covered
        self._ask(column, bones, ticked=any(name in off for name in bones))

    def _ask(self, column: int, bones: tuple[str, ...], ticked: bool) -> None:
        if bones:
            (self.hidden_asked if column == OUTLINE else self.covered_asked).emit(bones, not ticked)

    def _on_double_click(self, item: Any, column: int) -> None:
        # Two quick clicks into a box are two clicks into a box.
        if column not in (OUTLINE, MODEL_SEES) and self._found[_subject(item)]:
            self.only_asked.emit(_subject(item))

    def _on_current_changed(self, current: Any, previous: Any) -> None:
        subject = _subject(current) if current is not None else ""
        if subject != self._current:  # the cursor also moves from column to column
            self._current = subject
            self.current_changed.emit(subject)

    def _on_context_menu(self, point: Any) -> None:
        item = self._tree.itemAt(point)
        self._menu.clear()
        for text, action in self._entries(_subject(item) if item is not None else ""):
            self._menu.addAction(text).triggered.connect(lambda checked=False, action=action: action())
        self._menu.popup(self._tree.viewport().mapToGlobal(point))

    def _entries(self, subject: str) -> list[tuple[str, Callable[[], object]]]:
        """The context menu of a row: what it says, what it does. On one of several selected rows it means all of them."""
        entries: list[tuple[str, Callable[[], object]]] = []
        if subject and self._found[subject]:
            selected = self._selected()
            subjects = selected if subject in selected else [subject]
            bones = self._bones_of(subjects)
            these = subject if len(subjects) == 1 else f"{len(bones)} bones"
            entries.append((f"Show only {subject} to the model", lambda: self.only_asked.emit(subject)))
            if not self._toggles.covered.issuperset(bones):
                entries.append((f"Cover {these}", lambda: self.covered_asked.emit(bones, True)))
            if not self._toggles.covered.isdisjoint(bones):
                entries.append((f"Show {these} to the model", lambda: self.covered_asked.emit(bones, False)))
            if not self._toggles.hidden.issuperset(bones):
                entries.append((f"Hide the outline of {these}", lambda: self.hidden_asked.emit(bones, True)))
            if not self._toggles.hidden.isdisjoint(bones):
                entries.append((f"Show the outline of {these}", lambda: self.hidden_asked.emit(bones, False)))
        entries += [("Open all groups", self._tree.expandAll), ("Close all groups", self._tree.collapseAll)]
        return entries

    def _selected(self) -> list[str]:
        return [_subject(item) for item in self._tree.selectedItems()]

    def _bones_of(self, subjects: Iterable[str]) -> tuple[str, ...]:
        """The bones found that these rows stand for, in display order, each once."""
        wanted = {name for subject in subjects for name in self._found[subject]}
        return tuple(name for name in (self._site.by_name if self._site else ()) if name in wanted)


class _Tree(QtWidgets.QTreeWidget):
    """The tree; it says when its width has changed."""

    def __init__(self, parent: Any) -> None:
        self._resized: Callable[[], None] | None = None
        QtWidgets.QTreeWidget.__init__(self, parent)

    def tell_resized(self, resized: Callable[[], None]) -> None:
        """Call this from now on."""
        self._resized = resized

    def resizeEvent(self, event: Any) -> None:
        """Fit the columns to the new width."""
        QtWidgets.QTreeWidget.resizeEvent(self, event)
        if self._resized is not None:
            self._resized()


class _quiet:
    """Within the block the tree tells nobody that it changes, and is painted once at the end."""

    def __init__(self, tree: Any) -> None:
        self._tree = tree
        self._blocked = signals_blocked(tree)

    def __enter__(self) -> None:
        self._blocked.__enter__()
        self._tree.setUpdatesEnabled(False)

    def __exit__(self, *error: Any) -> None:
        self._tree.setUpdatesEnabled(True)
        self._blocked.__exit__(*error)


def _subject(item: Any) -> str:
    return str(item.data(BONE, Qt.ItemDataRole.UserRole))


def _any_stale(rows: Mapping[str, EffectRow]) -> bool:
    return any("stale" in (row.removed.state, row.added.state, row.overlap.state) for row in rows.values())
