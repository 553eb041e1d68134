"""The panel with a real scene, a real view and the real worker: what a reader sees and does with one radiograph."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from acceptance.tables import SICK, WELL, Bench, KeptClient, bare, bench, seen
from pythonqt_rules import pythonqt_rules

from OsteoScreenLib.explain.covering import Coverer

pytestmark = pytest.mark.timeout(600)


def test_open_analyse_and_read(table: Bench) -> None:
    table.open(SICK)
    assert table.presenter.numbers is None and table.presenter.effects == {}
    before = table.frame()
    assert before.std() > 10  # there is a radiograph
    table.analyse()
    numbers = table.presenter.numbers
    assert numbers is not None and numbers.state == "current"
    assert sum(row.untouched for row in numbers.rows) == pytest.approx(1, abs=1e-6)
    effects = table.presenter.effects
    assert set(effects) == set(table.case.subjects()) and len(effects) > 30
    assert {cell.state for cell in effects.values()} == {"current"}
    after = table.frame()
    coloured = (after.max(axis=2).astype(int) - after.min(axis=2) > 30).mean()
    assert coloured > 0.02  # heatmap and outlines
    assert any("simulated" in sentence for _, sentence in table.presenter.banners)
    table.presenter.hold_untouched(True)
    held = table.frame()
    middle = np.s_[100:-100, 100:-100]
    assert (held[middle].max(axis=2) == held[middle].min(axis=2)).all()  # the bare radiograph, without a coloured pixel
    table.presenter.hold_untouched(False)
    np.testing.assert_array_equal(table.frame(), after)


def test_the_same_way_under_the_rules_of_pythonqt(view: Any, qapp: Any, client: KeptClient) -> None:
    with pythonqt_rules(), bench(client, qapp) as table:
        table.open(WELL)
        table.analyse()
        before = table.presenter.numbers
        table.presenter.set_covered(["T7"], True)
        table.rest()
        assert table.presenter.numbers != before
        table.presenter.undo()
        table.rest()
        assert table.presenter.numbers == before
        assert [severity for severity, _ in table.said if severity == "error"] == []


@pytest.mark.parametrize(
    ("mode", "fill"), [("remove", "mean"), ("remove", "blur"), ("add-back", "black"), ("add-back", "inpaint")]
)
def test_covering_shows_what_the_model_gets_and_undo_brings_everything_back(table: Bench, mode: str, fill: str) -> None:
    table.open(SICK)
    table.analyse()
    bare(table)
    table.presenter.set_mode(mode)
    table.presenter.set_fill(fill)
    table.rest()
    frame, numbers, effects = table.frame(), table.presenter.numbers, table.presenter.effects
    table.presenter.set_covered(["T7", "T8", "right rib 6", "left rib 7"], True)
    assert table.presenter.numbers.state in {"computing", "current"}  # type: ignore[union-attr]
    table.rest()
    covered = table.presenter.numbers
    assert covered is not None and covered.state == "current" and covered.covered_area_px and covered.delta_points is not None
    # The scene's preview is, to the bit, what the model is shown.
    case = table.case
    coverer = Coverer(case.reading.pixels, case.result.masks, mode, fill, case.toggles.margin_px, case.toggles.seed)  # type: ignore[arg-type]
    import slicer.util

    expected = coverer.cover(case.toggles.covered)
    np.testing.assert_array_equal(slicer.util.arrayFromVolume(table.nodes.preview)[0], expected)
    # And the frame differs only where something was covered.
    changed = np.abs(table.frame().astype(int) - frame).max(axis=2) > 0
    assert changed.any()
    region = coverer.region(case.toggles.covered).full(case.reading.pixels.shape)
    assert not (changed & ~seen(region, table)).any()
    table.presenter.undo()
    table.rest()
    np.testing.assert_array_equal(table.frame(), frame)
    assert table.presenter.numbers == numbers and table.presenter.effects == effects
    table.presenter.redo()
    table.rest()
    assert table.presenter.numbers == covered


def test_the_picture_never_shows_another_covering_than_the_number(table: Bench) -> None:
    table.open(SICK)
    table.analyse()
    bare(table)
    untouched = table.frame()
    table.presenter.set_covered(table.case.subjects()["Spine"], True)
    table.rest()
    spine = table.frame()
    table.presenter.show_preview(False)
    table.presenter.only("Sternum")
    table.rest()
    np.testing.assert_array_equal(table.frame(), untouched)
    table.presenter.show_preview(True)  # the spine's picture is still in the preview's node
    assert not np.array_equal(table.frame(), spine)
    table.rest()
    sternum = table.frame()
    assert not np.array_equal(sternum, spine) and not np.array_equal(sternum, untouched)
    table.presenter.all_shown()
    np.testing.assert_array_equal(table.frame(), untouched)


def test_a_turned_image_is_analysed_upright_and_overrides_reach_the_reader(table: Bench) -> None:
    table.open(SICK)
    upright = table.presenter.reading.pixels.copy()  # type: ignore[union-attr]
    table.presenter.set_overrides(180, None, None)
    table.until(lambda: not table.presenter.busy)
    np.testing.assert_array_equal(table.presenter.reading.pixels, upright[::-1, ::-1])  # type: ignore[union-attr]
    np.testing.assert_array_equal(table.nodes.pixels(), upright[::-1, ::-1])
    table.presenter.set_overrides(None, None, None)
    table.until(lambda: not table.presenter.busy)
    table.analyse()
    np.testing.assert_array_equal(table.presenter.reading.pixels, upright)  # type: ignore[union-attr]


def test_results_of_what_is_shown_are_saved(table: Bench, tmp_path: Path) -> None:
    import json

    table.open(SICK)
    table.analyse()
    table.presenter.set_covered(["T7"], True)
    table.rest()
    numbers = table.presenter.numbers
    table.presenter.save_results(tmp_path / "out")
    table.until(lambda: not table.presenter.busy)
    saved = json.loads((tmp_path / "out" / "analysis.json").read_text())
    assert (tmp_path / "out" / "report.html").is_file() and (tmp_path / "out" / "masks.seg.nrrd").is_file()
    assert numbers is not None and saved["covering"]["covered"] == ["T7"]
    assert saved["covering"]["delta_points"] == pytest.approx(numbers.delta_points, abs=1e-9)


def test_bones_under_the_cursor_are_named_on_the_image(table: Bench) -> None:
    import slicer
    import vtk

    table.open(SICK)
    table.analyse()
    before = table.frame()
    masks = table.case.result.masks
    column, row = np.argwhere(masks.mask("T7").T).mean(axis=0)
    ijk_to_ras = vtk.vtkMatrix4x4()
    table.nodes.radiograph.GetIJKToRASMatrix(ijk_to_ras)
    ras_to_xy = vtk.vtkMatrix4x4()
    vtk.vtkMatrix4x4.Invert(table.view._slice_node().GetXYToRAS(), ras_to_xy)
    x, y, _, _ = ras_to_xy.MultiplyPoint(ijk_to_ras.MultiplyPoint((column, row, 0.0, 1.0)))
    crosshair = slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLCrosshairNode")
    crosshair.SetCursorPositionXYZ([x, y, 0.0], table.view._slice_node())
    assert "T7" in table.presenter.cursor_bones
    named = np.abs(table.frame().astype(int) - before).max(axis=2) > 0
    assert named[:60].any() and not named[60:].any()  # at the upper edge and nowhere else
    crosshair.SetCursorPositionXYZ([1.0, 1.0, 0.0], table.view._slice_node())
    assert table.presenter.cursor_bones == []
    np.testing.assert_array_equal(table.frame(), before)


def test_keys_of_the_view_switch_groups(table: Bench) -> None:
    table.open(SICK)
    table.analyse()
    table.presenter._on_key("1", True)
    assert table.case.toggles.covered == table.case.subjects()["Spine"]
    table.presenter._on_key("1", True)
    assert table.case.toggles.covered == frozenset()
    table.rest()


def test_a_reader_gets_his_own_view_back(table: Bench) -> None:
    import slicer.util

    own = slicer.util.addVolumeFromArray(np.arange(10000, dtype=np.int16).reshape(1, 100, 100), name="mine")
    slicer.util.setSliceViewerLayers(background=own, fit=True)
    mine = table.frame()
    table.presenter.enter()
    table.open(SICK)
    table.analyse()
    assert not np.array_equal(table.frame(), mine)
    table.presenter.leave()
    np.testing.assert_array_equal(table.frame(), mine)
