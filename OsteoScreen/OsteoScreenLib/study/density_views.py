"""Simulated chest radiographs of known bone density: one body, three densities, each taken and developed anew."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from OsteoScreenLib.simulate.render import Beam, Exposure, detector_signal, grey
from OsteoScreenLib.study.density import density_of, random_t_score
from OsteoScreenLib.study.disturb import Framing, reframe
from OsteoScreenLib.study.views import load_view

# The classifier must see small differences of grey: framing and tone vary moderately, far less than for the gate.
FRAMING = Framing(zoom=(1.0, 1.2), shift=0.03, degrees=3.0, stretch=0.03, aspect=(0.85, 1.15), bend=0.0)


@dataclass(frozen=True)
class Bodies:
    """Path lengths of many projected chests, kept small in memory: each a float16 (names, rows, columns)."""

    stacks: tuple[np.ndarray, ...]
    names: tuple[str, ...]

    def paths_mm(self, index: int) -> dict[str, np.ndarray]:
        """One body's path lengths by name, float32 (rows, columns)."""
        return dict(zip(self.names, self.stacks[index].astype(np.float32), strict=True))


def load_bodies(paths: list[Path], size: int) -> Bodies:
    """Read rendered views, averaged down to `size` pixels."""
    import cv2

    stacks = []
    names: tuple[str, ...] = ()
    for path in paths:
        view = load_view(path)
        names = tuple(view.paths_mm)
        maps = [cv2.resize(view.paths_mm[name], (size, size), interpolation=cv2.INTER_AREA) for name in names]
        stacks.append(np.stack(maps).astype(np.float16))
    return Bodies(tuple(stacks), names)


def random_exposure(rng: np.random.Generator) -> Exposure:
    """Tube voltage, scatter, lungs' filling, fat and dose as they vary between patients and rooms."""
    hard = float(rng.uniform(-0.12, 0.12))
    return Exposure(
        beam=Beam(shares=(0.3 - hard, 0.4, 0.3 + hard)),
        scatter_share=float(rng.uniform(0.2, 0.4)),
        lung_density=float(rng.uniform(0.2, 0.34)),
        fat_share=float(rng.uniform(0.15, 0.5)),
        calcified=float(rng.uniform(0, 0.4)),
        quanta=float(np.exp(rng.uniform(np.log(1e4), np.log(1e5)))),
    )


def develop(
    paths_mm: dict[str, np.ndarray], t_score: float, rng: np.random.Generator, size: int, still: bool = False
) -> np.ndarray:
    """One radiograph of a body at a T-score, float32 (rows, columns) in [0, 1]; the longer side is `size`.

    still : framed as projected, instead of anew.
    """
    signal = detector_signal(paths_mm, density_of(t_score, rng), random_exposure(rng), rng)
    image = grey(signal, rng.uniform(0.2, 1.5), rng.uniform(98.8, 99.9), float(np.exp(rng.normal(0, 0.08))))
    return reframe(
        image, rng, replace(FRAMING, zoom=(1.0, 1.0), shift=0, degrees=0, stretch=0, aspect=(1, 1)) if still else FRAMING, size
    )


def triplets(bodies: Bodies, rng: np.random.Generator, size: int) -> Iterator[tuple[list[np.ndarray], list[float]]]:
    """Endlessly: a random body developed once in each class, and the three T-scores."""
    while True:
        paths = bodies.paths_mm(int(rng.integers(len(bodies.stacks))))
        scores = [random_t_score(rng, label) for label in range(3)]
        yield [develop(paths, score, rng, size) for score in scores], scores
