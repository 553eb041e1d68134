"""Covering bones: which pixels, and what they are replaced with.

Modes
-----
remove : covered pixels are the union of the covered bones' masks; where bones overlap, covered wins.
add-back : every pixel inside any bone's mask but outside the shown bones' masks is covered; shown wins.

A margin widens the covered bones' masks by that many pixels (Euclidean); shown bones are never widened.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from OsteoScreenLib.bones.masks import BoneMasks, bounding_box
from OsteoScreenLib.errors import InputError
from OsteoScreenLib.explain.fills import FILLS, Fill, fill_source

Mode = Literal["remove", "add-back"]
MODES: tuple[Mode, ...] = ("remove", "add-back")
LARGEST_MARGIN = 200  # pixels


@dataclass(frozen=True)
class Region:
    """Covered pixels: `inside`, bool, within the slices `box` (rows, columns) of the radiograph; nothing outside the box."""

    box: tuple[slice, slice]
    inside: np.ndarray

    @property
    def area(self) -> int:
        """Covered pixels."""
        return int(np.count_nonzero(self.inside))

    @property
    def key(self) -> bytes:
        """Equal for regions of the same pixels of one radiograph, whatever their boxes; empty for the empty region."""
        tight = bounding_box(self.inside)
        inside = self.inside[tight]
        if not inside.size:
            return b""
        corner = np.array([self.box[0].start + tight[0].start, self.box[1].start + tight[1].start, *inside.shape], "<i8")
        return hashlib.blake2b(corner.tobytes() + np.packbits(inside).tobytes(), digest_size=16).digest()

    def full(self, shape: tuple[int, int]) -> np.ndarray:
        """The whole mask, bool (rows, columns)."""
        mask = np.zeros(shape, bool)
        mask[self.box] = self.inside
        return mask


def tight(mask: np.ndarray) -> Region:
    """A mask of the whole radiograph, bool (rows, columns), as a region in its smallest box."""
    box = bounding_box(mask)
    return Region(box, mask[box])


class BoneCutouts:
    """Every bone's mask cut out at its bounding box, so that unions touch only the pixels of the bones they hold."""

    def __init__(self, masks: BoneMasks) -> None:
        self.shape = masks.shape
        self.names = masks.names
        self._cutouts = {name: _cut_out(masks.layers[layer] == label) for name, (layer, label) in masks.table.items()}

    def hull(self, names: Iterable[str]) -> tuple[slice, slice]:
        """The smallest box that holds these bones' bounding boxes; empty when there is no bone."""
        boxes = [self._cutouts[name][0] for name in names]
        if not boxes:
            return slice(0, 0), slice(0, 0)
        rows = slice(min(box[0].start for box in boxes), max(box[0].stop for box in boxes))
        return rows, slice(min(box[1].start for box in boxes), max(box[1].stop for box in boxes))

    def union(self, names: Iterable[str], box: tuple[slice, slice]) -> np.ndarray:
        """The union of these bones' masks within `box`, bool."""
        mask = np.zeros((box[0].stop - box[0].start, box[1].stop - box[1].start), bool)
        for name in names:
            theirs, inside = self._cutouts[name]
            rows, columns = _common(theirs[0], box[0]), _common(theirs[1], box[1])
            if rows is not None and columns is not None:
                mask[_shifted(rows, box[0]), _shifted(columns, box[1])] |= inside[
                    _shifted(rows, theirs[0]), _shifted(columns, theirs[1])
                ]
        return mask


def covered_region(bones: BoneCutouts, covered: Iterable[str], mode: Mode, margin_px: float = 0.0) -> Region:
    """The pixels that covering these bones replaces.

    Parameters
    ----------
    covered : names of the covered bones; bones that were not found are passed over.
    margin_px : how far the covered masks are widened, in pixels, from 0 to 200.
    """
    if mode not in MODES:
        raise InputError(f"There is no mode called '{mode}'; choose one of {', '.join(MODES)}.", code="mode")
    if not 0 <= margin_px <= LARGEST_MARGIN:
        raise InputError(f"The margin around covered bones must be from 0 to {LARGEST_MARGIN} pixels.", code="margin")
    wanted = set(covered)
    hidden = [name for name in bones.names if name in wanted]
    box = bones.hull(hidden)
    if hidden and margin_px >= 1:
        reach = int(margin_px)
        box = (
            slice(max(box[0].start - reach, 0), min(box[0].stop + reach, bones.shape[0])),
            slice(max(box[1].start - reach, 0), min(box[1].stop + reach, bones.shape[1])),
        )
    mask = widened(bones.union(hidden, box), margin_px)
    if mode == "add-back":
        # Without a margin this is the union of all bones without the shown ones, for what is hidden lies in that union.
        mask &= ~bones.union((name for name in bones.names if name not in wanted), box)
    return Region(box, mask)


def widened(mask: np.ndarray, margin_px: float) -> np.ndarray:
    """A mask and every pixel of its array whose centre is within `margin_px` of one of its pixels' centres."""
    if margin_px < 1 or not mask.any():
        return mask
    import cv2

    distance = cv2.distanceTransform((~mask).view(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    # Distances are roots of whole numbers; the tolerance is far below the gap between two of them.
    return np.asarray(distance <= margin_px + 1e-3)


class Coverer:
    """Covers bones of one radiograph, in one mode and with one fill; what the fill needs is prepared once.

    pixels : float32 (rows, columns) in [0, 1], never changed. seed : of the fills "noise" and "linear".
    bones : the masks cut out before, where several coverers share them; cut out here otherwise.
    """

    def __init__(
        self,
        pixels: np.ndarray,
        masks: BoneMasks,
        mode: Mode = "remove",
        fill: Fill = "mean",
        margin_px: float = 0.0,
        seed: int = 0,
        bones: BoneCutouts | None = None,
    ) -> None:
        if masks.shape != pixels.shape:
            raise InputError(
                f"The bone masks are {masks.shape[1]}×{masks.shape[0]} pixels, the radiograph {pixels.shape[1]}×{pixels.shape[0]}; "
                "use masks drawn on this radiograph.",
                code="masks-shape",
            )
        if mode not in MODES:
            raise InputError(f"There is no mode called '{mode}'; choose one of {', '.join(MODES)}.", code="mode")
        if fill not in FILLS:
            raise InputError(f"There is no fill called '{fill}'; choose one of {', '.join(FILLS)}.", code="fill")
        self.pixels = pixels
        self.masks = masks
        self.mode: Mode = mode
        self.fill: Fill = fill
        self.margin_px = margin_px
        self.bones = bones if bones is not None else BoneCutouts(masks)
        everywhere = self.bones.hull(self.bones.names)
        self._source = fill_source(fill, pixels, everywhere, self.bones.union(self.bones.names, everywhere), seed)

    def region(self, covered: Iterable[str], mode: Mode | None = None) -> Region:
        """The pixels that covering these bones replaces, in the coverer's own mode or in another one."""
        return covered_region(self.bones, covered, mode or self.mode, self.margin_px)

    def cover(self, covered: Iterable[str]) -> np.ndarray:
        """A copy of the radiograph's pixels with these bones covered; pixels outside the region are bit-identical."""
        return self.cover_region(self.region(covered))

    def cover_region(self, region: Region) -> np.ndarray:
        """A copy of the radiograph's pixels with a region covered; for the fill "tokens" black, which no model is shown."""
        painted = self.pixels.copy()
        if region.inside.size:
            np.copyto(painted[region.box], self._source(region.box, region.inside), where=region.inside)
        return painted


def _cut_out(mask: np.ndarray) -> tuple[tuple[slice, slice], np.ndarray]:
    import cv2

    left, top, width, height = cv2.boundingRect(mask.view(np.uint8))
    box = (slice(top, top + height), slice(left, left + width))
    return box, mask[box].copy()


def _common(one: slice, other: slice) -> slice | None:
    start, stop = max(one.start, other.start), min(one.stop, other.stop)
    return slice(start, stop) if start < stop else None


def _shifted(part: slice, whole: slice) -> slice:
    return slice(part.start - whole.start, part.stop - whole.start)
