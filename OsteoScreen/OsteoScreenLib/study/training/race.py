"""How much of the training's time is not the network: each part beside the bare computation, in turns, in one process.

Blocks of steps with the real data path (memory-mapped cache, a thread that reads ahead, changes drawn for each image, normalising) take
turns with blocks of the same steps on inputs that lie in memory. Each block begins with nothing read ahead.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch

from OsteoScreenLib.classifier.devices import running
from OsteoScreenLib.classifier.full_head import full_head
from OsteoScreenLib.classifier.model_bundle import Architecture
from OsteoScreenLib.classifier.network import build_network
from OsteoScreenLib.classifier.preprocess import PreprocessSpec
from OsteoScreenLib.study.classifier_figures import softmax
from OsteoScreenLib.study.cohort import CohortRow
from OsteoScreenLib.study.evaluation.predictions import Predictions, write_predictions
from OsteoScreenLib.study.training.balance import Balance
from OsteoScreenLib.study.training.batches import Normaliser, Reading
from OsteoScreenLib.study.training.fitting import Step, Training
from OsteoScreenLib.study.training.image_cache import fill_cache
from OsteoScreenLib.study.training.options import TrainOptions
from OsteoScreenLib.study.training.parts import Parts, parts_of
from OsteoScreenLib.study.training.passes import Looking
from OsteoScreenLib.study.training.probing import fit_head, seen_in_parts
from OsteoScreenLib.study.training.team import Team
from OsteoScreenLib.study.training.tuned import Tuned

_SPLITS = ("training", "training", "validation", "test")


@dataclass(frozen=True)
class Clocks:
    """Seconds of each round, of ours and of what it is compared with, by the wall and by the processor."""

    ours: tuple[float, ...]
    bare: tuple[float, ...]
    ours_processor: tuple[float, ...] = ()
    bare_processor: tuple[float, ...] = ()


@dataclass(frozen=True)
class Measured:
    """What `measure` found. images : of each block of steps, of the features and of the evaluation."""

    step: Clocks
    probe: Clocks
    probe_parts: dict[str, float]
    evaluation: Clocks
    images: dict[str, int]
    device: str
    precision: str


def measure(
    folder: Path,
    network: str,
    size: int,
    *,
    device: str,
    precision: Any,
    batch: int,
    steps: int,
    rounds: int,
    epochs: int,
    tuning: Any,
) -> Measured:
    """Time all three. folder : for pictures and files. epochs : of the loop that runs the encoder anew in each; one round measures one."""
    team = Team(device)
    spec = PreprocessSpec(size, size)
    rows, splits = _pictures(folder, 4 * max(6, batch))
    parts = parts_of(rows, splits)
    images = fill_cache(folder / "cache", rows, spec)
    looking = Looking(images, spec, team.device, precision)

    def fresh() -> Any:
        return build_network(Architecture(network, {}), spec, network).to(team.device)

    options = TrainOptions(network, tuning, random_weights=True, batch=batch, epochs=epochs).checked()
    tuned = Tuned.of(fresh(), options)
    balance = Balance.of(parts.counts("training"), options.imbalance)
    training = Training(tuned, looking, parts, options, balance, team, folder, "", _quiet, _quiet)
    step = _step(training, steps, rounds)
    probe, probe_parts = _probe(folder, fresh(), looking, parts, training, epochs, rounds)
    evaluation = _evaluation(folder, fresh(), looking, parts, rounds)
    counts = {"step": batch * steps, "probe": len(parts.of["training"]), "evaluation": len(parts.rows)}
    return Measured(step, probe, probe_parts, evaluation, counts, team.device.type, precision)


def _quiet(*_: Any, **__: Any) -> None:
    """Nobody asks how far a measurement is."""


def _step(training: Training, steps: int, rounds: int) -> Clocks:
    tuned, team, looking = training.tuned, training.team, training.looking
    optimiser = torch.optim.AdamW(tuned.groups(training.options))
    scaler = torch.amp.GradScaler(team.device.type, enabled=looking.precision == "fp16")
    step = Step(training, tuned.network, optimiser, scaler)
    tuned.train_mode()
    rng = np.random.default_rng(0)
    batch = training.options.batch
    batches = [rng.choice(training.parts.of["training"], batch) for _ in range(steps)]
    kept = [_input(looking, places) for places in batches]
    reading = Reading(looking.images, pinned=team.device.type == "cuda")

    def ours() -> None:
        for number, (places, pixels) in enumerate(reading(batches)):
            step(0, number, 0.5, batch, places, pixels)

    def bare() -> None:
        for number, (places, inputs) in enumerate(zip(batches, kept, strict=True)):
            step.learn(0, number, 0.5, batch, places, inputs)

    return _in_turns(ours, bare, rounds, team.device)


def _input(looking: Looking, places: np.ndarray) -> torch.Tensor:
    """These places as one batch of the network's input."""
    ready = Normaliser(looking.spec)
    _, pixels = next(Reading(looking.images)([places]))
    return ready.normalised(ready.grey(pixels, looking.device))


def _probe(
    folder: Path, network: Any, looking: Looking, parts: Parts, training: Training, epochs: int, rounds: int
) -> tuple[Clocks, dict[str, float]]:
    """Features once and a fitted head, beside as many epochs of the encoder with steps of the head.

    The loop sees the training images alone; ours looks at the validation images as well, since they choose the penalty.
    """
    device = training.team.device
    places = {split: parts.of[split] for split in ("training", "validation")}
    seconds: dict[str, list[float]] = {"features": [], "fit": []}
    one_epoch: list[float] = []
    tuned = Tuned.of(network, replace(training.options, tuning="linear"))
    optimiser = torch.optim.AdamW(tuned.groups(training.options))
    scaler = torch.amp.GradScaler(device.type, enabled=looking.precision == "fp16")
    linear = replace(training, tuned=tuned)
    step = Step(linear, tuned.network, optimiser, scaler)
    looking.logits(network, places["validation"][:2])  # not counted: the first pass is slower
    batch = training.options.batch
    for number in range(rounds):
        began = _now(device)
        first, second = seen_in_parts(
            network,
            looking,
            [(one, False) for one in places.values()],
            folder / f"features-{number}",
            "",
            training.team,
            _quiet,
        )
        between = _now(device)
        labels = [parts.labels[one.places] for one in (first, second)]
        fit_head((first.features, labels[0]), (second.features, labels[1]), training.balance)
        seconds["features"].append(between - began)
        seconds["fit"].append(_now(device) - between)
        began = _now(device)
        tuned.train_mode()
        batches = [places["training"][start : start + batch] for start in range(0, len(places["training"]), batch)]
        for at, (few, pixels) in enumerate(Reading(looking.images)(batches)):
            step(number, at, 0.5, len(few), few, pixels)
        one_epoch.append(_now(device) - began)
    ours = tuple(a + b for a, b in zip(seconds["features"], seconds["fit"], strict=True))
    told = {name: float(np.median(values)) for name, values in seconds.items()} | {"naive_epoch": float(np.median(one_epoch))}
    return Clocks(ours, tuple(epochs * one for one in one_epoch)), told


def _evaluation(folder: Path, network: Any, looking: Looking, parts: Parts, rounds: int) -> Clocks:
    """From the cache to a table of predictions, beside forward passes alone."""
    places = np.arange(len(parts.rows))
    kept = [inputs for _, inputs in looking.inputs(places)]

    def ours() -> None:
        seen = looking.look(network, places)
        names = np.array([row.image.name for row in parts.rows])
        patients = np.array([row.patient for row in parts.rows])
        write_predictions(folder / "predictions.csv", Predictions(names, patients, parts.labels, softmax(seen.logits)))

    def bare() -> None:
        network.eval()
        with torch.inference_mode(), running(looking.device, looking.precision), full_head(network, looking.device.type):
            torch.cat([network(inputs).float() for inputs in kept]).cpu()

    return _in_turns(ours, bare, rounds, looking.device)


def _in_turns(ours: Callable[[], None], bare: Callable[[], None], rounds: int, device: torch.device) -> Clocks:
    for work in (bare, ours):
        work()  # not counted
    clocks: list[list[float]] = [[], [], [], []]
    for number in range(rounds):
        for place in (0, 1) if number % 2 else (1, 0):  # neither always comes first
            began, processor = _now(device), time.process_time()
            (ours, bare)[place]()
            clocks[place].append(_now(device) - began)
            clocks[2 + place].append(time.process_time() - processor)
    return Clocks(*(tuple(one) for one in clocks))


def _now(device: torch.device) -> float:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter()


def _pictures(folder: Path, count: int) -> tuple[tuple[CohortRow, ...], dict[str, str]]:
    """Smooth random pictures, one a patient, of all classes in all parts."""
    rng = np.random.default_rng(0)
    folder.mkdir(parents=True, exist_ok=True)
    rows: list[CohortRow] = []
    splits: dict[str, str] = {}
    for number in range(count):
        pixels = cv2.resize(rng.random((16, 16)), (320, 320), interpolation=cv2.INTER_CUBIC).clip(0, 1)
        path = folder / f"{number:04d}.png"
        cv2.imwrite(str(path), np.round(pixels * 65535).astype(np.uint16))
        rows.append(CohortRow(number + 2, f"P{number}", path, number % 3))
        splits[f"P{number}"] = _SPLITS[number // 3 % 4]
    return tuple(rows), splits
