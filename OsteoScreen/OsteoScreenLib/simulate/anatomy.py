"""Two labelled thoraces as closed surfaces: the BodyParts3D skeleton, and a CT labelled voxel by voxel.

Each lends the other what it lacks: the CT gives the skeleton its lungs, heart and body, the skeleton gives the CT a shoulder
girdle with the arms down. A thin-plate spline through landmarks on bones that both have carries surfaces across, and going
part of the way gives bodies in between.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from OsteoScreenLib.bones.vocabulary import CHEST_FRONTAL
from OsteoScreenLib.errors import InputError
from OsteoScreenLib.simulate.meshes import Mesh, read_skeleton

Warp = Callable[[np.ndarray], np.ndarray]
SIDES = ("right", "left")
GIRDLE = tuple(f"{side} {bone}" for side in SIDES for bone in ("clavicle", "scapula", "humerus"))
_EXTRA_VERTEBRAE = ("C3", "C4", "C5", "C6", "L3", "L4", "L5")
_LUNG_LOBES = {
    "right lung": ("lung_upper_lobe_right", "lung_middle_lobe_right", "lung_lower_lobe_right"),
    "left lung": ("lung_upper_lobe_left", "lung_lower_lobe_left"),
    "heart": ("heart", "atrial_appendage_left"),
    "airway": ("trachea",),
}


@dataclass(frozen=True)
class Anatomy:
    """A thorax as surfaces in LPS millimetres.

    bones : the vocabulary's bones and neighbours (C3-C6, L3-L5). cartilages : costal. organs : "right lung", "left lung",
    "heart", "airway". body : the trunk's skin without arms.
    other : the same parts by name after the full warp to the other anatomy's shape (vertices only).
    """

    name: str
    bones: Mapping[str, Mesh]
    cartilages: Mapping[str, Mesh]
    organs: Mapping[str, Mesh]
    body: Mesh
    other: Mapping[str, np.ndarray]

    def parts(self) -> dict[str, Mesh]:
        """Every surface by its name."""
        return {**self.bones, **self.cartilages, **self.organs, "body": self.body}


def build_anatomies(skeleton: Path, thorax_ct: Path) -> tuple[Anatomy, Anatomy]:
    """The skeleton's thorax and the CT's thorax, each complete and able to turn into the other.

    skeleton : the BodyParts3D archive. thorax_ct : the folder with `lidc2_ct_uint8.nrrd`, `lidc2_labels.nrrd`, `lidc2_labels.csv`.
    Raises `InputError` when one of them is missing.
    """
    drawn = read_skeleton(skeleton)
    scanned, organs, body = read_labelled_ct(thorax_ct)
    own_bones = {name: drawn[name] for name in (*_EXTRA_VERTEBRAE, *CHEST_FRONTAL.by_name)}
    own_cartilages = {name: mesh for name, mesh in drawn.items() if "costal cartilage" in name}
    trunk = [name for name in CHEST_FRONTAL.by_name if name in scanned and name not in GIRDLE]
    here, there = landmarks(own_bones, trunk), landmarks(scanned, trunk)
    to_scan, to_drawn = spline(here, there), spline(there, here)

    shoulders = similarity(*(landmarks(bones, [n for n in trunk if n in _UPPER]) for bones in (own_bones, scanned)))
    borrowed = {name: own_bones[name].moved(to_scan(own_bones[name].vertices)) for name in own_bones if name not in scanned}
    borrowed |= {name: own_bones[name].moved(shoulders(own_bones[name].vertices)) for name in GIRDLE}
    scan_bones = {**{name: scanned[name] for name in trunk}, **borrowed}
    scan_cartilages = {name: mesh.moved(to_scan(mesh.vertices)) for name, mesh in own_cartilages.items()}
    own_organs = {name: mesh.moved(to_drawn(mesh.vertices)) for name, mesh in organs.items()}
    own_body = body.moved(to_drawn(body.vertices))

    back = similarity(*(landmarks(bones, [n for n in trunk if n in _UPPER]) for bones in (scanned, own_bones)))
    return (
        _with_other("skeleton", own_bones, own_cartilages, own_organs, own_body, to_scan, shoulders),
        _with_other("ct", scan_bones, scan_cartilages, organs, body, to_drawn, back),
    )


_UPPER = ("T1", "T2", "T3", "T4", "T5", *(f"{side} rib {i}" for side in SIDES for i in (1, 2, 3, 4)), "sternum")


def _with_other(
    name: str,
    bones: dict[str, Mesh],
    cartilages: dict[str, Mesh],
    organs: dict[str, Mesh],
    body: Mesh,
    warp: Warp,
    girdle: Warp,
) -> Anatomy:
    plain = Anatomy(name, bones, cartilages, organs, body, {})
    other = {part: (girdle if part in GIRDLE else warp)(mesh.vertices) for part, mesh in plain.parts().items()}
    return Anatomy(name, bones, cartilages, organs, body, other)


def landmarks(bones: Mapping[str, Mesh], names: list[str]) -> np.ndarray:
    """Points that mean the same on any thorax: extremes of vertebrae, ribs and sternum, float64 (n, 3)."""
    points = []
    for name in names:
        vertices = bones[name].vertices
        if "rib" in name:
            outward = vertices[:, 0] * (1 if name.startswith("left") else -1)
            points += [_extreme(vertices, -outward + vertices[:, 1]), _extreme(vertices, outward)]
            points += [_extreme(vertices, vertices[:, 1]), _extreme(vertices, -vertices[:, 1])]
        elif name == "sternum":
            points += [_extreme(vertices, vertices[:, 2]), _extreme(vertices, -vertices[:, 2])]
        else:
            points += [vertices.mean(axis=0), _extreme(vertices, vertices[:, 0]), _extreme(vertices, -vertices[:, 0])]
            points.append(_extreme(vertices, -vertices[:, 1]))
    return np.array(points)


def _extreme(vertices: np.ndarray, along: np.ndarray) -> np.ndarray:
    """The mean of the furthest 3 % of the vertices in one direction."""
    return vertices[along >= np.quantile(along, 0.97)].mean(axis=0)


def spline(source: np.ndarray, target: np.ndarray, smoothing: float = 300.0) -> Warp:
    """Thin-plate spline that carries landmarks (n, 3) onto others; smoothing in mm² keeps noisy landmarks from folding it."""
    from scipy.interpolate import RBFInterpolator

    return RBFInterpolator(source, target, kernel="thin_plate_spline", smoothing=smoothing)


def similarity(source: np.ndarray, target: np.ndarray) -> Warp:
    """Rotation, one scale and shift that fit landmarks best (Umeyama 1991)."""
    source_middle, target_middle = source.mean(axis=0), target.mean(axis=0)
    left, singular, right = np.linalg.svd((target - target_middle).T @ (source - source_middle))
    turn = left @ np.diag([1, 1, np.sign(np.linalg.det(left @ right))]) @ right
    scale = singular.sum() / ((source - source_middle) ** 2).sum()
    return lambda points: (points - source_middle) @ (scale * turn).T + target_middle


def read_labelled_ct(folder: Path) -> tuple[dict[str, Mesh], dict[str, Mesh], Mesh]:
    """Bones, organs and trunk of the labelled CT as surfaces: (bones by vocabulary name, organs, body)."""
    import SimpleITK as sitk

    paths = [folder / name for name in ("lidc2_ct_uint8.nrrd", "lidc2_labels.nrrd", "lidc2_labels.csv")]
    for path in paths:
        if not path.is_file():
            raise InputError(
                f"There is no {path.name} in {folder}; give the folder of the labelled CT with --thorax-ct.", code="ct-missing"
            )
    scan, drawn = sitk.ReadImage(str(paths[0])), sitk.ReadImage(str(paths[1]))
    labels = sitk.GetArrayViewFromImage(drawn)
    with open(paths[2], encoding="utf-8") as table:
        numbers = {row["structure"]: int(row["id"]) for row in csv.DictReader(table)}
    from scipy import ndimage

    boxes = ndimage.find_objects(labels)

    def drawn_as(structures: tuple[str, ...]) -> tuple[np.ndarray, tuple[slice, ...]] | None:
        """Mask of the structures inside their bounding box, and that box; None when the scan does not show them."""
        chosen = [numbers[name] for name in structures if name in numbers]
        found = [boxes[number - 1] for number in chosen if number <= len(boxes) and boxes[number - 1] is not None]
        if not found:
            return None
        box = tuple(slice(min(part[i].start for part in found), max(part[i].stop for part in found)) for i in range(3))
        return np.isin(labels[box], chosen), box

    bones, organs = {}, {}
    for bone in CHEST_FRONTAL.by_name:
        shown = drawn_as((_ct_name(bone),))
        # A bone cut by the end of the scan has no true shape.
        if shown is not None and shown[1][0].start > 0 and shown[1][0].stop < labels.shape[0]:
            bones[bone] = surface(_largest(shown[0]), shown[1], drawn)
    for name, lobes in _LUNG_LOBES.items():
        shown = drawn_as(lobes)
        if shown is None:
            raise InputError(
                f"The labels in {folder} hold no {name}; give the folder of the labelled CT.", code="ct-incomplete"
            )
        organs[name] = surface(*shown, drawn, blur=1.2)
    return bones, organs, _trunk(sitk.GetArrayViewFromImage(scan), labels, scan)


def _ct_name(bone: str) -> str:
    words = bone.split()
    if len(words) == 1:
        return bone if bone == "sternum" else f"vertebrae_{bone}"
    noun = "clavicula" if words[1] == "clavicle" else words[1]
    return "_".join([noun, words[0], *words[2:]])


def _largest(mask: np.ndarray) -> np.ndarray:
    """Pieces of at least a tenth of the largest: labels of thin ribs break, and specks elsewhere are errors."""
    from scipy import ndimage

    pieces, _ = ndimage.label(mask, np.ones((3, 3, 3)))
    sizes = np.bincount(pieces.ravel())
    sizes[0] = 0
    kept: np.ndarray = (sizes >= 0.1 * sizes.max())[pieces]
    return kept


def surface(mask: np.ndarray, box: tuple[slice, ...], image: object, blur: float = 0.8, step: int = 2) -> Mesh:
    """A smooth closed surface round a mask (slices, rows, columns) that fills `box` of a SimpleITK image's grid.

    blur : standard deviation in slices and, twice that, in pixels, which takes the steps out of thick slices.
    step : in-plane thinning before the surface is drawn.
    """
    from scipy import ndimage
    from skimage.measure import marching_cubes

    margin = 6
    inside = np.pad(mask.astype(np.float32), margin)
    smooth = ndimage.gaussian_filter(inside, (blur, 2 * blur, 2 * blur))[:, ::step, ::step]
    # Blurring shrinks thin bones; the level that keeps the volume puts them back.
    level = float(np.clip(np.quantile(smooth, 1 - mask.sum() / inside.size), 0.2, 0.5))
    index, faces, _, _ = marching_cubes(smooth, level)
    index = index * (1, step, step) - margin + [part.start for part in box]
    return _turned_outwards(Mesh(_to_lps(index, image), faces.astype(np.int64)))


def _to_lps(index: np.ndarray, image: object) -> np.ndarray:
    """Array indices (slice, row, column) → LPS millimetres."""
    direction = np.array(image.GetDirection()).reshape(3, 3)  # type: ignore[attr-defined]
    steps = direction * np.array(image.GetSpacing())  # type: ignore[attr-defined]
    return index[:, ::-1] @ steps.T + np.array(image.GetOrigin())  # type: ignore[attr-defined]


def _turned_outwards(mesh: Mesh) -> Mesh:
    return mesh if mesh.volume_mm3 > 0 else Mesh(mesh.vertices, mesh.faces[:, ::-1])


def _trunk(scan: np.ndarray, labels: np.ndarray, image: object) -> Mesh:
    """The skin: everything that is not outside air, carried on above and below the scan as the end slices are."""
    from scipy import ndimage
    from skimage.measure import marching_cubes

    coarse = (scan[:, ::3, ::3] > 0) | (labels[:, ::6, ::6] > 0)
    # The arms were up in the scanner: above the shoulders only what narrows towards a neck is kept.
    slices, rows, columns = np.ogrid[: coarse.shape[0], : coarse.shape[1], : coarse.shape[2]]
    spine = np.argwhere(labels[-12:, ::6, ::6] > 0).mean(axis=0)[1:]
    spacing = image.GetSpacing()  # type: ignore[attr-defined]
    reach = np.clip(60 + (coarse.shape[0] - 8 - slices) * spacing[2] * 1.6, 60, 400)
    across, along = (columns - spine[1]) * 3 * spacing[0], (rows - spine[0]) * 3 * spacing[1]
    coarse &= (across / reach) ** 2 + (along / np.maximum(reach, 70)) ** 2 < 1
    closed = ndimage.binary_opening(
        ndimage.binary_closing(np.pad(coarse, ((0, 0), (8, 8), (8, 8))), np.ones((1, 5, 5)), 2), np.ones((1, 3, 3))
    )
    filled = np.stack([ndimage.binary_fill_holes(part) for part in closed])
    pieces, _ = ndimage.label(filled)
    largest = pieces == np.argmax(np.bincount(pieces.ravel())[1:]) + 1
    ends = 36
    long = np.pad(np.pad(largest, ((ends, ends), (0, 0), (0, 0)), mode="edge").astype(np.float32), ((2, 2), (0, 0), (0, 0)))
    index, faces, _, _ = marching_cubes(ndimage.gaussian_filter(long, (5.0, 2.0, 2.0))[::2], 0.5)
    index = (index * (2, 1, 1) - (ends + 2, 8, 8)) * (1, 3, 3)
    return _turned_outwards(Mesh(_to_lps(index, image), faces.astype(np.int64)))
