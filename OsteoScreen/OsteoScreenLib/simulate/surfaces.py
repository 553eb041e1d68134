"""Closed surfaces from voxels: bones and organs from their masks, the skin, and the vessels that fill the lungs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from OsteoScreenLib.simulate.meshes import Mesh

if TYPE_CHECKING:
    import SimpleITK as sitk

Box = tuple[slice, ...]


def largest_pieces(mask: np.ndarray, share: float = 0.1) -> np.ndarray:
    """Pieces of at least a tenth of the largest: labels of thin ribs break, and specks elsewhere are errors."""
    from scipy import ndimage

    pieces, _ = ndimage.label(mask, np.ones((3, 3, 3)))
    sizes = np.bincount(pieces.ravel())
    sizes[0] = 0
    kept: np.ndarray = (sizes >= share * sizes.max())[pieces]
    return kept


def surface(mask: np.ndarray, box: Box, image: sitk.Image, blur_mm: float = 1.2, step_mm: float = 1.4) -> Mesh:
    """A smooth closed surface round a mask (slices, rows, columns) that fills `box` of an image's grid.

    blur_mm : standard deviation, but at least 0.8 slices, which takes the steps out of thick ones. step_mm : in-plane width of
    the surface's triangles.
    """
    from scipy import ndimage
    from skimage.measure import marching_cubes

    across, _, along = image.GetSpacing()
    sigma = (max(blur_mm / along, 0.8), blur_mm / across, blur_mm / across)
    steps = (max(1, round(step_mm / along)), *(max(1, round(step_mm / across)),) * 2)
    margin = int(3 * max(sigma)) + 2
    inside = np.pad(mask.astype(np.float32), margin)
    smooth = ndimage.gaussian_filter(inside, sigma)[:: steps[0], :: steps[1], :: steps[2]]
    # Blurring shrinks thin bones; the level that keeps the volume puts them back.
    level = float(np.clip(np.quantile(smooth, 1 - mask.sum() / inside.size), 0.2, 0.5))
    index, faces, _, _ = marching_cubes(np.pad(smooth, 1), level)
    index = (index - 1) * steps - margin + [part.start for part in box]
    return turned_outwards(Mesh(to_lps(index, image), faces.astype(np.int64)))


def to_lps(index: np.ndarray, image: sitk.Image) -> np.ndarray:
    """Array indices (slice, row, column) → LPS millimetres."""
    direction = np.array(image.GetDirection()).reshape(3, 3)
    return index[:, ::-1] @ (direction * np.array(image.GetSpacing())).T + np.array(image.GetOrigin())


def turned_outwards(mesh: Mesh) -> Mesh:
    """The mesh with its faces turned so that its volume is positive."""
    return mesh if mesh.volume_mm3 > 0 else Mesh(mesh.vertices, mesh.faces[:, ::-1])


def lungs_of(hounsfield: np.ndarray, spacing: tuple[float, float, float]) -> np.ndarray:
    """Air inside the body of a CT in Hounsfield units, vessels and airways included: bool (slices, rows, columns).

    spacing : (column, row, slice) in millimetres.
    """
    from scipy import ndimage

    air = hounsfield < -400
    outside = np.zeros_like(air)
    for index, plane in enumerate(air):
        pieces, _ = ndimage.label(plane)
        edge = np.unique(np.concatenate([pieces[0], pieces[-1], pieces[:, 0], pieces[:, -1]]))
        outside[index] = np.isin(pieces, edge[edge > 0])
    inside = ndimage.binary_opening(air & ~outside, np.ones((1, 3, 3)))
    pieces, _ = ndimage.label(inside)
    sizes = np.bincount(pieces.ravel()) * float(np.prod(spacing)) / 1000
    sizes[0] = 0
    # Air between raised arms and the head is enclosed too, and goes on above the scan, wider than a trachea.
    top = np.bincount(pieces[-1].ravel(), minlength=len(sizes)) * spacing[0] * spacing[1]
    sizes[top > 1500] = 0
    kept = (sizes > max(100.0, 0.15 * sizes.max()))[pieces]
    width = max(1, round(5 / spacing[0]))
    closed = np.stack(
        [ndimage.binary_closing(np.pad(plane, width), iterations=width)[width:-width, width:-width] for plane in kept]
    )
    return np.stack([ndimage.binary_fill_holes(plane) for plane in closed])


def vessels_of(dense: np.ndarray, lungs: np.ndarray, image: sitk.Image, most_faces: int = 160_000) -> Mesh:
    """Soft tissue inside the lungs as a closed surface; an empty mesh where there is none.

    dense, lungs : bool (slices, rows, columns) on the image's grid. Walls and diaphragm are kept away by 4 mm.
    """
    from scipy import ndimage
    from skimage.measure import marching_cubes

    across, _, along = image.GetSpacing()
    boxes = ndimage.find_objects(lungs.astype(np.uint8))
    if not boxes:
        return Mesh(np.zeros((0, 3)), np.zeros((0, 3), np.int64))
    box = boxes[0]
    inner = ndimage.distance_transform_edt(lungs[box], sampling=(along, across, across)) > 4.0
    inside = dense[box] & inner
    for plane in inside:
        # Domes of the diaphragm stand as islands in the lungs' outline: what is thicker than any vessel goes, with its rim.
        core = ndimage.distance_transform_edt(np.pad(plane, 1), sampling=across)[1:-1, 1:-1] > 8.0
        if core.any():
            plane &= ndimage.distance_transform_edt(~core, sampling=across) > 11.0
    pieces, _ = ndimage.label(inside, np.ones((3, 3, 3)))
    sizes = np.bincount(pieces.ravel()) * along * across**2
    sizes[0] = 0
    smooth = ndimage.gaussian_filter(np.pad((sizes > 40)[pieces].astype(np.float32), 3), (0.5, 0.6, 0.6))
    step = 1
    while True:
        index, faces, _, _ = marching_cubes(np.pad(smooth[::, ::step, ::step], 1), 0.4)
        if len(faces) <= most_faces or step >= 3:
            break
        step += 1
    index = (index - 1) * (1, step, step) - 3 + [part.start for part in box]
    return turned_outwards(Mesh(to_lps(index, image), faces.astype(np.int64)))


def trunk(inside: np.ndarray, spine: np.ndarray, image: sitk.Image, holed: bool) -> Mesh:
    """The skin: a body's mask without holes and raised arms, carried on above and below the scan as the end slices are.

    inside : bool (slices, rows, columns), slices from foot to head. spine : (row, column) of the spine in the topmost slices.
    """
    from scipy import ndimage
    from skimage.measure import marching_cubes

    across, _, along = image.GetSpacing()
    thin, skip = max(1, round(4.2 / across)), max(1, round(2.5 / along))
    coarse = inside[::skip, ::thin, ::thin].copy()
    # The arms were up in the scanner: above the shoulders only what narrows towards a neck is kept.
    slices, rows, columns = np.ogrid[: coarse.shape[0], : coarse.shape[1], : coarse.shape[2]]
    reach = np.clip(60 + (coarse.shape[0] - 8 - slices) * along * skip * 1.6, 60, 400)
    x, y = (columns * thin - spine[1]) * across, (rows * thin - spine[0]) * across
    coarse &= (x / reach) ** 2 + (y / np.maximum(reach, 70)) ** 2 < 1
    closed = np.pad(coarse, ((0, 0), (8, 8), (8, 8)))
    if holed:
        closed = ndimage.binary_opening(ndimage.binary_closing(closed, np.ones((1, 5, 5)), 2), np.ones((1, 3, 3)))
    else:
        disk = (np.hypot(*np.ogrid[-4:5, -4:5]) <= 4.2)[None]
        closed = np.stack([ndimage.binary_fill_holes(part) for part in closed])
        closed = ndimage.binary_opening(closed, disk)
    filled = np.stack([ndimage.binary_fill_holes(part) for part in closed])
    pieces, _ = ndimage.label(filled)
    largest = pieces == np.argmax(np.bincount(pieces.ravel())[1:]) + 1
    feet, head = round(220 / (along * skip)), round(90 / (along * skip))
    long = np.pad(np.pad(largest, ((feet, head), (0, 0), (0, 0)), mode="edge").astype(np.float32), ((2, 2), (0, 0), (0, 0)))
    smooth = ndimage.gaussian_filter(long, (12 / (along * skip), 2.0, 2.0))
    index, faces, _, _ = marching_cubes(smooth[::2], 0.5)
    index = (index * (2, 1, 1) - (feet + 2, 8, 8)) * (skip, thin, thin)
    return turned_outwards(Mesh(to_lps(index, image), faces.astype(np.int64)))
