"""Bones as a segmentation whose segments share label maps exactly as `BoneMasks` packs them."""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from typing import Any

import numpy as np
import slicer
import slicer.util
import vtk
from vtk.util.numpy_support import numpy_to_vtk, vtk_to_numpy

from OsteoScreenLib.bones.masks import BoneMasks, bounding_box
from OsteoScreenLib.bones.vocabulary import Bone
from OsteoScreenLib.scene.image_node import matrix_of

LABELMAP = "Binary labelmap"
GROUP_TAG, METHOD_TAG = "OsteoScreen.group", "OsteoScreen.method"
_TERMINOLOGY_TAG = "TerminologyEntry"
_LINE_PX, _USUAL_DPI = 2, 96


def segment_id(name: str) -> str:
    """A bone's segment ID, the same as in OsteoScreen's .seg.nrrd files; it stays when a reader renames the segment."""
    return name.replace(" ", "_")


def style_outlines(segmentation: Any) -> None:
    """Outlines in slice views and nothing else: a fill hides what the reader looks at. Not visible before a view shows it."""
    segmentation.CreateDefaultDisplayNodes()
    display = segmentation.GetDisplayNode()
    with slicer.util.NodeModify(display):
        display.SetVisibility2DFill(False)
        display.SetOpacity2DFill(0.2)  # for a reader who switches the fill on
        display.SetVisibility2DOutline(True)
        display.SetOpacity2DOutline(1.0)
        display.SetSliceIntersectionThickness(_LINE_PX)
        display.SetVisibility3D(False)
        display.SetVisibility(False)  # else it would lie on whatever another case's view shows


def set_line_width(segmentation: Any, dots_per_inch: float) -> None:
    """Keep the outlines' apparent width on screens with fine pixels; never thinner than two pixels."""
    segmentation.GetDisplayNode().SetSliceIntersectionThickness(max(_LINE_PX, round(_LINE_PX * dots_per_inch / _USUAL_DPI)))


def fill(segmentation: Any, radiograph: Any, masks: BoneMasks) -> None:
    """Replace the segments by these bones, one label map a layer, each cut to what it holds."""
    bones = segmentation.GetSegmentation()
    to_ras = matrix_of(radiograph)
    images = [_label_map(layer, to_ras) for layer in masks.layers]
    with slicer.util.NodeModify(segmentation), slicer.util.NodeModify(segmentation.GetDisplayNode()):
        remove_all(segmentation)
        segmentation.SetReferenceImageGeometryParameterFromVolumeNode(radiograph)
        bones.SetSourceRepresentationName(LABELMAP)
        for name in masks.names:
            layer, label = masks.table[name]
            # The same object in several segments is a shared layer.
            bones.AddSegment(new_segment(masks.site.by_name[name], masks.method, images[layer], label), segment_id(name))


def new_segment(bone: Bone, method: str, image: Any, label: int) -> Any:
    """A segment of a bone, whose mask is `label` in a label map."""
    segment = slicer.vtkSegment()
    segment.SetName(bone.name)
    segment.SetColor(*(channel / 255 for channel in bone.colour))
    segment.SetTag(_TERMINOLOGY_TAG, terminology_entry(bone))
    segment.SetTag(GROUP_TAG, bone.group)
    segment.SetTag(METHOD_TAG, method)
    segment.AddRepresentation(LABELMAP, image)
    segment.SetLabelValue(label)
    return segment


def remove_all(segmentation: Any) -> None:
    """Remove every segment. Their label maps go first, else each one's label is wiped from a shared map: 0.1 s for a chest."""
    bones = segmentation.GetSegmentation()
    for index in range(bones.GetNumberOfSegments()):
        bones.GetNthSegment(index).RemoveAllRepresentations()
    bones.RemoveAllSegments()


class LabelMapsState:
    """Knows whether a segmentation's label maps are other ones than when it was last asked."""

    def __init__(self, segmentation: Any) -> None:
        self._segmentation = segmentation
        self._checksums: dict[int, tuple[int, ...]] = {}  # modification time of a label map → its extent and checksum
        self._last = self._state()

    def has_changed(self) -> bool:
        """Since the last call, or since it was made."""
        before, self._last = self._last, self._state()
        return before != self._last

    def _state(self) -> dict[str, tuple[int, ...]]:
        bones = self._segmentation.GetSegmentation()
        times, state = {}, {}
        for index in range(bones.GetNumberOfSegments()):
            segment = bones.GetNthSegment(index)
            image = segment.GetRepresentation(LABELMAP)
            time = image.GetMTime() if image is not None else 0
            # Saving the scene touches every label map without changing it, so the time alone says too much.
            if time not in times:
                times[time] = self._checksums.get(time) or _checksum(image)
            state[bones.GetNthSegmentID(index)] = (segment.GetLabelValue(), *times[time])
        self._checksums = times
        return state


def show_outlines(segmentation: Any, hidden: Iterable[str]) -> None:
    """Hide these bones' outlines and show all others, with a single change of the display node."""
    bones, display = segmentation.GetSegmentation(), segmentation.GetDisplayNode()
    off = {segment_id(name) for name in hidden}
    with slicer.util.NodeModify(display):
        for index in range(bones.GetNumberOfSegments()):
            identifier = bones.GetNthSegmentID(index)
            shown = identifier not in off
            if display.GetSegmentVisibility(identifier) != shown:
                display.SetSegmentVisibility(identifier, shown)


def names_at(segmentation: Any, ras: tuple[float, float, float]) -> list[str]:
    """Names of the segments at a place in RAS millimetres, in the segments' order."""
    bones = segmentation.GetSegmentation()
    labels = []
    for layer in range(bones.GetNumberOfLayers(LABELMAP)):
        image = bones.GetLayerDataObject(layer, LABELMAP)
        column, row, plane = np.rint((from_ras(image) @ (*ras, 1.0))[:3]).astype(int)
        left, right, top, bottom, first, last = image.GetExtent()
        inside = left <= column <= right and top <= row <= bottom and first <= plane <= last
        labels.append(image.GetScalarComponentAsDouble(column, row, plane, 0) if inside else 0.0)
    if not any(labels):
        return []
    segments = ((bones.GetNthSegmentID(index), bones.GetNthSegment(index)) for index in range(bones.GetNumberOfSegments()))
    return [
        segment.GetName()
        for identifier, segment in segments
        if (layer := bones.GetLayerIndex(identifier, LABELMAP)) >= 0 and labels[layer] == segment.GetLabelValue()
    ]


def terminology_entry(bone: Bone) -> str:
    """A bone's coded terms as Slicer writes them into a segment's tag."""
    side = bone.side_code
    parts = (
        "Segmentation category and type - DICOM master list",
        "SCT^123037004^Anatomical Structure",
        f"{bone.code.scheme}^{bone.code.value}^{bone.code.meaning}",
        f"{side.scheme}^{side.value}^{side.meaning}" if side is not None else "^^",
        "Anatomic codes - DICOM master list",
        "^^",
        "^^",
    )
    return "~".join(parts)


def _label_map(layer: np.ndarray, to_ras: np.ndarray) -> Any:
    rows, columns = bounding_box(layer > 0)
    if rows.stop == rows.start:
        rows, columns = slice(0, 1), slice(0, 1)
    image = slicer.vtkOrientedImageData()
    image.SetExtent(columns.start, columns.stop - 1, rows.start, rows.stop - 1, 0, 0)
    labels = numpy_to_vtk(np.ascontiguousarray(layer[rows, columns]).ravel(), deep=True, array_type=vtk.VTK_UNSIGNED_CHAR)
    labels.SetName("ImageScalars")
    image.GetPointData().SetScalars(labels)
    image.SetImageToWorldMatrix(slicer.util.vtkMatrixFromArray(to_ras))
    return image


def _checksum(image: Any) -> tuple[int, ...]:
    scalars = image.GetPointData().GetScalars() if image is not None else None
    if scalars is None:
        return (0,)
    return (*image.GetExtent(), zlib.crc32(np.ascontiguousarray(vtk_to_numpy(scalars)).data))


def from_ras(image: Any) -> np.ndarray:
    """A label map's 4×4 matrix from RAS millimetres to voxel (column, row, plane, 1)."""
    matrix = vtk.vtkMatrix4x4()
    image.GetWorldToImageMatrix(matrix)
    return np.asarray(slicer.util.arrayFromVTKMatrix(matrix))
