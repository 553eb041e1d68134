"""Bodies of a wanted T-score."""

from __future__ import annotations

import numpy as np

from OsteoScreenLib.simulate.bone_loss import DensityLine, density_after
from OsteoScreenLib.simulate.render import Density
from OsteoScreenLib.simulate.thorax import GROUPS

# Ranges that T-scores of each class are drawn from, evenly. The inner borders are the WHO's: -1 and -2.5.
RANGES = ((-1.0, 1.5), (-2.5, -1.0), (-4.5, -2.5))
BETWEEN_BONES = 0.03  # relative difference of the other bone groups from the spine, standard deviation


def random_t_score(rng: np.random.Generator, label: int) -> float:
    """A T-score of one class."""
    low, high = RANGES[label]
    return float(np.clip(rng.uniform(low, high), low + 1e-6 if label < 2 else low, high - 1e-6 if label == 1 else high))


def density_at(t_score: float, line: DensityLine, rng: np.random.Generator) -> Density:
    """Density of a body whose simulated DXA gives `t_score`; other bone groups differ from its spine by a few percent."""
    factors = {group: float(np.exp(rng.normal(0, BETWEEN_BONES))) for group in GROUPS}
    return density_after(line.loss_at(t_score), {group: factor for group, factor in factors.items() if group != "Spine"})
