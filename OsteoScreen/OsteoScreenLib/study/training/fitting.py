"""Tuning by gradients: steps, validation after each epoch, checkpoints, early stopping.

Nothing random is carried from step to step: the images of a step, their changes and the network's own dropout follow from seed, epoch
and step. So a run that goes on from a checkpoint computes what the uninterrupted run computes.
"""

from __future__ import annotations

import hashlib
import math
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from OsteoScreenLib.classifier.devices import running
from OsteoScreenLib.classifier.full_head import full_head
from OsteoScreenLib.errors import InputError, OsteoScreenError
from OsteoScreenLib.study.training.augment import Augmentation
from OsteoScreenLib.study.training.balance import Balance
from OsteoScreenLib.study.training.batches import Normaliser, Reading, batches_of
from OsteoScreenLib.study.training.checkpoints import read_checkpoint, write_checkpoint
from OsteoScreenLib.study.training.measures import osteoporosis_auc
from OsteoScreenLib.study.training.options import TrainOptions
from OsteoScreenLib.study.training.parts import Parts
from OsteoScreenLib.study.training.passes import Looking
from OsteoScreenLib.study.training.team import Team
from OsteoScreenLib.study.training.tuned import Tuned

_WARM_UP = 0.1  # share of all steps over which rates rise
_LONGEST_GRADIENT = 1.0


@dataclass
class Course:
    """Where a training stands. epoch, step : the next to be done. loss : summed over this epoch's steps so far.

    history : a table row for each epoch done. best_* : of the epoch with the largest validation AUC. stale : epochs since.
    """

    epoch: int = 0
    step: int = 0
    loss: float = 0.0
    history: list[dict[str, float]] = field(default_factory=list)
    best_epoch: int = 0
    best_auc: float = -1.0
    best_loss: float = math.inf
    stale: int = 0

    def judge(self, row: dict[str, float]) -> bool:
        """Take an epoch's row in; whether it is the best so far (largest AUC, among equals the smallest loss)."""
        self.history.append(row)
        auc, loss = row["validation_auc"], row["validation_loss"]
        better = auc > self.best_auc or (auc == self.best_auc and loss < self.best_loss)
        if better:
            self.best_epoch, self.best_auc, self.best_loss, self.stale = int(row["epoch"]), auc, loss, 0
        else:
            self.stale += 1
        return better


@dataclass(frozen=True, eq=False)
class Training:
    """Everything that tuning by gradients needs. folder : of checkpoints. fingerprint : of images and recipe, which a checkpoint must have.

    tell : (steps done, all, remark). log : an event and what belongs to it.
    """

    tuned: Tuned
    looking: Looking
    parts: Parts
    options: TrainOptions
    balance: Balance
    team: Team
    folder: Path
    fingerprint: str
    tell: Callable[[int, int, str], None]
    log: Callable[..., None]

    def run(self) -> Course:
        """Train from where the last checkpoint stands to the end; the network holds the best epoch's weights afterwards.

        Raises `InputError` (changed) when checkpoints are of other images; `OsteoScreenError` when the disk is full, or the loss is
        no longer finite.
        """
        options, team = self.options, self.team
        places = self.parts.of["training"]
        batches = len(self._batches(0))
        if min(options.batch, len(places)) < team.size:
            raise InputError(
                f"A batch of {options.batch} images cannot be shared by {team.size} processes; give a larger one.",
                code="option",
            )
        network = team.wrapped(self.tuned.network)
        optimiser = torch.optim.AdamW(self.tuned.groups(options))
        scaler = torch.amp.GradScaler(team.device.type, enabled=self.looking.precision == "fp16")
        course, best = self._restore(optimiser, scaler)
        every = batches * options.epochs
        with repeatable(team.device):
            while course.epoch < options.epochs and course.stale < options.patience:
                began, at_start = time.perf_counter(), course.step
                self._epoch(network, optimiser, scaler, course, best, every)
                row = self._validated(course, batches, optimiser)
                if course.judge(row):
                    best = self.tuned.state()
                course.epoch, course.step, course.loss = course.epoch + 1, 0, 0.0
                images = (batches - at_start) * min(options.batch, len(places))
                self.log("epoch", **row, images_per_second=round(images / (time.perf_counter() - began), 2))
                self._save(course, optimiser, scaler, best)
        self.tuned.load(best)
        self.tell(every, every, self._remark(course))
        return course

    def _batches(self, epoch: int) -> list[np.ndarray]:
        options, places = self.options, self.parts.of["training"]
        balanced = options.imbalance == "sampling"
        return batches_of(places, self.parts.labels[places], options.batch, options.seed, epoch, balanced)

    def _epoch(
        self,
        network: nn.Module,
        optimiser: torch.optim.Optimizer,
        scaler: torch.amp.GradScaler,
        course: Course,
        best: Mapping[str, torch.Tensor],
        every: int,
    ) -> None:
        options, team, looking = self.options, self.team, self.looking
        batches = self._batches(course.epoch)
        self.tuned.train_mode()
        step_of = Step(self, network, optimiser, scaler)
        losses = torch.zeros((), device=team.device)
        reading = Reading(looking.images, pinned=team.device.type == "cuda")
        mine = [batch[team.rank :: team.size] for batch in batches[course.step :]]
        for places, pixels in reading(mine):
            done = course.epoch * len(batches) + course.step
            losses += step_of(course.epoch, course.step, done / every, len(batches[course.step]), places, pixels)
            course.step += 1
            last = course.step == len(batches)
            if last or (done + 1) % options.checkpoint_steps == 0:
                course.loss += team.summed(float(losses))
                losses.zero_()
                if not math.isfinite(course.loss):
                    raise OsteoScreenError(
                        "The loss is no longer finite; train with a smaller --rate, or with --precision fp32."
                    )
                if not last:
                    self._save(course, optimiser, scaler, best)
            self.tell(done + 1, every, self._remark(course))

    def _validated(self, course: Course, batches: int, optimiser: torch.optim.Optimizer) -> dict[str, float]:
        team, places = self.team, self.parts.of["validation"]
        mine = self.looking.logits(self.tuned.network, places[team.rank :: team.size])
        logits = team.interleaved(mine, len(places)) + self.balance.offset
        labels = self.parts.labels[places]
        loss = cross_entropy(torch.from_numpy(logits), torch.from_numpy(labels)).item()
        return {
            "epoch": course.epoch + 1,
            "step": (course.epoch + 1) * batches,
            "training_loss": course.loss / batches,
            "validation_loss": loss,
            "validation_auc": osteoporosis_auc(logits, labels),
            "rate": max(float(group["lr"]) for group in optimiser.param_groups),
        }

    def _remark(self, course: Course) -> str:
        auc = f", best validation AUC {course.best_auc:.3f}" if course.history else ""
        return f"epoch {min(course.epoch + 1, self.options.epochs)} of {self.options.epochs}{auc}"

    def _save(
        self, course: Course, optimiser: torch.optim.Optimizer, scaler: torch.amp.GradScaler, best: Mapping[str, torch.Tensor]
    ) -> None:
        if self.team.leads:
            tensors = {f"weights.{name}": tensor for name, tensor in self.tuned.state().items()}
            tensors |= {f"best.{name}": tensor for name, tensor in best.items()}
            for place, values in optimiser.state_dict()["state"].items():
                tensors |= {f"optimiser.{place}.{name}": torch.as_tensor(value) for name, value in values.items()}
            # A loss that is not yet known is no JSON number.
            where = {**asdict(course), "best_loss": course.best_loss if course.history else None}
            facts = {"fingerprint": self.fingerprint, "course": where, "scaler": scaler.state_dict()}
            write_checkpoint(self.folder, course.epoch * len(self._batches(0)) + course.step, tensors, facts)
        self.team.wait()

    def _restore(
        self, optimiser: torch.optim.Optimizer, scaler: torch.amp.GradScaler
    ) -> tuple[Course, dict[str, torch.Tensor]]:
        held = self.team.first(lambda: read_checkpoint(self.folder))
        if held is None:
            return Course(), {}
        for name in held.damaged:
            self.log("damaged-checkpoint", name=name, went_on_from="the one before" if held.tensors else "the beginning")
        if not held.tensors:
            return Course(), {}
        if held.facts["fingerprint"] != self.fingerprint:
            raise InputError(
                "The images, or the backbone's weights, have changed since this run began; choose another folder with --out.",
                code="changed",
            )
        parts: dict[str, dict[str, torch.Tensor]] = {"weights": {}, "best": {}, "optimiser": {}}
        for name, tensor in held.tensors.items():
            kind, rest = name.split(".", 1)
            parts[kind][rest] = tensor
        self.tuned.load(parts["weights"])
        state: dict[int, dict[str, Any]] = {}
        for name, tensor in parts["optimiser"].items():
            place, what = name.split(".", 1)
            state.setdefault(int(place), {})[what] = tensor
        optimiser.load_state_dict({"state": state, "param_groups": optimiser.state_dict()["param_groups"]})
        scaler.load_state_dict(dict(held.facts["scaler"]))
        course = Course(**held.facts["course"])
        course.best_loss = math.inf if course.best_loss is None else course.best_loss
        self.log("resumed", epoch=course.epoch + 1, step=course.step)
        return course, parts["best"]


class Step:
    """One step of the optimiser on this process's share of a batch."""

    def __init__(
        self, training: Training, network: nn.Module, optimiser: torch.optim.Optimizer, scaler: torch.amp.GradScaler
    ) -> None:
        options = training.options
        self._training, self._network, self._optimiser, self._scaler = training, network, optimiser, scaler
        self._ready = Normaliser(training.looking.spec)
        self._augmentation = Augmentation(flip=options.flip, pad=training.looking.spec.pad) if options.augment else None
        device = training.team.device
        self._labels = torch.from_numpy(training.parts.labels).to(device)
        self._weights = torch.from_numpy(training.balance.weights.astype(np.float32)).to(device)

    def __call__(
        self, epoch: int, step: int, course: float, count: int, places: np.ndarray, pixels: torch.Tensor
    ) -> torch.Tensor:
        """course : share of the whole training done. count : images of the batch in all processes. Returns this one's share of the loss."""
        options, team = self._training.options, self._training.team
        grey = self._ready.grey(pixels, team.device)
        if self._augmentation is not None:
            # By the place in the epoch, so that an image that balanced sampling draws twice is changed in two ways.
            numbers = np.arange(count)[team.rank :: team.size] + step * options.batch
            grey = self._augmentation.apply(grey, self._augmentation.draw(options.seed, epoch, numbers))
        return self.learn(epoch, step, course, count, places, self._ready.normalised(grey))

    def learn(self, epoch: int, step: int, course: float, count: int, places: np.ndarray, inputs: torch.Tensor) -> torch.Tensor:
        """The step itself, on the network's input."""
        training, team = self._training, self._training.team
        torch.manual_seed(_seed_of(training.options.seed, epoch, step, team.rank))  # of dropout
        for group in self._optimiser.param_groups:
            group["lr"] = group["full_rate"] * rate_factor(course)
        shown = running(team.device, training.looking.precision), full_head(training.tuned.network, team.device.type)
        with (
            torch.enable_grad(),
            shown[0],
            shown[1],
        ):  # the first, so that what the network does to it does not outlast the pass
            logits = self._network(inputs)
        labels = self._labels[torch.from_numpy(places).to(team.device)]
        # Divided by the whole batch: what processes average over is then what one process alone would compute.
        loss = (cross_entropy(logits.float(), labels, reduction="none") * self._weights[labels]).sum() / count
        self._optimiser.zero_grad(set_to_none=True)
        self._scaler.scale(loss * team.size).backward()
        self._scaler.unscale_(self._optimiser)
        nn.utils.clip_grad_norm_([p for group in self._optimiser.param_groups for p in group["params"]], _LONGEST_GRADIENT)
        self._scaler.step(self._optimiser)
        self._scaler.update()
        return loss.detach()


def rate_factor(course: float) -> float:
    """The rate's share of its full height at a share of the training: rising evenly, then falling along a cosine to 0."""
    if course < _WARM_UP:
        return (course + 0.01) / (_WARM_UP + 0.01)
    return 0.5 * (1 + math.cos(math.pi * (course - _WARM_UP) / (1 - _WARM_UP)))


def _seed_of(*numbers: int) -> int:
    return int.from_bytes(hashlib.sha256(repr(numbers).encode()).digest()[:7], "big")


@contextmanager
def repeatable(device: torch.device) -> Iterator[None]:
    """Within this context a GPU computes the same from the same, wherever it can; the caller's random state is left alone."""
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    before, warned = torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        if device.type == "cuda":
            torch.use_deterministic_algorithms(True, warn_only=True)
        try:
            yield
        finally:
            torch.use_deterministic_algorithms(before, warn_only=warned)
