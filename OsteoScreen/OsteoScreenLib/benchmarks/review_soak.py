"""Does a killed reader lose a read? A process that reads and exports is killed again and again, and what it told is looked for."""

from __future__ import annotations

import csv
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, cast

from OsteoScreenLib.benchmarks.review_reader import EXPORTS, MACHINE, READER, opinion_of
from OsteoScreenLib.errors import OsteoScreenError
from OsteoScreenLib.review.places import store_path
from OsteoScreenLib.review.records import read_of
from OsteoScreenLib.review.store_reading import read_store

_Key = tuple[str, str]  # case, phase


@dataclass(frozen=True)
class SoakFigures:
    """What came of it.

    kills : in all. while_opening : of them, so many within 50 ms of the file being opened. locked : reads that were told as locked.
    untold : reads that were saved when the process died before it could tell. exports : that were told as written. faults : a
    sentence on each promise that was broken.
    """

    kills: int
    while_opening: int
    locked: int
    untold: int
    exports: int
    seconds: float
    faults: tuple[str, ...]

    @property
    def passed(self) -> bool:
        """Whether every read that was told is there once, word for word, and every file was whole after every kill."""
        return not self.faults and self.locked > 0

    def as_json(self) -> dict[str, object]:
        """The figures and the verdict as JSON values."""
        return {**asdict(self), "faults": list(self.faults), "passed": self.passed}

    def as_text(self) -> str:
        """For people."""
        return (
            f"{self.kills} kills in {self.seconds:.0f} s, {self.while_opening} of them while the file was opened\n"
            f"{self.locked} reads told as locked, {self.untold} more saved but not yet told; {self.exports} exports\n"
            + "".join(f"{fault}\n" for fault in self.faults)
            + ("passed: every read is there once, every file whole" if self.passed else "not passed")
        )


@dataclass
class _Witness:
    """What the killed processes told."""

    locked: dict[_Key, str] = field(default_factory=dict)
    draft: tuple[str, str, int] | None = None
    untold: int = 0
    exports: int = 0
    exported: int = 0

    def hear(self, lines: list[str]) -> None:
        for words in map(str.split, lines):
            if words[0] == "locked":
                self.locked[words[1], words[2]] = words[3]
            elif words[0] == "draft":
                self.draft = (words[1], words[2], int(words[3]))
            elif words[0] == "exported":
                self.exports, self.exported = self.exports + 1, int(words[1])


def soak(
    kills: int = 200, seed: int = 0, folder: Path | None = None, progress: Callable[[int, int], None] = lambda done, total: None
) -> SoakFigures:
    """Kill a reading and exporting process at `kills` random moments (SIGKILL; TerminateProcess on Windows).

    seed : of the moments. folder : an empty one on the disk that is to be tried; a temporary one if None. progress : called with
    kills and all of them. Raises `OsteoScreenError` when the process ends by itself, which it must not.
    """
    began, random_moments, witness, faults, opening = time.perf_counter(), random.Random(seed), _Witness(), list[str](), 0
    with tempfile.TemporaryDirectory(dir=folder, prefix="osteoscreen-soak-") as work:
        study = Path(work)
        for number in range(1, kills + 1):
            early = random_moments.random() < 0.25
            opening += early
            witness.hear(_life(study, early, random_moments))
            faults += [
                f"After kill {number}: {fault}" for fault in (*_store_faults(study, witness), *_export_faults(study, witness))
            ]
            progress(number, kills)
    told = len(witness.locked) - witness.untold
    return SoakFigures(kills, opening, told, witness.untold, witness.exports, time.perf_counter() - began, tuple(faults))


def _life(study: Path, early: bool, moments: random.Random) -> list[str]:
    """Start a reader, kill it, and give the lines that it wrote."""
    package = str(Path(__file__).resolve().parents[2])
    environment = os.environ | {"PYTHONPATH": package, "OSTEOSCREEN_SETTINGS": str(study / "settings")}
    command = [sys.executable, "-m", "OsteoScreenLib.benchmarks.review_reader", str(study)]
    with (
        tempfile.TemporaryFile() as errors,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, env=environment, text=True) as reader,
    ):
        told = cast(IO[str], reader.stdout)
        try:
            lines = [told.readline()]
            if not early and lines[-1]:
                lines.append(told.readline())
            time.sleep(moments.uniform(0, 0.05 if early else 1.0))
        finally:
            ended = reader.poll()
            reader.kill()
        lines += told.readlines()
        if ended is not None:
            errors.seek(0)
            last = (errors.read().decode("utf-8", "replace").strip().splitlines() or ["no message"])[-1]
            raise OsteoScreenError(f"The process that reads ended by itself ({last}); this is a fault of OsteoScreen.")
    return [line for line in lines if line.endswith("\n")]


def _store_faults(study: Path, witness: _Witness) -> list[str]:
    """What is wrong with the store; reads that were saved but not told become known to the witness."""
    path = store_path(study, READER, MACHINE)
    if not path.exists() and not witness.locked:
        return []
    try:
        contents = read_store(path)
    except OsteoScreenError as error:
        return [str(error)] if witness.locked or getattr(error, "code", "") != "empty" else []
    faults = [f"{path.name} is damaged: {contents.damage}."] if contents.damage else []
    reads = [read_of(event) for event in contents.events if event.kind == "locked"]
    times = Counter((read.task.case, read.phase) for read in reads)
    there = {(read.task.case, cast(str, read.phase)): read.id for read in reads}
    faults += [f"{case}, {phase}, is there {number} times." for (case, phase), number in times.items() if number != 1]
    faults += [
        f"{case}, {phase}, was locked and is lost."
        for (case, phase), id in witness.locked.items()
        if there.get((case, phase)) != id
    ]
    faults += [
        f"{read.task.case}, {read.phase}, was changed." for read in reads if read.opinion != opinion_of(read.task, read.phase)
    ]
    untold = there.keys() - witness.locked.keys()
    if len(untold) > 1:
        faults.append(f"{len(untold)} reads were saved and not told.")
    witness.untold += len(untold)
    witness.locked.update({key: there[key] for key in untold})
    if witness.draft and (key := witness.draft[:2]) not in there:
        kept = json.loads(contents.drafts.get((key[0], 0, key[1]), '{"entry": -1}'))["entry"]
        if kept < witness.draft[2]:
            faults.append(f"The draft of {key[0]}, {key[1]}, is lost.")
    return faults


def _export_faults(study: Path, witness: _Witness) -> list[str]:
    faults = []
    for path in sorted((study / EXPORTS).glob("[!.]*")):
        text = path.read_text(encoding="utf-8")
        try:
            values = json.loads(text) if path.suffix == ".json" else list(csv.reader(text.splitlines(), strict=True))
        except (ValueError, csv.Error):
            faults.append(f"{path.name} is cut off.")
            continue
        if path.suffix == ".csv" and (not text.endswith("\n") or len({len(row) for row in values}) != 1):
            faults.append(f"{path.name} is cut off.")
        if path.name == "reads.csv" and not witness.exported <= len(values) - 1 <= len(witness.locked):
            faults.append(f"{path.name} holds {len(values) - 1} reads, and {witness.exported} were told as exported.")
    return faults
