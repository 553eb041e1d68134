"""Constructed models for tests of the sweep, and small chests for them to read: quick, and known to the last pixel."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np

from OsteoScreenLib.bones.masks import BoneMasks
from OsteoScreenLib.classifier.tokens import PatchGrid

SHAPE = (120, 100)
SPINE = ("T5", "T6", "T7")
RIGHT = ("right rib 4", "right rib 5", "right rib 6")
LEFT = ("left rib 4", "left rib 5", "left rib 6")
REST = ("right clavicle", "left clavicle", "sternum")


class Reader:
    """Stands in for a classifier: P(osteoporosis) is the logistic function of a score of the picture.

    score : picture float32 (rows, columns) → number. passes : how many pictures it was shown.
    """

    def __init__(self, score: Callable[[np.ndarray], float]) -> None:
        self.score = score
        self.device, self.precision = SimpleNamespace(type="cpu"), "fp32"
        self.passes = 0

    @property
    def patches(self) -> PatchGrid:
        raise AssertionError("this reader is shown painted pictures")

    def predict_stream(self, images: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
        for image in images:
            self.passes += 1
            share = 1 / (1 + np.exp(-self.score(image)))
            yield np.array([(1 - share) / 2, (1 - share) / 2, share])


def as_classifier(reader: Reader) -> Any:
    """The reader where a classifier is wanted."""
    return reader


def reads(weights: np.ndarray, gain: float = 1.0) -> Reader:
    """A reader of a weighted sum of the pixels."""
    return Reader(lambda picture: gain * float((weights * picture).sum(dtype=np.float64)))


def small_chest(seed: int) -> BoneMasks:
    """Twelve tilted bones of five groups at places that vary with the seed; neighbours of one column do not overlap."""
    random = np.random.default_rng(seed)
    row, column = np.mgrid[: SHAPE[0], : SHAPE[1]]
    masks = {}

    def bar(name: str, at: tuple[float, float], half: tuple[float, float], tilt: float) -> None:
        y, x = row - at[0] - random.uniform(-2, 2), column - at[1] - random.uniform(-3, 3)
        along, across = x * np.cos(tilt) + y * np.sin(tilt), y * np.cos(tilt) - x * np.sin(tilt)
        masks[name] = (abs(along) <= half[1]) & (abs(across) <= half[0])

    for index, name in enumerate(SPINE):
        bar(name, (38 + 18 * index, 50), (5, 6), 0.0)
    for index, (right, left) in enumerate(zip(RIGHT, LEFT, strict=True)):
        bar(right, (40 + 18 * index, 24), (2.5, 12), random.uniform(-0.2, 0.4))
        bar(left, (40 + 18 * index, 76), (2.5, 12), random.uniform(-0.4, 0.2))
    bar("right clavicle", (16, 30), (2.5, 12), -0.2)
    bar("left clavicle", (16, 70), (2.5, 12), 0.2)
    bar("sternum", (100, 50), (4, 5), 0.0)
    return BoneMasks.pack(masks, SHAPE, method="drawn for a test")


def grainy(seed: int, masks: BoneMasks | None = None) -> np.ndarray:
    """Grey noise of the size of a small chest, float32; where masks are given, with brighter bones."""
    pixels = np.random.default_rng(seed).uniform(0.2, 0.5, SHAPE).astype(np.float32)
    if masks is not None:
        pixels[masks.union(masks.names)] += np.float32(0.4)
    return pixels
