"""Masks and a radiograph for the tests of the annotation check."""

from __future__ import annotations

import numpy as np

from OsteoScreenLib.bones.masks import BoneMasks
from OsteoScreenLib.radiograph.radiograph import Placement, Radiograph

SHAPE = (90, 70)


def own_masks() -> BoneMasks:
    """What a model drew: the vertebra and the sternum overlap."""
    masks = {name: np.zeros(SHAPE, bool) for name in ("T7", "right rib 5", "sternum")}
    masks["T7"][30:40, 30:45] = True
    masks["right rib 5"][50:56, 5:30] = True
    masks["sternum"][20:80, 33:38] = True
    return BoneMasks.pack(masks, SHAPE, method="drawn for a test").with_facts(confidence={"T7": 0.9, "right rib 5": 0.5})


def with_bone(masks: BoneMasks, name: str, row: int, row_after: int, column: int, column_after: int) -> BoneMasks:
    """The same masks, with this bone a box."""
    every = {other: masks.mask(other) for other in masks.names}
    every[name] = np.zeros(masks.shape, bool)
    every[name][row:row_after, column:column_after] = True
    return BoneMasks.pack(every, masks.shape, masks.site, masks.method)


def a_radiograph(spacing_mm: tuple[float, float] | None = (0.5, 0.4), **placement: int) -> Radiograph:
    """Greys of the masks' size."""
    pixels = np.random.default_rng(3).random(SHAPE).astype(np.float32)
    return Radiograph(pixels, spacing_mm, placement=Placement(**placement))
