"""The projector beside NumPy: the same body and detector, seconds of each, and how far their path lengths differ."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from OsteoScreenLib.benchmarks.ray_sum import all_at_once, one_by_one
from OsteoScreenLib.simulate.anatomy import Anatomy
from OsteoScreenLib.simulate.meshes import Mesh
from OsteoScreenLib.simulate.projection import Geometry, project
from OsteoScreenLib.simulate.thorax import random_body, random_geometry

LARGEST_DETECTOR = 512  # rows and columns, for NumPy's sake
_REPEATS = 5

Projector = Callable[[Mapping[str, Mesh], Geometry], dict[str, np.ndarray]]


@dataclass(frozen=True)
class ProjectorFigures:
    """One body projected three ways.

    seconds : the compiled projector, median. one_by_one_seconds : plain NumPy, once. all_at_once_seconds : NumPy's quickest
    form, median. largest_difference_mm : of any path length from either. detector : rows and columns.
    """

    seconds: float
    one_by_one_seconds: float
    all_at_once_seconds: float
    largest_difference_mm: float
    detector: int
    parts: int
    triangles: int

    @property
    def ratio(self) -> float:
        """How many times faster than plain NumPy, ray for ray."""
        return self.one_by_one_seconds / self.seconds

    @property
    def ratio_all_at_once(self) -> float:
        """How many times faster than NumPy's quickest form."""
        return self.all_at_once_seconds / self.seconds


def measure_projector(anatomies: tuple[Anatomy, ...], size: int, seed: int) -> ProjectorFigures:
    """Project one random body onto `size` rows and columns, `LARGEST_DETECTOR` at most, with each projector."""
    rng = np.random.default_rng([seed])
    parts, _, upright = random_body(rng, anatomies)
    geometry = random_geometry(rng, parts, upright, min(size, LARGEST_DETECTOR))
    paths = project(parts, geometry)  # compiles, or reads what was compiled
    compiled, at_once = [], []
    for _ in range(_REPEATS):  # in turn, so that what else the machine does slows both alike
        compiled.append(_timed(project, parts, geometry)[0])
        seconds, first = _timed(all_at_once, parts, geometry)
        at_once.append(seconds)
    one_after_the_other, second = _timed(one_by_one, parts, geometry)
    differences = [float(np.abs(paths[name] - other[name]).max()) for other in (first, second) for name in parts]
    triangles = sum(len(mesh.faces) for mesh in parts.values())
    return ProjectorFigures(
        seconds=statistics.median(compiled),
        one_by_one_seconds=one_after_the_other,
        all_at_once_seconds=statistics.median(at_once),
        largest_difference_mm=max(differences),
        detector=geometry.rows,
        parts=len(parts),
        triangles=triangles,
    )


def _timed(projector: Projector, parts: Mapping[str, Mesh], geometry: Geometry) -> tuple[float, dict[str, np.ndarray]]:
    """Seconds, and the path lengths."""
    began = time.perf_counter()
    paths = projector(parts, geometry)
    return time.perf_counter() - began, paths
