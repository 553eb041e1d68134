"""A CT and a segmentation in the scene, read back voxel for voxel."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from OsteoScreenLib.errors import InputError

SHAPE = (20, 30, 40)  # slices, rows, columns
TO_RAS = np.array([[-1.5, 0, 0, 30], [0, -1.5, 0, 20], [0, 0, 2.5, -100], [0, 0, 0, 1]], float)


def add_scan(to_ras: np.ndarray = TO_RAS, shape: tuple[int, ...] = SHAPE) -> tuple[Any, np.ndarray]:
    import slicer
    import slicer.util

    voxels = np.random.default_rng(0).integers(-1000, 1000, shape).astype(np.int16)
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "Chest CT")
    slicer.util.updateVolumeFromArray(node, voxels)
    node.SetIJKToRASMatrix(slicer.util.vtkMatrixFromArray(to_ras))
    return node, voxels


def add_segmentation(masks: dict[str, np.ndarray], to_ras: np.ndarray = TO_RAS) -> Any:
    """Each mask in a layer of its own, on voxels of its own grid."""
    import slicer
    import vtk
    from vtk.util.numpy_support import numpy_to_vtk

    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", "Bones")
    held = node.GetSegmentation()
    for name, mask in masks.items():
        image = slicer.vtkOrientedImageData()
        image.SetDimensions(*mask.shape[::-1])
        image.GetPointData().SetScalars(numpy_to_vtk(mask.astype(np.uint8).ravel(), deep=True))
        matrix = vtk.vtkMatrix4x4()
        for row in range(4):
            for column in range(4):
                matrix.SetElement(row, column, to_ras[row, column])
        image.SetImageToWorldMatrix(matrix)
        segment = slicer.vtkSegment()
        segment.SetName(name.replace("_", " "))
        segment.AddRepresentation("Binary labelmap", image)
        held.AddSegment(segment, name)
    return node


def box(rows: slice) -> np.ndarray:
    mask = np.zeros(SHAPE, bool)
    mask[4:16, rows, 10:30] = True
    return mask


def test_only_volumes_with_many_slices_and_foreign_segmentations_are_offered(widget: Any) -> None:
    import slicer

    from OsteoScreenLib.scene.thorax_volume import scans_in_scene, segmentations_in_scene

    scan, _ = add_scan()
    add_scan(shape=(1, 64, 64))
    bones = add_segmentation({"vertebrae_T7": box(slice(5, 10))})
    own = add_segmentation({"sternum": box(slice(5, 10))})
    own.SetAttribute("OsteoScreen", "segmentation")
    slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", "Empty")
    assert scans_in_scene() == [(scan.GetID(), "Chest CT")]
    assert segmentations_in_scene() == [(bones.GetID(), "Bones")]


def test_voxels_labels_and_names_come_back(widget: Any) -> None:
    from OsteoScreenLib.scene.thorax_volume import thorax_of

    scan, voxels = add_scan()
    first, second = box(slice(2, 8)), box(slice(6, 12))
    thorax = thorax_of(scan, add_segmentation({"vertebrae_T7": first, "rib_left_5": second}))
    assert np.array_equal(thorax.voxels, voxels)
    names = {label: identifier for label, (identifier, _) in thorax.structures.items()}
    assert names == {1: "vertebrae_T7", 2: "rib_left_5"}
    assert thorax.structures[2][1] == "rib left 5"
    assert np.array_equal(thorax.labels == 2, second)
    assert np.array_equal(thorax.labels == 1, first & ~second)
    lps = thorax.ijk_to_lps @ [3, 2, 1, 1]
    assert np.allclose(lps[:3], np.array([-1, -1, 1]) * (TO_RAS @ [3, 2, 1, 1])[:3])


def test_a_finer_segmentation_falls_on_the_cts_voxels(widget: Any) -> None:
    from OsteoScreenLib.scene.thorax_volume import thorax_of

    scan, _ = add_scan()
    coarse = box(slice(3, 9))
    fine = coarse.repeat(2, axis=1).repeat(2, axis=2)
    to_ras = TO_RAS @ np.array([[0.5, 0, 0, -0.25], [0, 0.5, 0, -0.25], [0, 0, 1, 0], [0, 0, 0, 1]])
    assert np.array_equal(thorax_of(scan, add_segmentation({"sternum": fine}, to_ras)).labels == 1, coarse)


def test_what_does_not_fit_is_said(widget: Any) -> None:
    from OsteoScreenLib.scene.thorax_volume import thorax_of

    scan, _ = add_scan()
    flat, _ = add_scan(shape=(1, 64, 64))
    elsewhere = TO_RAS.copy()
    elsewhere[:3, 3] += 5000
    bones = {"sternum": box(slice(3, 9))}
    with pytest.raises(InputError, match="nothing drawn on Chest CT"):
        thorax_of(scan, add_segmentation(bones, elsewhere))
    with pytest.raises(InputError, match="not a CT with many slices"):
        thorax_of(flat, add_segmentation(bones))


def test_the_panel_hears_of_a_new_ct_and_of_a_removed_segmentation(widget: Any) -> None:
    import slicer

    from OsteoScreenLib.scene.watch import SceneWatch

    heard: list[str] = []
    watch = SceneWatch(on_volumes_changed=lambda: heard.append("volumes"))
    add_scan()
    assert heard
    heard.clear()
    bones = add_segmentation({"sternum": box(slice(3, 9))})
    assert heard
    heard.clear()
    slicer.mrmlScene.RemoveNode(bones)
    assert heard
    watch.close()
