"""`BoneMasks` from a segmentation, whatever a Segment Editor has done to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from vtk.util.numpy_support import vtk_to_numpy

from OsteoScreenLib.bones.masks import BoneMasks
from OsteoScreenLib.bones.vocabulary import Site
from OsteoScreenLib.scene.bones_segmentation import LABELMAP, from_ras, segment_id
from OsteoScreenLib.scene.image_node import matrix_of

Layer = tuple[np.ndarray, Mapping[int, str]]
"""Labels (rows, columns) on the radiograph, 0 for background, and label → bone."""


def read(segmentation: Any, radiograph: Any, site: Site, method: str) -> tuple[BoneMasks, tuple[str, ...]]:
    """The masks as they are now, on the radiograph's pixels, packed as `BoneMasks.pack` does.

    However the segments share or split label maps, the same masks give the same layers. Bones are known by their segment ID.
    Bones whose mask is empty are left out, and so are segments that are no bones of the site.

    Returns the masks and the names of the segments that are no bones.
    """
    bones = segmentation.GetSegmentation()
    known = {segment_id(name): name for name in site.by_name}
    columns, rows, _ = radiograph.GetImageData().GetDimensions()
    strangers = []
    labels: dict[int, dict[int, str]] = {}
    for index in range(bones.GetNumberOfSegments()):
        identifier = bones.GetNthSegmentID(index)
        segment = bones.GetSegment(identifier)
        if identifier not in known:
            strangers.append(segment.GetName() or identifier)
        elif segment.GetRepresentation(LABELMAP) is not None:
            labels.setdefault(bones.GetLayerIndex(identifier, LABELMAP), {})[segment.GetLabelValue()] = known[identifier]
    to_ras = matrix_of(radiograph)
    layers = [
        (_on_radiograph(bones.GetLayerDataObject(index, LABELMAP), to_ras, (rows, columns)), labels[index])
        for index in sorted(labels)
    ]
    masks = _as_they_are(layers, site, method)
    return masks if masks is not None else _packed(layers, (rows, columns), site, method), tuple(strangers)


def _on_radiograph(image: Any, to_ras: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """A label map's voxels at the radiograph's pixel centres; 0 where it has none."""
    left, right, top, bottom, first, last = image.GetExtent()
    scalars = image.GetPointData().GetScalars()
    if scalars is None or right < left or bottom < top or last < first:
        return np.zeros(shape, np.uint8)
    voxels = vtk_to_numpy(scalars).reshape(last - first + 1, bottom - top + 1, right - left + 1)
    # From a pixel (column, row, 0, 1) to the voxel's place in the array.
    onto = from_ras(image) @ to_ras
    onto[:3, 3] -= (left, top, first)
    plane = np.zeros(shape, voxels.dtype)
    turned = not np.allclose(onto[:3, :2], np.eye(3)[:, :2], atol=1e-6)
    if not turned and np.allclose(onto[:3, 3], np.rint(onto[:3, 3]), atol=1e-3):
        column, row, slice_ = np.rint(onto[:3, 3]).astype(int)
        if 0 <= slice_ < voxels.shape[0]:
            _copy(voxels[slice_], plane, row, column)
        return plane
    rows, columns = np.indices(shape)
    places = [np.rint(onto[i, 0] * columns + onto[i, 1] * rows + onto[i, 3]).astype(int) for i in range(3)]
    inside = np.ones(shape, bool)
    for place, length in zip(places, voxels.shape[::-1], strict=True):
        inside &= (place >= 0) & (place < length)
    plane[inside] = voxels[places[2][inside], places[1][inside], places[0][inside]]
    return plane


def _copy(voxels: np.ndarray, plane: np.ndarray, row: int, column: int) -> None:
    """Copy what lies on the plane; the plane's first pixel is at (row, column) among the voxels."""
    top, left = max(-row, 0), max(-column, 0)
    part = voxels[max(row, 0) : max(row + plane.shape[0], 0), max(column, 0) : max(column + plane.shape[1], 0)]
    plane[top : top + part.shape[0], left : left + part.shape[1]] = part


def _as_they_are(layers: Sequence[Layer], site: Site, method: str) -> BoneMasks | None:
    """The layers without repacking, if `BoneMasks.pack` would give just these; else None."""
    order = {name: place for place, name in enumerate(site.by_name)}
    for index, (plane, labels) in enumerate(layers):
        places = [order[labels[label]] for label in sorted(labels)]
        if plane.dtype != np.uint8 or sorted(labels) != list(range(1, len(labels) + 1)) or places != sorted(places):
            return None
        held = np.flatnonzero(plane != 0)
        values = plane.ravel()[held]
        counts = np.bincount(values, minlength=256)
        if not counts[1 : len(labels) + 1].all() or counts[len(labels) + 1 :].any():
            return None
        # A bone is in this layer only if in every one before it meets a bone that was put there earlier.
        here = values.astype(np.uint16) << 8
        for before, before_labels in layers[:index]:
            meets = np.bincount(here | before.ravel()[held], minlength=65536).reshape(256, 256)
            for label, name in labels.items():
                earlier = sum(order[other] < order[name] for other in before_labels.values())
                if not meets[label, 1 : earlier + 1].any():
                    return None
    if not layers:
        return None
    table = {name: (index, label) for index, (_, labels) in enumerate(layers) for label, name in labels.items()}
    in_order = {name: table[name] for name in site.by_name if name in table}
    return BoneMasks(np.stack([plane for plane, _ in layers]), in_order, site, method)


def _packed(layers: Sequence[Layer], shape: tuple[int, int], site: Site, method: str) -> BoneMasks:
    """What `BoneMasks.pack` gives for the same masks, from each bone's pixels alone: a tenth of the time."""
    pixels: dict[str, np.ndarray] = {}
    for plane, labels in layers:
        held = np.flatnonzero(plane != 0)
        if held.size == 0:
            continue
        values = plane.ravel()[held]
        order = np.argsort(values, kind="stable")
        found, starts = np.unique(values[order], return_index=True)
        parts = np.split(held[order], starts[1:])
        pixels |= {labels[int(value)]: part for value, part in zip(found, parts, strict=True) if int(value) in labels}
    packed: list[np.ndarray] = []
    counts: list[int] = []
    table: dict[str, tuple[int, int]] = {}
    for name in site.by_name:
        if name not in pixels:
            continue
        index = next((i for i, layer in enumerate(packed) if not layer[pixels[name]].any()), len(packed))
        if index == len(packed):
            packed.append(np.zeros(shape[0] * shape[1], np.uint8))
            counts.append(0)
        counts[index] += 1
        packed[index][pixels[name]] = counts[index]
        table[name] = (index, counts[index])
    stack = np.stack(packed).reshape(len(packed), *shape) if packed else np.zeros((0, *shape), np.uint8)
    return BoneMasks(stack, table, site, method)
