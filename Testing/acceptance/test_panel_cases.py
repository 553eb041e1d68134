"""Cases in the scene, with the real worker: saved, side by side, and with masks corrected by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from acceptance.tables import SICK, WELL, Bench

pytestmark = pytest.mark.timeout(600)


def test_a_saved_scene_brings_the_case_back(table: Bench, tmp_path: Path) -> None:
    import slicer.util

    table.open(SICK)
    table.analyse()
    table.presenter.set_mode("add-back")
    table.presenter.set_fill("black")
    table.presenter.set_covered(table.case.subjects()["Right ribs"], True)
    table.presenter.set_hidden(["left clavicle"], True)
    table.presenter.set_heat_style(type(table.presenter.heat_style)(True, 0.55, 0.3, "viridis"))
    table.rest()
    frame, numbers, effects, toggles = table.frame(), table.presenter.numbers, table.presenter.effects, table.case.toggles
    style = table.presenter.heat_style
    file = tmp_path / "case.mrb"
    assert slicer.util.saveScene(str(file))
    slicer.mrmlScene.Clear(0)
    assert table.presenter.case is None and table.presenter.numbers is None
    slicer.util.loadScene(str(file))
    assert table.presenter.case is not None, table.said
    assert table.case.toggles == toggles and table.presenter.heat_style == style
    assert table.presenter.numbers == numbers and table.presenter.effects == effects  # at once, before the worker says a word
    assert table.presenter.reading is not None and table.presenter.reading.source.name == SICK.name
    table.rest()
    # Spacings are written as decimal text, so a few edges fall on the other side of a screen pixel.
    assert (np.abs(table.frame().astype(int) - frame) > 2).any(axis=2).mean() < 0.005
    table.presenter.set_fill("mean")
    table.rest()
    assert table.presenter.numbers.state == "current"  # type: ignore[union-attr]  # and it goes on from there


def test_two_cases_do_not_mix(table: Bench) -> None:
    table.open(SICK)
    table.analyse()
    table.presenter.set_covered(["T7"], True)
    table.rest()
    sick = table.case.token
    first = (table.presenter.numbers, table.presenter.effects, table.case.toggles, table.frame())
    table.open(WELL)
    assert table.case.token != sick and table.presenter.numbers is None
    assert table.presenter.toggles is not None and table.presenter.toggles.covered == frozenset()
    table.analyse()
    second = (table.presenter.numbers, table.presenter.effects, table.case.toggles, table.frame())
    well = table.case.token
    assert second[0] != first[0]
    assert [name for _, name in table.presenter.volumes] == [SICK.name, WELL.name]
    for token, (numbers, effects, toggles, frame) in ((sick, first), (well, second), (sick, first)):
        table.presenter.open_volume(token)
        table.rest()
        assert (table.presenter.numbers, table.presenter.effects, table.case.toggles) == (numbers, effects, toggles)
        np.testing.assert_array_equal(table.frame(), frame)


def test_strokes_of_the_segment_editor_leave_no_stale_number_unmarked(table: Bench) -> None:
    import slicer.util

    table.open(SICK)
    table.analyse()
    table.presenter.set_covered(["T7"], True)
    table.rest()
    before, digest = table.presenter.numbers, table.case.result.masks_sha256
    nodes = table.nodes
    drawn = slicer.util.arrayFromSegmentBinaryLabelmap(nodes.segmentation, "T7", nodes.radiograph).copy()

    def stroke(mask: np.ndarray) -> None:
        slicer.util.updateSegmentBinaryLabelmapFromArray(mask, nodes.segmentation, "T7", nodes.radiograph)

    wider = np.roll(drawn, 15, axis=2) | drawn
    stroke(wider)
    assert table.presenter.numbers.state == "stale"  # type: ignore[union-attr]
    assert {cell.state for cell in table.presenter.effects.values()} == {"stale"}
    stroke(drawn)  # undone before the brush rested
    assert table.presenter.numbers.state == "stale"  # type: ignore[union-attr]  # not yet looked at
    table.until(lambda: not table.case.masks_edited)
    table.rest()
    assert table.case.result.masks_sha256 == digest and table.presenter.numbers == before
    stroke(wider)
    table.until(lambda: not table.case.masks_edited)
    table.rest()
    after = table.presenter.numbers
    assert after is not None and before is not None and after.state == "current"
    assert table.case.result.masks_sha256 != digest and after.covered_area_px > before.covered_area_px  # type: ignore[operator]
    stroke(drawn)  # undone after it was computed with
    assert table.presenter.numbers.state == "stale"  # type: ignore[union-attr]
    table.until(lambda: not table.case.masks_edited)
    assert table.presenter.numbers == before  # known from before
    table.rest()


def test_corrected_masks_survive_another_analysis(table: Bench) -> None:
    import slicer.util

    table.open(SICK)
    table.analyse()
    nodes = table.nodes
    drawn = slicer.util.arrayFromSegmentBinaryLabelmap(nodes.segmentation, "T7", nodes.radiograph)
    wider = np.roll(drawn, 15, axis=2) | drawn
    slicer.util.updateSegmentBinaryLabelmapFromArray(wider, nodes.segmentation, "T7", nodes.radiograph)
    table.analyse()  # before the brush has rested, even
    assert table.case.result.masks.areas()["T7"] == int(wider.astype(bool).sum())
    assert any("corrected masks were kept" in sentence for _, sentence in table.said)
    table.presenter.set_covered(["T7"], True)
    table.rest()
    assert table.presenter.numbers.covered_area_px == int(wider.astype(bool).sum())  # type: ignore[union-attr]


def test_a_scene_that_is_imported_during_an_analysis_waits(table: Bench, tmp_path: Path) -> None:
    import slicer.util

    table.open(WELL)
    table.analyse()
    expected = table.presenter.numbers
    file = tmp_path / "well.mrb"
    assert slicer.util.saveScene(str(file))
    slicer.mrmlScene.Clear(0)
    table.open(SICK)
    table.presenter.analyse()
    slicer.util.loadScene(str(file))
    table.until(lambda: not table.presenter.busy)
    table.rest()
    assert table.presenter.reading.source.name == SICK.name  # type: ignore[union-attr]
    sick = table.presenter.numbers
    assert sick is not None and sick != expected
    other = next(volume_id for volume_id, name in table.presenter.volumes if name == WELL.name)
    table.presenter.open_volume(other)
    table.rest()
    assert table.presenter.numbers == expected


def test_effects_and_heatmap_follow_their_own_case(table: Bench) -> None:
    table.open(SICK)
    table.analyse()
    sick = table.case.token
    table.open(WELL)
    table.analyse()
    well = table.case.token
    for mode in ("add-back", "remove"):
        table.presenter.set_mode(mode)
        table.rest()
    table.presenter.open_volume(sick)
    table.presenter.set_mode("add-back")
    table.rest()
    table.presenter.set_target("normal")
    table.presenter.open_volume(well)  # before the other heatmap is there
    told: list[str] = []
    table.presenter.changed.connect(told.append)
    table.presenter.set_mode("add-back")
    assert "effects" in told
    table.rest()
    table.presenter.open_volume(sick)
    assert table.presenter.heat_method == "" or table.case.result.saliency.target == "normal"
    table.rest()
    table.until(lambda: table.presenter.heat_method != "")
    assert table.case.result.saliency.target == "normal"


def test_a_case_of_a_loaded_volume_goes_on_after_its_scene_was_reopened(table: Bench, tmp_path: Path) -> None:
    import slicer.util

    volume = slicer.util.loadVolume(str(SICK), {"singleFile": True})
    table.presenter.open_volume(volume.GetID())
    table.until(lambda: not table.presenter.busy)
    table.analyse()
    before = table.presenter.numbers
    file = tmp_path / "volume.mrb"
    assert slicer.util.saveScene(str(file))
    slicer.mrmlScene.Clear(0)
    slicer.util.loadScene(str(file))
    assert table.presenter.numbers == before
    table.rest()
    table.analyse()
    after = table.presenter.numbers
    assert before is not None and after is not None
    assert [row.untouched for row in after.rows] == pytest.approx([row.untouched for row in before.rows], abs=1e-6)
