"""Corrected masks as versions: exact, signed, never over an older one, whole or absent, merged by copying."""

from __future__ import annotations

import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from review.drawn_masks import SHAPE, a_radiograph, own_masks, with_bone

from OsteoScreenLib.bones.masks import BoneMasks
from OsteoScreenLib.bones.segnrrd import read_seg_nrrd
from OsteoScreenLib.errors import InputError, OsteoScreenError
from OsteoScreenLib.review.mask_versions import MaskVersions

TESTING = Path(__file__).resolve().parent.parent


@contextmanager
def full_disk(free: int) -> Iterator[None]:
    """No file may grow beyond so many bytes: the system's own way to say that there is no room."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    former = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (free, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, former)


def test_a_version_is_found_again_with_author_time_and_every_pixel(tmp_path: Path) -> None:
    own = own_masks()
    corrected = with_bone(with_bone(own, "T7", 28, 41, 29, 47), "left clavicle", 5, 9, 40, 60)
    made = MaskVersions(tmp_path / "C-00001", "m1").save(corrected, a_radiograph(), "R1", own)
    (found,) = MaskVersions(tmp_path / "C-00001", "m2").all()
    assert found == made
    assert (found.author, found.machine, found.number, found.based_on) == ("R1", "m1", 1, "")
    assert found.changed == ("T7", "left clavicle") and found.base_sha256 == own.sha256 and found.at.endswith("+00:00")
    assert dict(found.dice) == pytest.approx({"T7": 2 * 150 / (150 + 234), "left clavicle": 0.0}, abs=1e-6)
    loaded = MaskVersions(tmp_path / "C-00001", "m2").load(found)
    assert loaded.sha256 == corrected.sha256 and loaded.names == corrected.names
    assert np.array_equal(loaded.layers, corrected.layers)


@pytest.mark.parametrize("placement", [{}, {"quarter_turns": 1}, {"mirrored": 1, "quarter_turns": 3}])
def test_the_file_is_a_segmentation_on_the_stored_image(tmp_path: Path, placement: dict[str, int]) -> None:
    own, radiograph = own_masks(), a_radiograph(**placement)
    corrected = with_bone(own, "T7", 28, 41, 29, 47)
    made = MaskVersions(tmp_path, "m1").save(corrected, radiograph, "R1", own)
    as_any_other = read_seg_nrrd(tmp_path / f"{made.name}.seg.nrrd", radiograph)
    assert as_any_other.sha256 == corrected.sha256


def test_nothing_is_ever_written_over(tmp_path: Path) -> None:
    own = own_masks()
    versions = MaskVersions(tmp_path, "m1")
    first = versions.save(with_bone(own, "T7", 28, 41, 29, 47), a_radiograph(), "R1", own)
    kept = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    base = versions.load(first)
    second = versions.save(with_bone(base, "sternum", 20, 70, 33, 40), a_radiograph(), "R1", own, base, first)
    other = versions.save(with_bone(own, "T7", 1, 9, 1, 9), a_radiograph(), "R2", own)
    assert {name: (tmp_path / name).read_bytes() for name in kept} == kept
    assert (second.number, second.based_on, second.changed) == (2, first.name, ("sternum",))
    assert other.number == 1, "each author counts his own"
    assert versions.latest("R1") == second and versions.latest("R2") == other and versions.latest("R3") is None
    assert versions.all("R1") == (first, second) and set(versions.all()) == {first, second, other}
    agreement = versions.dice(first, second)
    assert agreement["T7"] == 1.0
    assert agreement["sternum"] == pytest.approx(2 * 250 / (300 + 350))


def test_folders_of_two_machines_are_merged_by_copying_either_way(tmp_path: Path) -> None:
    own = own_masks()
    for machine, row in (("m1", 28), ("m2", 26)):
        versions, base, last = MaskVersions(tmp_path / machine, machine), own, None
        for _ in range(2):
            masks = with_bone(base, "T7", row, 41, 29, 47)
            last = versions.save(masks, a_radiograph(), "R1", own, base, last)
            base, row = masks, row + 1
    merged = []
    for name, order in (("a", ("m1", "m2")), ("b", ("m2", "m1", "m2"))):
        for machine in order:
            shutil.copytree(tmp_path / machine, tmp_path / name, dirs_exist_ok=True)
        merged.append(MaskVersions(tmp_path / name, "m3").all("R1"))
    assert merged[0] == merged[1] and len(merged[0]) == 4
    third = MaskVersions(tmp_path / "a", "m1").save(with_bone(own, "T7", 1, 5, 1, 5), a_radiograph(), "R1", own)
    assert third.number == 3 and MaskVersions(tmp_path / "a", "m2").latest("R1") == third


def test_nothing_changed_is_no_version(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nothing to save"):
        MaskVersions(tmp_path / "C", "m1").save(own_masks(), a_radiograph(), "R1", own_masks())
    assert not (tmp_path / "C").exists()


def test_masks_without_a_bone_are_a_version_too(tmp_path: Path) -> None:
    empty = BoneMasks.pack({}, SHAPE)
    versions = MaskVersions(tmp_path, "m1")
    made = versions.save(empty, a_radiograph(), "R1", own_masks())
    assert versions.load(made).sha256 == empty.sha256 and made.changed == own_masks().names


def test_codes_are_no_paths(tmp_path: Path) -> None:
    with pytest.raises(InputError):
        MaskVersions(tmp_path, "../m")
    with pytest.raises(InputError):
        MaskVersions(tmp_path, "m").save(own_masks(), a_radiograph(), "a/b", BoneMasks.pack({}, SHAPE))


def test_a_full_disk_leaves_no_half_version_and_what_was_there(tmp_path: Path) -> None:
    own = own_masks()
    versions = MaskVersions(tmp_path, "m1")
    first = versions.save(with_bone(own, "T7", 28, 41, 29, 47), a_radiograph(), "R1", own)
    before = sorted(path.name for path in tmp_path.iterdir())
    for free in (0, 300, 1500):  # not a byte; the segmentation is cut; room for the segmentation, not for the facts
        with full_disk(free), pytest.raises(OsteoScreenError, match="free some space"):
            versions.save(with_bone(own, "sternum", 1, 80, 30, 39), a_radiograph(), "R1", own)
        assert sorted(path.name for path in tmp_path.iterdir()) == before
    assert versions.all() == (first,)
    assert versions.save(with_bone(own, "sternum", 1, 80, 30, 39), a_radiograph(), "R1", own).number == 2


def test_a_folder_that_cannot_be_made_is_said_in_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "masks").write_text("a file where the folder should be")
    with pytest.raises(OsteoScreenError, match="what you have drawn is still here"):
        MaskVersions(tmp_path / "masks" / "C-1", "m1").save(
            with_bone(own_masks(), "T7", 1, 5, 1, 5), a_radiograph(), "R1", own_masks()
        )


def test_damage_is_noticed_and_the_others_stay_readable(tmp_path: Path) -> None:
    own = own_masks()
    versions = MaskVersions(tmp_path, "m1")
    made = [versions.save(with_bone(own, "T7", row, 41, 29, 47), a_radiograph(), "R1", own) for row in range(20, 25)]
    masks, facts = [[tmp_path / f"{one.name}{end}" for one in made] for end in (".seg.nrrd", ".json")]
    masks[0].write_bytes(masks[0].read_bytes()[:-20])  # torn
    masks[1].write_bytes(masks[2].read_bytes())  # another one's
    masks[2].unlink()
    facts[3].write_text(facts[3].read_text()[:50])
    for one in made[:3]:
        with pytest.raises(InputError, match="missing or damaged"):
            versions.load(one)
    assert made[3] not in versions.all()
    assert versions.latest("R1") == made[4] and versions.load(made[4]).sha256 == made[4].sha256
    table = json.loads(facts[4].read_text())
    facts[4].write_text(json.dumps(table | {"sha256": "0" * 64}))
    with pytest.raises(InputError):
        versions.load(versions.all()[-1])


SAVING = """
import sys
from pathlib import Path
from review.drawn_masks import a_radiograph, own_masks, with_bone
from OsteoScreenLib.review.mask_versions import MaskVersions
versions, own, radiograph = MaskVersions(Path(sys.argv[1]), "m1"), own_masks(), a_radiograph()
for row in range(1, 80):
    print(versions.save(with_bone(own, "T7", row, 85, 29, 47), radiograph, "R1", own).name, flush=True)
"""


def test_killed_at_any_moment_every_reported_version_is_whole(tmp_path: Path) -> None:
    reported: list[str] = []
    moments = random.Random(7)
    paths = os.pathsep.join(str(TESTING.parent / room) for room in ("OsteoScreen", "Testing"))
    for _ in range(3):
        process = subprocess.Popen(
            [sys.executable, "-c", SAVING, str(tmp_path)],
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {"PYTHONPATH": paths},
        )
        assert process.stdout is not None
        reported.append(process.stdout.readline().strip())  # by now every library is loaded
        time.sleep(moments.uniform(0.0, 0.1))
        process.kill()
        reported += process.stdout.read().split()
        process.wait()
    versions = MaskVersions(tmp_path, "m1")
    found = {version.name: version for version in versions.all()}
    assert reported and set(reported) <= set(found) and len(set(reported)) == len(reported)
    for version in found.values():
        assert versions.load(version).sha256 == version.sha256
