"""Trains a body site's embedded segmenter on simulated radiographs alone, and writes its bundle."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from OsteoScreenLib.bones.vocabulary import CHEST_FRONTAL, KNEE
from OsteoScreenLib.bundle import Bundle, as_float16, write_bundle
from OsteoScreenLib.errors import InputError
from OsteoScreenLib.study.knee_views import KneeStore, render_knees
from OsteoScreenLib.study.segmenter_card import CHEST_WORDS, KNEE_WORDS, SegmenterWords, segmenter_card, segmenter_manifest
from OsteoScreenLib.study.segmenter_figures import keep_scores, kept_scores, scores_on
from OsteoScreenLib.study.segmenter_images import Store, ViewStore
from OsteoScreenLib.study.segmenter_network_training import Schedule, lengths_of, train
from OsteoScreenLib.study.views import render_views

if TYPE_CHECKING:
    import torch

Progress = Callable[[str, int, int, float], None]


@dataclass(frozen=True)
class Recipe:
    """How a site's segmenter is made. network : options of the network besides its outputs. view_size, grid, steps : of a full run."""

    words: SegmenterWords
    store: Callable[[list[Path]], Store]
    network: Mapping[str, Any] = field(default_factory=dict)
    view_size: int = 288
    grid: int = 224
    steps: int = Schedule.steps

    def architecture(self, outputs: int) -> dict[str, Any]:
        """As the manifest names it."""
        return {"family": "shuffle-unet", "kwargs": {"outputs": outputs, **self.network}}


RECIPES: dict[str, Recipe] = {
    CHEST_FRONTAL.name: Recipe(CHEST_WORDS, ViewStore),
    KNEE.name: Recipe(
        KNEE_WORDS,
        KneeStore,
        {"widths": [24, 48, 96, 128], "decoder": [24, 40, 64], "stem": 24},
        view_size=224,
        grid=192,
        steps=3000,
    ),
}


@dataclass(frozen=True)
class SegmenterOptions:
    """What to train.

    thorax_ct : folder of thorax CT, for the chest. skeleton : BodyParts3D archive. work : rendered views, checkpoint and, if `out` is
    None, the bundle. leave_out : a source of anatomy that is not trained on; the figures are then of that source alone, in its
    own shape. views, held_out : rendered views for training and for the figures in the card.
    threads : of the processor, 0 = leave as it is. seen : Markdown file with what a person saw on real radiographs, for the card.
    site : one of `RECIPES`.
    """

    thorax_ct: Path | None
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
    site: str = CHEST_FRONTAL.name

    @property
    def recipe(self) -> Recipe:
        """How it is made. Raises `InputError` for a site that nothing simulates."""
        if self.site not in RECIPES:
            raise InputError(f"No segmenter is made for '{self.site}'; choose one of {', '.join(RECIPES)}.", code="site")
        return RECIPES[self.site]


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

    recipe = options.recipe
    _keep_memory()
    cv2.setNumThreads(1)
    if options.threads:
        torch.set_num_threads(options.threads)
    torch.manual_seed(options.seed)
    training, held_out = _rendered(options, lambda done, total: tell("render", done, total))
    store = recipe.store(training)
    architecture = recipe.architecture(len(store.structures))
    network = build_network(architecture)
    checkpoint = options.work / f"segmenter{_besides(options)}.safetensors"
    averaged = train(
        network, store, options.schedule, options.seed, checkpoint,
        lambda step, total, loss: tell("train", step, total, loss),
    )  # fmt: skip
    return segmenter_bundle(options, architecture, averaged, held_out, lengths_of(checkpoint))


def segmenter_bundle(
    options: SegmenterOptions,
    architecture: dict[str, Any],
    weights: Mapping[str, torch.Tensor],
    held_out: list[Path],
    lengths: list[int],
) -> Bundle:
    """Measure trained weights, in the half precision in which they are stored, and write the bundle with its card.

    With `leave_out` the figures go into the work folder too, where a later run on all sources finds them for its card.
    """
    from OsteoScreenLib.bones.networks import build_network

    words, store = options.recipe.words, options.recipe.store(held_out)
    network = build_network(architecture)
    stored = as_float16(weights)
    network.load_state_dict({name: tensor.float() if tensor.is_floating_point() else tensor for name, tensor in stored.items()})
    scores = scores_on(network, store, options.schedule.grid)
    if options.leave_out:
        keep_scores(options.work, options.leave_out, options.schedule.steps, options.views, scores)
    seen = options.seen.read_text(encoding="utf-8") if options.seen is not None else ""
    manifest = segmenter_manifest(
        architecture,
        store.structures,
        options.schedule,
        options.seed,
        options.views,
        len(held_out),
        scores.by_structure(),
        lengths,
        words,
    )
    left_out = kept_scores(options.work) if options.site == CHEST_FRONTAL.name else ()
    card = segmenter_card(options.schedule, options.seed, options.views, scores, lengths, left_out, seen, words)
    return write_bundle(options.out or options.work / words.bundle_id, manifest, stored, card)


def _rendered(options: SegmenterOptions, progress: Callable[[int, int], None]) -> tuple[list[Path], list[Path]]:
    """View files for training and for the figures. A source that is left out has folders of its own."""
    first, every = options.views, options.views + options.held_out
    if options.site == KNEE.name:
        if options.leave_out:
            raise InputError("There is only one skeleton to learn knees from; leave out --leave-out.", code="option")
        paths = render_knees(
            options.work / "views-knee",
            options.skeleton,
            range(every),
            seed=options.seed,
            size=options.view_size,
            progress=progress,
        )
        return paths[:first], paths[first:]
    thorax_ct = options.thorax_ct
    if thorax_ct is None:
        raise InputError("The chest is learned from thorax CT; name their folder with --thorax-ct.", code="option")

    def render(folder: str, indices: range, leave_out: str = "", only: str = "") -> list[Path]:
        return render_views(
            options.work / folder, options.skeleton, thorax_ct, indices, seed=options.seed, size=options.view_size,
            leave_out=leave_out, only=only, progress=progress,
        )  # fmt: skip

    if not options.leave_out:
        paths = render("views", range(every))
        return paths[:first], paths[first:]
    name = options.leave_out
    return render(f"views-without-{name}", range(first), name), render(f"views-only-{name}", range(first, every), only=name)


def _besides(options: SegmenterOptions) -> str:
    """What tells a run's checkpoint from that of the chest's full run."""
    site = "" if options.site == CHEST_FRONTAL.name else f"-{options.site}"
    return site + (f"-without-{options.leave_out}" if options.leave_out else "")


def _keep_memory() -> None:
    """glibc: reuse freed blocks instead of giving them back, which halves the page faults of training on a processor."""
    import ctypes

    try:
        libc = ctypes.CDLL("libc.so.6")
        libc.mallopt(-3, 1 << 30)  # M_MMAP_THRESHOLD
        libc.mallopt(-1, (1 << 31) - 1)  # M_TRIM_THRESHOLD
    except (OSError, AttributeError):
        pass
