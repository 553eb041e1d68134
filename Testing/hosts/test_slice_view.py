"""The slice view without Qt: the same picture as Slicer's own way of drawing, the same scene after saving and opening."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np
import pytest

SIZE = 256


def add_bones(radiograph: Any, *masks: np.ndarray) -> Any:
    import slicer
    import slicer.util

    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", "bones")
    node.CreateDefaultDisplayNodes()
    node.SetReferenceImageGeometryParameterFromVolumeNode(radiograph)
    for number, mask in enumerate(masks):
        segment = node.GetSegmentation().AddEmptySegment(f"bone {number}")
        slicer.util.updateSegmentBinaryLabelmapFromArray(mask[None].astype(np.uint8), node, segment, radiograph)
    return node


def directly_drawn(view: Any) -> np.ndarray:
    """The frame as VTK draws it without our blending."""
    import vtk
    from vtk.util.numpy_support import vtk_to_numpy

    window = view.renderWindow()
    window.Render()
    width, height = window.GetSize()
    pixels = vtk.vtkUnsignedCharArray()
    window.GetPixelData(0, 0, width - 1, height - 1, 0, pixels, 0)
    return vtk_to_numpy(pixels).reshape(height, width, 3)[::-1].copy()


@pytest.fixture
def bones(view: Any, radiograph: Any) -> Any:
    """A radiograph with two overlapping bones, not filled."""
    image = np.linspace(0, 1, SIZE * SIZE, dtype=np.float32).reshape(SIZE, SIZE)
    first, second = np.zeros((2, SIZE, SIZE), bool)
    first[40:150, 40:150], second[100:220, 100:220] = True, True
    node = add_bones(radiograph(image), first, second)
    node.GetDisplayNode().SetVisibility2DFill(False)
    return node


@pytest.mark.parametrize(("fill", "opacity"), [(False, 1.0), (False, 0.4), (True, 0.3)])
def test_blended_outlines_look_as_vtk_draws_them(view, bones, fill, opacity) -> None:
    display = bones.GetDisplayNode()
    display.SetVisibility2DFill(fill)
    display.SetOpacity2DOutline(opacity)
    display.SetOpacity2DFill(opacity)
    ours, theirs = view.grab(), directly_drawn(view)
    assert np.abs(ours.astype(int) - theirs).max() <= 2  # rounding, layer by layer
    display.SetVisibility(False)
    assert (view.grab() != ours).any(axis=-1).sum() > 1000  # the outlines were there


def test_outlines_follow_switches_colours_and_zoom(view, bones) -> None:
    display, segmentation = bones.GetDisplayNode(), bones.GetSegmentation()
    both = view.grab()
    first, second = (segmentation.GetNthSegmentID(index) for index in range(2))
    display.SetSegmentVisibility(second, False)
    one = view.grab()
    assert not np.array_equal(one, both)
    assert np.array_equal(one, view.grab())
    display.SetSegmentVisibility(second, True)
    assert np.array_equal(view.grab(), both)
    segmentation.GetSegment(first).SetColor(1.0, 0.0, 0.0)
    red = view.grab()
    assert ((red == (255, 0, 0)).all(axis=-1)).sum() > 300
    view.zoom(0.5, 300, 300)
    assert np.abs(view.grab().astype(int) - directly_drawn(view)).max() <= 2  # rounding, layer by layer


def test_hidden_while_drawing_actors_are_shown_again(view, bones) -> None:
    def shown() -> list[int]:
        actors = view.overlayRenderer().GetActors2D()
        return [actors.GetItemAsObject(index).GetVisibility() for index in range(actors.GetNumberOfItems())]

    view.grab()
    before = shown()
    view.grab()
    assert shown() == before and sum(before) > 2


def test_nothing_is_asked_to_be_drawn_while_paused_and_once_after(view, radiograph) -> None:
    import slicer.util

    asked: list[int] = []
    node = radiograph(np.eye(SIZE, dtype=np.float32))
    view.set_render_request(lambda: asked.append(1))
    asked.clear()
    with slicer.util.RenderBlocker():
        node.GetDisplayNode().SetWindowLevelMinMax(0, 0.5)
        assert asked == []
    assert asked


def test_a_saved_scene_comes_back_in_the_view(view, bones, tmp_path) -> None:
    import slicer
    import slicer.util

    before = view.grab()
    assert slicer.util.saveScene(str(tmp_path / "scene.mrb"))
    view.set_size(500, 300)
    slicer.mrmlScene.Clear(0)
    assert view.grab().max() == 0
    slicer.util.loadScene(str(tmp_path / "scene.mrb"))
    assert view.mrmlSliceNode().GetDimensions()[:2] == (500, 300)
    view.set_size(800, 800)
    view.fit()
    changed = (np.abs(view.grab().astype(int) - before).max(axis=-1) > 2).mean()
    assert changed < 0.01  # outlines are cut from cropped masks now, half a pixel beside
    assert slicer.util.getNode("bones").GetSegmentation().GetNumberOfSegments() == 2


@pytest.mark.parametrize("suffix", ["nrrd", "nii.gz", "mha"])
def test_volumes_are_written_and_read_as_in_slicer(view, radiograph, tmp_path, suffix) -> None:
    import slicer.util

    image = np.arange(12, dtype=np.float32).reshape(3, 4)
    path = str(tmp_path / f"image.{suffix}")
    assert slicer.util.saveNode(radiograph(image), path)
    loaded = slicer.util.loadVolume(path)
    assert np.array_equal(slicer.util.arrayFromVolume(loaded)[0], image)
    assert view.mrmlSliceCompositeNode().GetBackgroundVolumeID() == loaded.GetID()
    with pytest.raises(RuntimeError):
        slicer.util.loadVolume(str(tmp_path / "none.nrrd"))


def test_what_vtk_complains_about_goes_to_the_log(slicer_application, caplog, capfd) -> None:
    import vtk

    reader = vtk.vtkPNGReader()
    reader.SetFileName("/no/such/file.png")
    with caplog.at_level(logging.WARNING, "OsteoScreenLib.scene"):
        reader.Update()
    assert any("file.png" in record.getMessage() for record in caplog.records)
    assert capfd.readouterr() == ("", "")
