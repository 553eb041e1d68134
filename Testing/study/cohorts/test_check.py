"""What is wrong with a cohort's table is found, each with its rows, its column and one sentence."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest
from study.cohorts.pictures import table

from OsteoScreenLib.errors import InputError
from OsteoScreenLib.study.cohort import read_cohort, read_table
from OsteoScreenLib.study.cohorts.check import age_alone, check_rows, read_rows, same_view
from OsteoScreenLib.study.cohorts.check_images import check_headers
from OsteoScreenLib.study.cohorts.findings import Finding, row_words

TODAY = date(2026, 1, 1)
CLASSES = ("normal", "osteopenia", "osteoporosis")


def rows_of(*changes: dict[str, Any]) -> list[dict[str, Any]]:
    """Six plausible rows of six patients, two of each class, then one for each of the changes."""
    plain = [
        {
            "patient_id": f"P{place}",
            "image": f"{place}.png",
            "label": CLASSES[place % 3],
            "age": 50 + place,
            "sex": "FM"[place % 2],
        }
        for place in range(6)
    ]
    return [
        *plain,
        *({"patient_id": f"Q{place}", "image": f"q{place}.png", "label": "normal"} | one for place, one in enumerate(changes)),
    ]


def found(folder: Path, *changes: dict[str, Any]) -> list[Finding]:
    read = read_table(table(folder, rows_of(*changes)))
    rows, findings = read_rows(read)
    return [*findings, *check_rows(rows, read, TODAY)]


def test_nothing_is_found_in_a_clean_table(tmp_path: Path) -> None:
    assert (
        found(tmp_path, {"age": 70, "sex": "female", "t_score": 0.5, "date": "2019-04-03", "device": "A", "view": "PA"}) == []
    )


@pytest.mark.parametrize(
    ("change", "code", "severity", "column", "words"),
    [
        ({"age": 17}, "implausible", "warning", "age", "Row 8, column age: 17 years is implausible (expected 18 to 100)"),
        ({"age": 107}, "implausible", "warning", "age", "107 years is implausible"),
        ({"age": 121}, "impossible", "error", "age", "121 years is impossible"),
        ({"age": -1}, "impossible", "error", "age", "-1 years is impossible"),
        ({"t_score": -7, "label": "osteoporosis"}, "implausible", "warning", "t_score", "-7 is implausible (expected -6 to 6)"),
        ({"t_score": 999}, "impossible", "error", "t_score", "999 is impossible"),
        ({"t_score": -2.6}, "class-and-t-score", "warning", "label", "says normal, but a T-score of -2.6 is osteoporosis"),
        ({"sex": 2}, "sex-code", "warning", "sex", "Row 8, column sex: the code '2' is not known; write F, M or O."),
        ({"date": "2027-01-01"}, "impossible", "error", "date", "2027-01-01 lies in the future"),
        ({"date": "1066"}, "impossible", "error", "date", "1066 lies before there were X-rays"),
        ({"label": "brittle"}, "cell", "error", "label", "Row 8, column label: 'brittle' is no class"),
        ({"age": "old"}, "cell", "error", "age", "Row 8, column age: 'old' is no number; write for example 67."),
        ({"date": "03/04/2019"}, "cell", "error", "date", "'03/04/2019' is no date; write for example 2019-04-03."),
        ({"split": "holdout"}, "cell", "error", "split", "'holdout' is no split; write training, validation or test."),
        ({"image": "0.png"}, "cell", "error", "image", "Row 8, column image: 0.png stands in row 2 already"),
    ],
)  # fmt: skip
def test_each_fault_is_one_sentence(
    tmp_path: Path, change: dict[str, Any], code: str, severity: str, column: str, words: str
) -> None:
    (one,) = found(tmp_path, change)
    assert (one.code, one.severity, one.rows, one.column) == (code, severity, (8,), column)
    assert words in one.sentence and "\n" not in one.sentence and one.sentence.endswith(".")
    assert one.left_out == (code == "cell") and one.emptied == (code == "impossible")


def test_a_class_from_an_impossible_t_score_is_not_known(tmp_path: Path) -> None:
    (one,) = found(tmp_path, {"label": "", "t_score": 99})
    assert one.code == "impossible" and one.left_out


def test_a_patient_is_one_person(tmp_path: Path) -> None:
    sexes = [{"patient_id": "X", "sex": "F"}, {"patient_id": "X", "sex": "male"}]
    (one,) = found(tmp_path, *sexes)
    assert one.code == "patient-sex" and one.rows == (8, 9) and "patient X has F and M" in one.sentence
    ages = [{"patient_id": "X", "age": 71, "date": "2010-05-01"}, {"patient_id": "X", "age": 64, "date": "2015-05-01"}]
    (one,) = found(tmp_path, *ages)
    assert one.code == "patient-age" and one.rows == (8, 9)
    assert found(tmp_path, *reversed([{**ages[0], "age": 60}, ages[1]])) == []


def test_what_says_nothing_is_said(tmp_path: Path) -> None:
    rows = [
        {"patient_id": f"P{place}", "image": f"{place}.png", "label": CLASSES[place % 2], "age": 50, "device": "A"}
        for place in range(12)
    ]
    read = read_table(table(tmp_path, rows))
    findings = {one.column: one for one in check_rows(read_rows(read)[0], read, TODAY)}
    assert findings["age"].severity == "warning" and findings["device"].severity == "info"
    assert findings["label"].code == "empty-class" and "No image is osteoporosis" in findings["label"].sentence


def test_age_alone_is_measured(tmp_path: Path) -> None:
    rows = [
        {"patient_id": f"P{place}", "image": f"{place}.png", "label": CLASSES[place // 10], "age": 40 + place}
        for place in range(30)
    ]
    (one,) = age_alone(read_cohort(table(tmp_path, rows)))
    assert one.severity == "warning" and "AUC of 1.00 (mean ages by class: 44, 54, 64)" in one.sentence
    for place, row in enumerate(rows):
        row["age"] = 50 + place % 10
    (one,) = age_alone(read_cohort(table(tmp_path, rows)))
    assert one.severity == "info" and "AUC of 0.50" in one.sentence
    assert age_alone(read_cohort(table(tmp_path, rows))[:20]) == (), "there is no osteoporosis"


def test_a_header_that_says_otherwise_and_another_body_part(tmp_path: Path) -> None:
    rows = read_cohort(table(tmp_path, rows_of({"view": "PA", "age": 60, "sex": "F"})))
    agreed = {row.number: {"sex": "", "age": "", "view": "", "site": "CHEST"} for row in rows}
    names = {column: column for column in ("sex", "age", "view", "image")}
    assert check_headers(rows, agreed, names) == ()
    differing = {**agreed, 8: {"sex": "M", "age": "035Y", "view": "LATERAL", "site": "HIP"}}
    found = check_headers(rows, differing, names)
    assert [one.column for one in found] == ["sex", "age", "view", "image"] and {one.rows for one in found} == {(8,)}
    assert (
        "the table says F, the image's header M" in found[0].sentence
        and "header says HIP, that of most images CHEST" in found[3].sentence
    )
    alike = {**agreed, 8: {"sex": "F", "age": "061Y", "view": "PA", "site": "CHEST"}}
    assert check_headers(rows, alike, names) == ()


def test_views_are_compared_by_what_they_mean() -> None:
    assert (
        same_view("frontal", "PA")
        and same_view("chest PA", "PA")
        and same_view("lateral", "LATERAL")
        and same_view("LL", "lat")
    )
    assert not same_view("PA", "AP") and not same_view("PA", "LATERAL")


def test_optional_columns_are_read_and_kept(tmp_path: Path) -> None:
    cells = {
        "label": "osteopenia",
        "t_score": "-1.5",
        "age": "061Y",
        "sex": "Female",
        "device": "X 1",
        "view": "PA",
        "date": "20190403",
        "split": "val",
    }
    absent = {"label": "normal", "t_score": "n/a", "age": "", "sex": "unknown", "date": "nan", "split": "-"}
    one, other = read_cohort(
        table(tmp_path, [{"patient_id": "P", "image": "a.png"} | cells, {"patient_id": "R", "image": "b.png"} | absent])
    )
    assert (one.t_score, one.age, one.sex, one.device, one.view, one.date, one.split) == (
        -1.5,
        61.0,
        "F",
        "X 1",
        "PA",
        "2019-04-03",
        "validation",
    )
    assert (other.t_score, other.age, other.sex, other.device, other.date, other.split) == (None,) * 6


def test_a_table_may_call_its_columns_otherwise(tmp_path: Path) -> None:
    rows = [{"case": "P", "file": "a.png", "diagnosis": "normal"}, {"case": "R", "file": "b.png", "diagnosis": "brittle"}]
    path = table(tmp_path, rows)
    names = {"patient_id": "case", "image": "file", "label": "diagnosis"}
    with pytest.raises(InputError, match="Row 3, column diagnosis: 'brittle' is no class"):
        read_cohort(path, names)
    with pytest.raises(InputError, match="has no column person; its columns are case, file, diagnosis"):
        read_cohort(path, {"patient_id": "person"})
    with pytest.raises(InputError, match="A cohort has no column weight; its columns are patient_id, image"):
        read_cohort(path, {"weight": "case"})
    assert read_cohort(table(tmp_path, rows[:1]), names)[0].label == 0


def test_rows_are_named_as_people_do() -> None:
    assert (row_words([3]), row_words([3, 9]), row_words([3, 9, 14])) == ("Row 3", "Rows 3 and 9", "Rows 3, 9 and 14")
    assert row_words(range(2, 30)) == "Rows 2, 3, 4, 5, 6, 7, 8, 9 and 20 more"
