"""The image under the mouse: what each button, the wheel and the keys do, on drawn frames."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

SIZE = 256


@pytest.fixture
def ramp() -> np.ndarray:
    """Grey in every quarter: top left white, top right half, bottom black."""
    image = np.zeros((SIZE, SIZE), np.float32)
    image[: SIZE // 2, : SIZE // 2], image[: SIZE // 2, SIZE // 2 :] = 1.0, 0.5
    return image


def windows(node: Any) -> tuple[float, float]:
    display = node.GetDisplayNode()
    return round(display.GetWindow(), 9), round(display.GetLevel(), 9)


def field_and_origin(view: Any) -> tuple[float, ...]:
    node = view.mrmlSliceNode()
    return (*node.GetFieldOfView(), *node.GetXYZOrigin())


def test_the_image_is_upright_and_the_widget_paints_the_frame(window, radiograph, ramp, qapp, pixel_of) -> None:
    radiograph(ramp)
    view = window.view
    frame = view.grab()

    def grey(x: float, y: float) -> int:
        column, row = pixel_of(view, x, y)
        return int(frame[frame.shape[0] - 1 - round(row), round(column)].mean())

    assert grey(SIZE * 0.25, SIZE * 0.25) == 255
    assert abs(grey(SIZE * 0.75, SIZE * 0.25) - 128) <= 2
    assert grey(SIZE * 0.5, SIZE * 0.75) == 0
    qapp.processEvents()
    painted = window.slice_widget.grab().toImage()
    column, row = pixel_of(view, SIZE * 0.25, SIZE * 0.25)
    assert painted.pixelColor(round(column), frame.shape[0] - 1 - round(row)).lightness() == 255
    assert painted.pixelColor(painted.width() // 2, painted.height() * 3 // 4).lightness() == 0


def test_left_drag_changes_the_window_of_the_background_alone(window, radiograph, ramp, drag) -> None:
    import slicer.util

    node = radiograph(ramp)
    heat = slicer.util.addVolumeFromArray(np.ones((1, SIZE, SIZE), np.float32), np.diag([-1, -1, 1, 1]), "heat")
    heat.CreateDefaultDisplayNodes()
    heat.GetDisplayNode().AutoWindowLevelOff()
    heat.GetDisplayNode().SetWindowLevelMinMax(0, 1)
    slicer.util.setSliceViewerLayers(foreground=heat, foregroundOpacity=0.4)
    before, place = windows(node), field_and_origin(window.view)
    centre = window.slice_widget.width() / 2, window.slice_widget.height() / 2
    drag(window.slice_widget, centre, (centre[0] + 60, centre[1] + 25))
    assert windows(node) != before
    assert windows(heat) == (1.0, 0.5)
    assert field_and_origin(window.view) == place


def test_reset_gives_the_whole_range_of_grey_back(window, radiograph, ramp, drag, menu_entry) -> None:
    node = radiograph(ramp)
    drag(window.slice_widget, (200, 200), (260, 230))
    assert windows(node) != (1.0, 0.5)
    menu_entry(window, "Reset window/level").trigger()
    assert windows(node) == (1.0, 0.5)


@pytest.mark.parametrize("notches", [1, 5, -2])
def test_the_wheel_zooms_about_the_cursor(window, radiograph, ramp, wheel, notches) -> None:
    radiograph(ramp)
    view, node = window.view, window.view.mrmlSliceNode()
    place, before = (130.0, 210.0), node.GetFieldOfView()[0]
    column, row = 130, view.renderWindow().GetSize()[1] - 1 - 210
    under = node.GetXYToRAS().MultiplyPoint((column, row, 0, 1))
    wheel(window.slice_widget, place, notches)
    assert node.GetFieldOfView()[0] == pytest.approx(before * 1.2**-notches)
    assert node.GetXYToRAS().MultiplyPoint((column, row, 0, 1)) == pytest.approx(under, abs=1e-6)


def test_zooming_ends_before_nothing_is_left_to_see(window, radiograph, ramp, wheel) -> None:
    radiograph(ramp)
    for notches, least, most in ((60, 4, 20), (-120, 1000, 3000)):
        wheel(window.slice_widget, (100, 100), notches)
        assert least <= min(window.view.mrmlSliceNode().GetFieldOfView()[:2]) <= most


@pytest.mark.parametrize(("button", "modifier"), [("MiddleButton", "NoModifier"), ("LeftButton", "ShiftModifier")])
def test_middle_and_shift_drags_move_the_image_by_as_much(window, radiograph, ramp, drag, pixel_of, button, modifier) -> None:
    node = radiograph(ramp)
    before = pixel_of(window.view, 100, 100)
    drag(window.slice_widget, (200, 200), (250, 230), button, modifier)
    column, row = pixel_of(window.view, 100, 100)
    assert (column - before[0], before[1] - row) == pytest.approx((50, 30), abs=1.5)
    assert windows(node) == (1.0, 0.5)


def test_double_click_and_menu_fit_the_image_and_keep_the_window(window, radiograph, ramp, wheel, qapp, menu_entry) -> None:
    from qtpy import QtCore, QtTest

    node = radiograph(ramp)
    node.GetDisplayNode().SetWindowLevelMinMax(0.2, 0.6)
    fitted = field_and_origin(window.view)
    for fit in (
        lambda: QtTest.QTest.mouseDClick(
            window.slice_widget, QtCore.Qt.MouseButton.LeftButton, QtCore.Qt.KeyboardModifier.NoModifier, QtCore.QPoint(90, 90)
        ),
        menu_entry(window, "Fit image").trigger,
    ):
        wheel(window.slice_widget, (40, 60), 4)
        assert field_and_origin(window.view) != fitted
        fit()
        assert field_and_origin(window.view) == pytest.approx(fitted)
    assert windows(node) == (0.4, 0.4)


def test_an_image_shown_whole_stays_whole_when_the_window_grows(window, radiograph, ramp, wheel, qapp, pixel_of) -> None:
    radiograph(ramp)
    window.resize(1100, 800)
    qapp.processEvents()
    column, row = pixel_of(window.view, -0.5, SIZE - 0.5)
    assert min(column, row) == pytest.approx(0, abs=1.5)
    wheel(window.slice_widget, (200, 200), 3)
    node = window.view.mrmlSliceNode()
    zoomed, centre = min(node.GetFieldOfView()[:2]), node.GetXYZOrigin()
    window.resize(900, 700)
    qapp.processEvents()
    assert min(node.GetFieldOfView()[:2]) == pytest.approx(zoomed) and node.GetXYZOrigin() == centre


def test_keys_arrive_once_and_are_let_go_with_the_focus(window, qapp) -> None:
    from qtpy import QtCore, QtGui

    widget, heard = window.slice_widget, []
    interactor = window.view.interactor()
    tags = [
        interactor.AddObserver(name, lambda caller, event: heard.append((event, caller.GetKeySym())))
        for name in ("KeyPressEvent", "KeyReleaseEvent")
    ]

    def send(kind: str, key: str, text: str = "", repeated: bool = False) -> None:
        codes, held = QtCore.Qt.Key, QtCore.Qt.KeyboardModifier.NoModifier
        qapp.sendEvent(widget, QtGui.QKeyEvent(getattr(QtCore.QEvent.Type, kind), getattr(codes, key), held, text, repeated))

    send("KeyPress", "Key_Space", " ")
    send("KeyPress", "Key_Space", " ", True)
    send("KeyRelease", "Key_Space", " ", True)
    send("KeyRelease", "Key_Space", " ")
    send("KeyPress", "Key_3", "3")
    qapp.sendEvent(widget, QtGui.QFocusEvent(QtCore.QEvent.Type.FocusOut))
    send("KeyPress", "Key_F", "f")  # would leave the slice in Slicer
    for tag in tags:
        interactor.RemoveObserver(tag)
    assert heard == [
        ("KeyPressEvent", "space"),
        ("KeyReleaseEvent", "space"),
        ("KeyPressEvent", "3"),
        ("KeyReleaseEvent", "3"),
    ]


def test_many_changes_make_one_frame_and_none_while_hidden(window, radiograph, ramp, qapp) -> None:
    node = radiograph(ramp)
    qapp.processEvents()
    before = window.slice_widget.frames
    for step in range(20):
        node.GetDisplayNode().SetWindowLevelMinMax(0, 0.5 + step / 40)
    qapp.processEvents()
    assert window.slice_widget.frames == before + 1
    window.hide()
    node.GetDisplayNode().SetWindowLevelMinMax(0, 0.1)
    qapp.processEvents()
    assert window.slice_widget.frames == before + 1
    window.show()
    qapp.processEvents()
    assert window.slice_widget.frames > before + 1
