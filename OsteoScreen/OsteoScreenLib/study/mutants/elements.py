"""Where the elements of a DICOM file lie, byte by byte: what is needed to break one on purpose.

pydicom writes valid files only, so faults are made in the bytes. The walk is tolerant: it stops where a file stops making sense,
because most files that come here have been broken once already. Encodings: DICOM PS3.5, section 7.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import Literal

PIXEL_DATA, ITEM, ITEM_END, SEQUENCE_END = 0x7FE00010, 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD
TRANSFER_SYNTAX = 0x00020010
UNDEFINED = 0xFFFFFFFF
LONG_VRS = {b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV"}
SHORT_VRS = {
    b"AE", b"AS", b"AT", b"CS", b"DA", b"DS", b"DT", b"FD", b"FL", b"IS", b"LO", b"LT", b"PN", b"SH", b"SL", b"SS", b"ST", b"TM",
    b"UI", b"UL", b"US",
}  # fmt: skip
_IMPLICIT, _BIG_ENDIAN, _DEFLATED = b"1.2.840.10008.1.2", b"1.2.840.10008.1.2.2", b"1.2.840.10008.1.2.1.99"


@dataclass(frozen=True, slots=True)
class Element:
    """One element or item. at, length_at, value_at : offsets in the file. length : of the value, None when undefined.

    parents : indexes of the sequences and items it lies in.
    """

    tag: int
    vr: bytes
    at: int
    length_at: int
    length_size: int
    value_at: int
    length: int | None
    parents: tuple[int, ...]

    @property
    def end(self) -> int:
        """The offset behind the value; behind the element's head when its length is undefined."""
        return self.value_at + (self.length or 0)


@dataclass
class Layout:
    """A file's elements in their order, and how its data set is encoded. start : of the data set, behind the meta information."""

    start: int = 0
    explicit: bool = True
    order: str = "<"
    deflated: bool = False
    elements: list[Element] = field(default_factory=list)

    def encoded(self, tag: int, vr: bytes, value: bytes) -> bytes:
        """An element of the data set; a value of odd length is padded."""
        value += b"\0" * (len(value) % 2) if vr in LONG_VRS | {b"UI"} else b" " * (len(value) % 2)
        head = struct.pack(f"{self.order}2H", tag >> 16, tag & 0xFFFF)
        if not self.explicit:
            return head + struct.pack("<I", len(value)) + value
        if vr in LONG_VRS:
            return head + vr + b"\0\0" + struct.pack(f"{self.order}I", len(value)) + value
        return head + vr + struct.pack(f"{self.order}H", min(len(value), 65534)) + value[:65534]

    def find(self, tag: int) -> Element | None:
        """The first top-level element with this tag."""
        return next((one for one in self.elements if one.tag == tag and not one.parents), None)


def layout_of(data: bytes) -> Layout:
    """Walk through a file's bytes as far as they make sense; a deflated data set is not looked into."""
    layout, at = Layout(), 0
    if data[128:132] == b"DICM":
        at = _walk(data, 132, len(data), layout, (), meta=True)
        found = layout.find(TRANSFER_SYNTAX)
        syntax = data[found.value_at : found.end].rstrip(b"\0 ") if found else b""
        layout.explicit, layout.order = syntax != _IMPLICIT, ">" if syntax == _BIG_ENDIAN else "<"
        layout.deflated = syntax == _DEFLATED
    layout.start = at
    if not layout.deflated:
        _walk(data, at, len(data), layout, ())
    return layout


def replaced(data: bytes, layout: Layout, element: Element, value: bytes) -> bytes:
    """The file with another value in an element; its length and those of what it lies in are made to fit."""
    grown = len(value) - (element.length or 0)
    changed = bytearray(data)
    for outer in (*(layout.elements[index] for index in element.parents), element):
        if outer is not element and outer.length is None:
            continue
        new = len(value) if outer is element else (outer.length or 0) + grown
        changed[outer.length_at : outer.length_at + outer.length_size] = encoded_length(layout, outer, new)
    changed[element.value_at : element.end] = value
    return bytes(changed)


def encoded_length(layout: Layout, element: Element, length: int) -> bytes:
    """A length as it stands in the element's head, cut to the bits that are there."""
    order = "<" if element.at < layout.start else layout.order
    code = {2: "H", 4: "I"}[element.length_size]
    return struct.pack(order + code, length & (0xFFFF if code == "H" else UNDEFINED))


def _walk(data: bytes, at: int, end: int, layout: Layout, parents: tuple[int, ...], meta: bool = False) -> int:
    explicit, order = (True, "<") if meta else (layout.explicit, layout.order)
    while at + 8 <= end:
        tag = int.from_bytes(data[at : at + 2], _name(order)) << 16 | int.from_bytes(data[at + 2 : at + 4], _name(order))
        if meta and tag >> 16 != 2:
            return at
        if tag in (ITEM_END, SEQUENCE_END) and parents:
            return at + 8
        element = _head(data, at, tag, explicit, order, parents)
        if element is None or (element.length is not None and element.end > end) or len(parents) > 64:
            return at
        layout.elements.append(element)
        own = (*parents, len(layout.elements) - 1)
        inside = element.length is None or tag == ITEM or element.vr == b"SQ" or _opens_an_item(data, element, order)
        if tag == ITEM and len(parents) == 1 and layout.elements[parents[0]].tag == PIXEL_DATA:
            inside = False  # a fragment
        if not inside:
            at = element.end
        elif element.length is None:
            at = _walk(data, element.value_at, end, layout, own)
        else:
            _walk(data, element.value_at, element.end, layout, own)
            at = element.end
    return at


def _head(data: bytes, at: int, tag: int, explicit: bool, order: str, parents: tuple[int, ...]) -> Element | None:
    vr, length_at, size = b"", at + 4, 4
    if explicit and tag >> 16 != 0xFFFE:
        vr = data[at + 4 : at + 6]
        if vr not in LONG_VRS | SHORT_VRS:
            return None
        length_at, size = (at + 8, 4) if vr in LONG_VRS else (at + 6, 2)
    length = int.from_bytes(data[length_at : length_at + size], _name(order))
    return Element(tag, vr, at, length_at, size, length_at + size, None if length == UNDEFINED else length, parents)


def _opens_an_item(data: bytes, element: Element, order: str) -> bool:
    """Implicit elements do not say that they are sequences."""
    opening = struct.pack(f"{order}2H", ITEM >> 16, ITEM & 0xFFFF)
    return element.vr == b"" and element.tag != PIXEL_DATA and data[element.value_at : element.value_at + 4] == opening


def _name(order: str) -> Literal["little", "big"]:
    return "little" if order == "<" else "big"
