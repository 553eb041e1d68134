"""What every explanation says about one radiograph whose truth is known: scores of the bone groups, as JSON values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import cv2
import numpy as np

from OsteoScreenLib.bones.masks import BoneMasks
from OsteoScreenLib.classifier.classifier import Classifier
from OsteoScreenLib.classifier.prediction import target_probability
from OsteoScreenLib.explain.bone_sweep import BoneSweep, SweepRequest
from OsteoScreenLib.explain.covering import BoneCutouts, Coverer
from OsteoScreenLib.explain.fills import Fill
from OsteoScreenLib.explain.overlap import measure_overlap
from OsteoScreenLib.explain.saliency import SaliencyMap
from OsteoScreenLib.explain.saliency_map import saliency_map
from OsteoScreenLib.explain.sweep import Trial, sweep
from OsteoScreenLib.simulate.thorax import GROUPS
from OsteoScreenLib.study.truth_views import Truth, TruthView

TARGET = "osteoporosis"
MEASURES = ("enrichment", "mass_share", "rank_accuracy", "iou_otsu", "iou_matched")
PERFECT = "the truth itself"  # the best that a map on the network's cells could be
_DIGITS = 6
_MARGIN_PX = 2.0


def explain_view(
    view: TruthView, truth: Truth, classifier: Classifier, methods: Sequence[str], fills: Sequence[Fill], seed: int = 0
) -> dict[str, Any]:
    """Every number of one radiograph.

    untouched, without, alone : probability of `TARGET`; with the truth's bones covered; with every other bone covered. maps : method, and `PERFECT`, → measure of the overlap → group → number or None.
    sweeps : fill → {"covered": probability with every bone covered, "remove" and "add-back": group → probability}.
    Groups that are not in the picture are left out.
    """
    masks, pixels = view.masks(), view.image
    maps: dict[str, Any] = {}
    for method in methods:
        drawn = saliency_map(classifier, pixels, TARGET, method)
        maps[method] = _overlaps(drawn, masks)
        maps.setdefault(PERFECT, _overlaps(perfect_map(drawn, masks, truth), masks))
    sweeps: dict[str, Any] = {}
    for fill in fills:
        table = BoneSweep(pixels, masks, classifier, SweepRequest(TARGET, fill=fill, seed=seed, controls=0)).run()
        every = next(row for row in table.rows if row.effect.of == "set")
        swept: dict[str, Any] = {"covered": every.effect.probability, "remove": {}, "add-back": {}}
        for row in table.rows:
            if row.effect.of == "group":
                swept[row.mode][row.effect.name] = row.effect.probability
        sweeps[fill] = swept
    return {**_with_and_without(pixels, masks, truth, classifier), "maps": maps, "sweeps": sweeps}


def _with_and_without(pixels: np.ndarray, masks: BoneMasks, truth: Truth, classifier: Classifier) -> dict[str, float]:
    """Whether the network reads the truth and nothing else, asked with a margin that takes in the bones' blurred edges."""
    every, own = frozenset(masks.names), frozenset(_bones(truth, masks))
    trials = {
        "untouched": Trial(frozenset(), "remove"),
        "without": Trial(own, "remove"),
        "alone": Trial(every - own, "add-back"),
    }
    answers = sweep(Coverer(pixels, masks, "remove", "mean", _MARGIN_PX), classifier, trials.values())
    return {name: float(target_probability(answers[trial].probabilities, TARGET)) for name, trial in trials.items()}


def _bones(truth: Truth, masks: BoneMasks) -> list[str]:
    return [name for group in truth.groups for name in masks.site.groups[group] if name in masks.table]


def perfect_map(like: SaliencyMap, masks: BoneMasks, truth: Truth) -> SaliencyMap:
    """The share of each cell that the truth's bones take, on the cells of another map; no map of so few cells can be better."""
    bones = BoneCutouts(masks)
    everywhere = (slice(0, masks.shape[0]), slice(0, masks.shape[1]))
    inside = bones.union(_bones(truth, masks), everywhere).astype(np.float32)
    matrix = like.grid_to_radiograph
    extent = tuple(max(1, round(float(matrix[axis, axis]))) for axis in (0, 1))
    shares = cv2.blur(inside, extent, borderType=cv2.BORDER_CONSTANT)
    rows, columns = like.grid.shape
    across = (matrix[0, 0] * np.arange(columns) + matrix[0, 2]).astype(np.float32)
    down = (matrix[1, 1] * np.arange(rows) + matrix[1, 2]).astype(np.float32)
    map_x, map_y = np.meshgrid(across, down)
    grid = cv2.remap(shares, map_x, map_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)
    return replace(like, grid=np.ascontiguousarray(np.maximum(grid, 0), np.float32))


def _overlaps(drawn: SaliencyMap, masks: BoneMasks) -> dict[str, dict[str, float | None]]:
    found = [one for one in measure_overlap(drawn, masks) if one.of == "group"]

    def short(value: float | None) -> float | None:
        return None if value is None else round(float(value), _DIGITS)

    return {key: {one.name: short(getattr(one, key)) for one in found} for key in MEASURES}


def truth_first(scores: Mapping[str, float | None], truth: Truth) -> tuple[float, float, float] | None:
    """How the truth's best group ranks among all groups: (first, rank, chance); None where the picture does not show the truth.

    first : 1 when the highest score is the truth's; where several groups share it, the share of the truth among them, as if one
    were drawn. rank : 1 is the highest; equal ones share the mean of their ranks. chance : `first` of scores that know nothing.
    A score that is not defined (an empty map) counts as the lowest.
    """
    groups = [group for group in GROUPS if group in scores]
    own = np.array([group in truth.groups for group in groups])
    if not own.any():
        return None
    values = np.array([-np.inf if (score := scores[group]) is None else score for group in groups])
    highest, best = values == values.max(), values[own].max()
    above = int(np.count_nonzero(values[~own] > best))
    level = int(np.count_nonzero(values[~own] == best))
    return float(own[highest].mean()), 1 + above + level / 2, float(own.mean())
