"""Texture that no surface model has: noise with a spectrum, and the lungs' finer vessels."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

_VESSEL_MM = (2.5, 8.0)  # of blood along a ray where a drawn tree is thickest
_CLOUDS = 0.13  # relative change of the lungs' filling, peak to peak


def with_lung_texture(paths_mm: Mapping[str, np.ndarray], rng: np.random.Generator) -> dict[str, np.ndarray]:
    """A chest's path lengths with uneven lungs: clouds in their filling, and branching vessels finer than the CT's, drawn with `rng`."""
    lungs = paths_mm["lungs"]
    clouds = spectral_noise(rng, (lungs.shape[0], lungs.shape[1]), 1.2) - np.float32(0.5)
    within = np.clip(lungs / 60, 0, 1).astype(np.float32)
    trees = vessel_trees(within, rng) * within * np.float32(rng.uniform(*_VESSEL_MM))
    filled = lungs * (1 + np.float32(_CLOUDS) * clouds)
    return {**paths_mm, "lungs": filled, "vessels": np.minimum(paths_mm.get("vessels", np.float32(0)) + trees, filled)}


def spectral_noise(rng: np.random.Generator, shape: tuple[int, int], exponent: float) -> np.ndarray:
    """Noise whose amplitude falls as 1/frequency^exponent, float32 (rows, columns), scaled to [0, 1].

    Natural images have exponents near 1 (Field 1987), clouds and tissue nearer 2, white noise 0.
    """
    rows = np.fft.fftfreq(shape[0])[:, None]
    columns = np.fft.rfftfreq(shape[1])[None, :]
    radius = np.hypot(rows, columns)
    radius[0, 0] = 1 / max(shape)
    spectrum = np.fft.rfft2(rng.standard_normal(shape)) / radius**exponent
    return stretch(np.fft.irfft2(spectrum, s=shape))


def stretch(image: np.ndarray) -> np.ndarray:
    """Scale to [0, 1], float32; a flat image becomes 0."""
    low, high = float(image.min()), float(image.max())
    return ((image - low) / (high - low or 1)).astype(np.float32)


def vessel_trees(within: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Vessel-like trees spreading from each hilum, float32 about [0, 1]: random walks that branch and thin out."""
    import cv2

    size = within.shape[0]
    canvas = np.zeros((size, size), np.float32)
    columns = np.flatnonzero(within.max(axis=0) > 0.5)
    rows = np.flatnonzero(within.max(axis=1) > 0.5)
    if columns.size < 10 or rows.size < 10:
        return canvas
    middle, height = columns.mean() + rng.normal(0, 3), rows[0] + (rows[-1] - rows[0]) * rng.uniform(0.4, 0.55)
    reach = (columns[-1] - columns[0]) * 0.5
    for side in (-1, 1):
        hilum = np.array([middle + side * reach * rng.uniform(0.22, 0.32), height + rng.normal(0, 4)])
        for _ in range(int(rng.integers(9, 18))):
            angle, width = rng.uniform(-1.4, 1.4), rng.uniform(1.5, 3.5)
            start, heading = hilum + rng.normal(0, 3, 2), np.pi / 2 - side * np.pi / 2 + angle
            _branch(canvas, start, heading, width, reach * rng.uniform(0.3, 0.75), rng)
    return cv2.GaussianBlur(canvas, (0, 0), 0.8)


def _branch(
    canvas: np.ndarray, start: np.ndarray, heading: float, width: float, length: float, rng: np.random.Generator
) -> None:
    import cv2

    steps = max(3, int(length / 9))
    turns = np.cumsum(rng.normal(0, 0.22, steps)) + heading
    points = start + np.cumsum(np.stack([np.cos(turns), np.sin(turns)], axis=1), axis=0) * length / steps
    half = steps // 2 + 1
    for piece, thick in ((points[:half], width), (points[half - 1 :], max(width * 0.6, 1.0))):
        cv2.polylines(
            canvas, [np.round(piece * 8).astype(np.int32)], False, 0.3 + 0.2 * thick, max(1, round(thick)), cv2.LINE_AA, 3
        )
    if length > 22:
        for share in (0.4, 0.75):
            at = points[min(int(share * steps), steps - 1)]
            _branch(canvas, at, heading + rng.choice([-1, 1]) * rng.uniform(0.4, 0.9), width * 0.6, length * 0.5, rng)
