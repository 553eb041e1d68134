"""Faults of headers: lengths, value representations, values, character sets, nesting, order, and what stands before the data set."""

from __future__ import annotations

import random
import struct
from collections.abc import Callable

from OsteoScreenLib.study.mutants.elements import (
    ITEM,
    ITEM_END,
    LONG_VRS,
    PIXEL_DATA,
    SEQUENCE_END,
    SHORT_VRS,
    TRANSFER_SYNTAX,
    UNDEFINED,
    Element,
    Layout,
    encoded_length,
    replaced,
)
from OsteoScreenLib.study.mutants.odd_values import CHARACTER_SETS, odd_value

Fault = Callable[[bytes, Layout, random.Random], bytes]
"""A file, its layout and a source of chance → the broken file. The same file where the fault has nothing to get hold of."""

_CHARACTER_SET = 0x00080005
_UIDS = (0x00020002, 0x00020003, TRANSFER_SYNTAX, 0x00080016, 0x00080018, 0x0020000D, 0x0020000E, 0x00081155, 0x00200052)
_DATES = (0x00080020, 0x00080021, 0x00080022, 0x0008002A, 0x00080030, 0x00100030, 0x00101010, 0x00080023, 0x00080033)
# What reading looks at, and what results take over; half of all faults go there.
_READ = {
    0x00080008: b"CS", 0x00080016: b"UI", 0x00080060: b"CS", 0x00080068: b"CS", 0x0008103E: b"LO", 0x00100010: b"PN", 0x00100020: b"LO",
    0x00100030: b"DA", 0x00100040: b"CS", 0x00101010: b"AS", 0x00102201: b"LO", 0x00180015: b"CS", 0x00181110: b"DS", 0x00181111: b"DS",
    0x00181114: b"DS", 0x00181164: b"DS", 0x00181600: b"CS", 0x00181602: b"IS", 0x00181610: b"IS", 0x00181612: b"IS", 0x00181620: b"IS",
    0x00181700: b"CS", 0x00181702: b"IS", 0x00181704: b"IS", 0x00181706: b"IS", 0x00181708: b"IS", 0x00181710: b"IS", 0x00181712: b"IS",
    0x00181720: b"IS", 0x00185101: b"CS", 0x0020000D: b"UI", 0x0020000E: b"UI", 0x00080018: b"UI", 0x00200010: b"SH", 0x00200011: b"IS",
    0x00200013: b"IS", 0x00200020: b"CS", 0x00200052: b"UI", 0x00200037: b"DS", 0x00280002: b"US", 0x00280004: b"CS", 0x00280006: b"US",
    0x00280008: b"IS", 0x00280010: b"US", 0x00280011: b"US", 0x00280030: b"DS", 0x00280034: b"IS", 0x00280100: b"US", 0x00280101: b"US",
    0x00280102: b"US", 0x00280103: b"US", 0x00280120: b"US", 0x00280121: b"US", 0x00280301: b"CS", 0x00280A02: b"CS", 0x00281050: b"DS",
    0x00281051: b"DS", 0x00281052: b"DS", 0x00281053: b"DS", 0x00281056: b"CS", 0x00281101: b"US", 0x00281201: b"OW", 0x00282110: b"CS",
    0x20500020: b"CS", 0x60000010: b"US", 0x60003000: b"OW", 0x7FE00001: b"OV", 0x7FE00008: b"OF", 0x00091001: b"LO", 0x00080050: b"SH",
}  # fmt: skip
_SEQUENCES = (
    0x00281101, 0x00283000, 0x00283010, 0x00282000, 0x52009229, 0x52009230, 0x00082218, 0x00540220, 0x00081140, 0x00400555, 0x00101002,
    0x00091010, 0x00080005, 0x00041220, 0x04000561,
)  # fmt: skip


def wrong_length(data: bytes, layout: Layout, chance: random.Random) -> bytes:
    """A length that is none, odd, too short, too long, beyond the file, or undefined."""
    element = _one(layout, chance)
    if element is None:
        return data
    now = element.length or 0
    new = chance.choice(
        (0, 1, now - 1, now + 1, now + 2, 2 * now, 0xFFFF, 0x7FFFFFFF, UNDEFINED, UNDEFINED - 1, len(data), len(data) + 1)
    )
    return _over(data, element.length_at, encoded_length(layout, element, new))


def wrong_representation(data: bytes, layout: Layout, chance: random.Random) -> bytes:
    """Another value representation than the value's, or one that does not exist."""
    element = _one(layout, chance)
    if element is None or not element.vr:
        return data
    new = chance.choice((*sorted(LONG_VRS | SHORT_VRS), b"??", b"\0\0", b"us", chance.randbytes(2)))
    return _over(data, element.at + 4, new)


def odd_content(data: bytes, layout: Layout, chance: random.Random) -> bytes:
    """An element whose value is odd for its representation; its lengths are right."""
    element = _one(layout, chance)
    if element is None or element.length is None:
        return data
    vr = element.vr or _READ.get(element.tag, b"")
    return replaced(data, layout, element, _even(odd_value(vr, layout, chance)))


def planted(data: bytes, layout: Layout, chance: random.Random) -> bytes:
    """An element that reading looks at, with an odd value, at its place, in front of everything, or a second time."""
    tag, vr = chance.choice(list(_READ.items()))
    return _inserted(data, layout, tag, layout.encoded(tag, vr, odd_value(vr, layout, chance)), chance)


def odd_uid(data: bytes, layout: Layout, chance: random.Random) -> bytes:
    """A UID that is empty, too long, no UID, or a path."""
    return _changed(data, layout, _UIDS, b"UI", chance)


def odd_date(data: bytes, layout: Layout, chance: random.Random) -> bytes:
    """A date, time or age that is none."""
    return _changed(data, layout, _DATES, b"DA", chance)


def odd_characters(data: bytes, layout: Layout, chance: random.Random) -> bytes:
    """Another character set than the texts', unknown ones, and text that none of them allows."""
    element = layout.find(_CHARACTER_SET)
    sets = chance.choice(CHARACTER_SETS)
    if element is not None:
        data = replaced(data, layout, element, _even(sets))
    else:
        data = _inserted(data, layout, _CHARACTER_SET, layout.encoded(_CHARACTER_SET, b"CS", sets), chance)
    text = layout.encoded(0x00100010, b"PN", odd_value(b"PN", layout, chance))
    return _inserted(data, layout, 0x00100010, text, chance) if chance.random() < 0.5 else data


def nested(data: bytes, layout: Layout, chance: random.Random) -> bytes:
    """A sequence, up to 3,000 deep, of defined or undefined length, with or without its ends, around odd elements."""
    depth = chance.choice((1, 1, 2, 5, 50, 400, 3000))
    open_ended, ends, tag = chance.random() < 0.5, chance.random() < 0.8, chance.choice(_SEQUENCES)
    inner_tag, inner_vr = chance.choice(list(_READ.items()))
    content = layout.encoded(inner_tag, inner_vr, odd_value(inner_vr, layout, chance))
    for _ in range(depth):
        content = _sequence(layout, tag, content, open_ended, ends)
        if len(content) > 1 << 20:
            break
    return _inserted(data, layout, tag, content, chance)


def swollen(data: bytes, layout: Layout, chance: random.Random) -> bytes:
    """Megabytes of zeros, which can be taken for millions of empty elements or items: in a sequence, in a value, or behind the end."""
    tag, vr = chance.choice(
        [*((one, b"SQ") for one in _SEQUENCES), (0x00091002, b"UN"), (0x60003000, b"OW"), (0x00281201, b"OW")]
    )
    zeros = bytes(chance.choice((1, 1, 2, 8, 32)) << 20)
    kind = chance.randrange(3)
    if kind == 0:
        return data + zeros
    if kind == 1:
        return _inserted(data, layout, tag, _sequence(layout, tag, zeros, open_ended=True, ends=True), chance)
    return _inserted(data, layout, tag, layout.encoded(tag, vr, zeros), chance)


def unbalanced(data: bytes, layout: Layout, chance: random.Random) -> bytes:
    """An item, or the end of one, where there is no sequence."""
    tag, length = chance.choice(((ITEM, 0), (ITEM, UNDEFINED), (ITEM_END, 0), (SEQUENCE_END, 0), (SEQUENCE_END, 8)))
    mark = struct.pack(f"{layout.order}2HI", tag >> 16, tag & 0xFFFF, length)
    at = chance.choice(layout.elements).at if layout.elements else len(data)
    return data[:at] + mark + data[at:]


def removed(data: bytes, layout: Layout, chance: random.Random) -> bytes:
    """A file without one of its elements."""
    element = _one(layout, chance)
    return data if element is None or element.parents else data[: element.at] + data[element.end :]


def reordered(data: bytes, layout: Layout, chance: random.Random) -> bytes:
    """An element a second time, or at another place."""
    element = _one(layout, chance)
    if element is None or element.parents or element.length is None or element.length > 1 << 16:
        return data
    at = chance.choice([one.at for one in layout.elements])
    copy = data[element.at : element.end]
    return data[:at] + copy + data[at:]


def noise(data: bytes, layout: Layout, chance: random.Random) -> bytes:
    """Bytes of the header changed at random."""
    pixels = layout.find(PIXEL_DATA)
    end = pixels.at if pixels else len(data)
    changed = bytearray(data)
    for _ in range(chance.choice((1, 3, 10, 100))):
        changed[chance.randrange(end)] = chance.choice((0, 0xFF, 0x7F, 0x80, chance.randrange(256)))
    return bytes(changed)


def cut(data: bytes, layout: Layout, chance: random.Random) -> bytes:
    """A file that stops anywhere, often where an element begins."""
    if chance.random() < 0.5 and layout.elements:
        element = chance.choice(layout.elements)
        return data[: chance.choice((element.at, element.at + 3, element.value_at, element.end - 1))] or data[:1]
    return data[: chance.randrange(1, len(data))]


def other_start(data: bytes, layout: Layout, chance: random.Random) -> bytes:
    """No preamble, no meta information, a wrong length of it, another transfer syntax than the file's, or bytes behind the end."""
    kind = chance.randrange(6)
    syntax = layout.find(TRANSFER_SYNTAX)
    if kind == 0:
        return data[128:]
    if kind == 1:
        return data[layout.start :]
    if kind == 2 and len(data) > 148:
        return _over(data, 140, struct.pack("<I", chance.choice((0, 1, 10_000, 0x7FFFFFFF, UNDEFINED))))
    if kind in (3, 4) and syntax is not None and syntax.length is not None:
        return replaced(data, layout, syntax, _even(chance.choice(_SYNTAXES)))
    return data + chance.randbytes(chance.choice((1, 7, 128, 4096)))


_SYNTAXES = tuple(
    f"1.2.840.10008.1.2{tail}".encode()
    for tail in (
        "",
        ".1",
        ".2",
        ".1.99",
        ".5",
        ".4.50",
        ".4.51",
        ".4.57",
        ".4.70",
        ".4.80",
        ".4.90",
        ".4.91",
        ".4.100",
        ".4.202",
        ".4.94",
        ".7",
    )
)
HEADER_FAULTS: tuple[tuple[Fault, int], ...] = (
    (wrong_length, 3), (wrong_representation, 2), (odd_content, 4), (planted, 4), (odd_uid, 2), (odd_date, 2), (odd_characters, 2),
    (nested, 3), (swollen, 1), (unbalanced, 1), (removed, 2), (reordered, 1), (noise, 2), (cut, 1), (other_start, 2),
)  # fmt: skip
"""Each fault and how often it is drawn."""


def _one(layout: Layout, chance: random.Random) -> Element | None:
    """An element other than the pixels' fragments; every second time one that reading looks at."""
    known = [one for one in layout.elements if one.tag in _READ and not one.parents]
    if known and chance.random() < 0.5:
        return chance.choice(known)
    return chance.choice(layout.elements) if layout.elements else None


def _changed(data: bytes, layout: Layout, tags: tuple[int, ...], vr: bytes, chance: random.Random) -> bytes:
    found = [one for one in layout.elements if one.tag in tags and one.length is not None]
    value = odd_value(vr, layout, chance)
    if found:
        return replaced(data, layout, chance.choice(found), _even(value))
    tag = chance.choice(tags)
    return _inserted(data, layout, tag, layout.encoded(tag, vr, value), chance)


def _inserted(data: bytes, layout: Layout, tag: int, element: bytes, chance: random.Random) -> bytes:
    behind = [one.at for one in layout.elements if not one.parents and one.at >= layout.start and one.tag > tag]
    at = min(behind, default=len(data)) if chance.random() < 0.8 else layout.start
    return data[:at] + element + data[at:]


def _sequence(layout: Layout, tag: int, content: bytes, open_ended: bool, ends: bool) -> bytes:
    def mark(mark_tag: int, length: int) -> bytes:
        return struct.pack(f"{layout.order}2HI", mark_tag >> 16, mark_tag & 0xFFFF, length)

    if not open_ended:
        return layout.encoded(tag, b"SQ", mark(ITEM, len(content)) + content)
    head = layout.encoded(tag, b"SQ", b"")[:-4] + struct.pack(f"{layout.order}I", UNDEFINED)
    return head + mark(ITEM, UNDEFINED) + content + (mark(ITEM_END, 0) + mark(SEQUENCE_END, 0) if ends else b"")


def _over(data: bytes, at: int, new: bytes) -> bytes:
    return data[:at] + new + data[at + len(new) :]


def _even(value: bytes) -> bytes:
    return value + b" " * (len(value) % 2)
