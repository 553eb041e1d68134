"""What a classifier still knows when every bone is covered, and where it knows it from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from OsteoScreenLib.bones.masks import BoneMasks
from OsteoScreenLib.bones.vocabulary import CHEST_FRONTAL
from OsteoScreenLib.explain.covering import Coverer
from OsteoScreenLib.simulate.console import on_screen, random_console
from OsteoScreenLib.simulate.render import detector_signal
from OsteoScreenLib.study.density import density_at, random_t_score
from OsteoScreenLib.study.density_views import Bodies, random_exposure

if TYPE_CHECKING:
    from OsteoScreenLib.simulate.render import Density


@dataclass(frozen=True)
class Development:
    """A way to develop and cover, with one possible leak stopped or not.

    fixed_scale : the grey scale of the same body at T-score 0, so that the scale cannot tell what the bones weigh.
    scatter : bones darken their surroundings through scatter. margin_px : covered around the true masks, on 256 pixels.
    """

    name: str
    covered: bool = True
    fixed_scale: bool = False
    scatter: bool = True
    margin_px: float = 0.0


DEVELOPMENTS = (
    Development("untouched", covered=False),
    Development("all bones covered"),
    Development("covered, grey scale fixed", fixed_scale=True),
    Development("covered, no scatter", scatter=False),
    Development("covered with a margin of 3 pixels", margin_px=3.0),
    Development("covered with a margin, scale fixed, no scatter", fixed_scale=True, scatter=False, margin_px=3.0),
)


def developments(bodies: Bodies, how: Development, per_class: int, seed: int) -> Iterator[tuple[np.ndarray, int, int]]:
    """(image float32 (rows, columns), class, body) for each body, `per_class` in each class; the same draws whatever `how`."""
    for index in range(len(bodies.stacks)):
        paths = bodies.paths_mm(index)
        bones = np.asarray(bodies.groups(index).any(axis=0))
        for number in range(3 * per_class):
            label = number % 3
            rng = np.random.default_rng([seed, index, number])
            t_score = random_t_score(rng, label)
            density = density_at(t_score, bodies.line(index), rng)
            healthy = density_at(0.0, bodies.line(index), np.random.default_rng(0))
            yield _developed(paths, bones, density, healthy, how, rng), label, index


def _developed(
    paths: dict[str, np.ndarray],
    bones: np.ndarray,
    density: Density,
    healthy: Density,
    how: Development,
    rng: np.random.Generator,
) -> np.ndarray:
    exposure = random_exposure(rng)
    if not how.scatter:
        exposure = replace(exposure, scatter_share=0.0)
    noise = int(rng.integers(2**31))
    console = random_console(rng)
    signal = detector_signal(paths, density, exposure, np.random.default_rng(noise))
    reference = detector_signal(paths, healthy, exposure, np.random.default_rng(noise)) if how.fixed_scale else None
    image = on_screen(signal, paths, bones, console, reference)
    if not how.covered:
        return image
    masks = BoneMasks.pack({"T7": bones}, (bones.shape[0], bones.shape[1]), CHEST_FRONTAL)
    return Coverer(image, masks, "remove", "mean", how.margin_px).cover(("T7",))
