"""Knees as masks: overlap in layers, files by name and by code, quality without a spine, and the embedded segmenter's site."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import slicerio
import torch
from builders import make_knee_masks, make_radiograph
from torch import nn

from OsteoScreenLib.bones.embedded import EmbeddedSegmenter
from OsteoScreenLib.bones.masks import BoneMasks
from OsteoScreenLib.bones.quality import assess
from OsteoScreenLib.bones.segnrrd import read_seg_nrrd, write_seg_nrrd
from OsteoScreenLib.bones.trust import trust_levels
from OsteoScreenLib.bones.vocabulary import KNEE
from OsteoScreenLib.errors import InputError

SHAPE = (240, 200)


def test_the_patella_lies_over_the_femur_in_a_layer_of_its_own() -> None:
    masks = make_knee_masks(SHAPE)
    patella, femur = masks.mask("right patella"), masks.mask("right femur")
    assert patella.any() and not (patella & ~femur).any()
    assert masks.table["right patella"][0] != masks.table["right femur"][0]
    assert masks.union(["right femur", "right patella"]).sum() == femur.sum()


def test_masks_drawn_by_hand_come_in_by_name_or_by_code(tmp_path: Path) -> None:
    radiograph, masks = make_radiograph(SHAPE), make_knee_masks(SHAPE)
    path = write_seg_nrrd(tmp_path / "knee.seg.nrrd", masks, radiograph)
    assert read_seg_nrrd(path, radiograph, KNEE).sha256 == masks.sha256
    with pytest.raises(InputError, match="holds no bone of chest-frontal"):
        read_seg_nrrd(path, radiograph)
    segmentation = slicerio.read_segmentation(str(path))
    for segment in segmentation["segments"]:
        segment["name"] = "Segment_" + segment["id"][-3:]
    slicerio.write_segmentation(str(path), segmentation)
    assert read_seg_nrrd(path, radiograph, KNEE).names == masks.names


def mirrored(masks: BoneMasks) -> dict[str, np.ndarray]:
    return {KNEE.mirrored[name]: np.fliplr(masks.mask(name)) for name in masks.names}


def test_one_knee_has_nothing_to_be_marked() -> None:
    """No spine, no ribs, no table of shapes: nothing about a chest is expected of it."""
    found = assess(make_knee_masks(SHAPE))
    assert set(found) == set(KNEE.by_name)
    assert not any(one.marks or one.numbering_uncertain for one in found.values())


def test_two_knees_with_their_sides_exchanged_are_marked() -> None:
    one, shape = make_knee_masks(SHAPE), (SHAPE[0], 2 * SHAPE[1])
    empty = np.zeros(SHAPE, bool)
    both = {name: np.hstack([one.mask(name), empty]) for name in one.names}
    both |= {name: np.hstack([empty, mask]) for name, mask in mirrored(one).items()}
    right = BoneMasks.pack(both, shape, KNEE)
    assert not any(found.marks for found in assess(right).values())
    exchanged = assess(BoneMasks.pack({KNEE.mirrored[name]: mask for name, mask in both.items()}, shape, KNEE))
    assert all(found.codes == ("wrong-side",) for found in exchanged.values())
    assert "of the middle" in exchanged["left femur"].marks[0].text


class FixedLogits(nn.Module):
    """Draws the masks of `make_knee_masks`, on the letterbox's half grid."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        masks = make_knee_masks((images.shape[2] // 2, images.shape[3] // 2))
        planes = [torch.from_numpy(masks.mask(name)).float() * 12 - 6 for name in KNEE.by_name]
        return torch.stack(planes)[None]


def test_the_embedded_segmenter_draws_the_bones_of_its_site() -> None:
    segmenter = EmbeddedSegmenter(FixedLogits(), tuple(KNEE.by_name), 160, site=KNEE)
    radiograph = replace(make_radiograph((200, 200)), site="KNEE")
    masks = segmenter.segment(radiograph)
    assert masks.site is KNEE and masks.names == make_knee_masks().names
    assert set(masks.facts.confidence) == set(masks.names)
    assert dict(masks.facts.trust) == trust_levels(site=KNEE) and masks.facts.trust["right femur"] == "good"
    truth = make_knee_masks((200, 200))
    for name in masks.names:
        both = (masks.mask(name) & truth.mask(name)).sum()
        assert 2 * both / (masks.mask(name).sum() + truth.mask(name).sum()) > 0.9, name
    assert segmenter.organs(radiograph) == {}
