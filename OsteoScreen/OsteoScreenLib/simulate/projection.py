"""Cone-beam projection of closed surfaces: the path length of every ray inside every part, in millimetres.

A ray's path inside a closed surface is the sum of the depths where it leaves minus the sum of the depths where it enters
(the signed-crossing form of ray casting, exact for watertight meshes). Own code, because ray casters for meshes return hits,
not path sums, and take seconds a view; triangles here are small, so every triangle's few pixels are handled at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from OsteoScreenLib.simulate.meshes import Mesh

Direction = Literal["PA", "AP", "LEFT LATERAL", "RIGHT LATERAL"]

# Rows: image right, image down, source → detector, in LPS. Frontal images are shown with the patient's right on the viewer's left.
_FRAMES: dict[str, tuple[tuple[int, int, int], ...]] = {
    "PA": ((1, 0, 0), (0, 0, -1), (0, -1, 0)),
    "AP": ((1, 0, 0), (0, 0, -1), (0, 1, 0)),
    "LEFT LATERAL": ((0, 1, 0), (0, 0, -1), (1, 0, 0)),
    "RIGHT LATERAL": ((0, 1, 0), (0, 0, -1), (-1, 0, 0)),
}
_SUBPIXEL = 256  # vertices snap to this fraction of a pixel, so that neighbouring triangles share edges exactly


@dataclass(frozen=True)
class Geometry:
    """Where source, patient and detector stand.

    direction : the view. source_detector_mm : SID. centre_detector_mm : from `centre` to the detector plane.
    rows, columns, pixel_mm : the detector; its middle lies on the central ray unless `offset_mm` (right, down) moves it.
    centre : LPS point on the central ray, about which the patient is turned.
    turn_degrees : the patient turns (about its long axis, left-right axis, front-back axis): rotation, tilt, lean.
    """

    direction: Direction = "PA"
    source_detector_mm: float = 1800.0
    centre_detector_mm: float = 180.0
    rows: int = 288
    columns: int = 288
    pixel_mm: float = 1.5
    offset_mm: tuple[float, float] = (0.0, 0.0)
    centre: tuple[float, float, float] = (0.0, 0.0, 0.0)
    turn_degrees: tuple[float, float, float] = (0.0, 0.0, 0.0)

    @property
    def magnification(self) -> float:
        """Of a small thing at `centre`."""
        return self.source_detector_mm / (self.source_detector_mm - self.centre_detector_mm)

    def to_beam(self, points: np.ndarray) -> np.ndarray:
        """LPS (n, 3) → (right, down, distance from the source along the central ray), millimetres (n, 3)."""
        from scipy.spatial.transform import Rotation

        turn = Rotation.from_euler("zxy", self.turn_degrees, degrees=True).as_matrix()
        frame = np.asarray(_FRAMES[self.direction], float) @ turn
        beam = (np.asarray(points, float) - np.asarray(self.centre)) @ frame.T
        beam[:, 2] += self.source_detector_mm - self.centre_detector_mm
        return beam

    def to_pixels(self, points: np.ndarray) -> np.ndarray:
        """LPS (n, 3) → (column, row) of pixel centres, float64 (n, 2)."""
        return self._detector(self.to_beam(points))

    def _detector(self, beam: np.ndarray) -> np.ndarray:
        scale = self.source_detector_mm / beam[:, 2:3] / self.pixel_mm
        middle = np.array([(self.columns - 1) / 2, (self.rows - 1) / 2])
        return beam[:, :2] * scale - np.asarray(self.offset_mm) / self.pixel_mm + middle

    def obliquity(self) -> np.ndarray:
        """Length of each pixel's ray per unit of depth, float32 (rows, columns), at least 1."""
        right = (np.arange(self.columns) - (self.columns - 1) / 2) * self.pixel_mm + self.offset_mm[0]
        down = (np.arange(self.rows) - (self.rows - 1) / 2) * self.pixel_mm + self.offset_mm[1]
        return np.sqrt(1 + (right[None] ** 2 + down[:, None] ** 2) / self.source_detector_mm**2).astype(np.float32)


def project(parts: Mapping[str, Mesh], geometry: Geometry) -> dict[str, np.ndarray]:
    """Path length of every pixel's ray inside each part, float32 (rows, columns) in millimetres, never negative.

    Parts are projected independently: where two overlap in space, both count. A mask is `path > 0`. Parts behind the source
    or beside the detector give zeros.
    """
    names = list(parts)
    pixels = geometry.rows * geometry.columns
    total = np.zeros(len(names) * pixels)
    for index, name in enumerate(names):
        mesh = parts[name]
        beam = geometry.to_beam(mesh.vertices)
        if beam[:, 2].min() <= 0:
            continue
        _add_crossings(total[index * pixels : (index + 1) * pixels], geometry, beam, mesh.faces)
    paths = np.maximum(total, 0).reshape(len(names), geometry.rows, geometry.columns).astype(np.float32)
    # Rounding leaves less than a micrometre where entries and exits cancel.
    paths[paths < 1e-4] = 0
    paths *= geometry.obliquity()
    return dict(zip(names, paths, strict=True))


def _add_crossings(depths: np.ndarray, geometry: Geometry, beam: np.ndarray, faces: np.ndarray) -> None:
    """Add the signed depth of every surface crossing to `depths` (rows × columns, flat)."""
    snapped = np.round(geometry._detector(beam) * _SUBPIXEL).astype(np.int64)
    corners = snapped[faces]
    a, b, c = corners[:, 0], corners[:, 1], corners[:, 2]
    area = _cross(b - a, c - a)
    low = np.maximum(-(-corners.min(axis=1) // _SUBPIXEL), 0)
    high = np.minimum(corners.max(axis=1) // _SUBPIXEL, (geometry.columns - 1, geometry.rows - 1))
    size = high - low + 1
    seen = (area != 0) & (size > 0).all(axis=1)
    faces, low, size, area = faces[seen], low[seen], size[seen], area[seen]
    counts = size[:, 0] * size[:, 1]
    if not counts.size:
        return
    # One entry for each pixel in each triangle's bounding box.
    triangle = np.repeat(np.arange(len(counts)), counts)
    within = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    width = size[triangle, 0]
    column, row = low[triangle, 0] + within % width, low[triangle, 1] + within // width
    # Orient all triangles alike; the sign of the area says whether the ray enters or leaves.
    turned = np.where((area > 0)[:, None], faces, faces[:, ::-1])
    points = snapped[turned]
    inverse_depth = 1 / beam[turned, 2]
    x, y = column * _SUBPIXEL, row * _SUBPIXEL
    weights, inside = [], np.ones(len(x), bool)
    for i in range(3):
        start, end = points[:, (i + 1) % 3], points[:, (i + 2) % 3]
        step = end - start
        edge = step[triangle, 0] * (y - start[triangle, 1]) - step[triangle, 1] * (x - start[triangle, 0])
        # The top-left rule: a pixel exactly on an edge shared by two triangles belongs to one of them.
        owns = (step[:, 1] < 0) | ((step[:, 1] == 0) & (step[:, 0] > 0))
        inside &= edge >= np.where(owns, 0, 1)[triangle]
        weights.append(edge)
    triangle, column, row = triangle[inside], column[inside], row[inside]
    mixed = sum(weights[i][inside] * inverse_depth[triangle, i] for i in range(3))
    depth = np.abs(area)[triangle] / mixed
    # Faces look outwards; in (right, down) axes a face turned to the source has the sign fixed by the frame's handedness.
    sign = np.sign(area)[triangle] * _handedness(geometry.direction)
    depths += np.bincount(row * geometry.columns + column, sign * depth, depths.size)


def _cross(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    return first[:, 0] * second[:, 1] - first[:, 1] * second[:, 0]


def _handedness(direction: str) -> float:
    """+1 where (right, down, away) is right-handed in LPS, so that an outward face towards the detector has positive area."""
    return float(np.sign(np.linalg.det(np.asarray(_FRAMES[direction], float))))
