"""The "model sees" preview: a copy of the radiograph into which the covered part is written in place."""

from __future__ import annotations

from typing import Any

import numpy as np
import slicer
import slicer.util

from OsteoScreenLib.scene.image_node import image_in, matrix_of, set_image

Box = tuple[int, int, int, int]
"""(first row, row after the last, first column, column after the last)."""

_WRITTEN = "OsteoScreen.written"


def copy_radiograph(preview: Any, radiograph: Any) -> None:
    """Make the preview a copy of the radiograph that shares its display node, so that window and level are one."""
    set_image(preview, image_in(radiograph), matrix_of(radiograph))
    display = radiograph.GetDisplayNode().GetID()
    if preview.GetDisplayNodeID() != display:
        preview.SetAndObserveDisplayNodeID(display)
    preview.RemoveAttribute(_WRITTEN)


def write_patch(preview: Any, radiograph: Any, box: Box | None, patch: np.ndarray | None) -> None:
    """Show the radiograph with `patch` (float32, the box's shape) in `box`; with None the untouched radiograph.

    Only the box of the last patch and the new one are written.
    """
    shown, untouched = image_in(preview), image_in(radiograph)
    if box is not None and patch is not None and patch.shape != (box[1] - box[0], box[3] - box[2]):
        raise ValueError(f"a patch {patch.shape} does not fit the box {box}")
    with slicer.util.NodeModify(preview):
        written = preview.GetAttribute(_WRITTEN)
        if written:
            top, bottom, left, right = map(int, written.split())
            shown[top:bottom, left:right] = untouched[top:bottom, left:right]
            preview.RemoveAttribute(_WRITTEN)
        if box is not None and patch is not None and patch.size:
            top, bottom, left, right = box
            shown[top:bottom, left:right] = patch
            preview.SetAttribute(_WRITTEN, " ".join(map(str, box)))
        elif not written:
            return
        slicer.util.arrayFromVolumeModified(preview)
