"""One radiograph's explanation computed twice, by a plain script and by the engine, taking turns after every variant."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Literal, TypeVar

import numpy as np

from OsteoScreenLib.bones.masks import BoneMasks
from OsteoScreenLib.classifier.classifier import Classifier
from OsteoScreenLib.classifier.prediction import target_probability
from OsteoScreenLib.explain.bone_sweep import BoneSweep, SweepRequest
from OsteoScreenLib.explain.covering import Coverer
from OsteoScreenLib.explain.saliency_map import saliency_map
from OsteoScreenLib.explain.sweep import Trial, stream
from OsteoScreenLib.study.matrix_rate import matrix_rate, operations
from OsteoScreenLib.study.plain_script import PlainScript

TARGET = "osteoporosis"
Result = TypeVar("Result")
# What became of half precision on this radiograph; "not asked" where full precision was loaded.
Settled = Literal["kept", "given up", "not asked"]


@dataclass
class Clock:
    """Seconds of one side: wall-clock time, and time of all processors together, of each of its parts.

    settling : choosing the precision for this radiograph, which only the engine does. heatmap, variants : of each variant.
    """

    settling: tuple[float, float] = (0.0, 0.0)
    heatmap: tuple[float, float] = (0.0, 0.0)
    variants: list[tuple[float, float]] = field(default_factory=list)

    @property
    def seconds(self) -> float:
        """Wall-clock time in all."""
        return self.settling[0] + self.heatmap[0] + sum(one[0] for one in self.variants)

    @property
    def processor_seconds(self) -> float:
        """Processor time in all."""
        return self.settling[1] + self.heatmap[1] + sum(one[1] for one in self.variants)


@dataclass(frozen=True)
class Race:
    """What both sides gave and took.

    trials : the variants, each a different choice of bones. plain, engine : probabilities float64 (variants, 3).
    plain_effects, engine_effects : percentage points, of every row of the sweep table, in one order.
    passes : forward passes that the engine ran for the variants. rates : operations a second by number format.
    operations : of one forward pass. settled : see `Settled`; `precision` is the engine's after it.
    """

    trials: tuple[Trial, ...]
    plain: np.ndarray
    engine: np.ndarray
    plain_effects: np.ndarray
    engine_effects: np.ndarray
    plain_clock: Clock
    engine_clock: Clock
    passes: int
    operations: int
    rates: dict[str, float]
    precision: str
    settled: Settled


def race(
    classifier: Classifier, pixels: np.ndarray, masks: BoneMasks, progress: Callable[[int, int], None] | None = None
) -> Race:
    """Explain one radiograph both ways: a heatmap, then the untouched radiograph, all bones, each group and each bone, both modes.

    Each side does one forward pass before anything is measured. The engine first settles its precision as `analyse` does, which counts
    as its time. Then the sides take turns: the heatmaps first, and one variant after the other, so that whatever else the machine
    does slows both. pixels : float32 (rows, columns) in [0, 1].
    progress : called with (done, in all).
    """
    request = SweepRequest(TARGET, controls=0)
    coverer = Coverer(pixels, masks)
    sweep = BoneSweep(pixels, masks, classifier, request, coverer)
    trials = tuple(dict.fromkeys(sweep.trials()))
    plain = PlainScript(classifier.model, pixels, masks, classifier.device)
    rates = matrix_rate(classifier.device)
    done_at_once = operations(plain.network, classifier.preprocess(pixels[None]).to(classifier.device))
    plain.probabilities((), "remove")
    next(classifier.predict_stream([pixels[::-1]]))  # another picture, so that nothing of this one is remembered

    clocks = Clock(), Clock()
    loaded = classifier.precision
    every = frozenset(masks.names)
    _, clocks[1].settling = _timed(lambda: classifier.settle_precision([pixels, coverer.cover(every)]))
    _, clocks[0].heatmap = _timed(plain.heatmap)
    _, clocks[1].heatmap = _timed(lambda: saliency_map(classifier, pixels, TARGET))
    passes: list[int] = []
    counting = classifier.network.register_forward_hook(lambda _module, given, _output: passes.append(len(given[0])))
    answers: dict[Trial, tuple[np.ndarray, np.ndarray]] = {}
    try:
        engine = stream(coverer, classifier, trials)
        while True:
            answer, taken = _timed(partial(next, engine, None))
            if answer is None:
                break
            trial, variant = answer
            assert variant is not None  # only a control can have none
            clocks[1].variants.append(taken)
            probabilities, taken = _timed(partial(plain.probabilities, trial.covered, trial.mode or "remove"))
            clocks[0].variants.append(taken)
            answers[trial] = probabilities, variant.probabilities
            if progress is not None:
                progress(len(answers), len(trials))
    finally:
        counting.remove()
    again = matrix_rate(classifier.device)  # the better of both: other programs may have been in the way
    given, found = (np.stack([answers[trial][side] for trial in trials]) for side in (0, 1))
    return Race(
        trials=trials,
        plain=given,
        engine=found,
        plain_effects=_effects(trials, given, every),
        engine_effects=_effects(trials, found, every),
        plain_clock=clocks[0],
        engine_clock=clocks[1],
        passes=len(passes),
        operations=done_at_once,
        rates={precision: max(rate, again[precision]) for precision, rate in rates.items()},
        precision=classifier.precision,
        settled="not asked" if loaded == "fp32" else "kept" if classifier.precision == loaded else "given up",
    )


def _effects(trials: tuple[Trial, ...], probabilities: np.ndarray, every: frozenset[str]) -> np.ndarray:
    """Percentage points that bones are worth, (variants without the two references,)."""
    share = dict(zip(trials, map(float, target_probability(probabilities, TARGET)), strict=True))
    whole, none = Trial(frozenset(), "remove"), Trial(every, "remove")
    return np.array(
        [
            100 * (share[whole] - share[trial] if trial.mode == "remove" else share[trial] - share[none])
            for trial in trials
            if trial != whole
        ]
    )


def _timed(work: Callable[[], Result]) -> tuple[Result, tuple[float, float]]:
    wall, processor = time.perf_counter(), time.process_time()
    result = work()
    return result, (time.perf_counter() - wall, time.process_time() - processor)
