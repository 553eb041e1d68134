"""Words on pictures: Pillow's own typeface, a halo that keeps them readable on any grey, and no overlap."""

from __future__ import annotations

import unicodedata
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL import ImageDraw, ImageFont

Colour = tuple[int, int, int]
Box = tuple[float, float, float, float]

_SUBSTITUTES = str.maketrans(
    {"×": "x", "–": "-", "—": "-", "−": "-", "’": "'", "…": "...", "ß": "ss", "→": "to", "≥": ">=", "≤": "<="}
)


def drawable(text: str) -> str:
    """The text in letters that Pillow's built-in typeface has (ASCII, quotation marks, degree sign, middle dot)."""
    plain = unicodedata.normalize("NFKD", text.translate(_SUBSTITUTES).replace("°", "\ue000"))
    kept = "".join(letter for letter in plain if " " <= letter <= "~" or letter in "\ue000·“”")
    return kept.replace("\ue000", "°")


@lru_cache(maxsize=8)
def typeface(size: int) -> ImageFont.FreeTypeFont:
    """Pillow's built-in typeface at a size in pixels."""
    from PIL import ImageFont

    font = ImageFont.load_default(size)
    assert isinstance(font, ImageFont.FreeTypeFont)
    return font


def wrap(text: str, size: int, width: float) -> list[str]:
    """Lines no wider than `width` pixels, broken at spaces; a longer word stands alone."""
    font = typeface(size)
    lines: list[str] = []
    for word in drawable(text).split():
        if lines and font.getlength(f"{lines[-1]} {word}") <= width:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return lines


class NamePlacer:
    """Puts names on a picture and leaves out those that would cover another one or leave the picture."""

    def __init__(self, draw: ImageDraw.ImageDraw, within: Box, size: int) -> None:
        self._draw = draw
        self._within = within
        self._size = size
        self._taken: list[Box] = []

    def put(self, text: str, x: float, y: float, colour: Colour) -> bool:
        """Centre `text` at a point; False when there is no room for it."""
        plain, font = drawable(text), typeface(self._size)
        box = self._draw.textbbox((x, y), plain, font=font, anchor="mm", stroke_width=2)
        left, top, right, bottom = self._within
        if box[0] < left or box[1] < top or box[2] > right or box[3] > bottom:
            return False
        if any(box[0] < b[2] and b[0] < box[2] and box[1] < b[3] and b[1] < box[3] for b in self._taken):
            return False
        self._taken.append(box)
        light = tuple(round(channel + 0.7 * (255 - channel)) for channel in colour)
        self._draw.text((x, y), plain, font=font, anchor="mm", fill=light, stroke_width=2, stroke_fill=(0, 0, 0))
        return True
