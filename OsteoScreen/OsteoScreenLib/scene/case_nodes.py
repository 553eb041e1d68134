"""The noun `SceneCase`: the nodes of one case, held together by a script node, and what is stored with them."""

from __future__ import annotations

import json
import uuid
from typing import Any

import numpy as np
import slicer
import slicer.util

from OsteoScreenLib.bones.masks import BoneMasks
from OsteoScreenLib.bones.vocabulary import Site
from OsteoScreenLib.errors import InputError
from OsteoScreenLib.explain.saliency import SaliencyMap
from OsteoScreenLib.scene import bones_reading, bones_segmentation, subject_folder
from OsteoScreenLib.scene.heatmap import HeatStyle, apply_style, draw
from OsteoScreenLib.scene.image_node import (
    TOKEN,
    image_in,
    mark_display,
    matrix_of,
    new_node,
    nodes_of,
    pixel_to_ras,
    remove_with_belongings,
    set_image,
)
from OsteoScreenLib.scene.own_changes import changing
from OsteoScreenLib.scene.preview import Box, copy_radiograph, write_patch

MODULE = "OsteoScreen"
FORMAT_VERSION = "1"
_ROLES = ("radiograph", "preview", "heatmap", "segmentation")
_PARTS = "OsteoScreen.parts"  # roles that the case had been given, so that a deleted node is missed


class SceneCase:
    """One case in the MRML scene. Several objects for the same script node are equal and hold no state of their own.

    The preview is made when it is first needed and is not saved: it is a copy of the radiograph with a patch.
    """

    def __init__(self, node: Any) -> None:
        self.node = node

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SceneCase) and other.node is self.node

    def __hash__(self) -> int:
        return hash(self.node)

    # Making and finding

    @classmethod
    def create(
        cls,
        reading_name: str,
        pixels: np.ndarray,
        spacing_mm: tuple[float, float] | None,
        source_volume: Any = None,
        token: str = "",
    ) -> SceneCase:
        """A new case with its radiograph.

        Parameters
        ----------
        reading_name : what the reader calls it. pixels : float32 (rows, columns) in [0, 1]. spacing_mm : (row, column) or None.
        source_volume : the reader's own volume node that it was taken from; it is only remembered. token : unique; made if empty.
        """
        token = token or uuid.uuid4().hex
        with changing(token), slicer.util.RenderBlocker():
            node = new_node("vtkMRMLScriptedModuleNode", f"{reading_name} case", "case", token)
            case = cls(node)
            radiograph = new_node("vtkMRMLScalarVolumeNode", f"{reading_name} upright", "radiograph", token)
            with slicer.util.NodeModify(node):
                node.SetModuleName(MODULE)
                node.SetAttribute("OsteoScreen.name", reading_name)
                node.SetParameter("format_version", FORMAT_VERSION)
                if source_volume is not None:
                    node.SetNodeReferenceID("source", source_volume.GetID())
                case._hold("radiograph", radiograph)
            set_image(radiograph, _checked(pixels), pixel_to_ras(spacing_mm))
            radiograph.CreateDefaultDisplayNodes()
            mark_display(radiograph)
            display = radiograph.GetDisplayNode()
            with slicer.util.NodeModify(display):
                display.AutoWindowLevelOff()
                display.SetWindowLevelMinMax(0.0, 1.0)
                display.ApplyThresholdOff()
                display.SetInterpolate(True)
            subject_folder.put_in_folder(reading_name, (), radiograph)
        return case

    @classmethod
    def from_node(cls, script_node: Any) -> SceneCase:
        """The case of a script node. Raises `InputError` when the node is not one, or of another format version."""
        if script_node is None or not _is_case(script_node):
            raise InputError("This node holds no OsteoScreen case; choose one that OsteoScreen made.", code="saved-case")
        if script_node.GetParameter("format_version") != FORMAT_VERSION:
            raise InputError(
                "The case was saved by another version of OsteoScreen; analyse the radiograph again.", code="saved-case"
            )
        return cls(script_node)

    @classmethod
    def all_in_scene(cls) -> list[SceneCase]:
        """Every case, in the scene's order. Of cases with the same token (a scene imported twice) the later get new ones."""
        cases = []
        tokens: set[str] = set()
        for node in slicer.util.getNodesByClass("vtkMRMLScriptedModuleNode"):
            if not _is_case(node) or node.GetParameter("format_version") != FORMAT_VERSION:
                continue
            case = cls(node)
            if not case.token or case.token in tokens:
                case._set_token(uuid.uuid4().hex)
            tokens.add(case.token)
            cases.append(case)
        return cases

    # What it consists of

    @property
    def token(self) -> str:
        """Names the case; unique in a scene."""
        return self.node.GetAttribute(TOKEN) or ""

    @property
    def name(self) -> str:
        """What the reader calls it."""
        return self.node.GetAttribute("OsteoScreen.name") or self.node.GetName() or ""

    @property
    def radiograph(self) -> Any:
        """Scalar volume node, float32, upright; None when it was deleted."""
        return self.node.GetNodeReference("radiograph")

    @property
    def preview(self) -> Any:
        """Scalar volume node of the same geometry and with the same display node; None while nothing was covered."""
        return self.node.GetNodeReference("preview")

    @property
    def heatmap(self) -> Any:
        """Scalar volume node, or None."""
        return self.node.GetNodeReference("heatmap")

    @property
    def segmentation(self) -> Any:
        """Segmentation node of the bones, or None."""
        return self.node.GetNodeReference("segmentation")

    @property
    def source_volume(self) -> Any:
        """The reader's own volume node that the radiograph was taken from, or None."""
        return self.node.GetNodeReference("source")

    def is_whole(self) -> bool:
        """No node that the case had been given is gone."""
        present = slicer.mrmlScene.IsNodePresent(self.node) and slicer.mrmlScene is self.node.GetScene()
        return bool(present) and all(self.node.GetNodeReference(role) is not None for role in self._parts())

    # The radiograph

    def pixels(self) -> np.ndarray:
        """The radiograph, float32 (rows, columns); the node's own memory, not to be written to."""
        return image_in(self.radiograph)

    def spacing_mm(self) -> tuple[float, float]:
        """(row, column) distance of pixels in the scene; 1 mm where it is unknown."""
        matrix = matrix_of(self.radiograph)
        return abs(float(matrix[1, 1])), abs(float(matrix[0, 0]))

    def set_pixels(self, pixels: np.ndarray, spacing_mm: tuple[float, float] | None) -> None:
        """Replace the radiograph, for example after a turn. If it differs, heatmap, bones and preview go: they lay on the old."""
        wanted = pixel_to_ras(spacing_mm)
        if np.array_equal(self.pixels(), pixels) and np.array_equal(matrix_of(self.radiograph), wanted):
            return
        with changing(self.token), slicer.util.RenderBlocker():
            self._drop("preview")
            self._drop("heatmap")
            if self.segmentation is not None:
                bones_segmentation.remove_all(self.segmentation)
            set_image(self.radiograph, _checked(pixels), wanted)

    # Bones

    def set_bones(self, masks: BoneMasks) -> None:
        """Show these bones, all outlines on."""
        if masks.shape != self.pixels().shape:
            raise ValueError(f"masks {masks.shape} do not fit the radiograph {self.pixels().shape}")
        with changing(self.token), slicer.util.RenderBlocker():
            if self.segmentation is None:
                node = new_node("vtkMRMLSegmentationNode", f"{self.name} bones", "segmentation", self.token)
                bones_segmentation.style_outlines(node)
                mark_display(node)
                self._hold("segmentation", node)
                subject_folder.put_in_folder(self.name, (node,), self.radiograph)
            bones_segmentation.fill(self.segmentation, self.radiograph, masks)
            bones_segmentation.show_outlines(self.segmentation, ())
            self.node.SetAttribute("OsteoScreen.method", masks.method)

    def bone_masks(self, site: Site) -> BoneMasks:
        """The masks as they are now, corrected in Segment Editor or not; empty masks when there is no segmentation."""
        return self.bones_and_strangers(site)[0]

    def bones_and_strangers(self, site: Site) -> tuple[BoneMasks, tuple[str, ...]]:
        """The same, and the names of segments that are no bones of this site and were therefore left out."""
        method = self.node.GetAttribute("OsteoScreen.method") or ""
        if self.segmentation is None:
            return BoneMasks.pack({}, (self.pixels().shape[0], self.pixels().shape[1]), site, method), ()
        return bones_reading.read(self.segmentation, self.radiograph, site, method)

    def set_outlines(self, hidden: frozenset[str]) -> None:
        """Show the outlines of all bones but these."""
        if self.segmentation is not None:
            bones_segmentation.show_outlines(self.segmentation, hidden)

    # The heatmap

    def set_saliency(self, saliency: SaliencyMap | None) -> None:
        """Show this map, or none."""
        with changing(self.token), slicer.util.RenderBlocker():
            if saliency is None:
                self._drop("heatmap")
                return
            if saliency.radiograph_shape != self.pixels().shape:
                raise ValueError(f"a map of {saliency.radiograph_shape} does not fit the radiograph {self.pixels().shape}")
            node = self.heatmap
            if node is None:
                node = new_node("vtkMRMLScalarVolumeNode", f"{self.name} heatmap", "heatmap", self.token)
            draw(node, self.radiograph, saliency)
            mark_display(node)
            apply_style(node, self.heat_style)
            if self.heatmap is None:
                self._hold("heatmap", node)
                subject_folder.put_in_folder(self.name, (node,), self.radiograph)

    @property
    def heat_style(self) -> HeatStyle:
        """How the heatmap is drawn; the default where nothing readable is stored."""
        try:
            return HeatStyle.from_json(json.loads(self.node.GetParameter("heat_style") or "null"))
        except (ValueError, KeyError, TypeError):
            return HeatStyle()

    def set_heat_style(self, style: HeatStyle) -> None:
        """Draw the heatmap in this style; views that show the case follow."""
        if self.heatmap is not None:
            apply_style(self.heatmap, style)
        if style != self.heat_style:
            self.node.SetParameter("heat_style", json.dumps(style.to_json()))

    # The "model sees" preview

    def set_preview(self, box: Box, patch: np.ndarray) -> None:
        """What the model is shown: the radiograph with `patch` (float32) in `box` (row, row after, column, column after)."""
        with changing(self.token):
            if self.preview is None:
                node = new_node(
                    "vtkMRMLScalarVolumeNode", f"{self.name} as the model sees it", "preview", self.token, saved=False
                )
                copy_radiograph(node, self.radiograph)
                self.node.SetNodeReferenceID("preview", node.GetID())
            write_patch(self.preview, self.radiograph, box, patch)

    def clear_preview(self) -> None:
        """Nothing is covered: the preview shows the radiograph."""
        if self.preview is not None:
            with changing(self.token):
                write_patch(self.preview, self.radiograph, None, None)

    # What is stored with it

    @property
    def state(self) -> str:
        """The JSON text given to `set_state`, "" when there is none."""
        return self.node.GetParameter("state") or ""

    def set_state(self, text: str) -> None:
        """Store JSON text with the case; it is saved with the scene."""
        if text != self.state:
            self.node.SetParameter("state", text)

    def remove(self) -> None:
        """Remove the case's nodes from the scene. The reader's own volume stays."""
        nodes = nodes_of(self.token)
        with changing(self.token), slicer.util.RenderBlocker():
            subject_folder.take_out(nodes)
            for node in nodes:
                if slicer.mrmlScene.IsNodePresent(node):
                    remove_with_belongings(node)

    # Inside

    def _parts(self) -> list[str]:
        return (self.node.GetAttribute(_PARTS) or "").split()

    def _hold(self, role: str, node: Any) -> None:
        with slicer.util.NodeModify(self.node):
            self.node.SetNodeReferenceID(role, node.GetID())
            self.node.SetAttribute(_PARTS, " ".join([*(part for part in self._parts() if part != role), role]))

    def _drop(self, role: str) -> None:
        node = self.node.GetNodeReference(role)
        with slicer.util.NodeModify(self.node):
            self.node.SetAttribute(_PARTS, " ".join(part for part in self._parts() if part != role))
            if node is not None:
                self.node.SetNodeReferenceID(role, None)
                subject_folder.take_out([node])
                remove_with_belongings(node, but=self.radiograph if role != "radiograph" else None)

    def _set_token(self, token: str) -> None:
        for node in (self.node, *(self.node.GetNodeReference(role) for role in _ROLES)):
            if node is not None:
                node.SetAttribute(TOKEN, token)
                if node is not self.node and node.GetDisplayNode() is not None:
                    mark_display(node)


def _is_case(node: Any) -> bool:
    return bool(
        node.IsA("vtkMRMLScriptedModuleNode") and node.GetModuleName() == MODULE and node.GetAttribute(TOKEN) is not None
    )


def _checked(pixels: np.ndarray) -> np.ndarray:
    if pixels.ndim != 2 or pixels.dtype != np.float32:
        raise ValueError(f"a radiograph must be 2-D float32, got {pixels.shape} {pixels.dtype}")
    return pixels
