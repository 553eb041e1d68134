"""Simulated chest radiographs of known bone density: one body, three densities, each taken and developed anew."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from OsteoScreenLib.bones.vocabulary import CHEST_FRONTAL
from OsteoScreenLib.simulate.bone_loss import DensityLine
from OsteoScreenLib.simulate.console import on_screen, random_console
from OsteoScreenLib.simulate.render import Beam, Exposure, detector_signal
from OsteoScreenLib.simulate.texture import with_lung_texture
from OsteoScreenLib.simulate.thorax import GROUPS, STRUCTURES
from OsteoScreenLib.study.density import density_at, random_t_score
from OsteoScreenLib.study.disturb import Frame, Framing, random_frame
from OsteoScreenLib.study.views import load_view

# The classifier must see small differences of grey: framing and tone vary moderately, far less than for the gate.
FRAMING = Framing(zoom=(1.0, 1.2), shift=0.03, degrees=3.0, stretch=0.03, aspect=(0.85, 1.15), bend=0.0)
STILL = Framing(zoom=(1.0, 1.0), shift=0, degrees=0, stretch=0, aspect=(1, 1), bend=0.0)


@dataclass(frozen=True)
class Bodies:
    """Path lengths of many projected chests, kept small in memory: each a float16 (names, rows, columns).

    masks : for each the bone groups' masks, bool (groups, rows, columns) in the order of `GROUPS`; empty where not needed.
    anatomies : which source each body came from. lines : what loss of bone gives which T-score in each body.
    """

    stacks: tuple[np.ndarray, ...]
    names: tuple[str, ...]
    masks: tuple[np.ndarray, ...] = ()
    anatomies: tuple[str, ...] = ()
    lines: tuple[DensityLine, ...] = ()

    def line(self, index: int) -> DensityLine:
        """One body's line; of a body that was not measured, one standard deviation a unit."""
        return self.lines[index] if self.lines else DensityLine(0.0, -1.0)

    def paths_mm(self, index: int) -> dict[str, np.ndarray]:
        """One body's path lengths by name, float32 (rows, columns)."""
        return dict(zip(self.names, self.stacks[index].astype(np.float32), strict=True))

    def groups(self, index: int) -> np.ndarray:
        """One body's masks of bone groups, bool (groups, rows, columns)."""
        return self.masks[index] if self.masks else np.zeros((len(GROUPS), *self.stacks[index].shape[1:]), bool)


def load_bodies(paths: list[Path], size: int) -> Bodies:
    """Read rendered views, averaged down to `size` pixels, with the lungs' finer texture drawn for each by its place."""
    import cv2

    places = [[STRUCTURES.index(name) for name in CHEST_FRONTAL.groups[group]] for group in GROUPS]
    stacks, masks, anatomies, lines = [], [], [], []
    names: tuple[str, ...] = ()
    for number, path in enumerate(paths):
        view = load_view(path)
        names = tuple(view.paths_mm)
        small = {name: cv2.resize(view.paths_mm[name], (size, size), interpolation=cv2.INTER_AREA) for name in names}
        textured = with_lung_texture(small, np.random.default_rng([13, number]))
        stacks.append(np.stack([textured[name] for name in names]).astype(np.float16))
        unions = [view.masks[group].any(axis=0) for group in places]
        masks.append(
            np.stack(
                [
                    cv2.resize(np.asarray(union, np.float32), (size, size), interpolation=cv2.INTER_AREA) >= 0.5
                    for union in unions
                ]
            )
        )
        anatomies.append(view.anatomy)
        lines.append(DensityLine(*(view.density_line or (0.0, -1.0))))
    return Bodies(tuple(stacks), names, tuple(masks), tuple(anatomies), tuple(lines))


def random_exposure(rng: np.random.Generator) -> Exposure:
    """Tube voltage, scatter, lungs' filling, fat and dose as they vary between patients and rooms."""
    hard = float(rng.uniform(-0.12, 0.12))
    return Exposure(
        beam=Beam(shares=(0.3 - hard, 0.4, 0.3 + hard)),
        scatter_share=float(rng.uniform(0.2, 0.4)),
        lung_density=float(rng.uniform(0.14, 0.26)),
        fat_share=float(rng.uniform(0.15, 0.5)),
        calcified=float(rng.uniform(0, 0.4)),
        quanta=float(np.exp(rng.uniform(np.log(2e5), np.log(1e6)))),
    )


def developed(bodies: Bodies, index: int, t_score: float, rng: np.random.Generator) -> np.ndarray:
    """One radiograph of a body at a T-score, framed as projected, float32 (rows, columns) in [0, 1]."""
    density = density_at(t_score, bodies.line(index), rng)
    paths = bodies.paths_mm(index)
    signal = detector_signal(paths, density, random_exposure(rng), rng)
    return on_screen(signal, paths, np.asarray(bodies.groups(index).any(axis=0)), random_console(rng))


def develop(bodies: Bodies, index: int, t_score: float, rng: np.random.Generator, size: int, still: bool = False) -> np.ndarray:
    """The same, framed anew unless `still`; the longer side is `size`."""
    image = developed(bodies, index, t_score, rng)
    return frame_of(image, rng, size, still).apply(image)


def frame_of(image: np.ndarray, rng: np.random.Generator, size: int, still: bool = False) -> Frame:
    """A new frame for a developed radiograph."""
    return random_frame((image.shape[0], image.shape[1]), rng, STILL if still else FRAMING, size)


@dataclass(frozen=True)
class Triplet:
    """A body in the three classes. images : (rows, columns) each. groups : masks bool (groups, rows, columns) of each.

    body : its number.
    """

    images: list[np.ndarray]
    t_scores: list[float]
    groups: list[np.ndarray]
    body: int = 0


def triplets(bodies: Bodies, rng: np.random.Generator, size: int) -> Iterator[Triplet]:
    """Endlessly: a random body developed once in each class."""
    while True:
        index = int(rng.integers(len(bodies.stacks)))
        masks = bodies.groups(index)
        scores = [random_t_score(rng, label) for label in range(3)]
        images, groups = [], []
        for score in scores:
            image = developed(bodies, index, score, rng)
            frame = frame_of(image, rng, size)
            images.append(frame.apply(image))
            groups.append(np.stack([frame.apply_to_mask(mask) for mask in masks]))
        yield Triplet(images, scores, groups, index)
