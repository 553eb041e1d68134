"""A folder of projected chests: rendered once, seeded one by one, resumed where it stopped.

Each view is one compressed NumPy file without pickles: path lengths in half precision, masks bit-packed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from OsteoScreenLib.errors import InputError
from OsteoScreenLib.files import write_atomically
from OsteoScreenLib.simulate.anatomy import Anatomy
from OsteoScreenLib.simulate.bone_loss import DensityLine
from OsteoScreenLib.simulate.projection import Direction, Geometry
from OsteoScreenLib.simulate.sources import load_anatomies, sources_in
from OsteoScreenLib.simulate.thorax import (
    PATH_NAMES,
    STRUCTURES,
    View,
    clinical_geometry,
    project_chest,
    random_body,
    random_geometry,
)

_FORMAT = 4


def view_path(folder: Path, seed: int, index: int) -> Path:
    """Where view `index` of a seed lies."""
    return folder / f"chest-{seed}-{index:05d}.npz"


def render_views(
    folder: Path,
    skeleton: Path,
    thorax_ct: Path,
    indices: range,
    *,
    seed: int = 0,
    size: int = 288,
    leave_out: str = "",
    only: str = "",
    clinical: float = 0.5,
    progress: Callable[[int, int], None] | None = None,
) -> list[Path]:
    """Render the views of `indices` that `folder` does not hold yet; the paths of all of them.

    A view depends only on (seed, index), the two data sources and this version. leave_out, only : sources of anatomy (see `load_anatomies`). clinical : share of views framed as radiographers do, the others are wider;
    other sources or shares need a folder of their own.
    progress : called with (done, all).
    """
    folder.mkdir(parents=True, exist_ok=True)
    paths = [view_path(folder, seed, index) for index in indices]
    if all(path.is_file() for path in paths):
        return paths
    anatomies = load_anatomies(sources_in(skeleton, thorax_ct), folder.parent / "anatomies", leave_out, only)
    for done, (index, path) in enumerate(zip(indices, paths, strict=True)):
        if not path.is_file():
            save_view(path, _measured_view(np.random.default_rng([seed, index]), anatomies, size, clinical))
        if progress is not None:
            progress(done + 1, len(paths))
    return paths


def _measured_view(rng: np.random.Generator, anatomies: tuple[Anatomy, ...], size: int, clinical: float) -> View:
    """A random chest, and what its body's simulated DXA gives."""
    parts, anatomy, upright = random_body(rng, anatomies)
    framed = clinical_geometry if rng.random() < clinical else random_geometry
    view = project_chest(parts, framed(rng, parts, upright, size), anatomy)
    line = DensityLine.of(parts)
    return replace(view, density_line=(line.at_zero, line.at_one))


def save_view(path: Path, view: View) -> Path:
    """Write one view atomically."""
    stack = np.stack([view.paths_mm[name] for name in PATH_NAMES]).astype(np.float16)
    geometry = view.geometry
    facts = np.array(
        [
            geometry.source_detector_mm,
            geometry.centre_detector_mm,
            geometry.pixel_mm,
            *geometry.offset_mm,
            *geometry.centre,
            *geometry.turn_degrees,
        ]
    )

    def write(temporary: Path) -> None:
        with open(temporary, "wb") as stream:
            np.savez_compressed(
                stream,
                format=np.array(_FORMAT),
                paths=stack,
                masks=np.packbits(view.masks, axis=0),
                names=np.array(PATH_NAMES),
                structures=np.array(STRUCTURES),
                anatomy=np.array(view.anatomy),
                direction=np.array(geometry.direction),
                geometry=facts,
                density_line=np.array(view.density_line or (np.nan, np.nan)),
            )

    return write_atomically(path, write)


def load_view(path: Path) -> View:
    """Read one view. Raises `InputError` when the file is damaged or from another version."""
    try:
        with np.load(path, allow_pickle=False) as stored:
            if (
                int(stored["format"]) != _FORMAT
                or tuple(stored["structures"]) != STRUCTURES
                or tuple(stored["names"]) != PATH_NAMES
            ):
                raise ValueError("another version")
            paths = dict(zip(PATH_NAMES, stored["paths"].astype(np.float32), strict=True))
            masks = np.unpackbits(stored["masks"], axis=0, count=len(STRUCTURES)).astype(bool)
            facts = [float(value) for value in stored["geometry"]]
            rows, columns = masks.shape[1:]
            direction: Direction = str(stored["direction"])  # type: ignore[assignment]
            geometry = Geometry(
                direction=direction,
                source_detector_mm=facts[0],
                centre_detector_mm=facts[1],
                rows=rows,
                columns=columns,
                pixel_mm=facts[2],
                offset_mm=(facts[3], facts[4]),
                centre=(facts[5], facts[6], facts[7]),
                turn_degrees=(facts[8], facts[9], facts[10]),
            )
            at_zero, at_one = (float(value) for value in stored["density_line"])
            line = (at_zero, at_one) if np.isfinite([at_zero, at_one]).all() else None
            return View(paths, masks, geometry, str(stored["anatomy"]), line)
    except (OSError, ValueError, KeyError) as error:
        raise InputError(
            f"The rendered view {path.name} cannot be used; delete it and run the same command again.", code="view-unreadable"
        ) from error
