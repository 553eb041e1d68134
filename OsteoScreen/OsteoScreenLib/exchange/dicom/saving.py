"""A finished data set → a file, in a character set that holds all of its text."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from OsteoScreenLib.files import write_atomically

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pydicom.dataset import Dataset

UTF_8 = "ISO_IR 192"
_TEXT_VRS = {"LO", "LT", "PN", "SH", "ST", "UC", "UT"}


def save_dicom(path: Path, dataset: Dataset, character_set: Sequence[str] = ()) -> Path:
    """Write a data set atomically as a DICOM file (PS3.10).

    character_set : Specific Character Set to keep where it holds every text of the data set; else UTF-8 is written.
    Raises `OsteoScreenError` when the folder is full or cannot be written.
    """
    from OsteoScreenLib.radiograph.quiet import quiet

    with quiet():
        chosen = fitting_character_set(dataset, character_set)
        if chosen:
            dataset.SpecificCharacterSet = chosen[0] if len(chosen) == 1 else list(chosen)
        elif "SpecificCharacterSet" in dataset:
            del dataset.SpecificCharacterSet
        _forget_encodings(dataset)
        return write_atomically(path, lambda temporary: dataset.save_as(temporary, enforce_file_format=True))


def fitting_character_set(dataset: Dataset, wanted: Sequence[str]) -> tuple[str, ...]:
    """`wanted` when every text of the data set is the same after being written in it and read, else UTF-8; empty means ASCII."""
    from pydicom.charset import convert_encodings, decode_bytes, encode_string
    from pydicom.valuerep import PN_DELIMS

    texts = {text for text in _texts(dataset) if not text.isascii()}
    if not texts:
        return tuple(wanted) if _known(wanted) else ()
    if not _known(wanted) or not wanted:
        return (UTF_8,)
    encodings = convert_encodings(list(wanted))
    try:
        same = all(decode_bytes(encode_string(text, encodings), encodings, PN_DELIMS) == text for text in texts)
    except Exception:  # a codec refuses in its own way
        same = False
    return tuple(wanted) if same else (UTF_8,)


def _known(wanted: Sequence[str]) -> bool:
    """Whether every term is one of the standard's (PS3.3 C.12.1.1.2)."""
    from pydicom.charset import python_encoding

    return all(term in python_encoding for term in wanted)


def _forget_encodings(dataset: Dataset) -> None:
    """Make person's names anew: pydicom's remember the bytes of their first writing, whatever character set is stated in the next."""
    for element in dataset:
        if element.VR == "SQ":
            for item in element.value:
                _forget_encodings(item)
        elif element.VR == "PN" and element.value:
            element.value = [str(one) for one in element.value] if element.VM > 1 else str(element.value)


def _texts(dataset: Dataset) -> Iterator[str]:
    for element in dataset:
        if element.VR == "SQ":
            for item in element.value:
                yield from _texts(item)
        elif element.VR in _TEXT_VRS and element.value is not None:
            many = element.value if element.VM > 1 else [element.value]
            yield from (str(one) for one in many)
