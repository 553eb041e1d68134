"""The table beside the bones with the real worker: both modes, controls in the background, methods, the verdict, saved and reopened."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from acceptance.tables import SICK, Bench

from OsteoScreenLib.explain.chance import CONTROLS
from OsteoScreenLib.explain.overlap import ALL_BONES, measure_overlap
from OsteoScreenLib.ui import qt_api

pytestmark = pytest.mark.timeout(900)
EFFECTS = ("removed", "added")
PATIENCE = 300.0  # for some hundred forward passes on a machine that is busy with other things


def wait_for(table: Bench, *groups: str) -> None:
    """Until these rows were compared with their controls."""
    table.until(lambda: all(table.presenter.rows[group].removed_chance.chance for group in groups), PATIENCE)


def test_the_table_fills_the_reader_goes_first_and_everything_is_kept(table: Bench, tmp_path: Path) -> None:
    import slicer.util

    presenter, desk = table.presenter, table.desk
    table.open(SICK)
    presenter.analyse()
    table.until(lambda: presenter.result is not None and not desk.sweeping, PATIENCE)
    rows = presenter.rows
    assert list(rows) == [ALL_BONES, *table.case.subjects()]
    assert {getattr(row, mode).state for row in rows.values() for mode in EFFECTS} == {"current"}
    assert {row.overlap.state for row in rows.values()} == {"current"}
    measured = {one.name: one for one in measure_overlap(table.case.saliency, table.case.result.masks)}
    for name, row in rows.items():
        assert row.overlap.overlap is not None and row.iou == pytest.approx(measured[name].iou_otsu, abs=1e-6), name
    assert presenter.verdict(rows).state == "computing"

    # A switch goes before the controls that are still to come.
    assert desk.controls_open
    left = sum(row.removed_chance.state == "computing" for row in rows.values())
    presenter.set_covered(["T7", "T8"], True)
    table.until(lambda: presenter.numbers is not None and presenter.numbers.state == "current", PATIENCE)
    waiting = sum(row.removed_chance.state == "computing" for row in presenter.rows.values())
    assert desk.controls_open and waiting >= left - 3
    presenter.undo()

    groups = [name for name, row in rows.items() if row.of == "group" and row.removed_chance.state != "no room"]
    wait_for(table, *groups)
    chance = presenter.rows["Spine"].removed_chance.chance
    assert chance is not None and chance.draws == CONTROLS and 0 <= chance.percentile <= 96
    told = presenter.verdict(presenter.rows)
    assert told.state == "current" and told.kind in {"looks at bone", "does not", "cannot tell"}
    assert table.panel.contributions._verdict.text() == told.sentence
    presenter.set_controls(False)
    table.rest()
    assert presenter.rows["Spine"].removed_chance.chance == chance, "what is known stays"
    assert presenter.rows["L1"].removed_chance.state in {"none", "current", "no room"}

    # Another method, which the model can give, with its own overlap.
    before = presenter.rows["Spine"].overlap.overlap
    presenter.set_saliency("layercam")
    assert presenter.heat_method == "" and presenter.rows["Spine"].overlap.overlap is None, "never another map's numbers"
    table.until(lambda: presenter.heat_method == "LayerCAM", PATIENCE)
    after = presenter.rows["Spine"].overlap.overlap
    assert after is not None and after != before
    assert "rollout" not in [method.key for method in presenter.saliency_methods]
    presenter.set_saliency("rollout")  # a ConvNet has no attention
    assert presenter.saliency_method == "layercam"

    # Copied and written.
    table.panel.tools.copy_asked.emit()
    assert qt_api.clipboard_text() == presenter.table_text and "\tSpine\t" in presenter.table_text
    presenter.save_results(tmp_path / "out")
    table.until(lambda: not presenter.busy, PATIENCE)
    lines = {line["name"]: line for line in csv.DictReader((tmp_path / "out" / "effects.csv").open(encoding="utf-8"))}
    saved = json.loads((tmp_path / "out" / "effects.json").read_text(encoding="utf-8"))
    analysis = json.loads((tmp_path / "out" / "analysis.json").read_text(encoding="utf-8"))
    rows = presenter.rows
    for name, row in rows.items():
        assert float(lines[name]["delta_added_points"]) == row.added.delta_points
    assert saved["saliency_method"] == analysis["saliency"]["method"] == "LayerCAM"
    in_report = {one["name"]: one["iou_otsu"] for one in analysis["saliency"]["overlap"]["bones"]}
    assert saved["rows"][1]["iou_otsu"] == pytest.approx(in_report[saved["rows"][1]["name"]], abs=1e-6)

    # Saved, closed, opened: the same table and the same map, before the worker says a word.
    file = tmp_path / "case.mrb"
    assert slicer.util.saveScene(str(file))
    slicer.mrmlScene.Clear(0)
    assert presenter.rows == {}
    slicer.util.loadScene(str(file))
    assert presenter.rows == rows and presenter.heat_method == "LayerCAM" and presenter.saliency_method == "layercam"
    assert presenter.verdict(rows).sentence
    table.rest()


def test_corrected_masks_are_measured_and_compared_anew(table: Bench) -> None:
    import numpy as np
    import slicer.util

    presenter = table.presenter
    table.open(SICK)
    presenter.set_controls(False)
    table.analyse()
    before = presenter.rows["T7"]
    nodes = table.nodes
    drawn = slicer.util.arrayFromSegmentBinaryLabelmap(nodes.segmentation, "T7", nodes.radiograph)
    wider = np.roll(drawn, 15, axis=2) | drawn
    slicer.util.updateSegmentBinaryLabelmapFromArray(wider, nodes.segmentation, "T7", nodes.radiograph)
    assert presenter.rows["T7"].overlap.state == presenter.rows["T7"].added.state == "stale"
    table.until(lambda: not table.case.masks_edited)
    table.rest()
    table.until(lambda: presenter.rows["T7"].overlap.state == "current")
    after = presenter.rows["T7"]
    assert after.added.state == "current" and after.overlap.overlap.area_share > before.overlap.overlap.area_share  # type: ignore[union-attr]
    wanted = next(one for one in measure_overlap(table.case.saliency, table.case.result.masks) if one.name == "T7")
    assert after.iou == pytest.approx(wanted.iou_otsu, abs=1e-6)
