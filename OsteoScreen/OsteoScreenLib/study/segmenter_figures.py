"""Figures of a trained segmenter on views it has not seen: Dice by bone and group, left and right exchanged, sources left out."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from OsteoScreenLib.bones.vocabulary import CHEST_FRONTAL, Site
from OsteoScreenLib.files import write_text
from OsteoScreenLib.simulate.thorax import STRUCTURES
from OsteoScreenLib.study.classifier_figures import Interval
from OsteoScreenLib.study.segmenter_images import Store, plain_example

_LEAST_CELLS = 20  # of a structure in the field, for its Dice to mean anything
_DRAWS = 2000


@dataclass(frozen=True)
class ViewScores:
    """What a segmenter drew on some views.

    dice : (views, structures) in the order of `structures`, NaN where fewer than 20 cells of the structure are in the field.
    swapped, sided : how many of the drawn structures that have a side cover more of the other side's than of their own, and how
    many were drawn. structures : what was drawn; those that are no bones of `site` are helpers.
    """

    dice: np.ndarray
    swapped: int
    sided: int
    structures: tuple[str, ...] = STRUCTURES
    site: Site = CHEST_FRONTAL

    def by_structure(self) -> dict[str, float]:
        """Mean Dice of each structure that was in the field of any view."""
        return {
            name: float(np.nanmean(column))
            for name, column in zip(self.structures, self.dice.T, strict=True)
            if np.isfinite(column).any()
        }

    def by_group(self) -> dict[str, Interval]:
        """Mean Dice of each bone group and auxiliary structure, with a 95 % interval that draws whole views (bodies) anew."""
        helpers = {name: (name,) for name in self.structures if name not in self.site.by_name}
        groups = {**self.site.groups, **helpers}
        rng = np.random.default_rng(0)
        drawn = rng.integers(len(self.dice), size=(_DRAWS, len(self.dice)))
        found = {}
        for group, names in groups.items():
            scores = self.dice[:, [self.structures.index(name) for name in names]]
            totals, counts = np.nansum(scores, axis=1), np.isfinite(scores).sum(axis=1)
            if counts.sum():
                means = totals[drawn].sum(axis=1) / np.maximum(counts[drawn].sum(axis=1), 1)
                low, high = np.percentile(means, [2.5, 97.5])
                found[group] = Interval(float(totals.sum() / counts.sum()), float(low), float(high))
        return found


def scores_on(network: object, store: Store, grid: int) -> ViewScores:
    """Score a network (images (1, 1, grid, grid) → logits (1, structures, grid / 2, grid / 2)) on plain pictures of every view."""
    import torch

    assert isinstance(network, torch.nn.Module)
    network.eval()
    dice = np.full((len(store), len(store.structures)), np.nan)
    swapped = sided = 0
    has_side = np.array([place != other for place, other in enumerate(store.mirrored)])
    for index in range(len(store)):
        image, targets = plain_example(store, index, grid)
        with torch.inference_mode():
            drawn = network(torch.from_numpy(image)[None, None])[0].numpy() > 0
        truth = targets > 127
        shared, cells, true_cells = (drawn & truth).sum(axis=(1, 2)), drawn.sum(axis=(1, 2)), truth.sum(axis=(1, 2))
        across = (drawn & truth[list(store.mirrored)]).sum(axis=(1, 2))
        inside = true_cells >= _LEAST_CELLS
        dice[index, inside] = 2 * shared[inside] / (cells + true_cells)[inside]
        told = has_side & (cells >= _LEAST_CELLS)
        sided += int(told.sum())
        swapped += int((told & (across > shared)).sum())
    return ViewScores(dice, swapped, sided, store.structures, store.site)


@dataclass(frozen=True)
class SegmenterLeftOut:
    """A source of anatomy that a shorter run never saw: the run's steps and views, and the figures on that source alone."""

    source: str
    steps: int
    training_views: int
    views: int
    groups: dict[str, Interval]
    swapped: int
    sided: int


def keep_scores(work: Path, source: str, steps: int, training_views: int, scores: ViewScores) -> Path:
    """Write what a run without `source` gave into the work folder."""
    left = SegmenterLeftOut(source, steps, training_views, len(scores.dice), scores.by_group(), scores.swapped, scores.sided)
    folder = work / "figures"
    folder.mkdir(parents=True, exist_ok=True)
    return write_text(folder / f"segmenter-without-{source}.json", json.dumps(asdict(left), indent=2) + "\n")


def kept_scores(work: Path) -> tuple[SegmenterLeftOut, ...]:
    """What runs without a source gave, by the sources' names."""
    found = []
    for path in sorted((work / "figures").glob("segmenter-without-*.json")):
        held = json.loads(path.read_text(encoding="utf-8"))
        held["groups"] = {name: Interval(**values) for name, values in held["groups"].items()}
        found.append(SegmenterLeftOut(**held))
    return tuple(found)
