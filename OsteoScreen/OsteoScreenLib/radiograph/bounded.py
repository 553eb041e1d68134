"""Bounds on reading a DICOM header: zeros and the like can be taken for millions of elements, which take minutes to decode.

A radiograph's header has some hundreds of elements and kilobytes of sequences.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

_MOST_TURNS = 200_000
_LARGEST_SEQUENCES = 4 << 20  # all of them together
_MOST_ITEMS = 50_000
_LARGEST_CHARACTER_SET = 4096
_ITEMS = 0xFFFE
_ITEM_MARKS = (b"\xfe\xff\x00\xe0", b"\xff\xfe\xe0\x00")  # FFFE,E000 in either byte order
_CHARACTER_SET_MARKS = (b"\x08\x00\x05\x00", b"\x00\x08\x00\x05")  # 0008,0005


class BoundedBytes(io.BytesIO):
    """A file's bytes, given out in so many pieces at most. Specific Character Set, which pydicom decodes while it reads, has to be short."""

    _turns = 0
    _head = b""

    def read(self, size: int | None = -1, /) -> bytes:
        """Raises `ValueError` where the bounds are passed."""
        self._turns += 1
        if self._turns > _MOST_TURNS:
            raise ValueError("too many elements")
        if size is not None and size > _LARGEST_CHARACTER_SET and self._head in _CHARACTER_SET_MARKS:
            raise ValueError("an endless character set")
        piece = super().read(size)
        if size == 8:  # an element's head: its tag, then its value representation or its length
            self._head = piece[:4]
        return piece


def drop_endless(dataset: Dataset) -> None:
    """Delete what must not be decoded from a data set just read: marks of items outside of a sequence, and sequences without an end.

    Sequences whose length was given are still undecoded then. They stay while there are no more than 4 MiB and 50,000 items of them.
    """
    room, items = _LARGEST_SEQUENCES, _MOST_ITEMS
    for tag, element in list(dataset.items()):
        if tag >> 16 == _ITEMS:
            del dataset[tag]
        elif value := _undecoded_sequence(element):
            marks = sum(value.count(mark) for mark in _ITEM_MARKS)
            if len(value) > room or marks > items or not value.startswith(_ITEM_MARKS):
                del dataset[tag]
            else:
                room, items = room - len(value), items - marks


def _undecoded_sequence(element: Any) -> bytes:
    """An element's bytes if pydicom will take them for a sequence once somebody looks, else none."""
    from pydicom.datadict import dictionary_VR

    value: bytes = element.value if isinstance(element.value, bytes) else b""
    if element.VR not in (None, "UN"):
        return value if element.VR == "SQ" else b""
    try:
        return value if dictionary_VR(element.tag) == "SQ" else b""
    except KeyError:  # private ones that pydicom knows are few and short
        return value if len(value) > _LARGEST_SEQUENCES else b""
