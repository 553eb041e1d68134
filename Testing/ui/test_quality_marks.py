"""Signs of doubt in the bone tree: where they stand, what their tooltips say, and that groups speak for their bones."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from bones.quality_doubles import drawn_chest, packed, widened
from PySide6 import QtCore

from OsteoScreenLib.bones.quality import MaskQuality, assess
from OsteoScreenLib.bones.vocabulary import CHEST_FRONTAL
from OsteoScreenLib.ui.bone_tree import BONE, OUTLINE, BoneTree
from OsteoScreenLib.workbench.toggles import Toggles

Qt = QtCore.Qt


@pytest.fixture
def broken() -> tuple[dict[str, int], dict[str, MaskQuality]]:
    """Areas and quality: T7 far too large, left rib 8 left out, right rib 4 edited, humeri not drawn."""
    chest = drawn_chest()
    chest["T7"] = widened(chest["T7"], 3)
    del chest["left rib 8"]
    masks = packed(chest).with_facts(
        confidence={"T7": 0.31}, left_out={"left rib 8": "out-of-order"}, edited=frozenset({"right rib 4"}),
        trust=dict.fromkeys(CHEST_FRONTAL.by_name, "check") | {"sternum": "hidden", "right humerus": "", "left humerus": ""},
    )  # fmt: skip
    return masks.areas(), assess(masks)


@pytest.fixture
def tree(parent: Any, broken: tuple[dict[str, int], dict[str, MaskQuality]]) -> BoneTree:
    made = BoneTree(parent)
    parent.layout().addWidget(made.widget)
    areas, quality = broken
    made.show_bones(CHEST_FRONTAL, areas, 0.04, quality)
    return made


def name(tree: BoneTree, subject: str) -> str:
    return str(tree._items[subject].text(BONE))


def tip(tree: BoneTree, subject: str) -> str:
    return str(tree._items[subject].toolTip(BONE))


def test_signs_stand_behind_the_names(tree: BoneTree) -> None:
    assert name(tree, "T6") == "T6 (≈)" and name(tree, "T7") == "T7 (≈) ⚠"
    assert name(tree, "left rib 8") == "left rib 8 ⚠" and name(tree, "left clavicle") == "left clavicle"
    assert name(tree, "Spine") == "Spine ⚠" and name(tree, "Left ribs") == "Left ribs 11/12 ⚠"
    assert name(tree, "Right ribs") == "Right ribs" and name(tree, "Humeri") == "Humeri"


def test_tooltips_say_why(tree: BoneTree) -> None:
    assert "times the area that the other bones make one expect" in tip(tree, "T7") and "Confidence 0.31" in tip(tree, "T7")
    assert "Left out: it was drawn out of its order" in tip(tree, "left rib 8")
    assert "Edited by hand" in tip(tree, "right rib 4") and "Confidence" not in tip(tree, "right rib 4")
    assert "starts hidden" in tip(tree, "sternum") and "counted by position" in tip(tree, "T6")
    assert "⚠ Implausible or missing: left rib 8." in tip(tree, "Left ribs")
    assert "Implausible" not in tip(tree, "Right ribs")


def test_the_legend_explains_the_signs_that_are_there(tree: BoneTree) -> None:
    assert "⚠ outline implausible or missing, ≈ number counted by position." in tree._legend.text()
    tree.show_bones(CHEST_FRONTAL, {"left clavicle": 9}, 0.04, {})
    assert "⚠" not in tree._legend.text() and "≈" not in tree._legend.text()


def test_marks_go_when_the_masks_are_corrected(tree: BoneTree) -> None:
    chest = packed(drawn_chest())
    tree.show_bones(CHEST_FRONTAL, chest.areas(), 0.04, assess(chest))
    assert not any("⚠" in name(tree, subject) for subject in tree._items)
    assert name(tree, "T7") == "T7 (≈)"


def test_groups_come_first_and_hidden_bones_are_one_click_away(tree: BoneTree) -> None:
    tree.show_toggles(Toggles(hidden=frozenset({"sternum", "T11"})))
    assert not any(item.isExpanded() for item in tree._items.values())
    assert tree._items["sternum"].checkState(OUTLINE) == Qt.CheckState.Unchecked
    assert tree._items["Spine"].checkState(OUTLINE) == Qt.CheckState.PartiallyChecked


def test_names_stay_names_to_the_listeners(tree: BoneTree) -> None:
    told: list[tuple[tuple[str, ...], bool]] = []
    tree.covered_asked.connect(lambda names, covered: told.append((names, covered)))
    tree._on_item_changed(tree._items["T7"], 2)
    tree._items["T7"].setCheckState(2, Qt.CheckState.Unchecked)
    assert all(names == ("T7",) for names, _ in told) and told
    assert np.all([names[0] in CHEST_FRONTAL.by_name for names, _ in told])
