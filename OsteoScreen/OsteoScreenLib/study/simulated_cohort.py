"""A cohort of simulated radiographs on disk: DICOM images, masks, and a table with what is true of each.

Image i depends only on the options, the sources and i. A row beside the image is written last and says that the image is whole;
the table is made of the rows at the end, so a run that was killed goes on where it stopped.
"""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Callable, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import asdict, dataclass
from multiprocessing import get_context, parent_process
from pathlib import Path
from threading import Thread
from typing import Any, Literal

import numpy as np

import OsteoScreenLib
from OsteoScreenLib.bones.vocabulary import CHEST_FRONTAL
from OsteoScreenLib.errors import InputError
from OsteoScreenLib.files import remove_leftovers, write_text
from OsteoScreenLib.simulate.sources import Sources, load_anatomies, sources_in
from OsteoScreenLib.study.cohort import SIMULATION
from OsteoScreenLib.study.stopwatch import Stopwatch

ViewChoice = Literal["pa", "ap", "mixed"]
Shortcut = Literal["none", "age", "tone", "marker"]
ATTRIBUTION = (
    "Simulated; no patient was imaged. Bones: BodyParts3D, (c) The Database Center for Life Science, CC BY-SA 2.1 Japan. Organs, body "
    "shape and vessels: LIDC-IDRI (Armato et al., The Cancer Imaging Archive), CC BY 3.0, and whatever other CT were given."
)


@dataclass(frozen=True)
class CohortOptions:
    """What to simulate.

    size : rows and columns. prevalence : shares of normal, osteopenia, osteoporosis. loss_in : bones and groups that alone lose
    bone; empty for all of them. follow_up : share of the images that show the patient of the image before once more, in another
    posture and exposure. shortcut : what else tells the class, and strength how surely (0 not at all, 1 entirely): the
    patient's age, the grey scale, or a side marker that only low bone mass has.
    """

    count: int
    seed: int = 0
    size: int = 1024
    view: ViewChoice = "mixed"
    prevalence: tuple[float, float, float] = (1 / 3, 1 / 3, 1 / 3)
    loss_in: tuple[str, ...] = ()
    follow_up: float = 0.0
    shortcut: Shortcut = "none"
    strength: float = 1.0

    def checked(self) -> CohortOptions:
        """Itself. Raises `InputError` (option, unknown-bone) for what cannot be simulated."""
        if self.count < 1 or not 128 <= self.size <= 4096:
            raise InputError("Simulate at least one radiograph, of 128 to 4096 pixels.", code="option")
        if min(self.prevalence) < 0 or sum(self.prevalence) <= 0:
            raise InputError("The prevalence is three shares that are not negative, for example 0.5,0.35,0.15.", code="option")
        if not 0 <= self.strength <= 1:
            raise InputError("The strength of a shortcut lies between 0 and 1.", code="option")
        if not 0 <= self.follow_up <= 0.9:
            raise InputError("The share of further images of a patient lies between 0 and 0.9.", code="option")
        CHEST_FRONTAL.expand(list(self.loss_in))
        return self

    def first_image(self, index: int) -> int:
        """The first image of the patient whom image `index` shows; it depends on seed and share alone, not on the count."""
        while index and np.random.default_rng([self.seed, index, 78]).random() < self.follow_up:
            index -= 1
        return index


def simulate_cohort(
    folder: Path,
    skeleton: Path,
    thorax_ct: Path,
    options: CohortOptions,
    workers: int = 1,
    cache: Path | None = None,
    progress: Callable[[int, int], None] | None = None,
    timed: Callable[[Mapping[str, float]], None] | None = None,
) -> Path:
    """Make what is missing in `folder` and write cohort.csv; its path.

    cache : where prepared bodies are kept, for preparing takes minutes; `folder` itself when None. progress : called with
    (done, all). timed : called for every image made with the seconds of each of its stages (`simulated_case.STAGES`).
    Raises `InputError`: what the sources raise, and (cohort-differs) when the folder holds a
    cohort of other options or sources; `OsteoScreenError` when the disk is full.
    """
    options = options.checked()
    sources = sources_in(skeleton, thorax_ct)
    folder.mkdir(parents=True, exist_ok=True)
    _claim(folder, options, sources)
    for part in ("images", "masks", "organs", "rows"):
        (folder / part).mkdir(exist_ok=True)
    for part in (".", "images", "masks", "organs", "rows", "anatomies"):
        remove_leftovers(folder / part)
    bodies = cache or folder / "anatomies"
    load_anatomies(sources, bodies)  # once, before the workers read it
    missing = [index for index in range(options.count) if not _row_path(folder, index).is_file()]
    done = options.count - len(missing)
    tell = progress or (lambda _done, _all: None)
    tell_times = timed or (lambda _seconds: None)
    tell(done, options.count)
    if workers > 1 and len(missing) > 1:
        # Spawned, because a fork of a process with threads may stand still.
        with ProcessPoolExecutor(workers, get_context("spawn"), _begin_worker, (sources, bodies)) as pool:
            waiting: set[Future[dict[str, float]]] = set()
            queue = iter(missing)
            try:
                while True:
                    while len(waiting) < 2 * workers and (index := next(queue, None)) is not None:
                        waiting.add(pool.submit(_make, folder, options, index))
                    if not waiting:
                        break
                    finished, waiting = wait(waiting, return_when=FIRST_COMPLETED)
                    for future in finished:
                        tell_times(future.result())
                        done += 1
                        tell(done, options.count)
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise
    else:
        _prepare(sources, bodies)
        for index in missing:
            tell_times(_make(folder, options, index))
            done += 1
            tell(done, options.count)
    return _write_table(folder, options)


_anatomies: Any = None  # of one worker process


def _begin_worker(sources: Sources, cache: Path) -> None:
    """Prepare a worker process that ends with its parent, even when that was killed and could not tell it to."""
    parent = parent_process()
    assert parent is not None

    def watch() -> None:
        parent.join()
        os._exit(1)

    Thread(target=watch, daemon=True).start()
    _prepare(sources, cache)


def _prepare(sources: Sources, cache: Path) -> None:
    global _anatomies
    _anatomies = load_anatomies(sources, cache)


def _make(folder: Path, options: CohortOptions, index: int) -> dict[str, float]:
    """Make one image and, last, its row. Returns the seconds of each stage."""
    from OsteoScreenLib.study.simulated_case import write_case

    watch = Stopwatch()
    row = write_case(folder, _anatomies, options, index, watch)
    write_text(_row_path(folder, index), json.dumps(row, sort_keys=False) + "\n")
    watch.lap("files")
    return watch.seconds


def case_name(index: int) -> str:
    """Of the files of image `index`."""
    return f"sim-{index + 1:06d}"


def _row_path(folder: Path, index: int) -> Path:
    return folder / "rows" / f"{case_name(index)}.json"


def _claim(folder: Path, options: CohortOptions, sources: Sources) -> None:
    """Write simulation.json, or see that the one that is there tells of the same cohort; only the count may grow."""
    facts = {
        "research_use_only": True,
        "simulated": True,
        "attribution": ATTRIBUTION,
        "osteoscreen": OsteoScreenLib.__version__,
        "options": asdict(options),
        "sources": sources.digests(),
    }
    facts = json.loads(json.dumps(facts))
    path = folder / SIMULATION
    if path.is_file():
        try:
            held = json.loads(path.read_text(encoding="utf-8"))
            held["options"].setdefault("follow_up", 0.0)  # cohorts older than the option
            same = all(
                {k: v for k, v in held[key].items() if k != "count"} == {k: v for k, v in facts[key].items() if k != "count"}
                for key in ("options", "sources")
            )
        except (ValueError, KeyError, AttributeError):
            same = False
        if not same:
            raise InputError(
                f"{folder} holds a cohort that was simulated with other options or sources; choose another folder with --out.",
                code="cohort-differs",
            )
    elif any(not inside.name.endswith("-simulation.json") for inside in folder.iterdir()):  # a killed run's first file
        raise InputError(f"{folder} is not empty and holds no simulated cohort; choose another folder with --out.", code="out")
    write_text(path, json.dumps(facts, indent=2) + "\n")


def _write_table(folder: Path, options: CohortOptions) -> Path:
    rows = [json.loads(_row_path(folder, index).read_text(encoding="utf-8")) for index in range(options.count)]
    table = io.StringIO()
    writer = csv.DictWriter(table, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return write_text(folder / "cohort.csv", table.getvalue())
