"""The heatmap as a foreground volume: coloured by a table, cut off below a threshold, drawn only where the network looked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import slicer

from OsteoScreenLib.exchange.colour_maps import COLOUR_MAPS, colours
from OsteoScreenLib.explain.saliency import SaliencyMap
from OsteoScreenLib.scene.image_node import matrix_of, set_image

__all__ = ["COLOUR_MAPS", "HeatStyle", "apply_style", "draw", "on_its_part"]

# Between its cells the volume is linear like the map itself, so that only the map's kinks lose something: nothing that is seen.
_LONGEST = 2048
# A place that does not speak for the target at all stays uncoloured even with the threshold at 0.
_ABOVE_ZERO = 1e-6


@dataclass(frozen=True)
class HeatStyle:
    """How the heatmap is drawn.

    opacity : of the colour over the radiograph, 0 to 1. threshold : values below it are not drawn, 0 to 1, where 1 is the
    largest value in this image. colour_map : one of `COLOUR_MAPS`.
    """

    visible: bool = True
    opacity: float = 0.4
    threshold: float = 0.15
    colour_map: str = COLOUR_MAPS[0]

    def to_json(self) -> dict[str, Any]:
        """JSON values; `from_json` gives the same style back."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> HeatStyle:
        """Read what `to_json` wrote. Raises `ValueError` where a value is not possible."""
        style = cls(bool(values["visible"]), float(values["opacity"]), float(values["threshold"]), str(values["colour_map"]))
        if not (0 <= style.opacity <= 1 and 0 <= style.threshold <= 1 and style.colour_map in COLOUR_MAPS):
            raise ValueError(f"a heatmap's style holds an impossible value: {dict(values)}")
        return style


def on_its_part(saliency: SaliencyMap) -> tuple[np.ndarray, tuple[int, int, int, int]]:
    """The map, scaled within its image, on the part of the radiograph that the network was shown.

    Returns
    -------
    values : float32 (rows, columns) in [0, 1], at most 2048 on the longer side, whose pixels tile the part evenly.
    part : (first row, row after the last, first column, column after the last) on the radiograph; empty when nothing was shown.
    """
    top, bottom = _seen(saliency, axis=1)
    left, right = _seen(saliency, axis=0)
    rows, columns = bottom - top, right - left
    part = (top, bottom, left, right)
    if rows <= 0 or columns <= 0:
        return np.zeros((0, 0), np.float32), part
    there = replace(
        saliency,
        grid=saliency.scaled,
        grid_to_radiograph=np.array([[1, 0, -left], [0, 1, -top], [0, 0, 1]]) @ saliency.grid_to_radiograph,
        radiograph_shape=(rows, columns),
        input_to_radiograph=np.eye(3),
        input_shape=(rows, columns),
    )
    smaller = min(1.0, _LONGEST / max(rows, columns))
    size = (max(1, round(rows * smaller)), max(1, round(columns * smaller)))
    return there.on_radiograph(scaled=False, shape=size), part


def draw(node: Any, radiograph: Any, saliency: SaliencyMap) -> None:
    """Put a map into a scalar volume node that lies on the radiograph's node."""
    values, (top, bottom, left, right) = on_its_part(saliency)
    if values.size == 0:  # nothing of the radiograph was shown: one pixel that says nothing
        values, (top, bottom, left, right) = np.zeros((1, 1), np.float32), (0, 1, 0, 1)
    across, down = (right - left) / values.shape[1], (bottom - top) / values.shape[0]
    onto = np.diag([across, down, 1.0, 1.0])
    # Areas coincide, not centres: the first value's centre lies half of its own width from the part's edge.
    onto[0, 3], onto[1, 3] = left + (across - 1) / 2, top + (down - 1) / 2
    if node.GetDisplayNode() is None:  # before there is an image, whose window would be computed from all of its pixels
        node.CreateDefaultDisplayNodes()
        display = node.GetDisplayNode()
        display.AutoWindowLevelOff()
        display.SetWindowLevelMinMax(0.0, 1.0)
        display.SetInterpolate(True)
    set_image(node, values, matrix_of(radiograph) @ onto)


def apply_style(node: Any, style: HeatStyle) -> None:
    """Set colours and threshold. Opacity and visibility belong to the view that shows the node as its foreground."""
    display = node.GetDisplayNode()
    table = _colour_table(style.colour_map)
    with slicer.util.NodeModify(display):
        display.AutoWindowLevelOff()
        display.SetWindowLevelMinMax(0.0, 1.0)
        display.SetAndObserveColorNodeID(table.GetID())
        display.AutoThresholdOff()
        # A table's alpha is all or nothing in slice views, so low values are cut off here.
        display.SetThreshold(max(style.threshold, _ABOVE_ZERO), 2.0)
        display.ApplyThresholdOn()


def _seen(saliency: SaliencyMap, axis: int) -> tuple[int, int]:
    """First and one after the last radiograph pixel along an axis (0 = columns) whose centre the network was shown."""
    centres = np.arange(saliency.radiograph_shape[1 - axis])
    inside = (centres - saliency.input_to_radiograph[axis, 2]) / saliency.input_to_radiograph[axis, axis]
    seen = np.flatnonzero((inside >= -0.5) & (inside <= saliency.input_shape[1 - axis] - 0.5))
    return (int(seen[0]), int(seen[-1]) + 1) if seen.size else (0, 0)


def _colour_table(name: str) -> Any:
    """The scene's colour table node for a map, made when it is not there. One per map, however many cases there are."""
    tag = "OsteoScreen" + name.capitalize()
    table = slicer.mrmlScene.GetSingletonNode(tag, "vtkMRMLColorTableNode")
    if table is not None and table.GetNumberOfColors() == 256:
        return table
    if table is None:
        table = slicer.mrmlScene.CreateNodeByClass("vtkMRMLColorTableNode")
        table.UnRegister(None)
        table.SetSingletonTag(tag)
        table.SetName(f"OsteoScreen {name}")
        table.SetAttribute("Category", "OsteoScreen")
        table.SetTypeToUser()
        table = slicer.mrmlScene.AddNode(table)
    with slicer.util.NodeModify(table):
        table.SetTypeToUser()
        table.SetNumberOfColors(256)
        for level, (red, green, blue) in enumerate(colours(name) / 255.0):
            table.SetColor(level, f"{level / 255:.3f}", float(red), float(green), float(blue), 1.0)
    return table
