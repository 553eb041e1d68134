"""Rendered knees for training: made once, seeded one by one, kept as files, and shown with fresh density, tissue and tone each time."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

from OsteoScreenLib.bones.vocabulary import KNEE
from OsteoScreenLib.errors import InputError
from OsteoScreenLib.files import write_atomically
from OsteoScreenLib.simulate.knee import BONES, KINDS, PATH_NAMES, KneeView, project_knees, random_knees
from OsteoScreenLib.simulate.materials import attenuation_per_mm
from OsteoScreenLib.simulate.meshes import read_skeleton
from OsteoScreenLib.simulate.texture import spectral_noise
from OsteoScreenLib.study.segmenter_images import Cropping, cloud, half_coverage

_FORMAT = 1


def render_knees(
    folder: Path,
    skeleton: Path,
    indices: range,
    *,
    seed: int = 0,
    size: int = 288,
    progress: Callable[[int, int], None] | None = None,
) -> list[Path]:
    """Render the views of `indices` that `folder` does not hold yet; the paths of all. View i depends on (seed, i) alone.

    Raises `InputError` when the skeleton is missing.
    """
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"knee-{seed}-{size}-{index:05d}.npz" for index in indices]
    if all(path.is_file() for path in paths):
        return paths
    bones = read_skeleton(skeleton)
    for done, (index, path) in enumerate(zip(indices, paths, strict=True)):
        if not path.is_file():
            save_knees(path, project_knees(*random_knees(np.random.default_rng([seed, 21, index]), bones, size)))
        if progress is not None:
            progress(done + 1, len(paths))
    return paths


def save_knees(path: Path, view: KneeView) -> Path:
    """Write one view atomically: path lengths in half precision, masks bit-packed."""

    def write(temporary: Path) -> None:
        with open(temporary, "wb") as stream:
            np.savez_compressed(
                stream,
                format=np.array(_FORMAT),
                paths=view.paths_mm.astype(np.float16),
                masks=np.packbits(view.masks, axis=0),
                names=np.array((*PATH_NAMES, *BONES)),
            )

    return write_atomically(path, write)


def load_knees(path: Path) -> KneeView:
    """Read one view. Raises `InputError` when the file is damaged or from another version."""
    try:
        with np.load(path, allow_pickle=False) as stored:
            if int(stored["format"]) != _FORMAT or tuple(stored["names"]) != (*PATH_NAMES, *BONES):
                raise ValueError("another version")
            masks = np.unpackbits(stored["masks"], axis=0, count=len(BONES)).astype(bool)
            return KneeView(stored["paths"].astype(np.float32), masks)
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise InputError(
            f"The rendered view {path.name} cannot be used; delete it and run the same command again.", code="view-unreadable"
        ) from error


class KneeStore:
    """Rendered knees in memory; see `segmenter_images.Store`. With 288-pixel views each takes 2 MB."""

    site, structures = KNEE, BONES
    mirrored = tuple(BONES.index(KNEE.mirrored[name]) for name in BONES)
    # The rendered fields differ enough; beyond their edge there would be legs without masks.
    cropping = Cropping(zoom=(0.7, 1.0), degrees=8.0, margin=0.3)

    def __init__(self, paths: list[Path]) -> None:
        views = [load_knees(path) for path in paths]
        self.lengths = np.stack([view.paths_mm.astype(np.float16) for view in views])
        self.coverage = np.stack([half_coverage(view.masks) for view in views])

    def __len__(self) -> int:
        return len(self.lengths)

    def depth(self, index: int, rng: np.random.Generator) -> np.ndarray:
        """Attenuation depth of view `index` with everything random drawn by `rng`, float32 (rows, columns)."""
        return random_knee_depth(self.lengths[index].astype(np.float32), rng)

    @staticmethod
    def windowed(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Black begins inside the soft tissue, as consoles set it for limbs: air is black and bone has most of the grey scale."""
        leg = image[::4, ::4]
        leg = leg[leg > 0.15]
        if leg.size < 50:
            return image
        black = float(np.percentile(leg, 40)) * rng.uniform(0.5, 1.05)
        return np.asarray(np.clip((image - black) / (1 - black), 0, 1), np.float32)


def random_knee_depth(lengths: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Attenuation depth −log(transmission) at a random energy and random tissue, float32 (rows, columns).

    lengths : (`PATH_NAMES`, rows, columns) in millimetres.
    """
    energy = float(round(float(rng.uniform(36, 56))))
    materials = ("soft tissue", "fat", "cortical bone", "spongiosa", "marrow")
    mu = {name: attenuation_per_mm(name, energy) for name in materials}
    fat = rng.uniform(0.1, 0.6)
    soft = (1 - fat) * mu["soft tissue"] + fat * mu["fat"]
    overall = rng.uniform(0.7, 1.6)
    place = {name: i for i, name in enumerate(PATH_NAMES)}
    depth = soft * rng.uniform(0.7, 1.1) * lengths[place["body"]]
    spongy_depth = np.zeros_like(depth)
    for kind in KINDS:
        whole, core = lengths[place[kind]], lengths[place[f"{kind} core"]]
        depth += overall * np.exp(rng.normal(0, 0.2)) * (mu["cortical bone"] - soft) * (whole - core)
        mineral = float(np.clip(overall * np.exp(rng.normal(0, 0.25)), 0.2, 1.8))
        spongy_depth += (mineral * mu["spongiosa"] + max(0.0, 1 - mineral) * mu["marrow"] - soft) * core
    # Trabeculae are uneven; in the shafts there are none.
    spongy = np.maximum(overall * (mu["spongiosa"] - mu["marrow"]), 0)
    uneven = 1 + rng.uniform(0, 0.6) * (spectral_noise(rng, (depth.shape[0], depth.shape[1]), rng.uniform(0.3, 1.2)) - 0.5)
    depth += spongy_depth * uneven - spongy * lengths[place["marrow"]]
    # Muscles, fat between them and whatever else no model has.
    within = np.clip(lengths[place["body"]] / 40, 0, 1)
    depth += within * soft * rng.uniform(0, 30) * (cloud(rng, depth.shape[1]) - 0.5)
    return np.asarray(np.maximum(depth, 0), np.float32)
