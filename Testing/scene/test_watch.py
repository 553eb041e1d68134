"""The watch tells what the reader does to the scene, is silent about OsteoScreen's own work, and lets go when closed."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scene.drawn import a_map, a_radiograph, some_bones

SHAPE = (240, 200)


class Heard(list):
    """What a watch told, as (what, …) tuples."""

    def take(self) -> list[Any]:
        told = list(self)
        self.clear()
        return told


@pytest.fixture
def heard(widget: Any) -> Iterator[Heard]:
    from OsteoScreenLib.scene.watch import SceneWatch

    told = Heard()
    watch = SceneWatch(
        on_volumes_changed=lambda: told.append(("volumes",)),
        on_volume_removed=lambda volume: told.append(("removed", volume)),
        on_scene_closing=lambda: told.append(("closing",)),
        on_scene_imported=lambda: told.append(("imported",)),
        on_bones_edited=lambda token: told.append(("bones", token)),
        on_case_broken=lambda token: told.append(("broken", token)),
    )
    yield told
    watch.close()


def a_case(name: str = "chest") -> Any:
    from OsteoScreenLib.scene.case_nodes import SceneCase

    case = SceneCase.create(name, a_radiograph(SHAPE), None)
    case.set_bones(some_bones(SHAPE))
    case.set_saliency(a_map(SHAPE))
    return case


def edit(case: Any, segment: str, mask: np.ndarray) -> None:
    import slicer.util

    slicer.util.updateSegmentBinaryLabelmapFromArray(mask[None].astype(np.uint8), case.segmentation, segment, case.radiograph)


def test_own_work_is_not_reported(heard: Heard) -> None:
    from OsteoScreenLib.scene.heatmap import HeatStyle

    case = a_case()
    case.set_bones(some_bones(SHAPE))
    case.set_outlines(frozenset({"T7"}))
    case.set_heat_style(HeatStyle(colour_map="viridis"))
    case.set_preview((0, 3, 0, 3), np.zeros((3, 3), np.float32))
    case.clear_preview()
    case.set_state("{}")
    case.set_pixels(a_radiograph(SHAPE, 9), None)
    case.set_saliency(None)
    case.remove()
    assert heard == []


def test_volumes_come_go_and_are_renamed(heard: Heard) -> None:
    import slicer.util

    volume = slicer.util.addVolumeFromArray(a_radiograph(SHAPE)[None], name="mine")
    assert heard.take() == [("volumes",)]
    volume.SetName("mine again")
    assert heard.take() == [("volumes",)]
    slicer.util.arrayFromVolume(volume)[:] = 0
    slicer.util.arrayFromVolumeModified(volume)
    volume.GetDisplayNode().SetLevel(7)
    assert heard.take() == []  # still the same list of volumes
    slicer.mrmlScene.AddNewNodeByClass("vtkMRMLModelNode")
    slicer.util.addVolumeFromArray(np.zeros((5, 6, 7), np.uint8), name="CT")
    assert heard.take() == []
    identifier = volume.GetID()
    slicer.mrmlScene.RemoveNode(volume)
    assert heard.take() == [("removed", identifier), ("volumes",)]


def test_strokes_are_told_of_the_right_case(heard: Heard) -> None:
    one, two = a_case("one"), a_case("two")
    mask = some_bones(SHAPE).mask("sternum")
    mask[10:20, 10:20] = True
    edit(two, "sternum", mask)
    assert set(heard.take()) == {("bones", two.token)}
    one.segmentation.GetSegmentation().RemoveSegment("T7")
    assert set(heard.take()) == {("bones", one.token)}
    one.segmentation.GetSegmentation().AddEmptySegment("left_clavicle", "left clavicle")
    assert set(heard.take()) == {("bones", one.token)}


def test_undone_strokes_are_told_too(heard: Heard) -> None:
    """Segment Editor's undo says no more than that segments were modified."""
    import slicer

    case = a_case()
    history = slicer.vtkSegmentationHistory()
    history.SetSegmentation(case.segmentation.GetSegmentation())
    history.SaveState()
    mask = np.zeros(SHAPE, bool)
    mask[5:9, 5:9] = True
    edit(case, "sternum", mask)
    assert set(heard.take()) == {("bones", case.token)}
    history.RestorePreviousState()
    assert set(heard.take()) == {("bones", case.token)}
    from OsteoScreenLib.bones.vocabulary import CHEST_FRONTAL

    assert np.array_equal(case.bone_masks(CHEST_FRONTAL).layers, some_bones(SHAPE).layers)
    history.RestoreNextState()
    assert set(heard.take()) == {("bones", case.token)}
    assert np.array_equal(case.bone_masks(CHEST_FRONTAL).mask("sternum"), mask)


def test_what_leaves_the_masks_as_they_are_is_no_edit(heard: Heard, tmp_path: Path) -> None:
    import slicer.util

    case = a_case()
    segment = case.segmentation.GetSegmentation().GetSegment("sternum")
    segment.SetName("Brustbein")
    segment.SetColor(1, 0, 0)
    segment.SetTag("seen", "yes")
    case.segmentation.GetDisplayNode().SetSegmentVisibility("T7", False)
    case.segmentation.SetName("bones of mine")
    assert slicer.util.saveScene(str(tmp_path / "case.mrb"))
    assert heard.take() == []


@pytest.mark.parametrize("role", ["node", "radiograph", "heatmap", "segmentation"])
def test_a_node_deleted_by_the_reader_breaks_the_case(heard: Heard, role: str) -> None:
    import slicer

    one, two = a_case("one"), a_case("two")
    slicer.mrmlScene.RemoveNode(getattr(one, role))
    assert heard.take() == [("broken", one.token)]
    assert not one.is_whole() and two.is_whole()
    one.remove()  # and the rest of it can still be taken away
    assert heard.take() == []
    left = [node for node in slicer.util.getNodesByClass("vtkMRMLNode") if node.GetAttribute("OsteoScreen.token") == one.token]
    assert left == [] and two.is_whole()


def test_a_deleted_preview_is_made_again(heard: Heard) -> None:
    import slicer

    case = a_case()
    case.set_preview((0, 3, 0, 3), np.zeros((3, 3), np.float32))
    slicer.mrmlScene.RemoveNode(case.preview)
    assert heard.take() == [] and case.is_whole()
    case.clear_preview()
    case.set_preview((0, 3, 0, 3), np.zeros((3, 3), np.float32))
    assert not slicer.util.arrayFromVolume(case.preview)[0, :3, :3].any()


def test_closing_and_opening(heard: Heard, tmp_path: Path) -> None:
    import slicer.util

    from OsteoScreenLib.scene.case_nodes import SceneCase

    case = a_case()
    slicer.util.addVolumeFromArray(a_radiograph(SHAPE)[None], name="mine")
    assert slicer.util.saveScene(str(tmp_path / "case.mrb"))
    heard.take()
    slicer.mrmlScene.Clear(0)
    assert heard.take() == [("closing",), ("volumes",)]
    assert not case.is_whole()
    slicer.util.loadScene(str(tmp_path / "case.mrb"))
    assert heard.take() == [("volumes",), ("imported",)]
    (back,) = SceneCase.all_in_scene()
    edit(back, "sternum", np.zeros(SHAPE, bool))
    assert set(heard.take()) == {("bones", back.token)}  # cases that came with a scene are watched as well
    slicer.mrmlScene.RemoveNode(back.heatmap)
    assert heard.take() == [("broken", back.token)]


def test_a_watch_started_late_sees_what_is_there(widget: Any) -> None:
    from OsteoScreenLib.scene.watch import SceneWatch

    case = a_case()
    told: list[str] = []
    watch = SceneWatch(on_bones_edited=told.append)
    edit(case, "sternum", np.zeros(SHAPE, bool))
    watch.close()
    assert set(told) == {case.token}


def test_a_closed_watch_is_silent_and_gone(widget: Any) -> None:
    import slicer.util

    from OsteoScreenLib.scene.watch import SceneWatch

    case = a_case()
    told: list[object] = []
    watch = SceneWatch(
        lambda: told.append(1), told.append, lambda: told.append(2), on_bones_edited=told.append, on_case_broken=told.append
    )
    slicer.util.addVolumeFromArray(a_radiograph(SHAPE)[None], name="mine")
    told.clear()
    watch.close()
    watch.close()
    slicer.util.addVolumeFromArray(a_radiograph(SHAPE)[None], name="mine too")
    edit(case, "sternum", np.zeros(SHAPE, bool))
    slicer.mrmlScene.RemoveNode(case.heatmap)
    slicer.mrmlScene.Clear(0)
    assert told == []
    gone = weakref.ref(watch)
    del watch
    gc.collect()
    assert gone() is None
