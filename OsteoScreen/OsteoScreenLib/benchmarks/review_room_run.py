"""Runs in the fresh process of `bench review`: reads studies in a viewer by key and prints its figures as one line of JSON."""

from __future__ import annotations

import json
import os
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import psutil

from OsteoScreenLib.benchmarks.panel import Figure
from OsteoScreenLib.hosts.desktop.viewer import Viewer
from OsteoScreenLib.review.creating import create_study
from OsteoScreenLib.review.nouns import Protocol
from OsteoScreenLib.review.sources import CaseSource
from OsteoScreenLib.review.study import ReviewStudy
from OsteoScreenLib.ui.tabs import REVIEW

PATIENCE_SECONDS = 120.0
LOOKING_SECONDS = 0.3  # at each radiograph, in which the next one is read ahead
SETTLED = 10  # cases after which memory is looked at


class Reading:
    """A viewer whose reader presses keys."""

    def __init__(self, scratch: Path) -> None:
        self.viewer = Viewer(lambda text: print(text, file=sys.stderr), settings_file=scratch / "viewer.ini")
        self.window, self.review = self.viewer.window, self.viewer.reviewing
        self.window.resize(1280, 860)
        self.window.show()
        self.viewer.tabs.show(REVIEW)
        self._frames = 0  # that were drawn when the radiograph on the table came there
        self.review.changed.connect(self._note)

    def until(self, so: Callable[[], bool], what: str) -> None:
        """Let the window live until something is so."""
        end = time.perf_counter() + PATIENCE_SECONDS
        while not so():
            if time.perf_counter() > end:
                raise SystemExit(f"no sign of {what}")
            self.viewer.qt.processEvents()
            time.sleep(0.001)

    def rest(self, seconds: float) -> None:
        """Let the window live for a while."""
        end = time.perf_counter() + seconds
        self.until(lambda: time.perf_counter() >= end, "the end of a rest")

    def _note(self, part: str) -> None:
        if part == "case":
            self._frames = self.window.slice_widget.frames

    def on_screen(self, act: Callable[[], object]) -> tuple[float, float]:
        """Do something that brings another radiograph; (seconds, seconds of computing) until it is on the screen."""
        began, computed, former = time.perf_counter(), time.thread_time(), self.review.reading
        act()
        self.until(lambda: self.review.reading is not None and self.review.reading is not former, "a radiograph")
        self.until(lambda: self.window.slice_widget.frames > self._frames, "a frame")
        return time.perf_counter() - began, time.thread_time() - computed

    def sign_in(self, study: ReviewStudy) -> tuple[float, float]:
        """Open a study and sign in."""

        def act() -> None:
            self.review.open_study(study.folder)
            self.review.sign_in("bench")

        return self.on_screen(act)

    def lock(self) -> tuple[float, float]:
        """Enter an opinion, lock it and come to the next case."""
        self.review.edit("decision", "normal")
        self.review.edit("confidence", 10)
        self.rest(LOOKING_SECONDS)
        return self.on_screen(self.review.lock)


def study_of(folder: Path, image: Path, count: int) -> ReviewStudy:
    """A study without a model, of one image under many names."""
    folder.mkdir()
    sources = []
    for number in range(count):
        name = folder / f"{number}{image.suffix}"
        try:
            os.link(image, name)
        except OSError:
            name.symlink_to(image)
        sources.append(CaseSource(name))
    return create_study(folder / "study", Protocol("Bench", mode="alone"), sources)


def main(image: Path, cases: int, steps: int, scratch: Path) -> None:
    """Measure, and print."""
    from PIL import Image

    copied = scratch / f"image{image.suffix}"
    copied.write_bytes(image.read_bytes())
    small = scratch / "small.png"
    Image.fromarray((np.indices((256, 256)).sum(0) // 2).astype(np.uint8)).save(small)
    long, full = study_of(scratch / "long", small, cases), study_of(scratch / "full", copied, steps + 1)
    reading = Reading(scratch)
    reading.rest(2)
    sign_in, sign_in_computing = reading.sign_in(long)
    reading.sign_in(full)
    process, memory, times = psutil.Process(), [], []
    for _ in range(steps):
        times.append(reading.lock())
        memory.append(process.memory_info().rss / 2**20)
    settled = memory[min(SETTLED, steps // 2) :]
    third = max(len(settled) // 3, 1)
    grown = statistics.median(settled[-third:]) - statistics.median(settled[:third])
    waits, computing = [1000 * wait for wait, _ in times], [1000 * busy for _, busy in times]
    figures = [
        Figure(f"Worklist of {cases} cases and its first image", sign_in, "s", 2),
        Figure("  computing of the window's thread in it", sign_in_computing, "s"),
        Figure("Next case on the screen, median", statistics.median(waits), "ms", 300),
        Figure("Next case on the screen, worst", max(waits), "ms"),
        Figure("  computing of the window's thread in it, median", statistics.median(computing), "ms"),
        Figure(f"Memory gained over {steps} cases, last third less first", grown, "MB", 50),
    ]
    reading.viewer.close()
    reading.viewer.end()
    told = {"figures": [vars(figure) for figure in figures], "device": "no model", "conditions": {"image": image.name}}
    print(json.dumps(told))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), Path(sys.argv[4]))
