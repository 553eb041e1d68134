"""The bones of each body site: names, groups, sides, colours and coded terms. A site is data, not code.

Codes are SNOMED CT. Bones that DICOM's own dictionary (PS3.16, as shipped with pydicom) names are checked against it by a
test; the numbered ribs are the codes that 3D Slicer's TotalSegmentator terminology uses.
"""

from __future__ import annotations

import colorsys
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from OsteoScreenLib.errors import InputError

Side = Literal["right", "left", "midline"]


@dataclass(frozen=True)
class Code:
    """A coded term: value, scheme designator (SCT = SNOMED CT) and meaning."""

    value: str
    meaning: str
    scheme: str = "SCT"


@dataclass(frozen=True)
class Bone:
    """One bone as users, files and standards name it.

    name : unique key, also the segment's name ("right rib 5", "T7", "left clavicle").
    group : the row it stands under in the bone tree. side : anatomical side of the patient.
    colour : sRGB in 0-255. code : the anatomical structure; the side is coded by `side_code`.
    """

    name: str
    group: str
    side: Side
    colour: tuple[int, int, int]
    code: Code

    @property
    def side_code(self) -> Code | None:
        """Laterality as a coded term, None for midline bones."""
        return SIDE_CODES.get(self.side)


SIDE_CODES: dict[str, Code] = {"right": Code("24028007", "Right"), "left": Code("7771000", "Left")}

_ORDINALS = (
    "First",
    "Second",
    "Third",
    "Fourth",
    "Fifth",
    "Sixth",
    "Seventh",
    "Eighth",
    "Ninth",
    "Tenth",
    "Eleventh",
    "Twelfth",
)
_RIB_CODES = (
    "48535007", "78247007", "25888004", "25523003", "15339008", "59558009",
    "24915002", "5953002", "22565002", "77644006", "58830002", "43993008",
)  # fmt: skip
_VERTEBRA_CODES = {
    "C7": "87391001", "T1": "64864005", "T2": "53733008", "T3": "1626008", "T4": "73071006", "T5": "56401006",
    "T6": "45296009", "T7": "62487009", "T8": "11068009", "T9": "82687006", "T10": "7610001", "T11": "12989004",
    "T12": "23215003", "L1": "66794005", "L2": "14293000",
}  # fmt: skip

# One hue per group, from Okabe and Ito's colour-blind-safe palette (2008); neighbours inside a group differ in lightness.
_GROUP_HUES = {
    "Spine": (230, 159, 0),
    "Right ribs": (0, 114, 178),
    "Left ribs": (0, 158, 115),
    "Clavicles": (204, 121, 167),
    "Scapulae": (213, 94, 0),
    "Sternum": (240, 228, 66),
    "Humeri": (86, 180, 233),
    "Femora": (230, 159, 0),
    "Tibiae": (86, 180, 233),
    "Fibulae": (0, 158, 115),
    "Patellae": (204, 121, 167),
}


def _shade(group: str, position: int) -> tuple[int, int, int]:
    red, green, blue = (channel / 255 for channel in _GROUP_HUES[group])
    hue, lightness, saturation = colorsys.rgb_to_hls(red, green, blue)
    lightness = min(0.85, max(0.25, lightness + (-0.08, 0.08, 0.0)[position % 3]))
    shaded = colorsys.hls_to_rgb(hue, lightness, saturation)
    return (round(255 * shaded[0]), round(255 * shaded[1]), round(255 * shaded[2]))


def _pair(noun: str, group: str, code: Code) -> list[Bone]:
    sides: tuple[Side, ...] = ("right", "left")
    return [Bone(f"{side} {noun}", group, side, _shade(group, i), code) for i, side in enumerate(sides)]


def _ribs(side: Side) -> list[Bone]:
    group = f"{side.capitalize()} ribs"
    return [
        Bone(f"{side} rib {i + 1}", group, side, _shade(group, i), Code(_RIB_CODES[i], f"{_ORDINALS[i]} rib"))
        for i in range(12)
    ]


@dataclass(frozen=True)
class Site:
    """A body site and view. Everything that is particular to one stands here; no other code asks which site it is.

    name : unique key, as in a bundle's manifest. image : what such a radiograph shows, in words ("frontal chest").
    bones : in display order. tag_words : parts of body part names, in the languages modalities write, that such a radiograph may
    carry. counted : groups whose bones follow each other from head to foot and are numbered. named_first : groups in the order
    in which their bones' names are placed on a picture, where small bones go first. outside : where the site is made of limbs, two
    bones' names without side, of which the first lies outside of the second and so tells a limb's side. region : the part of the
    body, coded.
    """

    name: str
    image: str
    bones: tuple[Bone, ...]
    tag_words: tuple[str, ...]
    counted: tuple[str, ...] = ()
    named_first: tuple[str, ...] = ()
    outside: tuple[str, str] | None = None
    region: Code | None = None

    @cached_property
    def mirrored(self) -> dict[str, str]:
        """Which bone each one becomes in a mirror."""
        other = {"right": "left", "left": "right", "midline": "midline"}
        return {bone.name: bone.name.replace(bone.side, other[bone.side], 1) for bone in self.bones}

    @cached_property
    def by_name(self) -> dict[str, Bone]:
        """Bone by its name."""
        return {bone.name: bone for bone in self.bones}

    @cached_property
    def groups(self) -> dict[str, tuple[str, ...]]:
        """Group name → bone names, both in display order."""
        names: dict[str, list[str]] = {}
        for bone in self.bones:
            names.setdefault(bone.group, []).append(bone.name)
        return {group: tuple(members) for group, members in names.items()}

    def expand(self, names: tuple[str, ...] | list[str]) -> tuple[str, ...]:
        """Bone and group names (any case, spaces, hyphens or underscores) → bone names in display order, each once.

        `all` means every bone. Raises `InputError` naming an unknown word and the words that exist.
        """
        known: dict[str, tuple[str, ...]] = {normalised_name(bone.name): (bone.name,) for bone in self.bones}
        known |= {normalised_name(group): members for group, members in self.groups.items()}
        known["all"] = tuple(self.by_name)
        wanted: set[str] = set()
        for name in names:
            if normalised_name(name) not in known:
                raise InputError(
                    f"There is no bone or group called '{name}' in {self.name}; "
                    f"groups are {', '.join(self.groups)}, bones for example {self.bones[0].name} or {self.bones[-1].name}.",
                    code="unknown-bone",
                )
            wanted.update(known[normalised_name(name)])
        return tuple(bone.name for bone in self.bones if bone.name in wanted)


def normalised_name(name: str) -> str:
    """A bone or group name without case, hyphens and underscores."""
    return name.strip().lower().replace("-", " ").replace("_", " ")


CHEST_FRONTAL = Site(
    name="chest-frontal",
    image="frontal chest",
    tag_words=("CHEST", "THORA", "TORAX", "TORACE", "LUNG", "RIB", "HEART", "STERN", "TSPINE", "CLAVICLE"),
    counted=("Spine", "Right ribs", "Left ribs"),
    named_first=("Spine", "Clavicles", "Right ribs", "Left ribs", "Sternum", "Scapulae", "Humeri"),
    region=Code("816094009", "Chest"),
    bones=(
        *(
            Bone(level, "Spine", "midline", _shade("Spine", i), Code(code, f"{level} vertebra"))
            for i, (level, code) in enumerate(_VERTEBRA_CODES.items())
        ),
        *_ribs("right"),
        *_ribs("left"),
        *_pair("clavicle", "Clavicles", Code("51299004", "Clavicle")),
        *_pair("scapula", "Scapulae", Code("79601000", "Scapula")),
        Bone("sternum", "Sternum", "midline", _shade("Sternum", 2), Code("56873002", "Sternum")),
        *_pair("humerus", "Humeri", Code("85050009", "Humerus")),
    ),
)

KNEE = Site(
    name="knee",
    image="frontal knee",
    tag_words=("KNEE", "KNIE", "GENOU", "RODILLA", "GINOCCHIO", "JOELHO", "PATELLA", "FEMUR", "TIBIA", "LEG", "EXTREMIT", "膝"),
    named_first=("Patellae", "Fibulae", "Tibiae", "Femora"),
    outside=("fibula", "tibia"),
    region=Code("72696002", "Knee"),
    bones=(
        *_pair("femur", "Femora", Code("71341001", "Femur")),
        *_pair("tibia", "Tibiae", Code("12611008", "Tibia")),
        *_pair("fibula", "Fibulae", Code("87342007", "Fibula")),
        *_pair("patella", "Patellae", Code("64234005", "Patella")),
    ),
)

SITES: dict[str, Site] = {site.name: site for site in (CHEST_FRONTAL, KNEE)}


def site_named(name: str) -> Site:
    """The site of a bundle or an option. Raises `InputError` naming those that are known."""
    if name not in SITES:
        raise InputError(f"The body site '{name}' is not known; known are {', '.join(SITES)}.", code="site")
    return SITES[name]
