"""Painting and erasing: what the brush covers, what it leaves alone, and that every step can be taken back."""

from __future__ import annotations

import numpy as np
import pytest

from OsteoScreenLib.bones.masks import BoneMasks, MaskFacts
from OsteoScreenLib.bones.strokes import Strokes

SHAPE = (60, 80)


def two_bones() -> BoneMasks:
    masks = {name: np.zeros(SHAPE, bool) for name in ("T7", "sternum")}
    masks["T7"][20:40, 20:40] = True
    masks["sternum"][25:55, 30:36] = True  # they overlap
    return BoneMasks.pack(masks, SHAPE, method="drawn").with_facts(confidence={"T7": 0.9, "sternum": 0.8})


def disc(row: float, column: float, radii: tuple[float, float]) -> np.ndarray:
    rows, columns = np.indices(SHAPE)
    return ((rows - row) / radii[0]) ** 2 + ((columns - column) / radii[1]) ** 2 <= 1


@pytest.mark.parametrize("radii", [(5.0, 5.0), (3.0, 6.0), (0.5, 0.5)])
def test_one_touch_covers_every_pixel_whose_centre_is_under_the_brush(radii: tuple[float, float]) -> None:
    strokes = Strokes(two_bones())
    box = strokes.begin("L1", 10.0, 60.0, radii)
    strokes.end()
    wanted = disc(10.0, 60.0, radii)
    assert np.array_equal(strokes.mask("L1"), wanted)
    rows, columns = np.nonzero(wanted)
    assert box == (rows.min(), rows.max() + 1, columns.min(), columns.max() + 1)


def test_a_quick_move_leaves_no_gaps() -> None:
    strokes = Strokes(two_bones())
    strokes.begin("L1", 5.0, 5.0, (3.0, 3.0))
    strokes.move(50.0, 70.0)
    strokes.end()
    drawn = np.zeros(SHAPE, bool)
    for share in np.linspace(0, 1, 2000):
        drawn |= disc(5 + 45 * share, 5 + 65 * share, (3.0, 3.0))
    assert np.array_equal(strokes.mask("L1"), drawn)


def test_painting_over_another_bone_changes_only_the_one_under_the_brush() -> None:
    before = two_bones()
    strokes = Strokes(before)
    strokes.begin("T7", 50.0, 33.0, (4.0, 4.0))
    strokes.end()
    after = strokes.masks()
    assert np.array_equal(after.mask("sternum"), before.mask("sternum"))
    assert np.array_equal(after.mask("T7"), before.mask("T7") | disc(50, 33, (4, 4)))
    assert strokes.changed() == ("T7",)
    assert after.facts.edited == {"T7"}
    assert after.facts.confidence == {"sternum": 0.8}, "an estimate about other pixels does not hold any more"


def test_erasing_a_whole_bone_takes_it_out_of_the_table() -> None:
    strokes = Strokes(two_bones())
    strokes.begin("sternum", 40.0, 33.0, (40.0, 40.0), erase=True)
    strokes.end()
    masks = strokes.masks()
    assert masks.names == ("T7",)
    assert masks.facts.left_out == {"sternum": "removed"}


def test_every_step_can_be_taken_back_and_done_again() -> None:
    before = two_bones()
    strokes = Strokes(before)
    states = [before.sha256]
    for bone, erase in (("T7", False), ("T7", True), ("sternum", False), ("right rib 2", False)):
        strokes.begin(bone, 30.0, 40.0, (6.0, 6.0), erase)
        strokes.move(34.0, 46.0)
        strokes.end()
        states.append(strokes.masks().sha256)
    strokes.replace("T7", before.mask("T7"))
    states.append(strokes.masks().sha256)
    assert len(set(states)) == len(states)
    for wanted in reversed(states[:-1]):
        assert strokes.undo() is not None
        assert strokes.masks().sha256 == wanted
    assert strokes.undo() is None and not strokes.can_undo and strokes.changed() == ()
    for wanted in states[1:]:
        assert strokes.redo() is not None
        assert strokes.masks().sha256 == wanted
    assert strokes.redo() is None
    strokes.undo()
    strokes.begin("T7", 5.0, 5.0, (2.0, 2.0))
    strokes.end()
    assert not strokes.can_redo, "what was taken back is gone after a new stroke"


def test_strokes_that_change_nothing_are_no_steps() -> None:
    strokes = Strokes(two_bones())
    assert strokes.begin("T7", 30.0, 30.0, (3.0, 3.0)) is None, "it is painted already"
    strokes.end()
    assert strokes.begin("T7", 5.0, 5.0, (3.0, 3.0), erase=True) is None
    assert strokes.move(-50.0, -50.0) is None
    strokes.end()
    assert strokes.begin("T7", 500.0, 500.0, (3.0, 3.0)) is None, "outside of the image"
    strokes.end()
    assert strokes.replace("T7", two_bones().mask("T7")) is None
    assert not strokes.can_undo and strokes.masks().facts == MaskFacts(confidence={"T7": 0.9, "sternum": 0.8})
    assert strokes.move(30.0, 30.0) is None, "the brush is not down"


def test_the_masks_it_began_with_are_never_written_to() -> None:
    before = two_bones()
    layers = before.layers.copy()
    strokes = Strokes(before)
    strokes.begin("T7", 45.0, 33.0, (9.0, 9.0))
    strokes.end()
    assert np.array_equal(before.layers, layers)
