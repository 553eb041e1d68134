"""`osteoscreen simulate`: N radiographs with known bones and known bone density."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from OsteoScreenLib.errors import InputError


def run(
    skeleton: Path,
    thorax_ct: Path,
    out: Path,
    *,
    count: int,
    seed: int,
    size: int,
    view: str,
    prevalence: str,
    bone_loss: str,
    follow_up: float,
    shortcut: str,
    strength: float,
    workers: int,
    cache: Path | None,
    as_json: bool,
) -> int:
    """Simulate, show how far it is, and say where the table lies. Returns the exit code.

    Raises `OsteoScreenError` in one sentence for what is wrong with options, sources or disk.
    """
    from OsteoScreenLib.study.simulated_cohort import CohortOptions, simulate_cohort

    shares = _shares(prevalence)
    named = tuple(name.strip() for name in bone_loss.split(",") if name.strip())
    options = CohortOptions(
        count=count,
        seed=seed,
        size=size,
        view=view,  # type: ignore[arg-type]
        prevalence=shares,
        loss_in=() if named == ("global",) else named,
        follow_up=follow_up,
        shortcut=shortcut,  # type: ignore[arg-type]
        strength=strength,
    ).checked()
    if as_json:
        table = simulate_cohort(out, skeleton, thorax_ct, options, workers, cache)
        print(json.dumps({"cohort": str(table), "count": count}))
        return 0
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(file=sys.stderr)) as shown:
        task = shown.add_task("Preparing the bodies", total=count)

        def progress(done: int, total: int) -> None:
            shown.update(task, description="Simulating radiographs", completed=done, total=total)

        table = simulate_cohort(out, skeleton, thorax_ct, options, workers, cache, progress)
    print(f"{count} simulated radiographs; the table with what is true of each: {table}")
    print("Research use only: simulated images, no patients.", file=sys.stderr)
    return 0


def _shares(text: str) -> tuple[float, float, float]:
    try:
        first, second, third = (float(part) for part in text.split(","))
    except ValueError as error:
        raise InputError(
            f"The prevalence '{text}' is not three numbers; give for example 0.5,0.35,0.15.", code="option"
        ) from error
    return first, second, third
