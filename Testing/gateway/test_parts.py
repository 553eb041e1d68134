"""Small parts of the gateway: the journal, the pauses, the queue's file, the spool."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from OsteoScreenLib.errors import InputError, OsteoScreenError
from OsteoScreenLib.gateway.journal import Journal
from OsteoScreenLib.gateway.ledger import STATES, Ledger
from OsteoScreenLib.gateway.rehearsal import data_set, pieces
from OsteoScreenLib.gateway.shared import FIRST_PAUSE, LONGEST_PAUSE, pause_after
from OsteoScreenLib.gateway.spool import Spool, key_of


def test_the_journal_writes_one_object_a_line_and_survives_a_full_disk() -> None:
    class Full(io.StringIO):
        def write(self, text: str) -> int:
            raise OSError(28, "No space left on device")

    stream = io.StringIO()
    Journal(stream).warning("something\nhappened", case="a" * 64, code="x" * 1000, nothing=None)
    line = json.loads(stream.getvalue())
    assert stream.getvalue().count("\n") == 1
    assert (line["level"], line["event"], line["case"], len(line["code"])) == ("warning", "something\nhappened", "a" * 16, 300)
    Journal(Full()).error("nobody hears")


def test_pauses_grow_and_are_bounded() -> None:
    longest = [pause_after(attempts, lambda: 1.0) for attempts in range(30)]
    assert longest[0] == FIRST_PAUSE and longest[-1] == LONGEST_PAUSE and longest == sorted(longest)
    assert pause_after(3, lambda: 0.0) == pause_after(3, lambda: 1.0) / 2


def test_the_queue_gives_cases_in_order_once_and_when_they_are_due(tmp_path: Path) -> None:
    now = [1000.0]
    ledger = Ledger(tmp_path / "queue.sqlite", lambda: now[0])
    for name in ("b", "a", "c"):
        ledger.add(name, 1, "store")
        now[0] += 1
    ledger.move("a", "received", "unlucky", attempted=True, delay=60)
    first, second = ledger.claim(), ledger.claim()
    assert first is not None and second is not None and (first.key, second.key) == ("b", "c")
    assert ledger.claim() is None
    assert ledger.oldest_waiting() == 3.0
    now[0] += 61
    third = ledger.claim()
    assert third is not None and (third.key, third.attempts, third.code) == ("a", 1, "unlucky")
    assert ledger.counts() == dict.fromkeys(STATES, 0) | {"analysing": 3}
    ledger.move("b", "sending")
    assert ledger.keys("sending", "done") == ["b"]
    ledger.close()


def test_a_clock_that_was_wrong_delays_nothing_over_a_restart(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "queue.sqlite", lambda: 1e10)
    ledger.add("a", 1, "store")
    ledger.move("a", "received", delay=300)
    ledger.close()
    ledger = Ledger(tmp_path / "queue.sqlite")
    assert ledger.claim() is None
    ledger.recover()
    assert ledger.claim() is not None
    ledger.close()


def test_a_file_that_is_no_queue_is_refused(tmp_path: Path) -> None:
    (tmp_path / "queue.sqlite").write_bytes(b"no database " * 100)
    with pytest.raises(InputError, match="no queue"):
        Ledger(tmp_path / "queue.sqlite")


def test_a_folder_that_cannot_be_used_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="--folder"):
        Spool(tmp_path / "file", 0)


def test_images_lie_under_hashes_for_this_user_alone(tmp_path: Path) -> None:
    spool, key = Spool(tmp_path / "queue", 0), key_of("../../etc/passwd")
    spool.keep(key, b"image")
    assert spool.image(key).parent == tmp_path / "queue" / "incoming" and spool.image(key).read_bytes() == b"image"
    assert (tmp_path / "queue" / "incoming").stat().st_mode & 0o077 == 0
    spool.drop(key)
    spool.drop(key)
    assert not spool.image(key).exists()


def test_results_that_vanished_are_said(tmp_path: Path) -> None:
    spool = Spool(tmp_path, 0)
    with pytest.raises(OsteoScreenError):
        spool.settle("a" * 64, spool.attempt("a" * 64))


def test_rehearsed_radiographs_are_readable_and_differ(tmp_path: Path) -> None:
    from OsteoScreenLib.radiograph.read import read_radiograph

    both = pieces(1, 1, seed=0)
    assert pieces(1, 1, seed=0) == both and {piece.screened for piece in both} == {True, False}
    uids = set()
    for piece in both:
        path = tmp_path / f"{piece.number}.dcm"
        path.write_bytes(data_set(piece))
        uids.add(read_radiograph(path).source.sop_instance_uid)
    assert uids == {piece.sop_instance_uid for piece in both}
