"""One batched stream through the classifier for many covered variants of one radiograph."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from OsteoScreenLib.classifier.classifier import Classifier
from OsteoScreenLib.explain.covering import Coverer, Region

BoneSet = frozenset[str]


@dataclass(frozen=True)
class Variant:
    """One covered variant: class probabilities float64 (3,) and the number of covered pixels."""

    probabilities: np.ndarray
    area_px: int


def sweep(
    coverer: Coverer,
    classifier: Classifier,
    covered: Iterable[BoneSet],
    done: Callable[[int, int], None] | None = None,
    shown: Callable[[BoneSet, Region, np.ndarray], None] | None = None,
) -> dict[BoneSet, Variant]:
    """The classifier's answer for each set of covered bones; a set asked for twice is computed once.

    Each answer is that of a forward pass on `coverer.cover(bones)`. Variants are made as the stream takes them, so only one
    full-size copy of the radiograph exists at a time.

    Parameters
    ----------
    covered : sets of bone names; the empty set is the untouched radiograph. done : called with (finished, in all).
    shown : called with each set, its region and the pixels that the classifier is given, float32 (rows, columns).
    """
    wanted = list(dict.fromkeys(covered))
    areas: dict[BoneSet, int] = {}

    def images() -> Iterable[np.ndarray]:
        for bones in wanted:
            region = coverer.region(bones)
            areas[bones] = region.area
            painted = coverer.cover_region(region)
            if shown is not None:
                shown(bones, region, painted)
            yield painted

    answers: dict[BoneSet, Variant] = {}
    for bones, probabilities in zip(wanted, classifier.predict_stream(images()), strict=True):
        answers[bones] = Variant(probabilities, areas[bones])
        if done is not None:
            done(len(answers), len(wanted))
    return answers
