"""The check of a case's masks: its bones with the verdicts on them, accept, fix and reject, and the brush while a bone is fixed."""

from __future__ import annotations

from functools import partial
from typing import Any

from OsteoScreenLib.events import Event
from OsteoScreenLib.review.mask_check import REASONS
from OsteoScreenLib.ui.bone_words import swatch
from OsteoScreenLib.ui.brush_row import BrushRow
from OsteoScreenLib.ui.buttons import narrow_button
from OsteoScreenLib.ui.mask_checking import MaskChecking
from OsteoScreenLib.ui.mask_nouns import BoneRow
from OsteoScreenLib.ui.qt_api import Qt, QtWidgets, Widget, get, signals_blocked, single_shot, text_width
from OsteoScreenLib.ui.quality_marks import legend, mark_of, sentences
from OsteoScreenLib.ui.review_keys import ReviewKeys
from OsteoScreenLib.ui.style import Colours, css
from OsteoScreenLib.ui.text_guard import TextGuard

BONE, VERDICT, DICE = range(3)
SIGNS = {"accepted": "✓", "fixed": "✎", "rejected": "✖"}
_HEADS = ("Bone", "Verdict", "Dice")
_DICE_TIP = (
    "How much a corrected mask agrees with the model's own (Dice): 1 is the same, 0 nothing. Empty where nothing was changed."
)
LEAST_HEIGHT = 150


class MaskCheckSection:
    """Shows a `MaskChecking` and hands on what the reader does; it holds nothing of the case.

    keys : binds the keys whose names begin with "mask-" and "brush-"; they act while the section is to be seen.
    left : the reader leaves the reason for the image.
    """

    def __init__(self, parent: Widget, checking: MaskChecking, keys: ReviewKeys) -> None:
        self.left: Event[[]] = Event()
        self._checking = checking
        self._items: dict[str, Any] = {}
        self.widget = QtWidgets.QWidget(parent)
        self._guard = TextGuard(self.widget, self.left.emit)
        column = QtWidgets.QVBoxLayout(self.widget)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        self._words = QtWidgets.QLabel("", self.widget)
        self._words.setWordWrap(True)
        self._words.setTextFormat(Qt.TextFormat.PlainText)
        column.addWidget(self._words)
        self._list = self._make_list()
        column.addWidget(self._list, 1)
        row = QtWidgets.QHBoxLayout()
        self._buttons = {
            name: narrow_button(row, self.widget, words, keys.tip(tip, f"mask-{name}"), action)
            for name, words, tip, action in (
                (
                    "accept",
                    f"{SIGNS['accepted']} Accept",
                    "The outline is right as it is now, and on to the next bone",
                    checking.accept,
                ),
                ("fix", f"{SIGNS['fixed']} Fix", "Correct the outline by hand", checking.fix),
                ("reject", f"{SIGNS['rejected']} Reject", "The outline is wrong and is left so; say why", self._reject),
            )
        }
        self._fix_tips = tuple(
            keys.tip(tip, "mask-fix") for tip in ("Correct the outline by hand", "Save the correction and go on")
        )
        column.addLayout(row)
        self._rejecting = single_shot(self.widget, 0, self._reject)
        self._reason = self._make_reason(keys)
        column.addWidget(self._reason)
        self._brush = BrushRow(self.widget, checking, keys)
        column.addWidget(self._brush.widget)
        for name, action in (
            ("mask-next", partial(checking.step, 1)),
            ("mask-previous", partial(checking.step, -1)),
            ("mask-accept", checking.accept),
            ("mask-fix", checking.fix),
            ("mask-reject", self._reject),
        ):
            keys.bind(name, self.widget, action)
        self._end = checking.changed.connect(self._on_changed)
        self.restyle()
        self._on_changed("case")

    def restyle(self) -> None:
        """Take the palette's colours again."""
        self._words.setStyleSheet(f"color: {css(Colours.of(self.widget).text)};")
        self._brush.restyle()

    def close(self) -> None:
        """Listen no more."""
        self._end()
        self._rejecting.close()
        self._guard.close()

    # What is shown

    def _on_changed(self, part: str) -> None:
        if part in ("case", "bones"):
            self._show_rows()
        if part in ("case", "current"):
            self._show_current()
        self._brush.refresh()
        there, editing = self._checking.there, self._checking.editing
        for button in self._buttons.values():
            button.setEnabled(there)
        self._reason.setEnabled(there)
        self._list.setEnabled(there)
        self._buttons["fix"].setText(f"{SIGNS['fixed']} Keep" if editing else f"{SIGNS['fixed']} Fix")
        self._buttons["fix"].setToolTip(self._fix_tips[1 if editing else 0])

    def _show_rows(self) -> None:
        rows = self._checking.rows
        with signals_blocked(self._list):
            if tuple(row.name for row in rows) != tuple(self._items):
                self._list.clear()
                self._items = {row.name: QtWidgets.QTreeWidgetItem(self._list, [row.name]) for row in rows}
            for row in rows:
                self._show_row(self._items[row.name], row)
        judged = sum(row.verdict is not None for row in rows)
        masks = f"your version {self._checking.version}" if self._checking.version else "the model's own"
        if not rows:
            self._words.setText("No masks are on the table.")
        else:
            signs = legend(row.quality for row in rows if row.quality is not None)
            self._words.setText(f"{judged} of {len(rows)} bones checked. Masks: {masks}. {signs}".strip())

    def _show_row(self, item: Any, row: BoneRow) -> None:
        item.setData(BONE, Qt.ItemDataRole.UserRole, row.name)
        item.setIcon(BONE, swatch(row.colour, row.drawn, float(self._list.devicePixelRatioF())))
        looks = [row.quality] if row.quality is not None else []
        item.setText(BONE, f"{row.name}{mark_of(looks)}")
        lines = [*sentences(looks), *([] if row.drawn else ["It has no outline: accept that, or draw it."])]
        item.setToolTip(BONE, "\n".join([f"{row.name}, {row.group}", *lines]))
        verdict = row.verdict
        item.setText(VERDICT, f"{SIGNS[verdict.verdict]} {verdict.verdict}" if verdict is not None else "")
        of_whom = f" (your version {verdict.version})" if verdict is not None and verdict.version else ""
        why = f": {verdict.reason}" if verdict is not None and verdict.reason else ""
        item.setToolTip(VERDICT, f"{verdict.verdict}{of_whom}{why}" if verdict is not None else "Not checked yet")
        item.setText(DICE, "" if row.dice in (None, 1.0) else f"{row.dice:.2f}")
        item.setToolTip(DICE, _DICE_TIP)

    def _show_current(self) -> None:
        item = self._items.get(self._checking.current)
        with signals_blocked(self._list, self._reason, self._reason.lineEdit()):
            if item is not None:
                self._list.setCurrentItem(item)
                self._list.scrollToItem(item)
            self._reason.setCurrentIndex(0)  # a reason is given for one bone

    # What the reader does

    def _on_item(self, current: Any, previous: Any) -> None:
        if current is not None:
            self._checking.choose(str(current.data(BONE, Qt.ItemDataRole.UserRole)))

    def _reject(self) -> None:
        """With a reason the bone is rejected; without one the cursor goes where it is written."""
        reason = str(get(self._reason.lineEdit(), "text")).strip()
        if not reason:
            self._reason.lineEdit().setFocus(Qt.FocusReason.ShortcutFocusReason)
            return
        self._checking.reject(reason)
        self.left.emit()

    def _make_list(self) -> Widget:
        made = QtWidgets.QTreeWidget(self.widget)
        made.setHeaderLabels(list(_HEADS))
        made.setRootIsDecorated(False)
        made.setUniformRowHeights(True)
        made.setMinimumHeight(LEAST_HEIGHT)
        made.setAccessibleName("Bones and the verdicts on their masks")
        header = made.header()
        header.setStretchLastSection(False)
        header.setSectionResizeMode(BONE, QtWidgets.QHeaderView.ResizeMode.Stretch)
        for part, widest in ((VERDICT, f"{SIGNS['accepted']} accepted"), (DICE, "0.00 Dice")):
            header.setSectionResizeMode(part, QtWidgets.QHeaderView.ResizeMode.Fixed)
            header.resizeSection(part, text_width(widest, made) + 16)
        made.headerItem().setToolTip(DICE, _DICE_TIP)
        made.currentItemChanged.connect(self._on_item)
        return made

    def _make_reason(self, keys: ReviewKeys) -> Widget:
        box = QtWidgets.QComboBox(self.widget)
        box.setEditable(True)
        box.setInsertPolicy(QtWidgets.QComboBox.InsertPolicy.NoInsert)
        box.setSizeAdjustPolicy(QtWidgets.QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        box.setMinimumContentsLength(12)
        box.setCompleter(None)  # it would turn a reader's own words into one of these
        box.addItem("")
        for reason in REASONS:
            box.addItem(reason)
        tip = "Why the outline is rejected: choose with the arrow keys or write, then Enter"
        box.setToolTip(keys.tip(tip, "mask-reject"))
        box.setAccessibleName(tip)
        field = box.lineEdit()
        field.setPlaceholderText("Reason for a rejection")
        self._guard.watch(field)
        field.returnPressed.connect(lambda: self._rejecting.start())  # an editable box tells of one Enter twice
        return box
