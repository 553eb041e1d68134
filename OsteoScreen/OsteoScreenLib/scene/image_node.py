"""Nodes of OsteoScreen's own, and 2-D images in volume nodes: upright, column → patient left, row → posterior."""

from __future__ import annotations

from typing import Any

import numpy as np
import slicer
import slicer.util
import vtk

from OsteoScreenLib.scene.volume_image import OWN_NODE

TOKEN = "OsteoScreen.token"
"""The attribute that names the case a node belongs to."""


def new_node(class_name: str, name: str, role: str, token: str, *, saved: bool = True) -> Any:
    """A new node in the scene that is marked as OsteoScreen's own before anyone hears of it."""
    node = slicer.mrmlScene.CreateNodeByClass(class_name)
    node.UnRegister(None)
    node.SetName(slicer.mrmlScene.GenerateUniqueName(name))
    node.SetAttribute(OWN_NODE, role)
    node.SetAttribute(TOKEN, token)
    node.SetSaveWithScene(saved)
    return slicer.mrmlScene.AddNode(node)


def pixel_to_ras(spacing_mm: tuple[float, float] | None) -> np.ndarray:
    """4×4 matrix from pixel centres (column, row, 0, 1) to RAS millimetres; 1 mm where the (row, column) spacing is unknown.

    It is what Slicer gives an image without orientation, so axial views show the image upright and not mirrored.
    """
    row_mm, column_mm = spacing_mm or (1.0, 1.0)
    return np.diag([-column_mm, -row_mm, 1.0, 1.0])


def matrix_of(node: Any) -> np.ndarray:
    """A volume node's 4×4 matrix from voxel (column, row, slice, 1) to RAS."""
    matrix = vtk.vtkMatrix4x4()
    node.GetIJKToRASMatrix(matrix)
    return np.asarray(slicer.util.arrayFromVTKMatrix(matrix))


def set_image(node: Any, image: np.ndarray, to_ras: np.ndarray) -> None:
    """Give a volume node a copy of a 2-D image (rows, columns) of its own type, placed by a 4×4 matrix."""
    with slicer.util.NodeModify(node):
        node.SetIJKToRASMatrix(slicer.util.vtkMatrixFromArray(to_ras))
        # A 2-D array would be turned into float64.
        slicer.util.updateVolumeFromArray(node, np.ascontiguousarray(image)[np.newaxis])


def image_in(node: Any) -> np.ndarray:
    """The (rows, columns) image in a volume node: the node's own memory, not a copy."""
    return np.asarray(slicer.util.arrayFromVolume(node)[0])


def mark_display(node: Any) -> None:
    """Mark a node's display node as belonging to the same case."""
    display = node.GetDisplayNode()
    display.SetAttribute(OWN_NODE, "display")
    display.SetAttribute(TOKEN, node.GetAttribute(TOKEN))


def nodes_of(token: str) -> list[Any]:
    """Every node in the scene that belongs to a case, display nodes included."""
    return [node for node in slicer.util.getNodesByClass("vtkMRMLNode") if node.GetAttribute(TOKEN) == token]


def remove_with_belongings(node: Any, *, but: Any = None) -> None:
    """Remove a node with its storage node and display nodes, except the display nodes that `but` shows itself with too."""
    scene = slicer.mrmlScene
    shared = {but.GetNthDisplayNodeID(i) for i in range(but.GetNumberOfDisplayNodes())} if but is not None else set()
    belongings = []
    if node.IsA("vtkMRMLDisplayableNode"):
        belongings = [node.GetNthDisplayNode(i) for i in range(node.GetNumberOfDisplayNodes())]
        belongings = [display for display in belongings if display is not None and display.GetID() not in shared]
    if node.IsA("vtkMRMLStorableNode"):
        belongings.append(node.GetStorageNode())
    scene.RemoveNode(node)
    for belonging in belongings:
        if belonging is not None and scene.IsNodePresent(belonging):
            scene.RemoveNode(belonging)
