"""The pictures that are kept: the latest ones, within their bound, whichever model they were shown to."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from workbench.cases import case

from OsteoScreenLib.workbench.answers import Patch
from OsteoScreenLib.workbench.patches import Patches


def patch(size: int) -> Patch:
    return Patch((0, size, 0, size), np.zeros((size, size), np.float32))


def test_those_not_used_for_the_longest_time_make_room() -> None:
    made = case()
    first, second, third = (made.question(frozenset({bone})) for bone in ("T7", "left rib 5", "right rib 5"))
    patches = Patches(limit=2 * 400)
    patches.put(first, patch(10))
    patches.put(second, patch(10))
    assert patches.get(first) is not None  # used again
    patches.put(third, patch(10))
    assert patches.get(second) is None and patches.get(first) is not None and patches.get(third) is not None
    patches.put(third, patch(10))  # the same again takes no more room
    assert patches.get(first) is not None
    patches.put(first, patch(100))
    assert patches.get(first) is None and patches.get(third) is not None  # larger than all the room


def test_the_model_makes_no_difference_and_everything_else_does() -> None:
    question = case().question(frozenset({"T7"}))
    patches = Patches()
    patches.put(question, patch(3))
    assert patches.get(replace(question, model_sha256="other", computed_on="cuda bf16")) is not None
    assert patches.get(replace(question, seed=5)) is not None  # only noise has a seed
    changes = [{"image_sha256": "x"}, {"masks_sha256": "x"}, {"mode": "add-back"}, {"fill": "blur"}, {"margin_px": 1.0}]
    for change in [*changes, {"covered": frozenset({"left rib 5"})}]:
        assert patches.get(replace(question, **change)) is None, change  # type: ignore[arg-type]
