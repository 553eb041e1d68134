"""`osteoscreen review`: made, listed, read by two readers on two machines, merged, exported and reported, all from the command line."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from radiograph.synthetic import data_set, grey_picture, save

from OsteoScreenLib.cli import main
from OsteoScreenLib.files import resource_folder
from OsteoScreenLib.radiograph.read import read_radiograph
from OsteoScreenLib.review.nouns import ModelFacts, Opinion, Task
from OsteoScreenLib.review.places import store_path
from OsteoScreenLib.review.store import ReaderStore
from OsteoScreenLib.review.study import open_study
from OsteoScreenLib.review.worklist import worklist

CLASSES = ("normal", "osteopenia", "osteoporosis")
WINDOW = {"BitsStored": 12, "HighBit": 11, "WindowCenter": 2000, "WindowWidth": 3500}
NO_MODEL = ModelFacts()
MODEL = ModelFacts("chest-sim-classifier", "0" * 64, "osteopenia", (0.2, 0.5, 0.3))


@pytest.fixture(autouse=True)
def own_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OSTEOSCREEN_SETTINGS", str(tmp_path / "settings"))


@pytest.fixture
def table(tmp_path: Path) -> Path:
    folder = tmp_path / "Nightingale"
    folder.mkdir()
    rows = []
    for number in range(9):
        save(
            data_set(grey_picture(seed=number), ViewPosition="PA", PatientID=f"SECRET-17{number}", **WINDOW),
            folder / f"{number}.dcm",
        )
        rows.append(f"{number}.dcm,{CLASSES[number % 3]}")
    path = folder / "cohort.csv"
    path.write_text("file,diagnosis\n" + "\n".join(rows) + "\n")
    return path


def said(capsys: pytest.CaptureFixture[str], *arguments: object, code: int = 0) -> dict[str, Any]:
    assert main(["review", *map(str, arguments), "--json"]) == code
    return json.loads(capsys.readouterr().out)


def make(table: Path, folder: Path, capsys: pytest.CaptureFixture[str], *more: object) -> dict[str, Any]:
    columns = "image=file,label=diagnosis"
    return said(
        capsys, "create", table, "--study", folder, "--columns", columns, "--readers", "R1,R2", "--repeats", 0.34, *more
    )


def read(folder: Path, reader: str, machine: str, count: int, shift: int = 0) -> None:
    """A reader reads the first tasks of the list, both phases; the class by the truth, one off for every fourth."""
    study = open_study(folder)
    with ReaderStore.open(store_path(folder, reader, machine), reader, machine, "1.0") as store:
        for place, task in enumerate(worklist(study, reader).tasks[:count]):
            if store.locked(task, "second"):
                continue
            truth = CLASSES.index(study.case(task.case).truth or "")
            first = CLASSES[min(truth + ((place + shift) % 4 == 0), 2)]
            store.append("opened", task)
            store.lock(task, "first", Opinion(first, 10 + 30 * truth), NO_MODEL, 12.0, 0.5)
            store.lock(task, "second", Opinion(CLASSES[truth], 20 + 30 * truth, changed_because="the heatmap"), MODEL, 6.0, 0.0)


def test_copies_with_text_in_their_pixels_are_named(table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shown = (grey_picture(300, 320) >> 4).astype(np.uint8)
    cv2.putText(shown, "NIGHTINGALE", (20, 40), cv2.FONT_HERSHEY_SIMPLEX, 0.8, 255, 2)
    save(data_set(shown.astype(np.uint16) << 4, ViewPosition="PA", PatientID="SECRET-175", **WINDOW), table.parent / "5.dcm")
    made = make(table, tmp_path / "study", capsys, "--copy")
    (case,) = made["text_found"]
    study = open_study(tmp_path / "study")
    assert read_radiograph(study.image_path(study.case(case))).shape == (300, 320)
    assert (
        main(
            [
                "review",
                "create",
                str(table),
                "--study",
                str(tmp_path / "other"),
                "--columns",
                "image=file,label=diagnosis",
                "--copy",
            ]
        )
        == 0
    )
    assert "What looks like text was found in 1 of them: C-" in capsys.readouterr().out


def test_create_says_what_it_made(table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = make(
        table, tmp_path / "study", capsys, "--copy", "--title", "First", "--mode", "open", "--each-case", 1, "--seed", 4
    )
    assert (made["cases"], made["patients"], made["copied"], made["left_out"]) == (9, 9, True, [])
    assert made["truth"] == dict.fromkeys(CLASSES, 3)
    protocol = open_study(tmp_path / "study").protocol
    assert (protocol.title, protocol.mode, protocol.each_case, protocol.repeats, protocol.seed) == ("First", "open", 1, 0.34, 4)
    assert main(["review", "create", str(table.parent), "--study", str(tmp_path / "plain")]) == 0
    printed = capsys.readouterr().out
    assert "9 cases of 9 patients, the truth known of 0" in printed and "Nightingale" not in printed
    assert "SECRET" not in printed and "private/sources.csv" in printed


def test_create_names_what_it_left_out(table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    damaged = table.parent / "3.dcm"
    damaged.write_bytes(damaged.read_bytes()[:-2000])
    (table.parent / "5.dcm").unlink()
    made = said(
        capsys, "create", table, "--study", tmp_path / "study", "--columns", "image=file,label=diagnosis", "--copy", code=2
    )
    assert made["cases"] == 7 and len(made["left_out"]) == 2


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["create", "nowhere", "--study", "s"], "There is no file or folder"),
        (["create", "SAMPLES", "--study", "s", "--readers", "R1,R1"], "named twice"),
        (["create", "SAMPLES", "--study", "s", "--readers", "Dr. No"], "no name of a person"),
        (["create", "SAMPLES", "--study", "s", "--each-case", "2", "--readers", "R1"], "more than the 1"),
        (["create", "SAMPLES", "--study", "s", "--site", "elbow"], "body site"),
        (["create", "SAMPLES", "--study", "s", "--target", "low"], "There is no class"),
        (["status", "s"], "There is no reader study"),
        (["list", "s", "--reader", "R1"], "There is no reader study"),
        (["report", "s"], "There is no reader study"),
    ],
)
def test_one_sentence(
    arguments: list[str], words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    given = [str(resource_folder("SampleData")) if one == "SAMPLES" else one for one in arguments]
    assert main(["review", *given]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert words in lines[-1] and "Traceback" not in "".join(lines) and not (tmp_path / "s").exists()


def test_the_worklist_tells_no_pseudonym(table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "study"
    make(table, folder, capsys)
    read(folder, "R1", "m1", 2)
    listed = said(capsys, "list", folder, "--reader", "R1")["tasks"]
    assert [task["number"] for task in listed] == list(range(1, 13)) and [task["status"] for task in listed[:3]] == [
        "done",
        "done",
        "unread",
    ]
    assert set(listed[0]) == {"number", "status", "view"}
    assert [task["number"] for task in said(capsys, "list", folder, "--reader", "R1", "--status", "done")["tasks"]] == [1, 2]
    assert main(["review", "list", str(folder), "--reader", "R1", "--search", "3"]) == 0
    assert capsys.readouterr().out == "Case 3: unread, PA\n"
    assert main(["review", "list", str(folder), "--reader", "R9"]) == 2


def test_a_study_on_two_machines(table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Carried to a second computer without the private folder, read on both, merged both ways: the same view."""
    here, there = tmp_path / "here", tmp_path / "there"
    make(table, here, capsys, "--copy")
    shutil.copytree(here, there, ignore=shutil.ignore_patterns("private"))
    read(here, "R1", "m1", 12)
    read(there, "R2", "m2", 5, shift=1)
    assert said(capsys, "status", here)["readers"][1]["tasks"]["done"] == 0
    other = tmp_path / "other"
    shutil.copytree(there, other)
    first = said(capsys, "merge", here, there)
    again = said(capsys, "merge", here, there)
    back = said(capsys, "merge", other, here)
    assert first["view"] == again["view"] == back["view"] and first["reads"] == again["reads"] == 2 * (12 + 5)
    assert not (other / "private").exists()
    status = said(capsys, "status", here)
    assert [(one["reader"], one["tasks"]["done"], one["tasks"]["unread"]) for one in status["readers"]] == [
        ("R1", 12, 0),
        ("R2", 5, 7),
    ]
    assert status["conflicts"] == [] and status["analysed"] == 0 and status["view"] == first["view"]
    assert main(["review", "status", str(here)]) == 0
    assert "R2: 5 of 12 done, 7 unread" in capsys.readouterr().out


def test_another_study_is_not_merged(table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("one", "two"):
        make(table, tmp_path / name, capsys)
        read(tmp_path / name, "R1", name, 1)
    assert main(["review", "merge", str(tmp_path / "one"), str(tmp_path / "two")]) == 2
    assert "is another study" in capsys.readouterr().err
    assert len(list((tmp_path / "one" / "reads").iterdir())) == 1


def test_export_and_report(table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("statsmodels")
    folder = tmp_path / "study"
    make(table, folder, capsys, "--title", "Report me")
    read(folder, "R1", "m1", 12)
    read(folder, "R2", "m2", 10, shift=1)
    files = {Path(path).name for path in said(capsys, "export", folder)["files"]}
    assert {"reads.csv", "reads.json", "masks.csv", "conflicts.csv", "imrmc.imrmc"} <= files
    with open(folder / "exports" / "reads.csv", newline="") as stream:
        reads = list(csv.DictReader(stream))
    assert len(reads) == 2 * (12 + 10) and {row["reader"] for row in reads} == {"R1", "R2"}
    told = said(capsys, "report", folder, "--out", tmp_path / "out")
    page = Path(told["files"]["html"]).read_text(encoding="utf-8")
    assert "Report me" in page and "R2 (2)" in told["unfinished"][0] and "Not all is read yet" in page
    public = b"".join(path.read_bytes() for place in (folder / "exports", tmp_path / "out") for path in place.iterdir())
    for secret in (b"Nightingale", b"SECRET", b"cohort.csv", str(tmp_path).encode()):
        assert secret not in public, secret


def test_export_without_truth_says_why_there_is_no_imrmc(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said(
        capsys, "create", *sorted(resource_folder("SampleData").glob("*.dcm")), "--study", tmp_path / "study", "--mode", "alone"
    )
    told = said(capsys, "export", tmp_path / "study")
    assert told["remark"].startswith("No file for iMRMC") and not any("imrmc" in path for path in told["files"])


def test_the_shipped_samples_are_a_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = said(capsys, "create", resource_folder("SampleData") / "samples.csv", "--study", tmp_path / "study")
    assert made["truth"] == {"normal": 1, "osteoporosis": 1} and made["patients"] == 2 and made["left_out"] == []
    assert {case.t_score for case in open_study(tmp_path / "study").cases} == {0.5, -3.6}
    tasks = worklist(open_study(tmp_path / "study"), "R1").tasks
    assert len(tasks) == 2 and Task("C-00001") in tasks
