"""Random frontal chests: an anatomy varied and posed, dressed in soft tissue, projected to path lengths and bone masks."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np

from OsteoScreenLib.bones.vocabulary import CHEST_FRONTAL
from OsteoScreenLib.simulate.anatomy import GIRDLE, Anatomy
from OsteoScreenLib.simulate.labels import SIDES
from OsteoScreenLib.simulate.materials import CORTEX_MM
from OsteoScreenLib.simulate.meshes import Mesh, ellipsoid, joined, tapered_tube
from OsteoScreenLib.simulate.posing import pose_girdle, random_breath, random_pose, random_shape
from OsteoScreenLib.simulate.projection import Geometry, project
from OsteoScreenLib.simulate.skin import random_skin

BONES = tuple(CHEST_FRONTAL.by_name)
AUXILIARY = ("right lung", "left lung", "heart")
STRUCTURES = BONES + AUXILIARY
GROUPS = tuple(CHEST_FRONTAL.groups)
_LEAST_MM = 0.4  # a bone's mask leaves out rays that only graze it
_LEAST_LUNG_MM = 30.0  # readers call lung what looks dark, not the thin recesses behind the domes of the diaphragm


@dataclass(frozen=True)
class View:
    """One projected chest.

    paths_mm : name → float32 (rows, columns): "body", "lungs" (vessels included), "vessels", "airway", "gas", "breasts", "cartilage", and for each bone group
        "<group>" (whole bone) and "<group> core" (inside its cortex).
    masks : bool (structures, rows, columns) in the order of `STRUCTURES`.
    geometry : how it was projected. anatomy : which template. density_line : of the body, where it was measured.
    """

    paths_mm: dict[str, np.ndarray]
    masks: np.ndarray
    geometry: Geometry
    anatomy: str
    density_line: tuple[float, float] | None = None

    @property
    def bones(self) -> np.ndarray:
        """Where any bone lies, bool (rows, columns)."""
        return np.asarray(self.masks[: len(BONES)].any(axis=0))


PATH_NAMES = (
    "body",
    "lungs",
    "vessels",
    "airway",
    "gas",
    "breasts",
    "cartilage",
    *GROUPS,
    *(f"{group} core" for group in GROUPS),
)


def random_parts(rng: np.random.Generator, anatomy: Anatomy, upright: bool = True) -> dict[str, Mesh]:
    """One body: shape, pose, breath and soft tissue drawn with `rng`. Parts by name, with "arm"s, "breasts" and "gas" added."""
    between = anatomy.parts()
    if anatomy.others:
        other = anatomy.others[int(rng.integers(len(anatomy.others)))]
        share = float(rng.uniform(-0.35, 0.75))
        between = {name: mesh.moved(mesh.vertices + share * (other[name] - mesh.vertices)) for name, mesh in between.items()}
    cage = np.concatenate([between[name].vertices for name in BONES if "rib" in name])
    shape = random_shape(rng, cage)
    parts = {name: mesh.moved(shape(mesh.vertices)) for name, mesh in between.items() if name not in GIRDLE}
    # The girdle's bones keep their own proportions: they follow as wholes, by the shift of their sternal ends.
    for side, pose in zip(SIDES, random_pose(rng, upright), strict=True):
        girdle = {name: mesh for name, mesh in between.items() if name in GIRDLE and name.startswith(side)}
        clavicle = girdle[f"{side} clavicle"].vertices
        outward = clavicle[:, 0] * (1 if side == "left" else -1)
        inner = clavicle[outward <= np.quantile(outward, 0.05)].mean(axis=0)
        shift, size = shape(inner[None])[0], float(np.cbrt(np.prod(shape.scale))) * float(np.exp(rng.normal(0, 0.03)))
        moved = {name: mesh.moved((mesh.vertices - inner) * size + shift) for name, mesh in girdle.items()}
        parts |= pose_girdle(moved, side, pose)
    breath = random_breath(rng)
    middle = np.concatenate([parts[name].vertices for name in ("right lung", "left lung")]).mean(axis=0)
    heart = parts["heart"].vertices.mean(axis=0)
    for name in (*AUXILIARY, "airway", "vessels"):
        parts[name] = parts[name].moved(breath(name, parts[name].vertices, middle, heart))
    parts |= _soft_tissue(rng, parts)
    bubbles = _gas_bubbles(rng, parts)
    if bubbles is not None:
        parts["gas"] = bubbles
    return parts


def _soft_tissue(rng: np.random.Generator, parts: dict[str, Mesh]) -> dict[str, Mesh]:
    """Skin at a random distance, arms, shoulders and sometimes breasts."""
    dressed = {"body": random_skin(rng, parts)}
    body = dressed["body"].vertices
    middle = parts["T8"].vertices.mean(axis=0)
    neck = parts["C5"].vertices.mean(axis=0)
    for side in SIDES:
        humerus, clavicle = parts[f"{side} humerus"].vertices, parts[f"{side} clavicle"].vertices
        top, low = humerus[:, 2].max(), humerus[:, 2].min()
        shoulder = humerus[humerus[:, 2] > top - 40].mean(axis=0)
        elbow = humerus[humerus[:, 2] < low + 40].mean(axis=0)
        thick = rng.uniform(44, 62)
        dressed[f"{side} arm"] = tapered_tube(
            shoulder, elbow + 0.35 * (elbow - shoulder), thick, thick * rng.uniform(0.75, 0.95)
        )
        root = neck + np.array([0, 0, -25.0]) + 0.25 * (clavicle.mean(axis=0) - neck)
        dressed[f"{side} shoulder"] = tapered_tube(
            root, shoulder + np.array([0, 0, -15.0]), rng.uniform(54, 74), rng.uniform(46, 60)
        )
    if rng.random() < 0.5:
        height = middle[2] + rng.uniform(-35, 25)
        chest = body[np.abs(body[:, 2] - height) < 40]
        front, size, apart = chest[:, 1].min(), rng.uniform(32, 62), rng.uniform(75, 95)
        for side, sign in zip(SIDES, (-1, 1), strict=True):
            centre = np.array([middle[0] + sign * (apart + rng.normal(0, 3)), front + 0.35 * size, height + rng.normal(0, 4)])
            dressed[f"{side} breast"] = ellipsoid(centre, (size * rng.uniform(0.95, 1.15), size * 0.7, size))
    return dressed


def _gas_bubbles(rng: np.random.Generator, organs: dict[str, Mesh]) -> Mesh | None:
    """Stomach and bowel gas under the left diaphragm, or none."""
    if rng.random() < 0.35:
        return None
    lung = organs["left lung"].vertices
    low = lung[:, 2].min()
    middle = np.median(lung, axis=0)
    bubbles = []
    for _ in range(int(rng.integers(1, 4))):
        centre = np.array([middle[0] + rng.normal(-5, 30), middle[1] + rng.normal(-10, 20), low + rng.uniform(-60, 40)])
        bubbles.append(ellipsoid(centre, tuple(rng.uniform(8, 38, 3) * (1, 0.8, 0.7)), 2))
    return joined(bubbles)


def random_geometry(rng: np.random.Generator, parts: dict[str, Mesh], upright: bool, size: int = 288) -> Geometry:
    """A detector a little wider than the rib cage behind or before the patient, roughly centred, the patient turned by a few degrees."""
    cage = np.concatenate([mesh.vertices for name, mesh in parts.items() if " rib " in name])
    extent = cage.max(axis=0) - cage.min(axis=0)
    centre = (cage.min(axis=0) + cage.max(axis=0)) / 2 + np.array([0, 0, rng.normal(22, 12)])
    field = max(0.95 * extent[2], 1.15 * extent[0]) * rng.uniform(1.0, 1.25)
    distance = rng.uniform(1600, 2000) if upright else rng.uniform(950, 1300)
    return Geometry(
        direction="PA" if upright else "AP",
        source_detector_mm=float(distance),
        centre_detector_mm=float(rng.uniform(140, 220)),
        rows=size,
        columns=size,
        pixel_mm=float(field * distance / (distance - 180) / size),
        offset_mm=(float(rng.normal(0, 8)), float(rng.normal(0, 8))),
        centre=tuple(float(value) for value in centre),  # type: ignore[arg-type]
        turn_degrees=(float(rng.normal(0, 4)), float(rng.normal(0, 5)), float(rng.normal(0, 2.5))),
    )


def clinical_geometry(rng: np.random.Generator, parts: dict[str, Mesh], upright: bool, size: int) -> Geometry:
    """A field as radiographers choose it: from above the lungs' apices to below their recesses, not much wider than the rib cage.

    PA upright from 1.6-2.0 m, else AP from 0.95-1.3 m; the patient is turned by a few degrees at most.
    """
    cage = np.concatenate([mesh.vertices for name, mesh in parts.items() if " rib " in name])
    lungs = np.concatenate([parts[name].vertices for name in ("right lung", "left lung")])
    left, right = cage[:, 0].min(), cage[:, 0].max()
    top = lungs[:, 2].max() + rng.uniform(15, 45)
    bottom = lungs[:, 2].min() - rng.uniform(5, 45)
    field = max((right - left) * rng.uniform(1.03, 1.2), top - bottom)
    # What a field that the width decides has to spare lies mostly at the abdomen.
    spare = field - (top - bottom)
    middle = top + rng.uniform(0.1, 0.5) * spare - field / 2
    depth = (cage[:, 1].min() + cage[:, 1].max()) / 2
    distance = float(rng.uniform(1600, 2000) if upright else rng.uniform(950, 1300))
    behind = float(rng.uniform(140, 200))
    return Geometry(
        direction="PA" if upright else "AP",
        source_detector_mm=distance,
        centre_detector_mm=behind,
        rows=size,
        columns=size,
        pixel_mm=float(field * distance / (distance - behind) / size),
        offset_mm=(float(rng.normal(0, 6)), 0.0),
        centre=(float((left + right) / 2), float(depth), float(middle)),
        turn_degrees=(float(rng.normal(0, 2.5)), float(rng.normal(0, 4)), float(rng.normal(0, 1.8))),
    )


def project_chest(parts: dict[str, Mesh], geometry: Geometry, anatomy: str = "", apart: Collection[str] = ()) -> View:
    """Path lengths and masks of one body in one geometry. A bone that is not among the parts has an empty mask.

    apart : bones whose paths stand alone as "bone NAME" and "bone NAME core" and are not in their group's, so that their density
    can differ from it (`Density.by_bone`).
    """
    import cv2

    own = dict(parts)
    groups = {name: bone.group for name, bone in CHEST_FRONTAL.by_name.items() if name in own}
    neighbours = {name: "Spine" for name in own if len(name) == 2 and name not in groups}
    cores = {f"{name} core": own[name].inset(CORTEX_MM[group]) for name, group in {**groups, **neighbours}.items()}
    paths = project({**own, **cores}, geometry)
    zero = np.zeros((geometry.rows, geometry.columns), np.float32)
    maps = {name: zero.copy() for name in PATH_NAMES}
    for name, group in {**groups, **neighbours}.items():
        whole, core = paths[name], np.minimum(paths[f"{name} core"], paths[name])
        if name in apart:
            maps[f"bone {name}"], maps[f"bone {name} core"] = whole, core
        else:
            maps[group] += whole
            maps[f"{group} core"] += core
    maps["lungs"] = paths["right lung"] + paths["left lung"]
    maps["vessels"] = np.minimum(paths.get("vessels", zero), maps["lungs"])
    maps["airway"], maps["gas"] = paths["airway"], paths.get("gas", zero)
    maps["cartilage"] = sum((path for name, path in paths.items() if "costal" in name), zero)
    maps["breasts"] = cv2.GaussianBlur(
        paths.get("right breast", zero) + paths.get("left breast", zero), (0, 0), 9 / geometry.pixel_mm
    )
    # Trunk, shoulders and arms overlap in space: more than the thickest, less than the sum.
    covers = [paths[name] for name in paths if name == "body" or name.endswith((" arm", " shoulder"))]
    maps["body"] = np.cbrt(sum((path**3 for path in covers), zero))
    masks = np.stack([paths.get(name, zero) > (_LEAST_LUNG_MM if name.endswith("lung") else _LEAST_MM) for name in STRUCTURES])
    return View(maps, masks, geometry, anatomy)


def random_body(rng: np.random.Generator, anatomies: tuple[Anatomy, ...]) -> tuple[dict[str, Mesh], str, bool]:
    """A random body of a random anatomy: its parts, the anatomy's name, and whether it stands upright (two thirds do, PA)."""
    anatomy = anatomies[int(rng.integers(len(anatomies)))]
    upright = bool(rng.random() < 0.67)
    return random_parts(rng, anatomy, upright), anatomy.name, upright
