"""One bone stands out from the others: filled, with its outline on, while theirs are faint."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import slicer.util

from OsteoScreenLib.scene.bones_segmentation import segment_id

_FILL, _FAINT = 0.25, 0.45  # opacities of the bone's fill, and of the other outlines


def emphasise(segmentation: Any, name: str) -> bool:
    """Let this bone stand out; with "" all bones look alike again. Bones whose outline is off stay off, but for this one.

    Returns whether this one's was off.
    """
    bones, display = segmentation.GetSegmentation(), segmentation.GetDisplayNode()
    chosen = segment_id(name) if name else ""
    was_off = bool(chosen and bones.GetSegment(chosen) is not None and not display.GetSegmentVisibility(chosen))
    with slicer.util.NodeModify(display):
        display.SetVisibility2DFill(bool(chosen))
        display.SetOpacity2DFill(_FILL if chosen else 0.2)
        for index in range(bones.GetNumberOfSegments()):
            identifier = bones.GetNthSegmentID(index)
            mine = identifier == chosen
            display.SetSegmentVisibility2DFill(identifier, mine or not chosen)
            display.SetSegmentOpacity2DOutline(identifier, 1.0 if mine or not chosen else _FAINT)
            if mine:
                display.SetSegmentVisibility(identifier, True)
    return was_off


def hide_outline(segmentation: Any, name: str) -> None:
    """Switch a bone's outline off."""
    if segmentation.GetSegmentation().GetSegment(segment_id(name)) is not None:
        segmentation.GetDisplayNode().SetSegmentVisibility(segment_id(name), False)


def hidden_bones(segmentation: Any, names: Iterable[str]) -> frozenset[str]:
    """Those of these bones that have a segment whose outline is off."""
    bones, display = segmentation.GetSegmentation(), segmentation.GetDisplayNode()
    drawn = (name for name in names if bones.GetSegment(segment_id(name)) is not None)
    return frozenset(name for name in drawn if not display.GetSegmentVisibility(segment_id(name)))
