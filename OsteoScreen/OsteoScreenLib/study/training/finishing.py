"""From a trained network to a verified bundle and predictions: calibration, operating points, input check, expected T-score."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from OsteoScreenLib.bundle import Bundle, as_float16, write_bundle
from OsteoScreenLib.classifier.domain import DOMAIN_FILE, DomainCheck, fit_domain, stages_of
from OsteoScreenLib.classifier.model_bundle import Architecture, ModelBundle
from OsteoScreenLib.classifier.prediction import CLASSES
from OsteoScreenLib.classifier.preprocess import PreprocessSpec
from OsteoScreenLib.classifier.t_score import T_SCORE_FILE, TScoreHead
from OsteoScreenLib.errors import OsteoScreenError
from OsteoScreenLib.study.classifier_figures import softmax
from OsteoScreenLib.study.evaluation.predict_cohort import of_rows
from OsteoScreenLib.study.evaluation.predictions import Predictions, write_predictions
from OsteoScreenLib.study.point_performance import confusion_at, performance_of
from OsteoScreenLib.study.training.card import INTENDED_USE, Story, card_of
from OsteoScreenLib.study.training.measures import Calibration, calibrated
from OsteoScreenLib.study.training.options import TrainOptions
from OsteoScreenLib.study.training.parts import Parts
from OsteoScreenLib.study.training.passes import Seen

if TYPE_CHECKING:
    import torch
    from torch import nn

    from OsteoScreenLib.classifier.backbones import Backbone

FOR_DOMAIN = 1000  # training images, at most, that the input check is fitted on
_LEAST_FOR_T_SCORE = 10


@dataclass(frozen=True, eq=False)
class Trained:
    """A network as it will be stored, and what it makes of images.

    tensors : for the bundle's weights. architecture : as its manifest names it. seen : of training images (those of the input check,
    or all), validation and test. epochs : done, best_epoch : whose weights these are.
    """

    network: nn.Module
    tensors: Mapping[str, torch.Tensor]
    architecture: Architecture
    preprocessing: PreprocessSpec
    seen: Mapping[str, Seen]
    epochs: int
    best_epoch: int


def rounded(network: nn.Module) -> dict[str, torch.Tensor]:
    """The network's weights as they are stored, in half precision where they fit; the network computes with these from now on."""
    state = network.state_dict()
    try:
        halves = as_float16(state)
    except OsteoScreenError:  # a value too large
        return dict(state)
    network.load_state_dict({name: tensor.to(state[name].dtype) for name, tensor in halves.items()})
    return halves


def chosen_for_domain(parts: Parts, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """The training images that the input check is fitted on, drawn by lot where there are many, and the others."""
    order = np.random.default_rng([seed, 63]).permutation(parts.of["training"])
    return np.sort(order[:FOR_DOMAIN]), np.sort(order[FOR_DOMAIN:])


def finish(
    folder: Path, trained: Trained, parts: Parts, options: TrainOptions, chosen: Backbone, facts: Mapping[str, Any]
) -> tuple[Bundle, dict[str, Path], dict[str, Any]]:
    """Write bundle and predictions into the run's folder; the bundle, the files by part, and the figures.

    facts : of run.json. Raises `OsteoScreenError` when the disk is full.
    """
    seen, labels = trained.seen, parts.labels
    validation = seen["validation"]
    calibration = calibrated(validation.logits, labels[validation.places], options.sensitivity)
    domain = _domain(trained)
    t_score = _t_score(seen["training"], parts) if options.t_score else None
    held: dict[str, Predictions] = {
        split: _predictions(one, parts, calibration, domain, t_score) for split, one in seen.items() if split != "training"
    }
    figures = {split: _figures(one) for split, one in held.items()}
    story = Story(options, chosen, parts, calibration, figures, trained.epochs, trained.best_epoch, facts)
    others = {DOMAIN_FILE: domain.tensors()} if domain is not None else {}
    if t_score is not None:
        others[T_SCORE_FILE] = t_score.tensors()
    manifest = _manifest(story, trained, domain, t_score is not None) | _performance(held, calibration)
    bundle = write_bundle(folder / "bundle", manifest, trained.tensors, card_of(story), others)
    ModelBundle.from_bundle(bundle)  # what was written is what the panel opens
    files = {split: write_predictions(folder / f"predictions-{split}.csv", one) for split, one in held.items()}
    return bundle, files, figures


def _manifest(story: Story, trained: Trained, domain: DomainCheck | None, t_score: bool) -> dict[str, Any]:
    options, parts, calibration = story.options, story.parts, story.calibration
    manifest: dict[str, Any] = {
        "id": story.id,
        "kind": "classifier",
        "title": story.title,
        "site": options.site,
        "architecture": trained.architecture.to_manifest(),
        "preprocessing": trained.preprocessing.to_manifest(),
        "classes": list(CLASSES),
        "operating_points": {
            "osteoporosis": calibration.points.osteoporosis,
            "low_bone_mass": calibration.points.low_bone_mass,
        },
        "temperature": calibration.temperature,
        "tuning": options.tuning,
        "training": {
            "command": options.command(),
            "simulated": options.simulated,
            "seed": options.seed,
            "data": story.data,
            "cohort_sha256": story.facts["cohort"]["sha256"],
            "images": {split: len(parts.of[split]) for split in parts.of},
            "patients": {split: parts.patients(split) for split in parts.of},
            "backbone": story.facts["backbone"],
            "precision": story.facts["precision"],
            "epochs": trained.epochs,
            "best_epoch": trained.best_epoch,
            "recipe": options.recipe(),
        },
        "licence": f"Backbone: {story.backbone.licence}. What was learnt on it is under the terms of the training data's owner.",
        "intended_use": INTENDED_USE,
    }
    if domain is not None:
        manifest["domain"] = domain.to_manifest(len(trained.seen["training"].stages), len(trained.seen["validation"].places))
    if t_score:
        manifest["t_score"] = {"method": "ridge regression on the features before the head"}
    return manifest


def _performance(held: Mapping[str, Predictions], calibration: Calibration) -> dict[str, Any]:
    """What the decision is worth at the operating points on the test images; on the validation images where there are none."""
    split = "test" if "test" in held else "validation"
    told = held[split]
    beside = "" if split == "test" else ", on which the operating points were fixed"
    on = f"{len(told)} {split} images of {told.patients} patients{beside}"
    found = performance_of(confusion_at(told.probabilities, told.label, calibration.points), on)
    return {"performance": found} if found else {}


def _domain(trained: Trained) -> DomainCheck | None:
    layers = stages_of(trained.network)
    training, held_out = trained.seen["training"].stages, trained.seen["validation"].stages
    return fit_domain(layers, training, held_out) if layers and training.size and held_out.size else None


def _t_score(seen: Seen, parts: Parts) -> TScoreHead | None:
    """Ridge regression (Hoerl and Kennard 1970) of the T-score, its penalty by leave-one-out; None where few images have one."""
    from sklearn.linear_model import RidgeCV

    known = np.array([parts.rows[place].t_score is not None for place in seen.places], bool)
    if known.sum() < _LEAST_FOR_T_SCORE:
        return None
    features = seen.features[known].astype(np.float64)
    scores = np.array([parts.rows[place].t_score for place in seen.places[known]], float)
    mean, scale = features.mean(axis=0), np.maximum(features.std(axis=0), 1e-6)
    fitted = RidgeCV(alphas=np.logspace(-1, 5, 13)).fit((features - mean) / scale, scores)
    weight = np.asarray(fitted.coef_, float) / scale
    # As it is stored, so that the bundle answers the same.
    weight = weight.astype(np.float32).astype(np.float64)
    return TScoreHead(weight, float(np.float32(fitted.intercept_ - weight @ mean)))


def _predictions(
    seen: Seen, parts: Parts, calibration: Calibration, domain: DomainCheck | None, t_score: TScoreHead | None
) -> Predictions:
    folder = Path(os.path.commonpath([row.image.parent for row in parts.rows]))
    judged = [] if domain is None else [domain.judge(one.astype(np.float64)) for one in seen.stages]
    return of_rows(
        [parts.rows[place] for place in seen.places],
        folder,
        softmax(seen.logits, calibration.temperature),
        expected_t=t_score.expected(seen.features) if t_score is not None else np.empty(0),
        domain_distance=np.array([one.distance for one in judged]),
        domain_level=np.array([one.level for one in judged], str),
    )


def _figures(predictions: Predictions) -> dict[str, Any]:
    """AUCs without intervals, for the card; `evaluate` has the rest."""
    from sklearn.metrics import roc_auc_score

    label = predictions.label
    return {
        "images": len(predictions),
        "patients": predictions.patients,
        "classes": np.bincount(label, minlength=len(CLASSES)).tolist(),
        "auc_osteoporosis": float(roc_auc_score(label == 2, predictions.osteoporosis)),
        "auc_low_bone_mass": float(roc_auc_score(label >= 1, predictions.low_bone_mass)),
    }
