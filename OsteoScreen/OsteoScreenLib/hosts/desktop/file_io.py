"""Files of the scene without Slicer's application: what `slicer.util.loadVolume`, `saveScene` and their kin call."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import vtk

# Options of vtkSlicerVolumesLogic.AddArchetypeVolume.
LABEL_MAP, CENTRE, SINGLE_FILE, AUTO_WINDOW_LEVEL, DISCARD_ORIENTATION = 1, 2, 4, 8, 16


class FileIO:
    """What qSlicerCoreIOManager does in Slicer, through the storage nodes of MRML.

    Parameters
    ----------
    scene : vtkMRMLScene. application_logic : whose selection names the volume that is shown.
    modules : with volumes and segmentations.
    picture : the thumbnail for a bundle as vtkImageData; None for none.
    """

    def __init__(self, scene: Any, application_logic: Any, modules: Any, picture: Callable[[], Any] | None = None) -> None:
        self._scene, self._application_logic, self._modules, self._picture = scene, application_logic, modules, picture

    def fileType(self, filename: str) -> str:
        """The kind of file by its name."""
        name = str(filename).lower()
        if name.endswith((".mrb", ".mrml")):
            return "SceneFile"
        return "SegmentationFile" if name.endswith((".seg.nrrd", ".seg.nhdr")) else "VolumeFile"

    def loadNodes(self, kind: str, properties: Mapping[str, Any], loaded: vtk.vtkCollection, messages: Any) -> bool:
        """Read a file into the scene and put the nodes into `loaded`; False when it could not be read."""
        path = str(properties["fileName"])
        if kind == "SceneFile":
            return self._load_scene(path, bool(properties.get("clear", False)), messages)
        name = properties.get("name") or Path(path).name.split(".")[0]
        if kind == "VolumeFile":
            node = self._load_volume(path, name, properties)
        elif kind == "SegmentationFile":
            node = self._modules.segmentations.logic().LoadSegmentationFromFile(path, True, name)
        else:
            return False
        if node is None:
            return False
        loaded.AddItem(node)
        return True

    def _load_volume(self, path: str, name: str, properties: Mapping[str, Any]) -> Any:
        options = AUTO_WINDOW_LEVEL if properties.get("autoWindowLevel", True) else 0
        for key, bit in (
            ("labelmap", LABEL_MAP),
            ("center", CENTRE),
            ("singleFile", SINGLE_FILE),
            ("discardOrientation", DISCARD_ORIENTATION),
        ):
            if properties.get(key):
                options |= bit
        node = self._modules.volumes.logic().AddArchetypeVolume(path, name, options)
        if node is not None and properties.get("show", True):
            selection = self._application_logic.GetSelectionNode()
            if properties.get("labelmap"):
                selection.SetActiveLabelVolumeID(node.GetID())
            else:
                selection.SetActiveVolumeID(node.GetID())
            self._application_logic.PropagateVolumeSelection(1)
        return node

    def _load_scene(self, path: str, clear: bool, messages: Any) -> bool:
        if path.lower().endswith(".mrb"):
            return bool(self._scene.ReadFromMRB(path, clear, messages))
        self._scene.SetURL(path)
        return bool(self._scene.Connect(messages) if clear else self._scene.Import(messages))

    def fileWriterFileType(self, node: Any) -> str:
        """The kind of file a node is written to."""
        return "SegmentationFile" if node.IsA("vtkMRMLSegmentationNode") else "NodeFile"

    def saveNodes(self, kind: str, properties: Mapping[str, Any], messages: Any) -> bool:
        """Write the scene, or the node named in `properties`; False when it could not be written."""
        path = str(properties["fileName"])
        if kind == "SceneFile":
            picture = self._picture() if self._picture is not None else None
            if path.lower().endswith(".mrml"):
                return bool(self._scene.Commit(path, messages))
            if path.lower().endswith(".mrb"):
                return bool(self._scene.WriteToMRB(path, picture, messages))
            return bool(self._scene.SaveSceneToSlicerDataBundleDirectory(path, picture, messages))
        node = self._scene.GetNodeByID(properties["nodeID"])
        if node is None or not node.IsA("vtkMRMLStorableNode"):
            return False
        if node.GetStorageNode() is None:
            node.AddDefaultStorageNode(path)
        storage = node.GetStorageNode()
        storage.SetFileName(path)
        return bool(storage.WriteData(node))
