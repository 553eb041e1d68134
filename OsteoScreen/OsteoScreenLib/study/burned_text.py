"""Text as consoles and film printers burn it into radiographs: names, dates and numbers, drawn where their place is known.

`disturb.label` draws letters to make networks robust; this draws lines that name somebody, to measure what finds them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

_LINES = (
    "MUELLER^ANNA", "Meier, Anna Maria", "12.03.1951", "PID 00482917", "1951-03-12", "ST. MARY HOSPITAL", "F 072Y", "Acc 20240817-33",
    "SMITH JOHN", "14:32:07", "DOB: 03/12/1951", "Dr. O'Brien", "Ward 7B", "CHEST PA 125kV",
)  # fmt: skip


@dataclass(frozen=True)
class BurnedText:
    """An image with text on it. pixels : float32 (rows, columns) in [0, 1]. ink : bool of the same shape, where letters can be seen."""

    pixels: np.ndarray
    ink: np.ndarray


def burn_text(pixels: np.ndarray, rng: np.random.Generator) -> BurnedText:
    """One to three lines of text somewhere on a copy of an image, most often near a corner.

    Letters are 1.1 to 3.5 % of the longer side high and at least 9 pixels; white, light grey or black, whatever stands out; sharp or
    smooth; now and then on a plate, and one text in ten runs upwards.
    """
    ink = _drawn(rng, max(9, int(rng.uniform(0.011, 0.035) * max(pixels.shape))))
    if rng.random() < 0.1:
        ink = np.rot90(ink)
    rows, columns = ink.shape
    if rows > pixels.shape[0] - 4 or columns > pixels.shape[1] - 4:
        return burn_text(pixels, rng)
    row, column = (_place(rng, whole, part) for whole, part in zip(pixels.shape, ink.shape, strict=True))
    box = slice(row, row + rows), slice(column, column + columns)
    copy = pixels.copy()
    grey = float(rng.choice([1.0, 1.0, 0.85, 0.0]))
    under = float(np.median(copy[box]))
    if abs(under - grey) < 0.25:
        grey = 1.0 if under < 0.5 else 0.0
    if rng.random() < 0.15:
        copy[max(0, row - 4) : row + rows + 4, max(0, column - 4) : column + columns + 4] = 1 - grey
    before = copy[box].copy()
    copy[box] = before * (1 - ink) + grey * ink
    seen = np.zeros(pixels.shape, bool)
    seen[box] = (ink > 0.5) & (np.abs(copy[box] - before) > 0.1)
    return BurnedText(copy, seen)


def _drawn(rng: np.random.Generator, height: int) -> np.ndarray:
    """Lines of text, float32 (rows, columns) from 0 to 1, cut to their ink."""
    lines = [_LINES[i] for i in rng.choice(len(_LINES), int(rng.integers(1, 4)), replace=False)]
    image = _plotted(lines, height, rng) if rng.random() < 0.4 else _printed(lines, height, rng)
    rows, columns = np.nonzero(image > 0.3)
    return np.asarray(image[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1])


def _plotted(lines: list[str], height: int, rng: np.random.Generator) -> np.ndarray:
    """In strokes of one width, as older consoles do."""
    import cv2

    scale, width = height / 22, max(1, round(height / rng.uniform(8, 14)))
    wide = max(cv2.getTextSize(line, cv2.FONT_HERSHEY_SIMPLEX, scale, width)[0][0] for line in lines)
    plate = np.zeros((int(1.5 * height) * len(lines) + height, wide + 4), np.uint8)
    smooth = cv2.LINE_AA if rng.random() < 0.5 else cv2.LINE_8
    for number, line in enumerate(lines):
        place = (2, height + number * int(1.5 * height))
        cv2.putText(plate, line, place, cv2.FONT_HERSHEY_SIMPLEX, scale, 255, width, smooth)
    return plate.astype(np.float32) / 255


def _printed(lines: list[str], height: int, rng: np.random.Generator) -> np.ndarray:
    """In an outline font."""
    from PIL import Image, ImageDraw, ImageFont

    font = ImageFont.load_default(int(height * 1.35))
    wide = int(max(font.getlength(line) for line in lines)) + 4
    plate = Image.new("L", (wide, int(1.6 * height * len(lines)) + height))
    draw = ImageDraw.Draw(plate)
    draw.fontmode = "L" if rng.random() < 0.5 else "1"
    for number, line in enumerate(lines):
        draw.text((2, number * 1.6 * height), line, fill=255, font=font)
    return np.asarray(plate, np.float32) / 255


def _place(rng: np.random.Generator, whole: int, part: int) -> int:
    """The first row or column of a text, seven times in ten near an edge."""
    if rng.random() < 0.7:
        margin = rng.uniform(0.01, 0.06) * whole
        start = margin if rng.random() < 0.5 else whole - part - margin
    else:
        start = rng.uniform(0, whole - part)
    return int(min(max(0, start), whole - part))
