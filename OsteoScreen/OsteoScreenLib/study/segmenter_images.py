"""Training images for the segmenter: rendered bodies with random bone density, vessels, disease, scatter, tone and artefacts.

Path lengths stay in memory in half precision; everything random happens each time a body is drawn, so a few hundred
projections give endless pictures.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from OsteoScreenLib.bones.embedded import PADDING, normalise
from OsteoScreenLib.bones.vocabulary import CHEST_FRONTAL, Site
from OsteoScreenLib.simulate.materials import attenuation_per_mm
from OsteoScreenLib.simulate.texture import vessel_trees
from OsteoScreenLib.simulate.thorax import GROUPS, PATH_NAMES, STRUCTURES
from OsteoScreenLib.study import disturb
from OsteoScreenLib.study.views import load_view


@dataclass(frozen=True)
class Cropping:
    """How a rendered view is framed anew.

    zoom : share of the rendered field that is kept, smallest and largest. degrees : standard deviation of the tilt.
    margin : of the picture's side that a plain margin may take at most.
    """

    zoom: tuple[float, float] = (0.72, 1.12)
    degrees: float = 4.0
    margin: float = 1 / 6


class Store(Protocol):
    """Rendered views of one body site in memory, all of one size.

    structures : what is drawn, in order. mirrored : which structure each one becomes in a mirror.
    coverage : uint8 (views, structures, rows / 2, columns / 2) in 255ths.
    """

    site: Site
    structures: tuple[str, ...]
    mirrored: tuple[int, ...]
    cropping: Cropping
    coverage: np.ndarray

    def __len__(self) -> int: ...

    def depth(self, index: int, rng: np.random.Generator) -> np.ndarray:
        """Attenuation depth of view `index` with everything random drawn by `rng`, float32 (rows, columns)."""
        ...

    def windowed(self, image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """What consoles make of such a picture's grey scale before anything else, [0, 1] to [0, 1]."""
        ...


_LUNGS = (STRUCTURES.index("right lung"), STRUCTURES.index("left lung"))
MIRRORED = tuple(
    STRUCTURES.index(name.replace("right", "left") if "right" in name else name.replace("left", "right")) for name in STRUCTURES
)
"""Which structure each one becomes in a mirror."""
_TREES = 3  # vessel trees drawn ahead for each view: drawing one takes as long as all the rest of a picture


class ViewStore:
    """Rendered views in memory: path lengths float16 and bone coverage at half resolution in 255ths.

    paths : view files of one size. With 288-pixel views each takes 5 MB. See `Store`.
    """

    site, structures, mirrored, cropping = CHEST_FRONTAL, STRUCTURES, MIRRORED, Cropping()

    def __init__(self, paths: list[Path]) -> None:
        first = load_view(paths[0])
        rows, columns = first.masks.shape[1:]
        self.lengths = np.empty((len(paths), len(PATH_NAMES), rows, columns), np.float16)
        self.coverage = np.empty((len(paths), len(STRUCTURES), rows // 2, columns // 2), np.uint8)
        self.vessels = np.empty((len(paths), _TREES, rows, columns), np.uint8)
        for index, path in enumerate(paths):
            view = load_view(path)
            self.lengths[index] = np.stack([view.paths_mm[name] for name in PATH_NAMES])
            self.coverage[index] = half_coverage(view.masks)
            within = np.asarray(view.masks[list(_LUNGS)].any(axis=0), np.float32)
            for tree in range(_TREES):
                drawn = vessel_trees(within, np.random.default_rng([11, index, tree]))
                self.vessels[index, tree] = np.clip(drawn * 128, 0, 255)

    def __len__(self) -> int:
        return len(self.lengths)

    def depth(self, index: int, rng: np.random.Generator) -> np.ndarray:
        """Attenuation depth of view `index` with everything random drawn by `rng`, float32 (rows, columns)."""
        lungs = self.coverage[index][list(_LUNGS)].max(axis=0)
        tree = self.vessels[index, rng.integers(_TREES)].astype(np.float32) / 128
        return random_depth(self.lengths[index], lungs, tree, rng)

    def windowed(self, image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """As it is: a chest fills its picture."""
        return image


def half_coverage(masks: np.ndarray) -> np.ndarray:
    """bool (structures, rows, columns) → coverage at half resolution in 255ths, uint8; both sides even."""
    structures, rows, columns = masks.shape
    halves = masks.reshape(structures, rows // 2, 2, columns // 2, 2).sum(axis=(2, 4), dtype=np.uint16)
    return np.minimum(halves * 64, 255).astype(np.uint8)


def training_example(store: Store, rng: np.random.Generator, grid: int) -> tuple[np.ndarray, np.ndarray]:
    """One random body: network input float32 (grid, grid) and coverage uint8 (structures, grid / 2, grid / 2), in 255ths."""
    index = int(rng.integers(len(store)))
    image = _develop(store, index, rng)
    picture, coverage = _frame(image, store.coverage[index], store.cropping, rng, grid)
    if rng.random() < 0.3:
        # A body and its mirror image are two bodies; some hearts lie on the right.
        picture, coverage = np.ascontiguousarray(picture[:, ::-1]), np.ascontiguousarray(coverage[store.mirrored, :, ::-1])
    return picture, coverage


def plain_example(store: Store, index: int, grid: int) -> tuple[np.ndarray, np.ndarray]:
    """View `index` as it stands, for validation: middle density, some scatter, one tone; the whole field of view."""
    rng = np.random.default_rng([7, index])
    image = store.windowed(scattered(store.depth(index, rng), 0.2, 0.1), rng)
    return _warp(image, store.coverage[index], np.eye(2), np.zeros(2), None, grid)


def random_depth(lengths: np.ndarray, lungs: np.ndarray, tree: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Attenuation depth −log(transmission) of one view at a random energy and random tissue, float32 (rows, columns).

    lengths : (paths, rows, columns) in millimetres. lungs : coverage of the lungs at half resolution, uint8.
    tree : lung vessels (rows, columns).
    """
    import cv2

    energy = round(float(rng.uniform(48, 78)))
    mu = {
        name: attenuation_per_mm(name, float(energy)) for name in ("soft tissue", "fat", "cortical bone", "spongiosa", "marrow")
    }
    fat = rng.uniform(0.1, 0.6)
    soft = (1 - fat) * mu["soft tissue"] + fat * mu["fat"]
    weights = np.zeros(len(PATH_NAMES), np.float32)
    place = {name: i for i, name in enumerate(PATH_NAMES)}
    weights[place["body"]] = soft * rng.uniform(0.75, 1.1)
    weights[place["lungs"]] = -soft * rng.uniform(0.55, 0.82)
    weights[place["vessels"]] = soft * rng.uniform(0.4, 1.1)
    weights[place["airway"]] = -soft * rng.uniform(0.5, 1.0)
    weights[place["gas"]] = -soft * rng.uniform(0.4, 1.0)
    weights[place["breasts"]] = soft * rng.choice([0.0, rng.uniform(0.05, 0.5)])
    weights[place["cartilage"]] = soft * rng.choice([0.05, rng.uniform(0.0, 0.9)], p=[0.6, 0.4])
    overall = rng.uniform(0.6, 1.5)
    for group in GROUPS:
        cortical = overall * np.exp(rng.normal(0, 0.25)) * (mu["cortical bone"] - soft)
        mineral = np.clip(overall * np.exp(rng.normal(0, 0.3)), 0.2, 1.8)
        spongy = mineral * mu["spongiosa"] + max(0.0, 1 - mineral) * mu["marrow"] - soft
        weights[place[group]] = cortical
        weights[place[f"{group} core"]] = spongy - cortical
    depth = np.tensordot(weights, lengths.astype(np.float32), 1)
    size = (depth.shape[1], depth.shape[0])
    within = cv2.GaussianBlur(cv2.resize(lungs, size, interpolation=cv2.INTER_LINEAR), (0, 0), 2).astype(np.float32) / 255
    depth += within * soft * (rng.choice([0.0, rng.uniform(4, 28)]) * tree + rng.uniform(0, 14) * (cloud(rng, size[0]) - 0.5))
    if rng.random() < 0.35:
        depth += within * soft * rng.uniform(20, 110) * opacities(rng, size[0])
    # Mediastinal and hilar thickness, and soft tissue that no model has.
    depth += soft * rng.uniform(0, 25) * (cloud(rng, size[0]) - 0.5)
    return np.maximum(depth, 0)


def cloud(rng: np.random.Generator, size: int) -> np.ndarray:
    """Smooth noise in [0, 1] of a random scale, float32 (size, size)."""
    import cv2

    knots = rng.random((int(rng.integers(3, 12)),) * 2, dtype=np.float32)
    return np.clip(cv2.resize(knots, (size, size), interpolation=cv2.INTER_CUBIC), 0, 1)


def opacities(rng: np.random.Generator, size: int) -> np.ndarray:
    """Disease in the lungs as a share of their depth: patches, nodules, a white base or side; float32 (size, size)."""
    rows, columns = np.mgrid[: 1 : complex(size), : 1 : complex(size)].astype(np.float32)
    kind = rng.integers(4)
    if kind == 0:
        level = rng.uniform(0.5, 0.8)
        side = columns if rng.random() < 0.5 else 1 - columns
        return (1 / (1 + np.exp(-(rows - level + 0.1 * side) * 40)) * (side > rng.choice([0.5, -1.0]))).astype(np.float32)
    veil = np.zeros((size, size), np.float32)
    for _ in range(int(rng.integers(1, 12))):
        radius = rng.uniform(0.015, 0.05) if kind == 1 else rng.uniform(0.04, 0.2)
        away = np.hypot((rows - rng.uniform(0.2, 0.8)) / rng.uniform(0.6, 1.6), columns - rng.uniform(0.15, 0.85)) / radius
        veil = np.maximum(veil, np.exp(-(away ** rng.uniform(2, 5))))
    return veil * (0.5 + 0.5 * cloud(rng, size)) if kind != 1 else veil * np.float32(0.5)


def scattered(depth: np.ndarray, share: float, width: float) -> np.ndarray:
    """Scatter added, back to a logarithmic grey scale in [0, 1]."""
    import cv2

    signal = np.exp(-depth)
    # Beside the body the beam is unscattered, and a collimated field leaves little of it.
    small = cv2.resize(np.minimum(signal, 0.25), None, fx=0.125, fy=0.125, interpolation=cv2.INTER_AREA)
    spread = cv2.resize(
        cv2.GaussianBlur(small, (0, 0), width * small.shape[1]),
        (depth.shape[1], depth.shape[0]),
        interpolation=cv2.INTER_LINEAR,
    )
    logged = -np.log(signal + np.float32(share) * spread + 1e-4)
    low, high = np.percentile(logged[::4, ::4], [0.5, 99.7])
    return np.clip((logged - low) / max(high - low, 1e-6), 0, 1).astype(np.float32)


def _develop(store: Store, index: int, rng: np.random.Generator) -> np.ndarray:
    """The console's work on the image, and what lies on it or in front of it."""
    image = scattered(store.depth(index, rng), rng.uniform(0, 0.35), rng.uniform(0.04, 0.15))
    image = store.windowed(image, rng)
    if rng.random() < 0.3:
        # Film and linear detectors: the grey value follows the signal itself.
        image = disturb.stretch(-np.exp(-image * np.float32(rng.uniform(1, 4))))
    image = disturb.tone(image, rng, 0.6)
    if rng.random() < 0.5:
        image = disturb.equalise(image, rng)
    if rng.random() < 0.3:
        image = disturb.shading(image, rng)
    if rng.random() < 0.3:
        image = disturb.hardware(image, rng)
    if rng.random() < 0.4:
        image = disturb.label(image, rng)
    return _grain(image, rng)


def _grain(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A little blur, sharpening or noise: what is left of them when a radiograph is brought to the network's size."""
    import cv2

    if rng.random() < 0.5:
        soft = cv2.GaussianBlur(image, (0, 0), rng.uniform(0.3, 1.0))
        image = soft if rng.random() < 0.4 else image + rng.uniform(0.2, 1.2) * (image - soft)
    if rng.random() < 0.5:
        image = image + rng.uniform(0, 0.025) * rng.standard_normal(image.shape, dtype=np.float32)
    return np.clip(image, 0, 1).astype(np.float32)


def _frame(
    image: np.ndarray, coverage: np.ndarray, cropping: Cropping, rng: np.random.Generator, grid: int
) -> tuple[np.ndarray, np.ndarray]:
    """A random crop, tilt, stretch and bend; then shutters, borders and the letterbox of a non-square image."""
    import cv2

    zoom = np.exp(rng.uniform(*np.log(cropping.zoom)))
    angle = np.radians(rng.normal(0, cropping.degrees))
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    matrix = turn @ np.diag(zoom * np.exp(rng.normal(0, 0.05, 2)))
    room = max(0.0, 1 - zoom) * 0.5
    shift = rng.uniform(-1, 1, 2) * (room * 0.6 + 0.02)
    knots = rng.normal(0, 0.012, (2, 4, 4)).astype(np.float32)
    bend = np.stack([cv2.resize(part, (grid, grid), interpolation=cv2.INTER_CUBIC) for part in knots])
    return _warp(image, coverage, matrix, shift, bend, grid, rng, cropping.margin)


def _warp(
    image: np.ndarray,
    coverage: np.ndarray,
    matrix: np.ndarray,
    shift: np.ndarray,
    bend: np.ndarray | None,
    grid: int,
    rng: np.random.Generator | None = None,
    largest_margin: float = 0.0,
) -> tuple[np.ndarray, np.ndarray]:
    """Sample image and coverage through one map in units of the field of view, pixel centres at half steps."""
    import cv2

    def sample_at(side: int, source: int) -> tuple[np.ndarray, np.ndarray]:
        unit = (np.arange(side, dtype=np.float32) + 0.5) / side - 0.5
        y, x = np.meshgrid(unit, unit, indexing="ij")
        map_x = matrix[0, 0] * x + matrix[0, 1] * y + shift[0]
        map_y = matrix[1, 0] * x + matrix[1, 1] * y + shift[1]
        if bend is not None:
            map_x = map_x + cv2.resize(bend[0], (side, side), interpolation=cv2.INTER_AREA)
            map_y = map_y + cv2.resize(bend[1], (side, side), interpolation=cv2.INTER_AREA)
        return ((map_x + 0.5) * source - 0.5).astype(np.float32), ((map_y + 0.5) * source - 0.5).astype(np.float32)

    warped = cv2.remap(image, *sample_at(grid, image.shape[0]), cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    maps = sample_at(grid // 2, coverage.shape[1])
    drawn = [
        cv2.remap(
            np.ascontiguousarray(coverage[i : i + 4].transpose(1, 2, 0)),
            *maps,
            cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_CONSTANT,
        )
        for i in range(0, len(coverage), 4)
    ]
    targets = np.concatenate([part if part.ndim == 3 else part[..., None] for part in drawn], axis=2).transpose(2, 0, 1).copy()
    if rng is None:
        return normalise(warped), targets
    if rng.random() < 0.3:
        warped = disturb.shutters(warped, rng)
    placed = normalise(warped)
    if rng.random() < 0.5:
        # The letterbox of a non-square image: even margins, because the targets lie on the half grid.
        margin = 2 * int(rng.integers(1, int(grid * largest_margin / 2 + 1e-6)))
        rows = slice(None) if rng.random() < 0.6 else slice(margin, grid - margin)
        columns = slice(margin, grid - margin) if rows == slice(None) else slice(None)
        boxed, kept = np.full_like(placed, PADDING), np.zeros_like(targets)
        boxed[rows, columns] = normalise(warped[rows, columns])
        half = tuple(
            slice(None) if part == slice(None) else slice(margin // 2, grid // 2 - margin // 2) for part in (rows, columns)
        )
        kept[:, half[0], half[1]] = targets[:, half[0], half[1]]
        placed, targets = boxed, kept
    return placed, targets
