"""The brush beside the bones: paint or erase, its size, undo, and what becomes of the strokes."""

from __future__ import annotations

from OsteoScreenLib.ui.buttons import narrow_button
from OsteoScreenLib.ui.mask_checking import SIZES_MM, MaskChecking
from OsteoScreenLib.ui.qt_api import Qt, QtWidgets, Widget, signals_blocked, text_width
from OsteoScreenLib.ui.review_keys import ReviewKeys
from OsteoScreenLib.ui.style import Colours, css

_HINTS = {
    "brush": "Drag in the image to paint. Ctrl does the opposite for a stroke, Shift moves the image, the wheel enlarges it.",
    "editor": "Correct the bones in the editor, then come back and keep the correction.",
}


class BrushRow:
    """Shows how masks are edited in a `MaskChecking`, and changes it; to be seen only while they are edited."""

    def __init__(self, parent: Widget, checking: MaskChecking, keys: ReviewKeys) -> None:
        self._checking = checking
        self.widget = QtWidgets.QWidget(parent)
        column = QtWidgets.QVBoxLayout(self.widget)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        self._hint = QtWidgets.QLabel("", self.widget)
        self._hint.setWordWrap(True)
        column.addWidget(self._hint)
        self._tools = QtWidgets.QWidget(self.widget)
        tools = QtWidgets.QHBoxLayout(self._tools)
        tools.setContentsMargins(0, 0, 0, 0)
        self._paint = self._mode("Paint", keys.tip("Add to the bone; other bones stay as they are", "brush-erase"), False)
        self._erase = self._mode("Erase", keys.tip("Take away from the bone", "brush-erase"), True)
        self._size = QtWidgets.QSlider(Qt.Orientation.Horizontal, self._tools)
        self._size.setRange(0, len(SIZES_MM) - 1)
        self._size.setPageStep(1)
        self._size.setToolTip(f"Diameter of the brush ({keys['brush-smaller']} and {keys['brush-larger']})")
        self._size.setAccessibleName("Diameter of the brush")
        self._size.valueChanged.connect(lambda index: checking.set_brush_size(int(index)))
        self._words = QtWidgets.QLabel("", self._tools)
        self._words.setMinimumWidth(text_width("0.00 mm", self._words))
        for part, stretch in ((self._paint, 0), (self._erase, 0), (self._size, 1), (self._words, 0)):
            tools.addWidget(part, stretch)
        column.addWidget(self._tools)
        row = QtWidgets.QHBoxLayout()
        self._undo = narrow_button(row, self.widget, "Undo", keys.tip("Take the last stroke back", "brush-undo"), checking.undo)
        self._redo = narrow_button(row, self.widget, "Redo", keys.tip("Do it again", "brush-redo"), checking.redo)
        tip = "The bone's mask as the model drew it; it can be undone"
        self._reset = narrow_button(row, self.widget, "As the model", tip, checking.as_the_model_drew_it)
        narrow_button(row, self.widget, "Discard", "Throw away what was changed since “Fix”", checking.discard)
        column.addLayout(row)
        larger, smaller = (lambda by=by: checking.set_brush_size(checking.brush_size + by) for by in (1, -1))
        actions = {
            "brush-erase": lambda: checking.set_erasing(not checking.erasing),
            "brush-larger": larger,
            "brush-smaller": smaller,
            "brush-undo": checking.undo,
            "brush-redo": checking.redo,
        }
        for name, action in actions.items():
            keys.bind(name, self._tools, action)  # these keys mean nothing while there is no brush
        self.restyle()
        self.refresh()

    def restyle(self) -> None:
        """Take the palette's colours again."""
        edge = css(Colours.of(self.widget).tint("info").edge)
        for button in (self._paint, self._erase):
            button.setStyleSheet(f"QPushButton:checked {{ font-weight: bold; border: 2px solid {edge}; padding: 3px; }}")

    def refresh(self) -> None:
        """Show how masks are edited now."""
        checking = self._checking
        self.widget.setVisible(bool(checking.editing))
        self._tools.setVisible(checking.editing == "brush")
        self._hint.setText(_HINTS.get(checking.editing, ""))
        with signals_blocked(self._paint, self._erase, self._size):
            self._paint.setChecked(not checking.erasing)
            self._erase.setChecked(checking.erasing)
            self._size.setValue(checking.brush_size)
        self._words.setText(f"{SIZES_MM[checking.brush_size]:g} {checking.unit}")
        for button, on in ((self._undo, checking.can_undo), (self._redo, checking.can_redo)):
            button.setEnabled(on)
        for button in (self._undo, self._redo, self._reset):
            button.setVisible(checking.editing == "brush")

    def _mode(self, text: str, tip: str, erase: bool) -> Widget:
        button = QtWidgets.QPushButton(text, self._tools)
        button.setCheckable(True)
        button.setToolTip(tip)
        button.setMinimumWidth(text_width(text, button) + 16)
        button.clicked.connect(lambda checked=False: self._checking.set_erasing(erase))
        return button
