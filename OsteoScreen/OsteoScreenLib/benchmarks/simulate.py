"""`osteoscreen bench simulate`: radiographs a second as `osteoscreen simulate` makes them, and where the time goes."""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from OsteoScreenLib.benchmarks.cores import held_to, processors
from OsteoScreenLib.benchmarks.memory import PeakMemory
from OsteoScreenLib.benchmarks.projector import ProjectorFigures, measure_projector
from OsteoScreenLib.errors import InputError
from OsteoScreenLib.simulate.sources import load_anatomies, sources_in
from OsteoScreenLib.study.simulated_case import STAGES
from OsteoScreenLib.study.simulated_cohort import CohortOptions, simulate_cohort

if TYPE_CHECKING:
    from rich.console import Group

LEAST_PER_SECOND, LEAST_RATIO = 1.0, 10.0  # the first of 512 x 512 on two processors
MOST_DIFFERENCE_MM, MOST_BYTES = 1e-3, 4 * 2**30
_MEANING = {
    "body": "body, pose and warp",
    "bone density": "bone density and simulated DXA",
    "projection": "projection and masks",
    "picture": "signal, noise and tone",
    "files": "DICOM, masks, organs, row",
}


@dataclass(frozen=True)
class SimulateFigures:
    """One cohort made with `threads` processes, after each of them had made a first radiograph.

    seconds : wall-clock time of `count` radiographs. stages : seconds a radiograph of each of `STAGES` in its process, mean.
    peak_bytes : resident memory of all processes together. held : whether they were kept on `threads` processors.
    load : how many processes wanted a processor just before, where the system tells; other programs slow everything down.
    """

    count: int
    size: int
    threads: int
    held: bool
    load: float | None
    sources: tuple[str, ...]
    seconds: float
    stages: Mapping[str, float]
    peak_bytes: int
    projector: ProjectorFigures

    @property
    def per_second(self) -> float:
        """Radiographs a second."""
        return self.count / self.seconds

    def shares(self) -> dict[str, float]:
        """Each stage's share of a radiograph's time; together 1."""
        whole = sum(self.stages.values())
        return {stage: seconds / whole for stage, seconds in self.stages.items()}

    def met(self) -> dict[str, bool]:
        """Whether each aim was reached."""
        return {
            "radiographs_per_second": self.per_second >= LEAST_PER_SECOND,
            "ratio": self.projector.ratio >= LEAST_RATIO,
            "largest_difference_mm": self.projector.largest_difference_mm <= MOST_DIFFERENCE_MM,
            "peak_memory_bytes": self.peak_bytes <= MOST_BYTES,
        }

    def as_json(self) -> dict[str, object]:
        """The figures and whether each aim was met, as JSON values."""
        shares = self.shares()
        return {
            "conditions": {
                "count": self.count,
                "size": self.size,
                "threads": self.threads,
                "held_to_threads": self.held,
                "load_before": self.load,
                "sources": list(self.sources),
            },
            "radiographs_per_second": self.per_second,
            "seconds": self.seconds,
            "stages": {stage: {"seconds": seconds, "share": shares[stage]} for stage, seconds in self.stages.items()},
            "projector": {
                **asdict(self.projector),
                "ratio": self.projector.ratio,
                "ratio_all_at_once": self.projector.ratio_all_at_once,
            },
            "peak_memory_bytes": self.peak_bytes,
            "aims": {
                "radiographs_per_second": LEAST_PER_SECOND,
                "ratio": LEAST_RATIO,
                "largest_difference_mm": MOST_DIFFERENCE_MM,
                "peak_memory_bytes": MOST_BYTES,
            },
            "met": self.met(),
        }

    def as_tables(self) -> Group:
        """Two tables for a terminal: the figures with their aims, and the stages."""
        from rich.console import Group
        from rich.table import Table

        one, met = self.projector, {name: "met" if met else "missed" for name, met in self.met().items()}
        bodies = f"{', '.join(self.sources)}; {self.threads} {'process' if self.threads == 1 else 'processes'}"
        figures = Table("", "", "aim", title=f"{self.count} radiographs of {self.size} x {self.size}; {bodies}", min_width=78)
        figures.add_row("Radiographs a second", f"{self.per_second:.2f}", f">= 1 on two: {met['radiographs_per_second']}")
        figures.add_row(
            "Largest memory of all processes", f"{self.peak_bytes / 2**30:.2f} GB", f"<= 4: {met['peak_memory_bytes']}"
        )
        figures.add_row(f"Projector, {one.parts} parts, {one.triangles} triangles", f"{1000 * one.seconds:.0f} ms", "")
        figures.add_row("  times faster than plain NumPy", f"{one.ratio:.0f}", f">= 10: {met['ratio']}")
        figures.add_row("  times faster than NumPy's quickest form", f"{one.ratio_all_at_once:.1f}", "")
        difference = f"{one.largest_difference_mm:.1g} mm"
        figures.add_row("  largest difference from them", difference, f"<= 0.001: {met['largest_difference_mm']}")
        stages, shares = Table("one radiograph", "s", "share", title="Where the time goes", min_width=78), self.shares()
        for stage, seconds in self.stages.items():
            stages.add_row(_MEANING[stage], f"{seconds:.3f}", f"{100 * shares[stage]:.0f} %")
        note = (
            f"Plain NumPy takes one triangle after the other, its quickest form all of a part at once; all three project the same "
            f"body onto {one.detector} x {one.detector} pixels, every ray of it."
        )
        if self.load is not None:
            note += f" Load of the machine before: {self.load:.1f}."
        return Group(figures, stages, note)


def measure_simulation(
    skeleton: Path,
    thorax_ct: Path,
    work: Path,
    *,
    count: int = 24,
    size: int = 512,
    seed: int = 0,
    threads: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> SimulateFigures:
    """Make `count` radiographs of `size` rows and columns with `threads` processes, all processors' if None; nothing of them stays.

    work : folder; prepared bodies are kept in its "anatomies". progress : called with (done, all), first radiographs included.
    Raises `InputError`: what `simulate_cohort` raises, and (option) for more threads than processors.
    """
    at_hand = processors()
    threads = threads or at_hand
    if threads > at_hand:
        raise InputError(
            f"There are {at_hand} processors here, not {threads}; give --threads {at_hand} or less.", code="option"
        )
    options = CohortOptions(count + threads, seed, size).checked()  # the first ones warm the processes up
    sources = sources_in(skeleton, thorax_ct)
    work.mkdir(parents=True, exist_ok=True)
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    laps: list[Mapping[str, float]] = []
    ends: list[float] = []

    def timed(seconds: Mapping[str, float]) -> None:
        laps.append(seconds)
        ends.append(time.perf_counter())
        if progress is not None:
            progress(len(ends), options.count)

    with held_to(threads) as held, PeakMemory() as peak, tempfile.TemporaryDirectory(dir=work) as folder:
        anatomies = load_anatomies(sources, work / "anatomies")
        cohort = Path(folder) / "cohort"
        simulate_cohort(cohort, skeleton, thorax_ct, options, threads, work / "anatomies", timed=timed)
    return SimulateFigures(
        count=count,
        size=size,
        threads=threads,
        held=held,
        load=load,
        sources=sources.names,
        seconds=ends[-1] - ends[threads - 1],
        stages={stage: statistics.fmean(lap[stage] for lap in laps[threads:]) for stage in STAGES},
        peak_bytes=peak.bytes,
        projector=measure_projector(anatomies, size, seed),
    )
