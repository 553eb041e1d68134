"""One model of a comparison: trained, evaluated, and, where there are masks, asked what bones are worth to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from OsteoScreenLib.bundle import open_bundle
from OsteoScreenLib.classifier.backbones import Backbone
from OsteoScreenLib.classifier.classifier import Classifier
from OsteoScreenLib.classifier.model_bundle import ModelBundle
from OsteoScreenLib.classifier.prediction import CLASSES
from OsteoScreenLib.study.bone_effects import EffectOptions, Reader
from OsteoScreenLib.study.bone_effects_run import kept_rows, measure_cohort
from OsteoScreenLib.study.bone_effects_summary import CohortEffects, summarise
from OsteoScreenLib.study.cohort import CohortRow
from OsteoScreenLib.study.comparison.drawn_measures import Explained
from OsteoScreenLib.study.comparison.plan import Combination
from OsteoScreenLib.study.evaluation.baseline import People
from OsteoScreenLib.study.evaluation.evaluate import Evaluation, EvaluationOptions, evaluate
from OsteoScreenLib.study.evaluation.predictions import Predictions, read_predictions
from OsteoScreenLib.study.training.options import Progress, TrainOptions
from OsteoScreenLib.study.training.train import train

TARGET = CLASSES.index("osteoporosis")  # against the rest


@dataclass(frozen=True)
class Bones:
    """How bones are covered and who draws them. note : in words, for the report."""

    reader: Reader
    options: EffectOptions
    note: str


@dataclass(frozen=True)
class Settings:
    """What all models of a comparison share.

    training : the recipe; backbone, tuning, seed and weights are the combination's. weights : family → file of base weights, None
    for random ones. entries : backbones, by id, that the registry does not have. draws, seed : of patients, for intervals.
    bones : None when their effects are omitted, and `omitted` says why.
    """

    training: TrainOptions
    weights: Mapping[str, Path | None]
    entries: Mapping[str, Backbone] = field(default_factory=dict)
    draws: int = 2000
    seed: int = 0
    bones: Bones | None = None
    omitted: str = "omitted: not asked for"


@dataclass(frozen=True, eq=False)
class Cohort:
    """rows : of the table. splits : patient → split. source : the table's folder."""

    rows: Sequence[CohortRow]
    splits: Mapping[str, str]
    source: Path

    def of(self, split: str) -> list[CohortRow]:
        """The rows of one split, in the table's order."""
        return [row for row in self.rows if self.splits[row.patient] == split]


@dataclass(frozen=True, eq=False)
class ModelResult:
    """One finished model. folder : its own. test : its predictions, in the order of the cohort's test rows.

    effects, explained : None where the effects of bones were omitted.
    """

    combination: Combination
    folder: Path
    test: Predictions
    evaluation: Evaluation
    effects: CohortEffects | None
    explained: Explained | None


def run_model(cohort: Cohort, combination: Combination, settings: Settings, folder: Path, progress: Progress) -> ModelResult:
    """Do what is missing in `folder`, and gather it. What it held already is not done again.

    Raises what `train`, `evaluate` and `measure_cohort` raise.
    """
    weights = settings.weights[combination.family]
    options = replace(
        settings.training,
        backbone=combination.backbone,
        tuning=combination.tuning,
        seed=combination.seed,
        weights=weights,
        random_weights=weights is None,
    )
    entry = settings.entries.get(combination.backbone)
    trained = train(cohort.rows, cohort.splits, options, folder / "training", progress, entry)
    validation, test = (read_predictions(trained.predictions[split]) for split in ("validation", "test"))
    if [row.patient for row in cohort.of("test")] != list(test.patient):
        raise ValueError("the predictions are not in the order of the test rows")
    bundle = open_bundle(trained.bundle, "classifier")
    progress("evaluating", 0, 1, "")
    evaluation = evaluate(
        validation,
        test,
        EvaluationOptions(draws=settings.draws, seed=settings.seed, points=ModelBundle.from_bundle(bundle).operating_points),
        people=People.of_rows(cohort.of("training")),
        people_are="the training images",
    )
    progress("evaluating", 1, 1, "")
    effects, explained = None, None
    if settings.bones is not None:
        rows, bones = cohort.of("test"), settings.bones
        classifier = Classifier.load(bundle, device=options.device, precision=options.precision)
        facts = measure_cohort(
            rows, cohort.source, folder / "bones", classifier, bones.reader, bones.options,
            lambda done, every, left_out: progress("covering bones", done, every, f"{left_out} left out" if left_out else ""),
        )  # fmt: skip
        effects = summarise(folder / "bones", rows, facts, settings.draws)
        explained = _explained(folder / "bones", rows)
    return ModelResult(combination, folder, test, evaluation, effects, explained)


def _explained(folder: Path, rows: Sequence[CohortRow]) -> Explained:
    """Image by image: its score untouched and with every bone covered, and the overlap of its saliency map with all bones."""
    values = np.full((3, len(rows)), np.nan)
    for place, (_, measured) in enumerate(kept_rows(folder, rows)):
        if "left_out" in measured:
            continue
        overlap: dict[str, Any] = next((one for one in measured["overlap"] if one["of"] == "all"), {})
        iou = overlap.get("iou_otsu")
        values[:, place] = measured["untouched"][TARGET], measured["covered"][TARGET], np.nan if iou is None else iou
    return Explained(*values)
