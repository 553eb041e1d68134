"""How alike two saliency maps of one radiograph are: rank correlation of their cells, and structural similarity as drawn.

Maps hold no negative values, so both are similarities of absolute values, which Adebayo et al. 2018 (arXiv 1810.03292) report
beside those of signed maps. Spearman's rank correlation does not change when a map is rescaled; structural similarity (Wang et al.
2004, doi 10.1109/TIP.2003.819861) is computed on the maps as a reader sees them, each scaled within the image.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from OsteoScreenLib.explain.saliency import SaliencyMap

DRAWN = 224  # pixels along the longer side on which structural similarity is computed
_EQUAL = 1e-6  # values closer than this share of the largest are equal
_FEWEST_CELLS = 3  # ranks of fewer cells are always alike or opposed


@dataclass(frozen=True)
class Similarity:
    """Of two maps. spearman : rank correlation, -1 to 1. ssim : structural similarity, -1 to 1, None where scikit-image is missing.

    A map without any differences ranks nothing and is like no other: both numbers are 0.
    """

    spearman: float
    ssim: float | None


@dataclass(frozen=True)
class MeanInterval:
    """A mean with its 95 % interval, Student's t. of : how many values it is the mean of."""

    mean: float
    low: float
    high: float
    of: int


def compare_maps(one: SaliencyMap, other: SaliencyMap) -> Similarity | None:
    """How alike two maps of the same radiograph are; None when the first is flat, so that there is nothing to be like.

    Cells are compared where both maps have the same ones, and else the maps as drawn on `DRAWN` pixels.
    Raises `ValueError` for maps of different radiographs.
    """
    if one.radiograph_shape != other.radiograph_shape:
        raise ValueError(f"the maps are of radiographs of {one.radiograph_shape} and {other.radiograph_shape}")
    if _flat(one.grid):
        return None
    if _flat(other.grid):
        return Similarity(0.0, 0.0)
    shape = _reduced(one.radiograph_shape)
    drawn = [map_.on_radiograph(shape=shape) for map_ in (one, other)]
    same_cells = one.grid.shape == other.grid.shape and np.allclose(one.grid_to_radiograph, other.grid_to_radiograph)
    cells = [map_.grid[_on_radiograph(one)] for map_ in (one, other)] if same_cells else [picture.ravel() for picture in drawn]
    return Similarity(spearman(*cells), _structural(*drawn))


def spearman(one: np.ndarray, other: np.ndarray) -> float:
    """Spearman's rank correlation of two arrays (n,), equal values sharing their mean rank; 0 where one of them ranks nothing."""
    from scipy.stats import rankdata

    if one.size < _FEWEST_CELLS or _flat(one) or _flat(other):
        return 0.0
    ranks = [rankdata(_snapped(values)) for values in (one, other)]
    return float(np.clip(np.corrcoef(ranks[0], ranks[1])[0, 1], -1, 1))


def mean_interval(values: Sequence[float]) -> MeanInterval | None:
    """The mean of independent values; None for fewer than two, of which no interval can be told."""
    if len(values) < 2:
        return None
    from scipy.stats import t

    mean = float(np.mean(values))
    half = float(t.ppf(0.975, len(values) - 1) * np.std(values, ddof=1) / len(values) ** 0.5)
    return MeanInterval(mean, mean - half, mean + half, len(values))


def _structural(one: np.ndarray, other: np.ndarray) -> float | None:
    try:
        from skimage.metrics import structural_similarity
    except ImportError:  # not among what an analysis needs
        return None
    if min(one.shape) < 11:  # the window of Wang et al.
        return None
    # The window and the constants of Wang et al. 2004.
    found = structural_similarity(one, other, data_range=1.0, gaussian_weights=True, sigma=1.5, use_sample_covariance=False)
    return float(found)


def _on_radiograph(saliency: SaliencyMap) -> np.ndarray:
    """The cells whose centre lies on the radiograph, bool of the grid's shape: what a letterbox's bars hold is no part of the map."""
    inside = []
    for axis in (1, 0):
        centres = saliency.grid_to_radiograph[axis, axis] * np.arange(saliency.grid.shape[1 - axis])
        centres += saliency.grid_to_radiograph[axis, 2]
        inside.append((centres >= -0.5) & (centres <= saliency.radiograph_shape[1 - axis] - 0.5))
    return np.logical_and.outer(*inside)


def _reduced(shape: tuple[int, int]) -> tuple[int, int]:
    factor = min(1.0, DRAWN / max(shape))
    return max(1, round(shape[0] * factor)), max(1, round(shape[1] * factor))


def _flat(values: np.ndarray) -> bool:
    return bool(values.size == 0 or values.max() - values.min() <= _EQUAL * abs(values).max())


def _snapped(values: np.ndarray) -> np.ndarray:
    """Rounding errors must not rank what is equal."""
    return np.asarray(np.round(values.astype(np.float64) / abs(values).max() / _EQUAL))
