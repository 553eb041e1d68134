"""The verdict on one image: does the model's answer come from bone? In words, with the numbers it rests on.

Covering decides, for it asks the model itself. The effects of the bone groups (mode "remove") are compared with those of their
controls, which cover as many pixels elsewhere. All groups are judged together, so that looking at many does not make one of them
stand out: draw by draw, the largest effect among the groups' controls is what chance can do (max-T: Westfall and Young 1993,
"Resampling-Based Multiple Testing"). Sizes count, not signs: bone may speak for the target or against it. Groups differ in how
much covering so many pixels does at all, so each group's sizes are standardised by mean and spread of its effect and its controls'
together, which treats both alike.

A heatmap cannot make the verdict, since a map may lie on bone while the model is poor (Kim et al. 2025, doi
10.1007/s00198-025-07727-3, found no relation between the two). It can withhold "looks at bone": when it does not depend on what
the model has learnt, or lies elsewhere than the bones that covering names.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

import numpy as np

if TYPE_CHECKING:
    from OsteoScreenLib.classifier.domain import Domain
    from OsteoScreenLib.explain.bone_sweep import SweepRow
    from OsteoScreenLib.explain.overlap import Overlap
    from OsteoScreenLib.explain.sanity import Cascade

Kind = Literal["looks at bone", "does not", "cannot tell"]

LEVEL = 0.05  # of the test against chance, the usual one; `p` is at most this by luck once in twenty images
FEWEST_CONTROLS = 19  # with fewer, the smallest p there can be, 1 / (1 + controls), is above `LEVEL`
# Percentage points. Half precision may move each of two probabilities by half a point, so a smaller difference may be rounding.
SMALLEST_EFFECT = 1.0
MAP_BY_CHANCE = 1.0  # enrichment of a map that knows nothing of the bones
_EQUAL = 1e-9  # rounding
RULES: Mapping[str, float] = MappingProxyType(
    {
        "level": LEVEL,
        "fewest_controls": FEWEST_CONTROLS,
        "smallest_effect_points": SMALLEST_EFFECT,
        "map_by_chance": MAP_BY_CHANCE,
    }
)


@dataclass(frozen=True)
class Verdict:
    """kind : the verdict. sentence : for a reader, with its reason and the numbers. about : "image" or "cohort".

    numbers : what it rests on, by name; None where a number was not measured or is not defined. rules : the limits that were used.
    """

    kind: Kind
    sentence: str
    numbers: Mapping[str, float | str | None]
    rules: Mapping[str, float] = field(default_factory=lambda: dict(RULES))
    about: Literal["image", "cohort"] = "image"


@dataclass(frozen=True)
class AgainstControls:
    """All bone groups against their controls together.

    group : the one that stands out most. delta_points : its effect. controls : draws that were compared.
    p_more : how probable so large a standing-out is by chance; p_less : how probable it is that the largest effect, in points, is
    so small. largest : that effect's size, control_largest : the median over the draws of the controls' largest.
    """

    group: str
    delta_points: float
    controls: int
    p_more: float
    p_less: float
    largest: float
    control_largest: float


def against_controls(rows: Iterable[SweepRow]) -> AgainstControls | None:
    """The groups that were removed, against the same number of controls each; None without a group that has controls.

    Where groups have different numbers of controls (no room for more), as many of each are used as the poorest has, leaving out
    groups with fewer than `FEWEST_CONTROLS` where another has enough.
    """
    told = [row for row in rows if row.effect.of == "group" and row.mode == "remove" and row.chance is not None]
    enough = [row for row in told if row.chance is not None and len(row.chance.effects) >= FEWEST_CONTROLS]
    kept = enough or told
    draws = min((len(row.chance.effects) for row in kept if row.chance is not None), default=0)
    if not draws:
        return None
    # (groups, 1 + draws): the effect itself, then its controls', as sizes.
    sizes = np.abs([[row.effect.delta_points, *row.chance.effects[:draws]] for row in kept if row.chance is not None])
    spread = sizes.std(axis=1, keepdims=True)
    standard = np.divide(sizes - sizes.mean(axis=1, keepdims=True), spread, out=np.zeros_like(sizes), where=spread > _EQUAL)
    strongest = kept[int(np.argmax(standard[:, 0]))]
    standing_out, largest = standard.max(axis=0), sizes.max(axis=0)
    return AgainstControls(
        group=strongest.effect.name,
        delta_points=strongest.effect.delta_points,
        controls=draws,
        p_more=float(1 + np.count_nonzero(standing_out[1:] >= standing_out[0] - _EQUAL)) / (1 + draws),
        p_less=float(1 + np.count_nonzero(largest[1:] <= largest[0] + _EQUAL)) / (1 + draws),
        largest=float(largest[0]),
        control_largest=float(np.median(largest[1:])),
    )


def verdict_on_image(
    rows: Sequence[SweepRow],
    overlap: Sequence[Overlap] = (),
    sanity: Cascade | None = None,
    domain: Domain | None = None,
) -> Verdict:
    """The verdict from a sweep's rows, and what else is known.

    In this order: "cannot tell" when the image is unlike the training images, without enough controls, or when the heatmap was
    found not to depend on what was learnt (or that could not be told); "looks at bone" when a group stands out from its controls
    (p ≤ `LEVEL`) by an effect of `SMALLEST_EFFECT` or more, and the heatmap, where there is one, is richer than chance there; "does
    not" when the groups' largest effect is smaller than the controls' (p ≤ `LEVEL`), while these do move the answer by
    `SMALLEST_EFFECT`; else "cannot tell".
    """
    found = against_controls(rows)
    enrichment = None
    if found is not None:
        enrichment = next((one.enrichment for one in overlap if (one.of, one.name) == ("group", found.group)), None)
    learnt = sanity.without_learning if sanity is not None else None
    numbers: dict[str, float | str | None] = {
        "group": found.group if found else None,
        "delta_points": found.delta_points if found else None,
        "controls": found.controls if found else 0,
        "p_more": found.p_more if found else None,
        "p_less": found.p_less if found else None,
        "largest_points": found.largest if found else None,
        "control_largest_points": found.control_largest if found else None,
        "map_enrichment": enrichment,
        "map_method": sanity.method if sanity is not None else None,
        "map_without_learning": learnt.mean if learnt else None,
        "map_without_learning_low": learnt.low if learnt else None,
        "map_without_learning_high": learnt.high if learnt else None,
        "domain": domain.level if domain is not None else None,
    }

    def say(kind: Kind, reason: str) -> Verdict:
        return Verdict(kind, f"{_OPENING[kind]}: {reason}.", numbers)

    if domain is not None and domain.level == "out":
        return say(
            "cannot tell", "this image is unlike the images that the model was trained on, so its answer has no meaning here"
        )
    if found is None:
        return say("cannot tell", "no bone group has controls to be compared with; sweep the bones with controls")
    if found.controls < FEWEST_CONTROLS:
        return say("cannot tell", f"{found.controls} controls are too few; at least {FEWEST_CONTROLS} are needed")
    if sanity is not None and sanity.similarities and sanity.sensitivity != "sensitive":
        return say("cannot tell", _lowered(sanity.sentence))
    told = (
        f"covering {found.group} moves the answer by {abs(found.delta_points):.1f} percentage points "
        f"(p = {found.p_more:.3f} against {found.controls} draws of as many pixels elsewhere)"
    )
    if found.p_more <= LEVEL and abs(found.delta_points) >= SMALLEST_EFFECT:
        if enrichment is not None and enrichment <= MAP_BY_CHANCE:
            return say("cannot tell", f"{told}, but the heatmap lies elsewhere ({enrichment:.2f} times chance there)")
        heat = "" if enrichment is None else f", and the heatmap is {enrichment:.1f} times as rich there as by chance"
        return say("looks at bone", f"{told}{heat}")
    if found.p_less <= LEVEL and found.control_largest >= SMALLEST_EFFECT:
        return say(
            "does not",
            f"no bone group moves the answer by more than {found.largest:.1f} percentage points, while as many pixels elsewhere "
            f"move it by {found.control_largest:.1f} (p = {found.p_less:.3f}, {found.controls} draws of controls)",
        )
    if max(found.largest, found.control_largest) < SMALLEST_EFFECT:
        return say(
            "cannot tell", f"no covering, of bone or elsewhere, moves the answer by {SMALLEST_EFFECT:g} percentage point"
        )
    return say("cannot tell", f"{told}, which chance does as well")


_OPENING: dict[Kind, str] = {
    "looks at bone": "Looks at bone",
    "does not": "Does not look at bone",
    "cannot tell": "Cannot tell",
}


def _lowered(sentence: str) -> str:
    return sentence[:1].lower() + sentence[1:].rstrip(".")
