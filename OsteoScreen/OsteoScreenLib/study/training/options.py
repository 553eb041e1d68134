"""What a training run is: the recipe, checked, and which part of it decides the result."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Literal, get_args

from OsteoScreenLib.errors import InputError

Tuning = Literal["linear", "partial", "lora"]
Imbalance = Literal["none", "weights", "sampling"]

# Called with (stage, done, all, remark); a stage that comes anew begins a bar of its own.
Progress = Callable[[str, int, int, str], None]

# How fast and where a run goes, not what comes out of it.
_NOT_RECIPE = ("workers", "checkpoint_steps", "cache", "device", "precision", "weights")
_POSITIVE = ("epochs", "batch", "blocks", "lora_rank", "lora_alpha", "patience", "checkpoint_steps", "head_rate")


@dataclass(frozen=True)
class TrainOptions:
    """The recipe of one run.

    backbone : an id of the registry. tuning : "linear" (the encoder stays as it is, its features are computed once and a logistic
        regression is fitted), "partial" (the last `blocks` blocks, what normalises and pools behind them, and the head), "lora"
        (adapters of rank `lora_rank` on the layers whose names end in `lora_targets`, by default query, key and value, and the head; Hu et al. 2022).
    weights : file of the backbone's weights; None looks into the folder of base weights. random_weights : none at all, for tests.
    image_size : rows and columns of the input; the backbone's own by default. site : body site of the bundle. name : its id;
        made of site, backbone and tuning by default.
    adapters_alone : the bundle holds adapters and head, and names the base file; by default adapters are merged.
    rate : of the tuned blocks or adapters; None is the tuning's own (see `learning_rate`). head_rate : of the head.
    imbalance : "weights" weighs the loss by the inverse frequency of the class, "sampling" draws the classes equally often.
        Either way the classes' frequency in the training data goes back into the head's bias, so that probabilities refer to it.
    augment : small turns, shifts, scales, tone and noise. flip : mirror left and right as well, half of the time.
    patience : epochs without a better validation AUC after which training stops.
    t_score : fit the expected T-score, too. sensitivity : of both operating points on validation; None takes Youden's index.
    simulated : the images are simulated radiographs; whoever reads the bundle's answers is told.
    workers : processes that decode radiographs; 0 decodes in this one. checkpoint_steps : steps between checkpoints.
    cache : folder of pre-resized images, to share between runs; in the run's folder by default.
    """

    backbone: str
    tuning: Tuning = "linear"
    weights: Path | None = None
    random_weights: bool = False
    image_size: int | None = None
    site: str = "chest-frontal"
    name: str = ""
    blocks: int = 1
    lora_rank: int = 8
    lora_alpha: int = 16
    lora_targets: tuple[str, ...] = ()
    lora_dropout: float = 0.0
    adapters_alone: bool = False
    epochs: int = 30
    batch: int = 32
    rate: float | None = None
    head_rate: float = 1e-3
    weight_decay: float = 0.05
    imbalance: Imbalance = "weights"
    augment: bool = True
    flip: bool = False
    patience: int = 8
    t_score: bool = False
    sensitivity: float | None = None
    simulated: bool = False
    seed: int = 0
    device: str = "auto"
    precision: str = "auto"
    workers: int = 0
    checkpoint_steps: int = 100
    cache: Path | None = None

    def checked(self) -> TrainOptions:
        """Itself. Raises `InputError` (option) in one sentence that names what is wrong."""
        for name in _POSITIVE:
            if getattr(self, name) <= 0:
                raise _wrong(name, "must be more than 0")
        for name, choices in (("tuning", get_args(Tuning)), ("imbalance", get_args(Imbalance))):
            if getattr(self, name) not in choices:
                raise _wrong(name, f"is '{getattr(self, name)}'; choose one of {', '.join(choices)}")
        if self.rate is not None and self.rate <= 0:
            raise _wrong("rate", "must be more than 0")
        if self.weight_decay < 0 or self.seed < 0 or self.workers < 0:
            raise _wrong("weight_decay, seed or workers", "must not be negative")
        if not 0 <= self.lora_dropout < 1:
            raise _wrong("lora_dropout", "must be from 0 to below 1")
        if self.sensitivity is not None and not 0 < self.sensitivity <= 1:
            raise _wrong("sensitivity", "must be more than 0 and at most 1")
        if self.adapters_alone and (self.tuning != "lora" or self.random_weights):
            raise _wrong("adapters_alone", "needs the tuning lora on a backbone with weights of its own")
        if self.name and not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", self.name):
            raise _wrong("name", "may hold letters, digits, '.', '_' and '-' only")
        if self.weights is not None and self.random_weights:
            raise InputError("Give either a file of weights or random weights, not both.", code="option")
        return self

    @property
    def learning_rate(self) -> float:
        """Of the tuned blocks or the adapters. Adapters start from nothing and take larger steps."""
        return self.rate if self.rate is not None else 5e-4 if self.tuning == "lora" else 1e-4

    def recipe(self) -> dict[str, Any]:
        """Everything that decides the result, as JSON values."""
        values = {key: value for key, value in asdict(self).items() if key not in _NOT_RECIPE}
        return {key: list(value) if isinstance(value, tuple) else value for key, value in values.items()}

    def command(self) -> str:
        """The command that repeats the run, without paths, which are nobody's business."""
        given = []
        for one in fields(self):
            value = getattr(self, one.name)
            if one.name in _NOT_RECIPE or one.name == "backbone" or value == one.default:
                continue
            word = "--" + one.name.replace("_", "-")
            if isinstance(value, tuple):
                value = ",".join(value)
            given.append(f"--no-{word[2:]}" if value is False else word if value is True else f"{word} {value}")
        return " ".join(["osteoscreen train TABLE --out RUN --backbone", self.backbone, *given])


def _wrong(name: str, told: str) -> InputError:
    return InputError(f"The option {name} {told}.", code="option")


def counting(progress: Progress, stage: str, before: int, total: int) -> Callable[[int], None]:
    """Tells a stage's progress from how many of one of its pieces are done; `before` of `total` came in earlier pieces."""
    return lambda few: progress(stage, before + few, total, "")
