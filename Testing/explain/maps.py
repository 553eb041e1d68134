"""Saliency maps made by hand."""

from __future__ import annotations

from typing import Any

import numpy as np

from OsteoScreenLib.classifier.preprocess import InputGeometry, PreprocessSpec
from OsteoScreenLib.explain.saliency import SaliencyMap


def make_map(grid: np.ndarray, shape: tuple[int, int], fit: Any = "letterbox", patch: int = 16) -> SaliencyMap:
    """A map with this grid over a whole radiograph, as a network with patches of `patch` pixels gives it."""
    rows, columns = grid.shape
    spec = PreprocessSpec(rows * patch, columns * patch, 1, fit, mean=(0.0,), std=(1.0,))
    to_radiograph = InputGeometry.of(spec, shape).input_to_radiograph
    half = (patch - 1) / 2
    return SaliencyMap(
        grid.astype(np.float32),
        to_radiograph @ [[patch, 0, half], [0, patch, half], [0, 0, 1]],
        shape,
        to_radiograph,
        (spec.rows, spec.columns),
        "osteoporosis",
        "log-odds",
        "made by hand",
        "none",
    )
