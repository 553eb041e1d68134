"""The whole annotation check by mouse and keys: in the viewer's window, with the real scene, versions on disk and the real store."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from review.test_mask_versions import full_disk

from OsteoScreenLib.bones.masks import BoneMasks
from OsteoScreenLib.radiograph.radiograph import Radiograph

SHAPE = (240, 200)
CASE = "C-00007"


class Check:
    """The section in the viewer's window over one case."""

    def __init__(self, window: Any, settings: Any, folder: Path) -> None:
        from OsteoScreenLib import __version__
        from OsteoScreenLib.hosts.desktop.host import DesktopHost
        from OsteoScreenLib.review.mask_versions import MaskVersions
        from OsteoScreenLib.review.store import ReaderStore
        from OsteoScreenLib.scene.view import CaseView
        from OsteoScreenLib.ui.mask_check import MaskCheckSection
        from OsteoScreenLib.ui.mask_checking import MaskChecking
        from OsteoScreenLib.ui.review_keys import ReviewKeys

        self.window, self.widget = window, window.slice_widget
        self.store = ReaderStore.open(folder / "reads" / "R1@m1.sqlite", "R1", "m1", app=__version__)
        self.versions = MaskVersions(folder / "masks" / CASE, "m1")
        self.host, self.view, self.now = DesktopHost(window, settings), CaseView("Red"), 0.0
        self.said: list[tuple[str, str]] = []
        self.checking = MaskChecking(self.host, seconds=lambda: self.now)
        self.checking.message.connect(lambda severity, text: self.said.append((severity, text)))
        self.section = MaskCheckSection(window, self.checking, ReviewKeys(self.host))
        window.hold_panel(self.section.widget)
        self.own = bones()
        self.scene = self.new_scene()
        self.open()

    def new_scene(self) -> Any:
        from OsteoScreenLib.scene.case_nodes import SceneCase

        scene = SceneCase.create("Case 1", greys(), (0.5, 0.5))
        scene.set_bones(self.own)
        scene.set_outlines(frozenset({"sternum"}))
        self.view.show(scene, fit=True)
        return scene

    def open(self) -> None:
        from OsteoScreenLib.ui.mask_nouns import MaskSubject

        radiograph = Radiograph(greys(), (0.5, 0.5))
        verdicts = self.store.verdicts()
        self.checking.open(MaskSubject(CASE, "R1", self.scene, self.own, radiograph, self.versions, self.store.judge, verdicts))

    def in_scene(self) -> BoneMasks:
        return self.scene.bone_masks(self.own.site)

    def verdicts(self) -> dict[str, tuple[str, int, str]]:
        return {one.bone: (one.verdict, one.version, one.reason) for one in self.store.verdicts()}

    def place(self, row: float, column: float) -> tuple[float, float]:
        """Where this pixel of the radiograph lies in the image's widget."""
        import slicer.util

        from OsteoScreenLib.scene.image_node import pixel_to_ras

        view = self.window.view
        to_xy = np.linalg.inv(slicer.util.arrayFromVTKMatrix(view.mrmlSliceNode().GetXYToRAS()))
        x, y = (to_xy @ pixel_to_ras((0.5, 0.5)) @ (column, row, 0, 1))[:2]
        scale = self.widget.devicePixelRatioF()
        return float(x) / scale, (view.renderWindow().GetSize()[1] - 1 - float(y)) / scale

    def button(self, words: str) -> Any:
        from qtpy import QtWidgets

        shown = [one for one in self.section.widget.findChildren(QtWidgets.QPushButton) if words in one.text()]
        assert len(shown) == 1, f"{len(shown)} buttons with {words}"
        return shown[0]


def bones() -> BoneMasks:
    masks = {name: np.zeros(SHAPE, bool) for name in ("C7", "T1", "right rib 5", "sternum")}
    masks["C7"][20:40, 80:110] = True
    masks["T1"][42:62, 80:110] = True
    masks["right rib 5"][90:115, 20:95] = True
    masks["sternum"][60:180, 90:104] = True
    return BoneMasks.pack(masks, SHAPE, method="drawn for a test")


def greys() -> np.ndarray:
    return np.random.default_rng(1).random(SHAPE).astype(np.float32) * 0.5


@pytest.fixture
def check(window: Any, settings: Any, tmp_path: Path, qapp: Any) -> Iterator[Check]:
    made = Check(window, settings, tmp_path)
    window.activateWindow()
    qapp.processEvents()
    yield made
    made.checking.close()
    made.section.close()
    made.view.close()
    made.store.close()


@pytest.fixture
def press(check: Check, qapp: Any) -> Callable[..., None]:
    """press("A", …) with the focus in the image; press(…, on=widget) elsewhere."""
    from qtpy.QtCore import Qt
    from qtpy.QtTest import QTest

    def perform(*keys: str, on: Any = None, shift: bool = False) -> None:
        held = Qt.KeyboardModifier.ShiftModifier if shift else Qt.KeyboardModifier.NoModifier
        for key in keys:
            target = on or check.widget
            target.setFocus()
            QTest.keyClick(target, getattr(Qt.Key, f"Key_{key}"), held)
            qapp.processEvents()

    return perform


def test_accept_reject_and_the_next_bone_by_keys(check: Check, press: Callable[..., None]) -> None:
    from qtpy import QtWidgets

    assert check.checking.current == "C7"
    press("A")
    assert check.verdicts() == {"C7": ("accepted", 0, "")} and check.checking.current == "T1"
    press("Down", "Down", "Up")
    assert check.checking.current == "T2"
    press("R")
    reason = check.section.widget.findChild(QtWidgets.QComboBox).lineEdit()
    assert reason.hasFocus() and "T2" not in check.verdicts(), "a reason is needed first"
    press("Down", "Down", "Return", on=reason)
    assert check.verdicts()["T2"] == ("rejected", 0, "part of the bone is missing")
    assert check.checking.current == "T3" and reason.text() == "", "the next bone needs a reason of its own"
    press("R")
    for letter in "axle":  # letters that are keys elsewhere
        press(letter.upper(), on=reason)
    press("Return", on=reason)
    assert check.verdicts()["T3"] == ("rejected", 0, "axle")
    press("Up", "A")
    assert check.verdicts()["T3"] == ("accepted", 0, ""), "the last verdict counts"
    rows = check.section.widget.findChild(QtWidgets.QTreeWidget)
    shown = {rows.topLevelItem(at).text(0).split()[0]: rows.topLevelItem(at).text(1) for at in range(4)}
    assert shown == {"C7": "✓ accepted", "T1": "", "T2": "✖ rejected", "T3": "✓ accepted"}
    assert check.said == []


def test_a_bone_is_fixed_with_the_mouse_and_kept_as_a_version(check: Check, press: Callable[..., None], drag: Any) -> None:
    press("Down", "X")
    assert check.checking.editing == "brush" and check.button("Keep").isVisible()
    check.checking.set_brush_size(6)
    window = check.scene.radiograph.GetDisplayNode().GetWindow()
    drag(check.widget, check.place(65, 84), check.place(65, 106))
    once = check.in_scene()
    assert once.areas()["T1"] > check.own.areas()["T1"] + 50
    press("E")
    drag(check.widget, check.place(44, 84), check.place(44, 106))
    twice = check.in_scene()
    assert twice.areas()["T1"] < once.areas()["T1"]
    press("Z", "Z")
    assert check.in_scene().sha256 == check.own.sha256
    press("Z", shift=True)
    assert check.in_scene().sha256 == once.sha256
    assert not check.verdicts() and not check.versions.all(), "nothing is kept before the reader says so"
    press("X")
    assert check.checking.editing == "" and check.verdicts() == {"T1": ("fixed", 1, "")}
    (version,) = check.versions.all()
    assert version.changed == ("T1",) and version.author == "R1"
    assert check.versions.load(version).sha256 == once.sha256 == check.in_scene().sha256
    assert check.scene.radiograph.GetDisplayNode().GetWindow() == window
    from OsteoScreenLib.scene.bone_emphasis import hidden_bones

    assert hidden_bones(check.scene.segmentation, check.own.names) == {"sternum"}
    assert check.checking.current == "T2", "on to the next bone without a verdict"
    row = next(row for row in check.checking.rows if row.name == "T1")
    assert row.dice is not None and 0.8 < row.dice < 1 and row.verdict is not None


def test_outlines_that_were_off_are_off_again_when_a_bone_is_left(check: Check, press: Callable[..., None]) -> None:
    from OsteoScreenLib.scene.bone_emphasis import hidden_bones

    def hidden() -> frozenset[str]:
        return hidden_bones(check.scene.segmentation, check.own.names)

    check.checking.choose("sternum")
    assert hidden() == frozenset(), "what is looked at is seen"
    press("X", "X")
    press("Up")
    assert hidden() == {"sternum"}
    check.checking.choose("sternum")
    check.checking.leave()
    assert hidden() == {"sternum"}
    assert not check.scene.segmentation.GetDisplayNode().GetVisibility2DFill()


def test_double_clicks_paint_and_do_not_move_the_image(check: Check, press: Callable[..., None], qapp: Any) -> None:
    from qtpy.QtCore import QPoint, Qt
    from qtpy.QtTest import QTest

    press("X")
    check.window.view.zoom(0.5, 100, 100)
    field = check.window.view.mrmlSliceNode().GetFieldOfView()
    place = QPoint(*map(round, check.place(150, 60)))
    QTest.mouseClick(check.widget, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, place)
    QTest.mouseDClick(check.widget, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, place)
    qapp.processEvents()
    assert check.window.view.mrmlSliceNode().GetFieldOfView() == field
    assert check.in_scene().areas()["C7"] > check.own.areas()["C7"]


def test_going_on_keeps_what_was_painted_and_discard_does_not(check: Check, press: Callable[..., None], drag: Any) -> None:
    press("X")
    drag(check.widget, check.place(30, 70), check.place(30, 75))
    check.button("Discard").click()
    assert check.in_scene().sha256 == check.own.sha256 and not check.versions.all()
    press("X")
    drag(check.widget, check.place(30, 70), check.place(30, 75))
    check.button("As the model").click()
    press("X")
    assert not check.versions.all() and not check.verdicts(), "back to the model's outline, nothing was changed"
    press("X")
    drag(check.widget, check.place(30, 70), check.place(30, 75))
    press("Down")  # without a word
    assert check.verdicts() == {"C7": ("fixed", 1, "")} and check.checking.editing == ""
    press("Up", "A")
    assert check.verdicts()["C7"] == ("fixed", 1, ""), "a mask that the reader has corrected is not the model's accepted one"


def test_the_next_day_the_reader_finds_his_masks_and_verdicts(check: Check, press: Callable[..., None], drag: Any) -> None:
    press("X")
    drag(check.widget, check.place(30, 70), check.place(30, 75))
    press("X")
    corrected = check.in_scene().sha256
    check.checking.leave()
    assert check.in_scene().sha256 == check.own.sha256, "the model's numbers belong to the model's masks"
    assert not check.checking.there
    check.scene.remove()
    check.scene = check.new_scene()
    check.open()
    assert check.in_scene().sha256 == corrected and check.checking.version == 1
    assert check.checking.current == "T1" and check.checking.rows[0].verdict is not None
    press("Down", "X")
    drag(check.widget, check.place(80, 70), check.place(80, 75))
    press("X")
    first, second = check.versions.all()
    assert second.based_on == first.name and check.verdicts()["T2"] == ("fixed", 2, "")


def test_a_full_disk_is_one_sentence_and_nothing_is_lost(check: Check, press: Callable[..., None], drag: Any) -> None:
    press("X")
    drag(check.widget, check.place(30, 70), check.place(30, 75))
    painted = check.in_scene().sha256
    with full_disk(0):
        press("X")
        assert [severity for severity, _ in check.said] == ["error"] and "free some space" in check.said[0][1]
        press("A")  # a verdict cannot be kept either
        check.checking.leave()
        assert not check.verdicts() and not check.versions.all()
        check.now = 60.0
        check.checking.poll()
    assert check.said[-1][0] == "error"
    check.now = 120.0
    check.checking.poll()
    assert check.said[-1] == ("info", "The corrected masks are saved now.")
    assert check.verdicts()["C7"] == ("fixed", 1, "")
    assert check.versions.load(check.versions.all()[0]).sha256 == painted


@pytest.mark.parametrize("how", ["segmentation deleted", "case deleted", "scene closing", "scene closed"])
def test_what_was_painted_outlives_its_nodes(check: Check, press: Callable[..., None], drag: Any, how: str) -> None:
    import slicer

    press("X")
    drag(check.widget, check.place(30, 70), check.place(30, 75))
    painted, scene = check.in_scene().sha256, slicer.mrmlScene
    if how == "scene closing":
        tag = scene.AddObserver(scene.StartCloseEvent, lambda *_: check.checking.leave())
        scene.Clear(0)
        scene.RemoveObserver(tag)
    elif how == "scene closed":
        scene.Clear(0)
    elif how == "case deleted":
        check.scene.remove()
    else:
        scene.RemoveNode(check.scene.segmentation)
    check.checking.leave()
    assert check.said == [] and check.verdicts() == {"C7": ("fixed", 1, "")}
    assert check.versions.load(check.versions.all()[0]).sha256 == painted
    assert not check.window.view.mouse_is_lent()


def test_in_slicer_the_segment_editor_is_the_brush(check: Check, press: Callable[..., None], monkeypatch: Any) -> None:
    import slicer.util

    opened: list[Any] = []
    monkeypatch.setattr(check.host, "edit_masks", lambda *nodes: opened.append(nodes) or True)
    press("X")
    assert opened == [(check.scene.segmentation, check.scene.radiograph)]
    assert check.checking.editing == "editor" and not check.window.view.mouse_is_lent()
    edited = check.own.mask("T1").copy()
    edited[63:66, 80:110] = True
    slicer.util.updateSegmentBinaryLabelmapFromArray(
        edited[None].astype(np.uint8), check.scene.segmentation, "T1", check.scene.radiograph
    )
    press("X")
    assert check.verdicts() == {"T1": ("fixed", 1, "")}, "whichever bone was corrected there"
    assert np.array_equal(check.versions.load(check.versions.all()[0]).mask("T1"), edited)
