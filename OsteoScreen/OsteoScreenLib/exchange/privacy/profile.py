"""What the Basic Application Level Confidentiality Profile and its options say about each attribute (DICOM PS3.15, Table E.1-1).

The table is data, `profile_table.json`. Where it leaves a choice that depends on the kind of object ("X/Z"), the choice is one that
suits radiographs, in which those attributes may be empty or absent.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import Enum
from functools import cache
from pathlib import Path
from typing import Literal

Dates = Literal["shift", "remove"]

_CHOICES = {"Z/D": "Z", "X/Z": "Z", "X/D": "X", "X/Z/D": "X", "X/Z/U*": "U*"}
# K under Retain Patient Characteristics: age, sex, neutered, size, weight, smoking, pregnancy.
_CHARACTERISTICS = frozenset({"00101010", "00100040", "00102203", "00101020", "00101030", "001021A0", "001021C0"})
# K under Retain Device Identity, as far as radiographs carry them; the last three name a kind of device and are in no profile.
_DEVICE = frozenset({
    "00081010", "00181000", "00181002", "00181004", "00181005", "00181007", "00181008", "0018700A", "00185011", "00500020",
    "0018100B", "00080070", "00081090", "00181020",
})  # fmt: skip
# C under Clean Descriptors: descriptions that say what an image shows; all others go.
_DESCRIPTIONS = frozenset({
    "00081030", "0008103E", "00181030", "00181400", "00189424", "00321060", "00400007", "00400254", "00189937",
})  # fmt: skip
_BORN = frozenset({"00100030", "00100032"})


class Action(Enum):
    """What becomes of an attribute."""

    REMOVE = "X"
    EMPTY = "Z"
    DUMMY = "D"
    NEW_UID = "U"
    NEW_REFERENCES = "U*"
    CLEAN = "C"
    MOVE = "C dates"
    KEEP = "K"
    UNLISTED = ""


@dataclass(frozen=True)
class Options:
    """What is kept beyond the basic profile.

    dates : "shift" moves all dates of a patient alike (Retain Longitudinal Temporal Information with Modified Dates), "remove" does not
    keep them. descriptions : reduced to the body part and view that they name (Clean Descriptors). characteristics : sex, age up to 90,
    size and weight stay (Retain Patient Characteristics). device : names and serial numbers of the device stay (Retain Device Identity).
    """

    dates: Dates = "shift"
    descriptions: bool = True
    characteristics: bool = True
    device: bool = False

    def codes(self, pixels_cleaned: bool = False) -> tuple[tuple[str, str], ...]:
        """(value, meaning) in scheme DCM of the profile and each option, for De-identification Method Code Sequence (CID 7050)."""
        chosen = (
            ("113100", "Basic Application Confidentiality Profile", True),
            ("113101", "Clean Pixel Data Option", pixels_cleaned),
            ("113105", "Clean Descriptors Option", self.descriptions),
            ("113107", "Retain Longitudinal Temporal Information Modified Dates Option", self.dates == "shift"),
            ("113108", "Retain Patient Characteristics Option", self.characteristics),
            ("113109", "Retain Device Identity Option", self.device),
        )
        return tuple((value, meaning) for value, meaning, holds in chosen if holds)


def action_for(tag: int, vr: str, options: Options) -> Action:
    """The action for one attribute. tag : group and element as one number. vr : its value representation.

    UNLISTED means that the table does not name it. Private attributes, curves and overlays go as a whole.
    """
    group, name = tag >> 16, f"{tag:08X}"
    if group % 2 or group < 8 or group >> 8 in (0x50, 0x60) or group >= 0xFFFA:
        return Action.REMOVE
    if name in _DEVICE and options.device:
        return Action.KEEP
    if vr in {"DA", "TM", "DT"} and name not in _BORN and options.dates == "shift":
        return Action.MOVE
    if name in _CHARACTERISTICS and options.characteristics:
        return Action.KEEP
    if name in _DESCRIPTIONS and options.descriptions:
        return Action.CLEAN
    basic = _table().get(name, "")
    return Action(_CHOICES.get(basic, basic))


@cache
def _table() -> dict[str, str]:
    """Group and element in hexadecimal → the basic profile's action."""
    stored = json.loads(Path(__file__).with_name("profile_table.json").read_text("utf-8"))
    return {name: action for action, rows in stored["actions"].items() for row in rows for name in row.split()}
