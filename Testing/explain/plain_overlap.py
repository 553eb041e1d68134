"""The overlap of a map with a mask, written once more from the papers' definitions: no sorting tricks, in plain loops."""

from __future__ import annotations

import math

import numpy as np

THRESHOLDS = [k / 10 for k in range(1, 10)]


def plain_overlap(values: np.ndarray, mask: np.ndarray, tolerance: float) -> dict[str, object]:
    """Every number of `Overlap` for a map whose values all differ, of a mask that is not empty."""
    pixels = [(row, column) for row in range(values.shape[0]) for column in range(values.shape[1])]
    v = {p: float(values[p]) for p in pixels}
    assert len(set(v.values())) == len(v)
    bone = {p for p in pixels if mask[p]}
    total = math.fsum(v.values())
    mass = math.fsum(v[p] for p in bone) / total
    brightest = sorted(pixels, key=lambda p: -v[p])[: len(bone)]
    peak = max(pixels, key=lambda p: v[p])
    upper = plain_otsu(list(v.values()))
    return {
        "area_share": len(bone) / len(pixels),
        "mass_share": mass,
        "enrichment": mass / (len(bone) / len(pixels)),
        "rank_accuracy": sum(p in bone for p in brightest) / len(bone),
        "pointing": float(any(math.dist(p, peak) <= tolerance for p in bone)),
        "iou_otsu": iou({p for p in pixels if v[p] >= upper}, bone),
        "iou_matched": iou(set(brightest), bone),
        "iou_sweep": tuple(iou({p for p in pixels if v[p] >= np.float32(t * v[peak])}, bone) for t in THRESHOLDS),
    }


def iou(one: set[tuple[int, int]], other: set[tuple[int, int]]) -> float:
    """Intersection over union."""
    return len(one & other) / len(one | other)


def plain_otsu(values: list[float]) -> float:
    """The value that begins the upper class, by the least variance within classes: the other form of Otsu's criterion."""
    best = (math.inf, math.nan)
    for threshold in sorted(set(values))[1:]:
        lower, upper = [x for x in values if x < threshold], [x for x in values if x >= threshold]
        best = min(best, (squares(lower) + squares(upper), threshold))
    return best[1]


def squares(values: list[float]) -> float:
    """The sum of squared deviations from the mean."""
    mean = math.fsum(values) / len(values)
    return math.fsum((x - mean) ** 2 for x in values)
