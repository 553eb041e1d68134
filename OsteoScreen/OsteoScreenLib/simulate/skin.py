"""The skin of the trunk: oval rings round the rib cage that go on into the neck and the abdomen.

Every body gets one that encloses its own ribs, however they were bent, and that ends nowhere near a radiograph's edge; the skin of a CT
ends with the scan, and holds the raised arms' shoulders.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from OsteoScreenLib.simulate.meshes import Mesh

_STEP_MM = 8.0
_POINTS = 72  # of a ring
_ROUND = 2.5  # exponent of the superellipse: a little squarer than an ellipse, as a chest is
_BEYOND_MM = 320.0  # of neck and of abdomen beyond the cage


def random_skin(rng: np.random.Generator, parts: Mapping[str, Mesh]) -> Mesh:
    """A trunk's closed skin round the bones among `parts`, LPS millimetres; how much lies between skin and ribs is drawn.

    The soft tissue over the ribs is 8-32 mm at the sides, 10-35 mm in front and 12-30 mm at the back, which is the simulator's own choice.
    """
    habitus = rng.beta(1.4, 2.0)
    side, front, back = 8 + 24 * habitus, 10 + 25 * habitus, 12 + 18 * habitus
    waist, neck = rng.uniform(0.9, 1.05) + 0.12 * habitus, rng.uniform(0.92, 1.08) + 0.1 * habitus
    cage = np.concatenate([mesh.vertices for name, mesh in parts.items() if " rib " in name or name == "sternum"])
    spine = np.concatenate([parts[name].vertices for name in parts if name[0] in "CTL" and name[1:].isdigit()])
    blades = np.concatenate([mesh.vertices for name, mesh in parts.items() if "scapula" in name])
    low, high = cage[:, 2].min(), cage[:, 2].max()
    levels = np.arange(low - _BEYOND_MM, high + _BEYOND_MM, _STEP_MM)
    middle, half = _cage_rings(cage, spine, levels)
    half += np.array([side, (front + back) / 2])
    middle[:, 1] += (back - front) / 2

    # Below the ninth ribs the cage is open and grows narrow; the abdomen keeps the width it has there.
    belly = float(np.mean([parts[f"{hand} rib 9"].vertices[:, 2].mean() for hand in ("right", "left")]))
    at = int(np.searchsorted(levels, belly))
    down = _smooth_step((belly - levels) / 140)[:, None]
    held = half[at] * (1 + (waist - 1) * down)
    half, middle = np.where(levels[:, None] < belly, held, half), np.where(levels[:, None] < belly, middle[at], middle)
    # The muscles of chest, back and shoulders keep the upper trunk about as wide and deep as the cage is below.
    upper = levels > belly
    for axis, share in enumerate((0.95, 0.86)):
        half[upper, axis] = np.maximum(half[upper, axis], share * half[:, axis].max())
    # From the shoulders it narrows into the neck.
    throat = parts["C6"].vertices.mean(axis=0) if "C6" in parts else np.array([*middle[at], high + 40.0])
    shoulder = np.mean([parts[f"{hand} clavicle"].vertices[:, 2].mean() for hand in ("right", "left")]) - 25
    up = _smooth_step((levels - shoulder) / max(throat[2] - shoulder, 60.0))[:, None]
    thin = np.array([58.0, 62.0]) * neck
    half = half * (1 - up) + thin * up
    middle = middle * (1 - up) + (throat[:2] + np.array([0.0, -12.0])) * up
    # Behind the shoulder blades there is skin, too.
    for index, level in enumerate(levels):
        near = blades[np.abs(blades[:, 2] - level) < _STEP_MM]
        if near.size:
            lacking = np.clip(near[:, 1].max() + 8 - (middle[index, 1] + half[index, 1]), 0, 15)
            half[index, 1] += lacking / 2
            middle[index, 1] += lacking / 2
    return lofted(levels, _smoothed(middle), _smoothed(half))


def _cage_rings(cage: np.ndarray, spine: np.ndarray, levels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Middle and half axes (levels, 2) of superellipses that hold the cage's vertices; beyond its ends those of the nearest level."""
    bones = np.concatenate([cage, spine[(spine[:, 2] > cage[:, 2].min()) & (spine[:, 2] < cage[:, 2].max())]])
    middle, half = np.full((len(levels), 2), np.nan), np.full((len(levels), 2), np.nan)
    for index, level in enumerate(levels):
        near = bones[np.abs(bones[:, 2] - level) < 1.5 * _STEP_MM, :2]
        if len(near) < 30:
            continue
        low, high = near.min(axis=0), near.max(axis=0)
        middle[index], half[index] = (low + high) / 2, np.maximum((high - low) / 2, 30.0)
        away = (np.abs((near - middle[index]) / half[index]) ** _ROUND).sum(axis=1) ** (1 / _ROUND)
        half[index] *= max(1.0, float(np.quantile(away, 0.998)))
    known = np.flatnonzero(np.isfinite(half[:, 0]))
    places = np.arange(len(levels))
    for axis in range(2):
        middle[:, axis] = np.interp(places, known, middle[known, axis])
        half[:, axis] = np.interp(places, known, half[known, axis])
    return middle, half


def _smooth_step(share: np.ndarray) -> np.ndarray:
    """0 to 1 without corners."""
    held = np.clip(share, 0, 1)
    return np.asarray(held * held * (3 - 2 * held))


def _smoothed(values: np.ndarray) -> np.ndarray:
    from scipy.ndimage import gaussian_filter1d

    return np.asarray(gaussian_filter1d(values, 2.0, axis=0, mode="nearest"))


def lofted(levels: np.ndarray, middle: np.ndarray, half: np.ndarray) -> Mesh:
    """A closed surface through superellipses: heights (n,) rising, centres (n, 2) and half axes (n, 2), millimetres."""
    angles = np.arange(_POINTS) * 2 * np.pi / _POINTS
    circle = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    ring = np.sign(circle) * np.abs(circle) ** (2 / _ROUND)
    rings = np.concatenate(
        [middle[:, None] + half[:, None] * ring[None], np.broadcast_to(levels[:, None, None], (len(levels), _POINTS, 1))],
        axis=2,
    ).reshape(-1, 3)
    ends = np.array([[*middle[0], levels[0]], [*middle[-1], levels[-1]]])
    here = np.arange(_POINTS)
    after = (here + 1) % _POINTS
    faces = []
    for level in range(len(levels) - 1):
        a, b = level * _POINTS + here, level * _POINTS + after
        faces += [np.stack([a, b, b + _POINTS], axis=1), np.stack([a, b + _POINTS, a + _POINTS], axis=1)]
    last, bottom, top = (len(levels) - 1) * _POINTS, len(rings), len(rings) + 1
    faces.append(np.stack([np.full(_POINTS, bottom), after, here], axis=1))
    faces.append(np.stack([np.full(_POINTS, top), last + here, last + after], axis=1))
    return Mesh(np.concatenate([rings, ends]), np.concatenate(faces))
