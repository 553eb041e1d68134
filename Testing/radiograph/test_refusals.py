"""What is no readable radiograph ends in one sentence with a stable code, and nothing else on the terminal."""

from __future__ import annotations

import os
import struct
import time
import tracemalloc
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.uid import (
    MPEG4HP41,
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLSLossless,
    RLELossless,
)
from radiograph.synthetic import CR, DX, SC, bytes_of, data_set, grey_picture

from OsteoScreenLib.errors import InputError
from OsteoScreenLib.radiograph.read import radiograph_from_array, read_dataset, read_radiograph

Maker = Callable[[Path], object]


def refused(path: Path, capfd: pytest.CaptureFixture[str] | None = None) -> InputError:
    with pytest.raises(InputError) as caught:
        read_radiograph(path)
    message = str(caught.value)
    assert message.endswith(".") and "\n" not in message and "Traceback" not in message
    assert message.count(". ") == 0, "one sentence"
    if capfd is not None:
        assert capfd.readouterr() == ("", "")
    return caught.value


def big_png(rows: int, columns: int) -> bytes:
    """The header of a huge PNG: enough for whoever looks before allocating."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    lines = zlib.compress(bytes(columns + 1) * 64)
    head = struct.pack(">IIBBBBB", columns, rows, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", lines) + chunk(b"IEND", b"")


def compressed(syntax: str, damage: Callable[[bytes], bytes]) -> bytes:
    from pydicom.encaps import generate_frames

    dataset = data_set(grey_picture(256, 256))
    dataset.compress(syntax)
    dataset.PixelData = encapsulate([damage(next(generate_frames(dataset.PixelData, number_of_frames=1)))])
    return bytes_of(dataset)


def picture(name: str, shape: tuple[int, ...] = (100, 90, 3)) -> Maker:
    noise = np.random.default_rng(0).integers(0, 256, shape).astype("u1")
    return lambda path: Image.fromarray(noise).save(path, name)


def cut(kind: str) -> Maker:
    def make(path: Path) -> None:
        Image.fromarray(grey_picture(300, 300, top=255, dtype="u1")).save(path, kind)
        path.write_bytes(path.read_bytes()[: -20000 if kind == "TIFF" else -4000])

    return make


def animation(kind: str) -> Maker:
    frames = [Image.fromarray(np.roll(grey_picture(top=255, dtype="u1"), shift, 0)) for shift in (0, 5, 9)]
    return lambda path: frames[0].save(path, kind, save_all=True, append_images=frames[1:])


def lost_page(path: Path) -> None:
    """A TIFF whose pointer to the next page leads into its own header."""
    Image.fromarray(grey_picture(top=255, dtype="u1")).save(path, "TIFF")
    data = bytearray(path.read_bytes())
    (first,) = struct.unpack("<I", data[4:8])
    (entries,) = struct.unpack("<H", data[first : first + 2])
    data[first + 2 + 12 * entries] = 1
    path.write_bytes(data)


def nrrd(array: np.ndarray, name: str = "x.nrrd") -> Maker:
    def make(path: Path) -> None:
        import SimpleITK

        temporary = path.parent / name
        SimpleITK.WriteImage(SimpleITK.GetImageFromArray(array), str(temporary))
        temporary.rename(path)

    return make


def without_pixels() -> bytes:
    dataset = data_set(grey_picture())
    del dataset.PixelData
    return bytes_of(dataset)


def write(data: bytes) -> Maker:
    return lambda path: path.write_bytes(data)


def with_nan(share: str) -> np.ndarray:
    array = grey_picture().astype("f4")
    if share == "all":
        array[:] = np.nan
    elif share == "infinite":
        array[3, 4] = np.inf
    else:
        array[3, 4] = np.nan
    return array


CT, MR, US, XC, NM = (
    "1.2.840.10008.5.1.4.1.1." + tail for tail in ("2", "4", "6.1", "77.1.4", "20")
)  # fmt: skip
CASES: dict[str, tuple[str, Maker]] = {
    "empty": ("empty-file", write(b"")),
    "text": ("not-an-image", write(b"patient,age\n1,2\n" * 40)),
    "one byte": ("not-an-image", write(b"\0")),
    "noise": ("not-an-image", write(np.random.default_rng(1).bytes(5000))),
    "pdf": ("not-an-image", write(b"%PDF-1.7\n" + bytes(500))),
    "zip": ("not-an-image", write(b"PK\x03\x04" + bytes(500))),
    "pickle": ("not-an-image", write(b"\x80\x04\x95\x10\x00\x00\x00\x00\x00\x00\x00\x8c\x08builtins" + bytes(200))),
    "numpy file": ("not-an-image", write(b"\x93NUMPY\x01\x00" + bytes(500))),
    "ct": ("not-a-radiograph", write(bytes_of(data_set(grey_picture(), sop_class=CT, modality="CT")))),
    "ct called cr": ("not-a-radiograph", write(bytes_of(data_set(grey_picture(), sop_class=CT, modality="CR")))),
    "captured ct": ("not-a-radiograph", write(bytes_of(data_set(grey_picture(), sop_class=SC, modality="CT")))),
    "mr": ("not-a-radiograph", write(bytes_of(data_set(grey_picture(), sop_class=MR, modality="MR")))),
    "us": ("not-a-radiograph", write(bytes_of(data_set(grey_picture(), sop_class=US, modality="US")))),
    "nm": ("not-a-radiograph", write(bytes_of(data_set(grey_picture(), sop_class=NM, modality="NM")))),
    "mammogram": ("not-a-radiograph", write(bytes_of(data_set(grey_picture(), sop_class=DX + ".0", modality="MG")))),
    "unknown class": ("not-a-radiograph", write(bytes_of(data_set(grey_picture(), sop_class="1.2.3.4", modality="DX")))),
    "xc": ("photograph", write(bytes_of(data_set(grey_picture(), sop_class=XC, modality="XC")))),
    "colour capture": ("colour-photo", write(bytes_of(data_set(np.random.default_rng(0).integers(0, 256, (90, 90, 3)).astype("u1"), sop_class=SC, modality="OT")))),
    "cine": ("multi-frame", write(bytes_of(data_set(np.concatenate([grey_picture()] * 4), sop_class=SC + ".3", modality="CR", Rows=96, NumberOfFrames=4)))),
    "dicomdir": ("not-an-image-object", write(bytes_of(data_set(grey_picture(), sop_class="1.2.840.10008.1.3.10", modality="")))),
    "report": ("not-an-image-object", write(bytes_of(data_set(grey_picture(), sop_class=CT[:-1] + "88.33", modality="SR")))),
    "segmentation": ("not-an-image-object", write(bytes_of(data_set(grey_picture(), sop_class=CT[:-1] + "66.4", modality="SEG")))),
    "encapsulated pdf": ("not-an-image-object", write(bytes_of(data_set(grey_picture(), sop_class=CT[:-1] + "104.1", modality="OT")))),
    "no pixels": ("no-pixels", write(without_pixels())),
    "no rows": ("damaged-header", write(bytes_of(data_set(grey_picture(), Rows=None)))),
    "zero rows": ("damaged-header", write(bytes_of(data_set(grey_picture(), Rows=0)))),
    "one bit": ("unsupported-pixels", write(bytes_of(data_set(grey_picture(), BitsAllocated=1)))),
    "no bits": ("unsupported-pixels", write(bytes_of(data_set(grey_picture(), BitsAllocated=None)))),
    "hsv": ("unsupported-pixels", write(bytes_of(data_set(grey_picture(), PhotometricInterpretation="HSV")))),
    "broken palette": ("undecodable", write(bytes_of(data_set(grey_picture(), PhotometricInterpretation="PALETTE COLOR")))),
    "tiny": ("too-small", write(bytes_of(data_set(grey_picture(63, 500))))),
    "one pixel": ("too-small", write(bytes_of(data_set(np.ones((1, 1), "u2"))))),
    "12000 squared dicom": ("too-large", write(bytes_of(data_set(grey_picture(), Rows=12000, Columns=12000)))),
    "constant": ("constant", write(bytes_of(data_set(np.full((90, 90), 7, "u2"))))),
    "short pixels": ("truncated", write(bytes_of(data_set(grey_picture(), Rows=200)))),
    "cut file": ("truncated", write(bytes_of(data_set(grey_picture()))[:-3000])),
    "cut after the header": ("no-pixels", write(bytes_of(data_set(grey_picture()))[:420])),
    "cut in the meta information": ("truncated", write(bytes_of(data_set(grey_picture()))[:250])),
    "cut jpeg 2000": ("truncated", write(compressed(JPEG2000Lossless, lambda frame: frame[: len(frame) // 2]))),
    "cut jpeg-ls": ("truncated", write(compressed(JPEGLSLossless, lambda frame: frame[: len(frame) // 2]))),
    "cut rle": ("undecodable", write(compressed(RLELossless, lambda frame: frame[: len(frame) // 2]))),
    "rle that overflows": (
        "undecodable",
        write(compressed(RLELossless, lambda frame: frame[:64] + b"\x81\x01" * 515 + frame[1094:])),
    ),
    "garbage": ("undecodable", write(compressed(JPEG2000Lossless, lambda frame: bytes(1000)))),
    "holes in jpeg 2000": ("undecodable", write(compressed(JPEG2000Lossless, lambda frame: frame[:300] + bytes(3000) + b"\xff\xd9"))),
    "empty jpeg-ls": ("undecodable", write(compressed(JPEGLSLossless, lambda frame: b"\xff\xd8" + bytes(300) + b"\xff\xd9"))),
    "lying codestream": ("undecodable", write(compressed(JPEG2000Lossless, lambda frame: frame[:8] + struct.pack(">2I", 200, 200) + frame[16:]))),
    "huge codestream": ("too-large", write(compressed(JPEG2000Lossless, lambda frame: frame[:8] + struct.pack(">2I", 60000, 60000) + frame[16:]))),
    "1x1 png": ("too-small", picture("PNG", shape=(1, 1))),
    "12000 squared png": ("too-large", write(big_png(12000, 12000))),
    "decompression bomb": ("too-large", write(big_png(60000, 60000))),
    "cut png": ("truncated", cut("PNG")), "cut jpeg": ("truncated", cut("JPEG")), "cut tiff": ("truncated", cut("TIFF")),
    "colour jpeg": ("colour-photo", picture("JPEG")),
    "colour png": ("colour-photo", picture("PNG")),
    "colour tiff": ("colour-photo", picture("TIFF")),
    "gif animation": ("animation", animation("GIF")),
    "png animation": ("animation", animation("PNG")),
    "pages": ("multi-frame", animation("TIFF")),
    "pointer to a page that is none": ("undecodable", lost_page),
    "constant png": ("constant", lambda path: Image.new("L", (90, 90), 80).save(path, "PNG")),
    "broken png": ("undecodable", write(b"\x89PNG\r\n\x1a\n" + bytes(100))),
    "broken tiff": ("undecodable", write(b"II*\0" + bytes(100))),
    "volume": ("volume", nrrd(np.zeros((5, 90, 90), "u2"))),
    "nifti volume": ("volume", nrrd(np.zeros((5, 90, 90), "u2"), "x.nii.gz")),
    "time series": ("volume", nrrd(np.zeros((3, 5, 90, 90), "f4"), "x.nii")),
    "colour nrrd": ("colour-photo", lambda path: nrrd_colour(path)),
    "broken nrrd": ("truncated", write(b"NRRD0004\ntype: short\ndimension: 2\nsizes: 100 100\nendian: little\nencoding: raw\n\n" + bytes(50))),
    "huge nrrd": ("too-large", write(b"NRRD0004\ntype: short\ndimension: 2\nsizes: 12000 12000\nendian: little\nencoding: raw\n\n" + bytes(50))),
    "nrrd pointing elsewhere": ("truncated", write(b"NRRD0004\ntype: uchar\ndimension: 2\nsizes: 70 70\nencoding: raw\ndata file: /etc/passwd\n\n")),
    "metaimage pointing elsewhere": ("truncated", write(b"ObjectType = Image\nNDims = 2\nDimSize = 70 70\nElementType = MET_UCHAR\nElementDataFile = ../x.raw\n")),
    "nan": ("not-finite", nrrd(with_nan("one"))),
    "only nan": ("not-finite", nrrd(with_nan("all"))),
    "infinite": ("not-finite", nrrd(with_nan("infinite"))),
    "nan tiff": ("not-finite", lambda path: Image.fromarray(with_nan("one")).save(path, "TIFF")),
}  # fmt: skip


def nrrd_colour(path: Path) -> None:
    import SimpleITK

    image = SimpleITK.GetImageFromArray(np.random.default_rng(0).integers(0, 255, (90, 90, 3)).astype("u1"), isVector=True)
    SimpleITK.WriteImage(image, str(path.parent / "x.nrrd"))
    (path.parent / "x.nrrd").rename(path)


@pytest.mark.parametrize("case", CASES)
def test_refusal(case: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    code, make = CASES[case]
    path = tmp_path / "a_file"
    make(path)
    error = refused(path, capfd)
    assert error.code == code, str(error)
    assert "a_file" in str(error)


def test_jpeg_2000_names_its_syntax(tmp_path: Path) -> None:
    path = tmp_path / "image.dcm"
    path.write_bytes(compressed(JPEG2000Lossless, lambda frame: bytes(1000)))
    assert "JPEG 2000" in str(refused(path))


def test_video_is_refused(tmp_path: Path) -> None:
    dataset = data_set(grey_picture(top=255, dtype="u1"), sop_class=SC, modality="OT")
    dataset.file_meta.TransferSyntaxUID = MPEG4HP41
    dataset.PixelData = encapsulate([bytes(500)])
    path = tmp_path / "video"
    path.write_bytes(bytes_of(dataset))
    assert "MPEG-4" in str(refused(path))


def test_folder_missing_file_and_pipe(tmp_path: Path) -> None:
    assert refused(tmp_path).code == "directory"
    assert refused(tmp_path / "nothing.dcm").code == "missing-file"
    assert refused(tmp_path / "nothing" / "nothing.dcm").code == "missing-file"
    assert refused(Path("\0")).code == "unreadable-file"
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe")
        assert refused(tmp_path / "pipe").code == "not-a-file"


def test_odd_names_stay_on_one_line(tmp_path: Path) -> None:
    for name in ("two\nlines", "bell\a", os.fsdecode(b"caf\xe9")):
        path = tmp_path / name
        path.write_bytes(b"text")
        str(refused(path)).encode()


def test_a_file_that_may_not_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "secret.dcm"
    path.write_bytes(b"x")

    def denied(self: Path) -> bytes:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "read_bytes", denied)  # root may read everything
    assert refused(path).code == "unreadable-file"


def test_nothing_huge_is_allocated(tmp_path: Path) -> None:
    files = {"a.png": big_png(12000, 12000), "b.dcm": bytes_of(data_set(grey_picture(), Rows=12000, Columns=12000))}
    tracemalloc.start()
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
        started = time.process_time()
        assert refused(tmp_path / name).code == "too-large"
        assert time.process_time() - started < 1
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 20_000_000


def test_a_deflated_bomb_does_not_go_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import OsteoScreenLib.radiograph.dicom as dicom

    monkeypatch.setattr(dicom, "MAXIMUM_BYTES", 1_000_000)
    path = tmp_path / "bomb"
    path.write_bytes(bytes_of(data_set(np.zeros((1000, 1000), "u2"), syntax=DeflatedExplicitVRLittleEndian)))
    assert path.stat().st_size < 100_000
    assert refused(path).code == "too-large"
    whole = bytes_of(data_set(grey_picture(), syntax=DeflatedExplicitVRLittleEndian))
    path.write_bytes(whole[: len(whole) // 2])
    assert refused(path).code == "truncated"


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, DeflatedExplicitVRLittleEndian])
def test_millions_of_empty_elements_are_not_waited_for(syntax: UID, tmp_path: Path) -> None:
    """Zeros behind a data set read as empty elements, eight bytes each; deflated they hardly need room."""
    path, zeros = tmp_path / "zeros", bytes(64 << 20)
    whole = bytes_of(data_set(grey_picture(), syntax=syntax))
    if syntax.is_deflated:
        start = 144 + int.from_bytes(whole[140:144], "little")
        packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
        plain = zlib.decompress(whole[start:], -zlib.MAX_WBITS)
        path.write_bytes(whole[:start] + packer.compress(plain + zeros) + packer.flush())
        assert path.stat().st_size < 200_000
    else:
        path.write_bytes(whole + zeros)
    started = time.process_time()
    assert refused(path).code == "damaged-header"
    assert time.process_time() - started < 5
    path.write_bytes(whole if syntax.is_deflated else whole + bytes(1 << 20))
    read_radiograph(path)  # padding to the end of a block is no fault


def test_sequences_without_end_are_left_out(tmp_path: Path) -> None:
    from pydicom.dataelem import DataElement

    dataset, path = data_set(grey_picture()), tmp_path / "sequences"
    tags = (0x00082218, 0x00283010, 0x52009229, 0x00091010)  # what reading looks at, and a private one
    for tag in tags:
        dataset.add(DataElement(tag, "UN", bytes(8 << 20)))
    data = bytes_of(dataset)
    for tag in tags:
        head = struct.pack("<2H", tag >> 16, tag & 0xFFFF)
        assert head + b"UN" in data
        data = data.replace(head + b"UN", head + b"SQ")
    path.write_bytes(data)
    started = time.process_time()
    whole = read_dataset(data_set(grey_picture()))
    np.testing.assert_array_equal(read_radiograph(path).pixels, whole.pixels)
    assert time.process_time() - started < 3


@pytest.mark.parametrize(("kind", "size"), [("CS", 60_000), ("SQ", 8 << 20), ("US", 8 << 20)])
def test_an_endless_character_set_is_not_waited_for(kind: str, size: int, tmp_path: Path) -> None:
    """pydicom decodes this one element while it reads the others."""
    whole, path = bytes_of(data_set(grey_picture())), tmp_path / "characters"
    at = whole.index(b"\x08\x00\x16\x00UI")
    head = struct.pack("<2H2sH", 0x0008, 0x0005, kind.encode(), size if kind == "CS" else 0)
    if kind != "CS":
        head = struct.pack("<2H2sHI", 0x0008, 0x0005, b"SQ" if kind == "SQ" else b"UN", 0, size)
    path.write_bytes(whole[:at] + head + bytes(size) + whole[at:])
    started = time.process_time()
    assert refused(path).code == "damaged-header"
    assert time.process_time() - started < 2


def test_many_items_are_left_out_and_some_are_not(tmp_path: Path) -> None:
    from OsteoScreenLib.radiograph.dicom import parse_dicom

    item = struct.pack("<2HI", 0xFFFE, 0xE000, 0)
    whole = bytes_of(data_set(grey_picture()))
    at = whole.index(b"\x10\0\x10\0PN")
    for count, there in ((100, True), (100_000, False)):
        sequence = struct.pack("<2H2s2xI", 0x0008, 0x1140, b"SQ", len(item) * count) + item * count
        assert ("ReferencedImageSequence" in parse_dicom(whole[:at] + sequence + whole[at:], "many")) is there


def test_odd_words_of_a_header_stay_out_of_the_sentence(tmp_path: Path) -> None:
    path = tmp_path / "a_file"
    path.write_bytes(bytes_of(data_set(grey_picture(), PhotometricInterpretation="GREY\x07 of Nightingale^Florence")))
    sentence = str(refused(path))
    assert sentence.isprintable() and "Florence" not in sentence


def test_memory_that_runs_out_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from pydicom.pixels.decoders import RLELosslessDecoder

    dataset = data_set(grey_picture())
    dataset.compress(RLELossless)
    path = tmp_path / "image"
    path.write_bytes(bytes_of(dataset))

    def full(*_: object, **__: object) -> None:
        raise MemoryError

    monkeypatch.setattr(RLELosslessDecoder, "as_array", full)
    assert refused(path).code == "too-large"


@pytest.mark.parametrize(
    "array", [np.zeros((3, 90, 90)), np.zeros((70, 70, 70)), np.zeros(500), np.zeros(()), np.ones((90, 90))]
)
def test_arrays_that_are_no_radiograph(array: np.ndarray) -> None:
    with pytest.raises(InputError):
        radiograph_from_array(array)


def test_complex_arrays_and_texts() -> None:
    for array in (np.ones((90, 90), complex), np.full((90, 90), "x"), np.full((90, 90), None)):
        with pytest.raises(InputError) as caught:
            radiograph_from_array(array)
        assert caught.value.code == "unsupported-pixels"


def test_data_sets_in_memory_are_refused_alike() -> None:
    for dataset, code in (
        (Dataset(), "no-pixels"),
        (data_set(grey_picture(), sop_class=CR, modality="MR"), "not-a-radiograph"),
    ):
        with pytest.raises(InputError) as caught:
            read_dataset(dataset)
        assert caught.value.code == code
