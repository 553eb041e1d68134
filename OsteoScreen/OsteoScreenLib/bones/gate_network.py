"""The gate's small convolutional network, and the canvas it looks at.

The canvas is made so that it commutes exactly with quarter turns, mirroring and inversion: turning the radiograph turns
the canvas, inverting the radiograph negates it, bit for bit. All sums are over whole numbers (exact in float64 whatever
their order), and the grey scale is centred on zero.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import torch
from scipy.sparse import csr_array
from torch import nn

LEVELS = 2**24
CHANNELS = 2


def _overlaps(length: int, cells: int) -> csr_array:
    """Whole-number overlap, in 1/`cells` pixel, of `cells` equal cells with `length` pixels; sparse float64 (cells, length)."""
    starts = np.arange(cells)[:, None] * length
    pixels = np.arange(length)[None, :] * cells
    shared = np.minimum(starts + length, pixels + cells) - np.maximum(starts, pixels)
    return csr_array(np.maximum(shared, 0).astype(np.float64))


def _inside(length: int, longest: int, size: int) -> int:
    """Cells that `length` pixels take when `longest` pixels take `size`: even, so that both margins are equal."""
    return max(2, 2 * round(length * size / longest / 2))


def canvas(pixels: np.ndarray, size: int, margin_percent: float = 1.0) -> np.ndarray:
    """The radiograph letterboxed to a square, once as normalised grey values and once as their ranks.

    pixels : float32 (rows, columns) in [0, 1]; margin_percent : share of the pixels clipped at each end of the grey scale.
    Returns float32 (2, size, size) in [-1, 1]; 0 is the middle grey, also outside the image and for a blank one.
    """
    rows, columns = pixels.shape
    inner = (_inside(rows, max(rows, columns), size), _inside(columns, max(rows, columns), size))
    # float32 1 - x is a whole multiple of 2^-24 for every x in [0, 1], so x and 1 - x get levels that add up to LEVELS exactly.
    # The largest sum, 2^24 · 12,000 · 12,000, is below 2^53.
    darkness = np.float32(1) - np.clip(pixels, 0, 1)
    levels = LEVELS - darkness.astype(np.float64) * LEVELS
    sums = (_overlaps(columns, inner[1]) @ np.ascontiguousarray((_overlaps(rows, inner[0]) @ levels).T)).T

    ordered = np.sort(sums, axis=None)
    cut = int(margin_percent / 100 * ordered.size)
    low, high = ordered[cut], ordered[-1 - cut]
    out = np.zeros((CHANNELS, size, size), np.float32)
    if high > low:
        top, left = (size - inner[0]) // 2, (size - inner[1]) // 2
        box = (slice(top, top + inner[0]), slice(left, left + inner[1]))
        # 2x - (low + high) changes only its sign when the grey values are inverted.
        out[0][box] = np.clip((2 * sums - (low + high)) / (high - low), -1, 1)
        # Mid-ranks, as 2·rank - n, are whole numbers that change only their sign: a tone curve cannot alter them.
        below = np.searchsorted(ordered, sums, side="left")
        upto = np.searchsorted(ordered, sums, side="right")
        out[1][box] = (below + upto - ordered.size) / ordered.size
    return out


def candidates(square: np.ndarray) -> np.ndarray:
    """The 16 ways a canvas can be laid: float32 (16, channels, size, size).

    Index = 8·inverted + 4·mirrored + quarter turns (counter-clockwise, after the mirror), as in `Placement`.
    """
    laid = [
        np.rot90(np.flip(square, -1) if mirrored else square, turns, axes=(-2, -1)) * sign
        for sign in (np.float32(1), np.float32(-1))
        for mirrored in (False, True)
        for turns in range(4)
    ]
    return np.ascontiguousarray(np.stack(laid))


class _Block(nn.Module):
    """Two 3×3 convolutions with a shortcut; the first may halve the grid."""

    def __init__(self, channels_in: int, channels_out: int, stride: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(channels_in, channels_out, 3, stride, 1, bias=False),
            nn.BatchNorm2d(channels_out),
            nn.ReLU(inplace=True),
            nn.Conv2d(channels_out, channels_out, 3, 1, 1, bias=False),
            nn.BatchNorm2d(channels_out),
        )
        self.shortcut = nn.Sequential(
            nn.AvgPool2d(stride) if stride > 1 else nn.Identity(), nn.Conv2d(channels_in, channels_out, 1, bias=False)
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.relu(self.body(x) + self.shortcut(x))


class GateNetwork(nn.Module):
    """Canvas (n, 2, size, size) → logits (n, 2): upright bone-bright frontal chest; not mirrored (heart on the viewer's right).

    Four residual stages, then a head that sees both where things are (a reduced map, flattened) and what is there (means).
    """

    def __init__(self, size: int = 96, widths: tuple[int, ...] = (16, 32, 64, 88), reduced: int = 16) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(CHANNELS, widths[0], 5, 2, 2, bias=False), nn.BatchNorm2d(widths[0]), nn.ReLU(inplace=True)
        )
        self.stages = nn.Sequential(*(_Block(a, b, 2) for a, b in pairwise(widths)))
        side = size // 2 ** len(widths)
        self.reduce = nn.Sequential(
            nn.Conv2d(widths[-1], reduced, 1, bias=False), nn.BatchNorm2d(reduced), nn.ReLU(inplace=True)
        )
        self.head = nn.Sequential(
            nn.Dropout(0.2), nn.Linear(reduced * side * side + widths[-1], 48), nn.ReLU(inplace=True), nn.Linear(48, 2)
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        deep = self.stages(self.stem(x))
        return self.head(torch.cat([self.reduce(deep).flatten(1), deep.mean(dim=(2, 3))], dim=1))
