"""Draws the icon: a bone on a dark film with a warm spot on its shaft. `python Resources/Icons/draw.py`, from the repository."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

REPOSITORY = Path(__file__).resolve().parents[2]
FILES = {"Resources/Icons/OsteoScreen.png": 256, "OsteoScreen/Resources/Icons/OsteoScreen.png": 128}
FINE = 4  # samples a pixel and side, for smooth edges

BACK, RIM = (20, 27, 38), (58, 74, 96)
BONE, SHADE = (242, 238, 226), (176, 170, 158)
HEAT = np.array([[0.30, 0.05, 0.52], [0.69, 0.17, 0.56], [0.91, 0.37, 0.34], [0.99, 0.65, 0.21], [0.98, 0.93, 0.22]])


def icon(size: int) -> Image.Image:
    """The icon as RGBA, `size` pixels square."""
    n = size * FINE
    y, x = (np.mgrid[0:n, 0:n] + 0.5) / n * 2 - 1  # -1 … 1, y down
    # Along and across a bone that runs from lower left to upper right.
    along, across = (x - y) / np.sqrt(2), (x + y) / np.sqrt(2)
    bone = _bone(along, across)
    frame = _rounded_square(x, y)

    colour = np.broadcast_to(np.array(BACK, float), (n, n, 3)).copy()
    colour = _over(colour, RIM, _inside(np.abs(frame + 0.025) - 0.02, n))
    spot = np.exp(-((along / 0.30) ** 2) - ((across / 0.34) ** 2))
    colour = _over(colour, _heat(spot), 0.75 * np.clip(spot * 1.3 - 0.12, 0, 1))
    lit = np.clip(0.5 - across * 1.6, 0, 1)[..., None]
    surface = np.array(BONE) * lit + np.array(SHADE) * (1 - lit)
    surface = _over(surface, _heat(spot), np.clip(spot * 1.9 - 0.35, 0, 1))
    colour = _over(colour, BACK, _inside(bone - 0.035, n) * 0.85)  # a dark line that keeps the bone apart from the glow
    colour = _over(colour, surface, _inside(bone, n))

    rgba = np.dstack([np.clip(colour, 0, 255), 255 * _inside(frame, n)])
    premultiplied = rgba.copy()
    premultiplied[..., :3] *= rgba[..., 3:] / 255
    small = premultiplied.reshape(size, FINE, size, FINE, 4).mean((1, 3))
    small[..., :3] /= np.maximum(small[..., 3:], 1e-6) / 255
    return Image.fromarray(np.clip(small + 0.5, 0, 255).astype(np.uint8), "RGBA")


def _bone(along: np.ndarray, across: np.ndarray) -> np.ndarray:
    """Distance to the bone's outline, negative inside: a waisted shaft with two knobs at each end."""
    waist = 0.155 + 0.05 * np.clip(np.abs(along) / 0.6, 0, 1) ** 2
    parts = [np.maximum(np.abs(across) - waist, np.abs(along) - 0.62)]
    parts += [np.hypot(along - 0.66 * end, across - 0.20 * side) - 0.235 for end in (-1, 1) for side in (-1, 1)]
    softness = 0.06
    return -softness * np.log(np.sum([np.exp(-part / softness) for part in parts], axis=0))


def _rounded_square(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    corner, half = 0.36, 0.98
    qx, qy = np.abs(x) - half + corner, np.abs(y) - half + corner
    return np.hypot(np.maximum(qx, 0), np.maximum(qy, 0)) + np.minimum(np.maximum(qx, qy), 0) - corner


def _inside(distance: np.ndarray, n: int) -> np.ndarray:
    return np.clip(0.5 - distance * n / 2, 0, 1)


def _heat(value: np.ndarray) -> np.ndarray:
    steps = np.linspace(0, 1, len(HEAT))
    return 255 * np.stack([np.interp(value, steps, HEAT[:, channel]) for channel in range(3)], axis=-1)


def _over(below: np.ndarray, above: np.ndarray | tuple[int, ...], opacity: np.ndarray) -> np.ndarray:
    return below + (np.asarray(above, float) - below) * opacity[..., None]


if __name__ == "__main__":
    for name, size in FILES.items():
        icon(size).save(REPOSITORY / name, optimize=True)
