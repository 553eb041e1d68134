"""How a mask's quality is written in the bone tree: a sign behind the name, and sentences in its tooltip.

Signs, not colours, so that every reader sees them: ≈ a number that is counted by position, ⚠ a mask that looks implausible.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from OsteoScreenLib.bones.quality import NUMBERING, MaskQuality

COUNTED, IMPLAUSIBLE = "≈", "⚠"
_NAMED = 6  # bones that a group's tooltip names


def mark_of(masks: Sequence[MaskQuality], group: bool = False) -> str:
    """What stands behind the name of a bone, or of a group of these bones: "", " (≈)", " ⚠" or both."""
    counted = not group and any(one.found and one.numbering_uncertain for one in masks)
    return (f" ({COUNTED})" if counted else "") + (f" {IMPLAUSIBLE}" if any(one.implausible for one in masks) else "")


def sentences(masks: Sequence[MaskQuality]) -> list[str]:
    """Lines for the tooltip of a bone (one mask) or of a group (several)."""
    if len(masks) != 1:
        return _group_sentences(masks)
    one = masks[0]
    lines = [f"{IMPLAUSIBLE} {mark.text}" if mark.implausible else mark.text for mark in one.marks]
    if one.edited and one.found:
        lines.append("Edited by hand, so there is no estimate of confidence for it.")
    elif one.confidence is not None:
        lines.append(f"Confidence {one.confidence:.2f}: how well it is expected to fit (Dice), learnt on simulated images.")
    if one.found and one.numbering_uncertain:
        lines.append(f"{COUNTED} {NUMBERING}")
    if one.found and one.trust == "hidden" and not one.edited:
        lines.append("Its outline starts hidden, because on real radiographs this bone is often drawn wrongly.")
    return lines


def _group_sentences(masks: Sequence[MaskQuality]) -> list[str]:
    names = [one.name for one in masks if one.implausible]
    if not names:
        return []
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return [f"{IMPLAUSIBLE} Implausible or missing: {', '.join(names[:_NAMED])}{more}."]


def legend(masks: Iterable[MaskQuality]) -> str:
    """What the signs mean, for those that are there; "" for none."""
    every = list(masks)
    parts = []
    if any(one.implausible for one in every):
        parts.append(f"{IMPLAUSIBLE} outline implausible or missing")
    if any(one.found and one.numbering_uncertain for one in every):
        parts.append(f"{COUNTED} number counted by position")
    return ", ".join(parts) + "." if parts else ""
