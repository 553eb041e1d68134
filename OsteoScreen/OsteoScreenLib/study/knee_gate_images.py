"""The knee gate's training images: rendered knees, and the same legs from the side or without the joint in the field."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from OsteoScreenLib.bones.vocabulary import KNEE
from OsteoScreenLib.simulate.knee import BONES, KneeView, project_knees, random_knees
from OsteoScreenLib.simulate.meshes import Mesh, read_skeleton
from OsteoScreenLib.simulate.projection import Direction
from OsteoScreenLib.study.bone_views import REGIONS
from OsteoScreenLib.study.gate_images import SIZE, Bank, as_bytes
from OsteoScreenLib.study.knee_views import KneeStore, random_knee_depth
from OsteoScreenLib.study.segmenter_images import scattered

OTHER_REGIONS = tuple(name for name in REGIONS if name not in {"knee", "legs", "two legs", "leg", "femur"})
"""Body parts of `bone_views` that show no knee."""


def knee_bank(paths: list[Path], skeleton: Path, others: int, seed: int) -> Bank:
    """Frontal knees from rendered views, each whole and as a band, and `others` lateral knees and shafts of legs each.

    paths : as `knee_views.render_knees` gives them.
    """
    rng = np.random.default_rng([seed, 5])
    store = KneeStore(paths)
    images = []
    for index in range(len(store)):
        exposed = _exposed(store.lengths[index].astype(np.float32), rng)
        images += [("knee", exposed), ("knee", banded(exposed, store.coverage[index], rng))]
    bones = read_skeleton(skeleton)
    for index in range(2 * others):
        kind, view = _no_frontal_knee(bones, rng, side=index % 2 == 0)
        images.append((kind, _exposed(view.paths_mm, rng)))
    return Bank(tuple(as_bytes(image) for _, image in images), tuple(kind for kind, _ in images), "knee")


def banded(image: np.ndarray, coverage: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A band of the picture round the joint, between black ones or alone: as two knees are collimated, and often stored.

    coverage : of the bones at half resolution, in the vocabulary's order.
    """
    rows = image.shape[0]
    femora = coverage[[BONES.index(name) for name in KNEE.groups["Femora"]]].max(axis=0) > 127
    joint = 2 * int(np.flatnonzero(femora.any(axis=1)).max(initial=rows // 4)) if femora.any() else rows // 2
    above, below = (int(rng.uniform(0.2, 0.5) * rows) for _ in range(2))
    band = slice(max(0, joint - above), min(rows, joint + below))
    if rng.random() < 0.3:
        return np.ascontiguousarray(image[band])
    black = np.zeros_like(image)
    black[band] = image[band]
    return black


def without_limbs(bank: Bank) -> Bank:
    """The bank without limbs made by program, which may look like what the knee gate is to accept."""
    kept = [i for i, kind in enumerate(bank.kinds) if kind != "limb"]
    return Bank(tuple(bank.images[i] for i in kept), tuple(bank.kinds[i] for i in kept), bank.wanted)


def _exposed(lengths: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    image = scattered(random_knee_depth(lengths, rng), rng.uniform(0, 0.35), rng.uniform(0.04, 0.15))
    return KneeStore.windowed(image, rng)


def _no_frontal_knee(bones: Mapping[str, Mesh], rng: np.random.Generator, side: bool) -> tuple[str, KneeView]:
    """A knee from the side, or a thigh or lower leg whose field ends before the joint."""
    parts, geometry = random_knees(rng, bones, SIZE)
    if side:
        # From the side one leg is shown; a pair would lie one behind the other.
        leg = str(rng.choice(sorted({name.split(" ")[0] for name in parts})))
        view: Direction = "LEFT LATERAL" if rng.random() < 0.5 else "RIGHT LATERAL"
        parts = {name: mesh for name, mesh in parts.items() if name.startswith(leg)}
        return "leg from the side", project_knees(parts, replace(geometry, direction=view))
    field = float(rng.uniform(110, 190))
    away = (field / 2 + rng.uniform(55, 90)) * rng.choice([-1, 1])
    middle = float(np.mean([mesh.vertices[:, 0].mean() for name, mesh in parts.items() if name.endswith("patella")][:1]))
    shifted = replace(geometry, pixel_mm=field * 1.07 / SIZE, centre=(middle, 0.0, float(away)))
    return "leg without the joint", project_knees(parts, shifted)
