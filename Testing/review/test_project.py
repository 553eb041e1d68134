"""One view of the project from many stores, the same whatever the order, and copying stores from machine to machine."""

from __future__ import annotations

import itertools
import shutil
from pathlib import Path

import pytest
from review.kept_reads import clock_at, lock, store_in

from OsteoScreenLib.errors import InputError
from OsteoScreenLib.review.places import machine_code, store_path
from OsteoScreenLib.review.project import ProjectView, copy_in, merged, stores_of
from OsteoScreenLib.review.store_reading import read_store


@pytest.fixture(autouse=True)
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("OSTEOSCREEN_SETTINGS", str(tmp_path / "settings"))
    return tmp_path / "settings"


def _counted(view: ProjectView) -> list[tuple[str, str, str, str]]:
    return [(read.reader, read.task.case, read.phase, read.machine) for read in view.reads]


def test_two_machines_merged_twice_in_either_order_are_one_view(tmp_path: Path) -> None:
    """Two readers, each on a machine of their own, and one of them on both."""
    left, right = tmp_path / "left", tmp_path / "right"
    with store_in(left, "r1", "mA", clock_at(*range(0, 40, 2))) as store:
        for case in ("C-1", "C-2", "C-3"):
            lock(store, case)
            lock(store, case, "second")
        store.judge("C-1", "sternum", "accepted")
    with store_in(right, "r1", "mB", clock_at(3)) as store:
        lock(store, "C-2", decision="osteoporosis")
        store.judge("C-1", "sternum", "fixed", 1)
    with store_in(right, "r2", "mB", clock_at(1)) as store:
        lock(store, "C-1")
    copy_in(right, left)
    copy_in(left, right)
    once = merged(left)
    for study, other in ((left, right), (right, left), (left, right)):
        assert all("nothing new" in said for said in copy_in(other, study))
    assert merged(left) == merged(right) == once
    assert all(merged(order) == once for order in itertools.permutations(stores_of(left)))
    assert merged(stores_of(left) * 2 + stores_of(right)) == once == merged((stores_of(right) + stores_of(left))[::-1])
    # Machine B had locked C-2 before machine A did, so that neither of A's two reads of it counts.
    assert len(once.reads) == 6 and len(once.conflicts) == 2 and len(once.events) == 10
    assert [(read.machine, read.opinion.decision) for read in once.reads if read.task.case == "C-2"] == [("mB", "osteoporosis")]
    assert [verdict.verdict for verdict in once.verdicts] == ["accepted"]


def test_what_was_locked_first_counts_and_the_other_is_a_conflict(tmp_path: Path) -> None:
    with store_in(tmp_path, machine="mA", clock=clock_at(0, 10, 40)) as store:
        lock(store, "C-1", decision="normal")
        lock(store, "C-1", "second", decision="normal")
    with store_in(tmp_path, machine="mB", clock=clock_at(0, 20, 30)) as store:
        lock(store, "C-1", decision="osteoporosis")
        lock(store, "C-1", "second", decision="osteoporosis")
    view = merged(tmp_path)
    # Machine B's second read was locked before machine A's, but it belongs to a first read that does not count.
    assert _counted(view) == [("r1", "C-1", "first", "mA"), ("r1", "C-1", "second", "mA")]
    assert [(conflict.counted.phase, conflict.other.phase, conflict.other.machine) for conflict in view.conflicts] == [
        ("first", "first", "mB"),
        ("second", "second", "mB"),
    ]
    assert view.conflicts[0].as_text() == (
        "r1 read C-1 twice: what was locked on machine mA at 2026-03-01T09:10:00.000+00:00 counts, "
        "the first read locked on machine mB at 2026-03-01T09:20:00.000+00:00 does not."
    )


@pytest.mark.parametrize(("own_first", "expected"), [(False, ["mA", "mB"]), (True, ["mA"])])
def test_a_second_read_on_another_machine(tmp_path: Path, own_first: bool, expected: list[str]) -> None:
    """It counts for the first one that was locked elsewhere, unless it has a first one of its own."""
    with store_in(tmp_path, machine="mA", clock=clock_at(0, 10)) as store:
        lock(store, "C-1")
    with store_in(tmp_path, machine="mB", clock=clock_at(0, 20, 30)) as store:
        if own_first:
            lock(store, "C-1")
        lock(store, "C-1", "second")
    view = merged(tmp_path)
    assert [read.machine for read in view.reads] == expected
    assert len(view.conflicts) == (2 if own_first else 0) and len(view.events) == (3 if own_first else 2)


def test_the_last_word_on_a_mask_counts_across_machines(tmp_path: Path) -> None:
    for machine, minute, verdict in (("mB", 5, "fixed"), ("mA", 9, "accepted"), ("mC", 7, "fixed")):
        with store_in(tmp_path, machine=machine, clock=clock_at(minute)) as store:
            store.judge("C-1", "sternum", verdict, 1)
    (verdict,) = merged(tmp_path).verdicts
    assert verdict.verdict == "accepted"


def test_an_older_copy_never_takes_the_place_of_a_newer_one(tmp_path: Path) -> None:
    here, there, older = tmp_path / "here", tmp_path / "there", tmp_path / "older"
    with store_in(there, machine="mB") as store:
        lock(store, "C-1")
    shutil.copytree(there, older)
    with store_in(there, machine="mB") as store:
        lock(store, "C-2")
    assert copy_in(there, here) == ("r1@mB.sqlite: 2 new events were taken.",)
    assert copy_in(older / "reads", here) == ("r1@mB.sqlite holds nothing new.",)
    assert len(merged(here).reads) == 2
    fork = older / "reads" / "r1@mB.sqlite"
    with store_in(older, machine="mB") as store:  # the old copy was read on, and has gone another way
        lock(store, "C-3")
    assert copy_in(fork, here) == ("r1@mB.sqlite: 1 new events were taken.",)
    assert len(merged(here).reads) == 3 and len(stores_of(here)) == 2 and len(merged(here).events) == 3


def test_this_machines_own_store_is_not_touched(tmp_path: Path) -> None:
    here, backup = tmp_path / "here", tmp_path / "backup"
    with store_in(backup, machine=machine_code()) as store:
        lock(store, "C-1")
    with store_in(here, machine=machine_code()) as store:
        read = lock(store, "C-2")
        copy_in(backup, here)
        assert store.reads() == (read,)
        later = lock(store, "C-3")
        assert store.reads() == (read, later)
    assert len(merged(here).reads) == 3


def test_what_cannot_be_taken_is_said_in_one_sentence_each(tmp_path: Path) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    with pytest.raises(InputError, match="There are no reads in"):
        copy_in(there, here)
    with store_in(there, "r1", "mB") as store:
        for number in range(5):
            lock(store, f"C-{number}")
    store_path(there, "r2", "mB").write_bytes(store.path.read_bytes()[:5000])
    store_path(there, "r3", "mB").write_bytes(b"no database" * 500)
    store_path(there, "r4", "mB").write_bytes(b"")
    said = copy_in(there, here)
    assert said[0] == "r1@mB.sqlite: 5 new events were taken." and all(sentence.count("\n") == 0 for sentence in said)
    assert ["damaged" in sentence for sentence in said] == [False, True, True, False] and "is empty" in said[3]
    assert [path.name for path in stores_of(here)] == ["r1@mB.sqlite"]
    assert read_store(here / "reads" / "r1@mB.sqlite").drafts == {}
    assert len(merged(there).remarks) == 3 and merged(there).reads == merged(here).reads


def test_a_study_that_nobody_has_read_yet(tmp_path: Path) -> None:
    view = merged(tmp_path)
    assert (view.events, view.reads, view.verdicts, view.conflicts, view.remarks) == ((), (), (), (), ())
