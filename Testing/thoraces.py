"""Thoraces for tests, drawn from balls, tubes and blocks: an anatomy as surfaces, and a labelled CT as voxels."""

from __future__ import annotations

import numpy as np

from OsteoScreenLib.simulate.anatomy import GIRDLE, Anatomy
from OsteoScreenLib.simulate.labels import NECK_AND_LOINS, structure_of
from OsteoScreenLib.simulate.meshes import Mesh, ellipsoid, tapered_tube

SPACING = (4.0, 4.0, 4.0)
SHAPE = (90, 70, 90)  # slices from the feet, rows, columns
_LEVELS = (*NECK_AND_LOINS[:4], "C7", *(f"T{i}" for i in range(1, 13)), "L1", "L2", *NECK_AND_LOINS[4:])


def drawn_anatomy() -> Anatomy:
    """Every part that a chest needs, its right side mirrored to the left, and one other shape to turn into."""
    bones, cartilages, organs = {}, {}, {}
    for place, level in enumerate(_LEVELS):
        bones[level] = ellipsoid(np.array([0.0, 45.0, 160.0 - 24 * place]), (17, 20, 10), 2)
    bones["sternum"] = ellipsoid(np.array([0.0, -85.0, -40.0]), (16, 6, 75), 2)
    sided: dict[str, Mesh] = {}
    for i in range(1, 13):
        top = 62.0 - 24 * i
        length = 1 - 0.07 * abs(i - 7) if i < 11 else 0.4
        sided[f"rib {i}"] = _tube((-25, 50, top + 12), (-25 - 100 * length, -20 * length, top - 30), 6, 5)
        if i < 11:
            cartilages[f"right costal cartilage {i}"] = _tube((-90 * length, -60, top - 40), (-20, -85, top - 20), 5, 5)
    sided["clavicle"] = _tube((-18, -75, 45), (-145, -5, 70), 7, 6)
    sided["scapula"] = ellipsoid(np.array([-105.0, 75.0, 0.0]), (38, 8, 70), 2)
    sided["humerus"] = _tube((-165, 15, 50), (-185, 20, -190), 20, 14)
    for name, mesh in sided.items():
        bones[f"right {name}"], bones[f"left {name}"] = mesh, mesh.mirrored()
    cartilages |= {name.replace("right", "left"): mesh.mirrored() for name, mesh in cartilages.items()}
    organs["right lung"] = ellipsoid(np.array([-65.0, 0.0, -80.0]), (50, 70, 125))
    organs["left lung"] = organs["right lung"].mirrored()
    organs["heart"] = ellipsoid(np.array([20.0, -35.0, -110.0]), (50, 38, 55))
    organs["airway"] = _tube((0, 15, 120), (0, 15, -20), 9, 8)
    organs["vessels"] = _tube((-30, 0, -60), (-95, 10, -120), 6, 3)
    body = ellipsoid(np.array([0.0, 0.0, -80.0]), (165, 120, 330))
    one = Anatomy("drawn", bones, cartilages, organs, body)

    def other(name: str, mesh: Mesh) -> np.ndarray:
        bent = mesh.vertices * (1.12, 1.2, 0.9) + (-14.0, 8.0, 0.0)
        return bent if name in GIRDLE else bent + 9 * np.sin(mesh.vertices[:, [2, 0, 1]] / 60)

    shape = {name: other(name, mesh) for name, mesh in one.parts().items()}
    return Anatomy("drawn", bones, cartilages, organs, body, (shape,))


def _tube(start: tuple[float, float, float], end: tuple[float, float, float], thick: float, thin: float) -> Mesh:
    return tapered_tube(np.array(start, float), np.array(end, float), thick, thin)


def block_thorax() -> tuple[np.ndarray, np.ndarray, dict[str, int]]:
    """A trunk of soft tissue with lungs, heart, airway and every bone as a block: Hounsfield units, labels, their numbers."""
    scan = np.full(SHAPE, -1000, np.int16)
    scan[:, 12:58, 10:80] = 40
    labels = np.zeros(SHAPE, np.uint16)
    numbers: dict[str, int] = {}

    def draw(name: str, hounsfield: int, box: tuple[slice, slice, slice]) -> None:
        numbers[name] = len(numbers) + 1
        labels[box], scan[box] = numbers[name], hounsfield

    draw("lung_upper_lobe_right", -800, (slice(20, 70), slice(20, 46), slice(16, 38)))
    draw("lung_upper_lobe_left", -800, (slice(20, 70), slice(20, 46), slice(52, 74)))
    draw("heart", 45, (slice(30, 50), slice(20, 34), slice(40, 50)))
    draw("trachea", -950, (slice(60, 80), slice(36, 39), slice(43, 46)))
    scan[30:60, 30:34, 24:26] = 30  # a vessel
    for i, level in enumerate(("T1", "T2", "T3", "T4", "T5", "T6", "T7", "T8", "T9", "T10")):
        top = 76 - 6 * i
        draw(structure_of(level), 400, (slice(top, top + 4), slice(46, 52), slice(41, 49)))
    for side, columns in (("right", slice(11, 16)), ("left", slice(74, 79))):
        for i in range(1, 11):
            top = 74 - 5 * i
            draw(structure_of(f"{side} rib {i}"), 400, (slice(top, top + 3), slice(22, 44), columns))
    draw("sternum", 350, (slice(40, 66), slice(13, 16), slice(42, 48)))
    return scan, labels, numbers
