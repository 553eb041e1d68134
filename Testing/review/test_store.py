"""A reader's store: what was said to be saved is there, once, and does not change."""

from __future__ import annotations

import os
import platform
import sqlite3
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
from review.kept_reads import START, clock_at, lock, store_in

from OsteoScreenLib.errors import InputError, OsteoScreenError
from OsteoScreenLib.review.nouns import ModelFacts, Opinion, Task
from OsteoScreenLib.review.places import machine_code, store_path
from OsteoScreenLib.review.store import ReaderStore
from OsteoScreenLib.review.store_reading import read_store


def test_a_read_comes_back_word_for_word(tmp_path: Path) -> None:
    opinion = Opinion("osteopenia", 61, "limited", ("scoliosis", "rib fracture"), "Über \U0001f9b4 = ?", "the ribs")
    facts = ModelFacts("chest-sim", "0f" * 32, "normal", (0.1 + 0.2, 0.4, 0.3))
    with store_in(tmp_path) as store:
        assert store.remark == ""
        told = store.lock(Task("C-00001", 1), "second", opinion, facts, 1 / 3, 0)
    with store_in(tmp_path) as store:
        (read,) = store.reads()
    assert read == told
    assert (read.opinion, read.model, read.task, read.phase) == (opinion, facts, Task("C-00001", 1), "second")
    assert (read.reader, read.machine, read.app, read.active_seconds, read.idle_seconds) == ("r1", "mA", "1.0", 0.333, 0.0)
    assert read.at == START.isoformat(timespec="milliseconds")


def test_a_second_lock_is_refused_and_the_first_stays(tmp_path: Path) -> None:
    with store_in(tmp_path) as store:
        first = lock(store, "C-1")
        with pytest.raises(InputError, match="locked at 2026-03-01") as refused:
            lock(store, "C-1", decision="osteoporosis")
        assert refused.value.code == "locked"
        again, second = lock(store, "C-1", repeat=1), lock(store, "C-1", "second")
        assert store.reads() == (first, again, second)
        assert store.locked(Task("C-1"), "first") == first
        assert store.locked(Task("C-1", 1), "second") is None


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE events SET body = '{}'",
        "UPDATE events SET sequence = sequence + 10",
        "DELETE FROM events WHERE sequence = 2",
        "DELETE FROM store",
        "UPDATE store SET reader = 'r2'",
        "INSERT INTO store VALUES (2, 'u', 'r2', 'mB', 'now')",
        "INSERT OR REPLACE INTO store VALUES (1, 'u', 'r2', 'mB', 'now')",
        "INSERT OR REPLACE INTO events SELECT * FROM events WHERE sequence = 1",
        "INSERT OR REPLACE INTO events SELECT 4, id, at, kind, case_id, repeat, phase, body FROM events WHERE sequence = 3",
        "INSERT OR REPLACE INTO events SELECT 4, 'new', at, kind, case_id, repeat, phase, body FROM events WHERE sequence = 2",
        "INSERT INTO events SELECT 4, 'new', at, kind, case_id, 7, NULL, body FROM events WHERE sequence = 2",
        "INSERT INTO events SELECT 5, 'new', at, 'note', NULL, NULL, NULL, '{}' FROM events WHERE sequence = 2",
        "INSERT INTO events VALUES (4, 'new', '2020-01-01', 'note', NULL, NULL, NULL, '{}')",
    ],
)
def test_the_database_itself_refuses_what_is_no_addition(tmp_path: Path, statement: str) -> None:
    with store_in(tmp_path) as store:
        store.append("signed-in")
        lock(store, "C-1")
        store.append("note", body={"text": "x"})
        before = store.events()
    with closing(sqlite3.connect(store.file)) as connection, pytest.raises(sqlite3.IntegrityError), connection:
        connection.execute(statement)
    contents = read_store(store.file)
    assert contents.events == before and not contents.damage


def test_a_draft_outlives_the_window_and_ends_with_the_lock(tmp_path: Path) -> None:
    left = store_in(tmp_path)  # never closed, as after a crash
    left.keep_draft(Task("C-1"), "first", {"decision": "normal"})
    left.keep_draft(Task("C-1"), "first", {"decision": "osteopenia", "confidence": None, "active_seconds": 3.5})
    with store_in(tmp_path) as store:
        assert store.draft(Task("C-1"), "first") == {"decision": "osteopenia", "confidence": None, "active_seconds": 3.5}
        assert store.draft(Task("C-1"), "second") is None and store.draft(Task("C-1", 1), "first") is None
        lock(store, "C-1")
        assert store.draft(Task("C-1"), "first") is None
        with pytest.raises(InputError) as refused:
            store.keep_draft(Task("C-1"), "first", {"decision": "normal"})
        assert refused.value.code == "locked"
    left.close()


def test_a_clock_that_jumps_back_does_not_take_the_times_along(tmp_path: Path) -> None:
    with store_in(tmp_path, clock=clock_at(0, 10, -60, 11)) as store:  # the first look is for the store's own making
        times = [(event.at, event.body) for event in (store.append("signed-in"), store.append("note"), store.append("note"))]
    ten, back, eleven = (f"{(START + timedelta(minutes=m)).isoformat(timespec='milliseconds')}" for m in (10, -60, 11))
    assert times == [(ten, {}), (ten, {"clock": back}), (eleven, {})]
    with store_in(tmp_path, clock=clock_at(-100)) as store:  # the next day, with a clock that is still wrong
        read = lock(store, "C-1")
        assert read.at == eleven and store.locked(Task("C-1"), "first") == read
        assert store.events()[-1].body["clock"] < ten


def test_two_windows_of_one_reader_share_the_store(tmp_path: Path) -> None:
    with store_in(tmp_path) as one, store_in(tmp_path) as other:
        lock(one, "C-1")
        with pytest.raises(InputError, match="locked at"):
            lock(other, "C-1")
        lock(other, "C-2")
        assert [read.task.case for read in one.reads()] == ["C-1", "C-2"] and one.events() == other.events()


def test_whose_file_it_is(tmp_path: Path) -> None:
    with store_in(tmp_path) as store:
        lock(store, "C-1")
    for reader, machine in (("r2", "mA"), ("r1", "mB")):
        with pytest.raises(InputError, match=r"r1@mA.sqlite holds the reads of r1 on machine mA; ") as refused:
            ReaderStore.open(store.path, reader, machine, "1.0")
        assert refused.value.code == "reader"
    with closing(sqlite3.connect(store.path)) as connection:
        connection.execute("PRAGMA user_version = 99")
    with pytest.raises(InputError, match=r"r1@mA.sqlite was written by a newer OsteoScreen; update this one") as refused:
        store_in(tmp_path)
    assert refused.value.code == "newer"
    with closing(sqlite3.connect(store_path(tmp_path, "r3", "mA"))) as connection:
        connection.execute("CREATE TABLE holidays (day TEXT)")
    with pytest.raises(InputError, match=r"r3@mA.sqlite is no store of reads"):
        store_in(tmp_path, "r3")
    with pytest.raises(InputError, match="no reader's code"):
        store_path(tmp_path, "../r1", "mA")


def test_masks_are_judged_and_the_last_word_counts(tmp_path: Path) -> None:
    with store_in(tmp_path, clock=clock_at(1)) as store:
        with pytest.raises(InputError, match="Say why"):
            store.judge("C-1", "sternum", "rejected")
        store.judge("C-1", "sternum", "rejected", 0, "too small")
        store.judge("C-1", "clavicle_left", "accepted")
        last = store.judge("C-1", "sternum", "fixed", 1)
        assert len(store.events()) == 3
        assert [(verdict.bone, verdict.verdict, verdict.version) for verdict in store.verdicts()] == [
            ("clavicle_left", "accepted", 0),
            ("sternum", "fixed", 1),
        ]
        assert last == store.verdicts()[1] and last.reader == "r1"


def test_what_cannot_be_said_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    with store_in(tmp_path) as store:
        for kind, body in (("locked", {}), ("mask", {}), ("lunch", {}), ("note", {"value": float("nan")})):
            with pytest.raises(ValueError):
                store.append(kind, body=body)
        with pytest.raises(ValueError):
            store.lock(Task("C-1"), "first", Opinion("normal", 0), ModelFacts(), float("nan"), 0)
        lock(store, "C-1")
        assert len(store.events()) == 1
    with pytest.raises(OsteoScreenError, match="closed; sign in again"):
        store.append("note")


@pytest.mark.skipif(os.name == "nt", reason="Windows does not let an open file be deleted")
def test_a_file_that_is_deleted_while_it_is_open_is_written_again(tmp_path: Path) -> None:
    with store_in(tmp_path) as store:
        first = lock(store, "C-1")
        for path in store.file.parent.iterdir():
            path.unlink()
        store.file.parent.rmdir()
        second = lock(store, "C-2")
        assert "written again" in store.remark
        assert read_store(store.path).events == store.events()
    with store_in(tmp_path) as again:
        assert again.reads() == (first, second) and again.remark == ""


def test_a_machine_has_one_code_that_tells_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OSTEOSCREEN_SETTINGS", str(tmp_path / "settings"))
    code = machine_code()
    assert machine_code() == code and platform.node() not in code
    (tmp_path / "settings" / "machine.txt").write_bytes(b"")  # cut off
    assert machine_code() == machine_code() != ""
