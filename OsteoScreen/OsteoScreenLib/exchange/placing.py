"""Exact placement on a picture: how radiograph pixels and mask edges map to picture pixels.

Everywhere whole numbers are pixel centres, so a pixel reaches from -0.5 to +0.5 around its number, and an enlargement by s
takes x to (x + 0.5) s - 0.5. Matrices are 3×3 and act on (column, row, 1).
"""

from __future__ import annotations

import numpy as np

from OsteoScreenLib.bones.masks import BoneMasks, bounding_box


def fit(shape: tuple[int, int], longest: int, at_least: int = 0) -> tuple[tuple[int, int], np.ndarray]:
    """Size (rows, columns) of a radiograph's picture and the matrix from radiograph to picture pixels.

    The longer side is brought down to `longest`, or up to `at_least` when it is shorter than that; each axis has its own
    scale, the quotient of the whole-number sizes, so that the picture's edges are exactly the radiograph's edges.
    """
    side = max(shape)
    wanted = min(longest, max(side, at_least))
    size = tuple(max(1, round(extent * wanted / side)) for extent in shape)
    scale_y, scale_x = size[0] / shape[0], size[1] / shape[1]
    matrix = np.array([[scale_x, 0, (scale_x - 1) / 2], [0, scale_y, (scale_y - 1) / 2], [0, 0, 1]])
    return (size[0], size[1]), matrix


def shift(columns: float, rows: float) -> np.ndarray:
    """Matrix of a translation."""
    return np.array([[1, 0, columns], [0, 1, rows], [0, 0, 1]], dtype=float)


def outlines(masks: BoneMasks, name: str) -> list[np.ndarray]:
    """The outlines of one bone, each float64 (points, 2) as (column, row) on the radiograph, to a quarter of a pixel.

    Contours run through the centres of the outermost pixels, half a pixel inside the edge, so they are taken from a mask
    with four pixels in place of one.
    """
    import cv2

    mask = masks.mask(name)
    rows, columns = box = bounding_box(mask)
    if rows.stop == rows.start:
        return []
    finer = cv2.resize(mask[box].view(np.uint8), None, fx=2, fy=2, interpolation=cv2.INTER_NEAREST)
    found, _ = cv2.findContours(finer, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE)
    start = (columns.start - 0.25, rows.start - 0.25)
    return [contour[:, 0, :] / 2 + start for contour in found]


def moved(points: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """Points (n, 2) as (column, row) taken through a 3×3 matrix."""
    return np.asarray(points @ matrix[:2, :2].T + matrix[:2, 2])


def roomiest_point(masks: BoneMasks, name: str) -> tuple[float, float, float]:
    """(column, row, radius) on the radiograph of the roomiest place inside a bone, where its name is best put.

    The radius is the distance to the bone's edge; 0 when the bone is empty.
    """
    import cv2

    mask = masks.mask(name)
    rows, columns = box = bounding_box(mask)
    if rows.stop == rows.start:
        return 0.0, 0.0, 0.0
    step = max(1, min(rows.stop - rows.start, columns.stop - columns.start) // 64)  # a name's place needs no more precision
    inside = np.pad(mask[box][::step, ::step].view(np.uint8), 1)
    depth = cv2.distanceTransform(inside, cv2.DIST_L2, 3)
    row, column = np.unravel_index(int(depth.argmax()), depth.shape)
    return float(columns.start + (column - 1) * step), float(rows.start + (row - 1) * step), float(depth[row, column]) * step
