"""Corrected masks of another computer come into the study once, and replace nothing."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from builders import make_radiograph

from OsteoScreenLib.bones.masks import BoneMasks
from OsteoScreenLib.bones.vocabulary import site_named
from OsteoScreenLib.review.creating import create_study
from OsteoScreenLib.review.mask_merging import copy_masks
from OsteoScreenLib.review.mask_versions import MaskVersions
from OsteoScreenLib.review.nouns import Protocol
from OsteoScreenLib.review.sources import CaseSource
from OsteoScreenLib.review.study import ReviewStudy, open_study

pytest.importorskip("slicerio")
SHAPE = (96, 80)


def masks(size: int) -> BoneMasks:
    bone = np.zeros(SHAPE, bool)
    bone[10 : 10 + size, 20:40] = True
    return BoneMasks.pack({"right rib 5": bone}, SHAPE, site_named("chest-frontal"), "test")


@pytest.fixture
def here(tmp_path: Path) -> ReviewStudy:
    from PIL import Image

    radiograph = make_radiograph(SHAPE)
    Image.fromarray(np.rint(radiograph.pixels * 255).astype(np.uint8)).save(tmp_path / "a.png")
    return create_study(tmp_path / "here", Protocol("Masks"), [CaseSource(tmp_path / "a.png")])


def test_versions_are_added_and_none_is_replaced(here: ReviewStudy, tmp_path: Path) -> None:
    there = open_study(shutil.copytree(here.folder, tmp_path / "there"))
    for study, machine, sizes in ((here, "m1", (20,)), (there, "m2", (30, 40))):
        versions = MaskVersions(study.masks("C-00001"), machine)
        for size in sizes:
            versions.save(masks(size), make_radiograph(SHAPE), "R1", masks(10))
    stray = there.folder / "masks" / "C-00099"
    shutil.copytree(there.masks("C-00001"), stray)
    (there.masks("C-00001") / "Nightingale.txt").write_text("no version")
    before = {path.name: path.read_bytes() for path in here.masks("C-00001").iterdir()}
    assert copy_masks(there.folder, here) == ("there: 2 corrected mask sets were taken.",)
    assert copy_masks(there.folder, here) == () == copy_masks(tmp_path / "nowhere", here)
    kept = MaskVersions(here.masks("C-00001"), "m1")
    assert {version.name for version in kept.all()} == {"R1@m1-0001", "R1@m2-0001", "R1@m2-0002"}
    assert all(
        {path.name: path.read_bytes() for path in here.masks("C-00001").iterdir()}[name] == data
        for name, data in before.items()
    )
    assert kept.load(next(one for one in kept.all() if one.name == "R1@m2-0002")).sha256 == masks(40).sha256
    assert [path.name for path in (here.folder / "masks").iterdir()] == ["C-00001"]
    assert not (here.masks("C-00001") / "Nightingale.txt").exists()
