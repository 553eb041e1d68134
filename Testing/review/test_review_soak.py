"""The short form of `osteoscreen bench review-soak`, and that it would see a lost read."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from review.kept_reads import lock, store_in

from OsteoScreenLib.benchmarks import review_soak
from OsteoScreenLib.benchmarks.review_reader import EXPORTS, MACHINE, READER, opinion_of
from OsteoScreenLib.benchmarks.review_soak import _export_faults, _store_faults, _Witness, soak
from OsteoScreenLib.review.export import export
from OsteoScreenLib.review.nouns import ModelFacts, Task
from OsteoScreenLib.review.project import merged


def test_a_killed_reader_loses_nothing() -> None:
    figures = soak(kills=5, seed=3)
    assert figures.faults == () and figures.passed and figures.kills == 5
    assert "passed: every read is there once" in figures.as_text()


@pytest.fixture
def told(tmp_path: Path) -> _Witness:
    """A study with three reads, an export, and who heard of them."""
    witness = _Witness()
    with store_in(tmp_path, READER, MACHINE) as store:
        for number in range(3):
            task = Task(f"C-{number}")
            read = store.lock(task, "first", opinion_of(task, "first"), ModelFacts(), 1, 0)
            witness.hear([f"locked {task.case} first {read.id}\n"])
        store.keep_draft(Task("C-3"), "first", {"entry": 0})
    export(merged(tmp_path), tmp_path / EXPORTS)
    witness.hear(["draft C-3 first 0\n", "exported 3\n"])
    assert _store_faults(tmp_path, witness) == [] == _export_faults(tmp_path, witness)
    return witness


def test_a_lost_read_is_seen(tmp_path: Path, told: _Witness) -> None:
    told.hear([f"locked C-3 first {'0' * 32}\n"])
    assert _store_faults(tmp_path, told) == ["C-3, first, was locked and is lost."]


def test_a_lost_draft_is_seen(tmp_path: Path, told: _Witness) -> None:
    told.hear(["draft C-3 first 1\n"])
    assert _store_faults(tmp_path, told) == ["The draft of C-3, first, is lost."]


def test_a_changed_or_doubled_read_is_seen(tmp_path: Path, told: _Witness) -> None:
    path = tmp_path / "reads" / f"{READER}@{MACHINE}.sqlite"
    with store_in(tmp_path, READER, MACHINE) as store:
        lock(store, "C-9")
        lock(store, "C-10")
    faults = _store_faults(tmp_path, told)
    assert "C-9, first, was changed." in faults and "2 reads were saved and not told." in faults
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("DROP TRIGGER events_update")
        connection.execute("UPDATE events SET case_id = 'C-7' WHERE sequence = 2")
    assert any("is damaged: its line 2" in fault for fault in _store_faults(tmp_path, told))


@pytest.mark.parametrize(("name", "kept"), [("reads.csv", 0.5), ("events.json", 0.9), ("export.json", 0.0)])
def test_a_cut_export_is_seen(tmp_path: Path, told: _Witness, name: str, kept: float) -> None:
    path = tmp_path / EXPORTS / name
    text = path.read_text(encoding="utf-8")
    path.write_text(text[: int(kept * len(text))], encoding="utf-8")
    assert any(fault.startswith(name) for fault in _export_faults(tmp_path, told))


def test_the_command_says_whether_it_passed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    from OsteoScreenLib.cli import main

    for faults, code, word in (((), 0, "passed: every"), (("C-1, first, was locked and is lost.",), 1, "not passed")):
        figures = review_soak.SoakFigures(2, 1, 5, 0, 1, 1.0, faults)
        monkeypatch.setattr(review_soak, "soak", lambda *_, figures=figures: figures)
        assert main(["bench", "review-soak", "--kills", "2"]) == code
        assert word in capsys.readouterr().out
