"""Colours: readable on light and dark, and never the only sign."""

from __future__ import annotations

from typing import Any

import pytest
from PySide6 import QtGui, QtWidgets

from OsteoScreenLib.ui.style import LEAST_CONTRAST, SIGNS, WORDS, Colours, contrast, css, mixed, readable

PALETTES = {
    "light": ("#efefef", "#000000"),
    "dark": ("#2b2b2b", "#e0e0e0"),
    "black": ("#000000", "#ffffff"),
    "white": ("#ffffff", "#202020"),
    "sepia": ("#f4ecd8", "#5b4636"),
    "weak": ("#808080", "#9a9a9a"),
}


def test_contrast_as_defined() -> None:
    assert contrast((0, 0, 0), (255, 255, 255)) == pytest.approx(21)
    assert contrast((119, 119, 119), (255, 255, 255)) == pytest.approx(4.48, abs=0.01)  # a known borderline grey
    assert contrast((10, 20, 30), (10, 20, 30)) == 1


@pytest.mark.parametrize("name", PALETTES)
def test_every_text_is_readable(parent: Any, name: str) -> None:
    window, text = (QtGui.QColor(colour) for colour in PALETTES[name])
    palette = QtGui.QPalette()
    palette.setColor(QtGui.QPalette.ColorRole.Window, window)
    palette.setColor(QtGui.QPalette.ColorRole.WindowText, text)
    widget = QtWidgets.QWidget(parent)
    widget.setPalette(palette)
    colours = Colours.of(widget)
    assert colours.window == window.getRgb()[:3]
    assert contrast(colours.dim, colours.window) >= LEAST_CONTRAST or name == "weak"
    for severity in ("info", "warning", "error"):
        tint = colours.tint(severity)
        assert contrast(tint.text, tint.background) >= LEAST_CONTRAST


@pytest.mark.parametrize("background", [(128, 128, 128), (230, 159, 0), (0, 0, 0), (255, 255, 255)])
def test_a_text_moves_only_as_far_as_it_must(background: tuple[int, int, int]) -> None:
    kept = (0, 0, 0) if sum(background) > 300 else (255, 255, 255)
    assert readable(kept, background) == kept
    assert contrast(readable(background, background), background) >= LEAST_CONTRAST


def test_severities_differ_in_sign_word_and_colour() -> None:
    colours = Colours((239, 239, 239), (0, 0, 0), (90, 90, 90), (200, 200, 200))
    assert len(set(SIGNS.values())) == len(set(WORDS.values())) == 3
    assert len({colours.tint(severity).edge for severity in SIGNS}) == 3


def test_mixing_and_css() -> None:
    assert mixed((0, 0, 0), (200, 100, 50), 0.5) == (100, 50, 25)
    assert css((0, 128, 255)) == "#0080ff"
