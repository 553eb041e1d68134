"""Labelled CT: names, what does not fit, and the same anatomy from files and from arrays."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

sitk = pytest.importorskip("SimpleITK")
pytest.importorskip("skimage")

from thoraces import SPACING, block_thorax  # noqa: E402

from OsteoScreenLib.errors import InputError  # noqa: E402
from OsteoScreenLib.simulate.labels import BONES, ORGANS, check_names, normalised, read_names, structure_of  # noqa: E402
from OsteoScreenLib.simulate.meshes import Mesh, read_skeleton  # noqa: E402
from OsteoScreenLib.simulate.sources import sources_in  # noqa: E402
from OsteoScreenLib.simulate.thorax_ct import (  # noqa: E402
    ThoraxParts,
    labels_of,
    parts_of,
    read_labels,
    read_scan,
    scan_of,
    thorax_from_arrays,
)


def images(scan: np.ndarray, labels: np.ndarray) -> tuple[sitk.Image, sitk.Image]:
    made = []
    for array in (scan, labels):
        image = sitk.GetImageFromArray(array)
        image.SetSpacing(SPACING)
        made.append(image)
    return made[0], made[1]


def parts(change: Callable[[np.ndarray, np.ndarray, dict[str, int]], None] = lambda *_: None):
    scan, labels, numbers = block_thorax()
    change(scan, labels, numbers)
    first, second = images(scan, labels)
    return parts_of(scan_of(first, "CT"), labels_of(second, numbers), "CT")


def test_names_of_bones_and_structures_lead_to_each_other() -> None:
    assert structure_of("right rib 5") == "rib_right_5" and structure_of("T7") == "vertebrae_T7"
    assert structure_of("left clavicle") == "clavicula_left" and BONES["sternum"] == "sternum"
    assert normalised("Rib Left 5") == "rib_left_5" and normalised("vertebrae-t7") == "vertebrae_T7"
    assert all(normalised(name) == name for name in (*BONES, *ORGANS["right lung"]))


def test_unknown_names_are_named_with_the_nearest_known_one(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"'rib_lift_5', perhaps rib_left_5 and 1 more"):
        check_names(["rib_lift_5", "wing", "sternum"])
    table = tmp_path / "labels.csv"
    table.write_text("structure,id\nsternum,1\nwing,2\n")
    with pytest.raises(InputError, match="'wing'"):
        read_names(table)
    table.write_text("name;number\n")
    assert read_names(table) == {}
    (tmp_path / "labels.json").write_text('{"1": "sternum", "heart": 2}')
    assert read_names(tmp_path / "labels.json") == {"sternum": 1, "heart": 2}
    (tmp_path / "broken.json").write_text("[1]")
    with pytest.raises(InputError, match="could not be read as a table"):
        read_names(tmp_path / "broken.json")


def test_every_structure_becomes_a_closed_surface_in_its_place() -> None:
    found = parts()
    assert set(found.bones) >= {"T1", "T10", "right rib 1", "left rib 10", "sternum"}
    assert all(mesh.volume_mm3 > 0 for mesh in (*found.bones.values(), *found.organs.values(), found.body))
    assert found.bones["left rib 5"].vertices[:, 0].mean() > found.bones["right rib 5"].vertices[:, 0].mean() + 200
    assert found.bones["T1"].vertices[:, 2].mean() > found.bones["T10"].vertices[:, 2].mean()
    lung = found.organs["right lung"]
    assert lung.volume_mm3 == pytest.approx(50 * 26 * 22 * 64, rel=0.1)
    vessel = found.organs["vessels"].vertices
    assert len(vessel) and np.ptp(vessel[:, 2]) > 80 and np.ptp(vessel[:, 0]) < 30


def test_labels_of_another_scan_are_refused() -> None:
    def shifted(scan: np.ndarray, labels: np.ndarray, numbers: dict[str, int]) -> None:
        labels[:] = np.roll(labels, 25, axis=2)

    with pytest.raises(InputError, match="do not match the CT"):
        parts(shifted)
    scan, labels, numbers = block_thorax()
    first, second = images(scan, labels)
    second.SetOrigin((500.0, 0.0, 0.0))
    with pytest.raises(InputError, match="do not match the CT"):
        parts_of(scan_of(first, "CT"), labels_of(second, numbers), "CT")


@pytest.mark.parametrize("end,kept", [("foot", slice(40, None)), ("head", slice(0, 55))])
def test_a_scan_that_ends_in_the_middle_of_the_thorax_is_refused(end: str, kept: slice) -> None:
    scan, labels, numbers = block_thorax()
    first, second = images(scan[kept].copy(), labels[kept].copy())
    with pytest.raises(InputError, match=f"ends in the middle of the thorax, at its {end} end"):
        parts_of(scan_of(first, "CT"), labels_of(second, numbers), "CT")


def test_missing_structures_are_named() -> None:
    def without_sternum(scan: np.ndarray, labels: np.ndarray, numbers: dict[str, int]) -> None:
        labels[labels == numbers["sternum"]] = 0

    with pytest.raises(InputError, match="sternum missing or cut off"):
        parts(without_sternum)


def test_arrays_give_what_files_give(tmp_path: Path) -> None:
    scan, labels, numbers = block_thorax()
    first, second = images(scan, labels)
    sitk.WriteImage(first, str(tmp_path / "x_ct.nrrd"))
    sitk.WriteImage(second, str(tmp_path / "x_labels.nii.gz"))
    with open(tmp_path / "x_labels.csv", "w", newline="", encoding="utf-8") as table:
        writer = csv.DictWriter(table, ["structure", "id"])
        writer.writeheader()
        writer.writerows({"structure": name, "id": number} for name, number in numbers.items())
    from_files = parts_of(
        read_scan(tmp_path / "x_ct.nrrd"), read_labels(tmp_path / "x_labels.nii.gz", tmp_path / "x_labels.csv"), "x"
    )
    from_arrays = thorax_from_arrays(scan, np.diag([*SPACING, 1.0]), labels, numbers, "x")
    for name, mesh in {**from_files.bones, **from_files.organs}.items():
        other = {**from_arrays.bones, **from_arrays.organs}[name]
        assert np.allclose(mesh.vertices, other.vertices, atol=1e-3)
    with pytest.raises(InputError, match="sheared"):
        thorax_from_arrays(scan, np.array([[4, 2, 0, 0], [0, 4, 0, 0], [0, 0, 4, 0], [0, 0, 0, 1.0]]), labels, numbers, "x")


def write_dicom_series(scan: np.ndarray, folder: Path) -> None:
    """A CT as scanners store it: a file a slice, names in no order, stored values 1024 above Hounsfield units."""
    folder.mkdir(exist_ok=True)
    series, study = generate_uid(), generate_uid()
    for place, slice_number in enumerate(np.random.default_rng(0).permutation(len(scan))):
        slice_ = Dataset()
        slice_.file_meta = FileMetaDataset()
        slice_.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        slice_.SOPClassUID, slice_.SOPInstanceUID = CTImageStorage, generate_uid()
        slice_.Modality, slice_.SeriesInstanceUID, slice_.StudyInstanceUID = "CT", series, study
        slice_.ImagePositionPatient = [0, 0, SPACING[2] * int(slice_number)]
        slice_.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
        slice_.PixelSpacing, slice_.SliceThickness = [SPACING[1], SPACING[0]], SPACING[2]
        slice_.Rows, slice_.Columns = scan.shape[1:]
        slice_.SamplesPerPixel, slice_.PhotometricInterpretation = 1, "MONOCHROME2"
        slice_.BitsAllocated, slice_.BitsStored, slice_.HighBit, slice_.PixelRepresentation = 16, 12, 11, 0
        slice_.RescaleIntercept, slice_.RescaleSlope, slice_.RescaleType = -1024, 1, "HU"
        slice_.PixelData = (scan[slice_number] + 1024).astype("<u2").tobytes()
        slice_.save_as(folder / f"{series[-8:]}-{place:04d}.dcm", enforce_file_format=True)


@pytest.mark.parametrize("ending", [".nii.gz", ".nii", ".mha", ""])
def test_nifti_metaimage_and_a_folder_of_dicom_give_what_nrrd_gives(tmp_path: Path, ending: str) -> None:
    scan, labels, numbers = block_thorax()
    first, second = images(scan, labels)
    sitk.WriteImage(first, str(tmp_path / "x_ct.nrrd"))
    (tmp_path / "other").mkdir()
    other = tmp_path / "other" / f"x_ct{ending}"
    if ending:
        sitk.WriteImage(first, str(other))
        sitk.WriteImage(second, str(tmp_path / "other" / f"x_labels{ending}"))
    else:
        write_dicom_series(scan, other)
        for _ in range(4):
            write_dicom_series(scan[:9, ::2], other)  # scouts and the like come in the same folder
        sitk.WriteImage(second, str(tmp_path / "other" / "x_labels.nrrd"))
    (tmp_path / "other" / "x_labels.json").write_text(json.dumps(numbers))
    (tmp_path / "bones.zip").touch()
    (source,) = sources_in(tmp_path / "bones.zip", tmp_path / "other").thoraces
    assert source.ct == other and source.labels is not None
    drawn = read_labels(source.labels, source.names)
    expected = parts_of(read_scan(tmp_path / "x_ct.nrrd"), labels_of(second, numbers), "x")
    found = parts_of(read_scan(source.ct), drawn, "x")
    assert set(found.bones) == set(expected.bones) and len(found.bones) == 31
    for one, same in zip(surfaces(found), surfaces(expected), strict=True):
        np.testing.assert_array_equal(one.faces, same.faces)
        np.testing.assert_allclose(one.vertices, same.vertices, atol=1e-3)


def surfaces(parts: ThoraxParts) -> list[Mesh]:
    return [*parts.bones.values(), *parts.organs.values(), parts.body]


def test_a_folder_of_masks_is_read_and_labels_without_a_table_are_refused(tmp_path: Path) -> None:
    _, labels, numbers = block_thorax()
    folder = tmp_path / "masks"
    folder.mkdir()
    for name in ("sternum", "heart"):
        image = sitk.GetImageFromArray((labels == numbers[name]).astype(np.uint8))
        image.SetSpacing(SPACING)
        sitk.WriteImage(image, str(folder / f"{name}.nii.gz"))
    read = read_labels(folder, None)
    assert set(read.numbers) == {"sternum", "heart"}
    assert (read.voxels == read.numbers["heart"]).sum() == (labels == numbers["heart"]).sum()
    sitk.WriteImage(sitk.GetImageFromArray(labels), str(tmp_path / "alone.nrrd"))
    with pytest.raises(InputError, match="without the names"):
        read_labels(tmp_path / "alone.nrrd", None)


@pytest.mark.parametrize("kind", [np.float32, np.float64, np.int16, np.int64])
def test_labels_may_be_stored_as_any_kind_of_number(tmp_path: Path, kind: type) -> None:
    scan, labels, numbers = block_thorax()
    first, second = images(scan, labels.astype(kind))
    sitk.WriteImage(second, str(tmp_path / "x_labels.nii.gz"))
    (tmp_path / "x_labels.json").write_text(json.dumps(numbers))
    found = parts_of(scan_of(first, "x"), read_labels(tmp_path / "x_labels.nii.gz", tmp_path / "x_labels.json"), "x")
    for one, same in zip(surfaces(found), surfaces(parts()), strict=True):
        np.testing.assert_allclose(one.vertices, same.vertices, atol=1e-3)


def test_labels_that_are_no_label_map_are_refused(tmp_path: Path) -> None:
    _, labels, numbers = block_thorax()
    table = tmp_path / "labels.json"
    table.write_text(json.dumps(numbers))
    layers = sitk.GetImageFromArray(np.stack([labels, labels], axis=-1), isVector=True)
    sitk.WriteImage(layers, str(tmp_path / "layers.nrrd"))
    with pytest.raises(InputError, match=r"layers.nrrd is not one label map"):
        read_labels(tmp_path / "layers.nrrd", table)
    table.write_text(json.dumps({**numbers, "sternum": 0}))
    with pytest.raises(InputError, match="'sternum' the label 0"):
        read_names(table)


def test_what_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no CT"):
        read_scan(tmp_path / "absent.nrrd")
    (tmp_path / "text.nrrd").write_text("no image")
    with pytest.raises(InputError, match="could not be read as a CT"):
        read_scan(tmp_path / "text.nrrd")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="no CT series"):
        read_scan(tmp_path / "empty")
    bones = tmp_path / "bones.zip"
    with pytest.raises(InputError, match="--skeleton"):
        sources_in(bones, tmp_path)
    bones.write_bytes(b"")
    with pytest.raises(InputError, match="no labelled CT"):
        sources_in(bones, tmp_path)


def test_an_open_mesh_is_named(tmp_path: Path) -> None:
    import zipfile

    import trimesh

    ball = trimesh.creation.icosphere(subdivisions=1)
    ball.update_faces(np.arange(len(ball.faces)) > 2)
    with zipfile.ZipFile(tmp_path / "bones.zip", "w") as archive:
        archive.writestr("Rib_1st.r.stl", ball.export(file_type="stl"))
    with pytest.raises(InputError, match=r"Rib_1st\.r\.stl .*has holes"):
        read_skeleton(tmp_path / "bones.zip")
