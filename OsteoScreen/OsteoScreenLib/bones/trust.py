"""How far the embedded segmenters' bones can be trusted on real radiographs, as people who looked at overlays judged it.

The one place where this is kept: a segmenter's manifest and card are written from it, and bundles without a table of their
own, which are older, are read with it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from OsteoScreenLib.bones.vocabulary import CHEST_FRONTAL, KNEE, Site

Trust = Literal["good", "check", "hidden"]
LEVELS: tuple[Trust, ...] = ("good", "check", "hidden")

# Bone or group → level and reason. A bone's own line goes before its group's.
_CHEST: dict[str, tuple[Trust, str]] = {
    "Spine": ("check", "the column lies right, single levels are counted by position and may be shifted by one or two"),
    "Right ribs": ("check", "the cage lies right, single ribs are counted by position and often lack their front part"),
    "Left ribs": ("check", "the cage lies right, single ribs are counted by position and often lack their front part"),
    "Clavicles": ("good", "seen well; the inner end may merge with rib 1"),
    "Scapulae": ("hidden", "mostly the border that crosses the lung is drawn"),
    "Sternum": ("hidden", "hardly seen on a frontal radiograph: drawn by expectation"),
    "Humeri": ("hidden", "at the image's edge and often cut off"),
    **{
        f"{side} rib {number}": ("hidden", "below the diaphragm, in low contrast: drawn by expectation")
        for side in ("right", "left")
        for number in (11, 12)
    },
    **dict.fromkeys(("L1", "L2"), ("hidden", "below the diaphragm, in low contrast: drawn by expectation")),
}
_KNEE: dict[str, tuple[Trust, str]] = {
    "Femora": ("good", "seen well"),
    "Tibiae": ("good", "seen well"),
    "Fibulae": ("check", "seen well beside the shaft; the head merges with the tibia"),
    "Patellae": ("check", "lies over the femur, in low contrast"),
}
TRUST: dict[str, dict[str, tuple[Trust, str]]] = {CHEST_FRONTAL.name: _CHEST, KNEE.name: _KNEE}


def trust_levels(table: Mapping[str, object] | None = None, site: Site = CHEST_FRONTAL) -> dict[str, Trust]:
    """Every bone's level. table : bone or group → level, as in a manifest; None takes the site's of `TRUST`.

    Bones that the table does not name, and words that are no level, count as "check".
    """
    named = trust_manifest(site) if table is None else {str(name): str(level) for name, level in table.items()}
    levels: dict[str, Trust] = {}
    for bone in site.bones:
        word = named.get(bone.name, named.get(bone.group, "check"))
        levels[bone.name] = next((level for level in LEVELS if level == word), "check")
    return levels


def trust_manifest(site: Site = CHEST_FRONTAL) -> dict[str, str]:
    """A site's table as a bundle's manifest carries it: bone or group → level."""
    return {name: level for name, (level, _) in TRUST.get(site.name, {}).items()}


def trust_card(site: Site = CHEST_FRONTAL) -> list[str]:
    """A site's table as lines of Markdown for the card."""
    words = {"good": "shown", "check": "shown, to be checked", "hidden": "outline off at first"}
    rows: dict[tuple[str, str], list[str]] = {}
    for name, (level, reason) in TRUST.get(site.name, {}).items():
        rows.setdefault((level, reason), []).append(name)
    lines = [f"| {', '.join(names)} | {words[level]} | {reason} |" for (level, reason), names in rows.items()]
    return ["| bones | in the panel | why |", "|---|---|---|", *lines]
