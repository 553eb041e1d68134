"""NRRD, NIfTI and MetaImage with one slice, whatever their file is called."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import SimpleITK
from radiograph.synthetic import codes, grey_picture

from OsteoScreenLib.radiograph.radiograph import Placement
from OsteoScreenLib.radiograph.read import radiograph_from_array, read_radiograph

ARRAY = grey_picture(90, 70, top=65535)
FORMATS = {".nrrd": "NRRD", ".nhdr": "NRRD", ".nii": "NIfTI", ".nii.gz": "NIfTI", ".mha": "MetaImage", ".mhd": "MetaImage"}


def written(path: Path, array: np.ndarray, spacing: tuple[float, ...] = (), direction: tuple[float, ...] = ()) -> Path:
    image = SimpleITK.GetImageFromArray(array)
    if spacing:
        image.SetSpacing(spacing)
    if direction:
        image.SetDirection(direction)
    SimpleITK.WriteImage(image, str(path))
    return path


@pytest.mark.parametrize("suffix", FORMATS)
@pytest.mark.parametrize("slices", [None, 1])
def test_formats(tmp_path: Path, suffix: str, slices: int | None) -> None:
    array = ARRAY if slices is None else ARRAY[None]
    spacing = (0.2, 0.3) if slices is None else (0.2, 0.3, 1.0)
    radiograph = read_radiograph(written(tmp_path / f"x{suffix}", array, spacing))
    np.testing.assert_allclose(radiograph.pixels, ARRAY / 65535, atol=1e-6)
    assert radiograph.spacing_mm == pytest.approx((0.3, 0.2)) and radiograph.spacing_source == "file header"
    assert radiograph.source.format == FORMATS[suffix] and radiograph.source.stored_shape == (90, 70)
    assert {"no-dicom", "non-square-pixels"} <= codes(radiograph)


@pytest.mark.parametrize("suffix", [".nrrd", ".nii", ".nii.gz", ".mha"])
@pytest.mark.parametrize("name", ["image", "image.dcm", "image.png", "image.nii", "image.nii.gz", "image.nrrd"])
def test_names_do_not_matter(tmp_path: Path, suffix: str, name: str) -> None:
    original = written(tmp_path / f"original{suffix}", ARRAY)
    expected = read_radiograph(original).pixels
    renamed = tmp_path / "elsewhere" / name
    renamed.parent.mkdir()
    shutil.copy(original, renamed)
    np.testing.assert_array_equal(read_radiograph(renamed).pixels, expected)
    assert sorted(renamed.parent.iterdir()) == [renamed]


@pytest.mark.parametrize("kind", ["u1", "i2", "i4", "f4", "f8"])
def test_types(tmp_path: Path, kind: str) -> None:
    array = (ARRAY.astype(float) / 65535 * (255 if kind == "u1" else 3000)).astype(kind)
    radiograph = read_radiograph(written(tmp_path / "x.nrrd", array))
    assert radiograph.pixels.min() == 0 and radiograph.pixels.max() == 1
    assert ("stretched" in codes(radiograph)) == (kind != "u1")
    again = radiograph_from_array(array, None)
    np.testing.assert_array_equal(again.pixels, radiograph.pixels)


@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("turns", range(4))
@pytest.mark.parametrize("frontal", [False, True])
def test_the_files_own_axes_are_followed(tmp_path: Path, mirrored: bool, turns: int, frontal: bool) -> None:
    """The upright slice has columns to the patient's left, rows to the back (as image slices lie) or to the feet."""
    placement = Placement(mirrored, turns)
    stored = np.ascontiguousarray(placement.undo(ARRAY))
    left, down = np.array([1.0, 0, 0]), np.array([0, 0, -1.0]) if frontal else np.array([0, 1.0, 0])
    matrix = placement.stored_to_upright(stored.shape)
    across_file = left * matrix[0, 0] + down * matrix[1, 0]
    down_file = left * matrix[0, 1] + down * matrix[1, 1]
    direction = np.stack([across_file, down_file, np.cross(across_file, down_file)], axis=1)
    path = written(tmp_path / "x.nrrd", stored[None], (0.2, 0.2, 1.0), tuple(direction.ravel()))
    radiograph = read_radiograph(path)
    np.testing.assert_allclose(radiograph.pixels, ARRAY / 65535, atol=1e-6)
    assert radiograph.placement == placement
    assert ("file-orientation" in codes(radiograph)) == (placement != Placement())


def test_one_by_one_millimetre_is_no_spacing(tmp_path: Path) -> None:
    radiograph = read_radiograph(written(tmp_path / "x.nrrd", ARRAY))
    assert radiograph.spacing_mm is None and "no-spacing" in codes(radiograph)


def test_a_slice_that_lies_in_another_plane(tmp_path: Path) -> None:
    """A sagittal plane of a volume: the axis of length one may be any."""
    radiograph = read_radiograph(written(tmp_path / "x.nrrd", ARRAY[:, None, :], (0.2, 0.7, 0.3)))
    assert radiograph.shape == (90, 70)
    assert radiograph.spacing_mm == pytest.approx((0.3, 0.2))


def test_warnings_of_itk_stay_on_for_others(tmp_path: Path) -> None:
    SimpleITK.ProcessObject.SetGlobalWarningDisplay(True)
    read_radiograph(written(tmp_path / "x.nrrd", ARRAY))
    assert SimpleITK.ProcessObject.GetGlobalWarningDisplay()
