"""What the reader had on the screen before OsteoScreen, to be put back when they leave."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import slicer
import slicer.util
import vtk


@dataclass(frozen=True)
class _Layers:
    node_id: str
    background: str | None
    foreground: str | None
    label: str | None
    foreground_opacity: float
    label_opacity: float


@dataclass(frozen=True)
class _Slice:
    node_id: str
    field_of_view: tuple[float, float, float]
    origin: tuple[float, float, float]
    dimensions: tuple[int, int, int]
    slice_to_ras: vtk.vtkMatrix4x4


@dataclass(frozen=True)
class _Window:
    node_id: str
    automatic: bool
    window: float
    level: float


class ReadersView:
    """A picture of all slice views' layers and places, the layout, the mouse mode and the shown volumes' window and level."""

    def __init__(self) -> None:
        self._layers = [
            _Layers(
                node.GetID(),
                node.GetBackgroundVolumeID(),
                node.GetForegroundVolumeID(),
                node.GetLabelVolumeID(),
                node.GetForegroundOpacity(),
                node.GetLabelOpacity(),
            )
            for node in slicer.util.getNodesByClass("vtkMRMLSliceCompositeNode")
        ]
        self._slices = [_slice_of(node) for node in slicer.util.getNodesByClass("vtkMRMLSliceNode")]
        shown = {volume for layers in self._layers for volume in (layers.background, layers.foreground) if volume}
        self._windows = [window for volume in sorted(shown) if (window := _window_of(volume)) is not None]
        layout = slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLLayoutNode")
        self._layout: int | None = layout.GetViewArrangement() if layout is not None else None
        interaction = _interaction_node()
        self._mouse: tuple[int, int] | None = None
        if interaction is not None:
            self._mouse = interaction.GetCurrentInteractionMode(), interaction.GetPlaceModePersistence()

    def put_back(self) -> None:
        """Restore it all. What was deleted meanwhile stays away."""
        scene = slicer.mrmlScene
        layout = scene.GetFirstNodeByClass("vtkMRMLLayoutNode")
        if layout is not None and self._layout is not None and layout.GetViewArrangement() != self._layout:
            layout.SetViewArrangement(self._layout)
        interaction = _interaction_node()
        if interaction is not None and self._mouse is not None:
            interaction.SetPlaceModePersistence(self._mouse[1])
            if interaction.GetCurrentInteractionMode() != self._mouse[0]:
                interaction.SetCurrentInteractionMode(self._mouse[0])
        for window in self._windows:
            if (display := scene.GetNodeByID(window.node_id)) is not None:
                _put_window(display, window)
        for layers in self._layers:
            if (node := scene.GetNodeByID(layers.node_id)) is not None:
                _put_layers(node, layers)
        for place in self._slices:
            if (node := scene.GetNodeByID(place.node_id)) is not None:
                _put_slice(node, place)


def _interaction_node() -> Any:
    return slicer.mrmlScene.GetNodeByID("vtkMRMLInteractionNodeSingleton")


def _slice_of(node: Any) -> _Slice:
    matrix = vtk.vtkMatrix4x4()
    matrix.DeepCopy(node.GetSliceToRAS())
    return _Slice(node.GetID(), tuple(node.GetFieldOfView()), tuple(node.GetXYZOrigin()), tuple(node.GetDimensions()), matrix)


def _window_of(volume_id: str) -> _Window | None:
    volume = slicer.mrmlScene.GetNodeByID(volume_id)
    display = volume.GetDisplayNode() if volume is not None else None
    if display is None or not display.IsA("vtkMRMLScalarVolumeDisplayNode"):
        return None
    return _Window(display.GetID(), bool(display.GetAutoWindowLevel()), display.GetWindow(), display.GetLevel())


def _put_window(display: Any, window: _Window) -> None:
    if (bool(display.GetAutoWindowLevel()), display.GetWindow(), display.GetLevel()) == (
        window.automatic,
        window.window,
        window.level,
    ):
        return
    with slicer.util.NodeModify(display):
        display.SetAutoWindowLevel(window.automatic)
        display.SetWindowLevel(window.window, window.level)


def _put_layers(node: Any, layers: _Layers) -> None:
    def there(volume_id: str | None) -> str | None:
        return volume_id if volume_id and slicer.mrmlScene.GetNodeByID(volume_id) is not None else None

    with slicer.util.NodeModify(node):
        node.SetBackgroundVolumeID(there(layers.background))
        node.SetForegroundVolumeID(there(layers.foreground))
        node.SetLabelVolumeID(there(layers.label))
        node.SetForegroundOpacity(layers.foreground_opacity)
        node.SetLabelOpacity(layers.label_opacity)


def _put_slice(node: Any, place: _Slice) -> None:
    # A view that was resized meanwhile keeps its millimetres per pixel.
    ratio = [now / then if then else 1.0 for now, then in zip(node.GetDimensions(), place.dimensions, strict=True)]
    with slicer.util.NodeModify(node):
        node.GetSliceToRAS().DeepCopy(place.slice_to_ras)
        node.SetFieldOfView(place.field_of_view[0] * ratio[0], place.field_of_view[1] * ratio[1], place.field_of_view[2])
        node.SetXYZOrigin(*place.origin)
        node.UpdateMatrices()
