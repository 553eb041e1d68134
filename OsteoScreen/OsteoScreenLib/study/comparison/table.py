"""The comparison's one table: each model's figures with intervals, what bones are worth to it, and the published values beside."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from OsteoScreenLib.study.bone_effects_summary import CohortEffects
from OsteoScreenLib.study.classifier_figures import Interval
from OsteoScreenLib.study.comparison.published import PublishedModel

BEST_BONES = 3
HEAD = ("model", "AUC", "accuracy", "sensitivity", "specificity", "Δ all bones", "IoU all bones", "largest Δ of a group")
PUBLISHED_HEAD = ("published AUC", "accuracy", "sensitivity", "specificity")
MEANING = (
    "All figures are of osteoporosis against the rest, image by image, on the test split, at the operating points that were set on "
    "the validation split. Below each: its 95 % interval. For AUC it is DeLong's, clustered by patients (Obuchowski 1997), or from "
    "drawing patients where that is not defined; for Δ and IoU from drawing patients with replacement; for the shares Wilson's, which "
    "counts images as independent. Δ all bones = AUC untouched − max(AUC with every bone covered, 0.5). IoU all bones: mean overlap of "
    "the saliency map at Otsu's threshold with all bones together. Δ of a group: AUC with it alone shown − max(AUC with every bone "
    "covered, 0.5); the largest of several is flattered by having been picked."
)
Cell = tuple[str, str]  # what stands there, and in small letters below it


@dataclass(frozen=True)
class BoneColumns:
    """What bones are worth to one model. best : name and Δ of the groups and of the bones with the largest Δ, largest first."""

    delta_all: Interval | None
    iou_all: Interval | None
    best_groups: tuple[tuple[str, Interval], ...]
    best_bones: tuple[tuple[str, Interval], ...]
    images: int
    left_out: int

    @classmethod
    def of(cls, effects: CohortEffects) -> BoneColumns:
        """From the effects that were measured on the test images."""
        everything = next(row for row in effects.rows if row.of == "all")

        def best(of: str) -> tuple[tuple[str, Interval], ...]:
            known = [(row.name, row.delta) for row in effects.rows if row.of == of and row.delta is not None]
            return tuple(sorted(known, key=lambda one: -one[1].value)[:BEST_BONES])

        iou = everything.overlap["iou_otsu"]
        return cls(everything.delta, iou, best("group"), best("bone"), effects.images, len(effects.left_out))


@dataclass(frozen=True)
class TableRow:
    """One model, or the age-and-sex baseline (no family, no tuning, no seed).

    note : what must be said of it. bones : None where the effects of bones were omitted, and `bones_note` says why.
    folder : its place inside the comparison's folder.
    """

    key: str
    title: str
    family: str
    tuning: str
    backbone: str
    seed: int | None
    note: str
    images: int
    positives: int
    auc: Interval | None
    accuracy: Interval | None
    sensitivity: Interval | None
    specificity: Interval | None
    bones: BoneColumns | None
    bones_note: str
    published: PublishedModel | None
    folder: str


def cells(row: TableRow) -> tuple[Cell, ...]:
    """The cells below `HEAD`."""
    bones = row.bones
    of_bones: tuple[Cell, ...] = ((row.bones_note, ""),) * 3
    if bones is not None:
        name, largest = bones.best_groups[0] if bones.best_groups else ("", None)
        value, small = _cell(largest)
        of_bones = (_cell(bones.delta_all), _cell(bones.iou_all), (f"{name} {value}".strip(), small))
    measures = (row.auc, row.accuracy, row.sensitivity, row.specificity)
    return ((row.title, "; ".join(filter(None, (row.backbone, row.note)))), *(_cell(one) for one in measures), *of_bones)


def published_words(row: TableRow) -> tuple[str, ...]:
    """The cells below `PUBLISHED_HEAD`, to the published digits."""
    one = row.published
    if one is None:
        return ("–",) * len(PUBLISHED_HEAD)
    return (f"{one.auc:.2f}", *(f"{100 * share:.1f} %" for share in (one.accuracy, one.sensitivity, one.specificity)))


def by_auc(rows: Iterable[TableRow]) -> list[TableRow]:
    """The highest AUC first, those without one last; equal ones in the order in which they come."""
    return sorted(rows, key=lambda row: -row.auc.value if row.auc is not None else 1.0)


def as_csv(rows: Sequence[TableRow]) -> str:
    """One line a row. Columns X, X_low, X_high: the value and its 95 % interval; empty where there is none."""
    table = io.StringIO()
    lines = [_flat(row) for row in rows]
    writer = csv.DictWriter(table, list(lines[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(lines)
    return table.getvalue()


def _cell(one: Interval | None) -> Cell:
    return ("–", "") if one is None else (f"{one.value:.3f}", f"{one.low:.3f} to {one.high:.3f}")


def _best_words(best: Sequence[tuple[str, Interval]]) -> str:
    return "; ".join(f"{name} {delta}" for name, delta in best) or "–"


def _flat(row: TableRow) -> dict[str, Any]:
    bones = row.bones
    cells: dict[str, Any] = {
        "model": row.key,
        "title": row.title,
        "family": row.family,
        "tuning": row.tuning,
        "backbone": row.backbone,
        "seed": "" if row.seed is None else row.seed,
        "note": row.note,
        "images": row.images,
        "positives": row.positives,
    }
    measures = {"auc": row.auc, "accuracy": row.accuracy, "sensitivity": row.sensitivity, "specificity": row.specificity}
    measures["delta_all_bones"] = None if bones is None else bones.delta_all
    measures["iou_all_bones"] = None if bones is None else bones.iou_all
    for name, one in measures.items():
        cells |= {name: one and one.value, f"{name}_low": one and one.low, f"{name}_high": one and one.high}
    cells |= {
        "best_groups": "" if bones is None else _best_words(bones.best_groups),
        "best_bones": "" if bones is None else _best_words(bones.best_bones),
        "bones_images": "" if bones is None else bones.images,
        "bones_left_out": "" if bones is None else bones.left_out,
        "bones_note": row.bones_note,
    }
    for name in ("auc", "accuracy", "sensitivity", "specificity"):
        cells[f"published_{name}"] = row.published and getattr(row.published, name)
    return {**cells, "folder": row.folder}
