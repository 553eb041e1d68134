"""The heatmap's controls and the colour bar: what they show, what they tell, and where the bar's colours begin."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from PySide6 import QtCore, QtGui

from OsteoScreenLib.classifier.prediction import TARGETS
from OsteoScreenLib.exchange.colour_maps import COLOUR_MAPS, colours
from OsteoScreenLib.explain.saliency_methods import SALIENCY_METHODS
from OsteoScreenLib.ui.colour_bar import ColourBar
from OsteoScreenLib.ui.heatmap_section import HeatmapSection


@dataclass(frozen=True)
class Style:
    """The fields of `scene.heatmap.HeatStyle`, without the scene."""

    visible: bool = True
    opacity: float = 0.4
    threshold: float = 0.15
    colour_map: str = "plasma"


@pytest.fixture
def section(parent: Any) -> HeatmapSection:
    made = HeatmapSection(parent)
    parent.layout().addWidget(made.widget)
    parent.resize(380, 300)
    parent.show()
    return made


@pytest.fixture
def told(section: HeatmapSection) -> list[Any]:
    said: list[Any] = []
    section.style_changed.connect(said.append)
    section.target_chosen.connect(said.append)
    section.method_chosen.connect(said.append)
    return said


def show(
    section: HeatmapSection,
    style: Style = Style(),
    target: str = "osteoporosis",
    available: bool = True,
    method: str = "grad-cam",
) -> None:
    methods = tuple(SALIENCY_METHODS.values())
    section.show(style, target, TARGETS, method, methods, "there" if available else "none")  # type: ignore[arg-type]


def test_it_shows_the_style_and_tells_nobody(section: HeatmapSection, told: list[Any]) -> None:
    show(section, Style(True, 0.73, 0.29, "cividis"), "low bone mass")
    assert section._visible.isChecked()
    assert (section._opacity.value(), section._opacity_text.text()) == (73, "73 %")
    assert (section._threshold.value(), section._threshold_text.text()) == (29, "0.29")
    assert section._colour_map.currentText() == "Cividis"
    assert section._target_box.currentText() == "low bone mass"
    assert "Grad-CAM" in section._method.text() and "no proof" in section._method.text()
    assert told == []


def test_each_wish_is_told_once_and_changes_one_thing(section: HeatmapSection, told: list[Any]) -> None:
    style = Style()
    show(section, style)
    section._opacity.setValue(80)
    section._threshold.setValue(30)
    section._colour_map.setCurrentIndex(COLOUR_MAPS.index("viridis"))
    section._visible.click()
    assert told == [
        replace(style, opacity=0.8), replace(style, threshold=0.3), replace(style, colour_map="viridis"),
        replace(style, visible=False),
    ]  # fmt: skip


def test_a_class_is_shown_when_it_is_granted(section: HeatmapSection, told: list[Any]) -> None:
    show(section)
    section._target_box.setCurrentIndex(TARGETS.index("normal"))
    assert told == ["normal"] and section._target_box.currentText() == "osteoporosis"
    show(section, target="normal")
    assert section._target_box.currentText() == "normal"
    assert told == ["normal"]


def test_without_a_heatmap_only_the_class_can_be_chosen(section: HeatmapSection) -> None:
    show(section, available=False)
    assert section._target_box.isEnabled()
    assert not any(f.isEnabled() for f in (section._visible, section._opacity, section._threshold, section._colour_map))
    assert not section._bar.isVisible() and "no heatmap" in section._method.text()
    show(section, Style(visible=False))
    assert section._visible.isEnabled() and not section._opacity.isEnabled() and not section._bar.isVisible()
    show(section)
    assert section._bar.isVisible() and section._opacity.isEnabled()


def test_a_method_is_shown_when_it_is_granted_and_explained(section: HeatmapSection, told: list[Any]) -> None:
    keys = list(SALIENCY_METHODS)
    show(section)
    section._method_box.setCurrentIndex(keys.index("eigencam"))
    assert told == ["eigencam"] and section._method_box.currentText() == "Grad-CAM"
    show(section, method="eigencam")
    assert section._method_box.currentText() == "EigenCAM (the same for every class)"
    assert "the same for every target" in section._method.text() and "arXiv" not in section._method.text()
    assert "10.1109/IJCNN48605.2020.9206626" in section._method_box.toolTip()
    at = keys.index("rollout")
    assert "attention" in section._method_box.itemData(at, QtCore.Qt.ItemDataRole.ToolTipRole)
    assert told == ["eigencam"]


def test_only_what_the_model_can_give_is_offered(section: HeatmapSection) -> None:
    some = tuple(SALIENCY_METHODS[key] for key in ("grad-cam", "layercam"))
    section.show(Style(), "osteoporosis", TARGETS, "layercam", some, "computing")  # type: ignore[arg-type]
    offered = [section._method_box.itemText(at) for at in range(section._method_box.count())]
    assert offered == ["Grad-CAM", "LayerCAM"] and section._method.text() == "LayerCAM is being computed…"
    assert not section._opacity.isEnabled()
    section.show(Style(), "osteoporosis", TARGETS, "grad-cam", some[:1], "none")  # type: ignore[arg-type]
    assert section._method_box.count() == 1 and not section._method_box.isEnabled()


def test_before_it_is_told_a_style_it_asks_for_none(section: HeatmapSection, told: list[Any]) -> None:
    section._opacity.setValue(80)
    assert told == []


@pytest.mark.parametrize("name", COLOUR_MAPS)
@pytest.mark.parametrize("threshold", [0.0, 0.15, 0.6, 1.0])
def test_the_bar_has_the_maps_colours_from_the_threshold_on(parent: Any, name: str, threshold: float) -> None:
    bar = ColourBar(parent)
    bar.resize(257, 40)
    bar.show_colours(name, threshold)
    row = grabbed(bar)[3]
    table = colours(name).astype(int)
    for x in range(4, 253):
        share = x / 256
        difference = np.abs(row[x] - table[round(share * 255)]).max()
        if share > threshold + 0.02:
            assert difference <= 4, (x, row[x])
    if threshold > 0.1:
        hidden = row[3 : round(threshold * 250) - 3]
        assert len({tuple(colour) for colour in hidden}) <= 12, "hatched in the window's two colours and what lies between"


def test_the_bars_words_are_there_and_do_not_overlap(parent: Any) -> None:
    bar = ColourBar(parent)
    bar.resize(340, 40)
    for threshold in (0.0, 0.01, 0.15, 0.5, 0.99, 1.0):
        written: list[tuple[int, int, str]] = []
        bar.show_colours("plasma", threshold)
        bar._letter(_Pen(written), 340, round(threshold * 339))
        words = [text for _, _, text in sorted(written)]
        assert {"0", "1", "scaled within this image"} <= set(words)
        if threshold != 0.5:  # in the middle there is no room for it; the slider says it
            assert (f"{threshold:.2f}" in words) is (threshold > 0)
        spans = sorted((left, right) for left, right, _ in written)
        assert all(before[1] <= after[0] + 1 for before, after in pairwise(spans))
        assert spans[0][0] >= 0 and spans[-1][1] <= 341
    assert "cannot be compared" in bar.toolTip()


class _Pen:
    """Takes a painter's place and notes what is written where."""

    def __init__(self, written: list[tuple[int, int, str]]) -> None:
        self._written = written

    def drawText(self, rect: Any, _alignment: Any, text: str) -> None:
        self._written.append((rect.left(), rect.left() + rect.width(), text))


def grabbed(widget: Any) -> np.ndarray:
    """int (rows, columns, 3) as painted."""
    image = widget.grab().toImage().convertToFormat(QtGui.QImage.Format.Format_RGB888)
    rows = np.frombuffer(image.constBits(), np.uint8).reshape(image.height(), image.bytesPerLine())
    return rows[:, : 3 * image.width()].reshape(image.height(), image.width(), 3).astype(int)
