"""A cohort's effects of bones: the differences in AUC when bones are shown or covered, and the overlap of saliency with bones.

Δ_bone = AUC_bone − max(AUC_no-bone, 0.5) (Kim et al. 2025, doi 10.1007/s00198-025-07727-3). AUC_no-bone: every bone covered.
AUC_bone: that bone shown again, the others covered. The score is the probability of the target, a positive an image of the target's
classes (osteoporosis against the rest unless chosen otherwise), every image counted once. Beside it the loss on removal,
AUC_untouched − AUC_removed, and means over images of the overlap's numbers (see `explain.overlap`).

Every image counts in every AUC: where a bone was not found, "shown alone" is the image with every bone covered, and "removed" the
untouched one. Overlap is averaged over the images where it is defined. Intervals: `patient_bootstrap`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from OsteoScreenLib.bones.vocabulary import site_named
from OsteoScreenLib.classifier.prediction import CLASSES, members_of, target_probability
from OsteoScreenLib.errors import InputError
from OsteoScreenLib.explain.overlap import THRESHOLDS, OverlapOf
from OsteoScreenLib.study.bone_effects import Subject, subjects_of
from OsteoScreenLib.study.bone_effects_run import kept_rows
from OsteoScreenLib.study.classifier_figures import Interval
from OsteoScreenLib.study.cohort import CohortRow
from OsteoScreenLib.study.patient_bootstrap import MeanOfDefined, RankedScores, interval_of, patient_draws

CHANCE = 0.5
OVERLAPS = ("iou_otsu", "iou_matched", "mass_share", "enrichment", "rank_accuracy", "pointing")


@dataclass(frozen=True)
class BoneRow:
    """One bone, one group, or all bones. None where a number is not defined, as for a bone that no image shows.

    images : where it was found. auc_alone, auc_removed : of the target against the rest. delta : Δ_bone. loss : on removal.
    overlap : a name of `OVERLAPS` → the mean over images. iou_sweep : mean IoU at each of `overlap.THRESHOLDS`.
    """

    of: OverlapOf
    name: str
    images: int
    auc_alone: Interval | None
    delta: Interval | None
    auc_removed: Interval | None
    loss: Interval | None
    overlap: dict[str, Interval | None]
    iou_sweep: tuple[float | None, ...]


@dataclass(frozen=True)
class CohortEffects:
    """The whole table. facts : what the run is (run.json). classes : images of each class that were measured.

    untouched, no_bone : AUC of the untouched images and with every bone covered. left_out : one sentence for each image that
    was left out. draws : of patients, for the intervals.
    """

    facts: dict[str, Any]
    images: int
    patients: int
    classes: dict[str, int]
    untouched: Interval | None
    no_bone: Interval | None
    rows: tuple[BoneRow, ...]
    left_out: tuple[str, ...]
    draws: int


def summarise(folder: Path, rows: Sequence[CohortRow], facts: dict[str, Any], draws: int = 2000) -> CohortEffects:
    """The table of a finished run in `folder`.

    Raises `InputError`: unfinished; no-images when every image was left out.
    """
    subjects = subjects_of(site_named(facts["model"]["site"]))
    gathered = _Gathered.of(folder, rows, facts["options"]["target"], subjects)
    labels = np.array([row.label for row in gathered.rows])
    positive = np.isin(labels, members_of(facts["options"]["target"]))
    patients = [row.patient for row in gathered.rows]

    ranked = [RankedScores(scores, positive) for scores in gathered.scores]
    means = MeanOfDefined(gathered.overlaps)

    def measures(counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return np.stack([one.auc(counts) for one in ranked]), means.mean(counts)

    # The first column is the cohort as it is, with every image once; the others are the draws.
    columns = [measures(np.ones((len(patients), 1)))]
    columns += [measures(counts) for counts in patient_draws(patients, draws, facts["options"]["seed"])]
    auc, mean = (np.concatenate(parts, axis=1) for parts in zip(*columns, strict=True))
    untouched, no_bone, alone, removed = auc[0], auc[1], auc[2::2], auc[3::2]
    never = ~gathered.found.any(axis=1)
    alone[never], removed[never] = np.nan, np.nan
    mean = mean.reshape(len(subjects), len(OVERLAPS), -1)
    table = [
        BoneRow(
            of=of,
            name=name,
            images=int(gathered.found[i].sum()),
            auc_alone=interval_of(alone[i]),
            delta=interval_of(alone[i] - np.maximum(no_bone, CHANCE)),
            auc_removed=interval_of(removed[i]),
            loss=interval_of(untouched - removed[i]),
            overlap={key: interval_of(mean[i, k]) for k, key in enumerate(OVERLAPS)},
            iou_sweep=gathered.mean_sweep(i),
        )
        for i, (of, name, _) in enumerate(subjects)
    ]
    return CohortEffects(
        facts=facts,
        images=len(patients),
        patients=len(set(patients)),
        classes={name: int((labels == place).sum()) for place, name in enumerate(CLASSES)},
        untouched=interval_of(untouched),
        no_bone=interval_of(no_bone),
        rows=tuple(table),
        left_out=gathered.left_out,
        draws=draws,
    )


@dataclass(frozen=True)
class _Gathered:
    """What the rows' files say, as arrays over the n images that were measured; S subjects.

    scores : (2 + 2 S, n) of the target: untouched, every bone covered, then alone and removed of each subject.
    overlaps : (S · len(OVERLAPS), n), NaN where it is not defined. found : bool (S, n). swept : (S, thresholds) sums, and
    swept_images (S,) of how many images.
    """

    rows: tuple[CohortRow, ...]
    scores: np.ndarray
    overlaps: np.ndarray
    found: np.ndarray
    swept: np.ndarray
    swept_images: np.ndarray
    left_out: tuple[str, ...]

    @classmethod
    def of(cls, folder: Path, rows: Sequence[CohortRow], target: str, subjects: Sequence[Subject]) -> _Gathered:
        scores = np.zeros((2 + 2 * len(subjects), len(rows)))
        overlaps = np.full((len(subjects), len(OVERLAPS), len(rows)), np.nan)
        found = np.zeros((len(subjects), len(rows)), bool)
        swept, swept_images = np.zeros((len(subjects), len(THRESHOLDS))), np.zeros(len(subjects), int)
        measured: list[CohortRow] = []
        left_out: list[str] = []
        for row, values in kept_rows(folder, rows):
            if "left_out" in values:
                left_out.append(values["left_out"])
                continue
            n = len(measured)
            measured.append(row)
            untouched, covered = values["untouched"], values["covered"]
            shown = [untouched, covered]
            overlap_of = {(one["of"], one["name"]): one for one in values["overlap"]}
            for i, (of, name, _) in enumerate(subjects):
                everything = of == "all"
                found[i, n] = everything or name in values["alone"]
                shown.append(untouched if everything else values["alone"].get(name, covered))
                shown.append(covered if everything else values["removed"].get(name, untouched))
                overlap = overlap_of.get((of, name), {})
                overlaps[i, :, n] = [np.nan if overlap.get(key) is None else overlap[key] for key in OVERLAPS]
                if overlap.get("iou_sweep") is not None:
                    swept[i] += overlap["iou_sweep"]
                    swept_images[i] += 1
            scores[:, n] = target_probability(np.array(shown), target)
        if not measured:
            raise InputError(f"No image of the cohort could be measured; the first reason is: {left_out[0]}", code="no-images")
        n = len(measured)
        flat = overlaps[:, :, :n].reshape(-1, n)
        return cls(tuple(measured), scores[:, :n], flat, found[:, :n], swept, swept_images, tuple(left_out))

    def mean_sweep(self, i: int) -> tuple[float | None, ...]:
        """The mean IoU of subject i at each threshold."""
        images = int(self.swept_images[i])
        return tuple(float(total) / images if images else None for total in self.swept[i])
