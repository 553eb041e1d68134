"""Masks → the pixel data of a BINARY segmentation: one bit a pixel, frames one after the other without gaps (PS3.5 8.1.1).

One mask is held at a time: all frames of a large radiograph with one byte a pixel would be gigabytes.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np


def pack_frames(masks: Iterable[np.ndarray], count: int, shape: tuple[int, int]) -> tuple[bytes, bool]:
    """Pack `count` masks, bool (rows, columns) of this shape.

    Returns the bytes, padded with zeros to an even number, and whether any two masks overlap.
    Raises `ValueError` when a mask has another shape, or when there are more or fewer of them.
    """
    pixels = shape[0] * shape[1]
    packed = np.zeros(2 * -(-count * pixels // 16), np.uint8)
    covered, overlap = np.zeros(shape, bool), False
    for index, mask in zip(range(count), masks, strict=True):
        if mask.shape != shape:
            raise ValueError(f"a mask {mask.shape} and the stored image {shape} differ in size")
        overlap = overlap or bool((covered & mask).any())
        covered |= mask
        first, shift = divmod(index * pixels, 8)
        # A frame begins inside the byte in which the one before ends.
        bits = np.packbits(np.concatenate([np.zeros(shift, bool), mask.ravel()]) if shift else mask.ravel(), bitorder="little")
        packed[first : first + bits.size] |= bits
    return packed.tobytes(), overlap
