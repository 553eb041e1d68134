"""Cone-beam projection of closed surfaces: the path length of every ray inside every part, in millimetres.

A ray's path inside a closed surface is the sum of the depths where it leaves minus the sum of the depths where it enters
(the signed-crossing form of ray casting, exact for watertight meshes). Own code, because ray casters for meshes return hits,
not path sums, and take seconds a view; each triangle is drawn onto the few pixels that it covers, compiled by numba.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numba import njit

from OsteoScreenLib.simulate.meshes import Mesh

Direction = Literal["PA", "AP", "LEFT LATERAL", "RIGHT LATERAL"]

# Rows: image right, image down, source → detector, in LPS. Frontal images are shown with the patient's right on the viewer's left.
_FRAMES: dict[str, tuple[tuple[int, int, int], ...]] = {
    "PA": ((1, 0, 0), (0, 0, -1), (0, -1, 0)),
    "AP": ((1, 0, 0), (0, 0, -1), (0, 1, 0)),
    "LEFT LATERAL": ((0, 1, 0), (0, 0, -1), (1, 0, 0)),
    "RIGHT LATERAL": ((0, 1, 0), (0, 0, -1), (-1, 0, 0)),
}
SUBPIXEL = 256  # vertices snap to this fraction of a pixel, so that neighbouring triangles share edges exactly


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
    obliquity = geometry.obliquity()
    paths = {}
    for name, mesh in parts.items():
        path = paths[name] = np.zeros((geometry.rows, geometry.columns), np.float32)
        beam = geometry.to_beam(mesh.vertices)
        if not len(beam) or beam[:, 2].min() <= 0:
            continue
        snapped = np.round(geometry._detector(beam) * SUBPIXEL).astype(np.int64)
        # Only the pixels around the part are summed: most parts cover little of the detector.
        first = np.clip(snapped.min(axis=0) // SUBPIXEL, 0, (geometry.columns, geometry.rows))
        last = np.clip(snapped.max(axis=0) // SUBPIXEL + 1, first, (geometry.columns, geometry.rows))
        window = slice(first[1], last[1]), slice(first[0], last[0])
        total = np.zeros(path[window].shape)
        faces = np.ascontiguousarray(mesh.faces, np.int64)
        handedness = _handedness(geometry.direction)
        _add_crossings(total, snapped - first * SUBPIXEL, np.ascontiguousarray(beam[:, 2]), faces, handedness)
        # Rounding leaves less than a micrometre where entries and exits cancel.
        total[total < 1e-4] = 0
        path[window] = total.astype(np.float32) * obliquity[window]
    return paths


@njit(cache=True, nogil=True)
def _add_crossings(depths: np.ndarray, snapped: np.ndarray, distance: np.ndarray, faces: np.ndarray, handedness: float) -> None:
    """Add the signed depth of every surface crossing to `depths` (rows, columns).

    snapped : int64 (n, 2), column and row of the vertices in fractions of a pixel. distance : float64 (n,) from the source.
    """
    rows, columns = depths.shape
    corner_x, corner_y = np.empty(3, np.int64), np.empty(3, np.int64)
    inverse, edge = np.empty(3), np.empty(3, np.int64)
    right, down, least = np.empty(3, np.int64), np.empty(3, np.int64), np.empty(3, np.int64)
    for face in range(faces.shape[0]):
        a, b, c = faces[face, 0], faces[face, 1], faces[face, 2]
        area = (snapped[b, 0] - snapped[a, 0]) * (snapped[c, 1] - snapped[a, 1]) - (snapped[b, 1] - snapped[a, 1]) * (
            snapped[c, 0] - snapped[a, 0]
        )
        if area == 0:
            continue
        # Orient all triangles alike; the sign of the area says whether the ray enters or leaves. Faces look outwards; in
        # (right, down) axes a face turned to the source has the sign fixed by the frame's handedness.
        sign = handedness
        if area < 0:
            a, c, area, sign = c, a, -area, -handedness
        low_x = low_y = high_x = high_y = 0
        for i in range(3):
            vertex = a if i == 0 else b if i == 1 else c
            x, y = snapped[vertex, 0], snapped[vertex, 1]
            corner_x[i], corner_y[i], inverse[i] = x, y, 1.0 / distance[vertex]
            if i == 0:
                low_x = high_x = x
                low_y = high_y = y
            else:
                low_x, high_x, low_y, high_y = min(low_x, x), max(high_x, x), min(low_y, y), max(high_y, y)
        first_column, last_column = max(-(-low_x // SUBPIXEL), 0), min(high_x // SUBPIXEL, columns - 1)
        first_row, last_row = max(-(-low_y // SUBPIXEL), 0), min(high_y // SUBPIXEL, rows - 1)
        if first_column > last_column or first_row > last_row:
            continue
        for i in range(3):
            start, end = (i + 1) % 3, (i + 2) % 3
            step_x, step_y = corner_x[end] - corner_x[start], corner_y[end] - corner_y[start]
            # The top-left rule: a pixel exactly on an edge shared by two triangles belongs to one of them.
            least[i] = 0 if step_y < 0 or (step_y == 0 and step_x > 0) else 1
            right[i], down[i] = -step_y * SUBPIXEL, step_x * SUBPIXEL
            edge[i] = step_x * (first_row * SUBPIXEL - corner_y[start]) - step_y * (first_column * SUBPIXEL - corner_x[start])
        for row in range(first_row, last_row + 1):
            e0, e1, e2 = edge[0], edge[1], edge[2]
            for column in range(first_column, last_column + 1):
                if e0 >= least[0] and e1 >= least[1] and e2 >= least[2]:
                    depths[row, column] += sign * area / (e0 * inverse[0] + e1 * inverse[1] + e2 * inverse[2])
                e0, e1, e2 = e0 + right[0], e1 + right[1], e2 + right[2]
            for i in range(3):
                edge[i] += down[i]


def _handedness(direction: str) -> float:
    """+1 where (right, down, away) is right-handed in LPS, so that an outward face towards the detector has positive area."""
    return float(np.sign(np.linalg.det(np.asarray(_FRAMES[direction], float))))
