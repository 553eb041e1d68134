"""Bones in the scene while a brush changes them: each in a label map of its own, so that a stroke can touch no other bone."""

from __future__ import annotations

from typing import Any

import numpy as np
import slicer
import slicer.util
import vtk
from vtk.util.numpy_support import numpy_to_vtk, vtk_to_numpy

from OsteoScreenLib.bones.strokes import Box
from OsteoScreenLib.bones.vocabulary import Bone
from OsteoScreenLib.scene.bones_segmentation import LABELMAP, METHOD_TAG, new_segment, segment_id
from OsteoScreenLib.scene.case_nodes import SceneCase
from OsteoScreenLib.scene.image_node import matrix_of
from OsteoScreenLib.scene.own_changes import changing


class PaintedBones:
    """Writes masks into a case's segmentation, a box at a time. These are OsteoScreen's own changes (`own_changes`).

    A bone is given a label map of its own, as large as the radiograph, the first time that it is written. `SceneCase.set_bones`
    packs the bones again.
    """

    def __init__(self, case: SceneCase) -> None:
        self._case = case
        self._pixels: dict[str, np.ndarray] = {}  # uint8 (rows, columns), the label map's own memory
        self._images: dict[str, Any] = {}

    def write(self, bone: Bone, mask: np.ndarray, box: Box) -> None:
        """Show a bone's mask, bool (rows, columns), which has changed inside a box."""
        with changing(self._case.token):
            if bone.name not in self._images:
                self._give_own_map(bone, mask)
                return
            inside = slice(box[0], box[1]), slice(box[2], box[3])
            self._pixels[bone.name][inside] = mask[inside]
            image = self._images[bone.name]
            image.GetPointData().GetScalars().Modified()
            image.Modified()  # from here the segmentation and its views are told

    def _give_own_map(self, bone: Bone, mask: np.ndarray) -> None:
        segmentation, identifier = self._case.segmentation, segment_id(bone.name)
        bones = segmentation.GetSegmentation()
        rows, columns = mask.shape
        scalars = numpy_to_vtk(mask.astype(np.uint8).ravel(), deep=True, array_type=vtk.VTK_UNSIGNED_CHAR)
        scalars.SetName("ImageScalars")
        image = slicer.vtkOrientedImageData()
        image.SetExtent(0, columns - 1, 0, rows - 1, 0, 0)
        image.GetPointData().SetScalars(scalars)
        image.SetImageToWorldMatrix(slicer.util.vtkMatrixFromArray(matrix_of(self._case.radiograph)))
        segment = bones.GetSegment(identifier)
        if segment is None:
            method = self._method(bones)
            bones.AddSegment(new_segment(bone, method, image, 1), identifier)
        else:
            bones.SeparateSegmentLabelmap(identifier)  # takes it out of the map that it shares
            segment.SetLabelValue(1)
            segment.AddRepresentation(LABELMAP, image)
        self._images[bone.name] = image
        self._pixels[bone.name] = vtk_to_numpy(scalars).reshape(rows, columns)

    @staticmethod
    def _method(bones: Any) -> str:
        """How the other bones were made; "" where there are none."""
        text = vtk.reference("")
        if bones.GetNumberOfSegments():
            bones.GetNthSegment(0).GetTag(METHOD_TAG, text)
        return str(text)
