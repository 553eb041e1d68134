"""A written result read back from analysis.json, and in words."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from exchange.dicom_cases import DicomCase, dicom_case
from exchange.result_cases import OPINION, differences, prior_result

from OsteoScreenLib.errors import InputError
from OsteoScreenLib.exchange.analysis_file import read_result, result_from_table
from OsteoScreenLib.exchange.dicom.objects import FILES, write_dicom
from OsteoScreenLib.exchange.effects_text import EFFECTS, table_of
from OsteoScreenLib.exchange.prior_json import to_json
from OsteoScreenLib.exchange.prior_result import BoneTable, ReaderOpinion, TableEffect, TableRow, result_of
from OsteoScreenLib.exchange.prior_rows import rows
from OsteoScreenLib.explain.analysis import AnalysisRequest
from OsteoScreenLib.review.nouns import LockedRead, ModelFacts, Task
from OsteoScreenLib.workbench.table_text import FORMAT, JSON


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> DicomCase:
    return dicom_case(tmp_path_factory.mktemp("case"), request=AnalysisRequest(cover=("Spine",), mode="add-back", verdict=True))


def test_analysis_json_comes_back_to_the_last_digit(tmp_path: Path, case: DicomCase) -> None:
    path = tmp_path / "anything"
    path.write_text(case.analysis.to_json(), encoding="utf-8")
    assert differences(result_of(case.analysis), read_result(path), within=0) == []


def test_report_and_json_say_the_same(tmp_path: Path, case: DicomCase) -> None:
    """What `analyse --dicom` writes, read from either file."""
    files = write_dicom(tmp_path, case.path, case.analysis, case.radiograph, case.masks, case.overlay, only=("seg", "sr"))
    assert files["sr"].name == FILES["sr"]
    (tmp_path / "analysis.json").write_text(case.analysis.to_json(), encoding="utf-8")
    assert differences(read_result(tmp_path / "analysis.json"), read_result(files["sr"])) == []
    assert rows(read_result(tmp_path / "analysis.json")) == rows(read_result(files["sr"]))


def test_a_locked_read_gives_the_opinion() -> None:
    read = LockedRead("e1", "R1", "m1", Task("C-1"), "second", OPINION.opinion, ModelFacts(), 12.0, 0.0, OPINION.at, "0.1.0")
    assert ReaderOpinion.of(read) == OPINION
    assert ReaderOpinion.of(read, "osteopenia").target == "osteopenia"


def test_the_panels_table_goes_into_the_report() -> None:
    """The text of effects.json: current rows of these masks and this target, with their ranks."""
    row = {
        "of": "bone", "name": "T7", "delta_removed_points": 1.25, "delta_removed_log_odds": 0.1, "percentile_removed": 90.0,
        "p_removed": 0.1, "controls_removed": 20, "delta_added_points": None, "delta_added_log_odds": None, "percentile_added": None,
        "p_added": None, "controls_added": None, "state": "current",
    }  # fmt: skip
    held: dict[str, Any] = {
        "schema": FORMAT, "masks_sha256": "ab", "target": "osteoporosis", "fill": "blur", "margin_px": 2, "seed": 5,
        "rows": [{**row, "of": "all", "name": "all bones"}, row, {**row, "name": "T8", "state": "of former masks"},
                 {**row, "name": "T9", "delta_removed_points": None}, {**row, "name": "T10", "controls_removed": 0}],
    }  # fmt: skip
    found = table_of(json.dumps(held), "ab", "osteoporosis")
    effect = TableEffect(1.25, 0.1, 90.0, 0.1, 20)
    assert found == BoneTable(
        "blur", 2.0, 5,
        (
            TableRow("set", "all bones", effect, None), TableRow("bone", "T7", effect, None),
            TableRow("bone", "T10", TableEffect(1.25, 0.1), None),
        ),
    )  # fmt: skip
    assert table_of(json.dumps(held), "other masks", "osteoporosis") is None
    assert table_of(json.dumps(held), "ab", "osteopenia") is None
    assert EFFECTS == JSON
    for broken in ("", "[]", "{", json.dumps({**held, "rows": [{}]}), json.dumps({**held, "fill": "paint"})):
        assert table_of(broken, "ab", "osteoporosis") is None


def test_in_words() -> None:
    result = prior_result()
    told = rows(result)
    assert [title for title, _ in told[:2]] == ["Read first", "Read first"]
    words = dict(told)
    assert words["Class"] == "osteopenia"
    assert words["At the point of osteoporosis"].startswith("sensitivity 83.3 % of 192, specificity 79.4 % of 384")
    assert "at the edge" in words["Input check"]
    assert words["Chosen, but not found"] == "L2"
    assert words["Reader R1"].startswith("osteopenia, 40 % sure of osteoporosis")
    assert "Effect on osteoporosis: bone left rib 3" in words
    assert words["Worth to osteoporosis: all bones"] == (
        "removed +30.25 percentage points (percentile 95 of 20 controls); added back 0.00 percentage points"
    )
    assert json.loads(to_json(result))["covering"]["effects"][2]["name"] == "T7"


def test_words_keep_to_their_line() -> None:
    """A report may come from elsewhere: what it says cannot steer a terminal."""
    result = prior_result(statements=("\x1b[31mred\nand\ttwo lines\x07",))
    assert rows(result)[0] == ("Read first", "[31mred and two lines")


@pytest.mark.parametrize(
    "change",
    [
        lambda table: table.pop("prediction"),
        lambda table: table["prediction"].update(decision="fine"),
        lambda table: table["prediction"]["probabilities"].update(normal=2.0),
        lambda table: table["prediction"]["probabilities"].update(normal="much"),
        lambda table: table.update(notes=[{}]),
        lambda table: table.update(provenance=[]),
        lambda table: table["covering"].update(effects=[{"of": "bone"}]),
        lambda table: table.update(verdict={"kind": "looks at bone", "mood": 1}),
    ],
)
def test_damaged_files_are_refused(tmp_path: Path, case: DicomCase, change: Any) -> None:
    table = json.loads(case.analysis.to_json())
    result_from_table(table)
    change(table)
    path = tmp_path / "analysis.json"
    path.write_text(json.dumps(table))
    with pytest.raises(InputError, match="damaged") as refusal:
        read_result(path)
    assert refusal.value.code == "report"


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "null", '{"schema": "urn:osteoscreen:schema:analysis:9"}', "[" * 100_000, "\xff\xfe"]
)
def test_other_files_are_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "other.json"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(InputError) as refusal:
        read_result(path)
    assert "\n" not in str(refusal.value)
