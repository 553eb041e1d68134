"""Training a body site's gate: one seeded command from thorax CT and skeleton meshes to the embedded bundle."""

from __future__ import annotations

import copy
import logging
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import nn

from OsteoScreenLib.bones.gate import Gate, GateLimits
from OsteoScreenLib.bones.gate_network import GateNetwork, candidates, canvas
from OsteoScreenLib.bones.vocabulary import site_named
from OsteoScreenLib.bundle import Bundle, as_float16, write_bundle
from OsteoScreenLib.errors import InputError
from OsteoScreenLib.study.bone_views import REGIONS
from OsteoScreenLib.study.disturb import Framing, disturb
from OsteoScreenLib.study.gate_card import WORDS, gate_card
from OsteoScreenLib.study.gate_figures import gate_figures, temperature_of, threshold_of
from OsteoScreenLib.study.gate_images import RECIPE, Bank, bone_bank, cached, ct_bank, drawn_bank, posed_bank
from OsteoScreenLib.study.knee_gate_images import OTHER_REGIONS, knee_bank, without_limbs
from OsteoScreenLib.study.knee_views import render_knees
from OsteoScreenLib.study.views import render_views

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class GateOptions:
    """What `train_gate` needs.

    views : folder of rendered chests, None for `work`/views. steps : optimiser steps of 2·`batch` candidates each, with `fresh`
    newly made images a step. size, widths, reduced : of the network. Counts of base images: drawn (chests, and as many unlike
    images), ct (a CT, from the front, askew, in slices), posed (rendered chests), askew (posed bodies from elsewhere), bones (a
    region). site : "chest-frontal", or "knee", whose knees are counted by `posed` and whose chests are all `drawn` or from a CT.
    seen : Markdown file with what a person found on real radiographs, for the card.
    """

    thorax_ct: Path
    skeleton: Path
    work: Path
    out: Path
    seed: int = 0
    views: Path | None = None
    steps: int = 1500
    batch: int = 48
    fresh: int = 20
    size: int = 96
    widths: tuple[int, ...] = (16, 32, 64, 88)
    reduced: int = 16
    drawn: int = 2000
    ct: int = 36
    posed: int = 160
    askew: int = 32
    bones: int = 40
    threads: int = 1
    framing: Framing = field(default_factory=Framing)
    site: str = "chest-frontal"
    seen: Path | None = None

    @classmethod
    def for_site(cls, site: str, thorax_ct: Path, skeleton: Path, work: Path, out: Path, seed: int = 0) -> GateOptions:
        """A full run's options. Raises `InputError` for a site that nothing simulates."""
        if site == "chest-frontal":
            return cls(thorax_ct, skeleton, work, out, seed)
        if site == "knee":
            return cls(
                thorax_ct, skeleton, work, out, seed, steps=2200, batch=40, fresh=16,
                drawn=600, ct=16, posed=200, askew=120, bones=14, framing=Framing(zoom=(0.85, 1.25)), site=site,
            )  # fmt: skip
        raise InputError(f"No gate is made for '{site}'; choose chest-frontal or knee.", code="site")

    @property
    def sided(self) -> bool:
        """A mirror image of the site can be told from the site."""
        return self.site == "chest-frontal"


def training_bank(options: GateOptions, skip_views: int = 0) -> Bank:
    """Every base image, from the caches in the work folder where they are there; the first `skip_views` views are left out."""
    folder, seed = options.work / "gate", options.seed
    skeleton, thorax_ct = options.skeleton, options.thorax_ct

    def posed() -> Bank:
        wanted = range(skip_views, skip_views + options.posed)
        views = render_views(options.views or options.work / "views", skeleton, thorax_ct, wanted)
        return posed_bank(views, skeleton, thorax_ct, options.askew, seed)

    makers: dict[str, Callable[[], Bank]] = {
        f"drawn-{options.drawn}": lambda: drawn_bank(options.drawn, seed),
        f"ct-{options.ct}": lambda: ct_bank(thorax_ct, options.ct, seed),
        f"bones-{options.bones}-{len(REGIONS)}": lambda: bone_bank(skeleton, options.bones, seed),
        f"posed-{skip_views}-{options.posed}-{options.askew}": posed,
    }
    if options.site == "knee":
        wanted = range(skip_views, skip_views + options.posed)

        def knees() -> Bank:
            return knee_bank(
                render_knees(options.work / "views-knee", skeleton, wanted, size=224), skeleton, options.askew, seed
            )

        makers = {
            f"knee-drawn-{options.drawn}": lambda: without_limbs(drawn_bank(options.drawn, seed)),
            f"ct-{options.ct}": makers[f"ct-{options.ct}"],
            f"knee-bones-{options.bones}": lambda: bone_bank(skeleton, options.bones, seed, OTHER_REGIONS),
            f"knee-posed-{skip_views}-{options.posed}-{options.askew}": knees,
        }
    bank = Bank((), (), "chest" if options.site == "chest-frontal" else "knee")
    for name, make in makers.items():
        bank += cached(folder / f"{name}-seed{seed}-recipe{RECIPE}.npz", make)
    return bank


class Sampler:
    """An endless stream of training batches: freshly disturbed images enter a pool, and the hard ones are seen more often."""

    def __init__(self, bank: Bank, options: GateOptions, rng: np.random.Generator) -> None:
        self._options, self._rng = options, rng
        self._parts = []
        self._diseased, self._shut = bank.diseased, bank.shut
        for wanted in (True, False):
            part = bank.only(wanted)
            self._parts.append((part, part.weights()))
        self._pool: list[tuple[np.ndarray, bool]] = []
        self._hardness: list[float] = []
        self._shown = np.zeros(0, int)

    def told(self, losses: torch.Tensor) -> None:
        """Take in the losses (2·batch,) of the batch that was handed out last."""
        for index, loss in zip(self._shown, losses.detach().view(-1, 2).amax(dim=1).tolist(), strict=True):
            self._hardness[index] = loss

    def fresh(self) -> tuple[np.ndarray, bool]:
        """A newly disturbed image's canvas and whether it is to be accepted."""
        wanted = bool(self._rng.random() < 0.5)
        part, weights = self._parts[0 if wanted else 1]
        index = int(self._rng.choice(len(part.images), p=weights))
        image = part.images[index].astype(np.float32) / 255
        diseased, shut = (self._diseased, self._shut) if wanted else (0.1, 0.5)
        return canvas(disturb(image, self._rng, self._options.framing, 128, diseased, shut), self._options.size), wanted

    def batches(self) -> Iterator[tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]]:
        """Canvases (2·batch, 2, size, size), is it upright, bright and wanted, is it not mirrored, does that count."""
        rng, batch = self._rng, self._options.batch
        while True:
            for _ in range(self._options.fresh if len(self._pool) >= 4 * batch else 4 * batch):
                self._pool.append(self.fresh())
                self._hardness.append(0.5)
            while len(self._pool) > 1500:
                oldest = int(rng.integers(0, 750))
                self._pool.pop(oldest)
                self._hardness.pop(oldest)
            inputs, right, facing, counts = [], [], [], []
            # What was got wrong comes back sooner, within bounds: a hopeless picture must not crowd out the rest.
            odds = np.clip(self._hardness, 0.1, 1.5)
            self._shown = rng.choice(len(self._pool), batch, replace=False, p=odds / odds.sum())
            for index in self._shown:
                square, wanted = self._pool[index]
                laid = candidates(square)
                mirrored = int(rng.integers(2))
                for upright in (True, False):
                    lie = 0 if upright and wanted else int(rng.integers(1, 8))
                    turns, inverted = lie % 4, lie // 4
                    inputs.append(laid[8 * inverted + 4 * mirrored + turns])
                    right.append(wanted and lie == 0)
                    facing.append(mirrored == 0)
                    counts.append(wanted and lie == 0 and self._options.sided)
            yield (
                torch.from_numpy(np.stack(inputs)).contiguous(memory_format=torch.channels_last),
                torch.tensor(right, dtype=torch.float32),
                torch.tensor(facing, dtype=torch.float32),
                torch.tensor(counts, dtype=torch.float32),
            )


def fit(bank: Bank, options: GateOptions) -> GateNetwork:
    """Train and return the moving average of the weights."""
    torch.manual_seed(options.seed)
    torch.set_num_threads(options.threads)
    cv2.setNumThreads(options.threads)
    network = GateNetwork(options.size, options.widths, options.reduced).to(memory_format=torch.channels_last)
    average = copy.deepcopy(network)
    optimiser = torch.optim.AdamW(network.parameters(), lr=3e-3, weight_decay=0.02)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 3e-3, total_steps=options.steps, pct_start=0.15)
    sampler = Sampler(bank, options, np.random.default_rng([options.seed, 7]))
    stream = sampler.batches()
    losses = []
    for step in range(options.steps):
        inputs, right, facing, counts = next(stream)
        answers = network(inputs)
        each = nn.functional.binary_cross_entropy_with_logits(answers[:, 0], right * 0.98 + 0.01, reduction="none")
        sampler.told(each)
        likely = each.mean()
        mirror = nn.functional.binary_cross_entropy_with_logits(answers[:, 1], facing, weight=counts, reduction="sum")
        loss = likely + 0.3 * mirror / counts.sum().clamp(min=1)
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 2.0)
        optimiser.step()
        schedule.step()
        keep = min(0.995, (1 + step) / (10 + step))
        with torch.no_grad():
            for mean, now in zip(average.state_dict().values(), network.state_dict().values(), strict=True):
                mean.lerp_(now, 1 - keep) if mean.is_floating_point() else mean.copy_(now)
        losses.append((likely.item(), mirror.item() / max(1.0, counts.sum().item())))
        if step % 50 == 49:
            log.info("step %d: site %.4f, mirror %.4f", step + 1, *np.mean(losses[-50:], axis=0))
    return average.eval()


def train_gate(options: GateOptions) -> Bundle:
    """Make the images, train, fix the temperature on fresh images, and write the bundle to `options.out`."""
    bank = training_bank(options)
    log.info("%d base images, %d of them to be accepted", len(bank.kinds), len(bank.only(True).kinds))
    return finish(fit(bank, options), options)


def finish(network: GateNetwork, options: GateOptions) -> Bundle:
    """Round the weights as they are stored, fix temperature and threshold on fresh images, measure on others, write the bundle."""
    seen = options.seen.read_text(encoding="utf-8") if options.seen is not None else ""
    network.load_state_dict(
        {name: t.to(network.state_dict()[name].dtype) for name, t in as_float16(network.state_dict()).items()}
    )
    fewer = replace(options, seed=options.seed + 1000, drawn=options.drawn // 10, ct=8, posed=30, askew=8, bones=5)
    site, mirrored = site_named(options.site), 0.2 if options.sided else 0.0
    held_out = training_bank(fewer, skip_views=options.posed)
    open_gate = Gate(network, GateLimits(probability=0.5, confidence=0.8, mirrored=mirrored), options.size, site=site)
    raw = gate_figures(open_gate, held_out, options.framing, options.seed)
    temperature = temperature_of(raw)
    limits = GateLimits(probability=threshold_of(raw, temperature), confidence=0.8, mirrored=mirrored)
    figures = gate_figures(
        Gate(network, limits, options.size, temperature, site=site), held_out, options.framing, options.seed + 1
    )
    words = WORDS[options.site]
    manifest = {
        "id": words.bundle_id,
        "kind": "gate",
        "title": words.title,
        "site": options.site,
        "architecture": {
            "name": "GateNetwork",
            "kwargs": {"size": options.size, "widths": list(options.widths), "reduced": options.reduced},
        },
        "preprocessing": {
            "canvas": options.size,
            "channels": ["grey values between the 1st and 99th percentile, -1 to 1", "mid-ranks, -1 to 1"],
            "fit": "letterbox, area average, margins 0",
        },
        "limits": asdict(limits),
        "temperature": temperature,
        "training": {
            "command": f"osteoscreen train-embedded gate {words.command} --work DIR --seed {options.seed}",
            "seed": options.seed,
            "steps": options.steps,
            "simulated": True,
            "data": words.data,
        },
        "licence": "Apache-2.0 for the weights; CT: CC BY 3.0 (LIDC-IDRI) and CC BY 4.0 (CMB-CRC); BodyParts3D: CC BY-SA",
        "intended_use": f"Research use only: to refuse images that are not {site.image} radiographs and to lay those that are upright.",
    }
    weights = sum(parameter.numel() for parameter in network.parameters())
    card = gate_card(words, weights, options.size, options.seed, options.steps, figures, temperature, limits, seen)
    return write_bundle(options.out, manifest, as_float16(network.state_dict()), card)
