"""`osteoscreen bench train`: what the data path costs a training step, what cached features save, what evaluation costs."""

from __future__ import annotations

import os
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from OsteoScreenLib.benchmarks.cores import processors
from OsteoScreenLib.errors import InputError

if TYPE_CHECKING:
    from rich.console import Group

    from OsteoScreenLib.study.training.race import Clocks, Measured

MOST_STEP, LEAST_PROBE, MOST_EVALUATION = 1.15, 20.0, 1.15


@dataclass(frozen=True)
class TrainFigures:
    """Ratios of one run. measured : the seconds they come from. epochs : of the loop that linear probing is compared with."""

    network: str
    size: int
    tuning: str
    batch: int
    threads: int
    epochs: int
    load: float | None
    measured: Measured

    @property
    def step(self) -> float:
        """A training step with the real data path, over the same step from memory."""
        return _ratio(self.measured.step)

    @property
    def probe(self) -> float:
        """A loop that runs the encoder in every epoch, over linear probing with features computed once."""
        return 1 / _ratio(self.measured.probe)

    @property
    def evaluation(self) -> float:
        """From cached images to a table of predictions, over forward passes alone."""
        return _ratio(self.measured.evaluation)

    def met(self) -> dict[str, bool]:
        """Whether each aim was reached."""
        return {
            "step": self.step <= MOST_STEP,
            "probe": self.probe >= LEAST_PROBE,
            "evaluation": self.evaluation <= MOST_EVALUATION,
        }

    def as_json(self) -> dict[str, object]:
        """The figures and whether each aim was met, as JSON values."""
        return {
            "conditions": {
                "network": self.network, "img_size": self.size, "tuning": self.tuning, "batch": self.batch, "threads": self.threads,
                "device": self.measured.device, "precision": self.measured.precision, "epochs": self.epochs, "load_before": self.load,
            },
            "ratios": {"step": self.step, "probe": self.probe, "evaluation": self.evaluation},
            "processor_ratios": {
                "step": _processor_ratio(self.measured.step), "evaluation": _processor_ratio(self.measured.evaluation),
            },
            "aims": {"step": MOST_STEP, "probe": LEAST_PROBE, "evaluation": MOST_EVALUATION},
            "met": self.met(),
            "seconds": {name: asdict(getattr(self.measured, name)) for name in ("step", "probe", "evaluation")},
            "probe_parts": self.measured.probe_parts,
            "images": self.measured.images,
        }  # fmt: skip

    def as_tables(self) -> Group:
        """A table for a terminal, and how it was measured."""
        from rich.console import Group
        from rich.table import Table

        met = {name: "met" if one else "missed" for name, one in self.met().items()}
        where = (
            f"{self.measured.device}, {self.measured.precision}, {self.threads} {'thread' if self.threads == 1 else 'threads'}"
        )
        table = Table("", "ours", "beside it", "ratio", "aim", title=f"{self.network} at {self.size}; {where}", min_width=78)
        step, probe, evaluation = (self.measured.step, self.measured.probe, self.measured.evaluation)
        table.add_row(
            "Training step, from the cache / from memory", _seconds(step.ours), _seconds(step.bare), f"{self.step:.3f}",
            f"<= {MOST_STEP:g}: {met['step']}",
        )  # fmt: skip
        table.add_row(
            f"Linear probing / encoder in each of {self.epochs} epochs", _seconds(probe.ours), _seconds(probe.bare),
            f"{self.probe:.1f} times", f">= {LEAST_PROBE:g}: {met['probe']}",
        )  # fmt: skip
        table.add_row(
            "Evaluation / forward passes", _seconds(evaluation.ours), _seconds(evaluation.bare), f"{self.evaluation:.3f}",
            f"<= {MOST_EVALUATION:g}: {met['evaluation']}",
        )  # fmt: skip
        note = (
            f"Medians of {len(step.ours)} rounds in which both sides take turns; {self.tuning} tuning, {self.batch} images a step. All epochs of "
            "the loop do the same work, so one is measured in each round and counted as often as there are epochs."
        )
        return Group(table, note + (f" Load of the machine before: {self.load:.1f}." if self.load is not None else ""))


def _ratio(clocks: Clocks) -> float:
    """Median over the rounds of ours over the other."""
    return float(np.median(np.array(clocks.ours) / np.array(clocks.bare)))


def _processor_ratio(clocks: Clocks) -> float:
    return float(np.median(np.array(clocks.ours_processor) / np.array(clocks.bare_processor)))


def _seconds(values: tuple[float, ...]) -> str:
    return f"{np.median(values):.2f} s"


def measure_training(
    network: str = "vit_small_patch16_224",
    size: int = 224,
    *,
    device: str = "auto",
    precision: str = "auto",
    threads: int | None = None,
    batch: int | None = None,
    tuning: str = "partial",
    steps: int = 3,
    rounds: int = 5,
    epochs: int = 100,
) -> TrainFigures:
    """Measure on random pictures and random weights, which cost what real ones do.

    network : a timm name. batch : images a step; 8 on a processor, 64 on a GPU by default. steps : in a block. epochs : 100 as in the
    linear evaluation of Caron et al. 2021 (arXiv 2104.14294).
    Raises `InputError` for an unknown network or device, or more threads than processors.
    """
    at_hand = processors()
    threads = threads or at_hand
    if threads > at_hand:
        raise InputError(
            f"There are {at_hand} processors here, not {threads}; give --threads {at_hand} or less.", code="option"
        )
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    from OsteoScreenLib.classifier.devices import choose_device, choose_precision
    from OsteoScreenLib.study.matrix_rate import with_threads
    from OsteoScreenLib.study.training.race import measure

    chosen = choose_device(device)
    batch = batch or (8 if chosen.type == "cpu" else 64)
    with with_threads(threads), tempfile.TemporaryDirectory() as folder:
        found = measure(
            Path(folder), network, size, device=device, precision=choose_precision(chosen, precision), batch=batch, steps=steps,
            rounds=rounds, epochs=epochs, tuning=tuning,
        )  # fmt: skip
    return TrainFigures(network, size, tuning, batch, threads, epochs, load, found)
