"""Training the first embedded classifier on simulated chests of known bone density."""

from __future__ import annotations

import copy
import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import cv2
import numpy as np
import torch
from torch import nn

from OsteoScreenLib.bundle import Bundle, as_float16, write_bundle
from OsteoScreenLib.classifier.domain import DOMAIN_FILE, DomainCheck, fit_domain, stages_of, watched
from OsteoScreenLib.classifier.model_bundle import Architecture
from OsteoScreenLib.classifier.network import build_network
from OsteoScreenLib.classifier.prediction import CLASSES
from OsteoScreenLib.classifier.preprocess import PreprocessSpec, prepare
from OsteoScreenLib.classifier.truth_cells import class_of
from OsteoScreenLib.files import write_atomically
from OsteoScreenLib.simulate.thorax import GROUPS
from OsteoScreenLib.study.classifier_card import ClassifierReport, classifier_card, command_of
from OsteoScreenLib.study.classifier_figures import (
    TABLE_HEAD,
    Measured,
    auc_interval,
    best_temperature,
    classifier_figures,
    keep_figures,
    kept_figures,
    softmax,
    youden,
)
from OsteoScreenLib.study.classifier_leak import DEVELOPMENTS, Development, developments
from OsteoScreenLib.study.density import random_t_score
from OsteoScreenLib.study.density_views import Bodies, Triplet, develop, load_bodies, triplets
from OsteoScreenLib.study.point_performance import performance_of
from OsteoScreenLib.study.views import render_views

log = logging.getLogger(__name__)

SHUFFLED = "-shuffled-labels"  # behind the name of what was trained on labels by lot


@dataclass(frozen=True)
class ClassifierOptions:
    """What `train_classifier` needs.

    leave_out : a source of anatomy that is not trained on; the test bodies are then of that source alone. network, network_options : a timm name and what its constructor is given. bodies : rendered chests for training, validation and test, disjoint. views : folder of rendered
    chests, None for `work`/views. batch : bodies a step, each in three densities. replays : how often a picture is used. sight : weight of
    `BoneSight` in the loss.
    shuffled_labels : each body keeps a class that is drawn by lot, whatever its density: a model for `study.label_randomised`.
    """

    thorax_ct: Path
    skeleton: Path
    work: Path
    out: Path
    seed: int = 0
    leave_out: str = ""
    network: str = "resnet10t"
    network_options: Mapping[str, Any] = field(default_factory=lambda: {"channels": [24, 48, 96, 192], "stem_width": 16})
    bodies: tuple[int, int, int] = (196, 36, 48)
    views: Path | None = None
    size: int = 224
    steps: int = 520
    batch: int = 8
    replays: int = 3
    rate: float = 2e-3
    threads: int = 1
    sight: float = 1.0
    shuffled_labels: bool = False


def specification(size: int) -> PreprocessSpec:
    """The input of the embedded classifier: one grey channel, letterboxed with black."""
    return PreprocessSpec(
        rows=size, columns=size, channels=1, fit="letterbox", interpolation="bicubic", pad=0.0, mean=(0.5,), std=(0.25,)
    )


def bodies_of(options: ClassifierOptions) -> tuple[Bodies, Bodies, Bodies]:
    """Render what is missing, and load the training, validation and test bodies."""
    folder = options.views or options.work / "views"
    where = (options.skeleton, options.thorax_ct)
    training, validation, test = options.bodies
    if options.leave_out:
        trained = folder.with_name(f"views-without-{options.leave_out}")
        paths = render_views(
            trained, *where, range(training + validation), seed=options.seed, leave_out=options.leave_out, clinical=1.0
        )
        strange = folder.with_name(f"views-of-{options.leave_out}")
        paths += render_views(strange, *where, range(test), seed=options.seed, only=options.leave_out, clinical=1.0)
    else:
        paths = render_views(folder, *where, range(sum(options.bodies)), seed=options.seed, clinical=1.0)
    parts = (paths[:training], paths[training : training + validation], paths[training + validation :])
    first, second, third = (load_bodies(part, options.size + 32) for part in parts)
    return first, second, third


def ordered(logits: torch.Tensor) -> torch.Tensor:
    """Penalty for ranking two pictures of one body wrongly, from logits (3·bodies, 3) in the order of the classes.

    RankNet's pairwise logistic loss (Burges et al. 2005). Within a body only bone differs, so this tells the network at once
    what to look at, where cross-entropy alone stays at chance for long.
    """
    scores = (logits[:, 2] - logits[:, 0]).view(-1, 3)
    return nn.functional.softplus(scores[:, :-1] - scores[:, 1:]).mean()


class BoneSight:
    """Asks a network's feature maps where the bone groups are, while it is trained: what answers has to know bone from the rest.

    Auxiliary supervision of an inner layer (Lee et al. 2015); the head is thrown away afterwards.
    """

    def __init__(self, network: nn.Module) -> None:
        blocks = list(getattr(network, "blocks", ()))
        layers = blocks or [part for name, part in network.named_children() if name.startswith("layer")]
        self._network: Any = network
        self._features: torch.Tensor | None = None
        self._hook = layers[-2].register_forward_hook(self._keep) if len(layers) > 1 else None
        self.head = nn.LazyConv2d(len(GROUPS), 1)

    def _keep(self, _layer: nn.Module, _inputs: Any, output: torch.Tensor) -> None:
        if output.ndim == 3:  # (n, tokens, channels) of a vision transformer
            patches = output[:, self._network.num_prefix_tokens :]
            output = patches.unflatten(1, self._network.patch_embed.grid_size).permute(0, 3, 1, 2)
        self._features = output

    def loss(self, groups: torch.Tensor) -> torch.Tensor:
        """Cross-entropy of the masks (n, groups, rows, columns) on the features of the last forward pass."""
        if self._features is None:
            return torch.zeros(())
        drawn = self.head(self._features)
        wanted = nn.functional.adaptive_avg_pool2d(groups, drawn.shape[-2:])
        return nn.functional.binary_cross_entropy_with_logits(drawn, wanted)

    def close(self) -> None:
        """Leave the network as it was."""
        if self._hook is not None:
            self._hook.remove()


def fit(
    bodies: Bodies,
    options: ClassifierOptions,
    drawn_from: Callable[[np.random.Generator], Iterator[Triplet]] | None = None,
    mirrored: bool = True,
    progress: Callable[[int, int], None] | None = None,
) -> nn.Module:
    """Train on fresh developments of the bodies; returns the moving average of the weights.

    drawn_from : gives the triplets to train on for a generator, `triplets` of the bodies when None. mirrored : half of the batches
    are mirrored. progress : called with (steps done, all).
    """
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
    sight = BoneSight(network)
    with torch.no_grad():
        network.eval()(torch.zeros(1, spec.channels, spec.rows, spec.columns))
        sight.loss(torch.zeros(1, len(GROUPS), 8, 8))
        network.train()
    optimiser = torch.optim.AdamW([*network.parameters(), *sight.head.parameters()], lr=options.rate, weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, options.rate, total_steps=options.steps, pct_start=0.2)
    rng = np.random.default_rng([options.seed, 21])
    stream = triplets(bodies, rng, options.size) if drawn_from is None else drawn_from(rng)
    pool: list[tuple[torch.Tensor, list[int], torch.Tensor]] = []
    losses = []
    lots = labels_by_lot(len(bodies.stacks), options.seed) if options.shuffled_labels else None
    for step in range(options.steps):
        for _ in range(max(1, options.batch // options.replays) if len(pool) >= 3 * options.batch else 3 * options.batch):
            drawn = next(stream)
            groups = np.stack([_placed(group, options.size) for group in drawn.groups])
            inputs = torch.cat([prepare(image[None], spec) for image in drawn.images])
            classes = [class_of(score) if lots is None else int(lots[drawn.body]) for score in drawn.t_scores]
            pool.append((inputs, classes, torch.from_numpy(groups)))
        del pool[: max(0, len(pool) - 200)]
        chosen = rng.choice(len(pool), options.batch, replace=False)
        inputs = torch.cat([pool[int(index)][0] for index in chosen]).contiguous(memory_format=torch.channels_last)
        labels = torch.tensor([label for index in chosen for label in pool[int(index)][1]])
        masks = torch.cat([pool[int(index)][2] for index in chosen]).float()
        if mirrored and rng.random() < 0.5:
            # Bone density has no side: mirrored chests are as good, and hold the network to bone.
            inputs, masks = inputs.flip(-1), masks[:, _OTHER_SIDE].flip(-1)
        logits = network(inputs)
        loss = nn.functional.cross_entropy(logits, labels)
        optimiser.zero_grad()
        order = ordered(logits) if lots is None else 0.0  # labels by lot are in no order
        (loss + order + options.sight * sight.loss(masks)).backward()
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
        if progress is not None:
            progress(step + 1, options.steps)
    sight.close()
    return average.eval()


_OTHER_SIDE = [
    GROUPS.index(group.replace("Right", "Left") if "Right" in group else group.replace("Left", "Right")) for group in GROUPS
]
_CELL = 8  # input pixels to a cell of the stored masks, which are as coarse as the features that learn them


def labels_by_lot(bodies: int, seed: int) -> np.ndarray:
    """A class for each body, int (bodies,), as often as one another: labels that a network can learn by heart, and only so.

    Adebayo et al. 2018 (arXiv 1810.03292) compare with a network that has fitted random labels; labels that changed with every
    picture could not be fitted.
    """
    return np.random.default_rng([seed, 22]).permutation(np.arange(bodies) % len(CLASSES))


def _placed(groups: np.ndarray, size: int) -> np.ndarray:
    """Masks (groups, rows, columns) where `prepare` letterboxes their image, float16 (groups, size / 8, size / 8)."""
    rows, columns = groups.shape[1:]
    placed = np.zeros((len(groups), size, size), np.float32)
    top, left = (size - rows) // 2, (size - columns) // 2
    placed[:, top : top + rows, left : left + columns] = groups
    cells = size // _CELL
    return (
        placed[:, : cells * _CELL, : cells * _CELL].reshape(-1, cells, _CELL, cells, _CELL).mean(axis=(2, 4)).astype(np.float16)
    )


def _suffix(options: ClassifierOptions) -> str:
    left = f"-without-{options.leave_out}" if options.leave_out else ""
    return left + (SHUFFLED if options.shuffled_labels else "")


def trained(bodies: Bodies, options: ClassifierOptions) -> nn.Module:
    """`fit`, or what it gave before with the same options, from the work folder."""
    from safetensors import safe_open
    from safetensors.torch import save_file

    kept = options.work / f"classifier{_suffix(options)}.safetensors"
    recipe = repr((options.seed, options.network, sorted(options.network_options.items()), options.bodies, options.size,
                   options.steps, options.batch, options.replays, options.rate))  # fmt: skip
    if kept.is_file():
        with safe_open(kept, framework="pt") as stored:
            if (stored.metadata() or {}).get("recipe") == recipe:
                network = build_network(
                    Architecture(options.network, dict(options.network_options)), specification(options.size)
                )
                network.load_state_dict({name: stored.get_tensor(name) for name in stored.keys()})  # noqa: SIM118
                return network.to(memory_format=torch.channels_last).eval()
    network = fit(bodies, options)
    tensors = {name: tensor.detach().contiguous().clone() for name, tensor in network.state_dict().items()}
    write_atomically(kept, lambda temporary: save_file(tensors, temporary, metadata={"recipe": recipe}))
    return network


def answers(
    network: nn.Module, bodies: Bodies, options: ClassifierOptions, per_class: int, seed: int
) -> tuple[np.ndarray, ...]:
    """Logits (n, 3), labels (n,) and body numbers (n,) of `per_class` fresh developments of every body in each class."""
    rng = np.random.default_rng([options.seed, seed])
    spec = specification(options.size)
    logits, labels, owners = [], [], []
    for index in range(len(bodies.stacks)):
        wanted = [label for label in range(3) for _ in range(per_class)]
        inputs = torch.cat(
            [prepare(develop(bodies, index, random_t_score(rng, label), rng, options.size)[None], spec) for label in wanted]
        )
        with torch.inference_mode():
            logits.append(network(inputs.contiguous(memory_format=torch.channels_last)).double().numpy())
        labels += wanted
        owners += [index] * len(wanted)
    return np.concatenate(logits), np.array(labels), np.array(owners)


def measured(
    network: nn.Module, bodies: Bodies, options: ClassifierOptions, how: Development, temperature: float, per_class: int = 3
) -> Measured:
    """AUCs on developments of every body in a given way, with intervals that draw whole bodies."""
    spec = specification(options.size)
    scores, labels, owners = [], [], []
    for image, label, owner in developments(bodies, how, per_class, options.seed + 41):
        with torch.inference_mode():
            logits = network(prepare(image[None], spec).contiguous(memory_format=torch.channels_last)).double().numpy()
        scores.append(softmax(logits, temperature)[0])
        labels.append(label)
        owners.append(owner)
    probabilities, classes, clusters = np.stack(scores), np.array(labels), np.array(owners)
    return Measured(
        how.name,
        len(classes),
        len(bodies.stacks),
        auc_interval(probabilities[:, 2], classes == 2, clusters),
        auc_interval(probabilities[:, 1:].sum(axis=1), classes >= 1, clusters),
    )


def domain_of(
    network: nn.Module, training: Bodies, held_out: Bodies, options: ClassifierOptions
) -> tuple[DomainCheck, int, int]:
    """The input check, fitted on training bodies and calibrated on others, and the numbers of images."""
    layers, spec = stages_of(network), specification(options.size)
    found = []
    with torch.inference_mode(), watched(network, layers) as features:
        for bodies, times, seed in ((training, 3, 51), (held_out, 8, 52)):
            rng = np.random.default_rng([options.seed, seed])
            rows = []
            for index in range(len(bodies.stacks)):
                for _ in range(times):
                    image = develop(bodies, index, random_t_score(rng, int(rng.integers(3))), rng, options.size)
                    network(prepare(image[None], spec).contiguous(memory_format=torch.channels_last))
                    rows.append(features()[0])
            found.append(np.stack(rows))
    return fit_domain(layers, *found), len(found[0]), len(found[1])


def train_classifier(options: ClassifierOptions) -> Bundle:
    """Render, train, calibrate, fix operating points and input check on validation bodies, measure, and write the bundle.

    With `leave_out` the figures go into the work folder too, where a later run on all sources finds them for its card.
    """
    train, validation, test = bodies_of(options)
    network = trained(train, options)
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
    ways = DEVELOPMENTS[:2] if options.leave_out else DEVELOPMENTS
    leaks = tuple(measured(network, test, options, how, temperature) for how in ways)
    check, fitted, calibrated = domain_of(network, train, validation, options)
    if options.leave_out and not options.shuffled_labels:
        keep_figures(options.work, options.leave_out, options.steps, figures["test"], leaks)
    report = ClassifierReport(figures, leaks, kept_figures(options.work), temperature, points, check, (fitted, calibrated))
    manifest = {
        "id": "chest-sim-classifier" + (SHUFFLED if options.shuffled_labels else ""),
        "kind": "classifier",
        "title": "Labels by lot on simulated chest radiographs: for sanity checks alone"
        if options.shuffled_labels
        else "Bone density on simulated chest radiographs",
        "site": "chest-frontal",
        "architecture": {"library": "timm", "name": options.network, "options": dict(options.network_options)},
        "preprocessing": specification(options.size).to_manifest(),
        "classes": list(CLASSES),
        "operating_points": {"osteoporosis": points[0], "low_bone_mass": points[1]},
        "performance": performance_of(
            figures["test"].confusion,
            f"{figures['test'].images} simulated images of {figures['test'].bodies} bodies that were not trained on",
        ),
        "temperature": temperature,
        "tuning": "full",
        "domain": check.to_manifest(fitted, calibrated),
        "training": {
            "command": command_of(options),
            "seed": options.seed,
            "steps": options.steps,
            "simulated": True,
            "shuffled_labels": options.shuffled_labels,
            "from_scratch": True,
            "bodies": dict(zip(("training", "validation", "test"), options.bodies, strict=True)),
            "data": "simulated frontal chests posed from one skeleton (BodyParts3D) and three thorax CT (LIDC-IDRI, CMB-CRC); no "
            "patient's bone density",
        },
        "licence": "Apache-2.0 for the weights; CT: CC BY 3.0 (LIDC-IDRI) and CC BY 4.0 (CMB-CRC); BodyParts3D: CC BY-SA",
        "intended_use": "Research use only: to show how the software works. It says nothing about a patient's bones.",
    }
    log.info("%s\n%s\n%s", TABLE_HEAD, figures["validation"].row("validation"), figures["test"].row("test"))
    for leak in leaks:
        log.info("%s", leak.row())
    card = classifier_card(options, report)
    return write_bundle(options.out, manifest, as_float16(network.state_dict()), card, {DOMAIN_FILE: check.tensors()})
