"""What is on or in a patient besides the patient: electrodes with their leads, and catheters, as path lengths of metal."""

from __future__ import annotations

import numpy as np

_FINE = 8  # positions are drawn to an eighth of a pixel


def random_devices(rng: np.random.Generator, shape: tuple[int, int], pixel_mm: float) -> np.ndarray:
    """Path length in aluminium of two to four electrodes with leads, or of one catheter, millimetres, float32 `shape`."""
    metal = np.zeros(shape, np.float32)
    if rng.random() < 0.6:
        for _ in range(int(rng.integers(2, 5))):
            place = rng.uniform((0.15, 0.2), (0.85, 0.8)) * (shape[1], shape[0])
            _disc(metal, place, 5.0 / pixel_mm, 0.6)
            _disc(metal, place, 2.2 / pixel_mm, 3.0)
            edge = np.array([place[0] + rng.normal(0, 0.15) * shape[1], shape[0] * 1.05])
            _line(metal, _curve(rng, place, edge), 1.2 / pixel_mm, 1.5)
    else:
        neck = np.array([shape[1] * rng.uniform(0.32, 0.44), -0.05 * shape[0]])
        heart = np.array([shape[1] * rng.uniform(0.44, 0.5), shape[0] * rng.uniform(0.4, 0.55)])
        _line(metal, _curve(rng, neck, heart), 2.0 / pixel_mm, 1.2)
    return metal


def _curve(rng: np.random.Generator, start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """A smooth cubic from one point to another (Bézier), float64 (40, 2)."""
    along = end - start
    across = np.array([-along[1], along[0]]) * rng.normal(0, 0.25, 2)[:, None]
    t = np.linspace(0, 1, 40)[:, None]
    first, second = start + along / 3 + across[0], start + 2 * along / 3 + across[1]
    return np.asarray((1 - t) ** 3 * start + 3 * (1 - t) ** 2 * t * first + 3 * (1 - t) * t**2 * second + t**3 * end)


def _line(metal: np.ndarray, points: np.ndarray, width: float, thick_mm: float) -> None:
    import cv2

    drawn = np.zeros(metal.shape, np.uint8)
    cv2.polylines(drawn, [np.round(points * _FINE).astype(np.int32)], False, 255, max(1, round(width)), cv2.LINE_AA, 3)
    np.maximum(metal, drawn.astype(np.float32) * np.float32(min(width, 1.0) * thick_mm / 255), out=metal)


def _disc(metal: np.ndarray, place: np.ndarray, radius: float, thick_mm: float) -> None:
    import cv2

    drawn = np.zeros(metal.shape, np.uint8)
    centre = (round(place[0] * _FINE), round(place[1] * _FINE))
    cv2.circle(drawn, centre, round(max(radius, 0.7) * _FINE), 255, -1, cv2.LINE_AA, 3)
    np.maximum(metal, drawn.astype(np.float32) * np.float32(thick_mm / 255), out=metal)
