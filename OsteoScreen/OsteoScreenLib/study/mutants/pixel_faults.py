"""Faults of pixel data: its description, its length, its fragments and its codestreams."""

from __future__ import annotations

import random
import struct
import zlib

from OsteoScreenLib.study.mutants.elements import ITEM, PIXEL_DATA, Element, Layout, replaced
from OsteoScreenLib.study.mutants.header_faults import Fault

_ROWS, _COLUMNS = 0x00280010, 0x00280011
_DESCRIPTION = (
    0x00280002, 0x00280004, 0x00280006, 0x00280008, _ROWS, _COLUMNS, 0x00280100, 0x00280101, 0x00280102, 0x00280103,
)  # fmt: skip
_NUMBERS = (0, 1, 2, 3, 5, 7, 8, 10, 11, 12, 15, 16, 17, 24, 31, 32, 63, 64, 100, 255, 257, 1000, 4096, 8000, 30000, 65535)
_SIZES = ((1, 1), (64, 64), (65535, 65535), (8000, 8000), (7999, 8001), (60000, 1000), (0, 0), (1, 65535), (0x7FFFFFFF, 1))
_EDGES = (0, 1, 2, 3, 7, 8, 16, 31, 32, 63, 127, 128, 200, 255)


def described_otherwise(data: bytes, layout: Layout, chance: random.Random) -> bytes:
    """Rows, columns, bits, samples or sign that are not the pixels'."""
    found = [one for one in layout.elements if one.tag in _DESCRIPTION and not one.parents and one.length]
    for element in chance.sample(found, min(len(found), chance.choice((1, 1, 2)))):
        if element.length == 2:
            data = _over(data, element.value_at, struct.pack(f"{layout.order}H", chance.choice(_NUMBERS)))
    return data


def other_length(data: bytes, layout: Layout, chance: random.Random) -> bytes:
    """Uncompressed pixels that are too few, too many or none; the length says so."""
    pixels = layout.find(PIXEL_DATA)
    if pixels is None or pixels.length is None:
        return data
    value = data[pixels.value_at : pixels.end]
    length = chance.choice((0, 1, len(value) // 2, len(value) - 1, len(value) - 2, len(value) + 1, 2 * len(value)))
    return replaced(data, layout, pixels, (value + bytes(max(0, length - len(value))))[:length])


def other_values(data: bytes, layout: Layout, chance: random.Random) -> bytes:
    """Pixels that are all alike, noise, extremes, or turned in their bytes."""
    pixels = layout.find(PIXEL_DATA)
    if pixels is None or not pixels.length:
        return data
    value = data[pixels.value_at : pixels.end]
    size = len(value)
    new = chance.choice(
        (
            lambda: bytes(size),
            lambda: b"\xff" * size,
            lambda: chance.randbytes(size),
            lambda: b"\0\x80" * (size // 2) + b"\0" * (size % 2),
            lambda: value[1:] + value[:1],
            lambda: value[: size // 2] + bytes(size - size // 2),
        )
    )()
    return _over(data, pixels.value_at, new)


def fragments(data: bytes, layout: Layout, chance: random.Random) -> bytes:
    """An offset table, lengths, number, order or end of fragments that are wrong."""
    found = _fragments(layout)
    if not found:
        return data
    one, kind = chance.choice(found), chance.randrange(7)
    item = struct.pack(f"{layout.order}2HI", ITEM >> 16, ITEM & 0xFFFF, 0)
    if kind == 0:
        return replaced(data, layout, found[0], chance.randbytes(chance.choice((3, 4, 8, 400))))
    if kind == 1:
        length = chance.choice((0, 1, 2**16, 0x7FFFFFFF, 0xFFFFFFFF, len(data), max(0, (one.length or 0) - 1)))
        return _over(data, one.length_at, struct.pack(f"{layout.order}I", length))
    if kind == 2:
        return data[: found[-1].end]  # nothing says that it is over
    if kind == 3:
        return data[: one.at] + item * chance.choice((1, 100, 20000)) + data[one.at :]
    if kind == 4:
        return data[: one.at] + data[one.end :]
    if kind == 5:
        return data[: one.end] + data[one.at : one.end] + data[one.end :]
    return replaced(data, layout, one, data[one.value_at : one.end][: chance.choice((0, 1, 4, 16, 100))])


def codestream(data: bytes, layout: Layout, chance: random.Random) -> bytes:
    """Bytes of a codestream changed, at random or near its beginning, where it says what it holds."""
    one = _largest(layout)
    if one is None or not one.length:
        return data
    near = min(one.length, chance.choice((16, 64, 200, 700, one.length)))
    changed = bytearray(data)
    for _ in range(chance.choice((1, 1, 2, 5, 20, 200))):
        changed[one.value_at + chance.randrange(near)] = chance.choice((*_EDGES, chance.randrange(256)))
    return bytes(changed)


def codestream_cut(data: bytes, layout: Layout, chance: random.Random) -> bytes:
    """A codestream that stops early, with its end mark put back or not, or that has a hole or a part twice."""
    one = _largest(layout)
    if one is None or not one.length or one.length < 8:
        return data
    value = data[one.value_at : one.end]
    at, other = sorted(chance.randrange(2, len(value) - 2) for _ in range(2))
    new = chance.choice((value[:at], value[:at] + b"\xff\xd9", value[:at] + value[other:], value[:other] + value[at:]))
    return replaced(data, layout, one, new + b"\0" * (len(new) % 2))


def codestream_size(data: bytes, layout: Layout, chance: random.Random) -> bytes:
    """Another size in the codestream, and the same in the header, so that they agree about an image that is not there."""
    one = _largest(layout)
    if one is None or not one.length:
        return data
    rows, columns = chance.choice(_SIZES)
    value = data[one.value_at : one.end]
    if value[:4] == b"\xff\x4f\xff\x51":  # SIZ (ISO/IEC 15444-1 A.5.1)
        new = value[:8] + struct.pack(">2I", columns, rows) + value[16:]
        if chance.random() < 0.5:  # tiles of that size, or very many small ones
            tile = chance.choice(((columns, rows), (1, 1), (64, 64), (0, 0)))
            new = new[:24] + struct.pack(">2I", *tile) + new[32:]
    else:
        at = _start_of_frame(value)
        if at is None:
            return described_otherwise(data, layout, chance)
        new = value[: at + 5] + struct.pack(">2H", rows & 0xFFFF, columns & 0xFFFF) + value[at + 9 :]
    data = _over(data, one.value_at, new)
    for tag, number in ((_ROWS, rows), (_COLUMNS, columns)):
        element = layout.find(tag)
        if element is not None and element.length == 2 and chance.random() < 0.8:
            data = _over(data, element.value_at, struct.pack(f"{layout.order}H", number & 0xFFFF))
    return data


def deflated(data: bytes, layout: Layout, chance: random.Random) -> bytes:
    """A deflated data set that is damaged, or that inflates to hundreds of times its size."""
    if not layout.deflated:
        return described_otherwise(data, layout, chance)
    if chance.random() < 0.3:
        packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
        plain = zlib.decompressobj(-zlib.MAX_WBITS).decompress(data[layout.start :], 1 << 24)
        return (
            data[: layout.start]
            + packer.compress(plain)
            + packer.compress(bytes(chance.choice((1, 64)) << 20))
            + packer.flush()
        )
    changed = bytearray(data)
    for _ in range(chance.choice((1, 3, 30))):
        changed[chance.randrange(layout.start, len(data))] = chance.randrange(256)
    return bytes(changed)


PIXEL_FAULTS: tuple[tuple[Fault, int], ...] = (
    (described_otherwise, 3), (other_length, 2), (other_values, 2), (fragments, 3), (codestream, 4), (codestream_cut, 2),
    (codestream_size, 2), (deflated, 1),
)  # fmt: skip
"""Each fault and how often it is drawn."""


def _fragments(layout: Layout) -> list[Element]:
    elements = layout.elements
    return [one for one in elements if one.tag == ITEM and one.parents and elements[one.parents[0]].tag == PIXEL_DATA]


def _largest(layout: Layout) -> Element | None:
    return max(_fragments(layout), key=lambda one: one.length or 0, default=None)


def _start_of_frame(value: bytes) -> int | None:
    """Offset of the marker that says a JPEG's or JPEG-LS's size (ISO/IEC 10918-1 B.2.2)."""
    at = 2
    while at + 9 <= len(value) and value[at] == 0xFF:
        if (0xC0 <= value[at + 1] <= 0xCF and value[at + 1] not in (0xC4, 0xC8, 0xCC)) or value[at + 1] == 0xF7:
            return at
        at += 2 + int.from_bytes(value[at + 2 : at + 4], "big")
    return None


def _over(data: bytes, at: int, new: bytes) -> bytes:
    return data[:at] + new + data[at + len(new) :]
