"""How much two sets of masks agree, bone by bone."""

from __future__ import annotations

import numpy as np

from OsteoScreenLib.bones.masks import BoneMasks, bounding_box
from OsteoScreenLib.errors import InputError


def dice(one: BoneMasks, other: BoneMasks) -> dict[str, float]:
    """Dice's coefficient (Dice, Ecology 26, 1945: twice the overlap over the sum of both areas) of every bone that either has.

    A bone that only one of them has counts 0. In the vocabulary's order. Raises `InputError` when they lie on different images.
    """
    if one.shape != other.shape or one.site.name != other.site.name:
        raise InputError(
            f"Masks of {one.site.name} {one.shape} and of {other.site.name} {other.shape} cannot be compared: "
            "choose masks of the same radiograph.",
            code="masks-elsewhere",
        )
    here, there = one.digests, other.digests
    agreement: dict[str, float] = {}
    for name in one.site.by_name:
        if name in here and name in there:
            agreement[name] = 1.0 if here[name] == there[name] else _dice(one.mask(name), other.mask(name))
        elif name in here or name in there:
            agreement[name] = 0.0
    return agreement


def _dice(one: np.ndarray, other: np.ndarray) -> float:
    box = bounding_box(one | other)
    one, other = one[box], other[box]
    return float(2 * np.count_nonzero(one & other) / (np.count_nonzero(one) + np.count_nonzero(other)))
