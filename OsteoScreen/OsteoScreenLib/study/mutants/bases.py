"""The whole files that mutants are made from: real and shipped radiographs, and small copies in every transfer syntax written here."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from OsteoScreenLib.errors import InputError
from OsteoScreenLib.radiograph.quiet import quiet
from OsteoScreenLib.radiograph.sniff import kind_of

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

SIDE = 256  # of the small copies' longer side: decoding takes milliseconds


@dataclass(frozen=True)
class Base:
    """A whole DICOM file in memory. name : its file's, with what was done to it."""

    name: str
    data: bytes


def bases(files: Sequence[Path]) -> list[Base]:
    """The DICOM files as they are, each that decodes also small, and the last of those in every syntax that can be written.

    Raises `InputError` when none of the files is a DICOM radiograph.
    """
    whole = [Base(path.name, data) for path in files if kind_of(data := path.read_bytes()) == "dicom"]
    small = [(base.name, dataset) for base in whole if (dataset := _small(base)) is not None]
    if not small:
        raise InputError("There is no readable DICOM radiograph to make mutants from; name another folder.", "no-radiographs")
    found = [*whole, *(Base(f"{name}, small", _bytes_of(dataset)) for name, dataset in small)]
    name, dataset = small[-1]
    for syntax, rewrite in _REWRITES.items():
        found.append(Base(f"{name}, small, {syntax}", _bytes_of(rewrite(_copy(dataset)))))
    return found


def _small(base: Base) -> Dataset | None:
    """The image decoded and made smaller, its other tags as they are; None where it cannot be read."""
    import cv2
    from pydicom.config import disable_value_validation
    from pydicom.uid import ExplicitVRLittleEndian

    from OsteoScreenLib.radiograph.decode import decode, stored_bits
    from OsteoScreenLib.radiograph.dicom import parse_dicom

    try:
        with quiet(), disable_value_validation():
            dataset = parse_dicom(base.data, base.name)
            pixels = decode(dataset, dataset.file_meta.TransferSyntaxUID, stored_bits(dataset, base.name), base.name)
    except InputError:
        return None
    if pixels.ndim != 2 or pixels.dtype.itemsize > 2:
        return None
    factor = min(1.0, SIDE / max(pixels.shape))
    shape = (max(64, round(pixels.shape[1] * factor)), max(64, round(pixels.shape[0] * factor)))
    array = cv2.resize(pixels.view(f"u{pixels.dtype.itemsize}"), shape, interpolation=cv2.INTER_NEAREST)
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    return _with_pixels(dataset, array)


def _with_pixels(dataset: Dataset, array: np.ndarray) -> Dataset:
    dataset.Rows, dataset.Columns = array.shape
    dataset.PixelData = array.tobytes() + b"\0" * (array.nbytes % 2)
    dataset["PixelData"].VR = "OW" if array.dtype.itemsize > 1 else "OB"
    dataset["PixelData"].is_undefined_length = False
    return dataset


def _copy(dataset: Dataset) -> Dataset:
    import pydicom

    return pydicom.dcmread(io.BytesIO(_bytes_of(dataset)))


def _bytes_of(dataset: Dataset) -> bytes:
    from pydicom.config import disable_value_validation
    from pydicom.filewriter import dcmwrite

    stream = io.BytesIO()
    with quiet(), disable_value_validation():
        dcmwrite(stream, dataset, enforce_file_format=True)
    return stream.getvalue()


def _syntax(uid: str) -> Callable[[Dataset], Dataset]:
    def rewrite(dataset: Dataset) -> Dataset:
        from pydicom.uid import UID, ExplicitVRBigEndian

        syntax = UID(uid)
        if syntax.is_compressed and not syntax.is_deflated:
            dataset.compress(syntax, generate_instance_uid=False)
            return dataset
        if syntax == ExplicitVRBigEndian:
            pixels = np.frombuffer(dataset.PixelData, f"<u{dataset.BitsAllocated // 8}")
            dataset.PixelData = pixels.astype(pixels.dtype.newbyteorder(">")).tobytes()
        dataset.file_meta.TransferSyntaxUID = syntax
        return _reencoded(dataset, syntax.is_implicit_VR, syntax.is_little_endian)

    return rewrite


def _reencoded(dataset: Dataset, implicit: bool, little: bool) -> Dataset:
    """The same elements, decoded once, so that they can be written in another encoding."""
    from pydicom.dataset import FileDataset

    for _ in dataset.iterall():
        pass  # elements are decoded when they are looked at
    return FileDataset(
        "", dataset, preamble=bytes(128), file_meta=dataset.file_meta, is_implicit_VR=implicit, is_little_endian=little
    )


def _eight_bits(dataset: Dataset) -> np.ndarray:
    array = np.frombuffer(dataset.PixelData, f"u{dataset.BitsAllocated // 8}")[: dataset.Rows * dataset.Columns]
    top = max(1, int(array.max()))
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 8, 8, 7, 0
    return (array.reshape(dataset.Rows, dataset.Columns).astype(float) * 255 / top).astype(np.uint8)


def _jpeg(dataset: Dataset) -> Dataset:
    """Baseline JPEG, which pydicom does not write."""
    from PIL import Image
    from pydicom.encaps import encapsulate
    from pydicom.uid import JPEGBaseline8Bit

    stream = io.BytesIO()
    Image.fromarray(_eight_bits(dataset)).save(stream, "JPEG", quality=90)
    dataset.PixelData = encapsulate([stream.getvalue()])
    dataset["PixelData"].is_undefined_length = True
    dataset.file_meta.TransferSyntaxUID = JPEGBaseline8Bit
    return dataset


def _rich(dataset: Dataset) -> Dataset:
    """Nested sequences, tables, a shutter, an overlay, private elements and a name in three scripts."""
    from pydicom.dataset import Dataset

    dataset.SpecificCharacterSet = ["", "ISO 2022 IR 87"]
    dataset.PatientName = "Yamada^Tarou=山田^太郎=やまだ^たろう"
    code = Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = "399348003", "SCT", "antero-posterior"
    view = deepcopy(code)
    view.ViewModifierCodeSequence = [deepcopy(code)]
    dataset.ViewCodeSequence = [view]
    request = Dataset()
    request.RequestedProcedureDescription, request.ScheduledProtocolCodeSequence = "Thorax", [view]
    dataset.RequestAttributesSequence = [request]
    table = Dataset()
    table.LUTDescriptor, table.LUTData = [4096, 0, 16], np.linspace(0, 65535, 4096).astype("<u2").tobytes()
    table["LUTDescriptor"].VR, table["LUTData"].VR = "US", "OW"
    dataset.VOILUTSequence = [table]
    dataset.ShutterShape = ["RECTANGULAR", "POLYGONAL"]
    dataset.ShutterLeftVerticalEdge, dataset.ShutterRightVerticalEdge = 5, 250
    dataset.ShutterUpperHorizontalEdge, dataset.ShutterLowerHorizontalEdge = 5, 250
    dataset.VerticesOfThePolygonalShutter = [5, 5, 5, 250, 250, 250, 250, 5]
    block = dataset.private_block(0x0009, "A VENDOR", create=True)
    block.add_new(0x01, "LO", "words")
    block.add_new(0x10, "SQ", [deepcopy(code)])
    dataset.add_new(0x60000010, "US", dataset.Rows)
    dataset.add_new(0x60000011, "US", dataset.Columns)
    dataset.add_new(0x60003000, "OW", bytes(dataset.Rows * dataset.Columns // 16 * 2))
    return dataset


_REWRITES: dict[str, Callable[[Dataset], Dataset]] = {
    "implicit": _syntax("1.2.840.10008.1.2"),
    "big endian": _syntax("1.2.840.10008.1.2.2"),
    "deflated": _syntax("1.2.840.10008.1.2.1.99"),
    "RLE": _syntax("1.2.840.10008.1.2.5"),
    "JPEG-LS": _syntax("1.2.840.10008.1.2.4.80"),
    "JPEG 2000": _syntax("1.2.840.10008.1.2.4.90"),
    "JPEG": _jpeg,
    "rich": _rich,
}
