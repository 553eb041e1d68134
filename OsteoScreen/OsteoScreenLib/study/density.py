"""The simulator's own rule from a T-score to bone density, and the three classes of the WHO on it.

The rule is a stated assumption, not a measurement: one standard deviation of areal bone density is taken as 12 % of the
young adult mean; what is lost comes mostly from the spongiosa, and cortices thin with it.
"""

from __future__ import annotations

import numpy as np

from OsteoScreenLib.simulate.render import Density
from OsteoScreenLib.simulate.thorax import GROUPS

# Ranges that T-scores of each class are drawn from, evenly. The inner borders are the WHO's: -1 and -2.5.
RANGES = ((-1.0, 1.5), (-2.5, -1.0), (-4.5, -2.5))
TRABECULAR_PER_SD = 0.18
CORTICAL_PER_SD = 0.07
BETWEEN_BONES = 0.03


def class_of(t_score: float) -> int:
    """0 normal (T ≥ -1), 1 osteopenia, 2 osteoporosis (T ≤ -2.5), after the WHO."""
    return 0 if t_score >= -1.0 else 1 if t_score > -2.5 else 2


def random_t_score(rng: np.random.Generator, label: int) -> float:
    """A T-score of one class."""
    low, high = RANGES[label]
    return float(np.clip(rng.uniform(low, high), low + 1e-6 if label < 2 else low, high - 1e-6 if label == 1 else high))


def density_of(t_score: float, rng: np.random.Generator) -> Density:
    """Bone density of a body at a T-score; bone groups differ from each other by a few percent."""
    return Density(
        trabecular=float(np.clip(1 + TRABECULAR_PER_SD * t_score, 0.1, 1.4)),
        cortical=float(np.clip(1 + CORTICAL_PER_SD * t_score, 0.5, 1.2)),
        by_group={group: float(np.exp(rng.normal(0, BETWEEN_BONES))) for group in GROUPS},
    )
