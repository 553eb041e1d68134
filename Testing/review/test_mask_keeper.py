"""A reader's corrections on their way to the disk, and the list of bones that a reader goes through."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from review.drawn_masks import a_radiograph, own_masks, with_bone
from review.test_mask_versions import full_disk

from OsteoScreenLib.bones.vocabulary import CHEST_FRONTAL
from OsteoScreenLib.errors import InputError, OsteoScreenError
from OsteoScreenLib.review.mask_check import MaskCheck
from OsteoScreenLib.review.mask_keeper import MaskKeeper
from OsteoScreenLib.review.mask_versions import MaskVersions
from OsteoScreenLib.review.nouns import MaskVerdict

CASE = "C-00001"


class Verdicts(list):
    """Keeps verdicts as a store does, unless it is full."""

    full_after: int | None = None

    def judge(self, case: str, bone: str, verdict: Any, version: int = 0, reason: str = "") -> MaskVerdict:
        if self.full_after is not None and len(self) >= self.full_after:
            raise OsteoScreenError("The disk is full; free some space.")
        self.append(MaskVerdict("R1", case, bone, verdict, version, reason))
        return self[-1]


def keeper(folder: Path, verdicts: Verdicts, reader: str = "R1") -> MaskKeeper:
    return MaskKeeper(CASE, reader, MaskVersions(folder, "m1"), own_masks(), a_radiograph(), verdicts.judge)


def test_a_correction_becomes_a_version_and_a_verdict_on_each_bone_it_changes(tmp_path: Path) -> None:
    verdicts, told = Verdicts(), []
    kept = keeper(tmp_path, verdicts)
    assert (kept.number, kept.waiting, kept.problem) == (0, False, "")
    corrected = with_bone(with_bone(own_masks(), "T7", 28, 41, 29, 47), "L1", 60, 70, 30, 40)
    assert kept.take(corrected) == ("T7", "L1") and kept.waiting
    kept.write(told.append)
    assert not kept.waiting and told == list(verdicts)
    assert [(one.bone, one.verdict, one.version) for one in verdicts] == [("T7", "fixed", 1), ("L1", "fixed", 1)]
    assert kept.is_corrected("T7") and not kept.is_corrected("sternum")
    assert (kept.number_of("T7"), kept.number_of("sternum")) == (1, 0)
    assert kept.masks.facts.edited == {"T7", "L1"} and kept.masks.facts.confidence == {"right rib 5": 0.5}
    assert kept.dice() == pytest.approx({"T7": 2 * 150 / (150 + 234), "L1": 0.0, "right rib 5": 1.0, "sternum": 1.0})
    kept.write(told.append)
    assert len(told) == 2 and len(MaskVersions(tmp_path, "m1").all()) == 1, "nothing waits, nothing is written"


def test_a_reader_goes_on_from_his_last_version_and_sees_no_other_readers(tmp_path: Path) -> None:
    verdicts = Verdicts()
    for row in (28, 26):
        kept = keeper(tmp_path, verdicts)
        kept.take(with_bone(kept.masks, "T7", row, 41, 29, 47))
        kept.write(lambda verdict: None)
    again = keeper(tmp_path, verdicts)
    assert again.number == 2 and again.masks.sha256 == kept.masks.sha256
    first, second = MaskVersions(tmp_path, "m1").all("R1")
    assert second.based_on == first.name
    other = keeper(tmp_path, verdicts, "R2")
    assert other.number == 0 and other.masks.sha256 == own_masks().sha256
    (tmp_path / f"{second.name}.seg.nrrd").write_bytes(b"torn")
    fallen_back = keeper(tmp_path, verdicts)
    assert fallen_back.number == 1 and "damaged" in fallen_back.problem


def test_a_full_disk_loses_nothing_and_the_next_try_takes_all(tmp_path: Path) -> None:
    verdicts, told = Verdicts(), []
    kept = keeper(tmp_path, verdicts)
    kept.take(with_bone(own_masks(), "T7", 28, 41, 29, 47))
    with full_disk(0), pytest.raises(OsteoScreenError):
        kept.write(told.append)
    assert kept.waiting and not told
    kept.take(with_bone(kept.masks, "sternum", 20, 70, 33, 38))  # the reader goes on
    with full_disk(0), pytest.raises(OsteoScreenError):
        kept.write(told.append)
    verdicts.full_after = 1  # room for the masks and for one verdict
    with pytest.raises(OsteoScreenError):
        kept.write(told.append)
    assert kept.waiting and [one.bone for one in told] == ["T7"]
    verdicts.full_after = None
    kept.write(told.append)
    assert not kept.waiting and [one.bone for one in told] == ["T7", "sternum"]
    (version,) = MaskVersions(tmp_path, "m1").all()
    assert version.changed == ("T7", "sternum") and {one.version for one in told} == {1}


def test_a_power_cut_between_masks_and_verdict_is_made_up_for(tmp_path: Path) -> None:
    verdicts = Verdicts()
    kept = keeper(tmp_path, verdicts)
    kept.take(with_bone(with_bone(own_masks(), "T7", 28, 41, 29, 47), "sternum", 20, 70, 33, 38))
    verdicts.full_after = 1
    with pytest.raises(OsteoScreenError):
        kept.write(lambda verdict: None)  # the version is there, the second verdict is not
    verdicts.full_after = None
    again = MaskKeeper(CASE, "R1", MaskVersions(tmp_path, "m1"), own_masks(), a_radiograph(), verdicts.judge, tuple(verdicts))
    assert again.waiting
    again.write(lambda verdict: None)
    assert [(one.bone, one.verdict, one.version) for one in verdicts] == [("T7", "fixed", 1), ("sternum", "fixed", 1)]
    whole = MaskKeeper(CASE, "R1", MaskVersions(tmp_path, "m1"), own_masks(), a_radiograph(), verdicts.judge, tuple(verdicts))
    assert not whole.waiting
    elsewhere = MaskKeeper(CASE, "R1", MaskVersions(tmp_path, "m2"), own_masks(), a_radiograph(), verdicts.judge)
    assert not elsewhere.waiting, "another machine's verdicts lie in that machine's store"


def test_bones_are_gone_through_in_order_and_the_last_verdict_counts() -> None:
    def found(bone: str, verdict: Any, reader: str = "R1", case: str = CASE, reason: str = "") -> MaskVerdict:
        return MaskVerdict(reader, case, bone, verdict, 0, reason)

    bones = tuple(CHEST_FRONTAL.by_name)[:4]
    earlier = [found(bones[0], "accepted"), found(bones[1], "accepted", "R2"), found(bones[2], "accepted", case="C-2")]
    check = MaskCheck(CASE, "R1", bones, earlier)
    assert check.current == bones[1] and set(check.verdicts) == {bones[0]}, "other readers and cases lead nobody"
    check.take(found(bones[1], "rejected", reason="wrong side"))
    assert check.step_to_open() == bones[2]
    assert check.step(1) == bones[3] and check.step(1) == bones[3], "it stays at the end"
    check.take(found(bones[3], "accepted"))
    assert check.step_to_open() == bones[2], "from the top again after the last"
    check.take(found(bones[2], "accepted"))
    assert check.step_to_open() == bones[2] and check.open == ()
    check.take(found(bones[1], "accepted"))
    assert check.verdicts[bones[1]].verdict == "accepted"
    check.choose(bones[0])
    assert check.step(-1) == bones[0]
    with pytest.raises(InputError):
        check.choose("no bone")
    with pytest.raises(InputError):
        MaskCheck(CASE, "R1", ())
