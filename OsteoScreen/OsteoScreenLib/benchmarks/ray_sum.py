"""Path lengths by plain NumPy: what the compiled projector is measured against and has to agree with.

Written as one would without a compiler: a ray's path inside a closed surface is the sum of the signed depths at which it crosses
the surface's triangles. Both ways cross the same triangles, with corners on the projector's raster of fractions of a pixel.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from OsteoScreenLib.simulate.meshes import Mesh
from OsteoScreenLib.simulate.projection import SUBPIXEL, Geometry


def one_by_one(parts: Mapping[str, Mesh], geometry: Geometry) -> dict[str, np.ndarray]:
    """`project` in plain NumPy: each triangle in turn, all the rays around it together. Float32 (rows, columns), millimetres."""
    sums = {}
    for name, (corners, inverse, low, high) in _triangles(parts, geometry):
        total = np.zeros((geometry.rows, geometry.columns))
        for place in np.flatnonzero((low < high).all(axis=1)):
            (left, top), (right, bottom) = low[place], high[place]
            rays = np.arange(left, right)[None], np.arange(top, bottom)[:, None]
            total[top:bottom, left:right] += _depths(corners[place], inverse[place], *rays)
        sums[name] = _lengths(total, geometry)
    return sums


def all_at_once(parts: Mapping[str, Mesh], geometry: Geometry) -> dict[str, np.ndarray]:
    """The same sums in NumPy's quickest form, which takes far more memory: all triangles of a part with all rays around each."""
    sums = {}
    for name, (corners, inverse, low, high) in _triangles(parts, geometry):
        size = np.maximum(high - low, 0)
        rays = size.prod(axis=1)
        which = np.repeat(np.arange(len(rays)), rays)
        within = np.arange(len(which)) - np.repeat(np.cumsum(rays) - rays, rays)
        column, row = low[which, 0] + within % size[which, 0], low[which, 1] + within // size[which, 0]
        depths = _depths(corners[which], inverse[which], column, row)
        total = np.bincount(row * geometry.columns + column, depths, geometry.rows * geometry.columns)
        sums[name] = _lengths(total.reshape(geometry.rows, geometry.columns), geometry)
    return sums


def _triangles(
    parts: Mapping[str, Mesh], geometry: Geometry
) -> Iterator[tuple[str, tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]]]:
    """Each part's corners (m, 3, 2) in pixels, their inverse distances (m, 3), and the first and last + 1 (column, row) around each."""
    for name, mesh in parts.items():
        corners = (np.round(geometry.to_pixels(mesh.vertices) * SUBPIXEL) / SUBPIXEL)[mesh.faces]
        inverse = (1 / geometry.to_beam(mesh.vertices)[:, 2])[mesh.faces]
        low = np.maximum(np.ceil(corners.min(axis=1)), 0).astype(int)
        high = np.minimum(np.floor(corners.max(axis=1)) + 1, (geometry.columns, geometry.rows)).astype(int)
        yield name, (corners, inverse, low, high)


def _depths(corners: np.ndarray, inverse: np.ndarray, column: np.ndarray, row: np.ndarray) -> np.ndarray:
    """Signed depth at which each ray crosses its triangle, 0 where it misses: corners (…, 3, 2), inverse (…, 3)."""
    x, y = corners[..., 0], corners[..., 1]
    area = (x[..., 1] - x[..., 0]) * (y[..., 2] - y[..., 0]) - (y[..., 1] - y[..., 0]) * (x[..., 2] - x[..., 0])
    sign = np.sign(area)
    crossed: np.ndarray = area != 0
    total: np.ndarray | float = 0.0
    for corner in range(3):
        start, end = (corner + 1) % 3, (corner + 2) % 3
        right, down = sign * (x[..., end] - x[..., start]), sign * (y[..., end] - y[..., start])
        side = right * (row - y[..., start]) - down * (column - x[..., start])
        # A ray through an edge that two triangles share crosses one of them.
        owned = (down < 0) | ((down == 0) & (right > 0))
        crossed = crossed & ((side > 0) | ((side == 0) & owned))
        total = total + side * inverse[..., corner]
    return np.where(crossed, area / np.where(crossed, total, 1.0), 0.0)


def _lengths(depths: np.ndarray, geometry: Geometry) -> np.ndarray:
    """Sums of signed depths → path lengths: leaving counts positive, entering negative, and rays are oblique."""
    facing = np.linalg.det(geometry.to_beam(np.eye(3)) - geometry.to_beam(np.zeros((1, 3))))
    return (np.maximum(np.sign(facing) * depths, 0) * geometry.obliquity()).astype(np.float32)
