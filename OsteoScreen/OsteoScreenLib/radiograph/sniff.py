"""What a file is, from its first bytes. Names and extensions do not matter: hospital exports often have neither."""

from __future__ import annotations

import zlib
from typing import Literal

Kind = Literal["dicom", "picture", "nrrd", "nifti", "metaimage", "pdf", "archive", "unknown"]

_PICTURES = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"II*\0", b"MM\0*", b"II+\0", b"MM\0+", b"GIF8", b"BM", b"\xff\x4f\xff\x51")
_JP2 = b"\0\0\0\x0cjP  "
_GROUPS = (2, 8)
_VRS = {b"UL", b"UI", b"CS", b"SH", b"LO", b"DA", b"TM", b"OB", b"AE", b"SQ", b"ST", b"DT", b"IS", b"US"}


def kind_of(data: bytes) -> Kind:
    """Recognise the format of a file's bytes."""
    if data[128:132] == b"DICM" or data[:4] == b"DICM":
        return "dicom"
    if data.startswith(_PICTURES) or data.startswith(_JP2) or (data[:4] == b"RIFF" and data[8:12] == b"WEBP"):
        return "picture"
    if data.startswith(b"NRRD000"):
        return "nrrd"
    if _is_nifti(data):
        return "nifti"
    if data.startswith(b"\x1f\x8b"):
        return "nifti" if _is_nifti(_first_unzipped(data)) else "archive"
    if data.startswith(b"%PDF"):
        return "pdf"
    if data.startswith((b"PK\x03\x04", b"7z\xbc\xaf", b"Rar!", b"BZh", b"\xfd7zXZ")):
        return "archive"
    if _is_metaimage(data):
        return "metaimage"
    return "dicom" if _is_bare_dataset(data) else "unknown"


def _is_nifti(data: bytes) -> bool:
    """NIfTI-1 (348 bytes of header) or NIfTI-2 (540), in one file or with a separate image."""
    if data[:4] in (b"\x5c\x01\0\0", b"\0\0\x01\x5c"):
        return data[344:348] in (b"n+1\0", b"ni1\0")
    return data[:4] in (b"\x1c\x02\0\0", b"\0\0\x02\x1c") and data[4:8] in (b"n+2\0", b"ni2\0")


def _first_unzipped(data: bytes) -> bytes:
    try:
        return zlib.decompressobj(zlib.MAX_WBITS | 16).decompress(data[:65536], 600)
    except zlib.error:
        return b""


def _is_metaimage(data: bytes) -> bool:
    keys = {line.split(b"=")[0].strip() for line in data[:4096].split(b"\n") if b"=" in line}
    return {b"NDims", b"DimSize", b"ElementType"} <= keys


def _is_bare_dataset(data: bytes) -> bool:
    """A DICOM data set without preamble: it opens with a low group, and a value representation or a sane length."""
    if len(data) < 16:
        return False
    for order in ("little", "big"):
        group, element = int.from_bytes(data[:2], order), int.from_bytes(data[2:4], order)
        if group in _GROUPS and element <= 0x0070:
            length = int.from_bytes(data[4:8], order)
            return data[4:6] in _VRS or (order == "little" and length % 2 == 0 and length <= 128)
    return False
