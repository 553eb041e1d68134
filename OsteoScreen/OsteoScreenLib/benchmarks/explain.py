"""`osteoscreen bench explain`: how many times faster the sweep is than a plain script, and how far its numbers are from it."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from OsteoScreenLib.benchmarks.cores import processors
from OsteoScreenLib.bundle import Bundle, embedded_bundle, open_bundle
from OsteoScreenLib.errors import InputError
from OsteoScreenLib.files import resource_folder

if TYPE_CHECKING:
    from rich.console import Group

    from OsteoScreenLib.bones.masks import BoneMasks
    from OsteoScreenLib.study.explain_race import Race

LEAST_RATIO, MOST_ERROR, LEAST_SPEARMAN = 8.0, 0.05, 0.99  # the second as a share of the largest effect
LONGEST_FIRST_ROW, LONGEST_SWEEP = 0.5, 4.0  # seconds, of the embedded bundle on two processors
SAMPLE = "simulated_chest_osteoporosis.dcm"


@dataclass(frozen=True)
class ExplainFigures:
    """One radiograph explained by a plain script and by the engine, in one process.

    precision : the engine's, on this radiograph. settled : what became of half precision on it: "kept", "given up" (untouched or with
    all bones covered its probabilities missed the bound) or "not asked".
    plain_seconds, engine_seconds : wall-clock time of the heatmap and all variants, and the engine's of settling its precision; the
    processor seconds are those of all threads together, which other programs disturb less. variants : different choices of bones,
    each one forward pass of the plain script. passes : the engine's. first_row_seconds : until precision, heatmap and the first effect are there.
    floor_seconds : what one forward pass for each variant would take at the best measured matrix rate.
    largest_effect, largest_effect_error : percentage points. load : how many programs wanted a processor before, where known.
    """

    model: str
    img_size: int
    device: str
    precision: str
    settled: str
    threads: int
    load: float | None
    bones: int
    variants: int
    passes: int
    plain_seconds: float
    engine_seconds: float
    plain_processor_seconds: float
    engine_processor_seconds: float
    plain_heatmap_seconds: float
    engine_heatmap_seconds: float
    settle_seconds: float
    first_row_seconds: float
    operations: int
    rates: dict[str, float]
    max_probability_difference: float
    bound: float
    largest_effect: float
    largest_effect_error: float
    effect_spearman: float

    @property
    def ratio(self) -> float:
        """How many times faster the engine is."""
        return self.plain_seconds / self.engine_seconds

    @property
    def processor_ratio(self) -> float:
        """The same by processor time."""
        return self.plain_processor_seconds / self.engine_processor_seconds

    @property
    def floor_seconds(self) -> float:
        """Of one forward pass for each variant, at the best measured rate."""
        return self.variants * self.operations / max(self.rates.values())

    @property
    def floor_ratio(self) -> float:
        """The engine's time for the variants over the floor; below 1 where it did fewer operations."""
        return (self.engine_seconds - self.settle_seconds - self.engine_heatmap_seconds) / self.floor_seconds

    def met(self) -> dict[str, bool]:
        """Whether each aim was reached."""
        return {
            "ratio": self.ratio >= LEAST_RATIO,
            "max_probability_difference": self.max_probability_difference <= self.bound,
            "largest_effect_error": self.largest_effect_error <= MOST_ERROR * self.largest_effect,
            "effect_spearman": self.effect_spearman >= LEAST_SPEARMAN,
            "first_row_seconds": self.first_row_seconds <= LONGEST_FIRST_ROW,
            "engine_seconds": self.engine_seconds <= LONGEST_SWEEP,
        }

    def as_json(self) -> dict[str, object]:
        """The figures and whether each aim was met, as JSON values."""
        return {
            "conditions": {
                "model": self.model,
                "img_size": self.img_size,
                "device": self.device,
                "threads": self.threads,
                "load_before": self.load,
                "bones": self.bones,
            },
            "precision": self.precision,
            "settled": self.settled,
            "ratio": self.ratio,
            "processor_ratio": self.processor_ratio,
            "floor_ratio": self.floor_ratio,
            "max_probability_difference": self.max_probability_difference,
            "bound": self.bound,
            "largest_effect": self.largest_effect,
            "largest_effect_error": self.largest_effect_error,
            "effect_spearman": self.effect_spearman,
            "variants": self.variants,
            "passes": self.passes,
            "seconds": {
                "plain": self.plain_seconds,
                "engine": self.engine_seconds,
                "plain_processor": self.plain_processor_seconds,
                "engine_processor": self.engine_processor_seconds,
                "plain_heatmap": self.plain_heatmap_seconds,
                "engine_heatmap": self.engine_heatmap_seconds,
                "settling": self.settle_seconds,
                "first_row": self.first_row_seconds,
                "floor": self.floor_seconds,
            },
            "operations": self.operations,
            "rates": self.rates,
            "aims": {
                "ratio": LEAST_RATIO,
                "largest_effect_error": MOST_ERROR * self.largest_effect,
                "effect_spearman": LEAST_SPEARMAN,
                "first_row_seconds": LONGEST_FIRST_ROW,
                "engine_seconds": LONGEST_SWEEP,
            },
            "met": self.met(),
        }

    def as_tables(self) -> Group:
        """Two tables for a terminal, speed and agreement, and how they were measured."""
        from rich.console import Group
        from rich.table import Table

        met = {name: "met" if one else "missed" for name, one in self.met().items()}
        where = f"{self.device}, {self.precision}, {self.threads} {'thread' if self.threads == 1 else 'threads'}"
        speed = Table("", "plain script", "engine", "", title=f"{self.model} at {self.img_size}; {where}", min_width=78)
        speed.add_row(
            "Heatmap and sweep", f"{self.plain_seconds:.2f} s", f"{self.engine_seconds:.2f} s",
            f"{self.ratio:.1f} times; >= {LEAST_RATIO:g}: {met['ratio']}",
        )  # fmt: skip
        speed.add_row(
            "  processor time", f"{self.plain_processor_seconds:.2f} s", f"{self.engine_processor_seconds:.2f} s",
            f"{self.processor_ratio:.1f} times",
        )  # fmt: skip
        speed.add_row("  precision settled", "", f"{self.settle_seconds:.2f} s", f"half precision {self.settled}")
        speed.add_row("  the heatmap", f"{self.plain_heatmap_seconds:.2f} s", f"{self.engine_heatmap_seconds:.2f} s", "")
        speed.add_row("Forward passes", str(self.variants), str(self.passes), f"{self.operations / 1e9:.1f} G operations each")
        speed.add_row(
            "  at the matrix rate", "", f"{self.floor_seconds:.2f} s", f"engine takes {self.floor_ratio:.2f} times that"
        )
        rates = ", ".join(f"{name} {rate / 1e9:.0f}" for name, rate in self.rates.items())
        speed.add_row("Matrix rate", "", "", f"{rates} G operations/s")
        speed.add_row("First effect after", "", f"{self.first_row_seconds:.2f} s", "with the heatmap")
        same = Table("", "", "aim", title=f"{self.variants} variants of {self.bones} bones", min_width=78)
        bound, error = f"{100 * self.bound:g} points", f"{self.largest_effect_error:.3f} points"
        difference = f"{100 * self.max_probability_difference:.4f} points"
        same.add_row("Largest difference of a probability", difference, f"<= {bound}: {met['max_probability_difference']}")
        same.add_row("Largest effect", f"{self.largest_effect:.1f} points", "")
        same.add_row("Largest error of an effect", error, f"<= 5 % of the largest effect: {met['largest_effect_error']}")
        same.add_row("Rank correlation of effects", f"{self.effect_spearman:.4f}", f">= 0.99: {met['effect_spearman']}")
        note = (
            "The plain script: full precision, one pytorch-grad-cam call, one forward pass for each covered variant. Both sides take "
            "turns in one process, heatmap by heatmap and variant by variant, after one forward pass each that is not counted."
        )
        return Group(speed, same, note + (f" Load of the machine before: {self.load:.1f}." if self.load is not None else ""))


def measure_explanation(
    backbone: str | None = None,
    img_size: int | None = None,
    *,
    bundle: Path | None = None,
    device: str = "auto",
    precision: str = "auto",
    threads: int | None = None,
    bones: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> ExplainFigures:
    """Explain the simulated sample radiograph both ways.

    Parameters
    ----------
    backbone : a timm network's name, with random weights and a head whose largest effect is 10 points or more; without it
        `bundle`, a model bundle's folder, or the embedded one as they are. img_size : of the backbone's input; 224 by default.
    threads : of torch; all processors by default. bones : so many of the bones, spread over the chest; all by default.

    Raises
    ------
    InputError
        An unknown network, bundle or device; more threads than processors; a size for a bundle, which has its own (option).
    """
    at_hand = processors()
    threads = threads or at_hand
    if threads > at_hand:
        raise InputError(
            f"There are {at_hand} processors here, not {threads}; give --threads {at_hand} or less.", code="option"
        )
    if backbone is None and img_size is not None:
        raise InputError("A model bundle has its own input size; give --img-size with --backbone only.", code="option")
    if backbone is not None and bundle is not None:
        raise InputError("Give either --backbone or --bundle, not both.", code="option")
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    from OsteoScreenLib.classifier.classifier import PRECISION_BOUND, Classifier
    from OsteoScreenLib.explain.map_similarity import spearman
    from OsteoScreenLib.study.explain_race import race
    from OsteoScreenLib.study.matrix_rate import with_threads

    pixels, masks = _sample(bones)
    with with_threads(threads), tempfile.TemporaryDirectory() as folder:
        opened = _opened(Path(folder), backbone, img_size or 224, bundle, pixels, masks)
        classifier = Classifier.load(opened, device, precision)
        found = race(classifier, pixels, masks, progress)
    error = np.abs(found.engine_effects - found.plain_effects)
    return ExplainFigures(
        model=backbone or opened.id,
        img_size=classifier.model.preprocessing.rows,
        device=classifier.device.type,
        precision=found.precision,
        settled=found.settled,
        threads=threads,
        load=load,
        bones=len(masks.names),
        variants=len(found.trials),
        passes=found.passes,
        **_seconds(found),
        operations=found.operations,
        rates=found.rates,
        max_probability_difference=float(np.abs(found.engine - found.plain).max()),
        bound=PRECISION_BOUND,
        largest_effect=float(np.abs(found.plain_effects).max()),
        largest_effect_error=float(error.max()),
        effect_spearman=spearman(found.plain_effects, found.engine_effects),
    )


def _seconds(found: Race) -> dict[str, Any]:
    plain, engine = found.plain_clock, found.engine_clock
    return {
        "plain_seconds": plain.seconds,
        "engine_seconds": engine.seconds,
        "plain_processor_seconds": plain.processor_seconds,
        "engine_processor_seconds": engine.processor_seconds,
        "plain_heatmap_seconds": plain.heatmap[0],
        "engine_heatmap_seconds": engine.heatmap[0],
        "settle_seconds": engine.settling[0],
        # The two references come first, and the second of them is also the row of all bones removed.
        "first_row_seconds": engine.settling[0] + engine.heatmap[0] + sum(one[0] for one in engine.variants[:2]),
    }


def _sample(bones: int | None) -> tuple[np.ndarray, BoneMasks]:
    """The simulated radiograph that comes with OsteoScreen, and its bones as the embedded segmenter draws them."""
    from OsteoScreenLib.bones.embedded import EmbeddedSegmenter
    from OsteoScreenLib.bones.masks import BoneMasks
    from OsteoScreenLib.radiograph.read import read_radiograph

    radiograph = read_radiograph(resource_folder("SampleData", SAMPLE))
    masks = EmbeddedSegmenter.from_bundle(embedded_bundle("chest-segmenter", "segmenter"), device="cpu").segment(radiograph)
    if bones is None or bones >= len(masks.names):
        return radiograph.pixels, masks
    chosen = [masks.names[place] for place in np.linspace(0, len(masks.names) - 1, bones).astype(int)]
    return radiograph.pixels, BoneMasks.pack({name: masks.mask(name) for name in chosen}, masks.shape, masks.site, masks.method)


def _opened(
    folder: Path, backbone: str | None, img_size: int, bundle: Path | None, pixels: np.ndarray, masks: BoneMasks
) -> Bundle:
    from OsteoScreenLib.explain.bone_sweep import subjects_of
    from OsteoScreenLib.explain.covering import Coverer
    from OsteoScreenLib.study.random_classifier import random_classifier
    from OsteoScreenLib.worker.model_folders import CLASSIFIER

    if backbone is None:
        return embedded_bundle(CLASSIFIER, "classifier") if bundle is None else open_bundle(bundle, "classifier")
    coverer = Coverer(pixels, masks)
    groups = [one.bones for one in subjects_of(masks.site, frozenset(masks.names)) if one.of != "bone"]
    return random_classifier(folder / "random", backbone, img_size, [pixels, *map(coverer.cover, groups)])
