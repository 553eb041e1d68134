"""Radiographs that are already in the scene: which volumes they are, and their pixels laid out as the reader sees them."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from typing import Any

import numpy as np
import slicer
import slicer.util
import vtk

from OsteoScreenLib.errors import InputError
from OsteoScreenLib.radiograph.colour import grey_from_colour
from OsteoScreenLib.radiograph.sniff import kind_of
from OsteoScreenLib.radiograph.volume import placement_of_axes

# Label maps, tensors and diffusion series are volumes as well, and no radiographs.
_CLASSES = ("vtkMRMLScalarVolumeNode", "vtkMRMLVectorVolumeNode")
OWN_NODE = "OsteoScreen"
"""The attribute that OsteoScreen's own nodes carry."""
# A format is recognised in its first bytes; a zipped NIfTI needs the most of them.
_FIRST_BYTES = 65536


@dataclass(frozen=True)
class VolumeImage:
    """The one slice of a volume.

    array : (rows, columns), a copy in the volume's own type, laid out as slice views show it: columns to the patient's left,
        rows to the back or the feet. Sagittal and oblique slices lie as the volume's own axes do.
    spacing_mm : (row, column) in millimetres; None when it is 1 × 1, which readers put in who know no spacing.
    header_path : the DICOM file that the volume was loaded from, empty when it is gone or was none.
    name : the node's.
    """

    array: np.ndarray
    spacing_mm: tuple[float, float] | None
    header_path: str
    name: str


def volumes_in_scene() -> list[tuple[str, str]]:
    """(node ID, name) of every volume with a single slice, in the scene's order, without OsteoScreen's own."""
    nodes = slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode")
    return [(node.GetID(), node.GetName() or node.GetID()) for node in nodes if _may_be_a_radiograph(node)]


def node_of(volume_id: str) -> Any:
    """The node with this ID, None when it is not in the scene any more."""
    return slicer.mrmlScene.GetNodeByID(volume_id)


def image_of(node: Any) -> VolumeImage:
    """The slice of a volume node.

    Raises InputError: volume (no slice, or several), colour-photo (a picture in real colours).
    """
    name = node.GetName() or node.GetID() or "The volume"
    axes = _axes_of_the_slice(node)
    if axes is None:
        raise InputError(f"{name} is not a single slice; choose a volume that holds one radiograph.", "volume")
    dimensions = node.GetImageData().GetDimensions()
    stored = slicer.util.arrayFromVolume(node).reshape(dimensions[axes[1]], dimensions[axes[0]], -1)
    if stored.shape[2] == 1:
        stored = stored[..., 0]
    elif stored.shape[2] in (3, 4):
        stored, _ = grey_from_colour(stored, name)
    else:
        raise InputError(f"{name} has {stored.shape[2]} values in each pixel; choose a grey volume.", "colour-photo")
    to_lps = np.diag([-1.0, -1.0, 1.0]) @ _to_world(node)[:3, list(axes)]
    across, down = np.linalg.norm(to_lps, axis=0)
    placement = placement_of_axes(to_lps / np.maximum([across, down], 1e-12))
    spacing = (across, down) if placement.quarter_turns % 2 else (down, across)
    return VolumeImage(np.array(placement.apply(stored), order="C"), _known(*spacing), header_path_of(node), name)


def header_path_of(node: Any) -> str:
    """The DICOM file behind a volume: from Slicer's database, else the file it was loaded from; "" when there is none."""
    uids = (node.GetAttribute("DICOM.instanceUIDs") or "").split()
    database = getattr(slicer, "dicomDatabase", None)
    candidates = []
    # A slice that was computed from many images has the header of none of them.
    if len(uids) > 1:
        return ""
    if uids and database is not None:
        candidates.append(str(database.fileForInstance(uids[0]) or ""))
    storage = node.GetStorageNode()
    if storage is not None:
        candidates.append(storage.GetFullNameFromFileName() or "")
    return next((path for path in candidates if path and _is_dicom(path)), "")


def _may_be_a_radiograph(node: Any) -> bool:
    return (
        node.GetClassName() in _CLASSES
        and node.GetAttribute(OWN_NODE) is None
        and not node.GetHideFromEditors()
        and _axes_of_the_slice(node) is not None
    )


def _axes_of_the_slice(node: Any) -> tuple[int, int] | None:
    """The IJK axes along its columns and down its rows; None unless exactly one of the three has length one."""
    image = node.GetImageData()
    if image is None or image.GetPointData().GetScalars() is None:
        return None
    long = [axis for axis, length in enumerate(image.GetDimensions()) if length > 1]
    return (long[0], long[1]) if len(long) == 2 else None


def _to_world(node: Any) -> np.ndarray:
    """4×4 from IJK to world, with the transforms that the node hangs under where they are linear."""
    matrix, above = vtk.vtkMatrix4x4(), vtk.vtkMatrix4x4()
    node.GetIJKToRASMatrix(matrix)
    transform = node.GetParentTransformNode()
    if transform is not None and transform.IsTransformToWorldLinear():
        transform.GetMatrixTransformToWorld(above)
    to_world: np.ndarray = slicer.util.arrayFromVTKMatrix(above) @ slicer.util.arrayFromVTKMatrix(matrix)
    return to_world


def _known(row: float, column: float) -> tuple[float, float] | None:
    if not (math.isfinite(row) and math.isfinite(column) and row > 0 and column > 0):
        return None
    unknown = math.isclose(row, 1.0, rel_tol=1e-9) and math.isclose(column, 1.0, rel_tol=1e-9)
    return None if unknown else (float(row), float(column))


def _is_dicom(path: str) -> bool:
    try:
        if not os.path.isfile(path):
            return False
        with open(path, "rb") as file:
            return kind_of(file.read(_FIRST_BYTES)) == "dicom"
    except OSError:
        return False
