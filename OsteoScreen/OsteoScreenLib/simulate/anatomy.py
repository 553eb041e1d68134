"""Thoraces as closed surfaces: the BodyParts3D skeleton, CT labelled voxel by voxel, and CT that borrow another one's labels.

Each lends the others what they lack: a CT gives the skeleton its lungs, heart and body, the skeleton gives every CT a shoulder
girdle with the arms down. A thin-plate spline through landmarks on bones that two of them have carries surfaces across, and going
part of the way gives bodies in between.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from OsteoScreenLib.bones.vocabulary import CHEST_FRONTAL
from OsteoScreenLib.simulate.labels import NECK_AND_LOINS, SIDES
from OsteoScreenLib.simulate.meshes import Mesh
from OsteoScreenLib.simulate.thorax_ct import ThoraxParts

Warp = Callable[[np.ndarray], np.ndarray]
GIRDLE = tuple(f"{side} {bone}" for side in SIDES for bone in ("clavicle", "scapula", "humerus"))
_UPPER = ("T1", "T2", "T3", "T4", "T5", *(f"{side} rib {i}" for side in SIDES for i in (1, 2, 3, 4)), "sternum")


@dataclass(frozen=True)
class Anatomy:
    """A thorax as surfaces in LPS millimetres.

    bones : the vocabulary's bones and neighbours (C3-C6, L3-L5). cartilages : costal. organs : "right lung", "left lung",
    "heart", "airway", "vessels". body : the trunk's skin without arms.
    others : for each other anatomy, the same parts by name after the full warp to that one's shape (vertices only).
    """

    name: str
    bones: Mapping[str, Mesh]
    cartilages: Mapping[str, Mesh]
    organs: Mapping[str, Mesh]
    body: Mesh
    others: tuple[Mapping[str, np.ndarray], ...] = ()

    def parts(self) -> dict[str, Mesh]:
        """Every surface by its name."""
        return {**self.bones, **self.cartilages, **self.organs, "body": self.body}


def skeleton_anatomy(drawn: Mapping[str, Mesh], lender: ThoraxParts) -> Anatomy:
    """The drawn skeleton with the organs and the body of a CT. drawn : every bone of `meshes.read_skeleton`."""
    bones = {name: drawn[name] for name in (*NECK_AND_LOINS, *CHEST_FRONTAL.by_name)}
    cartilages = {name: mesh for name, mesh in drawn.items() if "costal cartilage" in name}
    trunk = _trunk_of(lender.bones)
    to_drawn = spline(landmarks(lender.bones, trunk), landmarks(bones, trunk))
    organs = {name: mesh.moved(to_drawn(mesh.vertices)) for name, mesh in lender.organs.items()}
    return Anatomy("skeleton", bones, cartilages, organs, lender.body.moved(to_drawn(lender.body.vertices)))


def scanned_anatomy(name: str, scanned: ThoraxParts, skeleton: Anatomy) -> Anatomy:
    """A CT's thorax, completed with the drawn skeleton's girdle, cartilages and what the scan cuts off."""
    trunk = _trunk_of(scanned.bones)
    to_scan = spline(landmarks(skeleton.bones, trunk), landmarks(scanned.bones, trunk))
    upper = [bone for bone in trunk if bone in _UPPER]
    shoulders = similarity(landmarks(skeleton.bones, upper), landmarks(scanned.bones, upper))
    own = skeleton.bones
    bones = {bone: own[bone].moved(to_scan(own[bone].vertices)) for bone in own if bone not in scanned.bones}
    bones |= {bone: own[bone].moved(shoulders(own[bone].vertices)) for bone in GIRDLE}
    bones |= {bone: mesh for bone, mesh in scanned.bones.items() if bone not in GIRDLE}
    cartilages = {part: mesh.moved(to_scan(mesh.vertices)) for part, mesh in skeleton.cartilages.items()}
    return Anatomy(name, bones, cartilages, scanned.organs, scanned.body)


def with_others(anatomies: tuple[Anatomy, ...]) -> tuple[Anatomy, ...]:
    """Each anatomy with its warps to all the others' shapes."""
    return tuple(replace(one, others=tuple(_as(one, other) for other in anatomies if other is not one)) for one in anatomies)


def _as(one: Anatomy, other: Anatomy) -> dict[str, np.ndarray]:
    """One anatomy's vertices after the warp to the other's shape; the girdle moves as a whole."""
    trunk = _trunk_of(one.bones)
    upper = [bone for bone in trunk if bone in _UPPER]
    warp = spline(landmarks(one.bones, trunk), landmarks(other.bones, trunk))
    girdle = similarity(landmarks(one.bones, upper), landmarks(other.bones, upper))
    return {part: (girdle if part in GIRDLE else warp)(mesh.vertices) for part, mesh in one.parts().items()}


def _trunk_of(bones: Mapping[str, Mesh]) -> list[str]:
    return [name for name in CHEST_FRONTAL.by_name if name in bones and name not in GIRDLE]


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
