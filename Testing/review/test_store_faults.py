"""One sentence and the reader goes on: a full disk, files that may not be written, network drives, damaged and torn files."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest
from review.kept_reads import for_everyone, lock, store_in, without_rights

from OsteoScreenLib.errors import InputError, OsteoScreenError
from OsteoScreenLib.review import places, store_file, store_opening
from OsteoScreenLib.review.nouns import Event, Task
from OsteoScreenLib.review.project import merged
from OsteoScreenLib.review.records import event_id, text_of
from OsteoScreenLib.review.store import ReaderStore
from OsteoScreenLib.review.store_reading import read_store

posix = pytest.mark.skipif(os.name == "nt", reason="rights and limits as POSIX has them")


@pytest.fixture(autouse=True)
def settings(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """This computer's own folder, which a test without rights may write."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        monkeypatch.setenv("OSTEOSCREEN_SETTINGS", str(for_everyone(Path(folder) / "settings")))
        yield Path(folder) / "settings"


@pytest.fixture
def study() -> Iterator[Path]:
    """A study's folder that everyone may look into."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


@contextmanager
def files_up_to(size: int) -> Iterator[None]:
    """Inside, no file of this process grows beyond `size` bytes, as on a disk that has no more room."""
    import resource

    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def _fill(store: ReaderStore) -> tuple[int, str]:
    """Lock until that fails: how many were locked, and the sentence."""
    for number in range(1000):
        try:
            store.keep_draft(Task(f"C-{number}"), "first", {"entry": number})
            lock(store, f"C-{number}")
        except InputError:
            raise
        except OsteoScreenError as error:
            return number, str(error)
    raise AssertionError("the disk was never full")


@posix
def test_a_full_disk_costs_no_read_and_the_same_window_goes_on(study: Path) -> None:
    with store_in(study) as store:
        store.append("signed-in")
        largest = max(path.stat().st_size for path in store.file.parent.iterdir())
        with files_up_to(largest + 40_000):
            number, sentence = _fill(store)
        with files_up_to(100):
            assert number > 3 and "the disk is full" in sentence and "try again" in sentence
            assert store.locked(Task(f"C-{number}"), "first") is None and len(store.reads()) == number
            with pytest.raises(OsteoScreenError, match="the disk is full"):
                store.append("note")
        read = lock(store, f"C-{number}")  # there is room again
        assert store.reads()[-1] == read
    contents = read_store(store.file)
    assert not contents.damage and len(contents.events) == number + 2


@posix
@pytest.mark.skipif(
    sys.platform != "linux" or os.geteuid() != 0, reason="a small disk of its own needs Linux and the right to mount"
)
def test_a_disk_that_is_really_full(study: Path) -> None:
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=300k", "tmpfs", str(study)], capture_output=True).returncode:
        pytest.skip("mounting is not allowed here")
    try:
        with store_in(study) as store:
            number, sentence = _fill(store)
            assert number > 3 and "the disk is full" in sentence and "try again" in sentence
            assert store.draft(Task(f"C-{number}"), "first") in ({"entry": number}, None)
            assert len(merged(study).reads) == number
        contents = read_store(store.file)
        assert not contents.damage and sum(event.kind == "locked" for event in contents.events) == number
    finally:
        subprocess.run(["umount", str(study)], check=True)


@posix
def test_a_file_that_may_not_change_is_carried_on_on_this_computer(study: Path, settings: Path) -> None:
    with store_in(study) as store:
        before = [lock(store, "C-1"), lock(store, "C-2")]
    store.path.chmod(0o444)
    for_everyone(store.path.parent)
    with without_rights():
        for case in ("C-3", "C-4"):  # and once more after it was closed
            with store_in(study) as again:
                assert "it cannot be written; your reads are saved on this computer, in " in again.remark
                assert again.file.is_relative_to(settings) and again.file != again.path
                with pytest.raises(InputError, match="locked"):
                    lock(again, "C-1")
                before.append(lock(again, case))
                assert again.reads() == tuple(before)
    assert len(read_store(store.path).events) == 2
    assert len(merged(study).reads) == 4
    store.path.chmod(0o666)
    for_everyone(store.path.parent)
    with without_rights(), store_in(study) as back:  # it may be written again
        assert back.remark == "" and back.file == back.path and back.reads() == tuple(before)
    assert len(merged([store.path]).reads) == 4


@posix
def test_a_study_on_a_disk_that_is_only_read(study: Path, settings: Path) -> None:
    with without_rights(), store_in(study) as store:
        store.keep_draft(Task("C-9"), "first", {"decision": "normal"})
        read = lock(store, "C-1")
        assert store.file.is_relative_to(settings) and not store.path.exists()
    with without_rights():
        assert merged(study).reads == (read,)
    for_everyone(study)
    with without_rights(), store_in(study) as store:
        assert store.file == store.path and store.reads() == (read,)
        assert store.draft(Task("C-9"), "first") == {"decision": "normal"}


@posix
def test_where_nothing_can_be_written_the_sentence_says_so(study: Path, settings: Path) -> None:
    settings.chmod(0o555)
    with without_rights(), pytest.raises(OsteoScreenError, match=r"Reads cannot be saved in .*; allow writing there"):
        store_in(study)


@pytest.mark.parametrize(("here", "elsewhere"), [(1, 2), (2, 1), (2, 2), (0, 2)])
def test_two_copies_that_went_different_ways_both_count(study: Path, settings: Path, here: int, elsewhere: int) -> None:
    """The store was kept on this computer for a while, and an older one came back to the study and was read on."""
    with store_in(study) as store:
        lock(store, "C-1")
    reserve = places.reserve_folder(store.path.parent)
    shutil.copytree(store.path.parent, reserve)
    for path, count, name in ((store.path, here, "D"), (reserve / store.path.name, elsewhere, "E")):
        contents = read_store(path)
        with closing(store_file.connect(path)) as connection:
            opened = list(contents.events)
            for number in range(count):
                values = (opened[-1].sequence + 1, opened[-1].at, "note", None)
                identity = event_id(opened[-1].id, *values, text_of({"text": f"{name}-{number}"}))
                opened.append(Event(identity, "r1", "mA", *values, {"text": f"{name}-{number}"}))
            store_file.add_all(connection, opened[1:], {})
    with store_in(study) as again:
        read = lock(again, "C-2")
        assert again.file == again.path and again.remark == "" and again.reads()[-1] == read
        assert len(again.events()) == 2 + max(here, elsewhere)
    view = merged(study)
    assert len(view.events) == 2 + here + elsewhere and len(view.reads) == 2 and view.remarks == () == view.conflicts


def test_a_network_drive_holds_a_copy_and_never_the_database(
    study: Path, settings: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_opening, "on_network_drive", lambda path: path.is_relative_to(study))
    with store_in(study) as store:
        read = lock(store, "C-1")
        assert "it lies on a network drive; your reads are saved on this computer" in store.remark
        assert store.file.is_relative_to(settings) and not store.path.exists()
    assert read_store(store.path).events == store_events(store.file)
    with store_in(study) as store:
        assert store.reads() == (read,)
        lock(store, "C-2")
    assert [path.name for path in store.path.parent.iterdir()] == ["r1@mA.sqlite"] and len(merged([store.path]).reads) == 2


def store_events(path: Path) -> tuple[object, ...]:
    return read_store(path).events


@pytest.mark.skipif(sys.platform == "win32", reason="Windows tells it by the drive's kind")
def test_what_a_network_drive_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import psutil

    share = tmp_path.resolve() / "share"
    mounts = [("/", "ext4"), (str(share), "nfs4"), (str(share / "local"), "ext4"), (f"{share}2", "xfs")]
    named = [SimpleNamespace(mountpoint=folder, fstype=kind) for folder, kind in mounts]
    monkeypatch.setattr(psutil, "disk_partitions", lambda all: named)
    answers = [places.on_network_drive(share / name) for name in ("study/reads", "local/study", "../share2/study", "../study")]
    assert answers == [True, False, False, False]


def test_a_damaged_file_is_put_aside_and_what_it_proves_is_kept(study: Path) -> None:
    with store_in(study) as store:
        reads = [lock(store, f"C-{number}") for number in range(40)]
    data = bytearray(store.path.read_bytes())
    last = data.rindex(b"C-39")
    data[last : last + 4] = b"C-38"  # one cell is not as it was written
    store.path.write_bytes(data)
    with store_in(study) as again:
        assert "was damaged and put aside as r1@mA.sqlite.torn-" in again.remark
        assert f"Locked reads that are kept: {len(again.reads())};" in again.remark and len(again.reads()) >= 30
        assert again.reads() == tuple(reads[: len(again.reads())])
        lock(again, "C-40")
    (aside,) = store.path.parent.glob("*.torn-*")
    assert aside.read_bytes() == data
    with store_in(study) as third:
        assert third.remark == "" and third.reads()[-1].task.case == "C-40"
    assert merged(study).remarks == ()


@posix
def test_a_file_that_is_damaged_while_it_is_read_is_written_again(study: Path) -> None:
    with store_in(study) as store:
        reads = [lock(store, f"C-{number}") for number in range(5)]
        for path in store.file.parent.iterdir():
            path.write_bytes(bytes(path.stat().st_size))  # the disk gives nothing but zeros
        with pytest.raises(
            OsteoScreenError, match=r"damaged and put aside as .* written again, with all the reads of this window\. Try"
        ):
            lock(store, "C-5")
        assert store.reads() == tuple(reads)
        reads.append(lock(store, "C-5"))
        assert store.reads() == tuple(reads)
    with store_in(study) as again:
        assert again.remark == "" and again.reads() == tuple(reads)


def test_a_changed_line_is_seen_even_when_the_file_is_sound(study: Path) -> None:
    with store_in(study) as store:
        for number in range(5):
            lock(store, f"C-{number}")
    with closing(sqlite3.connect(store.path)) as connection, connection:
        connection.execute("DROP TRIGGER events_update")
        connection.execute(
            "UPDATE events SET body = replace(body, '\"confidence\":40', '\"confidence\":90') WHERE sequence = 4"
        )
    contents = read_store(store.path)
    assert contents.damage == "its line 4 is not as it was written" and len(contents.events) == 3
    view = merged(study)
    assert len(view.reads) == 3 and "r1@mA.sqlite is damaged (its line 4" in view.remarks[0]


@pytest.fixture(scope="module")
def two_readers() -> Iterator[Path]:
    """A study that two readers have read, to be copied."""
    with tempfile.TemporaryDirectory() as folder:
        with store_in(Path(folder), "r1") as one, store_in(Path(folder), "r2") as two:
            for number in range(40):
                lock(one, f"C-{number}")
                lock(two, f"C-{number}")
        yield Path(folder)


@pytest.mark.parametrize("share", [0.0, 0.001, 0.02, 0.3, 0.5, 0.7, 0.9, 0.999])
def test_a_torn_copy_costs_the_others_nothing(two_readers: Path, study: Path, share: float) -> None:
    shutil.copytree(two_readers, study, dirs_exist_ok=True)
    whole = merged(study)
    path = study / "reads" / "r1@mA.sqlite"
    os.truncate(path, int(share * path.stat().st_size))
    torn = path.read_bytes()
    view = merged(study)
    assert len(view.remarks) == 1 and "r1@mA.sqlite" in view.remarks[0] and "copy" in view.remarks[0].lower()
    assert [read for read in view.reads if read.reader == "r2"] == [read for read in whole.reads if read.reader == "r2"]
    assert set(view.reads) <= set(whole.reads)
    assert path.read_bytes() == torn and sorted(path.name for path in path.parent.iterdir()) == [
        "r1@mA.sqlite",
        "r2@mA.sqlite",
    ]
    with store_in(study, "r1") as again:  # its own reader signs in on it
        mine = sorted((read for read in whole.reads if read.reader == "r1"), key=lambda read: int(read.task.case[2:]))
        assert again.reads() == tuple(mine[: len(again.reads())])
        lock(again, "D-1")
    assert merged(study).remarks == ()


def test_a_store_copied_while_it_is_open_is_read_as_far_as_it_came(study: Path, tmp_path: Path) -> None:
    with store_in(study) as store:
        for number in range(10):
            lock(store, f"C-{number}")
        alone, both = tmp_path / "alone", tmp_path / "both"
        for folder, suffixes in ((alone, [""]), (both, ["", "-wal"])):
            folder.mkdir()
            for suffix in suffixes:
                shutil.copy(store.file.with_name(store.file.name + suffix), folder)
        for folder in (alone, both):
            before = {path.name: path.read_bytes() for path in folder.iterdir()}
            view = merged(list(folder.glob("*.sqlite")))
            assert len(view.reads) == 10 and view.remarks == ()
            assert {
                path.name: path.read_bytes() for path in folder.iterdir()
            } == before  # nothing is left there, nothing changed
