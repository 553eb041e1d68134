"""Where bones lie and how large they are in a thorax: measured masks, a frame fitted to them, and what that frame expects.

The expectation is a table learnt from the true masks of simulated chests (`chest_shapes.json`, made by `study.bone_shapes`).
Nothing here knows which program, or who, drew a mask.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from OsteoScreenLib.bones.masks import BoneMasks
from OsteoScreenLib.bones.vocabulary import CHEST_FRONTAL, Site

_LONGEST = 640  # pixels to which masks are thinned before they are measured: a rib stays several pixels thick
_FEWEST = 8  # whole bones from which a frame can be told with some of them wrong


@dataclass(frozen=True)
class Measure:
    """One mask: area in pixels, centre (row, column), width across the image and height, in pixels.

    Width and height are those of a uniform bar with the mask's spread (the square root of twelve variances).
    cut : it touches the image's edge, so the whole bone may be larger and lie elsewhere.
    """

    area: float
    row: float
    column: float
    height: float
    width: float
    cut: bool


def measure(masks: BoneMasks) -> dict[str, Measure]:
    """Every bone's measure, in the vocabulary's order."""
    step = max(1, -(-max(masks.shape) // _LONGEST))
    found: dict[tuple[int, int], Measure] = {}
    for index, layer in enumerate(masks.layers):
        edges = np.unique(np.concatenate([layer[0], layer[-1], layer[:, 0], layer[:, -1]]))
        thin = layer[::step, ::step]
        rows, columns = np.nonzero(thin)
        labels = thin[rows, columns]
        counts = np.bincount(labels, minlength=256)
        some = np.maximum(counts, 1)
        sums = [np.bincount(labels, weights=w, minlength=256) / some for w in (rows, columns, rows**2, columns**2)]
        for label in np.flatnonzero(counts):
            row, column, rows2, columns2 = (float(total[label]) for total in sums)
            height, width = (np.sqrt(12 * max(s2 - s * s, 0) + 1) for s, s2 in ((row, rows2), (column, columns2)))
            found[index, int(label)] = Measure(
                float(counts[label] * step * step),
                row * step + (step - 1) / 2,
                column * step + (step - 1) / 2,
                float(height) * step,
                float(width) * step,
                bool(label in edges),
            )
    return {name: found[masks.table[name]] for name in masks.names if masks.table[name] in found}


@dataclass(frozen=True)
class Expected:
    """One bone in the frame of a thorax: the unit is the rib cage's width, (0, 0) its middle, rows downwards.

    row, column, log_area, log_width : means over simulated chests. Their spreads are standard deviations; `area_spread` and
    `width_spread` after the body's own size has been taken out.
    """

    row: float
    column: float
    log_area: float
    log_width: float
    row_spread: float
    column_spread: float
    area_spread: float
    width_spread: float


@dataclass(frozen=True)
class Frame:
    """A thorax on an image: pixel = origin + matrix · (row, column in the thorax). unit : pixels of one unit, geometric mean."""

    origin: np.ndarray
    matrix: np.ndarray

    @property
    def unit(self) -> float:
        """Pixels of the thorax's unit."""
        return float(np.sqrt(abs(np.linalg.det(self.matrix))))

    def to_image(self, row: float, column: float) -> tuple[float, float]:
        """(row, column) in pixels."""
        place = self.origin + self.matrix @ np.array([row, column])
        return float(place[0]), float(place[1])

    def to_thorax(self, row: float, column: float) -> tuple[float, float]:
        """(row, column) in the thorax's units."""
        place = np.linalg.solve(self.matrix, np.array([row, column]) - self.origin)
        return float(place[0]), float(place[1])


Shapes = Mapping[str, Expected]


def shapes_from(table: Mapping[str, Mapping[str, float]]) -> dict[str, Expected]:
    """Read the table as JSON holds it. Raises `KeyError` or `TypeError` when it is none."""
    return {str(name): Expected(**{key: float(value) for key, value in row.items()}) for name, row in table.items()}


@lru_cache(maxsize=1)
def chest_shapes() -> Shapes:
    """The table that ships with OsteoScreen."""
    stored: dict[str, Any] = json.loads(Path(__file__).with_name("chest_shapes.json").read_text(encoding="utf-8"))
    return shapes_from(stored["bones"])


def shapes_of(site: Site) -> Shapes:
    """The table of a site; empty where none has been learnt, and then nothing is expected of its bones."""
    return chest_shapes() if site == CHEST_FRONTAL else {}


def fit_frame(measures: Mapping[str, Measure], shapes: Shapes) -> Frame | None:
    """The thorax that explains most centres; None with fewer than eight whole bones, or bones all in one place.

    Least squares with Cauchy weights (iteratively reweighted), so that misplaced bones do not draw the frame to them. A weak
    prior keeps the frame upright and in proportion, and the frame is never mirrored: on a mirrored set of masks every bone
    then lies on the wrong side, which is what a reader wants to be told.
    """
    names = [name for name, one in measures.items() if name in shapes and not one.cut]
    if len(names) < _FEWEST:
        return None
    here = np.array([(measures[name].row, measures[name].column) for name in names])
    there = np.array([(shapes[name].row, shapes[name].column) for name in names])
    spread = np.array([(shapes[name].row_spread, shapes[name].column_spread) for name in names])
    scale = _scale(here, there)
    if scale is None:
        return None
    matrix, origin = np.eye(2) * scale, np.median(here - there * scale, axis=0)
    weights = np.ones_like(here)
    for turn in range(25):
        left = here - (there @ matrix.T + origin)
        # Cauchy's weights; wide at first, so that a poor start does not throw good bones away.
        width = scale * spread * max(2.0, 8.0 - turn)
        weights = 1 / (scale * spread) ** 2 / (1 + (left / width) ** 2)
        matrix, origin = _least_squares(here, there, weights, scale)
    if not np.isfinite(matrix).all() or np.linalg.det(matrix) <= 0 or min(matrix[0, 0], matrix[1, 1]) <= 0:
        matrix, origin = np.eye(2) * scale, np.median(here - there * scale, axis=0)
    return Frame(origin, matrix)


def _scale(here: np.ndarray, there: np.ndarray) -> float | None:
    """Pixels of a unit: the median ratio of distances between bones."""
    first, second = np.triu_indices(len(here), 1)
    apart = np.linalg.norm(there[first] - there[second], axis=1)
    far = apart > 0.15
    if not far.any():
        return None
    ratio = float(np.median(np.linalg.norm(here[first] - here[second], axis=1)[far] / apart[far]))
    return ratio if ratio > 0 else None


_TURN, _STRETCH = 0.08, 0.12  # priors of tilt and of height against width, as shares of the scale


def _least_squares(here: np.ndarray, there: np.ndarray, weights: np.ndarray, scale: float) -> tuple[np.ndarray, np.ndarray]:
    """Unknown: (matrix row by row, origin), with weak priors on a tilted or stretched frame."""
    rows, target = [], []
    for axis in (0, 1):
        design = np.zeros((len(here), 6))
        design[:, 2 * axis : 2 * axis + 2] = there
        design[:, 4 + axis] = 1
        root = np.sqrt(weights[:, axis])[:, None]
        rows.append(design * root)
        target.append(here[:, axis] * root[:, 0])
    priors = np.zeros((3, 6))
    priors[0, 1] = priors[1, 2] = 1 / (_TURN * scale)
    priors[2, 0], priors[2, 3] = 1 / (_STRETCH * scale), -1 / (_STRETCH * scale)
    solved = np.linalg.lstsq(np.concatenate([*rows, priors]), np.concatenate([*target, np.zeros(3)]), rcond=None)[0]
    return solved[:4].reshape(2, 2), solved[4:]
