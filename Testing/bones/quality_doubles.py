"""A chest drawn from the shipped table: every bone an ellipse where, and as large as, a thorax makes one expect it."""

from __future__ import annotations

import numpy as np

from OsteoScreenLib.bones.masks import BoneMasks
from OsteoScreenLib.bones.shapes import chest_shapes

SHAPE = (360, 340)


def drawn_chest(
    seed: int = 0, *, size: float = 190.0, tilt: float = 0.0, jitter: float = 0.5, shape: tuple[int, int] = SHAPE
) -> dict[str, np.ndarray]:
    """Bone → bool (rows, columns), without humeri.

    size : pixels of the rib cage's width. tilt : rows a column. jitter : shares of each bone's spread by which it is moved and
    made larger or smaller.
    """
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    middle = (0.47 * shape[0], 0.5 * shape[1])
    masks = {}
    for name, bone in chest_shapes().items():
        off = rng.uniform(-jitter, jitter, 3)
        row, column = bone.row + off[0] * bone.row_spread, bone.column + off[1] * bone.column_spread
        area = np.exp(bone.log_area + off[2] * bone.area_spread) * size**2
        # An ellipse of half axis a has the spread of a bar of length a √3.
        wide = np.exp(bone.log_width) * size / np.sqrt(3)
        high = max(area / (np.pi * wide), 1.2)
        centre = (middle[0] + size * (row + tilt * column), middle[1] + size * (column - tilt * row))
        masks[name] = ((rows - centre[0]) / high) ** 2 + ((columns - centre[1]) / wide) ** 2 <= 1
    return masks


def packed(masks: dict[str, np.ndarray], shape: tuple[int, int] = SHAPE) -> BoneMasks:
    """As a segmenter hands them over that draws every bone of the table."""
    return BoneMasks.pack(masks, shape, method="drawn").with_facts(trust=dict.fromkeys(chest_shapes(), "check"))


def widened(mask: np.ndarray, times: float) -> np.ndarray:
    """The mask grown until it has this many times its area."""
    import cv2

    for radius in range(1, 200):
        disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
        grown = cv2.dilate(mask.astype(np.uint8), disc).astype(bool)
        if grown.sum() >= times * mask.sum():
            return grown
    raise AssertionError("cannot grow so far")
