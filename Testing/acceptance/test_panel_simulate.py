"""A radiograph made from the CT and the segmentation that are in the scene, with the real worker."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from acceptance.tables import Bench

from OsteoScreenLib.errors import InputError

pytestmark = pytest.mark.timeout(600)
pytest.importorskip("numba", reason="the simulator's packages are not installed here")


def node_from(kind: str, name: str, voxels: np.ndarray, to_ras: np.ndarray) -> Any:
    import slicer
    import slicer.util

    node = slicer.mrmlScene.AddNewNodeByClass(kind, name)
    slicer.util.updateVolumeFromArray(node, voxels)
    node.SetIJKToRASMatrix(slicer.util.vtkMatrixFromArray(to_ras))
    return node


def add_thorax(shared_data: Path, unknown: bool = False) -> tuple[str, str]:
    """The labelled CT, thinned, and its labels as segments named as TotalSegmentator names them: node IDs."""
    import SimpleITK as sitk
    import slicer
    import slicer.util
    import vtk
    from vtk.util.numpy_support import numpy_to_vtk

    folder = shared_data / "thorax_ct"
    scan = sitk.ReadImage(str(folder / "lidc2_ct_uint8.nrrd"))
    labels = sitk.Resample(sitk.ReadImage(str(folder / "lidc2_labels.nrrd")), scan, sitk.Transform(), sitk.sitkNearestNeighbor)
    to_lps = np.eye(4)
    to_lps[:3, :3] = np.array(scan.GetDirection()).reshape(3, 3) * np.array(scan.GetSpacing())
    to_lps[:3, 3] = scan.GetOrigin()
    to_ras = np.diag([-1.0, -1.0, 1.0, 1.0]) @ to_lps
    volume = node_from("vtkMRMLScalarVolumeNode", "Chest CT", sitk.GetArrayFromImage(scan).astype(np.int16), to_ras)
    drawn = sitk.GetArrayFromImage(labels)
    image = slicer.vtkOrientedImageData()
    image.SetDimensions(*drawn.shape[::-1])
    image.GetPointData().SetScalars(numpy_to_vtk(drawn.ravel(), deep=True))
    matrix: vtk.vtkMatrix4x4 = slicer.util.vtkMatrixFromArray(to_ras)
    image.SetImageToWorldMatrix(matrix)
    segmentation = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", "Bones")
    with open(folder / "lidc2_labels.csv", encoding="utf-8") as table:
        for row in csv.DictReader(table):
            if (drawn == int(row["id"])).any():
                segment = slicer.vtkSegment()
                segment.SetName(row["structure"])
                segment.SetLabelValue(int(row["id"]))
                segment.AddRepresentation("Binary labelmap", image)
                name = "dragon" if unknown and row["structure"] == "liver" else row["structure"]
                segment.SetName(name)
                segmentation.GetSegmentation().AddSegment(segment, name)
    return volume.GetID(), segmentation.GetID()


def test_the_radiograph_of_the_scenes_ct_is_opened_and_can_be_analysed(table: Bench, shared_data: Path) -> None:
    scan, bones = add_thorax(shared_data)
    table.qapp.processEvents()
    assert [name for _, name in table.presenter.scans[0]] == ["Chest CT"]
    assert table.panel.input.simulate.widget.isVisibleTo(table.panel.widget)
    table.presenter.simulate(scan, bones, -3.0)
    table.until(lambda: not table.presenter.busy and table.presenter.reading is not None, 200)
    reading = table.presenter.reading
    assert reading is not None and reading.source.name == "simulated-Chest-CT.dcm", table.said
    assert reading.spacing_mm is not None and Path(reading.source.path).with_suffix("").with_suffix(".seg.nrrd").is_file()
    table.analyse()
    ribs = [name for name in table.presenter.bone_areas if "rib" in name]
    assert len(ribs) >= 18 and "T7" in table.presenter.bone_areas


def test_what_does_not_fit_is_one_sentence_and_leaves_the_table_as_it_was(table: Bench, shared_data: Path) -> None:
    scan, bones = add_thorax(shared_data, unknown=True)
    table.presenter.simulate(scan, bones, -3.0)
    table.until(lambda: not table.presenter.busy, 200)
    assert any("'dragon'" in sentence and "TotalSegmentator" in sentence for _, sentence in table.said)
    with pytest.raises(InputError, match="no longer in the scene"):
        table.presenter.simulate("vtkMRMLScalarVolumeNode99", bones, -3.0)
    assert not table.presenter.busy
