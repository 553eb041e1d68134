"""A reader without a window, for `review_soak` to kill: locks read after read and exports all the while, and tells what is safe.

python -m OsteoScreenLib.benchmarks.review_reader STUDY

Each line on stdout is written after what it tells of: "opening", "opened", "draft CASE PHASE NUMBER", "locked CASE PHASE ID",
"exported READS".
"""

from __future__ import annotations

import os
import sys
import threading
from itertools import count
from pathlib import Path
from typing import NoReturn

from OsteoScreenLib import __version__
from OsteoScreenLib.classifier.prediction import CLASSES
from OsteoScreenLib.review.export import export
from OsteoScreenLib.review.nouns import ModelFacts, Opinion, Phase, Task
from OsteoScreenLib.review.places import store_path
from OsteoScreenLib.review.project import merged
from OsteoScreenLib.review.store import ReaderStore

READER, MACHINE, EXPORTS = "soak", "m0", "exports"


def opinion_of(task: Task, phase: Phase) -> Opinion:
    """What this reader thinks of a task; always the same, so that a read that came back can be compared."""
    number = int(task.case.removeprefix("C-")) + (phase == "second")
    return Opinion(CLASSES[number % 3], number % 101, comment=f"{phase} read of {task.case}")


def read_on(study: Path) -> NoReturn:
    """Go on where the last one was killed, for ever."""
    _say("opening")
    store = ReaderStore.open(store_path(study, READER, MACHINE), READER, MACHINE, __version__)
    _say("opened")
    if store.remark:
        raise SystemExit(store.remark)
    threading.Thread(target=_export_on, args=(study,), daemon=True).start()
    phases: tuple[Phase, ...] = ("first", "second")
    store.append("signed-in")
    for number in count(len(store.reads()) // 2):
        task = Task(f"C-{number:06d}")
        for phase in phases:
            if store.locked(task, phase):
                continue
            for entry in range(2):
                store.keep_draft(task, phase, {"entry": entry})
                _say(f"draft {task.case} {phase} {entry}")
            facts = ModelFacts("model", "0" * 64, "normal", (0.5, 0.25, 0.25)) if phase == "second" else ModelFacts()
            read = store.lock(task, phase, opinion_of(task, phase), facts, 1.0, 0.0)
            _say(f"locked {task.case} {phase} {read.id}")
        store.judge(task.case, "sternum", "accepted")
    raise AssertionError("counting does not end")


def _export_on(study: Path) -> NoReturn:
    while True:
        view = merged(study)
        export(view, study / EXPORTS)
        _say(f"exported {len(view.reads)}")


def _say(line: str) -> None:
    os.write(1, f"{line}\n".encode("ascii"))  # one write, so that a line arrives whole or not at all


if __name__ == "__main__":
    read_on(Path(sys.argv[1]))
