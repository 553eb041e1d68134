"""Whether a loaded volume still holds the pixels of the DICOM file that it came from, and where and how.

Readers of volumes do not hand out stored values. 3D Slicer has two (read off their answers): GDCM turns MONOCHROME1 upside
down within the stored bits, then applies the rescale slope and intercept, and leaves Modality LUTs out; DCMTK leaves
MONOCHROME1 as it is and applies the table or the rescaling, cut to whole numbers. So the stored values are carried through
each of these ways, and the volume is compared with every outcome.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

import numpy as np

from OsteoScreenLib.radiograph.grey import Function, GreyImage
from OsteoScreenLib.radiograph.lookup import Bits
from OsteoScreenLib.radiograph.radiograph import Placement

EVERY_PLACEMENT = tuple(Placement(mirrored, turns) for mirrored in (False, True) for turns in range(4))
# Half of the pixels that tell anything must be the file's own before the others are called edited.
_LEAST_SHARE = 0.5
# Points on each side of the grid at which the ways are tried before whole images are compared.
_GRID = 96
# A row with fewer grey values is not looked for: it could lie anywhere.
_LEAST_VALUES = 16
# In a picture of equal rows it would be found in each.
_MOST_PLACES = 64
# A resampled or smoothed image has the file's thumbnail, to this share of the thumbnail's span on average.
_THUMBNAIL = 48
_THUMBNAIL_SHARE = 0.03
# How far the sides may be from the file's proportions: resampling rounds them to whole pixels.
_PROPORTIONS = 0.02


@dataclass(frozen=True)
class SameValues:
    """Where the file's pixels are in a volume.

    image : the file's pixels as the reader of the volume gave them. placement : how the volume lies against the file.
    equal : bool (rows, columns) in the file's layout, the pixels that are the file's; None where there is no pixel-by-pixel
        relation, only the same picture in the same grey values (a resampled or smoothed volume).
    corner : (row, column) in the file of the volume's first pixel, in the file's layout.
    """

    image: GreyImage
    placement: Placement
    equal: np.ndarray | None
    corner: tuple[int, int] = (0, 0)


def ways_of_readers(grey: GreyImage, bits: Bits, transforms: list[Function], white_is_zero: bool) -> list[GreyImage]:
    """The stored values as readers of volumes hand them out.

    transforms : the header's rescaling and its Modality LUT, as far as it has them. white_is_zero : MONOCHROME1. Only then
        reversed values are the file's; elsewhere somebody has inverted the volume, and means it.
    """
    every: list[Function] = [_as_stored, *transforms]
    images = [grey.map(transform) for transform in every]
    if white_is_zero:
        lowest = -(2.0 ** (bits.stored - 1)) if bits.signed else 0.0
        turned = grey.map(lambda values: 2 * lowest + 2.0**bits.stored - 1 - values)
        images += [turned.map(transform) for transform in every]
    if bits.high != bits.stored - 1 and grey.table is not None:
        # GDCM takes the lowest bits, wherever the header says that the stored ones are.
        containers = np.arange(grey.table.size, dtype=np.int64)
        images.append(GreyImage(grey.codes, (containers & (2**bits.stored - 1)).astype(np.float64)))
    return images


def find_whole(array: np.ndarray, images: list[GreyImage], natural: list[Placement], lossy: bool) -> SameValues | None:
    """The volume is the file's image, perhaps turned, with at most half of its pixels changed.

    array : the volume (rows, columns). images : `ways_of_readers`. natural : how a reader may lay the file out; tried first.
    lossy : the file's compression lets two decoders differ by a step or two.
    """
    best: tuple[float, Placement, GreyImage] | None = None
    for placement in _in_order(natural):
        back = placement.undo(array)
        if back.shape != images[0].codes.shape:
            continue
        step = tuple(slice(None, None, max(1, side // _GRID)) for side in back.shape)
        for image in images:
            share = _share(back[step], GreyImage(image.codes[step], image.table), lossy)
            if best is None or share > best[0]:
                best = (share, placement, image)
    if best is None or best[0] < _LEAST_SHARE:
        return None
    _, placement, image = best
    return SameValues(image, placement, agreeing(placement.undo(array), image, lossy))


def find_part(array: np.ndarray, images: list[GreyImage], natural: list[Placement]) -> SameValues | None:
    """The volume is a rectangle cut out of the file's image, perhaps turned, with nothing changed in it."""
    for placement in _in_order(natural):
        back = np.ascontiguousarray(placement.undo(array))
        rows, columns = images[0].codes.shape
        if back.shape[0] > rows or back.shape[1] > columns:
            continue
        for image in images:
            for row, column in islice(_places(back, image), _MOST_PLACES):
                box = np.s_[row : row + back.shape[0], column : column + back.shape[1]]
                equal = agreeing(back, GreyImage(image.codes[box], image.table), False)
                if equal.all():
                    return SameValues(image, placement, equal, (row, column))
    return None


def find_resampled(array: np.ndarray, images: list[GreyImage], natural: list[Placement]) -> SameValues | None:
    """The volume shows the whole of the file's image at another resolution or smoothed.

    In a layout that a reader gives it: turned thumbnails are too much like inverted ones to tell them apart.
    """
    rows, columns = images[0].codes.shape
    thumbnails = [_thumbnail(image.codes if image.table is None else image.table[image.codes]) for image in images]
    best: tuple[float, Placement, GreyImage] | None = None
    for placement in dict.fromkeys(natural):
        back = placement.undo(array)
        if abs(math.log(back.shape[0] * columns / (back.shape[1] * rows))) > _PROPORTIONS:
            continue
        seen = _thumbnail(back)
        for image, thumbnail in zip(images, thumbnails, strict=True):
            distance = float(np.abs(seen - thumbnail).mean() / max(float(np.ptp(thumbnail)), 1e-12))
            if best is None or distance < best[0]:
                best = (distance, placement, image)
    if best is None or best[0] > _THUMBNAIL_SHARE:
        return None
    return SameValues(best[2], best[1], None)


def agreeing(array: np.ndarray, image: GreyImage, lossy: bool) -> np.ndarray:
    """Bool (rows, columns): the volume's values that are the file's."""
    expected = image.codes if image.table is None else image.table[image.codes]
    agree: np.ndarray = np.abs(array - expected) <= _tolerance(array, image, lossy)
    return agree


def nearest_codes(values: np.ndarray, image: GreyImage) -> np.ndarray:
    """For each value the code whose grey value is nearest. `image` must have a table."""
    assert image.table is not None
    known, first = np.unique(image.table, return_index=True)
    above = np.clip(np.searchsorted(known, values), 1, known.size - 1)
    place = above - (values - known[above - 1] <= known[above] - values)
    return first[place].astype(image.codes.dtype)


def _thumbnail(array: np.ndarray) -> np.ndarray:
    import cv2

    return cv2.resize(array.astype(np.float64), (_THUMBNAIL, _THUMBNAIL), interpolation=cv2.INTER_AREA)


def _as_stored(values: np.ndarray) -> np.ndarray:
    return values


def _in_order(natural: list[Placement]) -> Iterator[Placement]:
    yield from dict.fromkeys([*natural, *EVERY_PLACEMENT])


def _share(array: np.ndarray, image: GreyImage, lossy: bool) -> float:
    """The share of the file's pixels in the volume, without the file's most frequent value: surroundings fit anything."""
    codes, counts = np.unique(image.codes, return_counts=True)
    telling = image.codes != codes[counts.argmax()]
    return float(agreeing(array, image, lossy)[telling].mean()) if telling.any() else 0.0


def _tolerance(array: np.ndarray, image: GreyImage, lossy: bool) -> float:
    values = image.codes if image.table is None else image.table
    two_steps = 2 * float(np.ptp(values)) / max(values.size - 1, 1) if lossy and image.table is not None else 0.0
    if image.table is not None and (image.table != np.rint(image.table)).any() and (array == np.rint(array)).all():
        return two_steps + 1 - 1e-6  # the fractions were rounded or cut off
    # Single precision keeps seven digits.
    return two_steps if array.dtype.kind != "f" else two_steps + 2e-7 * float(np.abs(values).max())


def _places(array: np.ndarray, image: GreyImage) -> Iterator[tuple[int, int]]:
    """Where (row, column) in the file the volume's richest row stands, counted for the volume's first pixel."""
    if image.table is None:
        return
    middle = range(0, array.shape[0], max(1, array.shape[0] // _GRID))
    richest = max(middle, key=lambda row: np.unique(array[row]).size)
    if np.unique(array[richest]).size < _LEAST_VALUES:
        return
    row = array[richest].astype(np.float64)
    codes = nearest_codes(row, image)
    if np.abs(image.table[codes] - row).max() > _tolerance(array, image, False):
        return
    columns, width = image.codes.shape[1], image.codes.dtype.itemsize
    haystack, needle = image.codes.tobytes(), codes.tobytes()
    at = haystack.find(needle)
    while at >= 0:
        top, left = divmod(at // width, columns)
        top -= richest
        if at % width == 0 and left + array.shape[1] <= columns and 0 <= top <= image.codes.shape[0] - array.shape[0]:
            yield top, left
        at = haystack.find(needle, at + 1)
