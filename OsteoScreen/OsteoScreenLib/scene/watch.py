"""`SceneWatch`: tells what happens to the scene behind OsteoScreen's back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import slicer
import slicer.util
import vtk

from OsteoScreenLib.scene.bones_segmentation import LabelMapsState
from OsteoScreenLib.scene.case_nodes import SceneCase
from OsteoScreenLib.scene.image_node import TOKEN
from OsteoScreenLib.scene.own_changes import is_changing
from OsteoScreenLib.scene.thorax_volume import scans_in_scene, segmentations_in_scene
from OsteoScreenLib.scene.volume_image import OWN_NODE, volumes_in_scene


def _nothing(*_: object) -> None:
    return None


class SceneWatch:
    """Watches the scene until `close`. OsteoScreen's own changes are not reported.

    on_volumes_changed : the radiographs, CT or segmentations that can be chosen are others.
    on_volume_removed : a volume of the reader's, its node ID.
    on_scene_closing : the scene is about to be closed; its nodes are still there.
    on_scene_saving : the scene is about to be written; what shall be in the file has to be in the nodes now.
    on_scene_imported : a scene was opened or imported; cases in it have tokens of their own.
    on_bones_edited : the reader changed, added or removed a segment of a case, its token. A stroke may call it several times.
    on_case_broken : the reader deleted a node of a case, its token.
    """

    def __init__(
        self,
        on_volumes_changed: Callable[[], object] = _nothing,
        on_volume_removed: Callable[[str], object] = _nothing,
        on_scene_closing: Callable[[], object] = _nothing,
        on_scene_saving: Callable[[], object] = _nothing,
        on_scene_imported: Callable[[], object] = _nothing,
        on_bones_edited: Callable[[str], object] = _nothing,
        on_case_broken: Callable[[str], object] = _nothing,
    ) -> None:
        self._on_volumes_changed, self._on_volume_removed = on_volumes_changed, on_volume_removed
        self._on_scene_closing, self._on_scene_imported = on_scene_closing, on_scene_imported
        self._on_scene_saving = on_scene_saving
        self._on_bones_edited, self._on_case_broken = on_bones_edited, on_case_broken
        self._scene = slicer.mrmlScene
        self._observers: dict[Any, list[int]] = {}
        self._volumes = volumes_in_scene()
        self._thoraces = (scans_in_scene(), segmentations_in_scene())
        scene = slicer.vtkMRMLScene
        for event, callback in (
            (scene.NodeAddedEvent, self._node_added),
            (scene.NodeRemovedEvent, self._node_removed),
            (scene.StartCloseEvent, self._closing),
            (scene.EndCloseEvent, self._volumes_may_have_changed),
            (scene.StartSaveEvent, self._saving),
            (scene.EndImportEvent, self._imported),
            (scene.EndBatchProcessEvent, self._volumes_may_have_changed),
        ):
            self._observe(self._scene, event, callback)
        for node in slicer.util.getNodesByClass("vtkMRMLNode"):
            self._watch_node(node)

    def close(self) -> None:
        """Watch nothing any more. Safe to call twice."""
        for watched, tags in self._observers.items():
            for tag in tags:
                watched.RemoveObserver(tag)
        self._observers.clear()

    def _observe(self, watched: Any, event: Any, callback: Callable[..., None]) -> None:
        self._observers.setdefault(watched, []).append(watched.AddObserver(event, callback))

    def _forget(self, watched: Any) -> None:
        for tag in self._observers.pop(watched, []):
            watched.RemoveObserver(tag)

    def _watch_node(self, node: Any) -> None:
        own = node.GetAttribute(OWN_NODE)
        if own == "segmentation":
            self._watch_bones(node)
        elif own is None and node.IsA("vtkMRMLScalarVolumeNode"):
            # A new volume has no image yet; renaming matters too.
            self._observe(node, slicer.vtkMRMLVolumeNode.ImageDataModifiedEvent, self._volumes_may_have_changed)
            self._observe(node, vtk.vtkCommand.ModifiedEvent, self._volumes_may_have_changed)
        elif own is None and node.IsA("vtkMRMLSegmentationNode"):
            events = slicer.vtkSegmentation
            for event in (events.SegmentAdded, events.SegmentRemoved):
                self._observe(node, event, self._volumes_may_have_changed)

    def _watch_bones(self, node: Any) -> None:
        label_maps = LabelMapsState(node)

        def happened(*_: object) -> None:
            changed = label_maps.has_changed()
            token = node.GetAttribute(TOKEN) or ""
            own = is_changing(token) or self._scene.IsClosing() or self._scene.IsImporting()
            if changed and not own:
                self._on_bones_edited(token)

        # Undo in Segment Editor tells only that segments were modified; so do renaming, recolouring and saving the scene.
        events = slicer.vtkSegmentation
        for event in (events.SourceRepresentationModified, events.SegmentAdded, events.SegmentRemoved, events.SegmentModified):
            self._observe(node, event, happened)

    @vtk.calldata_type(vtk.VTK_OBJECT)
    def _node_added(self, _: object, __: object, node: Any) -> None:
        if node is not None:
            self._watch_node(node)
            self._volumes_may_have_changed()

    @vtk.calldata_type(vtk.VTK_OBJECT)
    def _node_removed(self, _: object, __: object, node: Any) -> None:
        if node is None:
            return
        self._forget(node)
        if self._scene.IsClosing():
            return
        if node.GetAttribute(OWN_NODE) is not None:
            token = node.GetAttribute(TOKEN) or ""
            # The preview is made again when it is needed.
            if not is_changing(token) and node.GetAttribute(OWN_NODE) not in ("preview", "display"):
                self._on_case_broken(token)
        elif node.IsA("vtkMRMLScalarVolumeNode"):
            if any(volume_id == node.GetID() for volume_id, _ in self._volumes):
                self._on_volume_removed(node.GetID())
            self._volumes_may_have_changed()
        elif node.IsA("vtkMRMLSegmentationNode"):
            self._volumes_may_have_changed()

    def _closing(self, *_: object) -> None:
        self._on_scene_closing()

    def _saving(self, *_: object) -> None:
        self._on_scene_saving()

    def _imported(self, *_: object) -> None:
        SceneCase.all_in_scene()  # gives a case that was imported a second time a token of its own
        self._volumes_may_have_changed()
        self._on_scene_imported()

    def _volumes_may_have_changed(self, *_: object) -> None:
        if self._scene.IsClosing() or self._scene.IsImporting() or self._scene.IsBatchProcessing():
            return
        volumes, thoraces = volumes_in_scene(), (scans_in_scene(), segmentations_in_scene())
        if (volumes, thoraces) != (self._volumes, self._thoraces):
            self._volumes, self._thoraces = volumes, thoraces
            self._on_volumes_changed()
