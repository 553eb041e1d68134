"""Frontal chests drawn from a few shadows: endless body shapes for training the gate, where posed anatomy is scarce.

Each structure is a path length (chords of ellipses and cylinders), they add up, and the sum is shown like a radiograph.
Right on the viewer's left, head up, bone bright.
"""

from __future__ import annotations

import numpy as np

from OsteoScreenLib.simulate.texture import spectral_noise
from OsteoScreenLib.study.other_views import radiographic
from OsteoScreenLib.study.unlike import grid


def _sigmoid(value: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-np.clip(value, -30, 30)))


def _ball(
    u: np.ndarray, v: np.ndarray, centre: tuple[float, float], radii: tuple[float, float], tilt: float = 0.0
) -> np.ndarray:
    """Chord of an ellipsoid, 1 at its middle."""
    du, dv = u - centre[0], v - centre[1]
    along = (du * np.cos(tilt) + dv * np.sin(tilt)) / radii[0]
    across = (dv * np.cos(tilt) - du * np.sin(tilt)) / radii[1]
    return np.sqrt(np.maximum(1 - along**2 - across**2, 0))


def _band(distance: np.ndarray, width: float, hollow: float) -> np.ndarray:
    """Chord of a tube with a hollow core."""
    outer = np.sqrt(np.maximum(1 - (distance / width) ** 2, 0))
    inner = np.sqrt(np.maximum(1 - (distance / (0.75 * width)) ** 2, 0))
    return outer - hollow * inner


def drawn_chest(rng: np.random.Generator, size: int = 160) -> np.ndarray:
    """One drawn frontal chest, float32 (size, size) in [0, 1]."""
    v, u = grid(size)
    u, v = np.broadcast_arrays(u, v)
    half = rng.uniform(0.78, 1.25)
    shoulder = rng.uniform(-0.78, -0.5)
    apex, base = shoulder + rng.uniform(-0.1, 0.08), rng.uniform(0.25, 0.75)
    neck = rng.uniform(0.2, 0.34)
    width = neck + (half - neck) * _sigmoid((v - shoulder - 0.1 * np.abs(u)) * rng.uniform(10, 25))
    width = width + rng.uniform(-0.08, 0.12) * (v - 0.2)
    total = rng.uniform(1.6, 2.6) * np.sqrt(np.maximum(1 - (u / width) ** 2, 0)) ** rng.uniform(0.5, 1.0)
    if rng.random() < 0.6:  # arms at the sides
        reach = half * rng.uniform(0.98, 1.2)
        for side in (-1, 1):
            axis = side * (reach + 0.1 * v)
            total = total + _sigmoid((v - shoulder) * 20) * (
                0.9 * _band((u - axis) / 1, rng.uniform(0.15, 0.22), 0.0) + 0.7 * _band(u - axis, 0.06, 0.6)
            )

    heart_centre, heart_tilt = (rng.uniform(0.06, 0.18), base - rng.uniform(0.18, 0.35)), rng.uniform(0.3, 0.9)
    heart_radii = (rng.uniform(0.27, 0.46), rng.uniform(0.2, 0.33))
    heart = _ball(u, v, heart_centre, heart_radii, heart_tilt)
    middle = rng.uniform(0.09, 0.16) + 0.04 * np.exp(-(((v - apex - 0.3) / 0.12) ** 2))
    depth = rng.uniform(1.0, 1.5)
    for side in (-1, 1):
        dome = (
            base
            - (0.06 if side < 0 else 0.0)
            - rng.uniform(0.05, 0.22) * (1 - ((u - side * 0.38) / 0.4) ** 2)
            + rng.normal(0, 0.02)
        )
        down = np.clip((v - apex) / (base - apex), 0, 1.5)
        outer = (half * rng.uniform(0.72, 0.88)) * np.minimum(1, down ** rng.uniform(0.15, 0.45) * 1.05)
        inside = np.abs(u) * np.where(np.sign(u) == side, 1, 0)
        lung_middle, lung_half = (outer + middle) / 2, np.maximum((outer - middle) / 2, 1e-3)
        lung = np.sqrt(np.maximum(1 - ((inside - lung_middle) / lung_half) ** 2, 0)) ** rng.uniform(0.4, 0.9)
        lung = lung * _sigmoid((dome - v) * 60) * (v > apex)
        air = depth * lung * (1 - rng.uniform(0.6, 0.9) * heart)
        total = total - air * rng.uniform(0.75, 1.0)
        vessels = spectral_noise(rng, total.shape, 1.2) - 0.5
        hilum = np.exp(-(((u - side * 0.2) / 0.15) ** 2) - ((v - apex - 0.55) / 0.2) ** 2)
        total = total + lung * (0.3 * vessels + rng.uniform(0, 0.35) * hilum)
    total = total + rng.uniform(0.05, 0.35) * heart
    abdomen = _sigmoid((v - base) * rng.uniform(6, 20)) * (np.abs(u) < width)
    total = total + rng.uniform(0.2, 0.9) * abdomen
    if rng.random() < 0.5:
        total = total - rng.uniform(0.3, 0.9) * _ball(
            u, v, (rng.uniform(0.25, 0.5), base + rng.uniform(0.0, 0.15)), (0.16, 0.1)
        )

    bone = rng.uniform(0.2, 0.8)
    total = total + bone * _bones(u, v, rng, half, shoulder, apex, base)
    trachea = _band(u - 0.02 * np.sin(4 * v), rng.uniform(0.03, 0.05), 0.0) * (v < apex + 0.45)
    total = total - rng.uniform(0.1, 0.3) * trachea
    if rng.random() < 0.4:  # breasts
        place, low, big = rng.uniform(0.35, 0.5), rng.uniform(0.05, 0.35), rng.uniform(0.22, 0.4)
        for side in (-1, 1):
            total = total + rng.uniform(0.15, 0.5) * _ball(u, v, (side * place, low), (big, big * 0.9))
    total = np.maximum(total, 0) + 0.05 * spectral_noise(rng, total.shape, 1.5)
    return radiographic(total.astype(np.float32), rng)


def _bones(
    u: np.ndarray, v: np.ndarray, rng: np.random.Generator, half: float, shoulder: float, apex: float, base: float
) -> np.ndarray:
    """Spine, ribs, clavicles, scapulae and humeral heads as path lengths."""
    total = rng.uniform(0.8, 1.8) * _band(u - rng.normal(0, 0.01), rng.uniform(0.06, 0.09), 0.2)
    pitch = rng.uniform(0.11, 0.15)
    total = total * (0.8 + 0.2 * np.sign(np.sin(2 * np.pi * v / pitch) + 0.6))
    lateral = np.abs(u)
    cage = half * rng.uniform(0.74, 0.9)
    start, gap, drop = apex + rng.uniform(-0.05, 0.05), rng.uniform(0.095, 0.14), rng.uniform(0.05, 0.35)
    contrast = rng.uniform(0.3, 0.9)
    for number in range(11):
        reach = cage * min(1.0, 0.35 + 0.17 * number) * (1 if number < 9 else 0.85)
        share = np.clip(lateral / reach, 0, 1)
        back = start + gap * number + drop * (share**2 - 0.25 * share)
        front = start + gap * (number + rng.uniform(2.0, 2.6)) + drop * 0.6 - rng.uniform(0.1, 0.3) * (share**2 - 1)
        inside = (lateral < reach) & (lateral > 0.05)
        total = total + contrast * _band(v - back, 0.03, 0.5) * inside
        if number < 8:
            total = total + 0.5 * contrast * _band(v - front, 0.035, 0.5) * inside * (lateral > 0.25)
        edge = _ball(lateral, v, (reach - 0.02, start + gap * number + drop * 0.8), (0.03, 0.08))
        total = total + contrast * edge
    rise = rng.uniform(-0.05, 0.25)
    share = np.clip((lateral - 0.07) / (0.75 * half), 0, 1)
    collar = shoulder + rng.uniform(0.0, 0.14) - rise * share + 0.05 * np.sin(2 * np.pi * share)
    total = total + rng.uniform(0.5, 1.1) * _band(v - collar, rng.uniform(0.025, 0.04), 0.5) * ((share > 0) & (share < 1))
    if rng.random() < 0.8:
        for side in (-1, 1):
            joint = (side * half * rng.uniform(0.82, 0.98), shoulder + rng.uniform(0.0, 0.12))
            total = total + rng.uniform(0.4, 1.0) * _ball(u, v, joint, (0.11, 0.11))
            blade = u - side * (half * 0.72 + 0.1 * (v - shoulder))
            total = total + rng.uniform(0.2, 0.6) * _band(blade, 0.03, 0.2) * (v > shoulder) * (v < shoulder + 0.55)
            total = total + rng.uniform(0.0, 0.3) * (np.abs(u) > half * 0.72) * (v > shoulder) * (v < shoulder + 0.4) * (
                np.abs(u) < half * 0.9
            )
    return total
