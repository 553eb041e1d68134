"""The overlap of the heatmap with bones stands in the report and in analysis.json, and only where there is one."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import jsonschema
import numpy as np
import pytest
from builders import make_classifier, make_masks, make_radiograph

from OsteoScreenLib.exchange.plate import draw_plate, trace
from OsteoScreenLib.exchange.report import render_report
from OsteoScreenLib.exchange.report_overlap import overlap_rows
from OsteoScreenLib.explain.analyse import analyse
from OsteoScreenLib.explain.analysis import Analysis, AnalysisRequest
from OsteoScreenLib.explain.overlap import THRESHOLDS, Overlap, measure_overlap
from OsteoScreenLib.files import resource_folder


@pytest.fixture(scope="module")
def analysis(tmp_path_factory: pytest.TempPathFactory) -> Analysis:
    classifier = make_classifier(tmp_path_factory.mktemp("models") / "tiny")
    return analyse(make_radiograph(), make_masks(), classifier, AnalysisRequest())


def validated(analysis: Analysis) -> dict:  # type: ignore[type-arg]
    schema = json.loads(Path(resource_folder("Schemas", "analysis.schema.json")).read_text(encoding="utf-8"))
    table = json.loads(analysis.to_json())
    jsonschema.validate(table, schema)
    return table


def test_the_json_holds_every_row_of_the_overlap(analysis: Analysis) -> None:
    assert analysis.saliency is not None
    overlap = validated(analysis)["saliency"]["overlap"]
    assert overlap["thresholds"] == list(THRESHOLDS)
    rows = measure_overlap(analysis.saliency, make_masks())
    assert [(row["of"], row["name"]) for row in overlap["bones"]] == [(row.of, row.name) for row in rows]
    for row, expected in zip(overlap["bones"], rows, strict=True):
        assert Overlap(**{**row, "iou_sweep": row["iou_sweep"] and tuple(row["iou_sweep"])}) == expected


def test_numbers_that_are_not_defined_are_null_in_the_json_and_dashes_in_the_report(analysis: Analysis) -> None:
    assert analysis.saliency is not None
    empty = replace(analysis.saliency, grid=np.zeros_like(analysis.saliency.grid))
    blind = replace(analysis, saliency=empty, overlap=measure_overlap(empty, make_masks()))
    row = validated(blind)["saliency"]["overlap"]["bones"][0]
    assert row["name"] == "all bones" and row["area_share"] > 0 and row["mass_share"] is row["iou_sweep"] is None
    assert overlap_rows(blind)[0][0]["share"] == "–"


def test_the_report_shows_groups_first_and_each_bone_below(analysis: Analysis) -> None:
    radiograph, masks = make_radiograph(), make_masks()
    plate, _ = draw_plate(radiograph.pixels, masks, trace(masks), analysis.saliency, longest=300, at_least=300, lettering=17)
    html = render_report(analysis, radiograph, masks, plate)
    part = html[html.index("How much of the heatmap lies on bone") :]
    part = part[: part.index("</section>")]
    spine = next(one for one in analysis.overlap if one.name == "Spine")
    assert spine.mass_share is not None and f"{100 * spine.mass_share:.1f} %" in part
    assert part.index("all bones") < part.index("Spine") < part.index("<details>") < part.index("right rib 5")
    without = render_report(replace(analysis, overlap=()), radiograph, masks, plate)
    assert "How much of the heatmap lies on bone" not in without
