"""Trains the embedded chest segmenter from the labelled CT and the skeleton alone, and writes its bundle."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from OsteoScreenLib.bundle import Bundle, as_float16, write_bundle
from OsteoScreenLib.simulate.thorax import STRUCTURES
from OsteoScreenLib.study.segmenter_card import segmenter_card, segmenter_manifest
from OsteoScreenLib.study.segmenter_images import ViewStore, plain_example
from OsteoScreenLib.study.segmenter_network_training import Schedule, train
from OsteoScreenLib.study.views import render_views

Progress = Callable[[str, int, int, float], None]


@dataclass(frozen=True)
class SegmenterOptions:
    """What to train.

    thorax_ct : folder of the labelled CT. skeleton : BodyParts3D archive. work : rendered views, checkpoint and, if `out` is
    None, the bundle. leave_out : a source of anatomy that is not trained on; the figures are then of that source alone. views, held_out : rendered chests for training and for the figures in the card.
    threads : of the processor, 0 = leave as it is. seen : Markdown file with what a person saw on real radiographs, for the card.
    """

    thorax_ct: Path
    skeleton: Path
    work: Path
    out: Path | None = None
    leave_out: str = ""
    views: int = 240
    held_out: int = 40
    view_size: int = 288
    seed: int = 0
    threads: int = 0
    seen: Path | None = None
    schedule: Schedule = field(default_factory=Schedule)


def train_segmenter(options: SegmenterOptions, progress: Progress | None = None) -> Bundle:
    """Render what is missing, train (or go on training), measure on held-out views and write the bundle.

    progress : called with (stage, done, all, loss). Seeded: the same options give the same weights on the same machine.
    Raises `InputError` when the data is missing.
    """
    import cv2
    import torch

    from OsteoScreenLib.bones.networks import build_network

    def tell(stage: str, done: int, total: int, loss: float = 0.0) -> None:
        if progress is not None:
            progress(stage, done, total, loss)

    _keep_memory()
    cv2.setNumThreads(1)
    if options.threads:
        torch.set_num_threads(options.threads)
    torch.manual_seed(options.seed)
    every = range(options.views + options.held_out)
    paths = render_views(
        options.work / "views", options.skeleton, options.thorax_ct, every, seed=options.seed, size=options.view_size,
        progress=lambda done, total: tell("render", done, total),
    )  # fmt: skip
    architecture = {"family": "shuffle-unet", "kwargs": {"outputs": len(STRUCTURES)}}
    network = build_network(architecture)
    averaged = train(
        network, ViewStore(paths[: options.views]), options.schedule, options.seed, options.work / "segmenter.safetensors",
        lambda step, total, loss: tell("train", step, total, loss),
    )  # fmt: skip
    network.load_state_dict(averaged)
    dice = held_out_dice(network, ViewStore(paths[options.views :]), options.schedule.grid)
    seen = options.seen.read_text(encoding="utf-8") if options.seen is not None else ""
    manifest = segmenter_manifest(
        architecture, STRUCTURES, options.schedule, options.seed, options.views, options.held_out, dice
    )
    card = segmenter_card(options.schedule, options.seed, options.views, options.held_out, dice, seen)
    return write_bundle(options.out or options.work / "chest-segmenter", manifest, as_float16(averaged), card)


def held_out_dice(network: object, store: ViewStore, grid: int) -> dict[str, float]:
    """Mean Dice of each structure over held-out views where at least 20 cells of it are in the field."""
    import torch

    assert isinstance(network, torch.nn.Module)
    network.eval()
    scores: dict[str, list[float]] = {name: [] for name in STRUCTURES}
    for index in range(len(store)):
        image, targets = plain_example(store, index, grid)
        with torch.inference_mode():
            drawn = network(torch.from_numpy(image)[None, None])[0].numpy() > 0
        truth = targets > 127
        both, each = (drawn & truth).sum(axis=(1, 2)), drawn.sum(axis=(1, 2)) + truth.sum(axis=(1, 2))
        for place, name in enumerate(STRUCTURES):
            if truth[place].sum() >= 20:
                scores[name].append(float(2 * both[place] / each[place]))
    return {name: float(np.mean(values)) for name, values in scores.items() if values}


def _keep_memory() -> None:
    """glibc: reuse freed blocks instead of giving them back, which halves the page faults of training on a processor."""
    import ctypes

    try:
        libc = ctypes.CDLL("libc.so.6")
        libc.mallopt(-3, 1 << 30)  # M_MMAP_THRESHOLD
        libc.mallopt(-1, (1 << 31) - 1)  # M_TRIM_THRESHOLD
    except (OSError, AttributeError):
        pass
