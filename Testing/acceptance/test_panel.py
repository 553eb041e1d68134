"""The panel with a real scene, a real view and the real worker: what a reader does, and what must never break it."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from acceptance.tables import SICK, WELL, Bench, KeptClient, bench
from pythonqt_rules import pythonqt_rules

from OsteoScreenLib.explain.covering import Coverer
from OsteoScreenLib.workbench.worker_client import WorkerClient

pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module")
def client() -> Iterator[KeptClient]:
    kept = KeptClient(sys.executable)
    yield kept
    kept.end()


@pytest.fixture
def table(view: Any, qapp: Any, client: KeptClient) -> Iterator[Bench]:
    with bench(client, qapp) as made:
        yield made


def bare(table: Bench) -> None:
    """The image alone: no heatmap, no outlines."""
    style = table.presenter.heat_style
    table.presenter.set_heat_style(type(style)(False, style.opacity, style.threshold, style.colour_map))
    table.presenter.set_hidden(table.case.result.masks.names, True)
    table.rest()


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


def seen(mask: np.ndarray, table: Bench) -> np.ndarray:
    """Where a mask of the radiograph can be seen in the frame, widened by the pixel that interpolation reaches."""
    import vtk

    rows, columns = table.frame().shape[:2]
    node = table.nodes.radiograph
    slice_node = table.view._slice_node()
    ras_to_ijk, to_ijk = vtk.vtkMatrix4x4(), vtk.vtkMatrix4x4()
    node.GetRASToIJKMatrix(ras_to_ijk)
    vtk.vtkMatrix4x4.Multiply4x4(ras_to_ijk, slice_node.GetXYToRAS(), to_ijk)
    matrix = np.array([[to_ijk.GetElement(r, c) for c in range(4)] for r in range(4)])
    x, y = np.meshgrid(np.arange(columns), rows - 1 - np.arange(rows))
    column, row = matrix[0, 0] * x + matrix[0, 1] * y + matrix[0, 3], matrix[1, 0] * x + matrix[1, 1] * y + matrix[1, 3]
    wide = mask.copy()
    for _ in range(2):
        wide[1:] |= wide[:-1]
        wide[:-1] |= wide[1:]
        wide[:, 1:] |= wide[:, :-1]
        wide[:, :-1] |= wide[:, 1:]
    r, c = np.rint(row).astype(int), np.rint(column).astype(int)
    inside = (r >= 0) & (r < mask.shape[0]) & (c >= 0) & (c < mask.shape[1])
    return np.where(inside, wide[r.clip(0, mask.shape[0] - 1), c.clip(0, mask.shape[1] - 1)], False)


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


def test_released_memory_leaves_no_number_waiting_for_ever(table: Bench) -> None:
    table.open(SICK)
    table.analyse()
    table.presenter.set_covered(["T7", "left rib 7"], True)
    table.presenter.release()
    numbers = table.presenter.numbers
    assert numbers is not None and numbers.state == "unanswered" and "Recompute" in numbers.sentence
    table.presenter.recompute()
    table.rest()
    assert table.presenter.numbers.state == "current"  # type: ignore[union-attr]


def test_a_volume_deleted_during_the_analysis(table: Bench) -> None:
    import slicer

    table.open(SICK)
    table.presenter.analyse()
    table.until(lambda: table.presenter.progress is not None and table.presenter.progress[1] > 0)
    slicer.mrmlScene.RemoveNode(table.nodes.radiograph)
    assert not table.presenter.busy and table.presenter.case is None
    assert any("removed from the scene" in sentence for _, sentence in table.said)
    table.rest()
    table.open(WELL)
    table.analyse()


def test_a_scene_closed_during_the_analysis(table: Bench) -> None:
    import slicer

    table.open(SICK)
    table.presenter.analyse()
    table.until(lambda: table.presenter.progress is not None and table.presenter.progress[1] > 0)
    slicer.mrmlScene.Clear(0)
    assert not table.presenter.busy and table.presenter.case is None and table.presenter.numbers is None
    table.rest()
    assert [severity for severity, _ in table.said if severity == "error"] == []
    table.open(SICK)
    table.analyse()


def test_analyse_pressed_twice_is_done_once(table: Bench) -> None:
    results: list[object] = []
    table.desk.analysed.connect(lambda reading, result: results.append(result))
    table.open(SICK)
    table.presenter.analyse()
    table.presenter.analyse()
    table.until(lambda: not table.presenter.busy)
    table.rest()
    assert len(results) == 1


def test_cancel_brings_the_last_good_state_back(table: Bench) -> None:
    table.open(SICK)
    table.analyse()
    table.presenter.set_covered(["T7"], True)
    table.rest()
    good = (table.presenter.numbers, table.presenter.effects, table.frame())
    table.presenter.analyse()
    table.until(lambda: table.presenter.progress is not None and table.presenter.progress[1] > 0)
    began = time.monotonic()
    table.presenter.cancel()
    assert not table.presenter.busy and time.monotonic() - began < 1.0
    assert (table.presenter.numbers, table.presenter.effects) == good[:2]
    np.testing.assert_array_equal(table.frame(), good[2])
    table.presenter.set_covered(["T8"], True)
    table.rest()
    assert table.presenter.numbers.state == "current"  # type: ignore[union-attr]


@pytest.mark.skipif(sys.platform == "win32", reason="sends a POSIX signal")
def test_a_killed_worker_costs_one_answer(table: Bench) -> None:
    table.open(SICK)
    table.analyse()
    numbers = table.presenter.numbers
    table.presenter.analyse()
    table.until(lambda: table.presenter.progress is not None and table.presenter.progress[1] > 0)
    assert table.client.process_id is not None
    os.kill(table.client.process_id, signal.SIGKILL)
    table.until(lambda: not table.presenter.busy)
    errors = [sentence for severity, sentence in table.said if severity == "error"]
    assert len(errors) == 1 and "ended unexpectedly" in errors[0]
    assert table.presenter.numbers == numbers  # what was there stays
    table.presenter.set_covered(["T7"], True)
    table.rest()
    assert table.presenter.numbers.state == "current"  # type: ignore[union-attr]


def test_without_torch_the_panel_says_so_and_goes_on(view: Any, qapp: Any, tmp_path: Path) -> None:
    (tmp_path / "torch").mkdir()
    (tmp_path / "torch" / "__init__.py").write_text("raise ModuleNotFoundError(\"No module named 'torch'\", name='torch')\n")
    worker = WorkerClient(sys.executable, environment={"PYTHONPATH": str(tmp_path)})
    with bench(worker, qapp) as table:
        table.open(SICK)  # reading needs no torch
        assert table.frame().std() > 10
        table.presenter.analyse()
        table.until(lambda: not table.presenter.busy)
        errors = [sentence for severity, sentence in table.said if severity == "error"]
        assert len(errors) == 1 and "torch" in errors[0] and "Traceback" not in errors[0]
        assert table.presenter.numbers is None
    assert worker.process_id is None


def test_a_host_that_is_not_ready_is_said_and_nothing_starts(table: Bench) -> None:
    table.host.problem = "PyTorch is missing; install the PyTorch extension."
    table.presenter.open_file(SICK)
    assert table.said == [("error", table.host.problem)] and not table.presenter.busy


def test_bad_input_loses_nothing(table: Bench, tmp_path: Path) -> None:
    table.open(SICK)
    table.analyse()
    good = (table.presenter.numbers, table.frame())
    bad = tmp_path / "notes.dcm"
    bad.write_text("this is no image")
    table.presenter.open_file(bad)
    table.until(lambda: not table.presenter.busy)
    assert [severity for severity, _ in table.said] == ["error"]
    assert table.presenter.numbers == good[0]
    np.testing.assert_array_equal(table.frame(), good[1])


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


def test_torch_never_comes_into_the_windows_process() -> None:
    import subprocess

    code = (
        "import sys; from OsteoScreenLib.hosts.desktop import viewer; import OsteoScreenLib.ui.presenter, OsteoScreenLib.ui.panel;"
        "print(sorted({'torch', 'timm', 'cv2', 'pydicom', 'SimpleITK'} & set(sys.modules)))"
    )
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert printed.strip() == "[]"
