"""PNG, JPEG, TIFF and their kin: depth, colour, transparency, orientation marks, resolution."""

from __future__ import annotations

import hashlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image, ImageOps
from radiograph.synthetic import codes, grey_picture

from OsteoScreenLib.radiograph.radiograph import Radiograph
from OsteoScreenLib.radiograph.read import read_radiograph

EIGHT = grey_picture(120, 100, top=255, dtype="u1")
SIXTEEN = grey_picture(120, 100, top=65535)


def shown(image: Image.Image, path: Path, kind: str, **options: object) -> Radiograph:
    image.save(path, kind, **options)
    return read_radiograph(path)


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "BMP", "GIF"])
def test_eight_bits_are_taken_by_the_range_of_the_type(tmp_path: Path, kind: str) -> None:
    radiograph = shown(Image.fromarray(EIGHT), tmp_path / "x", kind)
    np.testing.assert_allclose(radiograph.pixels, EIGHT / 255, atol=1e-6)
    assert {"no-dicom", "no-spacing", "low-bit-depth"} <= codes(radiograph)
    assert radiograph.source.format == kind
    assert radiograph.source.sha256 == hashlib.sha256((tmp_path / "x").read_bytes()).hexdigest()
    assert radiograph.source.path == str(tmp_path / "x")


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_sixteen_bits_survive(tmp_path: Path, kind: str) -> None:
    radiograph = shown(Image.fromarray(SIXTEEN), tmp_path / "x", kind)
    np.testing.assert_allclose(radiograph.pixels, SIXTEEN / 65535, atol=1e-6)
    assert "low-bit-depth" not in codes(radiograph)


def test_twelve_bits_in_sixteen_are_stretched_and_said(tmp_path: Path) -> None:
    radiograph = shown(Image.fromarray(grey_picture(top=4095)), tmp_path / "x", "PNG")
    assert "stretched" in codes(radiograph)
    assert radiograph.pixels.min() == 0 and radiograph.pixels.max() == 1


def test_jpeg_is_lossy(tmp_path: Path) -> None:
    radiograph = shown(Image.fromarray(EIGHT), tmp_path / "x", "JPEG", quality=95)
    np.testing.assert_allclose(radiograph.pixels, EIGHT / 255, atol=0.1)
    assert "lossy" in codes(radiograph)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "LA", "P", "CMYK"])
def test_grey_in_other_clothes(tmp_path: Path, mode: str) -> None:
    image = Image.fromarray(EIGHT)
    image = image.convert("RGB").convert(mode) if mode in {"RGBA", "CMYK"} else image.convert(mode)
    radiograph = shown(image, tmp_path / "x", "TIFF" if mode == "CMYK" else "PNG")
    np.testing.assert_allclose(radiograph.pixels, EIGHT / 255, atol=1e-6)


def test_jpeg_in_colour_with_chroma_noise(tmp_path: Path) -> None:
    radiograph = shown(Image.fromarray(EIGHT).convert("RGB"), tmp_path / "x", "JPEG", quality=80)
    np.testing.assert_allclose(radiograph.pixels, EIGHT / 255, atol=0.2)


def test_a_coloured_marker_is_grey_and_said(tmp_path: Path) -> None:
    colour = np.stack([EIGHT] * 3, axis=-1)
    colour[5:12, 5:12] = (255, 0, 0)
    radiograph = shown(Image.fromarray(colour), tmp_path / "x", "PNG")
    assert "coloured-parts" in codes(radiograph)
    np.testing.assert_allclose(radiograph.pixels[20:], EIGHT[20:] / 255, atol=1e-6)


@pytest.mark.parametrize("suffix", [".png", ".tiff"])
@pytest.mark.parametrize("alpha", [False, True])
def test_sixteen_bits_a_channel_survive(tmp_path: Path, suffix: str, alpha: bool) -> None:
    channels = [SIXTEEN] * 3 + ([np.full_like(SIXTEEN, 65535)] if alpha else [])
    cv2.imwrite(str(tmp_path / f"x{suffix}"), np.stack(channels, axis=-1))
    radiograph = read_radiograph(tmp_path / f"x{suffix}")
    np.testing.assert_allclose(radiograph.pixels, SIXTEEN / 65535, atol=1e-6)


def test_transparent_surroundings_are_black(tmp_path: Path) -> None:
    opacity = np.full(EIGHT.shape, 255, "u1")
    opacity[:30] = 0
    colour = np.dstack([EIGHT] * 3 + [opacity])
    radiograph = shown(Image.fromarray(colour), tmp_path / "x", "PNG")
    assert (radiograph.pixels[:30] == 0).all() and "transparent" in codes(radiograph)
    np.testing.assert_allclose(radiograph.pixels[30:], EIGHT[30:] / 255, atol=1e-6)
    inverted = read_radiograph(tmp_path / "x", invert=True).pixels
    assert (inverted[:30] == 0).all()
    np.testing.assert_allclose(inverted[30:], 1 - EIGHT[30:] / 255, atol=1e-6)
    opacity[:] = 0
    whole = shown(Image.fromarray(np.dstack([EIGHT] * 3 + [opacity])), tmp_path / "y", "PNG")
    np.testing.assert_allclose(whole.pixels, EIGHT / 255, atol=1e-6)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "TIFF", "PNG"])
def test_orientation_marks_are_followed_and_recorded(tmp_path: Path, orientation: int, kind: str) -> None:
    image = Image.fromarray(EIGHT)
    exif = Image.Exif()
    exif[274] = orientation
    path = tmp_path / "x"
    image.save(path, kind, exif=exif)
    radiograph = read_radiograph(path)
    image.save(tmp_path / "plain", kind if kind == "JPEG" else "PNG", exif=exif)
    with Image.open(tmp_path / "plain") as opened:
        expected = np.asarray(ImageOps.exif_transpose(opened))
    np.testing.assert_allclose(radiograph.pixels, expected / 255, atol=1e-6)
    stored = radiograph.placement.undo(radiograph.pixels)
    np.testing.assert_allclose(stored, EIGHT / 255, atol=0.1 if kind == "JPEG" else 1e-6)
    assert radiograph.source.stored_shape == (120, 100)
    assert ("file-orientation" in codes(radiograph)) == (orientation != 1)


@pytest.mark.parametrize("array", [EIGHT, SIXTEEN])
def test_tiff_with_white_as_zero(tmp_path: Path, array: np.ndarray) -> None:
    image = Image.fromarray(array)
    radiograph = shown(image, tmp_path / "x", "TIFF", tiffinfo={262: 0})
    expected = array / np.iinfo(array.dtype).max
    # Pillow inverts what it writes with 8 bits and does not with 16.
    np.testing.assert_allclose(radiograph.pixels, 1 - expected if array.dtype == np.uint16 else expected, atol=1e-6)


def test_floating_point_tiff(tmp_path: Path) -> None:
    unit = (SIXTEEN / 65535).astype(np.float32)
    np.testing.assert_allclose(shown(Image.fromarray(unit), tmp_path / "x", "TIFF").pixels, unit, atol=1e-6)
    wide = shown(Image.fromarray(unit * 3000 - 1000), tmp_path / "x", "TIFF")
    assert "stretched" in codes(wide) and wide.pixels.max() == 1


@pytest.mark.parametrize(
    ("dpi", "mm"), [((150, 150), None), ((15, 15), 25.4 / 15), ((72, 72), None), ((5000, 5000), None), (None, None)]
)
def test_resolution_of_film_scanners(tmp_path: Path, dpi: tuple[int, int] | None, mm: float | None) -> None:
    """120 pixels at 15 per inch are a film of 20 cm; at 150 they would be one of 2 cm, which no scanner makes."""
    options: dict[str, object] = {"dpi": dpi} if dpi else {}
    radiograph = shown(Image.fromarray(EIGHT), tmp_path / "x", "TIFF", **options)
    assert radiograph.spacing_mm == (None if mm is None else pytest.approx((mm, mm)))
    assert radiograph.spacing_source == ("unknown" if mm is None else "file header")


def test_thumbnails_beside_the_picture_do_not_make_it_a_film(tmp_path: Path) -> None:
    thumbnail = Image.fromarray(EIGHT[::2, ::2])
    thumbnail.encoderinfo = {"tiffinfo": {254: 1}}
    radiograph = shown(Image.fromarray(EIGHT), tmp_path / "x", "TIFF", save_all=True, append_images=[thumbnail])
    assert radiograph.shape == EIGHT.shape


@pytest.mark.parametrize("name", ["image", "image.dcm", "image.jpg", "image.nii.gz", "IM 0001.txt", "Röntgen.png"])
def test_names_do_not_matter(tmp_path: Path, name: str) -> None:
    radiograph = shown(Image.fromarray(EIGHT), tmp_path / name, "PNG")
    np.testing.assert_allclose(radiograph.pixels, EIGHT / 255, atol=1e-6)
