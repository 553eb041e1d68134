"""Preparing many radiographs that differ in a few rows, as the covered variants of one radiograph do, without repeating work."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from OsteoScreenLib.classifier.preprocess import InputGeometry, PreprocessSpec, narrowed, placed

if TYPE_CHECKING:
    import torch

_REMEMBERED = 3  # radiographs: the untouched one, the one with every bone covered, and one in between
_EVERY = 16  # of these rows are compared to find the remembered radiograph that is nearest


@dataclass(frozen=True, eq=False)
class _Narrowed:
    """A radiograph, float32 (rows, columns), and the first half of its preparation (1, 1, rows, resized columns)."""

    pixels: np.ndarray
    image: torch.Tensor


class Preparer:
    """`prepare` for one radiograph at a time, the same to the bit, faster where it resembles one of the last ones.

    Resizing goes along the rows first, each row on its own, and that is nearly all of its cost; only the rows that differ from a
    remembered radiograph are resized anew. Remembers copies of three radiographs. Not for several threads at once.
    """

    def __init__(self, spec: PreprocessSpec) -> None:
        self.spec = spec
        self._remembered: list[_Narrowed] = []  # the last one used comes last

    def __call__(self, pixels: np.ndarray) -> torch.Tensor:
        """A radiograph float32 (rows, columns) in [0, 1] → network input float32 (1, channels, rows, columns) on the CPU."""
        pixels = np.asarray(pixels, np.float32)
        geometry = InputGeometry.of(self.spec, (pixels.shape[0], pixels.shape[1]))
        near = self._nearest(pixels)
        if near is None:
            return placed(self._remember(pixels, geometry), self.spec, geometry)
        different = np.flatnonzero((pixels != near.pixels).any(axis=1))
        if 2 * different.size > len(pixels):
            return placed(self._remember(pixels, geometry), self.spec, geometry)
        self._remembered.append(self._remembered.pop(self._remembered.index(near)))
        if not different.size:
            return placed(near.image, self.spec, geometry)
        image = near.image.clone()
        image[:, :, different] = narrowed(pixels[None, different], self.spec, geometry)
        return placed(image, self.spec, geometry)

    def _nearest(self, pixels: np.ndarray) -> _Narrowed | None:
        """The remembered radiograph of this shape with the most rows in common, as far as a sample of rows tells."""
        alike = [one for one in self._remembered if one.pixels.shape == pixels.shape]
        sample = pixels[::_EVERY]
        return min(alike, key=lambda one: np.count_nonzero((sample != one.pixels[::_EVERY]).any(axis=1)), default=None)

    def _remember(self, pixels: np.ndarray, geometry: InputGeometry) -> torch.Tensor:
        own = pixels.copy()  # before narrowing, which passes rows of the right width through as they are
        image = narrowed(own[None], self.spec, geometry)
        self._remembered = [*self._remembered[1 - _REMEMBERED :], _Narrowed(own, image)]
        return image
