"""A cohort's effects of bones as files: effects.csv for programs, effects.json with everything, effects.md to read."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from OsteoScreenLib.explain.overlap import POINTING_TOLERANCE, THRESHOLDS
from OsteoScreenLib.files import write_text
from OsteoScreenLib.study.bone_effects_summary import OVERLAPS, BoneRow, CohortEffects
from OsteoScreenLib.study.classifier_figures import Interval
from OsteoScreenLib.study.cohort_verdict import verdict_on_cohort

MEANING = (
    "Δ = AUC with the bone shown alone − max(AUC with every bone covered, 0.5). Loss = AUC untouched − AUC with the bone covered. "
    "IoU: of the saliency map with the bone, at Otsu's threshold and with as many of the map's largest values as the bone has pixels; "
    "times chance: the bone's share of the map over its share of the area. Means over images. In brackets: 95 % intervals from "
    "drawing patients with replacement."
)


HEAD = ("bone", "images", "Δ alone", "AUC alone", "loss removed", "IoU Otsu", "IoU same area", "times chance")


def write_effects(folder: Path, effects: CohortEffects) -> dict[str, Path]:
    """Write effects.csv, effects.json and effects.md into an existing folder; what was written, by "csv", "json", "markdown"."""
    return {
        "csv": write_text(folder / "effects.csv", as_csv(effects)),
        "json": write_text(folder / "effects.json", as_json(effects)),
        "markdown": write_text(folder / "effects.md", as_markdown(effects)),
    }


def as_csv(effects: CohortEffects) -> str:
    """One line a row; empty where a number is not defined. Columns X, X_low, X_high: the value and its 95 % interval."""
    table = io.StringIO()
    lines = [_flat(row) for row in effects.rows]
    writer = csv.DictWriter(table, list(lines[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(lines)
    return table.getvalue()


def as_json(effects: CohortEffects) -> str:
    """Everything, with how it came about; null where a number is not defined."""
    values = asdict(effects)
    facts = values.pop("facts")
    rules = {"sweep_thresholds": list(THRESHOLDS), "pointing_tolerance": POINTING_TOLERANCE, "interval": "95 %, patients drawn"}
    values = {"verdict": asdict(verdict_on_cohort(effects)), **values}
    return json.dumps({**facts, "rules": rules, **values}, indent=2, allow_nan=False, ensure_ascii=False) + "\n"


def as_markdown(effects: CohortEffects) -> str:
    """A table to read."""
    lines = [
        f"# What each bone is worth to {effects.facts['model']['title']}",
        "",
        *(f"- **{statement}**" for statement in effects.facts["statements"]),
        *(f"- {sentence}" for sentence in sentences(effects)),
        "",
        MEANING,
        "",
        "| " + " | ".join(HEAD) + " |",
        "|---|" + "---:|" * (len(HEAD) - 1),
        *("| " + " | ".join(_marked(row, words)) + " |" for row, words in zip(effects.rows, table_words(effects), strict=True)),
        "",
    ]
    if effects.left_out:
        lines += ["## Images that were left out", "", *(f"- {sentence}" for sentence in effects.left_out), ""]
    return "\n".join(lines)


def sentences(effects: CohortEffects) -> list[str]:
    """What was measured, on whom and how, each in one sentence."""
    options, classes = effects.facts["options"], ", ".join(f"{number} {name}" for name, number in effects.classes.items())
    told = [
        f"Verdict. {verdict_on_cohort(effects).sentence}",
        f"{effects.images} images of {effects.patients} patients ({classes}); left out: {len(effects.left_out)}.",
        f"AUC of {options['target']} against the rest: {_words(effects.untouched)} untouched, {_words(effects.no_bone)} with "
        "every bone covered.",
        f"Fill {options['fill']}, margin {_margin(options)}, saliency {options['saliency']}, bones {effects.facts['bones']}, "
        f"{effects.draws} draws of patients, seed {options['seed']}, {effects.facts['device']} in {effects.facts['precision']}.",
    ]
    if effects.untouched is None:
        told.append("The AUC is not defined, because the images that were measured are all of one class.")
    return told


def table_words(effects: CohortEffects) -> list[tuple[str, ...]]:
    """The cells of the table that is read, row by row."""
    return [
        (
            row.name,
            str(row.images),
            *(_words(one) for one in (row.delta, row.auc_alone, row.loss)),
            *(_words(row.overlap[key]) for key in ("iou_otsu", "iou_matched", "enrichment")),
        )
        for row in effects.rows
    ]


def _marked(row: BoneRow, words: tuple[str, ...]) -> tuple[str, ...]:
    return words if row.of == "bone" else (f"**{words[0]}**", *words[1:])


def _flat(row: BoneRow) -> dict[str, Any]:
    named = {"auc_alone": row.auc_alone, "delta": row.delta, "auc_removed": row.auc_removed, "loss": row.loss}
    cells: dict[str, Any] = {"of": row.of, "name": row.name, "images": row.images}
    for name, one in {**named, **{key: row.overlap[key] for key in OVERLAPS}}.items():
        cells |= {name: one and one.value, f"{name}_low": one and one.low, f"{name}_high": one and one.high}
    cells |= {f"iou_at_{threshold:g}": value for threshold, value in zip(THRESHOLDS, row.iou_sweep, strict=True)}
    return cells


def _words(one: Interval | None) -> str:
    return "–" if one is None else f"{one.value:.3f} ({one.low:.3f} to {one.high:.3f})"


def _margin(options: dict[str, Any]) -> str:
    return f"{options['margin_px']:g} px" if options["margin_mm"] is None else f"{options['margin_mm']:g} mm"
