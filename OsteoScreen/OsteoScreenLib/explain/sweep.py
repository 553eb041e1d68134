"""One batched stream through the classifier for many covered variants of one radiograph.

Three statements hold and are tested. The same stream twice on one device gives the same numbers to the bit. A variant asked for
alone agrees with the same variant inside any stream within `BATCH_BOUND` in probability (on a processor to the bit), because
forward passes have fixed batch shapes. Half precision is checked against full precision, with the bound `PRECISION_BOUND` on each
probability, for every case by `Classifier.settle_precision`, on its radiograph untouched and with all bones covered, and not only
on the reference images of `Classifier.load`. Where the bound is missed, the whole case is computed in full precision. Those two are
in every Δ as what it is compared with; how far the variants themselves differ is measured by `osteoscreen bench explain`. The stream
does not ask: whoever starts the first one of a case does (`analyse.settle`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from OsteoScreenLib.classifier.classifier import Classifier
from OsteoScreenLib.explain.controls import Controls
from OsteoScreenLib.explain.covering import Coverer, Mode, Region, tight

BoneSet = frozenset[str]
Shown = Callable[["Trial", Region, np.ndarray], None]


@dataclass(frozen=True)
class Trial:
    """One variant that the classifier is to be shown.

    covered : the covered bones; the empty set is the untouched radiograph. mode : None for the coverer's own.
    draw : 0 for these bones themselves, i ≥ 1 for their i-th control (see `controls`).
    """

    covered: BoneSet
    mode: Mode | None = None
    draw: int = 0


@dataclass(frozen=True)
class Variant:
    """One covered variant: class probabilities float64 (3,) and the number of covered pixels."""

    probabilities: np.ndarray
    area_px: int


def sweep(
    coverer: Coverer,
    classifier: Classifier,
    trials: Iterable[Trial],
    done: Callable[[int, int], None] | None = None,
    shown: Shown | None = None,
    controls: Controls | None = None,
) -> dict[Trial, Variant]:
    """The classifier's answers to all trials; see `stream`. done : called with (finished, in all)."""
    wanted = list(dict.fromkeys(trials))
    answers: dict[Trial, Variant] = {}
    for finished, (trial, variant) in enumerate(stream(coverer, classifier, wanted, shown, controls), 1):
        if variant is not None:
            answers[trial] = variant
        if done is not None:
            done(finished, len(wanted))
    return answers


def stream(
    coverer: Coverer,
    classifier: Classifier,
    trials: Iterable[Trial],
    shown: Shown | None = None,
    controls: Controls | None = None,
) -> Iterator[tuple[Trial, Variant | None]]:
    """The classifier's answer to each trial as it comes, in order but for repeated pictures; stop taking to cancel.

    Each answer is that of a forward pass on the covered picture, or with the fill "tokens" on the untouched one without the
    patches that are mostly covered. Trials that cover the very same pixels share one pass. Pictures are made as the stream takes
    them, so only one full-size copy of the radiograph exists at a time.

    Parameters
    ----------
    shown : called for each forward pass with its trial, the region, and the picture that the classifier is given, float32
        (rows, columns); with the fill "tokens" the patches left out are black in it, and the region is theirs.
    controls : of the same coverer, needed by trials with a draw. A control for which there is no room has the answer None.
    Raises `InputError` for the fill "tokens" on a network without patches.
    """
    way: Any = _Patches(coverer, classifier) if coverer.fill == "tokens" else _Paint(coverer, classifier)
    answers: dict[bytes, np.ndarray] = {}
    order: list[bytes] = []  # of the forward passes
    waiting: list[tuple[Trial, bytes | None, int]] = []

    def pictures() -> Iterator[Any]:
        """What the classifier is to be shown for each trial that is not the same picture as an earlier one's."""
        seen: set[bytes] = set()
        for trial in dict.fromkeys(trials):
            region = _region(coverer, controls, trial)
            if region is None:
                waiting.append((trial, None, 0))
                continue
            key, picture = way.look(trial, region)
            waiting.append((trial, key, region.area))
            if key not in seen:
                seen.add(key)
                order.append(key)
                if shown is not None:
                    shown(trial, *way.visible(picture))
                yield picture

    def settled() -> Iterator[tuple[Trial, Variant | None]]:
        """The trials whose answer is known by now, in the order in which they were met."""
        met = waiting.copy()
        waiting[:] = [one for one in met if one[1] is not None and one[1] not in answers]
        for trial, key, area in met:
            if key is None or key in answers:
                yield trial, None if key is None else Variant(answers[key], area)

    for number, probabilities in enumerate(way.answers(pictures())):
        answers[order[number]] = probabilities
        yield from settled()
    yield from settled()


def _region(coverer: Coverer, controls: Controls | None, trial: Trial) -> Region | None:
    if not trial.draw:
        return coverer.region(trial.covered, trial.mode)
    if controls is None:
        raise ValueError("trials with a draw need controls")
    return controls.region(trial.covered, trial.mode or coverer.mode, trial.draw)


class _Paint:
    """Covered pixels are painted; a picture is its region."""

    def __init__(self, coverer: Coverer, classifier: Classifier) -> None:
        self._coverer, self._classifier = coverer, classifier
        self._last: tuple[Region, np.ndarray] | None = None

    def look(self, trial: Trial, region: Region) -> tuple[bytes, Region]:
        return region.key, region

    def visible(self, region: Region) -> tuple[Region, np.ndarray]:
        self._last = region, self._coverer.cover_region(region)
        return self._last

    def answers(self, regions: Iterable[Region]) -> Iterator[np.ndarray]:
        return self._classifier.predict_stream(map(self._painted, regions))

    def _painted(self, region: Region) -> np.ndarray:
        last, self._last = self._last, None
        return last[1] if last is not None and last[0] is region else self._coverer.cover_region(region)


class _Patches:
    """Patches that are mostly covered are left out; a picture is the choice of patches."""

    def __init__(self, coverer: Coverer, classifier: Classifier) -> None:
        self._coverer, self._classifier, self._grid = coverer, classifier, classifier.patches
        self._shape = (coverer.pixels.shape[0], coverer.pixels.shape[1])

    def look(self, trial: Trial, region: Region) -> tuple[bytes, np.ndarray]:
        like = None
        if trial.draw:  # as many patches as the bones leave out, so that it is their place alone that differs
            own = self._coverer.region(trial.covered, trial.mode)
            like = int(self._grid.dropped(own.full(self._shape)).sum())
        dropped = self._grid.dropped(region.full(self._shape), like)
        return np.packbits(dropped).tobytes(), dropped

    def visible(self, dropped: np.ndarray) -> tuple[Region, np.ndarray]:
        region = tight(self._grid.on_radiograph(dropped, self._shape))
        return region, self._coverer.cover_region(region)

    def answers(self, choices: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
        return self._classifier.predict_without(self._coverer.pixels, choices)
