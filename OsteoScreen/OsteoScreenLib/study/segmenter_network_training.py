"""One training run of the segmenter's network: loss, optimiser, schedule, averaged weights, checkpoints without pickles."""

from __future__ import annotations

import json
import queue
import threading
from collections.abc import Callable, Generator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn

from OsteoScreenLib.classifier.devices import choose_device, choose_precision, running
from OsteoScreenLib.files import write_atomically
from OsteoScreenLib.study.segmenter_images import Store, training_example


@dataclass(frozen=True)
class Schedule:
    """How long and how fast.

    steps : optimiser steps. batch : images a step. rate : peak learning rate. grid : input side. average : decay of the averaged weights.
    device, precision : as for the classifier (`choose_device`, `choose_precision`); "auto" takes a CUDA GPU where there is one, and
    bf16 where the hardware computes faster in it. Weights, loss and optimiser stay in single precision.
    """

    steps: int = 2800
    batch: int = 8
    rate: float = 2e-3
    grid: int = 224
    average: float = 0.995
    save_every: int = 100
    device: str = "auto"
    precision: str = "auto"


def loss_of(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Binary cross-entropy plus soft Dice per structure over the batch. targets : coverage in [0, 1]."""
    crossed = nn.functional.binary_cross_entropy_with_logits(logits, targets)
    probability = torch.sigmoid(logits)
    dims = (0, 2, 3)
    both, each = (probability * targets).sum(dims), probability.sum(dims) + targets.sum(dims)
    dice = (2 * both + 20) / (each + 20)
    return 4 * crossed + (1 - dice).mean()


def train(
    network: nn.Module,
    store: Store,
    schedule: Schedule,
    seed: int,
    checkpoint: Path,
    progress: Callable[[int, int, float], None] | None = None,
) -> dict[str, torch.Tensor]:
    """Train in place and give the averaged weights; goes on from `checkpoint` (.safetensors) when that is there.

    Step n always sees the same images for a seed, so an interrupted run ends as an uninterrupted one does. A finished run is prolonged by
    more steps in its schedule: the learning rate rises again to where the longer cosine has it, which `lengths_of` tells afterwards.
    progress : called with (step, steps, running loss).
    """
    device = choose_device(schedule.device)
    precision = choose_precision(device, schedule.precision)
    network.to(device).to(memory_format=torch.channels_last)
    optimiser = torch.optim.AdamW(network.parameters(), lr=schedule.rate, weight_decay=1e-2)
    averaged = {key: value.detach().clone() for key, value in network.state_dict().items()}
    (step, lengths), average_loss = _resume(checkpoint, network, optimiser, averaged), 0.0
    if lengths[-1:] != [schedule.steps]:
        lengths = [*lengths, schedule.steps]
    batches = _prefetched(store, schedule, seed, step)
    network.train()
    while True:
        share = step / schedule.steps
        if share >= 1:
            break
        images, targets = (tensor.to(device, non_blocking=True) for tensor in next(batches))
        for group in optimiser.param_groups:
            group["lr"] = schedule.rate * min(1.0, (step + 1) / 60) * (0.5 + 0.5 * np.cos(np.pi * share)) + 1e-6
        with running(device, precision):
            logits = network(images)
        loss = loss_of(logits.float(), targets)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimiser.step()
        step += 1
        decay = min(schedule.average, step / (step + 10))
        with torch.no_grad():
            for key, value in network.state_dict().items():
                if value.is_floating_point():
                    averaged[key].lerp_(value, 1 - decay)
                else:
                    averaged[key].copy_(value)
        average_loss = loss.item() if average_loss == 0 else 0.98 * average_loss + 0.02 * loss.item()
        if progress is not None:
            progress(step, schedule.steps, average_loss)
        if step % schedule.save_every == 0:
            _save(checkpoint, network, optimiser, averaged, step, lengths)
    batches.close()
    _save(checkpoint, network, optimiser, averaged, step, lengths)
    return {key: value.cpu() for key, value in averaged.items()}


def _prefetched(
    store: Store, schedule: Schedule, seed: int, first: int
) -> Generator[tuple[torch.Tensor, torch.Tensor], None, None]:
    """Batches from step `first` on, made in a thread of their own while the last one trains."""
    ready: queue.Queue[tuple[torch.Tensor, torch.Tensor]] = queue.Queue(maxsize=4)
    stop = threading.Event()

    def work() -> None:
        step = first
        while not stop.is_set():
            drawn = [
                training_example(store, np.random.default_rng([seed, step, i]), schedule.grid) for i in range(schedule.batch)
            ]
            images = torch.from_numpy(np.stack([image for image, _ in drawn])[:, None])
            targets = torch.from_numpy(np.stack([target for _, target in drawn])).float() / 255
            while not stop.is_set():
                try:
                    ready.put((images, targets), timeout=0.5)
                    break
                except queue.Full:
                    continue
            step += 1

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    try:
        while True:
            try:
                yield ready.get(timeout=5)
            except queue.Empty:
                if not thread.is_alive():
                    raise RuntimeError("the thread that draws training images has ended") from None
    finally:
        stop.set()
        thread.join()


def lengths_of(checkpoint: Path) -> list[int]:
    """The `Schedule.steps` that a checkpoint was trained with, one after the other; more than one where a finished run was prolonged."""
    from safetensors import safe_open

    with safe_open(checkpoint, framework="pt") as stored:
        return [int(steps) for steps in json.loads(stored.metadata()["progress"])["schedules"]]


def _save(
    path: Path,
    network: nn.Module,
    optimiser: torch.optim.Optimizer,
    averaged: dict[str, torch.Tensor],
    step: int,
    lengths: list[int],
) -> None:
    from safetensors.torch import save_file

    tensors = {f"network.{key}": value for key, value in network.state_dict().items()}
    tensors |= {f"averaged.{key}": value for key, value in averaged.items()}
    for number, state in optimiser.state_dict()["state"].items():
        tensors |= {f"optimiser.{number}.{key}": torch.as_tensor(value) for key, value in state.items()}
    tensors = {key: value.detach().cpu().contiguous().clone() for key, value in tensors.items()}
    facts = {"progress": json.dumps({"step": step, "schedules": lengths})}
    write_atomically(path, lambda temporary: save_file(tensors, temporary, metadata=facts))


def _resume(
    path: Path, network: nn.Module, optimiser: torch.optim.Optimizer, averaged: dict[str, torch.Tensor]
) -> tuple[int, list[int]]:
    from safetensors import safe_open

    if not path.is_file():
        return 0, []
    state: dict[int, dict[str, torch.Tensor]] = {}
    weights: dict[str, torch.Tensor] = {}
    with safe_open(path, framework="pt") as stored:
        facts = json.loads(stored.metadata()["progress"])
        for key in stored.keys():  # noqa: SIM118 - not a dictionary
            kind, rest = key.split(".", 1)
            if kind == "network":
                weights[rest] = stored.get_tensor(key)
            elif kind == "averaged":
                averaged[rest].copy_(stored.get_tensor(key))
            else:
                number, name = rest.split(".", 1)
                state.setdefault(int(number), {})[name] = stored.get_tensor(key)
    network.load_state_dict(weights)
    whole = optimiser.state_dict()
    optimiser.load_state_dict({"state": state, "param_groups": whole["param_groups"]})
    return int(facts["step"]), [int(steps) for steps in facts["schedules"]]
