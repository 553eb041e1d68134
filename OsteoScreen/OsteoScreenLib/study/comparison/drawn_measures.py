"""AUC, overlap and Δ of every model in the same draws of patients, so that models can be compared draw by draw."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from OsteoScreenLib.study.bone_effects_summary import CHANCE
from OsteoScreenLib.study.patient_bootstrap import MeanOfDefined, RankedScores, patient_draws


@dataclass(frozen=True)
class Explained:
    """What bones were worth to one model, image by image, (images,) float, NaN for images that could not be measured.

    untouched, covered : its score with no bone and with every bone covered. iou : of the saliency map with all bones.
    """

    untouched: np.ndarray
    covered: np.ndarray
    iou: np.ndarray


@dataclass(frozen=True)
class Scored:
    """One model on the test images; the models of a comparison have the same images in the same order.

    name : for people. scores : float (images,) of osteoporosis. explained : None where the effects of bones were omitted.
    """

    name: str
    scores: np.ndarray
    explained: Explained | None = None


@dataclass(frozen=True)
class DrawnMeasures:
    """Float (models, 1 + draws): the first column is the images as they are. NaN where a measure is not defined.

    auc : of osteoporosis against the rest. iou : mean IoU with all bones. delta : AUC untouched − max(AUC covered, 0.5), all bones.
    """

    names: tuple[str, ...]
    auc: np.ndarray
    iou: np.ndarray
    delta: np.ndarray


def draw_measures(
    models: Sequence[Scored], patients: Sequence[str], positive: np.ndarray, draws: int = 2000, seed: int = 0
) -> DrawnMeasures:
    """Every model in the same draws of whole patients (see `patient_bootstrap`).

    patients : of each image. positive : bool (images,).
    """
    counts = np.concatenate([np.ones((len(patients), 1)), *patient_draws(patients, draws, seed)], axis=1)
    missing = np.full(counts.shape[1], np.nan)
    auc, iou, delta = [], [], []
    for model in models:
        auc.append(RankedScores(model.scores, positive).auc(counts))
        there = model.explained
        if there is None:
            iou.append(missing)
            delta.append(missing)
            continue
        iou.append(MeanOfDefined(there.iou[None]).mean(counts)[0])
        known = np.isfinite(there.untouched) & np.isfinite(there.covered)
        some = counts[known]
        untouched = RankedScores(there.untouched[known], positive[known]).auc(some)
        covered = RankedScores(there.covered[known], positive[known]).auc(some)
        delta.append(untouched - np.maximum(covered, CHANCE))
    return DrawnMeasures(tuple(model.name for model in models), np.stack(auc), np.stack(iou), np.stack(delta))
