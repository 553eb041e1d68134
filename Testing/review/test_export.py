"""The merged view as tables that are whole, complete, and of one moment."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from review.kept_reads import clock_at, lock, store_in

from OsteoScreenLib.errors import InputError, OsteoScreenError
from OsteoScreenLib.review import export as export_module
from OsteoScreenLib.review.export import READ_COLUMNS, check, export
from OsteoScreenLib.review.nouns import ModelFacts, Opinion, Task
from OsteoScreenLib.review.project import merged


@pytest.fixture
def study(tmp_path: Path) -> Path:
    with store_in(tmp_path, machine="mA", clock=clock_at(0, 1, 2, 3, 4)) as store:
        lock(store, "C-1")
        lock(store, "C-1", "second", decision="osteopenia")
        comment = '=HYPERLINK("http://x"), "quoted"\nand a second line'
        store.lock(
            Task("C-2", 1), "first", Opinion("normal", 3, findings=("scoliosis", "other"), comment=comment), ModelFacts(), 1, 0
        )
        store.judge("C-1", "sternum", "rejected", 0, "-too large")
    with store_in(tmp_path, machine="mB", clock=clock_at(9)) as store:
        lock(store, "C-1", decision="osteoporosis")
    return tmp_path


def test_every_read_stands_in_the_tables(study: Path) -> None:
    view, folder = merged(study), study / "exports" / "tables"
    files = export(view, folder)
    assert sorted(path.name for path in folder.iterdir()) == sorted(path.name for path in files)
    assert files[-1].name == "export.json" and check(folder)["view"] == view.code
    assert check(folder)["counts"] == {"reads": 3, "conflicts": 1, "verdicts": 1, "events": 5}
    with open(folder / "reads.csv", encoding="utf-8", newline="") as table:
        rows = list(csv.DictReader(table))
    assert tuple(rows[0]) == READ_COLUMNS and [row["id"] for row in rows] == [read.id for read in view.reads]
    second, other = rows[1], rows[2]
    assert (second["phase"], second["decision"], second["confidence"]) == ("second", "osteopenia", "40")
    assert (second["model"], second["bundle_sha256"], second["app"]) == ("chest", "ab" * 32, "1.0")
    assert [float(second[f"model_p_{name}"]) for name in ("normal", "osteopenia", "osteoporosis")] == [0.2, 0.5, 0.3]
    assert (float(second["active_seconds"]), float(second["idle_seconds"])) == (12.5, 1.25)
    assert rows[0]["model"] == rows[0]["model_p_normal"] == "" and other["repeat"] == "1"
    assert other["findings"] == "scoliosis; other" and other["comment"] == f"'{view.reads[2].opinion.comment}"
    with open(folder / "conflicts.csv", encoding="utf-8", newline="") as table:
        (conflict,) = csv.DictReader(table)
    assert (conflict["machine"], conflict["decision"], conflict["counted"]) == ("mB", "osteoporosis", view.reads[0].id)
    with open(folder / "masks.csv", encoding="utf-8", newline="") as table:
        (mask,) = csv.DictReader(table)
    assert (mask["bone"], mask["verdict"], mask["reason"]) == ("sternum", "rejected", "'-too large")
    stored = json.loads((folder / "reads.json").read_text(encoding="utf-8"))
    assert stored[2]["opinion"]["comment"] == view.reads[2].opinion.comment  # word for word here
    events = json.loads((folder / "events.json").read_text(encoding="utf-8"))
    assert [event["id"] for event in events] == [event.id for event in view.events]


def test_an_export_that_was_cut_short_is_known(study: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = study / "exports"
    with pytest.raises(InputError, match="missing or damaged; export again"):
        check(folder)
    export(merged(study), folder)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    with store_in(study, "r2") as store:
        lock(store, "C-1")
    written = []

    def cut(path: Path, text: str) -> Path:
        if written:
            raise OsteoScreenError("cut short")
        written.append(path)
        return write(path, text)

    write = export_module.write_text
    monkeypatch.setattr(export_module, "write_text", cut)
    with pytest.raises(OsteoScreenError):
        export(merged(study), folder)
    monkeypatch.undo()
    with pytest.raises(InputError, match=r"reads.csv in .* is not of the same export; export again") as found:
        check(folder)
    assert found.value.code == "export"
    assert {path.name for path in folder.iterdir() if path.read_bytes() != before[path.name]} == {"reads.csv"}
    export(merged(study), folder)
    assert check(folder)["counts"]["reads"] == 4


def test_a_folder_that_cannot_be_made_is_one_sentence(study: Path) -> None:
    (study / "exports").write_text("a file")
    with pytest.raises(OsteoScreenError, match=r"cannot be made .*; choose another one"):
        export(merged(study), study / "exports" / "tables")
