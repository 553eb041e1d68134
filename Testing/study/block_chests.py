"""Chests of blocks, every bone group at a place of its own: projected bodies whose truth is known to the last pixel."""

from __future__ import annotations

import numpy as np

from OsteoScreenLib.simulate.thorax import PATH_NAMES
from OsteoScreenLib.study.density_views import Bodies

# Rows and columns on 96 pixels.
BLOCKS: dict[str, tuple[slice, slice]] = {
    "Spine": (slice(34, 90), slice(44, 52)),
    "Right ribs": (slice(40, 64), slice(12, 34)),
    "Left ribs": (slice(40, 64), slice(62, 84)),
    "Clavicles": (slice(16, 22), slice(14, 82)),
    "Scapulae": (slice(68, 84), slice(14, 28)),
    "Sternum": (slice(24, 32), slice(40, 56)),
    "Humeri": (slice(26, 38), slice(4, 10)),
}


def block_bodies(count: int = 3, size: int = 96) -> Bodies:
    """Bodies that differ by a tenth in thickness; bones of 30 mm, 24 of them spongiosa, between lungs and soft tissue."""
    rng = np.random.default_rng(2)
    maps = {name: np.zeros((96, 96), np.float32) for name in PATH_NAMES}
    maps["body"][:, 2:-2] = 200
    maps["lungs"][36:66, 10:36] = maps["lungs"][36:66, 60:86] = 90
    for name, place in BLOCKS.items():
        maps[name][place] = 30
        maps[f"{name} core"][place] = 24
    step = 96 // size
    stack = np.stack([maps[name][::step, ::step] for name in PATH_NAMES])
    return Bodies(tuple((stack * rng.uniform(0.9, 1.1)).astype(np.float16) for _ in range(count)), PATH_NAMES)
