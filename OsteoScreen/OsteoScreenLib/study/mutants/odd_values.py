"""Values that headers carry and should not: by value representation, as hospitals, converters and attackers write them."""

from __future__ import annotations

import random
import struct

from OsteoScreenLib.study.mutants.elements import Layout

_NUMBERS = (
    b"", b" ", b"nan", b"inf", b"-inf", b"1e400", b"-1e308", b"1e-400", b"-1", b"0", b"0.0\\0.0", b"1,5", b"1\\2\\3\\4\\5", b"\\\\\\",
    b"abc", b"9" * 60, b"0x10", "٣".encode(), b"\0\0", b"1.5.2", b"--5", b"1" + b"\\1" * 3000, b"-32768", b"65536", b"4294967296",
    b"1e9", b"0.0001\\5000", b"+ 3",
)  # fmt: skip
_TEXTS = (
    b"", b"\\\\\\\\", b"^^^^^", b"===", b"\x1b$B", b"\x1b$)C\xb1\xe8^\x1b", b"\x1b%/I\xff", b"\xff\xfe\xfd", b"\xc3", b"\xed\xa0\x80",
    b"line\r\nline\x00line\x07\x1b[31m", "‮txt\u2028‏".encode(), b"%s%n{0}{__class__}", b"../../../etc/passwd", b"<script>alert(1)</script>",
    b"CHEST" + b" " * 4000, b"A" * 70000, "胸部".encode("shift_jis"), "Ж".encode("iso8859-5") * 40, b"=SUM(A1)", b"\x80" * 16,
)  # fmt: skip
_UIDS = (
    b"", b"1.2.3.", b"..", b"../../../tmp/x", b"1.2.840." + b"9" * 80, b"abc", b"1.02.3", b"\xff\xfe", b"1.2.3\\4.5.6", b" ", b"-1",
    b"\0\0\0\0", b"1.2.840.10008.1.2.4.57", b"1.2.840.10008.5.1.4.1.1.2", b"1.2.840.10008.5.1.4.1.1.66.4", b"2.25.0", b"/etc/passwd",
    b"1.2.840.10008.1.3.10", b"1.2.3 .4",
)  # fmt: skip
_DATES = (
    b"", b"00000000", b"20201345", b"2020.01.01", b"99999999", b"01/02/2020", b"-", b"20200101-20210101", b"235960.999999", b"999999",
    b"ABCD", b"\\", b"20200229235959.999999+9999", b"0", b"18991231", b"T", b"024Y", b"999Y", b"-1Y", b"\xff\xff",
)  # fmt: skip
_CODES = (
    b"", b"monochrome2", b"MONOCHROME3", b"RGB", b"YBR_FULL_422", b"PALETTE COLOR", b"MONOCHROME1", b"INVERSE", b"YES", b"SIGMOID",
    b"CT", b"SR", b"XC", b"PX", b"ISO_IR 192", b"FOR PROCESSING", b"L\\F", b"H\\L", b"\\\\\\", b"X" * 200, b"\x00\xff", b"RECTANGULAR\\CIRCULAR",
    b"POLYGONAL", b"CIRCULAR", b"GEOMETRY",
)  # fmt: skip
CHARACTER_SETS = (
    b"", b"ISO_IR 192", b"ISO_IR 100", b"ISO_IR 13", b"ISO_IR 166", b"GB18030", b"GBK", b"ISO 2022 IR 87", b"\\ISO 2022 IR 87",
    b"ISO 2022 IR 13\\ISO 2022 IR 87", b"\\ISO 2022 IR 149", b"ISO_IR 999", b"ISO_IR 192\\ISO 2022 IR 87", b"UTF-8", b"\xff\xff",
    b"\\" * 30, b"iso_ir 144", b"ISO 2022 IR 6\\ISO 2022 IR 58", b"unicode_escape", b"idna", b"rot13", b"base64", b"zlib", b"undefined",
)  # fmt: skip
_INTEGERS = (
    0,
    1,
    2,
    3,
    4,
    7,
    8,
    9,
    10,
    12,
    15,
    16,
    17,
    31,
    32,
    63,
    64,
    65,
    255,
    256,
    1000,
    4095,
    8001,
    20000,
    32767,
    32768,
    65535,
)
_SIZES = {b"US": "H", b"SS": "h", b"UL": "I", b"SL": "i", b"FL": "f", b"FD": "d", b"AT": "I"}
_FLOATS = (0.0, -1.0, 1e300, float("nan"), float("inf"), float("-inf"), 5e-324, 1.0)
_OF = {
    b"DS": _NUMBERS, b"IS": _NUMBERS, b"UI": _UIDS, b"DA": _DATES, b"TM": _DATES, b"DT": _DATES, b"AS": _DATES, b"CS": _CODES,
}  # fmt: skip


def odd_value(vr: bytes, layout: Layout, chance: random.Random) -> bytes:
    """A value that may or may not be allowed for this value representation ("" where the encoding does not say it)."""
    if vr in _SIZES and chance.random() < 0.9:
        return b"".join(_packed(_SIZES[vr], layout.order, chance) for _ in range(chance.choice((0, 1, 1, 1, 2, 3, 4, 500))))
    if chance.random() < 0.1:
        return chance.randbytes(chance.choice((1, 2, 7, 64, 5000)))
    return chance.choice(_OF.get(vr) or chance.choice((_NUMBERS, _TEXTS, _TEXTS, _UIDS, _DATES, _CODES)))


def _packed(code: str, order: str, chance: random.Random) -> bytes:
    if code in "fd":
        value = chance.choice(_FLOATS)
        return struct.pack(order + code, value if code == "d" or abs(value) < 3e38 or value != value else 3e38)
    value = chance.choice(_INTEGERS)
    if code == "h":
        value = (value + 32768) % 65536 - 32768
    return struct.pack(order + code, value)
