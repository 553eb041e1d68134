"""What is drawn at random stays within the ranges that the docstrings state."""

from __future__ import annotations

import numpy as np
import pytest

from OsteoScreenLib.simulate.posing import GirdlePose, random_breath, random_pose, random_shape

DRAWS = 3000


def spread(values: np.ndarray) -> np.ndarray:
    """Ends of the middle 95 %, (columns, 2)."""
    return np.quantile(values, [0.025, 0.975], axis=0).T


def test_arms_lie_as_far_as_stated() -> None:
    for upright, clavicle_forward, scapula_forward in ((True, (-13, 25), (-12, 40)), (False, (-21, 17), (-26, 26))):
        poses = [pose for seed in range(DRAWS) for pose in random_pose(np.random.default_rng(seed), upright)]
        drawn = np.array([[getattr(pose, angle) for angle in GirdlePose.__dataclass_fields__] for pose in poses])
        expected = [(-19, 15), clavicle_forward, (-14, 18), scapula_forward, (-28, 20), (-45, 44)]
        np.testing.assert_allclose(spread(drawn), expected, atol=2)


def test_domes_stand_as_low_as_stated() -> None:
    breaths = [random_breath(np.random.default_rng(seed)) for seed in range(DRAWS)]
    drawn = spread(np.array([[breath.right_dome, breath.left_dome] for breath in breaths]))
    np.testing.assert_allclose(drawn, [(-53, 5), (-55, 3)], atol=2)


def test_a_straight_spine_bends_as_far_as_stated() -> None:
    """Angles between tangents of a cubic through the vertebrae T1-L2: T4 to T12 from the side, the largest from the front."""
    cage = np.array([[-135.0, -100, -165], [135, 100, 165]])
    straight = np.stack([np.zeros(14), np.full(14, 45.0), np.linspace(165, -165, 14)], axis=1)
    angles = []
    for seed in range(DRAWS):
        bent = random_shape(np.random.default_rng(seed), cage)(straight)
        level = np.linspace(-1, 1, len(bent))
        across, deep, up = (np.polynomial.Polynomial.fit(level, axis, 3).deriv()(level) for axis in bent.T)
        from_side, from_front = np.degrees(np.arctan2(deep, -up)), np.degrees(np.arctan2(across, -up))
        angles.append((from_side[3] - from_side[11], np.ptp(from_front)))
    kyphosis, lateral = spread(np.array(angles))
    assert kyphosis == pytest.approx([-12, 11], abs=1)
    assert lateral == pytest.approx([1, 21], abs=1)
    assert np.median(angles, axis=0) == pytest.approx([0, 6], abs=0.5)
