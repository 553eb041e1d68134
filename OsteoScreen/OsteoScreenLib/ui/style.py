"""Colours of the panel, made from the palette around it, so that light and dark windows are both readable.

A severity is never told by colour alone: `SIGNS` and `WORDS` go with it.
"""

from __future__ import annotations

from dataclasses import dataclass

from OsteoScreenLib.ui.qt_api import QtGui, Widget, get

Rgb = tuple[int, int, int]

LEAST_CONTRAST = 4.5  # of text against what lies behind it (WCAG 2.2, level AA)
SIGNS = {"info": "ℹ", "warning": "⚠", "error": "✖"}
WORDS = {"info": "Note", "warning": "Warning", "error": "Error"}

# Okabe and Ito's colour-blind-safe blue, orange and vermilion (2008).
_HUES: dict[str, Rgb] = {"info": (0, 114, 178), "warning": (230, 159, 0), "error": (213, 94, 0)}
_TINT = 0.16  # how much of the hue goes into the surface


@dataclass(frozen=True)
class Tint:
    """A coloured surface: its background, the text on it, and the edge beside it."""

    background: Rgb
    text: Rgb
    edge: Rgb


@dataclass(frozen=True)
class Colours:
    """The palette's colours that the panel builds on. dim : for text of less weight, as readable as the rest."""

    window: Rgb
    text: Rgb
    dim: Rgb
    line: Rgb

    @classmethod
    def of(cls, widget: Widget) -> Colours:
        """From a widget's palette."""
        role = QtGui.QPalette.ColorRole
        palette = get(widget, "palette")
        window, text = (_rgb(palette.color(which)) for which in (role.Window, role.WindowText))
        return cls(window, text, readable(mixed(text, window, 0.35), window), mixed(text, window, 0.75))

    def tint(self, severity: str) -> Tint:
        """The surface for "info", "warning" or "error"; another word counts as "info"."""
        hue = _HUES.get(severity, _HUES["info"])
        background = mixed(self.window, hue, _TINT)
        return Tint(background, readable(self.text, background), hue)


def mixed(one: Rgb, other: Rgb, share: float) -> Rgb:
    """`one` with `share` (0 to 1) of `other` in it."""
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(one, other, strict=True))
    return red, green, blue


def readable(text: Rgb, background: Rgb, least: float = LEAST_CONTRAST) -> Rgb:
    """The text colour, moved towards black or white until its contrast is at least `least`."""
    end = (0, 0, 0) if contrast((0, 0, 0), background) >= contrast((255, 255, 255), background) else (255, 255, 255)
    for step in range(21):
        moved = mixed(text, end, step / 20)
        if contrast(moved, background) >= least:
            return moved
    return end


def contrast(one: Rgb, other: Rgb) -> float:
    """Contrast ratio of two sRGB colours, 1 to 21 (WCAG)."""
    light, dark = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def css(colour: Rgb) -> str:
    """ "#rrggbb" for style sheets and rich text."""
    return "#{:02x}{:02x}{:02x}".format(*colour)


def qcolour(colour: Rgb) -> QtGui.QColor:
    """The same as a QColor."""
    return QtGui.QColor(*colour)


def _luminance(colour: Rgb) -> float:
    linear = [part / 3294.6 if part <= 10.31475 else ((part / 255 + 0.055) / 1.055) ** 2.4 for part in colour]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _rgb(colour: QtGui.QColor) -> Rgb:
    return int(colour.red()), int(colour.green()), int(colour.blue())
