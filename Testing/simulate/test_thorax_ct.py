"""Labelled CT: names, what does not fit, and the same anatomy from files and from arrays."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

sitk = pytest.importorskip("SimpleITK")
pytest.importorskip("skimage")

from OsteoScreenLib.errors import InputError  # noqa: E402
from OsteoScreenLib.simulate.labels import BONES, ORGANS, check_names, normalised, read_names, structure_of  # noqa: E402
from OsteoScreenLib.simulate.meshes import read_skeleton  # noqa: E402
from OsteoScreenLib.simulate.sources import sources_in  # noqa: E402
from OsteoScreenLib.simulate.thorax_ct import (  # noqa: E402
    labels_of,
    parts_of,
    read_labels,
    read_scan,
    scan_of,
    thorax_from_arrays,
)

SPACING = (4.0, 4.0, 4.0)
SHAPE = (90, 70, 90)  # slices from the feet, rows, columns


def block_thorax() -> tuple[np.ndarray, np.ndarray, dict[str, int]]:
    """A trunk of soft tissue with lungs, heart, airway and every bone as a block: Hounsfield units, labels, their numbers."""
    scan = np.full(SHAPE, -1000, np.int16)
    scan[:, 12:58, 10:80] = 40
    labels = np.zeros(SHAPE, np.uint16)
    numbers: dict[str, int] = {}

    def draw(name: str, hounsfield: int, box: tuple[slice, slice, slice]) -> None:
        numbers[name] = len(numbers) + 1
        labels[box], scan[box] = numbers[name], hounsfield

    draw("lung_upper_lobe_right", -800, (slice(20, 70), slice(20, 46), slice(16, 38)))
    draw("lung_upper_lobe_left", -800, (slice(20, 70), slice(20, 46), slice(52, 74)))
    draw("heart", 45, (slice(30, 50), slice(20, 34), slice(40, 50)))
    draw("trachea", -950, (slice(60, 80), slice(36, 39), slice(43, 46)))
    scan[30:60, 30:34, 24:26] = 30  # a vessel
    for i, level in enumerate(("T1", "T2", "T3", "T4", "T5", "T6", "T7", "T8", "T9", "T10")):
        top = 76 - 6 * i
        draw(structure_of(level), 400, (slice(top, top + 4), slice(46, 52), slice(41, 49)))
    for side, columns in (("right", slice(11, 16)), ("left", slice(74, 79))):
        for i in range(1, 11):
            top = 74 - 5 * i
            draw(structure_of(f"{side} rib {i}"), 400, (slice(top, top + 3), slice(22, 44), columns))
    draw("sternum", 350, (slice(40, 66), slice(13, 16), slice(42, 48)))
    return scan, labels, numbers


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
