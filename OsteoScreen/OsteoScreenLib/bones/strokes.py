"""Painting and erasing on bone masks with a round brush, every stroke undoable. Pixels only: no window, no scene."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from OsteoScreenLib.bones.masks import BoneMasks, bounding_box

Box = tuple[int, int, int, int]
"""(row, row after, column, column after)."""
LONGEST_HISTORY = 200  # strokes


@dataclass(frozen=True)
class _Stroke:
    """What one stroke has changed. before, after : bool, of the box's size."""

    bone: str
    box: Box
    before: np.ndarray
    after: np.ndarray


class Strokes:
    """Masks under the brush. Bones may overlap: a stroke changes one bone and no other.

    A stroke is begun on a bone, led from place to place, and ended; places are (row, column) on the masks, with fractions.
    Every call that changes pixels returns the box that changed, None where nothing did, so that a view draws no more than that.

    masks : as they are before the first stroke; never written to.
    """

    def __init__(self, masks: BoneMasks) -> None:
        self._masks = masks
        self._touched: dict[str, np.ndarray] = {}  # bool (rows, columns)
        self._done: list[_Stroke] = []
        self._undone: list[_Stroke] = []
        self._running: tuple[str, bool, np.ndarray] | None = None  # bone, erase, the mask before
        self._last = (0.0, 0.0)
        self._radii = (1.0, 1.0)
        self._box: Box | None = None

    # One stroke

    def begin(self, bone: str, row: float, column: float, radii: tuple[float, float], erase: bool = False) -> Box | None:
        """Put the brush down. radii : of the brush along rows and columns, in pixels, at least half a pixel."""
        self.end()
        mask = self._touched.setdefault(bone, self._masks.mask(bone))
        self._running, self._box = (bone, erase, mask.copy()), None
        self._radii = max(radii[0], 0.5), max(radii[1], 0.5)
        self._last = row, column
        return self._draw(row, column)

    def move(self, row: float, column: float) -> Box | None:
        """Lead the brush on, in a straight line. Nothing while it is not down."""
        return self._draw(row, column) if self._running is not None else None

    def end(self) -> None:
        """Lift the brush. A stroke that has changed nothing is no step."""
        if self._running is None:
            return
        bone, _, before = self._running
        self._running = None
        if self._box is not None:
            inside = _slices(self._box)
            self._remember(_Stroke(bone, self._box, before[inside].copy(), self._touched[bone][inside].copy()))

    def replace(self, bone: str, mask: np.ndarray) -> Box | None:
        """Put another mask, bool (rows, columns), in the place of a bone's; a step like a stroke."""
        self.end()
        now = self._touched.setdefault(bone, self._masks.mask(bone))
        rows, columns = bounding_box(now != mask)
        if rows.stop == rows.start:
            return None
        box = rows.start, rows.stop, columns.start, columns.stop
        inside = _slices(box)
        self._remember(_Stroke(bone, box, now[inside].copy(), mask[inside].copy()))
        now[inside] = mask[inside]
        return box

    @property
    def running(self) -> bool:
        """The brush is down."""
        return self._running is not None

    def _remember(self, stroke: _Stroke) -> None:
        self._done = [*self._done[-LONGEST_HISTORY + 1 :], stroke]
        self._undone.clear()

    def _draw(self, row: float, column: float) -> Box | None:
        if self._running is None:
            return None
        bone, erase, _ = self._running
        mask = self._touched[bone]
        box = _around(self._last, (row, column), self._radii, mask.shape)
        start, self._last = self._last, (row, column)
        if box is None:
            return None
        inside = _slices(box)
        covered = _capsule(box, start, (row, column), self._radii) & (mask[inside] if erase else ~mask[inside])
        rows, columns = bounding_box(covered)
        if rows.stop == rows.start:
            return None
        mask[inside][covered] = not erase
        changed = box[0] + rows.start, box[0] + rows.stop, box[2] + columns.start, box[2] + columns.stop
        self._box = changed if self._box is None else _joined(self._box, changed)
        return changed

    # Steps

    @property
    def can_undo(self) -> bool:
        """There is a stroke to take back."""
        return bool(self._done)

    @property
    def can_redo(self) -> bool:
        """There is a stroke that was taken back."""
        return bool(self._undone)

    def undo(self) -> tuple[str, Box] | None:
        """Take the last stroke back, whichever bone it was on: the bone and the box."""
        self.end()
        if not self._done:
            return None
        stroke = self._done.pop()
        self._undone.append(stroke)
        self._touched[stroke.bone][_slices(stroke.box)] = stroke.before
        return stroke.bone, stroke.box

    def redo(self) -> tuple[str, Box] | None:
        """Do the stroke again that was taken back last."""
        self.end()
        if not self._undone:
            return None
        stroke = self._undone.pop()
        self._done.append(stroke)
        self._touched[stroke.bone][_slices(stroke.box)] = stroke.after
        return stroke.bone, stroke.box

    # What it comes to

    def mask(self, bone: str) -> np.ndarray:
        """A bone as it is now, bool (rows, columns); not to be written to."""
        return self._touched[bone] if bone in self._touched else self._masks.mask(bone)

    def changed(self) -> tuple[str, ...]:
        """Bones that differ from what they were, in the vocabulary's order."""
        differ = {name for name, mask in self._touched.items() if not np.array_equal(mask, self._masks.mask(name))}
        return tuple(name for name in self._masks.site.by_name if name in differ)

    def masks(self) -> BoneMasks:
        """All bones as they are now, packed. What was known of a bone's pixels is dropped where they were changed."""
        changed = self.changed()
        if not changed:
            return self._masks
        every = {name: self.mask(name) for name in {*self._masks.names, *changed}}
        packed = BoneMasks.pack(every, self._masks.shape, self._masks.site, self._masks.method)
        return packed.corrected_from(self._masks.digests, self._masks.facts)


def _slices(box: Box) -> tuple[slice, slice]:
    return slice(box[0], box[1]), slice(box[2], box[3])


def _joined(one: Box, other: Box) -> Box:
    return min(one[0], other[0]), max(one[1], other[1]), min(one[2], other[2]), max(one[3], other[3])


def _around(
    start: tuple[float, float], end: tuple[float, float], radii: tuple[float, float], shape: tuple[int, ...]
) -> Box | None:
    """The pixels that a stroke can reach, inside the image; None where it is outside."""
    bounds: list[int] = []
    for axis in (0, 1):
        first = max(int(np.floor(min(start[axis], end[axis]) - radii[axis])), 0)
        after = min(int(np.ceil(max(start[axis], end[axis]) + radii[axis])) + 1, shape[axis])
        if after <= first:
            return None
        bounds += [first, after]
    return bounds[0], bounds[1], bounds[2], bounds[3]


def _capsule(box: Box, start: tuple[float, float], end: tuple[float, float], radii: tuple[float, float]) -> np.ndarray:
    """Pixels whose centre lies under the brush on its way, bool (rows, columns) of the box."""
    # In units of the brush's radii the brush is a circle of radius 1, whatever the pixels' proportions.
    rows = (np.arange(box[0], box[1])[:, None] - start[0]) / radii[0]
    columns = (np.arange(box[2], box[3])[None, :] - start[1]) / radii[1]
    along_row, along_column = (end[0] - start[0]) / radii[0], (end[1] - start[1]) / radii[1]
    length = along_row**2 + along_column**2
    share = np.clip((rows * along_row + columns * along_column) / length, 0, 1) if length > 0 else 0.0
    return np.asarray((rows - share * along_row) ** 2 + (columns - share * along_column) ** 2 <= 1.0)
