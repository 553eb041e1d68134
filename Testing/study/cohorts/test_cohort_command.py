"""`osteoscreen cohort`: from a table with faults to splits, in files that agree, and one sentence for what cannot be done."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path
from typing import Any

import pytest
from study.cohorts.pictures import limb, recompressed, resized, saved, table

from OsteoScreenLib.cli import main
from OsteoScreenLib.radiograph.radiograph import Radiograph
from OsteoScreenLib.study.cohort import read_cohort
from OsteoScreenLib.study.cohorts import fingerprint_store

REPOSITORY = Path(__file__).resolve().parents[3]
CLASSES = ("normal", "osteopenia", "osteoporosis")


def clean(folder: Path, patients: int = 30) -> list[dict[str, Any]]:
    """Rows and images of patients, ten of each class at 30."""
    rows = []
    for place in range(patients):
        saved(folder / "images" / f"{place}.png", limb(place, (160, 128)))
        rows.append(
            {
                "patient_id": f"P{place}",
                "image": f"images/{place}.png",
                "label": CLASSES[place % 3],
                "age": 40 + place,
                "sex": "F",
            }
        )
    return rows


def run(path: Path, *options: str) -> int:
    return main(["cohort", str(path), "--out", str(path.parent / "out"), *options])


def written(path: Path) -> tuple[dict[str, dict[str, str]], list[dict[str, str]]]:
    """cohort.csv by image name, and the findings."""
    out = path.parent / "out"
    with open(out / "cohort.csv", encoding="utf-8", newline="") as stream:
        rows = {Path(row["image"]).name: row for row in csv.DictReader(stream)}
    with open(out / "findings.csv", encoding="utf-8", newline="") as stream:
        return rows, list(csv.DictReader(stream))


def test_a_clean_cohort_is_split_and_read_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = table(tmp_path, clean(tmp_path))
    assert run(path) == 0
    said = capsys.readouterr().out
    assert "30 images of 30 patients: 10 normal, 10 osteopenia, 10 osteoporosis." in said
    assert "Training: 21 images of 21 patients: 7 normal, 7 osteopenia, 7 osteoporosis." in said
    assert "Validation: 3 images of 3 patients: 1 normal, 1 osteopenia, 1 osteoporosis." in said
    before, after = read_cohort(path), read_cohort(tmp_path / "out" / "cohort.csv")
    assert [row.image.resolve() for row in after] == [row.image.resolve() for row in before]
    assert [(row.patient, row.label, row.age, row.sex) for row in after] == [
        (row.patient, row.label, row.age, row.sex) for row in before
    ]
    assert {row.split for row in after} == {"training", "validation", "test"}
    assert run(tmp_path / "out" / "cohort.csv", "--seed", "7") == 0
    again = read_cohort(tmp_path / "out" / "out" / "cohort.csv")
    assert [row.split for row in again] == [row.split for row in after], "splits that are given stay"
    assert run(tmp_path / "out" / "cohort.csv", "--seed", "7", "--new-split") == 0
    assert [row.split for row in read_cohort(tmp_path / "out" / "out" / "cohort.csv")] != [row.split for row in after]


def test_an_unreadable_image_in_row_412_is_named_and_the_others_stay(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = clean(tmp_path, 6)
    for number in range(8, 420):
        name = f"images/{number}.png"
        if number not in (412, 415):
            (tmp_path / name).symlink_to(tmp_path / "images" / f"{number % 6}.png")
        rows.append({**rows[number % 6], "patient_id": rows[number % 6]["patient_id"], "image": name})
    (tmp_path / "images" / "412.png").write_bytes(b"\x89PNG\r\n\x1a\n torn")
    path = table(tmp_path, rows)
    assert run(path, "--no-near") == 2
    said = capsys.readouterr().out
    assert (
        "error: Row 412, column image: 412.png is a damaged picture" in said
        and "error: Row 415, column image: There is no file" in said
    )
    kept, findings = written(path)
    assert len(kept) == len(rows) - 2 and "412.png" not in kept
    assert len(read_cohort(tmp_path / "out" / "cohort.csv")) == len(kept), "links to one file are read as two images"
    assert {row["rows"] for row in findings if row["left_out"]} == {"412", "415"}


def test_copies_stay_together_and_conflicts_are_left_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = clean(tmp_path)
    saved(tmp_path / "images" / "same.png", limb(0, (160, 128)))
    saved(tmp_path / "images" / "near.png", resized(recompressed(limb(3, (160, 128)), 60), 0.8))
    saved(tmp_path / "images" / "other.png", limb(4, (160, 128)))
    rows += [
        {"patient_id": "copy of 0", "image": "images/same.png", "label": "normal", "age": 99, "sex": "F"},
        {"patient_id": "copy of 3", "image": "images/near.png", "label": "normal", "age": 43, "sex": "F"},
        {"patient_id": "copy of 4", "image": "images/other.png", "label": "osteoporosis", "age": 44, "sex": "M"},
    ]
    path = table(tmp_path, rows)
    assert run(path) == 0
    said = capsys.readouterr().out
    assert "2 groups of identical images and 1 with resized" in said and "in 1 the rows disagree about the class" in said
    assert (
        "error: Rows 6 and 34: the same pixels, of 2 patients of different sex, called osteopenia and osteoporosis; all are left"
        in said
    )
    assert "warning: Rows 2 and 32: the same pixels, of 2 patients of different age; they stay in one split." in said
    assert re.search(r"warning: Rows 5 and 33: copies of one image \(correlation 0\.9\d+\), of 2 patients; they stay", said)
    kept, _ = written(path)
    assert len(kept) == 31 and "4.png" not in kept and "other.png" not in kept
    assert kept["0.png"]["split"] == kept["same.png"]["split"] and kept["3.png"]["split"] == kept["near.png"]["split"]
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert page.count("<figure>") == 4 and page.count('class="group conflicting"') == 1
    assert not re.search(r'(src|href)="(?!data:)|https?:', page), "no outside reference"

    assert run(path, "--drop-duplicates", "--keep-conflicting") == 0
    kept, _ = written(path)
    assert {"0.png", "3.png", "4.png", "other.png"} <= set(kept) and not {"same.png", "near.png"} & set(kept)
    assert kept["4.png"]["split"] == kept["other.png"]["split"], "a patient and its copy are never apart"
    assert run(path, "--no-near") == 0
    assert "2 groups of identical images and 0 with" in capsys.readouterr().out


def test_copies_across_the_tables_own_splits_are_a_leak(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [{**row, "split": ("training", "training", "test")[place // 3 % 3]} for place, row in enumerate(clean(tmp_path))]
    saved(tmp_path / "images" / "9.png", limb(6, (160, 128)))
    path = table(tmp_path, rows)
    assert run(path) == 0
    said = capsys.readouterr().out
    assert "error: Rows 8 and 11: the same image stands in training and test, as the table's own splits want it" in said
    assert "1 image in more than one split." in said
    assert run(path, "--new-split") == 0
    assert "No patient, and no image that was found twice, is in more than one split." in capsys.readouterr().out


def test_impossible_values_are_emptied_and_the_table_is_not_touched(tmp_path: Path) -> None:
    rows = clean(tmp_path, 9)
    rows[0]["age"], rows[1]["age"] = 240, 105
    path = table(tmp_path, rows)
    before = path.read_bytes()
    assert run(path) == 0
    kept, findings = written(path)
    assert kept["0.png"]["age"] == "" and kept["1.png"]["age"] == "105" and kept["0.png"]["row"] == "2"
    assert [(one["code"], one["rows"]) for one in findings if one["column"] == "age"][:2] == [
        ("impossible", "2"),
        ("implausible", "3"),
    ]
    assert path.read_bytes() == before


def test_a_second_call_reads_no_image_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = table(tmp_path, clean(tmp_path, 9))
    read: list[str] = []
    reader = fingerprint_store.read_radiograph

    def told(image: Path) -> Radiograph:
        read.append(image.name)
        return reader(image)

    monkeypatch.setattr(fingerprint_store, "read_radiograph", told)
    assert run(path) == 0 and len(read) == 9
    first = (tmp_path / "out" / "cohort.csv").read_bytes()
    saved(tmp_path / "images" / "4.png", limb(77, (160, 140)))
    assert run(path) == 0 and read[9:] == ["4.png"], "a file that changed is read again"
    assert (tmp_path / "out" / "cohort.csv").read_bytes() == first


def test_a_damaged_store_is_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = table(tmp_path, clean(tmp_path, 6))
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "images.sqlite").write_bytes(b"no database at all" * 100)
    assert run(path) == 1
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert error.startswith("images.sqlite in ") and "delete the file to begin anew" in error


def test_json_says_the_same(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = table(tmp_path, clean(tmp_path, 12))
    assert run(path, "--json", "--columns", "label=label") == 0
    told = json.loads(capsys.readouterr().out)
    assert told["images"] == told["kept"] == 12 and set(told["files"]) == {"cohort", "findings", "html"}
    assert all(Path(file).is_file() for file in told["files"].values()) and told["findings"][0]["sentence"]


@pytest.mark.parametrize(
    ("change", "options", "words"),
    [
        ({"patient_id": "P0"}, (), "All images are of one patient (P0), too few for 3 splits"),
        ({"patient_id": "P0", "split": "test"}, (), "Rows 2 and 3, column split: patient P0 stands in training and in test"),
        ({}, ("--split", "70,30"), "three numbers, for example 70,10,20"),
        ({}, ("--columns", "diagnosis"), "Write --columns as pairs"),
        ({}, ("--columns", "label=diagnosis"), "cohort.csv has no column diagnosis"),
        ({"label": "brittle"}, (), "No row of the table can be used; the first reason is: Row 2, column label"),
        ({"image": "nowhere{place}.png"}, (), "No row of the table can be used; the first reason is: Row 2, column image: There is no file"),
        ({}, ("--out", "{folder}"), "cohort.csv would be overwritten; choose another folder with --out"),
        ({}, ("--out", "{folder}/images/0.png"), "is a file; name a folder with --out"),
    ],
)  # fmt: skip
def test_what_cannot_be_done_is_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], change: dict[str, str], options: tuple[str, ...], words: str
) -> None:
    rows = [
        row
        | {column: text.format(place=place) for column, text in change.items()}
        | {"split": change.get("split", "") and ("training" if not place else "test")}
        for place, row in enumerate(clean(tmp_path, 6))
    ]
    path = table(tmp_path, rows)
    assert run(path, *(option.format(folder=tmp_path) for option in options)) == 2
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert words in error and "Traceback" not in error


def test_the_real_knee_cohort(shared_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """239 images, 217 distinct, 7 groups of identical images with different labels, two implausible ages."""
    real = shared_data / "knee_cohort" / "cohort.csv"
    assert main(["cohort", str(real), "--out", str(tmp_path), "--columns", "label=diagnosis", "--no-near"]) == 0
    said = capsys.readouterr().out.splitlines()[:-1]
    told = (REPOSITORY / "Resources" / "Docs" / "knee-cohort.md").read_text(encoding="utf-8").split("```\n")[3]
    assert told.splitlines() == said, "the docs hold what the command prints"
    with open(tmp_path / "findings.csv", encoding="utf-8", newline="") as stream:
        found = [(row["code"], [int(number) for number in row["rows"].split()]) for row in csv.DictReader(stream)]
    assert [rows for code, rows in found if code == "conflicting-copies"] == [
        [14, 16],
        [73, 76, 77],
        [82, 99],
        [140, 151],
        [142, 169],
        [156, 200],
        [176, 225],
    ]
    together = [rows for code, rows in found if code == "copies"]
    assert len(together) == 14 and [rows for code, rows in found if code == "implausible"] == [[159], [163]]
    kept = read_cohort(tmp_path / "cohort.csv")
    assert len(kept) == 224 and len({row.patient for row in kept}) == 224
    by_number = {int(number): row for number, row in zip(_numbers(tmp_path / "cohort.csv"), kept, strict=True)}
    assert all(len({by_number[number].split for number in rows}) == 1 for rows in together)


def _numbers(path: Path) -> list[str]:
    with open(path, encoding="utf-8", newline="") as stream:
        return [row["row"] for row in csv.DictReader(stream)]
