"""`osteoscreen bench explanations`: whether explanations find the bones that carry the signal, as tables for a terminal."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from OsteoScreenLib.errors import InputError
from OsteoScreenLib.study.explanation_bench import BenchOptions, run_bench
from OsteoScreenLib.study.explanation_figures import BenchFigures, bench_figures
from OsteoScreenLib.study.explanation_table import as_json, sentences, tables, write_table
from OsteoScreenLib.study.truth_views import Truth

if TYPE_CHECKING:
    from rich.console import Group


@dataclass(frozen=True)
class ExplanationFigures:
    """A finished run. files : where its tables lie, by "markdown" and "json"."""

    figures: BenchFigures
    options: BenchOptions
    files: dict[str, Path]

    def as_json(self) -> dict[str, Any]:
        """The figures, as JSON values."""
        return {**as_json(self.figures, self.options), "files": {kind: str(path) for kind, path in self.files.items()}}

    def as_tables(self) -> Group:
        """The tables, and what follows from them."""
        from rich.console import Group
        from rich.table import Table

        shown: list[Any] = []
        for table in tables(self.figures):
            drawn = Table(*table.head, title=table.title)
            for cells in table.lines:
                drawn.add_row(*cells)
            shown.append(drawn)
        return Group(*shown, *sentences(self.figures), f"The tables: {self.files['markdown']}")


def measure_explanations(
    skeleton: Path,
    thorax_ct: Path,
    work: Path,
    *,
    truths: str,
    networks: str,
    bodies: str,
    steps: int | None,
    draws: int,
    seed: int,
    threads: int,
    progress: Callable[[str, int, int], None] | None = None,
) -> ExplanationFigures:
    """Make what is missing in `work`, and write explanations.md and explanations.json there.

    truths : separated by commas, groups of one truth by "+". networks : separated by commas. bodies : "training,explained".
    progress : called with (what is being done, done, all). Raises `InputError`: what `run_bench` raises, and (option).
    """
    try:
        training, explained = (int(word) for word in bodies.split(","))
    except ValueError as error:
        raise InputError("--bodies is two numbers, to train on and to explain, for example 96,24.", code="option") from error
    options = BenchOptions(
        skeleton, thorax_ct, work, tuple(Truth.of(words) for words in truths.split(",")),
        tuple(word.strip() for word in networks.split(",")), (training, explained), steps, seed, threads,
    )  # fmt: skip
    figures = bench_figures(run_bench(options, progress), draws, seed)
    return ExplanationFigures(figures, options, write_table(work, figures, options))
