"""A chest CT and its segmentation that are already in the scene, as arrays that a radiograph can be simulated from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import slicer
import slicer.util
import vtk
from vtk.util.numpy_support import vtk_to_numpy

from OsteoScreenLib.errors import InputError
from OsteoScreenLib.scene.bones_segmentation import LABELMAP, from_ras
from OsteoScreenLib.scene.volume_image import OWN_NODE

LEAST_VOXELS = 16  # along each axis; with fewer a volume is no CT that can be projected
_LPS_FROM_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])


@dataclass(frozen=True)
class ThoraxVolume:
    """A CT with its structures.

    voxels : (slices, rows, columns), a copy in the volume's own type. ijk_to_lps : float64 (4, 4), from (column, row, slice).
    labels : uint16, of the same shape, 0 for background; where segments overlap, the later one. structures : label → (segment
    ID, segment name); TotalSegmentator's structures keep their names as IDs. name : the volume's.
    """

    voxels: np.ndarray
    ijk_to_lps: np.ndarray
    labels: np.ndarray
    structures: Mapping[int, tuple[str, str]]
    name: str


def scans_in_scene() -> list[tuple[str, str]]:
    """(node ID, name) of every volume that may be a CT, in the scene's order."""
    nodes = slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode")
    return [(node.GetID(), node.GetName() or node.GetID()) for node in nodes if _may_be_a_scan(node)]


def segmentations_in_scene() -> list[tuple[str, str]]:
    """(node ID, name) of every segmentation that is not OsteoScreen's own and not empty."""
    nodes = slicer.util.getNodesByClass("vtkMRMLSegmentationNode")
    return [
        (node.GetID(), node.GetName() or node.GetID())
        for node in nodes
        if node.GetAttribute(OWN_NODE) is None and node.GetSegmentation().GetNumberOfSegments()
    ]


def thorax_of(scan: Any, segmentation: Any) -> ThoraxVolume:
    """Read both on the CT's voxels.

    Raises InputError: thorax-volume (no CT, a scan under a transform that is not linear, or a segmentation without label maps).
    """
    name = scan.GetName() or scan.GetID()
    if not _may_be_a_scan(scan):
        raise InputError(f"{name} is not a CT with many slices; choose another volume.", "thorax-volume")
    voxels = np.array(slicer.util.arrayFromVolume(scan))
    to_ras = _to_world(scan, name)
    labels = np.zeros(voxels.shape, np.uint16)
    structures: dict[int, tuple[str, str]] = {}
    held = segmentation.GetSegmentation()
    above = _world_of(segmentation, segmentation.GetName() or segmentation.GetID())
    for index in range(held.GetNumberOfSegments()):
        identifier = held.GetNthSegmentID(index)
        segment = held.GetSegment(identifier)
        if segment.GetRepresentation(LABELMAP) is None:
            continue
        structures[index + 1] = (identifier, segment.GetName() or identifier)
    by_layer: dict[int, dict[int, int]] = {}
    for label, (identifier, _) in structures.items():
        layer = held.GetLayerIndex(identifier, LABELMAP)
        by_layer.setdefault(layer, {})[held.GetSegment(identifier).GetLabelValue()] = label
    for layer, values in by_layer.items():
        _add(labels, held.GetLayerDataObject(layer, LABELMAP), values, to_ras, above)
    if not structures or not labels.any():
        raise InputError(
            f"The segmentation {segmentation.GetName()} has nothing drawn on {name}; choose the one that was made from this CT.",
            "thorax-volume",
        )
    return ThoraxVolume(voxels, _LPS_FROM_RAS @ to_ras, labels, structures, name)


def _may_be_a_scan(node: Any) -> bool:
    image = node.GetImageData()
    return (
        node.GetClassName() == "vtkMRMLScalarVolumeNode"
        and node.GetAttribute(OWN_NODE) is None
        and not node.GetHideFromEditors()
        and image is not None
        and min(image.GetDimensions()) >= LEAST_VOXELS
        and image.GetNumberOfScalarComponents() == 1
    )


def _to_world(node: Any, name: str) -> np.ndarray:
    matrix = vtk.vtkMatrix4x4()
    node.GetIJKToRASMatrix(matrix)
    to_world: np.ndarray = _world_of(node, name) @ slicer.util.arrayFromVTKMatrix(matrix)
    return to_world


def _world_of(node: Any, name: str) -> np.ndarray:
    """4×4 from the node's own space to the world."""
    transform, above = node.GetParentTransformNode(), vtk.vtkMatrix4x4()
    if transform is not None:
        if not transform.IsTransformToWorldLinear():
            raise InputError(
                f"{name} hangs under a transform that bends it; harden or remove the transform first.", "thorax-volume"
            )
        transform.GetMatrixTransformToWorld(above)
    matrix: np.ndarray = slicer.util.arrayFromVTKMatrix(above)
    return matrix


def _add(labels: np.ndarray, image: Any, values: Mapping[int, int], to_ras: np.ndarray, above: np.ndarray) -> None:
    """Put a layer's voxels into `labels` where the CT's voxel centres fall, slice by slice, to bound memory."""
    left, right, top, bottom, first, last = image.GetExtent()
    scalars = image.GetPointData().GetScalars()
    if scalars is None or right < left or bottom < top or last < first:
        return
    stored = vtk_to_numpy(scalars).reshape(last - first + 1, bottom - top + 1, right - left + 1)
    table = np.zeros(int(stored.max()) + 1, np.uint16)
    for value, label in values.items():
        if value < len(table):
            table[value] = label
    onto = from_ras(image) @ np.linalg.inv(above) @ to_ras
    onto[:3, 3] -= (left, top, first)
    rows, columns = np.indices(labels.shape[1:])
    for index in range(labels.shape[0]):
        places = [
            np.rint(onto[i, 0] * columns + onto[i, 1] * rows + onto[i, 2] * index + onto[i, 3]).astype(np.int64)
            for i in range(3)
        ]
        inside = np.ones(rows.shape, bool)
        for place, length in zip(places, stored.shape[::-1], strict=True):
            inside &= (place >= 0) & (place < length)
        if inside.any():
            found = table[stored[places[2][inside], places[1][inside], places[0][inside]]]
            plane = labels[index]
            plane[inside] = np.where(found > 0, found, plane[inside])
