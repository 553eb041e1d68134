"""Controls: the same number of pixels covered elsewhere, so that a bone's effect can be read against chance.

The rule
--------
A control of some bones is a region with exactly as many pixels as covering those bones takes (in mode "add-back": as many as
showing them gives back), at a random place.

- Field. Mode "remove": the convex hull of all bones that were found, which lies inside the body; the whole radiograph where the
  hull has not twice the room that is needed. Mode "add-back": what is covered when every bone is covered.
- Not there: whatever covering the bones' own groups would take, so a rib's control touches no rib of that side. Bones of other
  groups may be hit.
- Shape. Odd draws are *shifted*: the bones' own region, only translated. Even draws are *moved*: also mirrored or not, and turned
  by a random angle.
- Place. Uniformly among the translations (of a grid of 128 cells along the longer side, then at random inside the cell) at which
  at least 95 % (in mode "add-back", where little is free, 50 %) as much of the shape lies on free pixels as at the best one.
- Area. The free pixels nearest to the shape, inside before outside, are taken until their number is right.
- No two controls of the same bones are alike; where no new one turns up in twenty attempts, the draw has none.

Controls follow from the seed, the bones, the mode and the number of the draw alone, not from what else is asked for, nor in which
order. They stand for the null hypothesis "it does not matter *where* so many pixels are covered"; a control is no picture of a
missing bone. In mode "add-back" there is little room, so controls of a large group overlap one another, and their spread is too
small: read the percentile of a group that is added back with care.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from zlib import crc32

import numpy as np

from OsteoScreenLib.bones.masks import bounding_box
from OsteoScreenLib.explain.covering import Coverer, Mode, Region

_CELLS = 128  # of the grid on which places are compared, along the longer side
_GOOD: dict[Mode, float] = {"remove": 0.95, "add-back": 0.5}  # how free a place has to be, as a share of the best one's freedom
_ATTEMPTS = 20  # to find a control unlike the ones before
_ROOM = 2.0  # the hull is the field where it has so many times the pixels that are needed


@dataclass(frozen=True)
class _Room:
    """What all controls of the same bones share.

    shape : the bones' own region, cropped. area : its pixels. free : pixels that a control may use, bool (rows, columns).
    grid : the free share of each cell of a coarse grid. drawn : the controls so far, by draw; None where no new one was found.
    keys : of those regions.
    """

    shape: np.ndarray
    area: int
    free: np.ndarray
    grid: np.ndarray
    drawn: list[Region | None] = field(default_factory=list)
    keys: set[bytes] = field(default_factory=set)


class Controls:
    """Control regions for the bones of one coverer. seed : of all draws."""

    def __init__(self, coverer: Coverer, seed: int = 0) -> None:
        self._coverer = coverer
        self._seed = seed
        self._shape = (coverer.pixels.shape[0], coverer.pixels.shape[1])
        self._every = frozenset(coverer.bones.names)
        self._hull: np.ndarray | None = None
        self._everything: Region | None = None
        self._room: tuple[tuple[frozenset[str], Mode], _Room | None] | None = None  # the last one used

    def region(self, covered: Iterable[str], mode: Mode, draw: int) -> Region | None:
        """What the i-th control of a variant covers; None where there is no room for one, or for no more of them.

        Parameters
        ----------
        covered : the variant's covered bones, as `Coverer.region` takes them. draw : from 1.
        """
        hidden = frozenset(covered) & self._every
        subject = hidden if mode == "remove" else self._every - hidden
        room = self._room_of(subject, mode)
        if room is None:
            return None
        named = crc32("\0".join((mode, *sorted(subject))).encode())
        while len(room.drawn) < draw:
            room.drawn.append(self._next(room, mode, named))
        elsewhere = room.drawn[draw - 1]
        if mode == "remove" or elsewhere is None:
            return elsewhere
        everything = self._all_covered()
        inside = everything.full(self._shape)
        inside[elsewhere.box] &= ~elsewhere.inside
        return Region(everything.box, inside[everything.box])

    def _next(self, room: _Room, mode: Mode, named: int) -> Region | None:
        """A region unlike those drawn so far."""
        draw = len(room.drawn) + 1
        random = np.random.default_rng([self._seed, named, draw])
        for _ in range(_ATTEMPTS):
            shape = _turned(room.shape, random, self._shape) if draw % 2 == 0 else room.shape
            region = _fitted(shape, room.free, room.area, *_translation(shape, room, _GOOD[mode], random))
            if (key := region.key) not in room.keys:
                room.keys.add(key)
                return region
        return None

    def _room_of(self, subject: frozenset[str], mode: Mode) -> _Room | None:
        """None where the bones take no pixel, or fewer are free than they take."""
        asked = (subject, mode)
        if self._room is not None and self._room[0] == asked:
            return self._room[1]
        own = self._pixels_of(subject, mode)
        area = int(np.count_nonzero(own))
        free = self._free(subject, mode, area)
        room = None
        if 0 < area <= np.count_nonzero(free):
            import cv2

            cell = max(1.0, max(self._shape) / _CELLS)
            cells = (max(1, round(self._shape[1] / cell)), max(1, round(self._shape[0] / cell)))
            grid = cv2.resize(free.view(np.uint8) * np.uint8(200), cells, interpolation=cv2.INTER_AREA).astype(np.float32)
            room = _Room(own[bounding_box(own)], area, free, grid)
        self._room = (asked, room)
        return room

    def _free(self, subject: frozenset[str], mode: Mode, area: int) -> np.ndarray:
        groups = self._coverer.masks.site.groups.values()
        mates = {name for group in groups if not subject.isdisjoint(group) for name in group} & self._every
        taken = self._pixels_of(frozenset(mates), mode)
        if mode == "add-back":
            return np.asarray(self._all_covered().full(self._shape) & ~taken)
        free = self._bone_hull() & ~taken
        return free if np.count_nonzero(free) >= _ROOM * area else ~taken

    def _pixels_of(self, subject: frozenset[str], mode: Mode) -> np.ndarray:
        """What covering these bones takes, or showing them gives back; bool (rows, columns)."""
        if mode == "remove":
            return self._coverer.region(subject, mode).full(self._shape)
        without = self._coverer.region(self._every - subject, mode)
        return np.asarray(self._all_covered().full(self._shape) & ~without.full(self._shape))

    def _all_covered(self) -> Region:
        if self._everything is None:
            self._everything = self._coverer.region(self._every, "remove")  # the same pixels in either mode
        return self._everything

    def _bone_hull(self) -> np.ndarray:
        if self._hull is None:
            import cv2

            points = cv2.findNonZero(self._all_covered().full(self._shape).view(np.uint8))
            drawn = np.zeros(self._shape, np.uint8)
            if points is not None:
                cv2.fillConvexPoly(drawn, cv2.convexHull(points), 1)
            self._hull = drawn.view(bool)
        return self._hull


def _turned(shape: np.ndarray, random: np.random.Generator, largest: tuple[int, ...]) -> np.ndarray:
    """The shape mirrored or not and turned by a random angle; only mirrored where it would not fit into the radiograph."""
    import cv2

    angle, mirrored = random.uniform(0, 360), bool(random.integers(2))
    source = np.ascontiguousarray(shape[:, ::-1] if mirrored else shape)
    rows, columns = source.shape
    matrix = cv2.getRotationMatrix2D(((columns - 1) / 2, (rows - 1) / 2), angle, 1.0)
    cosine, sine = abs(matrix[0, 0]), abs(matrix[0, 1])
    size = (int(np.ceil(columns * cosine + rows * sine)) + 1, int(np.ceil(columns * sine + rows * cosine)) + 1)
    matrix[:, 2] += (size[0] - columns) / 2, (size[1] - rows) / 2
    turned = cv2.warpAffine(source.view(np.uint8), matrix, size, flags=cv2.INTER_NEAREST).view(bool)
    turned = turned[bounding_box(turned)]
    fits = turned.size > 0 and turned.shape[0] <= largest[0] and turned.shape[1] <= largest[1]
    return turned if fits else source


def _translation(shape: np.ndarray, room: _Room, good: float, random: np.random.Generator) -> tuple[int, int]:
    """Where the shape's first row and column go, at random among the places that are as free as any."""
    import cv2

    steps = tuple(size / cells for size, cells in zip(room.free.shape, room.grid.shape, strict=True))
    small = tuple(
        min(cells, max(1, round(length / step)))
        for length, step, cells in zip(shape.shape, steps, room.grid.shape, strict=True)
    )
    stamp = cv2.resize(shape.astype(np.float32), small[::-1], interpolation=cv2.INTER_AREA)
    freedom = cv2.matchTemplate(room.grid, stamp, cv2.TM_CCORR)
    places = np.argwhere(freedom >= good * freedom.max())
    place = places[random.integers(len(places))]
    top, left = (
        min(int((at + random.random()) * step), size - length)
        for at, step, size, length in zip(place, steps, room.free.shape, shape.shape, strict=True)
    )
    return top, left


def _fitted(shape: np.ndarray, free: np.ndarray, area: int, top: int, left: int) -> Region:
    """The `area` free pixels nearest to a shape placed at (top, left): deepest inside it first, then outwards."""
    import cv2

    rows, columns = shape.shape
    here = (slice(top, top + rows), slice(left, left + columns))
    if np.count_nonzero(shape & free[here]) == area == np.count_nonzero(shape):
        return Region(here, shape)
    reach = 8
    while True:  # until the window holds enough free pixels that nothing outside it can be nearer
        window = (
            slice(max(top - reach, 0), min(top + rows + reach, free.shape[0])),
            slice(max(left - reach, 0), min(left + columns + reach, free.shape[1])),
        )
        stamp = np.zeros((window[0].stop - window[0].start, window[1].stop - window[1].start), np.uint8)
        stamp[top - window[0].start :, left - window[1].start :][:rows, :columns] = shape
        outside, inwards = (cv2.distanceTransform(part, cv2.DIST_L2, cv2.DIST_MASK_5) for part in (1 - stamp, stamp))
        depth = np.asarray(outside - inwards)
        depth[~free[window]] = np.inf
        if stamp.shape == free.shape or np.count_nonzero(depth <= reach) >= area:
            break
        reach *= 2
    # Of the pixels that are as far as the last one needed, the first ones in reading order.
    edge = np.partition(depth.ravel(), area - 1)[area - 1]
    inside = depth < edge
    level = np.flatnonzero(depth == edge)
    inside.ravel()[level[: area - int(np.count_nonzero(inside))]] = True
    return Region(window, inside)
