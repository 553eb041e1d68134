"""Training the first embedded classifier on simulated chests of known bone density."""

from __future__ import annotations

import copy
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import cv2
import numpy as np
import torch
from torch import nn

from OsteoScreenLib.bundle import Bundle, as_float16, write_bundle
from OsteoScreenLib.classifier.model_bundle import Architecture
from OsteoScreenLib.classifier.network import build_network
from OsteoScreenLib.classifier.prediction import CLASSES
from OsteoScreenLib.classifier.preprocess import PreprocessSpec, prepare
from OsteoScreenLib.study.classifier_figures import (
    TABLE_HEAD,
    ClassifierFigures,
    best_temperature,
    classifier_figures,
    softmax,
    youden,
)
from OsteoScreenLib.study.density import RANGES, class_of, random_t_score
from OsteoScreenLib.study.density_views import Bodies, develop, load_bodies, triplets
from OsteoScreenLib.study.views import render_views

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ClassifierOptions:
    """What `train_classifier` needs.

    network, network_options : a timm name and what its constructor is given. bodies : rendered chests for training, validation and test, disjoint. views : folder of rendered
    chests, None for `work`/views. batch : bodies a step, each in three densities. replays : how often a picture is used.
    """

    thorax_ct: Path
    skeleton: Path
    work: Path
    out: Path
    seed: int = 0
    network: str = "resnet10t"
    network_options: Mapping[str, Any] = field(default_factory=lambda: {"channels": [24, 48, 96, 192], "stem_width": 16})
    bodies: tuple[int, int, int] = (170, 32, 48)
    views: Path | None = None
    size: int = 224
    steps: int = 420
    batch: int = 8
    replays: int = 3
    rate: float = 2e-3
    threads: int = 1


def specification(size: int) -> PreprocessSpec:
    """The input of the embedded classifier: one grey channel, letterboxed with black."""
    return PreprocessSpec(
        rows=size, columns=size, channels=1, fit="letterbox", interpolation="bicubic", pad=0.0, mean=(0.5,), std=(0.25,)
    )


def bodies_of(options: ClassifierOptions) -> tuple[Bodies, Bodies, Bodies]:
    """Render what is missing, and load the training, validation and test bodies."""
    count = sum(options.bodies)
    folder = options.views or options.work / "views"
    paths = render_views(folder, options.skeleton, options.thorax_ct, range(count), seed=options.seed)
    ends = np.cumsum(options.bodies)
    parts = (paths[: ends[0]], paths[ends[0] : ends[1]], paths[ends[1] :])
    train, validation, test = (load_bodies(part, options.size + 32) for part in parts)
    return train, validation, test


def ordered(logits: torch.Tensor) -> torch.Tensor:
    """Penalty for ranking two pictures of one body wrongly, from logits (3·bodies, 3) in the order of the classes.

    RankNet's pairwise logistic loss (Burges et al. 2005). Within a body only bone differs, so this tells the network at once
    what to look at, where cross-entropy alone stays at chance for long.
    """
    scores = (logits[:, 2] - logits[:, 0]).view(-1, 3)
    return nn.functional.softplus(scores[:, :-1] - scores[:, 1:]).mean()


def fit(bodies: Bodies, options: ClassifierOptions) -> nn.Module:
    """Train on fresh developments of the bodies; returns the moving average of the weights."""
    torch.manual_seed(options.seed)
    torch.set_num_threads(options.threads)
    cv2.setNumThreads(options.threads)
    spec = specification(options.size)
    network = build_network(Architecture(options.network, dict(options.network_options)), spec)
    # Some families draw a wide last layer; from zero, the first answers are an honest third each.
    head = cast(Any, network).get_classifier()
    nn.init.zeros_(head.weight)
    nn.init.zeros_(head.bias)
    network = network.to(memory_format=torch.channels_last).train()
    average = copy.deepcopy(network)
    optimiser = torch.optim.AdamW(network.parameters(), lr=options.rate, weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, options.rate, total_steps=options.steps, pct_start=0.2)
    rng = np.random.default_rng([options.seed, 21])
    stream = triplets(bodies, rng, options.size)
    pool: list[tuple[torch.Tensor, list[int]]] = []
    losses = []
    for step in range(options.steps):
        for _ in range(max(1, options.batch // options.replays) if len(pool) >= 3 * options.batch else 3 * options.batch):
            images, scores = next(stream)
            pool.append((torch.cat([prepare(image[None], spec) for image in images]), [class_of(score) for score in scores]))
        del pool[: max(0, len(pool) - 200)]
        chosen = rng.choice(len(pool), options.batch, replace=False)
        inputs = torch.cat([pool[int(index)][0] for index in chosen]).contiguous(memory_format=torch.channels_last)
        labels = torch.tensor([label for index in chosen for label in pool[int(index)][1]])
        if rng.random() < 0.5:
            # Bone density has no side: mirrored chests are as good, and hold the network to bone.
            inputs = inputs.flip(-1)
        logits = network(inputs)
        loss = nn.functional.cross_entropy(logits, labels)
        optimiser.zero_grad()
        (loss + ordered(logits)).backward()
        nn.utils.clip_grad_norm_(network.parameters(), 2.0)
        optimiser.step()
        schedule.step()
        keep = min(0.99, (1 + step) / (10 + step))
        with torch.no_grad():
            for mean, now in zip(average.state_dict().values(), network.state_dict().values(), strict=True):
                mean.lerp_(now, 1 - keep) if mean.is_floating_point() else mean.copy_(now)
        losses.append(loss.item())
        if step % 25 == 24:
            log.info("step %d: loss %.4f", step + 1, np.mean(losses[-25:]))
    return average.eval()


def answers(
    network: nn.Module, bodies: Bodies, options: ClassifierOptions, per_class: int, seed: int
) -> tuple[np.ndarray, ...]:
    """Logits (n, 3), labels (n,) and body numbers (n,) of `per_class` fresh developments of every body in each class."""
    rng = np.random.default_rng([options.seed, seed])
    spec = specification(options.size)
    logits, labels, owners = [], [], []
    for index in range(len(bodies.stacks)):
        paths = bodies.paths_mm(index)
        wanted = [label for label in range(3) for _ in range(per_class)]
        inputs = torch.cat(
            [prepare(develop(paths, random_t_score(rng, label), rng, options.size)[None], spec) for label in wanted]
        )
        with torch.inference_mode():
            logits.append(network(inputs.contiguous(memory_format=torch.channels_last)).double().numpy())
        labels += wanted
        owners += [index] * len(wanted)
    return np.concatenate(logits), np.array(labels), np.array(owners)


def train_classifier(options: ClassifierOptions) -> Bundle:
    """Render, train, calibrate and fix the operating points on validation bodies, and write the bundle to `options.out`."""
    train, validation, test = bodies_of(options)
    network = fit(train, options)
    # What is stored is half precision, so that is what is calibrated and measured.
    network.load_state_dict(
        {name: tensor.to(network.state_dict()[name].dtype) for name, tensor in as_float16(network.state_dict()).items()}
    )
    logits, labels, owners = answers(network, validation, options, 4, 31)
    temperature = best_temperature(logits, labels)
    probabilities = softmax(logits, temperature)
    points = (youden(probabilities[:, 2], labels == 2), youden(probabilities[:, 1:].sum(axis=1), labels >= 1))
    figures = {"validation": classifier_figures(probabilities, labels, owners, points)}
    logits, labels, owners = answers(network, test, options, 4, 32)
    figures["test"] = classifier_figures(softmax(logits, temperature), labels, owners, points)
    manifest = {
        "id": "chest-sim-classifier",
        "kind": "classifier",
        "title": "Bone density on simulated chest radiographs",
        "site": "chest-frontal",
        "architecture": {"library": "timm", "name": options.network, "options": dict(options.network_options)},
        "preprocessing": specification(options.size).to_manifest(),
        "classes": list(CLASSES),
        "operating_points": {"osteoporosis": points[0], "low_bone_mass": points[1]},
        "temperature": temperature,
        "tuning": "full",
        "training": {
            "command": f"osteoscreen train-embedded classifier --thorax-ct DIR --skeleton ZIP --work DIR --seed {options.seed}",
            "seed": options.seed,
            "steps": options.steps,
            "simulated": True,
            "from_scratch": True,
            "bodies": dict(zip(("training", "validation", "test"), options.bodies, strict=True)),
            "data": "simulated frontal chests posed from one skeleton (BodyParts3D) and labelled thorax CT (LIDC-IDRI); no patient's bone density",
        },
        "licence": "Apache-2.0 for the weights; CT: LIDC-IDRI, CC BY 3.0; BodyParts3D: CC BY-SA",
        "intended_use": "Research use only: to show how the software works. It says nothing about a patient's bones.",
    }
    log.info("%s\n%s\n%s", TABLE_HEAD, figures["validation"].row("validation"), figures["test"].row("test"))
    return write_bundle(options.out, manifest, as_float16(network.state_dict()), _card(options, figures, temperature, points))


def _card(
    options: ClassifierOptions, figures: Mapping[str, ClassifierFigures], temperature: float, points: tuple[float, float]
) -> str:
    confusion = "\n".join(
        f"| {name} | {' | '.join(str(int(n)) for n in row)} |"
        for name, row in zip(CLASSES, figures["test"].confusion, strict=True)
    )
    ranges = "; ".join(f"{name} {low:g} to {high:g}" for name, (low, high) in zip(CLASSES, RANGES, strict=True))
    return f"""# chest-sim-classifier

Normal, osteopenia or osteoporosis on a frontal chest radiograph, learnt from simulated radiographs alone.
Research use only. **It was never shown a patient's bone density; its answers on real radiographs are not evidence about the patient.**

## What it is
timm `{options.network}` made narrower (channels {options.network_options["channels"]}, stem {options.network_options["stem_width"]}), trained from random weights, one grey channel of {options.size} x {options.size} pixels, letterboxed.
Seed {options.seed}, {options.steps} steps of {3 * options.batch} images, cross-entropy and the order within a body.
A vision transformer (ViT-Ti with half its blocks, 2.8 million weights), trained from scratch in the same way, was still at chance after 100
steps of 1.6 s (cross-entropy 1.10, AUC .51), where this network had learnt after 60 of 0.7 s.

## What it was trained on
{options.bodies[0]} simulated chests posed from one skeleton and one labelled CT (two anatomies in all), each developed anew for every use with a random
T-score, tube voltage, scatter, lung filling, fat and moderate tone. T-scores are drawn evenly within each class ({ranges}), the three
classes equally often, so its probabilities assume that each class is equally common.
The rule from T-score to density is the simulator's own assumption: spongiosa loses 18 % and cortices 7 % per standard deviation.

## Figures
On bodies that were held out (other shapes, poses and breath of the same two anatomies), {figures["test"].images // figures["test"].bodies} developments of each.
These figures measure the simulator's own rule and are no evidence about patients.

{TABLE_HEAD}
{figures["validation"].row("validation")}
{figures["test"].row("test")}

Temperature {temperature}; operating points by Youden's J on the validation bodies: osteoporosis {points[0]:.3f}, low bone mass {points[1]:.3f}.
Decisions on the test bodies at these points:

| true class | normal | osteopenia | osteoporosis |
|---|---|---|---|
{confusion}

## What it cannot know
- The grey scale of a radiograph is set by the exposure, the detector's processing and the window, none of which is calibrated:
  a dark or flat rendering and a thin bone look alike. Tone curves, local contrast processing and thick bodies shift its answer:
  mild multi-scale processing (detail lifted by 15 %) took a simulated chest with a T-score of -3.6 from P(low bone mass) 0.80 to 0.35.
- Fractures, scoliosis, degenerative change, aortic calcification, implants and disease were not simulated.
- Bodies unlike the two anatomies, children, and views other than frontal.
"""
