"""Where letters stand in a radiograph's pixels, and how they are blacked out.

Letters that a program drew differ from anatomy in what a few filters see: thin strokes of one single grey with sharp edges, of one
height, side by side. Strokes are what a morphological top-hat leaves; connected ones become candidates for letters, and letters in a row
become text. No network, no language: the measure is to miss little. A single letter, as a side marker is, is no text.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from OsteoScreenLib.radiograph.grey import GreyImage

LONGEST, AT_LEAST = 2400, 1400  # images are looked at in a size between these: small letters enlarged, large ones reduced
_CONTRAST = 0.12  # least difference of a stroke from what is around it, of the range shown
_HEIGHTS = (6, 120)  # of letters, in pixels of the reduced image
_SPACE = 1.5  # widest gap between letters of a line, in their heights
_SAME_GREY = 0.04  # letters of a line differ by less
_STRONG = 0.35  # a contrast that bone does not have
_OVER_UNREST = 3.0  # a stroke's contrast, in the median deviation of what is around it
_MOST = 1500  # candidates for letters that are looked at closely
_FEWEST = 3  # letters that make a text
_STROKES = (5, 11, 25)  # sides of the top-hat's square: strokes thinner than that are kept


@dataclass(frozen=True)
class TextArea:
    """A rectangle of pixels: rows and columns from the first to before the last one."""

    row: int
    column: int
    end_row: int
    end_column: int

    @property
    def box(self) -> tuple[slice, slice]:
        """The area as an index into an image (rows, columns)."""
        return slice(self.row, self.end_row), slice(self.column, self.end_column)


@dataclass(frozen=True)
class _Letters:
    """Candidates for letters, or for several that touch.

    boxes : float (n, 4) left, top, right, bottom, ends excluded. grey : (n,) value in [0, 1]. count : (n,) how many letters it is,
    0 where it may be one if others beside it are.
    """

    boxes: np.ndarray
    grey: np.ndarray
    count: np.ndarray

    @property
    def heights(self) -> np.ndarray:
        return self.boxes[:, 3] - self.boxes[:, 1]


def find_text(pixels: np.ndarray) -> tuple[TextArea, ...]:
    """Areas that look like drawn text, from top to bottom, each with a margin of half a letter.

    pixels : float32 (rows, columns) in [0, 1], as stored or upright; text may run along rows or columns, bright or dark.
    """
    import cv2

    longest = max(pixels.shape)
    scale = LONGEST / longest if longest > LONGEST else AT_LEAST // longest or 1
    size = tuple(max(1, round(side * scale)) for side in pixels.shape)
    # Enlarged pixels stay squares, so that a stroke stays of one grey.
    image = cv2.resize(pixels, size[::-1], interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_NEAREST)
    grey = np.rint(np.nan_to_num(image).clip(0, 1) * 255).astype(np.uint8)
    upended = np.ascontiguousarray(grey.T)
    grown = [_grown(line, grey.shape) for line in _lines(grey)]
    grown += [_grown(line, upended.shape)[[1, 0, 3, 2]] for line in _lines(upended)]
    factors = (pixels.shape[0] / size[0], pixels.shape[1] / size[1])
    return tuple(_area(box, factors, pixels.shape) for box in _merged(grown))


def masked_pixels(pixels: np.ndarray, areas: Iterable[TextArea]) -> np.ndarray:
    """A copy of an image (rows, columns) with each area filled by the median of what surrounds it."""
    filled = pixels.copy()
    for area in areas:
        filled[area.box] = _around(pixels, area)
    return filled


def masked_codes(grey: GreyImage, areas: Iterable[TextArea]) -> GreyImage:
    """The same for stored values."""
    from OsteoScreenLib.radiograph.grey import GreyImage

    return GreyImage(masked_pixels(grey.codes, areas), grey.table)


def _around(pixels: np.ndarray, area: TextArea) -> np.generic:
    """A value of the ring of two pixels around an area that half of the ring does not exceed."""
    rows, columns = slice(max(0, area.row - 2), area.end_row + 2), slice(max(0, area.column - 2), area.end_column + 2)
    ring = np.ones(pixels[rows, columns].shape, bool)
    inner = area.row - rows.start, area.column - columns.start
    ring[inner[0] : inner[0] + area.end_row - area.row, inner[1] : inner[1] + area.end_column - area.column] = False
    values = np.sort(pixels[rows, columns][ring])
    return values[(values.size - 1) // 2] if values.size else np.sort(pixels[area.box].ravel())[0]


def _lines(grey: np.ndarray) -> list[np.ndarray]:
    """Boxes (left, top, right, bottom) of rows of letters in an 8-bit image."""
    found = []
    for image in (grey, 255 - grey):
        for side in _STROKES:
            rows = _rows_of(_letters(image, side))
            lines = [box for box, count in rows if count >= _FEWEST]
            # What is too short to be sure of belongs to the text when it stands beside or below a line that is.
            found += lines + [box for box, count in rows if 0 < count < _FEWEST and any(_beside(box, line) for line in lines)]
    return found


def _beside(box: np.ndarray, line: np.ndarray) -> bool:
    """Whether a short row is of a line's height and not farther from it than two of its heights."""
    height, other = line[3] - line[1], box[3] - box[1]
    apart = max(box[0] - line[2], line[0] - box[2]), max(box[1] - line[3], line[1] - box[3])
    return bool(0.6 * height <= other <= height / 0.6 and apart[0] <= 2 * height and apart[1] <= height)


def _letters(image: np.ndarray, side: int) -> _Letters:
    """Bright strokes thinner than `side` that are of one grey, sharply bounded and of a letter's proportions."""
    import cv2

    square = cv2.getStructuringElement(cv2.MORPH_RECT, (side, side))
    hat = cv2.morphologyEx(image, cv2.MORPH_TOPHAT, square)
    threshold = int(_CONTRAST * 255)
    strokes = (hat > threshold).astype(np.uint8)
    _, labels, stats, _ = cv2.connectedComponentsWithStats(strokes, connectivity=8)
    left, top, width, height, area = (stats[1:, column].astype(np.int64) for column in range(5))
    fits = (height >= _HEIGHTS[0]) & (height <= _HEIGHTS[1]) & (width <= 25 * height) & (height <= 9 * width)
    fill = area / np.maximum(width * height, 1)
    # A stroke has to be thinner than the square, and a letter is several strokes high.
    fits &= (fill > 0.1) & ((fill < 0.8) | (width <= 0.4 * height)) & (height >= 1.4 * side / 2.5)
    boxes, greys, counts = [], [], []
    for index in _strongest(np.flatnonzero(fits), hat, labels):
        box = slice(top[index], top[index] + height[index]), slice(left[index], left[index] + width[index])
        inside = labels[box] == index + 1
        values = image[box][inside].astype(np.float32)
        contrast = float(np.median(hat[box][inside]))
        core = values[values >= np.median(values)]
        # Around it the image is even beside the stroke; among a bone's trabeculae it is not.
        ground = image[box][~inside].astype(np.float32)
        unrest = float(np.median(np.abs(ground - np.median(ground)))) if ground.size else 0.0
        flat = np.mean(values >= np.median(core) - 0.35 * contrast)
        # Thin smooth letters are nowhere flat; nothing in bone is as strong as they are.
        if contrast < _STRONG * 255 and (core.std() > 0.12 * contrast or flat < 0.4):
            continue
        letters = _letters_in(inside)
        if not letters:
            continue
        counts.append(letters if contrast >= threshold + _OVER_UNREST * unrest else 0)
        boxes.append((left[index], top[index], left[index] + width[index], top[index] + height[index]))
        greys.append(float(np.median(core)) / 255)
    return _Letters(np.array(boxes, float).reshape(-1, 4), np.array(greys), np.array(counts, int))


def _strongest(candidates: np.ndarray, hat: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """The candidates of the highest mean contrast, at most `_MOST`: noise has more specks than any text has letters."""
    if len(candidates) <= _MOST:
        return candidates
    flat = labels.ravel()
    mean = np.bincount(flat, hat.ravel()) / np.maximum(np.bincount(flat), 1)
    return candidates[np.argsort(-mean[1:][candidates], kind="stable")[:_MOST]]


def _letters_in(inside: np.ndarray) -> int:
    """How many letters a component (bool (rows, columns)) may be: 1 as long as it is not wide, 0 when it is wide and no writing.

    A line through touching letters crosses two strokes or more of each; through a wire, a rib's edge or a frame only a few.
    """
    height, width = inside.shape
    if width <= 1.7 * height:
        return 1
    middle = inside[height // 5 : height - height // 5]
    crossings = np.count_nonzero(np.diff(middle.astype(np.int8), axis=1) == 1, axis=1)
    letters = round(width / (0.75 * height))
    return letters if np.median(crossings) >= 1.5 * letters else 0


def _rows_of(letters: _Letters) -> list[tuple[np.ndarray, int]]:
    """Letters that stand side by side, alike in height and grey and on one line: the row's box, and how many they are."""
    order = np.argsort(letters.boxes[:, 0], kind="stable")
    boxes, grey, heights, count = letters.boxes[order], letters.grey[order], letters.heights[order], letters.count[order]
    beside: list[np.ndarray] = []
    for one, limit in enumerate(np.searchsorted(boxes[:, 0], boxes[:, 2] + _SPACE * heights, side="right")):
        others = np.arange(one + 1, limit)
        overlap = np.minimum(boxes[others, 3], boxes[one, 3]) - np.maximum(boxes[others, 1], boxes[one, 1])
        smaller, larger = np.minimum(heights[others], heights[one]), np.maximum(heights[others], heights[one])
        near = (overlap >= 0.7 * smaller) & (smaller >= 0.6 * larger) & (np.abs(grey[others] - grey[one]) < _SAME_GREY)
        near &= boxes[others, 0] - boxes[one, 2] > -0.3 * smaller
        beside.append(others[near])
    group = _connected(beside)
    rows = []
    for number in np.unique(group):
        members = boxes[group == number]
        box = np.concatenate([members[:, :2].min(axis=0), members[:, 2:].max(axis=0)])
        rows.append((box, int(count[group == number].sum())))
    return rows


def _connected(near: list[np.ndarray]) -> np.ndarray:
    """The number of the group that each of several things is in, when each belongs together with those in its entry."""
    parent = list(range(len(near)))

    def first(one: int) -> int:
        while parent[one] != one:
            parent[one] = one = parent[parent[one]]
        return one

    for one, others in enumerate(near):
        for other in others:
            parent[first(int(other))] = first(one)
    return np.array([first(one) for one in range(len(near))], int)


def _grown(box: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """A line's box with half its height above and below, for dots and tails, and its height at the ends; within the image."""
    height = max(6.0, box[3] - box[1])
    along, across = 1.0 * height, 0.5 * height
    return np.array([
        max(0.0, box[0] - along), max(0.0, box[1] - across), min(shape[1], box[2] + along), min(shape[0], box[3] + across)
    ])  # fmt: skip


def _merged(boxes: list[np.ndarray]) -> list[np.ndarray]:
    """Boxes that overlap become one, from top to bottom."""
    merged: list[np.ndarray] = []
    for box in sorted(boxes, key=lambda box: (box[1], box[0])):
        while True:
            touching = [other for other in merged if (box[:2] < other[2:]).all() and (other[:2] < box[2:]).all()]
            if not touching:
                break
            merged = [other for other in merged if not any(other is one for one in touching)]
            every = np.array([box, *touching])
            box = np.concatenate([every[:, :2].min(axis=0), every[:, 2:].max(axis=0)])
        merged.append(box)
    return sorted(merged, key=lambda box: (box[1], box[0]))


def _area(box: np.ndarray, factors: tuple[float, float], shape: tuple[int, ...]) -> TextArea:
    left, top, right, bottom = box
    return TextArea(
        int(top * factors[0]),
        int(left * factors[1]),
        min(shape[0], int(np.ceil(bottom * factors[0]))),
        min(shape[1], int(np.ceil(right * factors[1]))),
    )
