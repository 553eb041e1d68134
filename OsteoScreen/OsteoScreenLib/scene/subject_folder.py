"""One folder a case in the subject hierarchy, so that a reader finds its nodes together."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import slicer


def put_in_folder(name: str, nodes: Iterable[Any], beside: Any) -> None:
    """Put nodes into the folder that `beside` lies in, or into a new one of this name. Without a hierarchy nothing is done."""
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
    if hierarchy is None:
        return
    folder = _folder_of(hierarchy, beside)
    if not folder:
        folder = hierarchy.CreateFolderItem(hierarchy.GetSceneItemID(), hierarchy.GenerateUniqueItemName(name))
    for node in (beside, *nodes):
        item = hierarchy.GetItemByDataNode(node)
        if not item:  # without Slicer's plugins nobody makes items for nodes
            hierarchy.CreateItem(folder, node)
        elif hierarchy.GetItemParent(item) != folder:
            hierarchy.SetItemParent(item, folder)


def take_out(nodes: Iterable[Any]) -> None:
    """Take nodes that are about to be removed out of the hierarchy, with the folders that are empty then."""
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
    if hierarchy is None:
        return
    folders = set()
    for node in nodes:
        item = hierarchy.GetItemByDataNode(node)
        if item:
            folders.add(_folder_of(hierarchy, node))
            hierarchy.RemoveItem(item, False, False)
    for folder in folders - {0}:
        if hierarchy.GetNumberOfItemChildren(folder) == 0:
            hierarchy.RemoveItem(folder)


def _folder_of(hierarchy: Any, node: Any) -> int:
    item = hierarchy.GetItemByDataNode(node) if node is not None else 0
    parent = hierarchy.GetItemParent(item) if item else 0
    return int(parent) if parent and parent != hierarchy.GetSceneItemID() else 0
