"""What covering a bone means and how it is done: mode, fill, margin, and the buttons for all bones at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from OsteoScreenLib.explain.covering import LARGEST_MARGIN, MODES
from OsteoScreenLib.explain.fills import FILLS
from OsteoScreenLib.ui.buttons import narrow_button
from OsteoScreenLib.ui.qt_api import QtWidgets, signals_blocked
from OsteoScreenLib.workbench.events import Event
from OsteoScreenLib.workbench.toggles import Toggles

_MODE_WORDS = {
    "remove": ("Remove", "Unticked bones are covered, overlaps included."),
    "add-back": ("Add back", "All bones are covered but for the ticked ones."),
}
_MODE_TIPS = {
    "remove": "Where bones overlap, covered wins. Δ is what the answer loses when the bone is covered.",
    "add-back": "Where bones overlap, shown wins. Δ is what the bone alone gives back to the answer.",
}
_FILL_WORDS = {
    "mean": ("Mean grey", "One grey value: the mean of the tissue between the bones."),
    "blur": ("Blurred", "The image, blurred more than a rib is wide: outlines go, brightness stays."),
    "inpaint": ("Grown in", "Grown in from the surroundings (inpainting)."),
    "noise": ("Noise", "Seeded noise with the tissue's mean and spread."),
    "black": ("Black", "Zero. Far from any radiograph, so read its numbers with care."),
    "linear": ("Linear", "Each pixel the mean of its neighbours, with a little noise (noisy linear imputation)."),
    "tokens": ("Left out", "Vision transformers only: mostly covered patches are left out, not painted; shown black."),
}


class CoveringSection:
    """Shows `Toggles` and tells what the reader wants; it holds no toggles of its own.

    mode_chosen, fill_chosen : a name from `MODES`, `FILLS`. margin_chosen : pixels.
    all_asked, none_asked : the model is to see every bone, no bone. only_asked : only the tree's current row.
    hold_changed : the button for the untouched radiograph is pressed, released. preview_changed : covered pixels are to be drawn.
    """

    def __init__(self, parent: Any) -> None:
        self.mode_chosen: Event[[str]] = Event()
        self.fill_chosen: Event[[str]] = Event()
        self.margin_chosen: Event[[float]] = Event()
        self.all_asked: Event[[]] = Event()
        self.none_asked: Event[[]] = Event()
        self.only_asked: Event[[]] = Event()
        self.invert_asked: Event[[]] = Event()
        self.reset_asked: Event[[]] = Event()
        self.undo_asked: Event[[]] = Event()
        self.redo_asked: Event[[]] = Event()
        self.hold_changed: Event[[bool]] = Event()
        self.preview_changed: Event[[bool]] = Event()
        self._toggles = Toggles()
        self._preview = True
        self.widget = QtWidgets.QWidget(parent)
        self._modes: dict[str, Any] = {}
        self._mode_line = QtWidgets.QLabel("", self.widget)
        self._fill = QtWidgets.QComboBox(self.widget)
        self._margin = QtWidgets.QSpinBox(self.widget)
        self._preview_box = QtWidgets.QCheckBox("Show what the model sees", self.widget)
        self._lay_out()
        self._connect()
        self.show_toggles(self._toggles, False, False)
        self.show_preview(self._preview)
        self.show_current("")

    def _lay_out(self) -> None:
        layout = QtWidgets.QVBoxLayout(self.widget)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        sees = QtWidgets.QHBoxLayout()
        sees.addWidget(QtWidgets.QLabel("Model sees", self.widget))
        self._all = narrow_button(sees, self.widget, "All", "Show every bone to the model.", self.all_asked.emit)
        self._none = narrow_button(sees, self.widget, "None", "Cover every bone that was found.", self.none_asked.emit)
        self._only = narrow_button(sees, self.widget, "Only this", "", self.only_asked.emit)
        self._invert = narrow_button(
            sees, self.widget, "Invert", "Cover what is shown, show what is covered.", self.invert_asked.emit
        )
        layout.addLayout(sees)
        steps = QtWidgets.QHBoxLayout()
        self._undo = narrow_button(steps, self.widget, "Undo", "Take the last switch back.", self.undo_asked.emit)
        self._redo = narrow_button(steps, self.widget, "Redo", "Do it again.", self.redo_asked.emit)
        self._reset = narrow_button(
            steps, self.widget, "Reset", "Every switch as at the beginning. It can be undone.", self.reset_asked.emit
        )
        layout.addLayout(steps)
        modes = QtWidgets.QHBoxLayout()
        modes.addWidget(QtWidgets.QLabel("Mode", self.widget))
        for mode in MODES:
            button = QtWidgets.QRadioButton(_MODE_WORDS[mode][0], self.widget)
            button.setToolTip(" ".join([_MODE_WORDS[mode][1], _MODE_TIPS[mode]]))
            self._modes[mode] = button
            modes.addWidget(button)
        modes.addStretch(1)
        layout.addLayout(modes)
        self._mode_line.setWordWrap(True)
        layout.addWidget(self._mode_line)
        paint = QtWidgets.QHBoxLayout()
        paint.addWidget(QtWidgets.QLabel("Fill", self.widget))
        for fill in FILLS:
            self._fill.addItem(_FILL_WORDS[fill][0], fill)
        paint.addWidget(self._fill, 1)
        paint.addSpacing(8)
        paint.addWidget(QtWidgets.QLabel("Margin", self.widget))
        self._margin.setRange(0, LARGEST_MARGIN)
        self._margin.setSuffix(" px")
        # While a number is being typed its digits are no margins; it counts with Enter or when the field is left.
        self._margin.setKeyboardTracking(False)
        self._margin.setToolTip("Covered masks are widened by this many pixels of the radiograph.")
        paint.addWidget(self._margin)
        layout.addLayout(paint)
        self._preview_box.setToolTip("Draw covered pixels in the image exactly as the model gets them.")
        layout.addWidget(self._preview_box)
        self._hold = QtWidgets.QPushButton("Hold to see untouched", self.widget)
        self._hold.setToolTip("While it is held, the bare radiograph is shown. In the image: hold the space bar.")
        layout.addWidget(self._hold)

    def _connect(self) -> None:
        for mode, button in self._modes.items():
            button.toggled.connect(self._chooser(mode))
        self._fill.currentIndexChanged.connect(self._on_fill)
        self._margin.valueChanged.connect(self._on_margin)
        self._preview_box.toggled.connect(self._on_preview)
        self._hold.pressed.connect(lambda: self.hold_changed.emit(True))
        self._hold.released.connect(lambda: self.hold_changed.emit(False))

    def _chooser(self, mode: str) -> Callable[[bool], None]:
        def choose(on: bool) -> None:
            if on:
                self._show_switches()  # as it was, until the listeners show new toggles
                self.mode_chosen.emit(mode)

        return choose

    def _on_fill(self, index: int) -> None:
        self._show_switches()
        self.fill_chosen.emit(FILLS[index])

    def _on_margin(self, pixels: int) -> None:
        self._show_switches()
        self.margin_chosen.emit(float(pixels))

    def _on_preview(self, on: bool) -> None:
        self._preview = bool(on)
        self.preview_changed.emit(self._preview)

    def show_toggles(self, toggles: Toggles, can_undo: bool, can_redo: bool) -> None:
        """Show what is switched, and whether there is something to take back or to do again."""
        self._toggles = toggles
        self._show_switches()
        self._undo.setEnabled(can_undo)
        self._redo.setEnabled(can_redo)

    def show_preview(self, on: bool) -> None:
        """Show whether covered pixels are drawn."""
        self._preview = on
        with signals_blocked(self._preview_box):
            self._preview_box.setChecked(on)

    def show_current(self, subject: str) -> None:
        """The bone or group that "Only this" means; "" for none."""
        self._only.setEnabled(bool(subject))
        self._only.setToolTip(
            f"Show only {subject} to the model." if subject else "Choose a bone or a group in the tree first."
        )

    def _show_switches(self) -> None:
        toggles = self._toggles
        with signals_blocked(self._fill, self._margin, *self._modes.values()):
            self._modes[toggles.mode].setChecked(True)
            self._fill.setCurrentIndex(FILLS.index(toggles.fill))
            self._margin.setValue(round(toggles.margin_px))
        self._fill.setToolTip(_FILL_WORDS[toggles.fill][1])
        self._mode_line.setText(_MODE_WORDS[toggles.mode][1])
