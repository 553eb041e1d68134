"""The heatmap's controls: for which class, by which method, how strong, from where, in which colours; and the colour bar."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

from OsteoScreenLib.exchange.colour_maps import COLOUR_MAPS
from OsteoScreenLib.ui.colour_bar import ColourBar
from OsteoScreenLib.ui.qt_api import Qt, QtWidgets, signals_blocked
from OsteoScreenLib.workbench.events import Event

if TYPE_CHECKING:
    from OsteoScreenLib.explain.saliency_methods import SaliencyMethod
    from OsteoScreenLib.scene.heatmap import HeatStyle

_COARSE = "Coarse, and no proof of a finding."
_NO_CLASS = "the same for every class"


class HeatmapSection:
    """Shows how the heatmap is drawn and tells what the reader wants.

    style_changed : the `HeatStyle` wanted. target_chosen : the class that heatmap and Δ are to be about.
    method_chosen : the key of the saliency method that is wanted.
    """

    def __init__(self, parent: Any) -> None:
        self.style_changed: Event[[HeatStyle]] = Event()
        self.target_chosen: Event[[str]] = Event()
        self.method_chosen: Event[[str]] = Event()
        self._style: HeatStyle | None = None
        self._targets: tuple[str, ...] = ()
        self._target = ""
        self.widget = QtWidgets.QWidget(parent)
        self._visible = QtWidgets.QCheckBox("Show heatmap", self.widget)
        self._target_box = QtWidgets.QComboBox(self.widget)
        self._methods: tuple[SaliencyMethod, ...] = ()
        self._method_key = ""
        self._method_box = QtWidgets.QComboBox(self.widget)
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
        policy = QtWidgets.QSizePolicy.Policy  # a long name is cut, and never widens the panel
        self._method_box.setSizeAdjustPolicy(QtWidgets.QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self._method_box.setMinimumContentsLength(7)
        self._method_box.setSizePolicy(policy.Ignored, policy.Fixed)
        self._row(grid, 2, "Method", self._method_box)
        self._row(grid, 3, "Opacity", self._opacity, self._opacity_text)
        self._threshold.setToolTip("Smaller values are not drawn.")
        self._row(grid, 4, "Threshold", self._threshold, self._threshold_text)
        for name in COLOUR_MAPS:
            self._colour_map.addItem(name.capitalize(), name)
        self._colour_map.setToolTip("All are perceptually uniform: equal steps in value look like equal steps.")
        self._row(grid, 5, "Colours", self._colour_map)
        grid.addWidget(self._bar, 6, 0, 1, 3)
        self._method.setWordWrap(True)
        grid.addWidget(self._method, 7, 0, 1, 3)

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
        self._method_box.currentIndexChanged.connect(self._on_method)

    def show(
        self,
        style: HeatStyle,
        target: str,
        targets: Sequence[str],
        method: str,
        methods: Sequence[SaliencyMethod],
        state: Literal["there", "computing", "none"],
    ) -> None:
        """Show how the heatmap is drawn.

        target, targets : the class it is for, and those that can be chosen. method, methods : the key of the method, and the
        methods that the model can give. state : whether such a heatmap is there; without one only class and method can be chosen.
        """
        self._style, self._target, self._method_key = style, target, method
        available = state == "there"
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
        self._show_methods(tuple(methods))
        for field in fields:
            field.setEnabled(available and (style.visible or field is self._visible))
        self._opacity_text.setText(f"{round(100 * style.opacity)} %")
        self._threshold_text.setText(f"{style.threshold:.2f}")
        self._bar.show_colours(style.colour_map, style.threshold)
        self._bar.setVisible(available and style.visible)
        chosen = next((one for one in self._methods if one.key == method), None)
        self._method.setText(_words(chosen, state))

    def _show_methods(self, methods: tuple[SaliencyMethod, ...]) -> None:
        with signals_blocked(self._method_box):
            if methods != self._methods:
                self._methods = methods
                self._method_box.clear()
                for index, one in enumerate(methods):
                    self._method_box.addItem(one.title if one.class_specific else f"{one.title} ({_NO_CLASS})")
                    self._method_box.setItemData(index, f"{one.words}\n{one.paper}", Qt.ItemDataRole.ToolTipRole)
            keys = [one.key for one in methods]
            self._method_box.setCurrentIndex(keys.index(self._method_key) if self._method_key in keys else -1)
        self._method_box.setEnabled(len(methods) > 1)
        chosen = next((one for one in methods if one.key == self._method_key), None)
        self._method_box.setToolTip(
            "How the heatmap is made; only what this model can give is listed."
            + ("" if chosen is None else f"\n{chosen.title}: {chosen.words}\n{chosen.paper}")
        )

    def _on_method(self, index: int) -> None:
        chosen = self._methods[index].key
        self._show_methods(self._methods)  # as it was, until the listeners show another one
        self.method_chosen.emit(chosen)

    def _ask(self, **changes: Any) -> None:
        if self._style is not None:
            self.style_changed.emit(replace(self._style, **changes))

    def _on_target(self, index: int) -> None:
        chosen = self._targets[index]
        with signals_blocked(self._target_box):
            self._target_box.setCurrentIndex(self._targets.index(self._target) if self._target in self._targets else -1)
        self.target_chosen.emit(chosen)


def _words(method: SaliencyMethod | None, state: str) -> str:
    """What the map shows, or that there is none."""
    if method is None:
        return "There is no heatmap yet."
    if state == "there":
        return f"{method.title}: {method.words[:1].lower()}{method.words[1:]} {_COARSE}"
    return (
        f"{method.title} is being computed…" if state == "computing" else "There is no heatmap for this class and method yet."
    )
