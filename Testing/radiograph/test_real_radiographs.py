"""The real files, real trouble: each is read as its table says."""

from __future__ import annotations

import functools
from pathlib import Path

import numpy as np
import pytest
from radiograph.synthetic import codes

from OsteoScreenLib.errors import InputError
from OsteoScreenLib.radiograph.radiograph import Placement
from OsteoScreenLib.radiograph.read import read_radiograph

read_once = functools.cache(read_radiograph)


@pytest.fixture
def folder(shared_data: Path) -> Path:
    return shared_data / "radiographs"


@pytest.mark.parametrize(
    ("name", "shape", "mm", "view", "site", "noted"),
    [
        ("chest_pa_cr_8bit_jpeg.dcm", (1024, 1024), 0.168, "PA", "CHEST", {"secondary-capture", "lossy", "low-bit-depth", "outside-population"}),
        ("chest_cr_monochrome1_10bit.dcm", (440, 440), None, "PA", "CHEST", {"no-spacing", "low-resolution"}),
        ("chest_pa_j2k_pixelspacing_zero.dcm", (1955, 1841), None, "PA", "CHEST", {"no-spacing", "lossy"}),
        ("chest_dx_pa_12bit_j2k.dcm", (2128, 2000), 0.16, "PA", "CHEST", {"spacing-detector"}),
        ("chest_dx_inverted_upside_down_16bit.dcm", (1416, 1420), 0.4, "", "", {"header-orientation", "degenerate-window", "unknown-view"}),
        ("hip_j2k_lossless.dcm", (2140, 1760), 0.2, "", "HIP", {"unknown-view"}),
        ("panoramic_modality_lut.dcm", (1576, 1976), 0.15, "", "JAW", {"no-window"}),
        ("tibia_rle.dcm", (1760, 1760), None, "AP", "EXTREMITY", {"no-spacing", "header-orientation"}),
        ("animal_lateral_thorax.dcm", (169, 211), 1.2, "LATERAL", "CHEST", {"animal", "not-frontal-view", "low-resolution"}),
        ("chest_nih_00000001.png", (512, 512), None, "", "", {"no-dicom", "no-spacing"}),
    ],
)  # fmt: skip
def test_table(
    folder: Path, name: str, shape: tuple[int, int], mm: float | None, view: str, site: str, noted: set[str]
) -> None:
    radiograph = read_once(folder / name)
    assert radiograph.shape == radiograph.source.stored_shape == shape
    assert radiograph.spacing_mm == (None if mm is None else pytest.approx((mm, mm), rel=0.01))
    assert (radiograph.view, radiograph.site) == (view, site)
    assert noted <= codes(radiograph)
    assert radiograph.placement == Placement()
    low, high = np.percentile(radiograph.pixels, [2, 98])
    assert high - low > 0.4, "the picture uses its range"


def test_the_corrupt_codestream_is_refused(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(InputError, match="JPEG 2000") as caught:
        read_radiograph(folder / "chest_dx_corrupt_codestream.dcm")
    assert caught.value.code == "undecodable"
    assert capfd.readouterr() == ("", "")


def test_one_leg_two_codecs(folder: Path) -> None:
    rle, lossless = read_once(folder / "tibia_rle.dcm"), read_once(folder / "tibia_jpeg_lossless.dcm")
    np.testing.assert_array_equal(rle.pixels, lossless.pixels)


def test_twins_of_opposite_tag(folder: Path) -> None:
    one, other = (
        read_radiograph(folder / "chest_pa_cr_8bit_jpeg.dcm"),
        read_radiograph(folder / "chest_pa_tagged_monochrome1.dcm"),
    )
    np.testing.assert_array_equal(other.pixels, np.float32(1) - one.pixels)
    inverted = read_radiograph(folder / "chest_pa_tagged_monochrome1.dcm", invert=True)
    np.testing.assert_allclose(inverted.pixels, one.pixels, atol=1e-6)


def test_bones_are_bright(folder: Path) -> None:
    """Where the header tells the truth about polarity, the mediastinum is brighter than the lungs beside it."""
    for name in (
        "chest_pa_cr_8bit_jpeg",
        "chest_cr_monochrome1_10bit",
        "chest_pa_j2k_pixelspacing_zero",
        "chest_dx_pa_12bit_j2k",
    ):
        pixels = read_once(folder / f"{name}.dcm").pixels
        rows, columns = pixels.shape
        middle = pixels[rows // 3 : rows // 2, columns * 45 // 100 : columns * 55 // 100].mean()
        lung = pixels[rows // 3 : rows // 2, columns * 22 // 100 : columns * 32 // 100].mean()
        assert middle > lung + 0.1, name


def test_two_megapixel_files_read_without_waiting(folder: Path) -> None:
    import time

    for name, limit in (("tibia_rle.dcm", 0.7), ("chest_pa_j2k_pixelspacing_zero.dcm", 2.0)):
        read_radiograph(folder / name)
        started = time.process_time()
        read_radiograph(folder / name)
        assert time.process_time() - started < limit, name
