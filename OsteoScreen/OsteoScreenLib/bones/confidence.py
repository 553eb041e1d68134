"""How sure a network is of a mask: the Dice that its probabilities expect, and what became of that where the truth is known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

_NOTHING = 0.05  # probabilities below this are the network's background, not doubt


def expected_dice(logits: np.ndarray, kept: np.ndarray) -> float:
    """Dice that the probabilities themselves expect of a mask: twice the expected overlap over the expected sum of areas, 0 to 1.

    logits, kept : one structure (rows, columns), as the network gave them and as the mask keeps them (above zero inside).
    Blurred edges, doubtful parts and dropped pieces lower it. It trusts the probabilities, so it needs `Calibration`.
    """
    probability = 1 / (1 + np.exp(-logits))
    inside = kept > 0
    whole = float(probability[probability > _NOTHING].sum())
    overlap = float(probability[inside].sum())
    return 2 * overlap / max(float(inside.sum()) + whole, 1e-9)


@dataclass(frozen=True)
class Calibration:
    """From expected to measured Dice, linear between points: held-out simulated chests, where the true masks are known.

    expected, measured : rising, 0 to 1. Without points the expectation itself is the answer.
    """

    expected: tuple[float, ...] = ()
    measured: tuple[float, ...] = ()

    def __call__(self, value: float) -> float:
        """The confidence."""
        answer = float(np.interp(value, self.expected, self.measured)) if self.expected else value
        return round(min(max(answer, 0.0), 1.0), 4)

    @classmethod
    def of(cls, values: Mapping[str, Sequence[float]] | None) -> Calibration:
        """As a manifest holds it, {"from": […], "to": […]}. Raises `ValueError` when the points do not rise."""
        if not values:
            return cls()
        made = cls(tuple(map(float, values["from"])), tuple(map(float, values["to"])))
        pairs = (made.expected, made.measured)
        if len(made.expected) != len(made.measured) or any(list(points) != sorted(points) for points in pairs):
            raise ValueError("a calibration needs as many rising points on both sides")
        return made
