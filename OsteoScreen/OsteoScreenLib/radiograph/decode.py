"""The pixel data of a DICOM data set → the array as stored, whatever the transfer syntax."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any

import numpy as np

from OsteoScreenLib.errors import InputError
from OsteoScreenLib.radiograph import header
from OsteoScreenLib.radiograph.limits import check_size, printable
from OsteoScreenLib.radiograph.lookup import Bits
from OsteoScreenLib.radiograph.quiet import quiet

if TYPE_CHECKING:
    from pydicom.dataset import Dataset
    from pydicom.uid import UID

# In this order, because they differ in speed and, for lossy JPEG, by a grey value. Pillow reads baseline JPEG fastest, but
# not all of the extended kind, so only there a second one is asked.
_PLUGINS = {"1.2.840.10008.1.2.4.50": ("pillow",), "1.2.840.10008.1.2.4.51": ("pillow",)}
_PREFERRED = ("pyjpegls", "pylibjpeg", "pillow", "gdcm", "pydicom")
_COLOURS = {"RGB", "YBR_FULL", "YBR_FULL_422", "YBR_ICT", "YBR_RCT", "YBR_PARTIAL_420"}


def stored_bits(dataset: Dataset, name: str) -> Bits:
    """BitsAllocated, BitsStored, HighBit and sign, with impossible values replaced by the usual ones."""
    allocated = header.integer(dataset, "BitsAllocated")
    if allocated not in (8, 16, 32):
        stated = "not stated" if allocated is None else f"{allocated}"
        raise InputError(
            f"{name} cannot be read: its pixels should have 8, 16 or 32 bits allocated (here: {stated}); export it again.",
            "unsupported-pixels",
        )
    stored = header.integer(dataset, "BitsStored") or allocated
    if not 1 <= stored <= allocated:
        stored = allocated
    high = header.integer(dataset, "HighBit")
    if high is None or not stored - 1 <= high < allocated:
        high = stored - 1
    return Bits(allocated, stored, high, header.integer(dataset, "PixelRepresentation") == 1)


def decode(dataset: Dataset, syntax: UID, bits: Bits, name: str) -> np.ndarray:
    """The stored pixels (rows, columns), or (rows, columns, 3) as RGB, in the header's container type.

    Raises
    ------
    InputError
        No pixels, an impossible size, a codec that is missing, or data that cannot be decoded; names the transfer syntax.
    """
    from pydicom.pixels import get_decoder

    element = header.value(dataset, "PixelData")
    if not isinstance(element, bytes):
        raise InputError(f"{name} holds pixels that cannot be read; copy or export it again.", "truncated")
    rows, columns = header.integer(dataset, "Rows") or 0, header.integer(dataset, "Columns") or 0
    check_size(rows, columns, name)
    if syntax.is_encapsulated:
        _check_codestream(element, rows, columns, syntax, name)
    try:
        decoder = get_decoder(syntax)
    except NotImplementedError:
        raise InputError(f"{name} is stored as {syntax.name}, which is not an image format read here.", "undecodable") from None
    if not decoder.is_available:
        raise InputError(
            f"{name} is stored as {syntax.name}, and no decoder for it is installed; install pylibjpeg, pylibjpeg-libjpeg, "
            "pylibjpeg-openjpeg, pylibjpeg-rle and pyjpegls.",
            "missing-codec",
        )
    options = _options(dataset, rows, columns, bits, name)
    preferred = [*_PLUGINS.get(syntax, ()), *_PREFERRED, *decoder.available_plugins]
    # Uncompressed pixels need no plugin, which pydicom spells "".
    plugins = sorted(decoder.available_plugins, key=preferred.index) or [""]
    if syntax not in _PLUGINS:
        del plugins[1:]  # a second, more lenient decoder would make a picture of damaged data
    failure: BaseException | None = None
    with quiet():
        for plugin in plugins:
            try:
                array, _ = decoder.as_array(element, decoding_plugin=plugin, **options)
                return array
            except (MemoryError, KeyboardInterrupt, SystemExit):
                raise
            except BaseException as error:  # every codec raises its own kinds, and one written in Rust panics past Exception
                failure = error
    if not syntax.is_encapsulated:
        raise InputError(
            f"{name} is truncated or damaged: its header announces more pixels than the file holds; copy or export it again.",
            "truncated",
        ) from failure
    raise InputError(
        f"{name} cannot be decoded: its {syntax.name} data is damaged; copy or export the image again.", "undecodable"
    ) from failure


def _options(dataset: Dataset, rows: int, columns: int, bits: Bits, name: str) -> dict[str, Any]:
    samples = header.integer(dataset, "SamplesPerPixel") or 1
    photometric = header.word(dataset, "PhotometricInterpretation") or ("RGB" if samples == 3 else "MONOCHROME2")
    grey = photometric in {"MONOCHROME1", "MONOCHROME2", "PALETTE COLOR"}
    if (samples, grey) not in {(1, True), (3, False)} or not (grey or photometric in _COLOURS):
        raise InputError(
            f"{name} stores its pixels as '{printable(photometric[:16])}' with {samples} samples each, which is not a radiograph's; "
            "export it as MONOCHROME2.",
            "unsupported-pixels",
        )
    return {
        "rows": rows,
        "columns": columns,
        "samples_per_pixel": samples,
        "photometric_interpretation": photometric,
        "bits_allocated": bits.allocated,
        "bits_stored": bits.stored,
        "pixel_representation": int(bits.signed),
        "planar_configuration": header.integer(dataset, "PlanarConfiguration") or 0,
        "number_of_frames": 1,
        "pixel_keyword": "PixelData",
        "pixel_vr": dataset["PixelData"].VR,
        # Masking is ours: it also knows HighBit.
        "correct_unused_bits": False,
    }


def _check_codestream(element: bytes, rows: int, columns: int, syntax: UID, name: str) -> None:
    """Compare the compressed image's own size with the header's, and look for its end, before a codec allocates anything."""
    from pydicom.encaps import generate_frames

    try:
        with quiet():
            frame = next(generate_frames(element, number_of_frames=1))
    except Exception as error:
        raise InputError(
            f"{name} is truncated or damaged: no complete {syntax.name} image is in it; copy or export it again.", "truncated"
        ) from error
    size = codestream_size(frame)
    if size is None:
        return  # RLE, or nothing that is recognised: the decoder answers
    if size != (rows, columns):
        check_size(*size, name)
        raise InputError(
            f"{name} contradicts itself: the header says {columns} × {rows} pixels, its {syntax.name} data "
            f"{size[1]} × {size[0]}; export it again.",
            "undecodable",
        )
    # Coded data never holds this marker, and some writers put padding behind it.
    if b"\xff\xd9" not in frame[-1024:]:
        raise InputError(
            f"{name} is truncated: its {syntax.name} data stops before the end; copy or export it again.", "truncated"
        )


def codestream_size(frame: bytes) -> tuple[int, int] | None:
    """(rows, columns) written in a JPEG, JPEG-LS or JPEG 2000 codestream, None when it is something else.

    JPEG 2000: SIZ marker (ISO/IEC 15444-1 A.5.1). JPEG and JPEG-LS: start-of-frame markers (ISO/IEC 10918-1 B.2.2).
    """
    if frame[:4] == b"\xff\x4f\xff\x51" and len(frame) >= 24:
        right, bottom, left, top = struct.unpack(">4I", frame[8:24])
        return bottom - top, right - left
    if frame[:2] != b"\xff\xd8":
        return None
    position = 2
    while position + 9 <= len(frame) and frame[position] == 0xFF:
        marker = frame[position + 1]
        if marker == 0xFF:  # fill byte
            position += 1
            continue
        if (0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC)) or marker == 0xF7:
            rows, columns = struct.unpack(">2H", frame[position + 5 : position + 9])
            return (rows, columns) if rows and columns else None
        position += 2 + int.from_bytes(frame[position + 2 : position + 4], "big")
    return None
