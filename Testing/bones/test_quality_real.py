"""On real radiographs the marks follow what a person sees: few on a clean chest, many where a lung is destroyed or the film upside down."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")

from OsteoScreenLib.bones.embedded import EmbeddedSegmenter
from OsteoScreenLib.bones.masks import BoneMasks
from OsteoScreenLib.bones.quality import assess, notes_on
from OsteoScreenLib.bundle import embedded_bundle
from OsteoScreenLib.files import resource_folder
from OsteoScreenLib.radiograph.read import read_radiograph

CLEAN, DESTROYED = "chest_nih_00027426.png", "chest_dx_pa_12bit_j2k.dcm"


@pytest.fixture(scope="module")
def segmenter() -> EmbeddedSegmenter:
    if not resource_folder("Models", "chest-segmenter", "manifest.json").is_file():
        pytest.skip("the embedded segmenter bundle is not in this checkout")
    return EmbeddedSegmenter.from_bundle(embedded_bundle("chest-segmenter", "segmenter"))


def implausible(masks: BoneMasks) -> set[str]:
    return {name for name, one in assess(masks).items() if one.implausible}


def test_a_clean_chest_has_few_marks_and_a_destroyed_lung_many(segmenter: EmbeddedSegmenter, shared_data: Path) -> None:
    clean = segmenter.segment(read_radiograph(shared_data / "radiographs" / CLEAN))
    destroyed = segmenter.segment(read_radiograph(shared_data / "radiographs" / DESTROYED))
    assert len(implausible(clean)) <= 6
    assert len(implausible(destroyed)) >= 2 * len(implausible(clean)) + 4
    assert notes_on(assess(destroyed))
    sure = [np.median(list(masks.facts.confidence.values())) for masks in (clean, destroyed)]
    assert sure[0] > sure[1]


def test_a_film_upside_down_is_not_drawn_in_silence(segmenter: EmbeddedSegmenter, shared_data: Path) -> None:
    upright = read_radiograph(shared_data / "radiographs" / CLEAN)
    masks = segmenter.segment(upright.turned(quarter_turns=2))
    assert notes_on(assess(masks))


@pytest.mark.parametrize("right", ["right clavicle", "right rib 5", "right rib 8"])
def test_real_masks_that_changed_sides_are_marked(segmenter: EmbeddedSegmenter, shared_data: Path, right: str) -> None:
    drawn = segmenter.segment(read_radiograph(shared_data / "radiographs" / CLEAN))
    masks = {name: drawn.mask(name) for name in drawn.names}
    left = right.replace("right", "left")
    before = implausible(drawn)
    masks[right], masks[left] = masks[left], masks[right]
    after = implausible(BoneMasks.pack(masks, drawn.shape).with_facts(trust=drawn.facts.trust))
    # A rib that was drawn a little low takes a neighbour of its new side along, but no more.
    assert {right, left} <= after and len(after - before - {right, left}) <= 1
