"""The table as text: every line says what its numbers belong to, and nothing that is unknown looks like a number."""

from __future__ import annotations

import csv
import io
import json

import pytest
from workbench.cases import masks, saliency
from workbench.test_effect_table import answer_controls
from workbench.test_effect_table import case as _case

from OsteoScreenLib.explain.overlap import measure_overlap
from OsteoScreenLib.workbench import table_text
from OsteoScreenLib.workbench.answers import Answers
from OsteoScreenLib.workbench.case import Case

case = _case


@pytest.fixture
def full(case: Case) -> Case:
    case.take_saliency(saliency(), measure_overlap(saliency(), masks()))
    answer_controls(case, "remove")
    return case


def test_the_clipboards_table_has_heads_with_units_and_one_line_a_row(full: Case) -> None:
    heads, *lines = [line.split("\t") for line in table_text.tab_separated(full).splitlines()]
    assert len(lines) == len(full.table.rows()) and {len(line) for line in lines} == {len(heads)}
    rows = {line[1]: dict(zip(heads, line, strict=True)) for line in lines}
    spine = rows["T7"]
    assert float(spine["Δ removed (points of P(osteoporosis))"]) == pytest.approx(20)
    assert spine["Percentile among controls, removed (0-100)"].startswith("95.2") and spine["Controls, removed"] == "20"
    assert spine["Percentile among controls, added back (0-100)"] == "", "not known, so not written"
    assert rows["left clavicle"]["Controls, removed"] == "0", "there is no room"
    assert float(spine["Share of heatmap (0-1)"]) == pytest.approx(full.table.rows()["T7"].mass_share)  # type: ignore[arg-type]
    said = [spine[name] for name in ("Image", "Model", "Target", "Fill", "Margin (px)", "Heatmap method", "Computed on")]
    assert said == ["chest.dcm", "some-model", "osteoporosis", "mean", "0", "Grad-CAM", "cpu fp32"]
    full.set_target("normal")
    assert "Δ removed (points of P(normal))" in table_text.tab_separated(full)
    assert dict(zip(heads, table_text.tab_separated(full).splitlines()[1].split("\t"), strict=True))["Heatmap method"] == ""


def test_the_files_hold_the_same_numbers_to_the_last_digit(full: Case) -> None:
    texts = table_text.files(full)
    assert set(texts) == {"effects.csv", "effects.json"}
    lines = {line["name"]: line for line in csv.DictReader(io.StringIO(texts["effects.csv"]))}
    table = json.loads(texts["effects.json"])
    assert table["research_use_only"] is True and table["masks_sha256"] == full.result.masks_sha256  # type: ignore[union-attr]
    assert table["image_sha256"] == full.reading.image_sha256 and table["statements"]
    rows = full.table.rows()
    for row in table["rows"]:
        here = rows[row["name"]]
        assert row["delta_removed_points"] == here.removed.delta_points == float(lines[row["name"]]["delta_removed_points"])
        assert row["iou_otsu"] == here.iou and row["percentile_added"] is None
        assert lines[row["name"]]["percentile_added"] == "" and lines[row["name"]]["target"] == "osteoporosis"
    assert table["verdict"]["kind"] in {"looks at bone", "does not", "cannot tell"}


def test_old_numbers_are_marked_and_a_case_without_an_answer_has_no_table(full: Case) -> None:
    full.mark_masks(True)
    lines = list(csv.DictReader(io.StringIO(table_text.files(full)["effects.csv"])))
    assert {line["state"] for line in lines} == {"of former masks"}
    fresh = Case(full.reading, Answers())
    assert table_text.files(fresh) == {} and len(table_text.tab_separated(fresh).splitlines()) == 1


def test_a_name_with_a_tab_breaks_no_line(full: Case) -> None:
    from dataclasses import replace

    source = replace(full.reading.source, name="two\twords\n.dcm")
    full.take_reading(replace(full.reading, source=source))
    lines = table_text.tab_separated(full).splitlines()
    assert len({line.count("\t") for line in lines}) == 1 and "two words .dcm" in lines[1]
