"""Overlap of a saliency map with the bones: how much of the map lies on each of them, against what chance would give.

Resolution: the map as it is drawn (bilinear between cell centres) and the masks are both read at sample points, the pixels of
the radiograph itself; where its longer side exceeds 1024 pixels, every n-th row and column, n the smallest whole number that
brings it to 1024 or less. Only pixels that the network was shown count. Below, "area" is a number of sample points.

For a map v and a mask M, with N sample points in all and K of them in M:

mass share : Σ v in M / Σ v; "relevance mass accuracy" (Arras, Osman and Samek 2022, doi 10.1016/j.inffus.2021.11.008).
enrichment : mass share / (K / N). A map that knows nothing of the bone has 1 on average.
rank accuracy : the share of the K largest values that lie in M; "relevance rank accuracy" (Arras et al. 2022). Values equal to
    the K-th largest count by expectation, as if drawn among themselves, so a flat map has K / N.
IoU at Otsu's threshold : of M and the points in the upper of the two classes whose means differ most (Otsu 1979,
    doi 10.1109/TSMC.1979.4310076; the largest between-class variance over all splits of the values, without a histogram).
    Saporta et al. 2022 (doi 10.1038/s42256-022-00536-x) threshold saliency maps of chest radiographs so.
IoU over a sweep : of M and the points with v ≥ t · max v, for each t of `THRESHOLDS`.
IoU at matched area : of M and the K largest values, so that both areas are equal. With rank accuracy r it is r / (2 − r): it does
    not reward a map for being as large as the mask.
pointing : whether the largest value lies in M or within a tolerance of it: the pointing game (Zhang et al. 2018,
    doi 10.1007/s11263-017-1059-x). They allow 15 pixels on images of about 500; here `POINTING_TOLERANCE` of the longer side.
    Where several points share the largest value, the share of them that hit.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from OsteoScreenLib.bones.masks import BoneMasks
from OsteoScreenLib.errors import InputError
from OsteoScreenLib.explain.covering import BoneCutouts, widened
from OsteoScreenLib.explain.saliency import SaliencyMap

OverlapOf = Literal["all", "group", "bone"]
ALL_BONES = "all bones"
LONGEST = 1024  # sample points along the longer side, at most
THRESHOLDS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)  # of the sweep, as shares of the largest value
POINTING_TOLERANCE = 0.03  # of the radiograph's longer side
# Values closer than this share of the largest are equal: drawing a map leaves rounding errors of a few 1e-7.
_EQUAL = 1e-6

Box = tuple[slice, slice]


@dataclass(frozen=True)
class Overlap:
    """One map against one mask; the module says what each number is. None where it is not defined.

    of, name : which mask: of all bones, of one group, of one bone. area_share : K / N.
    mass_share, enrichment, rank_accuracy, iou_matched, iou_sweep : undefined for a map that is zero everywhere.
    iou_otsu, pointing : undefined for a flat map, which has no two classes and no largest value.
    Every number but the area share is undefined where no sample point lies in the mask.
    """

    of: OverlapOf
    name: str
    area_share: float
    mass_share: float | None = None
    enrichment: float | None = None
    rank_accuracy: float | None = None
    pointing: float | None = None
    iou_otsu: float | None = None
    iou_matched: float | None = None
    iou_sweep: tuple[float, ...] | None = None


def measure_overlap(saliency: SaliencyMap, masks: BoneMasks) -> tuple[Overlap, ...]:
    """The map against all bones together, each group of which a bone was found, and each bone that was found, in display order.

    Raises
    ------
    InputError
        One sentence: masks of another size, or a map with values that are no numbers.
    """
    if masks.shape != saliency.radiograph_shape:
        raise InputError(
            f"The bone masks are {masks.shape[1]}×{masks.shape[0]} pixels, the radiograph of the heatmap "
            f"{saliency.radiograph_shape[1]}×{saliency.radiograph_shape[0]}; use masks drawn on this radiograph.",
            code="masks-shape",
        )
    step = -(-max(masks.shape) // LONGEST)
    rows, columns = (slice(part.start + step // 2, part.stop, step) for part in saliency.seen)
    measured = MeasuredMap(
        saliency.on_radiograph(scaled=False)[rows, columns], tolerance=POINTING_TOLERANCE * max(masks.shape) / step
    )
    sampled = BoneMasks(np.ascontiguousarray(masks.layers[:, rows, columns]), masks.table, masks.site)
    bones = BoneCutouts(sampled)
    subjects: list[tuple[OverlapOf, str, tuple[str, ...]]] = [("all", ALL_BONES, masks.names)]
    for group, members in masks.site.groups.items():
        subjects.append(("group", group, tuple(name for name in members if name in masks.table)))
    subjects += [("bone", name, (name,)) for name in masks.names]
    overlaps = []
    for of, name, members in subjects:
        if members:
            box = bones.hull(members)
            overlaps.append(measured.against(bones.union(members, box), box, of, name))
    return tuple(overlaps)


class MeasuredMap:
    """A map prepared for being compared with many masks: its values are sorted once, and a mask costs what its box holds.

    values : float (rows, columns), finite and not negative. tolerance : of the pointing game, in these pixels.
    Raises `InputError` (heatmap-values) when a value is no number, is infinite or is negative.
    """

    def __init__(self, values: np.ndarray, tolerance: float = 0.0) -> None:
        if not (np.isfinite(values).all() and (values >= 0).all()):
            raise InputError(
                "The heatmap holds values that are negative or no numbers, so its overlap with bones cannot be measured; "
                "compute it again in full precision.",
                code="heatmap-values",
            )
        peak = values.max() if values.size else np.float32(0)
        self._flat = bool(values.size == 0 or peak - values.min() <= _EQUAL * peak)
        self._values = np.full_like(values, peak) if self._flat else values
        self._ranked = np.sort(self._values, axis=None)
        self._mass = float(self._ranked.sum(dtype=np.float64))
        self._sweep = (np.array(THRESHOLDS) * float(peak)).astype(values.dtype)
        self._otsu = None if self._flat else otsu_threshold(self._ranked)
        self._tolerance = tolerance
        self._peaks = np.argwhere(self._values >= peak * (1 - _EQUAL)) if not self._flat else np.zeros((0, 2), int)

    def against(self, inside: np.ndarray, box: Box | None = None, of: OverlapOf = "bone", name: str = "") -> Overlap:
        """The overlap with the mask `inside`, bool, within the slices `box` of the map (the whole map when None)."""
        box = box or (slice(0, self._values.shape[0]), slice(0, self._values.shape[1]))
        held = np.sort(self._values[box][inside])
        whole, area = self._ranked.size, held.size
        if area == 0 or self._mass <= 0:
            return Overlap(of, name, area / whole if whole else 0.0)
        mass_share = min(float(held.sum(dtype=np.float64)) / self._mass, 1.0)
        hits = self._among_largest(held)
        return Overlap(
            of=of,
            name=name,
            area_share=area / whole,
            mass_share=mass_share,
            enrichment=mass_share / (area / whole),
            rank_accuracy=hits / area,
            pointing=None if self._flat else self._hit(inside, box),
            iou_otsu=None if self._otsu is None else self._iou(held, np.array([self._otsu]))[0],
            iou_matched=hits / (2 * area - hits),
            iou_sweep=self._iou(held, self._sweep),
        )

    def _among_largest(self, held: np.ndarray) -> float:
        """How many of the `held.size` largest values of the map are among `held`; equal values count by expectation."""
        limit = self._ranked[-held.size]
        above, reaching = _count(self._ranked, limit, "right"), _count(self._ranked, limit)
        held_above, held_reaching = _count(held, limit, "right"), _count(held, limit)
        tied_in_mask = (held_reaching - held_above) / (reaching - above)
        return float(held_above + (held.size - above) * tied_in_mask)

    def _iou(self, held: np.ndarray, thresholds: np.ndarray) -> tuple[float, ...]:
        """Intersection over union of the mask with the points at or above each threshold."""
        chosen, common = _count(self._ranked, thresholds), _count(held, thresholds)
        return tuple(float(value) for value in common / (chosen + held.size - common))

    def _hit(self, inside: np.ndarray, box: Box) -> float:
        """The share of the map's largest values that lie within the tolerance of the mask."""
        reach = int(self._tolerance)
        padded = np.pad(inside, reach)
        places = self._peaks - [box[0].start - reach, box[1].start - reach]
        near = places[((places >= 0) & (places < padded.shape)).all(axis=1)]
        if not len(near):
            return 0.0
        return float(widened(padded, self._tolerance)[near[:, 0], near[:, 1]].sum() / len(self._peaks))


def otsu_threshold(ranked: np.ndarray) -> np.floating:
    """The smallest value of the upper class (Otsu 1979). ranked : ascending (n,), with at least two different values.

    Of splits that differ as much, the lowest.
    """
    starts = np.flatnonzero(ranked[1:] != ranked[:-1]) + 1  # of each possible upper class
    summed = np.cumsum(ranked, dtype=np.float64)
    lower, total = summed[starts - 1], summed[-1]
    below, above = starts, ranked.size - starts
    variance = below * above * ((total - lower) / above - lower / below) ** 2
    threshold: np.floating = ranked[starts[int(np.argmax(variance))]]
    return threshold


def _count(ranked: np.ndarray, limit: np.ndarray | np.floating, side: Literal["left", "right"] = "left") -> np.ndarray:
    """How many of the ascending values reach (side "left") or exceed (side "right") each limit."""
    return np.asarray(ranked.size - np.searchsorted(ranked, limit, side))
