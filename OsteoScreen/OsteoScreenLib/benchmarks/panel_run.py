"""Runs in the fresh process of `bench panel`: drives a viewer as a reader would and prints its figures as one line of JSON.

A timer that should ring every 10 ms shows how long the window's thread was ever occupied: the longest gap between two rings.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from itertools import combinations
from pathlib import Path

from OsteoScreenLib.benchmarks.panel import Figure
from OsteoScreenLib.hosts.desktop.viewer import Viewer
from OsteoScreenLib.ui import qt_api
from OsteoScreenLib.worker.machine import peak_memory_bytes

BEAT_MS = 10
PATIENCE_SECONDS = 240.0
BETWEEN_SECONDS = 0.1  # the reader's hand between two switches
SWITCHES = 12  # of each kind; the worst of them is told too


class Heart:
    """The timer in the window's thread. longest : seconds between two rings since `reset`.

    busiest : seconds that the thread itself computed between two rings; a busy computer stretches the gaps, but not this.
    """

    def __init__(self, parent: object) -> None:
        self.longest = self.busiest = 0.0
        self._last, self._computed = time.perf_counter(), time.thread_time()
        self._timer = qt_api.QtCore.QTimer(parent)
        self._timer.setTimerType(qt_api.Qt.TimerType.PreciseTimer)
        self._timer.timeout.connect(self._beat)
        self._timer.start(BEAT_MS)

    def _beat(self) -> None:
        now, computed = time.perf_counter(), time.thread_time()
        self.longest, self._last = max(self.longest, now - self._last), now
        self.busiest, self._computed = max(self.busiest, computed - self._computed), computed

    def reset(self) -> None:
        """Forget what was."""
        self.longest, self._last = 0.0, time.perf_counter()
        self.busiest, self._computed = 0.0, time.thread_time()


class Run:
    """One viewer and the clock beside it."""

    def __init__(self, image: Path, settings: Path, began: float) -> None:
        self.failure = ""
        self.viewer = Viewer(lambda text: print(text, file=sys.stderr), settings_file=settings, image=image)
        self.viewer.desk.failed.connect(self._note_failure)  # the image is being opened already
        self.window, self.presenter = self.viewer.window, self.viewer.presenter
        self.window.resize(1280, 800)
        self.window.show()
        self.until(lambda: self.window.slice_widget.frames > 0, "the first frame")
        self.up_seconds = time.time() - began  # a process's own start time is off by most of a second on some systems
        self.heart = Heart(self.window)

    def _note_failure(self, sentence: str, details: str) -> None:
        self.failure = sentence

    def until(self, condition: Callable[[], bool], what: str) -> float:
        """Let the window live until the condition holds; the seconds that took."""
        began = time.perf_counter()
        loop = qt_api.QtCore.QEventLoop()
        timer = qt_api.QtCore.QTimer()
        timer.setTimerType(qt_api.Qt.TimerType.PreciseTimer)

        def look() -> None:
            if condition() or time.perf_counter() - began > PATIENCE_SECONDS or self.failure:
                loop.quit()

        timer.timeout.connect(look)
        timer.start(1)
        if not condition():
            loop.exec()
        timer.stop()
        if not condition():
            raise SystemExit(f"no sign of {what}: {self.failure or 'it took too long'}")
        return time.perf_counter() - began

    def rest(self, seconds: float) -> None:
        """Let the window live for a while."""
        end = time.perf_counter() + seconds
        self.until(lambda: time.perf_counter() >= end, "the end of a rest")

    def numbers_are_there(self) -> bool:
        """The number of what is covered now is shown."""
        numbers = self.presenter.numbers
        return numbers is not None and numbers.state == "current" and numbers.delta_points is not None

    def switch(self, bones: tuple[str, ...], covered: bool) -> float:
        """Cover or show bones; seconds until the number is there."""
        began = time.perf_counter()
        self.presenter.set_covered(bones, covered)
        self.until(self.numbers_are_there, f"the number without {', '.join(bones)}")
        return time.perf_counter() - began

    def outline(self, bone: str, hidden: bool) -> float:
        """Switch an outline; seconds until the frame that shows it is on the screen."""
        frames, began = self.window.slice_widget.frames, time.perf_counter()
        self.presenter.set_hidden((bone,), hidden)
        self.until(lambda: self.window.slice_widget.frames > frames, "a frame")
        seconds = time.perf_counter() - began
        self.rest(BETWEEN_SECONDS)
        return seconds

    def sight(self, bones: tuple[str, ...], covered: bool) -> float:
        """Cover or show bones whose number is known; seconds until the frame with what the model sees is on the screen."""
        if covered:
            self.presenter.all_shown()  # and all else as it was, so that the picture is known too
            self.rest(BETWEEN_SECONDS)
        frames, began = self.window.slice_widget.frames, time.perf_counter()
        self.presenter.set_covered(bones, covered)
        self.until(lambda: self.window.slice_widget.frames > frames, "a frame")
        seconds = time.perf_counter() - began
        self.rest(BETWEEN_SECONDS)
        return seconds

    def measure(self) -> tuple[list[Figure], str]:
        """All figures, and the device."""
        presenter, heart = self.presenter, self.heart
        self.until(lambda: presenter.reading is not None, "the radiograph")
        heart.reset()
        presenter.analyse()
        analyse_seconds = self.until(lambda: presenter.result is not None and not presenter.busy, "the answer")
        first_row = self.until(lambda: any(cell.state == "current" for cell in presenter.effects.values()), "the first row")
        whole_table = first_row + self.until(lambda: not self.viewer.desk.sweeping, "the end of the sweep")
        first_gap, first_busy = heart.longest, heart.busiest
        result = presenter.result
        assert result is not None
        heart.reset()

        bones = [bone for bone, area in sorted(presenter.bone_areas.items()) if area]
        pairs = list(combinations(bones, 2))[:: max(1, len(bones) // 2)]
        presenter.set_margin(1.0)  # everything is asked anew
        early = [self.fresh(pair) for pair in pairs[:SWITCHES]]  # while the table of all bones is still being filled
        self.until(lambda: not self.viewer.desk.sweeping, "the end of the sweep")
        beside, alone = [], []  # by turns, so that both have the same from whatever else the computer does
        for first, second in zip(pairs[SWITCHES : 2 * SWITCHES], pairs[2 * SWITCHES : 3 * SWITCHES], strict=True):
            presenter.set_controls(True)
            beside.append(self.fresh(first))
            if not self.viewer.desk.controls_open:
                raise SystemExit("the controls ended before a switch beside them could be measured")
            presenter.set_controls(False)
            alone.append(self.fresh(second))
        presenter.set_controls(True)
        cached = [self.fresh(pair) for pair in pairs[: 2 * SWITCHES]]
        sights = [self.sight(pair, covered) for pair in pairs[:SWITCHES] for covered in (True, False)]
        presenter.reset()
        self.rest(0.3)
        toggles = presenter.toggles
        outlined = [bone for bone in bones if toggles is not None and bone not in toggles.hidden]  # some start hidden
        frames = [self.outline(bone, hidden) for bone in outlined[:SWITCHES] for hidden in (True, False)]
        switching_gap, switching_busy = heart.longest, heart.busiest

        presenter.analyse()
        self.rest(0.3)
        if not presenter.busy:
            raise SystemExit("the second analysis ended before it could be cancelled")
        began = time.perf_counter()
        presenter.cancel()
        self.until(lambda: not presenter.busy, "the end of the cancelled analysis")
        cancel_seconds = time.perf_counter() - began
        if presenter.result is not result:
            raise SystemExit("cancelling lost the last answer")
        figures = [
            Figure("Window up", self.up_seconds, "s", 4),
            Figure("First Analyse, for the record", analyse_seconds, "s"),
            Figure("Longest gap of a 10 ms heartbeat, first Analyse", 1000 * first_gap, "ms", 100),
            Figure("  longest computing of the window's thread in one go", 1000 * first_busy, "ms"),
            Figure("First row of the table, after the answer", first_row, "s", 0.5),
            Figure("Whole table in both modes, after the answer", whole_table, "s", 4),
            Figure("Longest gap of a 10 ms heartbeat, switching", 1000 * switching_gap, "ms", 100),
            Figure("  longest computing of the window's thread in one go", 1000 * switching_busy, "ms"),
            Figure("Cancel, last answer back", cancel_seconds, "s", 1),
            *_pair("Switch to new number while the table fills", early, 200),
            *_pair("Switch to new number while controls run", beside, 200),
            *_pair("Switch to new number, nothing else running", alone, 200),
            *_pair("Switch to known number while controls run", cached, 20),
            *_pair("Covered or shown bones to frame", sights, 60),
            *_pair("Outline to frame", frames, 60),
            Figure("Largest memory of the window's process", peak_memory_bytes() / 2**20, "MB", 1024),
        ]
        return figures, f"{result.device} ({result.precision}), model {result.model.id}"

    def fresh(self, pair: tuple[str, ...]) -> float:
        """Seconds until the number without these two bones alone is there."""
        self.presenter.all_shown()
        self.rest(BETWEEN_SECONDS)
        return self.switch(pair, True)


def _pair(title: str, seconds: list[float], aim_ms: float) -> list[Figure]:
    return [
        Figure(f"{title}, median of {len(seconds)}", 1000 * statistics.median(seconds), "ms", aim_ms),
        Figure(f"{title}, worst", 1000 * max(seconds), "ms", aim_ms),
    ]


def main(image: Path, began: float) -> None:
    """Measure and print. began : when this process was started, in seconds since the epoch."""
    with tempfile.TemporaryDirectory(prefix="osteoscreen-", ignore_cleanup_errors=True) as folder:
        run = Run(image, Path(folder) / "viewer.ini", began)
        try:
            figures, device = run.measure()
        finally:
            run.window.close()
            run.viewer.end()
    load = f"{os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else "unknown"
    conditions = {"image": image.name, "processors": str(os.cpu_count()), "load": load}
    print(json.dumps({"figures": [vars(figure) for figure in figures], "device": device, "conditions": conditions}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), float(sys.argv[2]))
