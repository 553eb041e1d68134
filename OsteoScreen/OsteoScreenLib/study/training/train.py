"""`train`: a cohort, its split and a recipe become a run folder with a verified bundle in it. A killed run goes on where it stopped."""

from __future__ import annotations

import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from OsteoScreenLib.classifier.backbones import Backbone, architecture_for, backbone, build_backbone, preprocessing_for
from OsteoScreenLib.classifier.base_weights import require, verified_sha256
from OsteoScreenLib.classifier.devices import choose_precision
from OsteoScreenLib.classifier.model_bundle import Architecture, BaseWeights
from OsteoScreenLib.errors import InputError
from OsteoScreenLib.explain.analyse import versions
from OsteoScreenLib.explain.analysis import RESEARCH_USE_ONLY, SIMULATED_TRAINING
from OsteoScreenLib.study.cohort import CohortRow
from OsteoScreenLib.study.training.balance import Balance
from OsteoScreenLib.study.training.finishing import Trained, chosen_for_domain, finish, rounded
from OsteoScreenLib.study.training.fitting import Training
from OsteoScreenLib.study.training.image_cache import CachedImages, fill_cache
from OsteoScreenLib.study.training.options import Progress, TrainOptions, counting
from OsteoScreenLib.study.training.parts import SPLITS, Parts, parts_of
from OsteoScreenLib.study.training.passes import Looking, Seen
from OsteoScreenLib.study.training.probing import fit_head, headed, seen_in_parts, set_head
from OsteoScreenLib.study.training.run_folder import RunFolder
from OsteoScreenLib.study.training.team import Team
from OsteoScreenLib.study.training.tuned import Tuned, lora_settings


@dataclass(frozen=True)
class TrainedRun:
    """folder : of the run. bundle : the model's folder. predictions : "validation" and, where there is one, "test" → CSV."""

    folder: Path
    bundle: Path
    predictions: Mapping[str, Path]


def train(
    rows: Sequence[CohortRow],
    splits: Mapping[str, str],
    options: TrainOptions,
    folder: Path,
    progress: Progress | None = None,
    entry: Backbone | None = None,
) -> TrainedRun:
    """Train, calibrate, and write bundle and predictions; a run that is done already is only opened.

    Parameters
    ----------
    rows : of the cohort. splits : patient → "training", "validation" or "test".
    folder : of the run. One that holds a run of the same recipe goes on with it; another recipe is refused.
    entry : a backbone that the registry does not have; `options.backbone` is its id.

    Raises
    ------
    InputError
        One sentence: wrong options, one patient, a class that a part lacks, unreadable images by row, weights that do not fit, another
        run in the folder, images that changed under a run.
    OsteoScreenError
        The disk is full, or the loss is no longer finite.
    """
    options = options.checked()
    chosen = entry or backbone(options.backbone)
    spec = preprocessing_for(chosen, options.image_size)
    parts = parts_of(rows, splits)
    options = replace(options, weights=None if options.random_weights else options.weights or require(chosen))
    team = Team(options.device)
    run = _Run(RunFolder(folder, team.leads), parts, options, chosen, team, progress if progress and team.leads else _silent)
    facts = run.facts()
    done = team.first(lambda: run.folder.claim(facts))
    there = [split for split in SPLITS[1:] if len(parts.of[split])]
    result = TrainedRun(folder, folder / "bundle", {split: folder / f"predictions-{split}.csv" for split in there})
    if done is None or not all(path.exists() for path in (result.bundle, *result.predictions.values())):
        began = time.perf_counter()
        run.folder.log("started", processes=team.size, device=str(team.device), versions=facts["versions"])
        images = team.first(lambda: fill_cache(options.cache or folder / "cache", rows, spec, options.workers, run.progress))
        trained = run.trained(images, facts)
        if team.leads:
            _, _, figures = finish(folder, trained, parts, options, chosen, facts)
            seconds = round(time.perf_counter() - began, 1)
            run.folder.log("done", seconds=seconds)
            run.folder.done({"figures": figures, "epochs": trained.epochs, "best_epoch": trained.best_epoch})
            for leftover in ("checkpoints", "features"):
                shutil.rmtree(folder / leftover, ignore_errors=True)
        team.wait()
    return result


@dataclass(frozen=True, eq=False)
class _Run:
    folder: RunFolder
    parts: Parts
    options: TrainOptions
    chosen: Backbone
    team: Team
    progress: Progress

    def facts(self) -> dict[str, Any]:
        """What stands in run.json."""
        options, parts = self.options, self.parts
        return {
            "research_use_only": True,
            "statements": [RESEARCH_USE_ONLY, *([SIMULATED_TRAINING] if options.simulated else [])],
            "recipe": options.recipe(),
            "backbone": {
                "id": self.chosen.id,
                "title": self.chosen.title,
                "weights_sha256": verified_sha256(options.weights) if options.weights is not None else None,
            },
            "device": self.team.device.type,
            "precision": _precision(self.team.device, options.precision),
            "cohort": {
                "sha256": parts.digest(),
                "images": {split: len(parts.of[split]) for split in SPLITS},
                "patients": {split: parts.patients(split) for split in SPLITS},
            },
            "versions": versions(),
        }

    def trained(self, images: CachedImages, facts: Mapping[str, Any]) -> Trained:
        """The tuned network, as it will be stored, and what it makes of the images."""
        options, parts = self.options, self.parts
        spec = preprocessing_for(self.chosen, options.image_size)
        architecture = architecture_for(self.chosen, options.weights)
        network = build_backbone(
            self.chosen, 3, options.weights, options.image_size, self.chosen.id, random=options.random_weights
        ).to(self.team.device)
        looking = Looking(images, spec, self.team.device, facts["precision"])
        balance = Balance.of(parts.counts("training"), options.imbalance)
        fingerprint = f"{parts.digest(images.digests)} {facts['backbone']['weights_sha256']}"
        if options.tuning == "linear":
            return self._probed(network, looking, balance, fingerprint, architecture)
        return self._tuned(network, looking, balance, fingerprint, architecture)

    def _tuned(
        self, network: nn.Module, looking: Looking, balance: Balance, fingerprint: str, architecture: Architecture
    ) -> Trained:
        options, parts = self.options, self.parts
        if options.adapters_alone and options.weights is not None:
            base = BaseWeights(options.weights.name, verified_sha256(options.weights))
            architecture = replace(architecture, lora=lora_settings(network, options), base=base)
        tuned = Tuned.of(network, options)
        course = Training(
            tuned, looking, parts, options, balance, self.team, self.folder.path / "checkpoints", fingerprint,
            lambda done, total, remark: self.progress("Training", done, total, remark), self.folder.log,
        ).run()  # fmt: skip
        if self.team.leads:
            self.folder.curves(course.history)
        with torch.no_grad():
            tuned.head.bias.add_(torch.from_numpy(balance.offset).to(tuned.head.bias))
        held = tuned.adapters() if architecture.lora is not None else {}
        plain = tuned.merged()
        tensors = held or rounded(plain)
        few, _ = chosen_for_domain(parts, options.seed)
        wanted = {"training": few, **{split: parts.of[split] for split in SPLITS[1:] if len(parts.of[split])}}
        total, before = sum(map(len, wanted.values())), 0
        seen: dict[str, Seen] = {}
        for split, places in wanted.items() if self.team.leads else ():
            seen[split] = looking.look(plain, places, True, counting(self.progress, "Looking once more", before, total))
            before += len(places)
        return Trained(plain, tensors, architecture, looking.spec, seen, len(course.history), course.best_epoch)

    def _probed(
        self, network: nn.Module, looking: Looking, balance: Balance, fingerprint: str, architecture: Architecture
    ) -> Trained:
        options, parts = self.options, self.parts
        head = Tuned.of(network, options).head
        rounded(network)  # so that the features are those of the encoder that is stored
        few, others = chosen_for_domain(parts, options.seed)
        sets = [(few, True), (others, False), (parts.of["validation"], True), (parts.of["test"], True)]
        first, rest, validation, test = seen_in_parts(
            network, looking, sets, self.folder.path / "features", fingerprint, self.team, self.progress
        )
        features = np.concatenate([one.features for one in (first, rest) if len(one.places)])
        labels = parts.labels[np.concatenate([first.places, rest.places])]
        fitted = fit_head((features, labels), (validation.features, parts.labels[validation.places]), balance)
        set_head(head, fitted.weight, fitted.bias)
        tensors = rounded(network)
        if self.team.leads:
            self.folder.curves(fitted.history)
        there = {"training": first, "validation": validation, **({"test": test} if len(test.places) else {})}
        seen = {split: headed(one, head) for split, one in there.items()}
        return Trained(network, tensors, architecture, looking.spec, seen, len(fitted.history), fitted.chosen)


def _precision(device: torch.device, word: str) -> Any:
    precision = choose_precision(device, word)
    if precision == "fp16" and device.type == "cpu":
        raise InputError("A processor does not train in fp16; choose --precision bf16 or fp32.", code="precision")
    return precision


def _silent(_stage: str, _done: int, _total: int, _remark: str) -> None:
    """For whoever does not ask how far it is."""
