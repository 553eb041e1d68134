"""How good masks look: each bone's confidence, and marks for what looks implausible, whoever drew it.

The marks are geometric: they compare a mask with its neighbours, with the spine's line and with what a thorax of this size
makes one expect (`bones.shapes`). They find masks that are most likely wrong; they do not prove that the others are right.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from OsteoScreenLib.bones.masks import BoneMasks
from OsteoScreenLib.bones.shapes import Expected, Frame, Measure, Shapes, fit_frame, measure, shapes_of
from OsteoScreenLib.bones.vocabulary import Site
from OsteoScreenLib.radiograph.radiograph import Note

NOTE = "masks-implausible"
IMPLAUSIBLE = frozenset({"missing", "small", "large", "wrong-side", "out-of-order", "misplaced"})
"""Codes of marks that say that a mask, or its absence, is most likely wrong. The others only inform."""
SHORT = {
    "missing": "missing",
    "small": "too small",
    "large": "too large",
    "wrong-side": "on the wrong side",
    "out-of-order": "out of order",
    "misplaced": "out of place",
    "cut-by-edge": "cut by the image's edge",
    "left-out": "too faint, left out",
    "removed": "removed by hand",
    "edited": "edited",
}
"""Two or three words for each code, for tables."""
NUMBERING = "The number is counted by position from head to foot; it may be one or two off, as on any frontal radiograph."

_SEVERAL = 4  # implausible masks from which the image as a whole gets a note
_LARGE, _AT_MOST = np.log(1.6), np.log(2.0)  # how far an area may be off; twice its size is never believed
_SPREADS = 3.2  # within these limits, standard deviations of simulated chests
_BODY = 0.12  # logarithm of how much larger or smaller all bones of a body may be, after its rib cage has been scaled
_OFF, _OFF_SPREADS = 0.09, 4.5  # of the thorax's width, and standard deviations, by which a centre may be off
_INSIDE = 0.02  # share of the image's side that a missing bone's centre is inside the image


@dataclass(frozen=True)
class Mark:
    """What is to be said of a mask: a code and one sentence for a person."""

    code: str
    text: str

    @property
    def implausible(self) -> bool:
        """It says that the mask is most likely wrong."""
        return self.code in IMPLAUSIBLE


@dataclass(frozen=True)
class MaskQuality:
    """One bone's mask, or its absence.

    confidence : the segmenter's estimate of the mask's Dice, 0 to 1; learnt on simulated images. None where nobody estimates.
    marks : what is to be said of it. numbering_uncertain : its number is counted by position. trust : see `bones.trust`, "" where
    nothing is known. edited : a person has changed it.
    """

    name: str
    found: bool
    confidence: float | None = None
    marks: tuple[Mark, ...] = ()
    numbering_uncertain: bool = False
    trust: str = ""
    edited: bool = False

    @property
    def implausible(self) -> bool:
        """Some mark says that it is most likely wrong."""
        return any(mark.implausible for mark in self.marks)

    @property
    def codes(self) -> tuple[str, ...]:
        """The marks' codes."""
        return tuple(mark.code for mark in self.marks)


def assess(masks: BoneMasks, shapes: Shapes | None = None) -> dict[str, MaskQuality]:
    """Every bone of the site, found or not. shapes : what a body makes one expect; None takes the site's own table."""
    shapes = shapes_of(masks.site) if shapes is None else shapes
    measures = measure(masks)
    frame = fit_frame(measures, shapes)
    marks: dict[str, list[Mark]] = {name: [] for name in masks.site.by_name}
    _mark_missing(marks, masks, measures, shapes, frame)
    _mark_sides(marks, masks.site, measures, frame)
    _mark_order(marks, masks.site, measures)
    if frame is not None:
        _mark_shapes(marks, measures, shapes, frame)
    for name, one in measures.items():
        if one.cut:
            marks[name].append(Mark("cut-by-edge", "Cut by the image's edge."))
    facts = masks.facts
    return {
        bone.name: MaskQuality(
            bone.name,
            bone.name in measures,
            facts.confidence.get(bone.name),
            tuple(marks[bone.name]),
            bone.group in masks.site.counted,
            facts.trust.get(bone.name, ""),
            bone.name in facts.edited,
        )
        for bone in masks.site.bones
    }


def notes_on(quality: Mapping[str, MaskQuality]) -> tuple[Note, ...]:
    """A note when several masks are implausible, else none."""
    names = [one.name for one in quality.values() if one.found and one.implausible]
    missing = [one.name for one in quality.values() if not one.found and one.implausible]
    if len(names) + len(missing) < _SEVERAL:
        return ()
    parts = []
    if names:
        count = "1 bone mask looks" if len(names) == 1 else f"{len(names)} bone masks look"
        parts.append(f"{count} implausible ({_listed(names)})")
    if missing:
        count = (
            "1 bone that should be in the picture has"
            if len(missing) == 1
            else f"{len(missing)} bones that should be in the picture have"
        )
        parts.append(f"{count} no usable mask ({_listed(missing)})")
    text = f"{' and '.join(parts)}: look at the outlines before reading what bones are worth."
    return (Note("masks-implausible", "warning", text[0].upper() + text[1:]),)


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")


_LEFT_OUT = {
    "out-of-order": "Left out: it was drawn out of its order from head to foot, so it is more likely part of another bone.",
    "faint": "Left out: there was too little evidence for it.",
    "removed": "Removed by hand.",
}


def _mark_missing(
    marks: dict[str, list[Mark]], masks: BoneMasks, measures: Mapping[str, Measure], shapes: Shapes, frame: Frame | None
) -> None:
    for name in masks.site.by_name:
        if name in measures:
            continue
        why = masks.facts.left_out.get(name, "")
        reason = _LEFT_OUT.get(why, "")
        if why == "removed":
            marks[name].append(Mark("removed", reason))
        elif why == "out-of-order":
            marks[name].append(Mark("out-of-order", reason))
        elif frame is not None and _is_claimed(name, masks, measures) and _in_picture(shapes.get(name), frame, masks.shape):
            text = "No mask was found, although the bone should be in the picture."
            marks[name].append(Mark("missing", f"{text} {reason}".strip()))
        elif reason:
            marks[name].append(Mark("left-out", reason))


def _is_claimed(name: str, masks: BoneMasks, measures: Mapping[str, Measure]) -> bool:
    """What drew the masks draws this bone as well: it says so, or it has drawn counted bones above and below it."""
    if name in masks.facts.trust:
        return True
    group = masks.site.by_name[name].group
    series = masks.site.groups[group] if group in masks.site.counted else ()
    at = series.index(name) if name in series else 0
    return any(other in measures for other in series[:at]) and any(other in measures for other in series[at + 1 :])


def _in_picture(expected: Expected | None, frame: Frame, shape: tuple[int, int]) -> bool:
    """The bone's centre lies inside the image, by two spreads and a little more."""
    if expected is None:
        return False
    place = frame.to_image(expected.row, expected.column)
    spreads = (expected.row_spread, expected.column_spread)
    margins = [_INSIDE * side + 2 * spread * frame.unit for side, spread in zip(shape, spreads, strict=True)]
    return all(margin < at < side - margin for at, side, margin in zip(place, shape, margins, strict=True))


def _mark_sides(marks: dict[str, list[Mark]], site: Site, measures: Mapping[str, Measure], frame: Frame | None) -> None:
    """Patient's right is on the viewer's left: of the spine's line where there is one, of the thorax's middle, or of the middle
    between bones of a pair."""
    spine = [measures[name] for name in site.groups.get("Spine", ()) if name in measures]
    if len(spine) >= 3:
        line = _line([one.row for one in spine], [one.column for one in spine])
    elif frame is not None:
        top, low = frame.to_image(-0.5, 0), frame.to_image(0.5, 0)
        line = _line([top[0], low[0]], [top[1], low[1]])
    else:
        mirrored = site.mirrored
        pairs = [
            (one, measures[mirrored[name]])
            for name, one in measures.items()
            if mirrored[name] != name and mirrored[name] in measures
        ]
        if not pairs:
            return
        line = (float(np.median([(one.column + other.column) / 2 for one, other in pairs])), 0.0)
    for name, one in measures.items():
        side = site.by_name[name].side
        beside = one.column - (line[0] + line[1] * one.row)
        if (side == "right" and beside > 0) or (side == "left" and beside < 0):
            marks[name].append(
                Mark(
                    "wrong-side",
                    f"Lies on the patient's {'left' if side == 'right' else 'right'} of the {'spine' if spine else 'middle'}.",
                )
            )


def _line(rows: Sequence[float], columns: Sequence[float]) -> tuple[float, float]:
    """(column at row 0, columns a row) through the medians of pairwise slopes (Theil and Sen), which a few outliers do not move."""
    x, y = np.array(rows), np.array(columns)
    first, second = np.triu_indices(len(x), 1)
    apart = x[second] - x[first]
    far = np.abs(apart) > 1e-6
    slope = float(np.median((y[second] - y[first])[far] / apart[far])) if far.any() else 0.0
    # The thorax is taller than it is crooked: a line of displaced vertebrae must not lie across the picture.
    slope = float(np.clip(slope, -0.4, 0.4))
    return float(np.median(y - slope * x)), slope


def _mark_order(marks: dict[str, list[Mark]], site: Site, measures: Mapping[str, Measure]) -> None:
    for group in site.counted:
        series = [name for name in site.groups[group] if name in measures]
        heights = [measures[name].row for name in series]
        span = max(heights, default=0.0) - min(heights, default=0.0)
        for name in out_of_turn(dict(zip(series, heights, strict=True)), 0.03 * span):
            marks[name].append(Mark("out-of-order", "Lies out of its order from head to foot."))


def out_of_turn(heights: Mapping[str, float], tolerance: float) -> tuple[str, ...]:
    """Bones that are not part of every longest run from head to foot.

    heights : bone → row of its centre, in the series' order. tolerance : rows by which a later bone may lie higher.
    A bone far from its place breaks every long run and is named alone; of two that have changed places, either could stay, so
    both are named.
    """
    names, rows = list(heights), list(heights.values())
    ending = _longest(rows, tolerance)
    starting = _longest([-row for row in reversed(rows)], tolerance)[::-1]
    best = max(ending, default=0)
    # A bone that could stay, and which places in the run have more than one such bone.
    could_stay = [ends + starts - 1 == best for ends, starts in zip(ending, starting, strict=True)]
    rivals = [ends for ends, stays in zip(ending, could_stay, strict=True) if stays]
    return tuple(
        name for name, ends, stays in zip(names, ending, could_stay, strict=True) if not stays or rivals.count(ends) > 1
    )


def _longest(rows: Sequence[float], tolerance: float) -> list[int]:
    """Length of the longest run that ends with each bone."""
    lengths: list[int] = []
    for i, row in enumerate(rows):
        lengths.append(1 + max((lengths[j] for j in range(i) if row > rows[j] - tolerance), default=0))
    return lengths


def _mark_shapes(marks: dict[str, list[Mark]], measures: Mapping[str, Measure], shapes: Shapes, frame: Frame) -> None:
    known = {name: one for name, one in measures.items() if name in shapes}
    areas = {name: float(np.log(one.area / frame.unit**2)) - shapes[name].log_area for name, one in known.items()}
    widths = {name: float(np.log(one.width / frame.unit)) - shapes[name].log_width for name, one in known.items()}
    # The body's own bones, finer or coarser than the mean: the middle of all whole ones. It is bounded by what bodies do, or
    # many masks that are too small would make the good ones look too large.
    whole = [name for name in known if not known[name].cut]
    area_off, width_off = (
        float(np.clip(np.median([values[name] for name in whole]), -_BODY, _BODY)) for values in (areas, widths)
    )
    for name, one in known.items():
        expected = shapes[name]
        area, width = areas[name] - area_off, widths[name] - width_off
        limit = float(np.clip(_SPREADS * expected.area_spread, _LARGE, _AT_MOST))
        wide = width > max(_AT_MOST, _SPREADS * expected.width_spread)
        if area > limit or wide:
            much = f"{np.exp(area):.1f} times the area" if area > limit else f"{np.exp(width):.1f} times the width"
            marks[name].append(Mark("large", f"Has {much} that the other bones make one expect."))
        elif area < -limit and not one.cut:
            marks[name].append(Mark("small", f"Has {np.exp(area):.0%} of the area that the other bones make one expect."))
        if not one.cut and "wrong-side" not in _codes(marks[name]):
            row, column = frame.to_thorax(one.row, one.column)
            off = (row - expected.row, column - expected.column)
            limits = [max(_OFF, _OFF_SPREADS * spread) for spread in (expected.row_spread, expected.column_spread)]
            if any(abs(o) > most for o, most in zip(off, limits, strict=True)):
                share = float(np.hypot(*off))
                marks[name].append(
                    Mark("misplaced", f"Lies {share:.0%} of the chest's width from where the other bones make one expect it.")
                )


def _codes(marks: Iterable[Mark]) -> set[str]:
    return {mark.code for mark in marks}
