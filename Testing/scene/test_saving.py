"""A case is saved with its scene and comes back whole; cases beside each other do not mix."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scene.drawn import a_map, a_radiograph, some_bones

from OsteoScreenLib.bones.masks import BoneMasks
from OsteoScreenLib.bones.vocabulary import CHEST_FRONTAL

SHAPE = (240, 200)
STATE = json.dumps({"toggles": {"covered": ["T7"]}, "words": "Ärztin; 5 % <b> & \"'\n\t:|", "long": "0.123456789 " * 5000})


def a_case(name: str = "chest, é 50 %", seed: int = 0) -> Any:
    from OsteoScreenLib.scene.case_nodes import SceneCase
    from OsteoScreenLib.scene.heatmap import HeatStyle

    case = SceneCase.create(name, a_radiograph(SHAPE, seed), (0.3, 0.14))
    case.set_bones(some_bones(SHAPE))
    case.set_saliency(a_map(SHAPE, seed=seed + 1))
    case.set_heat_style(HeatStyle(True, 0.7, 0.25, "cividis"))
    case.set_outlines(frozenset({"T7"}))
    case.set_preview((5, 15, 5, 25), np.full((10, 20), 0.25, np.float32))
    case.set_state(STATE)
    return case


def the_same(case: Any, seed: int = 0) -> bool:
    import slicer.util

    from OsteoScreenLib.scene.heatmap import on_its_part

    masks = case.bone_masks(CHEST_FRONTAL)
    heat = slicer.util.arrayFromVolume(case.heatmap)[0]
    return (
        case.pixels().dtype == np.float32
        and np.array_equal(case.pixels(), a_radiograph(SHAPE, seed))
        and case.spacing_mm() == pytest.approx((0.3, 0.14))
        and np.array_equal(masks.layers, some_bones(SHAPE).layers)
        and dict(masks.table) == dict(some_bones(SHAPE).table)
        and masks.method == "drawn by hand"
        and np.array_equal(heat, on_its_part(a_map(SHAPE, seed=seed + 1))[0])
        and case.state == STATE
        and case.is_whole()
    )


@pytest.mark.parametrize("edited", [False, True])
def test_a_saved_scene_comes_back_and_looks_the_same(widget: Any, tmp_path: Path, edited: bool) -> None:
    import slicer.util

    from OsteoScreenLib.scene.case_nodes import SceneCase
    from OsteoScreenLib.scene.heatmap import HeatStyle
    from OsteoScreenLib.scene.view import CaseView

    case = a_case()
    token = case.token
    if edited:
        mask = some_bones(SHAPE).mask("sternum")
        slicer.util.updateSegmentBinaryLabelmapFromArray(
            mask[None] * np.uint8(1), case.segmentation, "sternum", case.radiograph
        )
    view = CaseView()
    view.show(case, fit=True)
    before = view.frame()
    view.close()
    assert slicer.util.saveScene(str(tmp_path / "case é.mrb"))
    assert the_same(case)

    slicer.mrmlScene.Clear(0)
    assert SceneCase.all_in_scene() == []
    slicer.util.loadScene(str(tmp_path / "case é.mrb"))
    (back,) = SceneCase.all_in_scene()
    assert the_same(back)
    assert (back.token, back.name, back.heat_style) == (token, "chest, é 50 %", HeatStyle(True, 0.7, 0.25, "cividis"))
    assert back.preview is None  # a copy of the radiograph is not worth saving; it is made when it is needed
    display = back.segmentation.GetDisplayNode()
    assert [display.GetSegmentVisibility(i) for i in ("T7", "sternum")] == [False, True]
    view = CaseView()
    view.show(back, fit=True)
    assert np.array_equal(view.frame(), before)
    back.set_preview((0, 4, 0, 4), np.ones((4, 4), np.float32))
    assert back.preview.GetDisplayNode() is back.radiograph.GetDisplayNode()
    view.close()


def test_a_scene_imported_twice_gives_two_cases(widget: Any, tmp_path: Path) -> None:
    import slicer.util

    from OsteoScreenLib.scene.case_nodes import SceneCase
    from OsteoScreenLib.scene.watch import SceneWatch

    case = a_case()
    assert slicer.util.saveScene(str(tmp_path / "case.mrb"))
    tokens: list[list[str]] = []
    watch = SceneWatch(on_scene_imported=lambda: tokens.append([other.token for other in SceneCase.all_in_scene()]))
    slicer.util.loadScene(str(tmp_path / "case.mrb"))
    watch.close()
    assert len(tokens) == 1 and tokens[0][0] == case.token and len(set(tokens[0])) == 2
    first, second = SceneCase.all_in_scene()
    assert first == case and the_same(first) and the_same(second)
    assert (
        len({first.radiograph.GetID(), second.radiograph.GetID(), first.segmentation.GetID(), second.segmentation.GetID()}) == 4
    )
    # Only one table of colours per map, however often a scene is imported.
    tables = [node.GetName() for node in slicer.util.getNodesByClass("vtkMRMLColorTableNode")]
    assert tables.count("OsteoScreen cividis") == 1
    second.remove()
    assert the_same(first)


def test_two_cases_do_not_mix(widget: Any) -> None:
    import slicer

    from OsteoScreenLib.scene.case_nodes import SceneCase
    from OsteoScreenLib.scene.heatmap import HeatStyle
    from OsteoScreenLib.scene.view import CaseView

    empty = slicer.mrmlScene.GetNumberOfNodes()
    one = a_case("one", 0)
    view = CaseView()
    view.show(one, fit=True)
    alone = view.frame()
    nodes_with_one = slicer.mrmlScene.GetNumberOfNodes()
    two = a_case("two", 5)
    elsewhere = np.zeros(SHAPE, bool)
    elsewhere[150:200, 20:60] = True
    two.set_bones(BoneMasks.pack({"left humerus": elsewhere}, SHAPE))
    assert np.array_equal(view.frame(), alone)  # the other case's outlines are not drawn
    two.set_bones(some_bones(SHAPE))
    assert one.token != two.token and SceneCase.all_in_scene() == [one, two]
    assert the_same(one, 0) and the_same(two, 5)

    two.set_heat_style(HeatStyle(True, 0.2, 0.5, "inferno"))
    two.set_outlines(frozenset(some_bones(SHAPE).names))
    two.set_preview((0, 50, 0, 50), np.zeros((50, 50), np.float32))
    two.radiograph.GetDisplayNode().SetWindowLevelMinMax(0.4, 0.5)
    assert np.array_equal(view.frame(), alone)
    view.show(two)
    assert not np.array_equal(view.frame(), alone)
    view.show(one)
    assert np.array_equal(view.frame(), alone)

    two.remove()
    assert not two.is_whole() and the_same(one) and np.array_equal(view.frame(), alone)
    inferno = 1  # its table stays for the next case
    assert slicer.mrmlScene.GetNumberOfNodes() == nodes_with_one + inferno
    view.close()
    one.remove()
    plasma_and_cividis = 2
    left = slicer.mrmlScene.GetNumberOfNodes() - empty
    assert left <= plasma_and_cividis + inferno + 1  # and the view's own model of the slice
    assert SceneCase.all_in_scene() == []


def test_a_case_lies_in_a_folder_of_its_own(widget: Any) -> None:
    import slicer

    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
    one, two = a_case("Smith"), a_case("Smith")

    def folder(node: Any) -> int:
        return int(hierarchy.GetItemParent(hierarchy.GetItemByDataNode(node)))

    for case in (one, two):
        assert {folder(node) for node in (case.radiograph, case.heatmap, case.segmentation)} == {folder(case.radiograph)}
        assert hierarchy.GetItemName(folder(case.radiograph)).startswith("Smith")
    assert folder(one.radiograph) != folder(two.radiograph) != hierarchy.GetSceneItemID()
    mine = folder(one.radiograph)
    items = hierarchy.GetNumberOfItems()
    one.remove()
    assert hierarchy.GetItemName(mine) == "" and hierarchy.GetNumberOfItems() < items
    assert hierarchy.GetItemName(folder(two.radiograph)).startswith("Smith")


def test_the_readers_own_volume_stays(widget: Any) -> None:
    import slicer.util

    from OsteoScreenLib.scene.case_nodes import SceneCase

    own = slicer.util.addVolumeFromArray(a_radiograph(SHAPE)[None], name="mine")
    case = SceneCase.create("mine", a_radiograph(SHAPE), None, own)
    assert case.source_volume is own and case.is_whole()
    case.remove()
    assert slicer.mrmlScene.IsNodePresent(own)
    case = SceneCase.create("mine", a_radiograph(SHAPE), None, own)
    slicer.mrmlScene.RemoveNode(own)
    assert case.source_volume is None and case.is_whole()  # the case has its own copy


def test_a_turned_radiograph_takes_what_lay_on_it_away(widget: Any) -> None:
    case = a_case()
    case.set_pixels(a_radiograph(SHAPE), (0.3, 0.14))
    assert the_same(case)
    turned = np.ascontiguousarray(np.rot90(a_radiograph(SHAPE)))
    case.set_pixels(turned, (0.14, 0.3))
    assert np.array_equal(case.pixels(), turned) and case.spacing_mm() == pytest.approx((0.14, 0.3))
    assert case.heatmap is None and case.preview is None and case.bone_masks(CHEST_FRONTAL).names == ()
    assert case.is_whole() and case.state == STATE
    case.set_bones(some_bones(turned.shape))
    assert case.bone_masks(CHEST_FRONTAL).names == some_bones(turned.shape).names


def test_only_cases_of_this_format_are_opened(widget: Any) -> None:
    import slicer

    from OsteoScreenLib.errors import InputError
    from OsteoScreenLib.scene.case_nodes import SceneCase

    case = a_case()
    assert SceneCase.from_node(case.node) == case
    foreign = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScriptedModuleNode")
    foreign.SetModuleName("OsteoScreen")  # the module's own parameter node carries its name too
    with pytest.raises(InputError, match="no OsteoScreen case"):
        SceneCase.from_node(foreign)
    case.node.SetParameter("format_version", "2")
    with pytest.raises(InputError, match="another version"):
        SceneCase.from_node(case.node)
    assert SceneCase.all_in_scene() == []
