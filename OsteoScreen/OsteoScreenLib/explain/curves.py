"""Deletion and insertion curves: does the answer follow the pixels that a saliency map calls important?

Petsiuk, Das and Saenko, "RISE", BMVC 2018 (arXiv 1806.07421). Deletion: the most salient pixels are covered first, and a map that
is right makes the probability fall early, so the area under the curve is small. Insertion: on a radiograph that is covered
throughout, the most salient pixels are shown first, and the area is large. Areas are over the share of pixels, by the trapezoidal
rule, so they lie between 0 and 1 and are mean probabilities.

Any order of pixels gives some area, so each is read against random orders: every cell of the map is given a number by lot, and
the pixels go in the order of these numbers, drawn as the map is. So a random order has the grain of the map and differs in place
alone. Pixels to which the map gives one value (zero, for the most part) are ordered among themselves in the same way. Covered
pixels are out of what a model has seen, in an unnatural shape; that is so for the random orders too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from OsteoScreenLib.bones.masks import BoneMasks
from OsteoScreenLib.classifier.classifier import Classifier
from OsteoScreenLib.classifier.prediction import TARGETS, target_probability
from OsteoScreenLib.errors import InputError
from OsteoScreenLib.explain.chance import Chance, against_chance
from OsteoScreenLib.explain.covering import Coverer, Region
from OsteoScreenLib.explain.fills import PAINTED, Fill
from OsteoScreenLib.explain.saliency import SaliencyMap

CurveKind = Literal["deletion", "insertion"]
KINDS: tuple[CurveKind, ...] = ("deletion", "insertion")
STEPS = 16
MOST_STEPS = 200
RANDOM_ORDERS = 20  # the fewest among which a curve can lie above the 95th percentile
_ORDERED = 512  # pixels along the longer side on which they are put in order
MOST_ORDERS = 1000
_NEVER = 255  # beyond every step
_EQUAL = 1e-6  # values closer than this share of the largest are equal


@dataclass(frozen=True)
class CurveRequest:
    """target : one of `TARGETS`. fill : a painted one; see `fills`. steps : equal shares of the pixels, 2 to 200.

    orders : random ones, 0 for none. seed : of these, and of the fills that need one.
    """

    target: str = "osteoporosis"
    fill: Fill = "blur"
    steps: int = STEPS
    orders: int = RANDOM_ORDERS
    seed: int = 0


@dataclass(frozen=True)
class Curve:
    """shares : of the pixels that are covered (deletion) or shown (insertion), 0 to 1. probabilities : of the target, at each."""

    kind: CurveKind
    shares: tuple[float, ...]
    probabilities: tuple[float, ...]

    @property
    def area(self) -> float:
        """Under the curve, by the trapezoidal rule; between 0 and 1."""
        heights, shares = np.array(self.probabilities), np.array(self.shares)
        return float(((heights[1:] + heights[:-1]) / 2 * np.diff(shares)).sum())


@dataclass(frozen=True)
class CurveCheck:
    """One map's curve beside those of random orders.

    random_areas : under the curves of the random orders. chance : where the map's curve lies among them, in percentage points of
    mean probability, signed so that above the 95th percentile the map is better than chance; None without random orders and for a
    map that is flat, which puts nothing in order.
    """

    curve: Curve
    random_areas: tuple[float, ...]
    chance: Chance | None


def curves(
    classifier: Classifier,
    pixels: np.ndarray,
    maps: Sequence[SaliencyMap],
    request: CurveRequest | None = None,
    masks: BoneMasks | None = None,
    progress: Callable[[float], None] | None = None,
) -> tuple[tuple[CurveCheck, CurveCheck], ...]:
    """(deletion, insertion) of each map of one radiograph, in one stream of forward passes of fixed shape.

    Maps with the same cells share their random orders. Pixels that the network is not shown (a "crop") are left as they are.

    Parameters
    ----------
    pixels : float32 (rows, columns) in [0, 1], of the maps. masks : bones, for fills that leave them out of what they paint with.
    progress : called with the share done, 0 to 1.

    Raises
    ------
    InputError
        One sentence: an unknown target, the fill "tokens", a number of steps or orders that is out of range, too small an image.
    """
    request = request or CurveRequest()
    _check(request)
    shape = (pixels.shape[0], pixels.shape[1])
    if masks is None:
        masks = BoneMasks.pack({}, shape)
    coverer = Coverer(pixels, masks, fill=request.fill, seed=request.seed)
    orders: list[np.ndarray] = []
    own: list[int] = []  # each map's place in `orders`
    random: dict[tuple[object, ...], list[int]] = {}  # the maps' cells → places in `orders`
    for saliency in maps:
        by_lot = [_by_lot(saliency, request.seed, draw) for draw in range(request.orders + 1)]
        own.append(len(orders))
        orders.append(_order(saliency, _drawn(saliency), by_lot[0], request.steps))
        if _cells(saliency) not in random:
            random[_cells(saliency)] = list(range(len(orders), len(orders) + request.orders))
            orders += [_order(saliency, one, by_lot[0], request.steps) for one in by_lot[1:]]
    answers = _answers(classifier, coverer, orders, request, progress or (lambda _share: None))
    checks = []
    for saliency, place in zip(maps, own, strict=True):
        others = [answers[one] for one in random[_cells(saliency)]]
        deletion, insertion = (_checked(saliency, answers[place][kind], [one[kind] for one in others]) for kind in KINDS)
        checks.append((deletion, insertion))
    return tuple(checks)


def _check(request: CurveRequest) -> None:
    if request.target not in TARGETS:
        raise InputError(f"There is no target called '{request.target}'; choose one of {', '.join(TARGETS)}.", code="target")
    if request.fill not in PAINTED:
        raise InputError(
            f"Deletion and insertion paint pixels, which the fill '{request.fill}' does not; choose one of {', '.join(PAINTED)}.",
            code="fill",
        )
    if not 2 <= request.steps <= MOST_STEPS or not 0 <= request.orders <= MOST_ORDERS:
        raise InputError(f"Curves take from 2 to {MOST_STEPS} steps and from 0 to {MOST_ORDERS} random orders.", code="option")


def _answers(
    classifier: Classifier,
    coverer: Coverer,
    orders: Sequence[np.ndarray],
    request: CurveRequest,
    progress: Callable[[float], None],
) -> list[dict[CurveKind, Curve]]:
    """Both curves of each order (`_order`). The two ends, untouched and covered throughout, are the same for all."""
    shape = (coverer.pixels.shape[0], coverer.pixels.shape[1])
    between = range(1, request.steps)

    def pictures() -> Iterator[np.ndarray]:
        yield coverer.pixels
        yield coverer.cover_region(
            _region(_enlarged(orders[0], shape) < request.steps) if orders else _region(np.ones(shape, bool))
        )
        for order in orders:
            full = _enlarged(order, shape)
            for step in between:
                yield coverer.cover_region(_region(full < step))
            for step in between:
                yield coverer.cover_region(_region((full >= step) & (full < request.steps)))

    total = 2 + 2 * len(between) * len(orders)
    found: list[float] = []
    for probabilities in classifier.predict_stream(pictures()):
        found.append(float(target_probability(probabilities, request.target)))
        progress(len(found) / total)
    shares = tuple(step / request.steps for step in range(request.steps + 1))
    untouched, covered = found[:2]
    curves_of = []
    for start in range(2, total, 2 * len(between)):
        middle, half = found[start : start + 2 * len(between)], len(between)
        curves_of.append(
            {
                "deletion": Curve("deletion", shares, (untouched, *middle[:half], covered)),
                "insertion": Curve("insertion", shares, (covered, *middle[half:], untouched)),
            }
        )
    return curves_of  # type: ignore[return-value]


def _checked(saliency: SaliencyMap, curve: Curve, random: Sequence[Curve]) -> CurveCheck:
    areas = tuple(one.area for one in random)
    sign = -100.0 if curve.kind == "deletion" else 100.0
    flat = saliency.grid.max() - saliency.grid.min() <= _EQUAL * saliency.grid.max()
    chance = None if flat else against_chance(sign * curve.area, [sign * area for area in areas])
    return CurveCheck(curve, areas, chance)


def _cells(saliency: SaliencyMap) -> tuple[object, ...]:
    return saliency.grid.shape, saliency.grid_to_radiograph.tobytes()


def _by_lot(saliency: SaliencyMap, seed: int, draw: int) -> np.ndarray:
    """A number by lot for each of the map's cells, drawn as the map is. draw : 0 orders what the map leaves open."""
    lots = np.random.default_rng([seed, draw]).random(saliency.grid.shape, dtype=np.float32)
    return _drawn(replace(saliency, grid=lots))


def _drawn(saliency: SaliencyMap) -> np.ndarray:
    rows, columns = saliency.radiograph_shape
    factor = min(1.0, _ORDERED / max(rows, columns))
    return saliency.on_radiograph(scaled=False, shape=(max(1, round(rows * factor)), max(1, round(columns * factor))))


def _order(saliency: SaliencyMap, values: np.ndarray, open_ones: np.ndarray, steps: int) -> np.ndarray:
    """The step in which each pixel goes, uint8 of the shape of `values`, largest values first; `_NEVER` for what is not seen.

    open_ones : orders pixels of equal values.
    """
    seen = np.ones(values.shape, bool)
    for axis, part in enumerate(saliency.seen):
        whole, reduced = saliency.radiograph_shape[axis], values.shape[axis]
        centres = (np.arange(reduced) + 0.5) * whole / reduced - 0.5
        inside = (centres >= part.start - 0.5) & (centres < part.stop - 0.5)
        seen &= inside[:, None] if axis == 0 else inside[None, :]
    held = values[seen].astype(np.float64)
    if held.size < steps:
        raise InputError(f"The image has too few pixels for {steps} steps; take fewer.", code="option")
    snapped = np.round(held / max(held.max(), np.finfo(np.float32).tiny) / _EQUAL)
    ranked = np.lexsort((-open_ones[seen], -snapped))
    step = np.empty(held.size, np.uint8)
    step[ranked] = np.arange(held.size) * steps // held.size
    order = np.full(values.shape, _NEVER, np.uint8)
    order[seen] = step
    return order


def _enlarged(order: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    rows, columns = (
        np.minimum(((np.arange(whole) + 0.5) * reduced / whole).astype(int), reduced - 1)
        for whole, reduced in zip(shape, order.shape, strict=True)
    )
    return np.asarray(order[np.ix_(rows, columns)])


def _region(inside: np.ndarray) -> Region:
    return Region((slice(0, inside.shape[0]), slice(0, inside.shape[1])), inside)
