"""From stored grey values to [0, 1] in float: tables of values, their statistics, and the functions that display them.

An image of at most 16 bits has at most 65,536 grey values, so every step is worked out once a value in double precision
and the image is looked up once; nothing is cut to 8 bits on the way.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

Function = Callable[[np.ndarray], np.ndarray]
"""A function of float64 grey values, of any shape."""

# Half a per cent at each end is left to markers, implants and burnt-in letters.
QUANTILE = 0.005


@dataclass(frozen=True)
class Levels:
    """The distribution of grey values: `values` float64 (n,) ascending and distinct, `counts` int64 (n,)."""

    values: np.ndarray
    counts: np.ndarray

    def quantiles(self, share: float = QUANTILE) -> tuple[float, float]:
        """The values that leave `share` of the pixels below and above.

        Both are taken at whole ranks counted from their own end, so an inverted image has exactly the inverted values.
        """
        rank = int(share * (self.counts.sum() - 1))
        low = np.searchsorted(np.cumsum(self.counts), rank, side="right")
        high = np.searchsorted(np.cumsum(self.counts[::-1]), rank, side="right")
        return float(self.values[low]), float(self.values[::-1][high])

    def span(self) -> tuple[float, float]:
        """The quantiles, or the whole range where the image has too few bright or dark pixels to move them apart."""
        low, high = self.quantiles()
        return (low, high) if high > low else (float(self.values[0]), float(self.values[-1]))

    def share(self, chosen: np.ndarray) -> float:
        """The share of the pixels at the chosen levels (bool (n,)), 0 to 1."""
        return float(self.counts[chosen].sum() / self.counts.sum())


@dataclass(frozen=True)
class GreyImage:
    """Grey values of an image, kept as codes into a table where there are few of them.

    codes : uint8 or uint16 (rows, columns) indices into `table`, or float64 grey values when `table` is None.
    table : float64 (256 or 65536,) grey value of each code.
    """

    codes: np.ndarray
    table: np.ndarray | None

    @classmethod
    def from_array(cls, array: np.ndarray) -> GreyImage:
        """Any real array (rows, columns); 8- and 16-bit integers get a table."""
        array = array.astype(array.dtype.newbyteorder("="), copy=False)
        if array.dtype.kind in "iub" and array.dtype.itemsize <= 2:
            unsigned = np.dtype(f"u{array.dtype.itemsize}")
            every = np.arange(2 ** (8 * unsigned.itemsize), dtype=unsigned)
            return cls(np.ascontiguousarray(array).view(unsigned), every.view(array.dtype).astype(np.float64))
        return cls(array.astype(np.float64), None)

    def map(self, function: Function) -> GreyImage:
        """The image with another meaning for each grey value."""
        if self.table is None:
            return GreyImage(function(self.codes), None)
        return GreyImage(self.codes, function(self.table))

    def where(self, condition: Callable[[np.ndarray], np.ndarray]) -> np.ndarray | None:
        """Bool (rows, columns) of the pixels whose value meets the condition, None when there are none."""
        if self.table is None:
            chosen = condition(self.codes)
            return chosen if chosen.any() else None
        codes = condition(self.table)
        if not codes.any():
            return None
        chosen = codes[self.codes]
        return chosen if chosen.any() else None

    def levels(self, box: tuple[slice, slice] = (slice(None), slice(None)), excluded: np.ndarray | None = None) -> Levels:
        """The distribution inside `box`, without the `excluded` pixels (bool (rows, columns))."""
        chosen = self.codes[box]
        if excluded is not None:
            chosen = chosen[~excluded[box]]
        if self.table is None:
            values, counts = np.unique(chosen, return_counts=True)
            return Levels(values, counts)
        counted = np.bincount(chosen.ravel(), minlength=self.table.size)
        used = np.flatnonzero(counted)
        values, place = np.unique(self.table[used], return_inverse=True)
        return Levels(values, np.bincount(place, weights=counted[used], minlength=values.size).astype(np.int64))

    def render(self, display: Function, inverted: bool) -> np.ndarray:
        """float32 (rows, columns) in [0, 1]: the displayed values, inverted as the very last step."""
        shown = display(self.codes if self.table is None else self.table).astype(np.float32)
        if inverted:
            shown = np.float32(1) - shown
        return shown if self.table is None else np.take(shown, self.codes)


def stretch(low: float, high: float) -> Function:
    """`low` to 0, `high` to 1, a straight line between, clipped beyond."""
    return lambda values: np.clip((values - low) / (high - low), 0.0, 1.0)


def linear_window(center: float, width: float) -> Function:
    """VOI LUT function LINEAR (DICOM PS3.3 C.11.2.1.2.1), output scaled to [0, 1]; `width` > 1."""
    return lambda values: np.clip((values - (center - 0.5)) / (width - 1) + 0.5, 0.0, 1.0)


def exact_window(center: float, width: float) -> Function:
    """VOI LUT function LINEAR_EXACT (DICOM PS3.3 C.11.2.1.3.2), output scaled to [0, 1]; `width` > 0."""
    return lambda values: np.clip((values - center) / width + 0.5, 0.0, 1.0)


def sigmoid_window(center: float, width: float) -> Function:
    """VOI LUT function SIGMOID (DICOM PS3.3 C.11.2.1.3.1), output scaled to [0, 1]; `width` > 0."""
    return lambda values: 1 / (1 + np.exp(np.clip(-4 * (values - center) / width, -700, 700)))


def lookup(first: float, entries: np.ndarray) -> Function:
    """A DICOM lookup table: `first` maps to the first entry; values outside take the first or the last entry."""
    return lambda values: entries[np.clip(np.rint(values - first), 0, entries.size - 1).astype(np.intp)]


def shows_the_image(display: Function, levels: Levels) -> bool:
    """Whether a window or table from the header leaves a picture to see.

    It does not when more than 95 % of the pixels fall outside it or when nearly all of them get the same grey.
    """
    shown = display(levels.values)
    inside = levels.share((shown > 0.002) & (shown < 0.998))
    grey, place = np.unique(shown, return_inverse=True)
    low, high = Levels(grey, np.bincount(place, weights=levels.counts).astype(np.int64)).quantiles(0.01)
    return inside >= 0.05 and high - low >= 0.05
