"""A cohort's table is read as people write it, and what is wrong is said by row and column."""

from __future__ import annotations

from pathlib import Path

import pytest

from OsteoScreenLib.errors import InputError
from OsteoScreenLib.study.cohort import cohort_digest, read_cohort


def written(folder: Path, text: str) -> Path:
    path = folder / "cohort.csv"
    path.write_bytes(text.encode("utf-8-sig"))
    return path


def test_label_counts_before_the_t_score_and_other_columns_are_passed_over(tmp_path: Path) -> None:
    text = (
        "age,patient_id,image,t_score,label,masks\n"
        "70,P1,a.png,-3,Normal,m/a.seg.nrrd\n71,P1,b.png,-2.5,,\n72,P2,/elsewhere/c.png,-2.4,,\n73,P3,d.png,-1,,\n"
    )
    rows = read_cohort(written(tmp_path, text))
    assert [(row.number, row.patient, row.label) for row in rows] == [(2, "P1", 0), (3, "P1", 2), (4, "P2", 1), (5, "P3", 0)]
    assert rows[0].image == tmp_path / "a.png" and rows[0].masks == tmp_path / "m" / "a.seg.nrrd" and rows[1].masks is None
    assert rows[2].image == Path("/elsewhere/c.png")
    assert read_cohort(written(tmp_path, text.replace(",", ";"))) == rows


def test_the_digest_is_of_what_the_rows_say_wherever_the_folder_lies(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    text = "patient_id,image,label\nP1,a.png,normal\nP2,b.png,osteoporosis\n"
    digest = cohort_digest(read_cohort(written(tmp_path, text)), tmp_path)
    moved = written(tmp_path / "other", text.replace(",label", ",label,age").replace("normal\n", "normal,70\n"))
    assert digest == cohort_digest(read_cohort(moved), tmp_path / "other")
    assert digest != cohort_digest(read_cohort(written(tmp_path, text.replace("P2", "P1"))), tmp_path)


@pytest.mark.parametrize(
    "text,words",
    [
        ("", "no column patient_id"),
        ("patient_id,label\nP1,normal\n", "no column image"),
        ("patient_id,image\nP1,a.png\n", "neither a column label nor t_score"),
        ("patient_id,image,label\n", "has no rows"),
        ("patient_id,image,label\nP1,a.png,normal\n,b.png,normal\n", "Row 3, column patient_id: nothing stands there"),
        ("patient_id,image,label\nP1,,normal\n", "Row 2, column image: nothing stands there"),
        ("patient_id,image,label\nP1,a.png\n", "Row 2, column label: neither it nor t_score"),
        ("patient_id,image,label\nP1,a.png,brittle\n", "Row 2, column label: 'brittle' is no class"),
        ("patient_id,image,t_score\nP1,a.png,low\n", "Row 2, column t_score: 'low' is no number"),
        ("patient_id,image,t_score\nP1,a.png,nan\n", "Row 2, column t_score: 'nan' is no number"),
        ("patient_id,image,label\nP1,a.png,normal\nP2,a.png,normal\n", "Row 3, column image: a.png stands in row 2 already"),
        ('patient_id,image,label\nP1,"a.png,normal\n', "is no CSV file"),
    ],
)
def test_what_is_wrong_is_one_sentence(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(InputError, match=words) as caught:
        read_cohort(written(tmp_path, text))
    assert "\n" not in str(caught.value)


def test_no_table_and_no_text_are_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="There is no table"):
        read_cohort(tmp_path / "cohort.csv")
    (tmp_path / "cohort.csv").write_bytes(b"\xff\xfe\x00\xd8patient")
    with pytest.raises(InputError, match="could not be read as text"):
        read_cohort(tmp_path / "cohort.csv")
