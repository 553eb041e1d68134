"""Dice of the readers' last versions with the model's own and with each other, over a study, against values counted by hand."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from review.drawn_masks import a_radiograph, own_masks, with_bone

from OsteoScreenLib.review.mask_agreement import MODEL, mask_pairs, write_mask_dice_csv
from OsteoScreenLib.review.mask_versions import MaskVersions
from OsteoScreenLib.review.nouns import Protocol, ReviewCase
from OsteoScreenLib.review.study import ReviewStudy


def a_study(folder: Path) -> ReviewStudy:
    cases = tuple(ReviewCase(f"C-0000{at}", f"images/C-0000{at}.png") for at in (1, 2, 3))
    return ReviewStudy(folder, Protocol("Masks"), cases, "0" * 64)


def test_last_versions_are_compared_with_the_model_and_among_readers(tmp_path: Path) -> None:
    study, own, radiograph = a_study(tmp_path), own_masks(), a_radiograph()
    versions = MaskVersions(study.masks("C-00002"), "m1")
    draft = with_bone(own, "T7", 0, 5, 0, 5)
    first = versions.save(draft, radiograph, "R1", own)
    one = versions.save(with_bone(own, "T7", 30, 40, 30, 50), radiograph, "R1", own, draft, first)
    other = versions.save(with_bone(with_bone(own, "T7", 30, 40, 40, 50), "L1", 60, 70, 30, 40), radiograph, "R2", own)
    MaskVersions(tmp_path / "masks" / "C-99999", "m1").save(draft, radiograph, "R1", own)  # of no case of this study
    pairs, remarks = mask_pairs(study)
    assert remarks == () and {pair.case for pair in pairs} == {"C-00002"}
    found = {(pair.one, pair.other, pair.bone): pair.dice for pair in pairs}
    # T7 is 15 columns wide as the model drew it, 20 by the first reader, 10 by the second; each 10 rows high.
    wanted = {
        (one.name, MODEL, "T7"): 2 * 150 / (150 + 200), (other.name, MODEL, "T7"): 2 * 50 / (150 + 100),
        (other.name, MODEL, "L1"): 0.0, (one.name, other.name, "T7"): 2 * 100 / (200 + 100), (one.name, other.name, "L1"): 0.0,
    }  # fmt: skip
    assert found == pytest.approx(wanted, abs=1e-6)
    path = write_mask_dice_csv(tmp_path / "mask_dice.csv", pairs)
    rows = list(csv.DictReader(path.read_text().splitlines()))
    assert len(rows) == len(pairs) and list(rows[0]) == ["case", "bone", "one", "other", "dice"]
    assert {(row["one"], row["other"], row["bone"]): float(row["dice"]) for row in rows} == pytest.approx(found, abs=1e-6)


def test_a_damaged_version_costs_its_pair_and_is_named(tmp_path: Path) -> None:
    study, own = a_study(tmp_path), own_masks()
    versions = MaskVersions(study.masks("C-00001"), "m1")
    for reader, row in (("R1", 28), ("R2", 27)):
        versions.save(with_bone(own, "T7", row, 41, 29, 47), a_radiograph(), reader, own)
    next(study.masks("C-00001").glob("R1*.seg.nrrd")).write_bytes(b"torn")
    pairs, remarks = mask_pairs(study)
    assert [pair.other for pair in pairs] == [MODEL, MODEL]
    assert len(remarks) == 1 and remarks[0].startswith("C-00001: ") and "R1@m1-0001" in remarks[0]


def test_without_corrections_there_is_nothing(tmp_path: Path) -> None:
    assert mask_pairs(a_study(tmp_path)) == ((), ())
