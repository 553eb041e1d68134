"""The heatmap's controls: for which class, how strong, from where, in which colours; and the colour bar."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from OsteoScreenLib.exchange.colour_maps import COLOUR_MAPS
from OsteoScreenLib.ui.colour_bar import ColourBar
from OsteoScreenLib.ui.qt_api import Qt, QtWidgets, signals_blocked
from OsteoScreenLib.workbench.events import Event

if TYPE_CHECKING:
    from OsteoScreenLib.scene.heatmap import HeatStyle

_METHOD_WORDS = {
    "Grad-CAM": "Grad-CAM: where the network's last features speak for the class. Coarse, and no proof of a finding."
}


class HeatmapSection:
    """Shows how the heatmap is drawn and tells what the reader wants.

    style_changed : the `HeatStyle` wanted. target_chosen : the class that heatmap and Δ are to be about.
    """

    def __init__(self, parent: Any) -> None:
        self.style_changed: Event[[HeatStyle]] = Event()
        self.target_chosen: Event[[str]] = Event()
        self._style: HeatStyle | None = None
        self._targets: tuple[str, ...] = ()
        self._target = ""
        self.widget = QtWidgets.QWidget(parent)
        self._visible = QtWidgets.QCheckBox("Show heatmap", self.widget)
        self._target_box = QtWidgets.QComboBox(self.widget)
        self._method = QtWidgets.QLabel("", self.widget)
        self._opacity, self._opacity_text = self._slider(), QtWidgets.QLabel("", self.widget)
        self._threshold, self._threshold_text = self._slider(), QtWidgets.QLabel("", self.widget)
        self._colour_map = QtWidgets.QComboBox(self.widget)
        self._bar = ColourBar(self.widget)
        self._lay_out()
        self._connect()

    def _slider(self) -> Any:
        slider = QtWidgets.QSlider(Qt.Orientation.Horizontal, self.widget)
        slider.setRange(0, 100)
        slider.setPageStep(5)
        return slider

    def _lay_out(self) -> None:
        grid = QtWidgets.QGridLayout(self.widget)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setVerticalSpacing(4)
        grid.setColumnStretch(1, 1)
        grid.addWidget(self._visible, 0, 0, 1, 3)
        self._target_box.setToolTip("The class that the heatmap and every Δ are about.")
        self._row(grid, 1, "Class", self._target_box)
        self._row(grid, 2, "Opacity", self._opacity, self._opacity_text)
        self._threshold.setToolTip("Smaller values are not drawn.")
        self._row(grid, 3, "Threshold", self._threshold, self._threshold_text)
        for name in COLOUR_MAPS:
            self._colour_map.addItem(name.capitalize(), name)
        self._colour_map.setToolTip("All are perceptually uniform: equal steps in value look like equal steps.")
        self._row(grid, 4, "Colours", self._colour_map)
        grid.addWidget(self._bar, 5, 0, 1, 3)
        self._method.setWordWrap(True)
        grid.addWidget(self._method, 6, 0, 1, 3)

    def _row(self, grid: Any, row: int, text: str, field: Any, value: Any = None) -> None:
        grid.addWidget(QtWidgets.QLabel(text, self.widget), row, 0)
        grid.addWidget(field, row, 1, 1, 1 if value is not None else 2)
        if value is not None:
            value.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
            grid.addWidget(value, row, 2)

    def _connect(self) -> None:
        self._visible.toggled.connect(lambda on: self._ask(visible=bool(on)))
        self._opacity.valueChanged.connect(lambda percent: self._ask(opacity=percent / 100))
        self._threshold.valueChanged.connect(lambda percent: self._ask(threshold=percent / 100))
        self._colour_map.currentIndexChanged.connect(lambda index: self._ask(colour_map=COLOUR_MAPS[index]))
        self._target_box.currentIndexChanged.connect(self._on_target)

    def show(self, style: HeatStyle, target: str, targets: Sequence[str], method: str, available: bool) -> None:
        """Show how the heatmap is drawn.

        target, targets : the class it is for, and those that can be chosen. method : how it was made, "" when there is none.
        available : there is a heatmap; without one only the class can be chosen.
        """
        self._style, self._target = style, target
        fields = (self._visible, self._opacity, self._threshold, self._colour_map)
        with signals_blocked(self._target_box, *fields):
            if tuple(targets) != self._targets:
                self._targets = tuple(targets)
                self._target_box.clear()
                for name in self._targets:
                    self._target_box.addItem(name)
            self._target_box.setCurrentIndex(self._targets.index(target) if target in self._targets else -1)
            self._visible.setChecked(style.visible)
            self._opacity.setValue(round(100 * style.opacity))
            self._threshold.setValue(round(100 * style.threshold))
            self._colour_map.setCurrentIndex(COLOUR_MAPS.index(style.colour_map))
        for field in fields:
            field.setEnabled(available and (style.visible or field is self._visible))
        self._opacity_text.setText(f"{round(100 * style.opacity)} %")
        self._threshold_text.setText(f"{style.threshold:.2f}")
        self._bar.show_colours(style.colour_map, style.threshold)
        self._bar.setVisible(available and style.visible)
        self._method.setText(_METHOD_WORDS.get(method, method) if available else "There is no heatmap for this class yet.")

    def _ask(self, **changes: Any) -> None:
        if self._style is not None:
            self.style_changed.emit(replace(self._style, **changes))

    def _on_target(self, index: int) -> None:
        chosen = self._targets[index]
        with signals_blocked(self._target_box):
            self._target_box.setCurrentIndex(self._targets.index(self._target) if self._target in self._targets else -1)
        self.target_chosen.emit(chosen)
