"""Every way a DICOM file can be written gives the same pixels."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.dataset import FileDataset
from pydicom.encaps import encapsulate
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGLSLossless,
    JPEGLSNearLossless,
    RLELossless,
)
from radiograph.synthetic import SC, bytes_of, codes, data_set, grey_picture, save

from OsteoScreenLib.errors import InputError
from OsteoScreenLib.radiograph.decode import codestream_size
from OsteoScreenLib.radiograph.read import read_dataset, read_radiograph

WINDOW = {"WindowCenter": 2000, "WindowWidth": 3500}


def signed_twelve_bits() -> FileDataset:
    return data_set(grey_picture().astype("i2") - np.int16(2048), BitsStored=12, HighBit=11, WindowCenter=0, WindowWidth=3500)


@pytest.mark.parametrize("syntax", [RLELossless, JPEGLSLossless, JPEG2000Lossless])
@pytest.mark.parametrize("bits", [8, 10, 12, 16])
def test_lossless_codecs(tmp_path: Path, syntax: pydicom.uid.UID, bits: int) -> None:
    array = grey_picture(top=2**bits - 1, dtype="u1" if bits == 8 else "u2")
    dataset = data_set(array, BitsStored=bits, HighBit=bits - 1, WindowCenter=2 ** (bits - 1), WindowWidth=2**bits)
    expected = read_dataset(dataset).pixels
    dataset.compress(syntax)
    shown = read_radiograph(save(dataset, tmp_path / "image"))
    np.testing.assert_array_equal(shown.pixels, expected)
    assert "lossy" not in codes(shown)


@pytest.mark.parametrize("syntax", [RLELossless, JPEGLSLossless, JPEG2000Lossless])
def test_signed_pixels_through_codecs(tmp_path: Path, syntax: pydicom.uid.UID) -> None:
    dataset = signed_twelve_bits()
    expected = read_dataset(dataset).pixels
    dataset.compress(syntax)
    np.testing.assert_array_equal(read_radiograph(save(dataset, tmp_path / "image")).pixels, expected)


def test_near_lossless_and_baseline_jpeg(tmp_path: Path) -> None:
    array = grey_picture(top=255, dtype="u1")
    dataset = data_set(array, WindowCenter=128, WindowWidth=256)
    expected = read_dataset(dataset).pixels
    dataset.compress(JPEGLSNearLossless, jls_error=2)
    near = read_radiograph(save(dataset, tmp_path / "near"))
    np.testing.assert_allclose(near.pixels, expected, atol=2.01 / 255)
    assert "lossy" in codes(near)
    from PIL import Image

    stream = io.BytesIO()
    Image.fromarray(array).save(stream, "JPEG", quality=95)
    jpeg = data_set(array, WindowCenter=128, WindowWidth=256)
    jpeg.file_meta.TransferSyntaxUID = JPEGBaseline8Bit
    jpeg.PixelData = encapsulate([stream.getvalue()])
    jpeg["PixelData"].VR, jpeg["PixelData"].is_undefined_length = "OB", True
    baseline = read_radiograph(save(jpeg, tmp_path / "baseline"))
    np.testing.assert_allclose(baseline.pixels, expected, atol=0.1)
    assert "lossy" in codes(baseline)


@pytest.mark.parametrize("syntax", [ImplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian])
@pytest.mark.parametrize("kind", ["u1", "u2", "i2", "u4"])
def test_uncompressed_syntaxes(tmp_path: Path, syntax: pydicom.uid.UID, kind: str) -> None:
    array = grey_picture(top=250 if kind == "u1" else 4000, dtype=kind)
    expected = read_dataset(data_set(array)).pixels
    written = save(data_set(array, syntax=syntax), tmp_path / "image")
    np.testing.assert_array_equal(read_radiograph(written).pixels, expected)


def test_lookup_tables_in_big_endian(tmp_path: Path) -> None:
    array = grey_picture(top=1023)
    entries = np.rint(4095 * (np.arange(1024) / 1023) ** 2)
    dataset = data_set(array, syntax=ExplicitVRBigEndian, BitsStored=10, HighBit=9)
    item = pydicom.Dataset()
    item.add_new("LUTDescriptor", "US", [1024, 0, 12])
    item.add_new("LUTData", "OW", entries.astype(">u2").tobytes())
    dataset.VOILUTSequence = [item]
    shown = read_radiograph(save(dataset, tmp_path / "image"))
    np.testing.assert_allclose(shown.pixels, entries[array] / 4095, atol=1e-6)


@pytest.mark.parametrize("implicit", [True, False])
@pytest.mark.parametrize("preamble", [True, False])
def test_files_without_meta_information(tmp_path: Path, implicit: bool, preamble: bool) -> None:
    """A bare data set, and one behind the four letters without the 128 bytes before them."""
    dataset = data_set(grey_picture(), **WINDOW)
    expected = read_dataset(dataset).pixels
    stream = io.BytesIO()
    if preamble:
        stream = io.BytesIO(bytes_of(dataset)[128:])
    else:
        del dataset.file_meta
        pydicom.dcmwrite(stream, dataset, implicit_vr=implicit, little_endian=True, enforce_file_format=False)
        raw = stream.getvalue()
        stream = io.BytesIO(raw[132:] if raw[128:132] == b"DICM" else raw)
    path = tmp_path / "IM_0001"
    path.write_bytes(stream.getvalue())
    np.testing.assert_array_equal(read_radiograph(path).pixels, expected)


def test_private_tags_and_missing_elements(tmp_path: Path) -> None:
    dataset = data_set(grey_picture(), **WINDOW)
    expected = read_dataset(dataset).pixels
    block = dataset.private_block(0x0019, "A vendor 1.0", create=True)
    block.add_new(0x10, "UN", b"\x00\xff" * 40)
    for keyword in (
        "PhotometricInterpretation",
        "SamplesPerPixel",
        "PixelRepresentation",
        "HighBit",
        "BitsStored",
        "StudyInstanceUID",
    ):
        delattr(dataset, keyword)
    np.testing.assert_array_equal(read_radiograph(save(dataset, tmp_path / "image")).pixels, expected)


def test_odd_sizes_and_trailing_bytes(tmp_path: Path) -> None:
    array = grey_picture(97, 81, top=255, dtype="u1")
    dataset = data_set(array)
    expected = read_dataset(dataset).pixels
    dataset.PixelData = array.tobytes() + b"\0"
    path = save(dataset, tmp_path / "image")
    np.testing.assert_array_equal(read_radiograph(path).pixels, expected)


def test_a_header_that_denies_bits_is_not_believed(tmp_path: Path) -> None:
    """BitsStored 10 over 12-bit JPEG-LS data: folding the upper bits over would shatter the picture."""
    array = grey_picture(top=4095)
    dataset = data_set(array, BitsStored=12, HighBit=11, WindowCenter=2048, WindowWidth=4096)
    expected = read_dataset(dataset).pixels
    dataset.compress(JPEGLSLossless)
    dataset.BitsStored, dataset.HighBit = 10, 9
    shown = read_radiograph(save(dataset, tmp_path / "image"))
    np.testing.assert_array_equal(shown.pixels, expected)
    assert "bits-stored-disagrees" in codes(shown)


def test_overlay_bits_in_run_length_data_are_masked(tmp_path: Path) -> None:
    array = grey_picture(top=1023)
    dataset = data_set(array | 0x8000, BitsStored=10, HighBit=9, WindowCenter=512, WindowWidth=1024)
    expected = read_dataset(dataset).pixels
    dataset.compress(RLELossless)
    shown = read_radiograph(save(dataset, tmp_path / "image"))
    np.testing.assert_array_equal(shown.pixels, expected)
    assert len(np.unique(shown.pixels)) > 500


def test_bytes_behind_the_end_of_a_codestream(tmp_path: Path) -> None:
    from pydicom.encaps import generate_frames

    dataset = data_set(grey_picture(), **WINDOW)
    expected = read_dataset(dataset).pixels
    dataset.compress(JPEG2000Lossless)
    frame = next(generate_frames(dataset.PixelData, number_of_frames=1)).rstrip(b"\0")
    dataset.PixelData = encapsulate([frame + b"\xff" * 6])
    np.testing.assert_array_equal(read_radiograph(save(dataset, tmp_path / "image")).pixels, expected)


def test_sizes_are_found_in_codestreams() -> None:
    from pydicom.encaps import generate_frames

    for syntax in (JPEG2000Lossless, JPEGLSLossless):
        dataset = data_set(grey_picture(97, 81))
        dataset.compress(syntax)
        assert codestream_size(next(generate_frames(dataset.PixelData, number_of_frames=1))) == (97, 81)
    assert (
        codestream_size(b"\xff\xd8\xff") is None and codestream_size(b"") is None and codestream_size(b"\xff\xd8" * 40) is None
    )


def test_missing_codec_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from pydicom.pixels import get_decoder

    dataset = data_set(grey_picture(), sop_class=SC, modality="CR")
    dataset.compress(JPEG2000Lossless)
    path = save(dataset, tmp_path / "image")
    monkeypatch.setattr(get_decoder(JPEG2000Lossless), "_available", {})
    with pytest.raises(InputError, match=r"JPEG 2000 .*pylibjpeg-openjpeg") as caught:
        read_radiograph(path)
    assert caught.value.code == "missing-codec"


def test_a_data_set_without_syntax_in_memory() -> None:
    dataset = data_set(grey_picture(), **WINDOW)
    expected = read_dataset(dataset).pixels
    del dataset.file_meta
    np.testing.assert_array_equal(read_dataset(dataset).pixels, expected)
    assert ExplicitVRLittleEndian.is_little_endian
