"""A viewer window without a display, over an empty scene, with settings of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest


@pytest.fixture
def settings(tmp_path: Path) -> Any:
    """Settings in a file of this test."""
    from OsteoScreenLib.hosts.desktop.settings import Settings

    return Settings(tmp_path / "settings" / "viewer.ini")


@pytest.fixture
def window(qapp: Any, slicer_application: Any, view: Any, settings: Any) -> Iterator[Any]:
    """The window, shown, 900 × 700."""
    from OsteoScreenLib.hosts.desktop.window import ViewerWindow

    shown = ViewerWindow(slicer_application, settings)
    shown.resize(900, 700)
    shown.show()
    qapp.processEvents()
    yield shown
    shown.close()
    qapp.processEvents()
    shown.deleteLater()
    qapp.processEvents()


@pytest.fixture
def radiograph(slicer_application: Any) -> Callable[..., Any]:
    """radiograph(array, spacing=(1, 1)) adds a volume to the scene, upright, shows it and fits it; returns its node."""

    def add(array: np.ndarray, spacing: tuple[float, float] = (1.0, 1.0)) -> Any:
        import slicer.util

        row, column = spacing
        node = slicer.util.addVolumeFromArray(array[None].astype(np.float32), np.diag([-column, -row, 1, 1]), "radiograph")
        node.CreateDefaultDisplayNodes()
        display = node.GetDisplayNode()
        display.AutoWindowLevelOff()
        display.SetWindowLevelMinMax(0.0, 1.0)
        slicer.util.setSliceViewerLayers(background=node, foreground=None, fit=True)
        return node

    return add


@pytest.fixture
def drag(qapp: Any) -> Callable[..., None]:
    """drag(widget, start, end, button="LeftButton", modifier="NoModifier"): press, move in steps, release; in widget units."""
    from qtpy import QtCore, QtGui

    Qt = QtCore.Qt

    def send(widget: Any, kind: str, place: tuple[float, float], button: Any, buttons: Any, held: Any) -> None:
        point = QtCore.QPointF(*place)
        event = QtGui.QMouseEvent(getattr(QtCore.QEvent.Type, kind), point, widget.mapToGlobal(point), button, buttons, held)
        qapp.sendEvent(widget, event)

    def perform(
        widget: Any,
        start: tuple[float, float],
        end: tuple[float, float],
        button: str = "LeftButton",
        modifier: str = "NoModifier",
    ) -> None:
        pressed, none = getattr(Qt.MouseButton, button), Qt.MouseButton.NoButton
        held = getattr(Qt.KeyboardModifier, modifier)
        send(widget, "MouseMove", start, none, none, held)
        send(widget, "MouseButtonPress", start, pressed, pressed, held)
        for step in range(1, 6):
            place = tuple(a + (b - a) * step / 5 for a, b in zip(start, end, strict=True))
            send(widget, "MouseMove", place, none, pressed, held)
            qapp.processEvents()
        send(widget, "MouseButtonRelease", end, pressed, none, held)
        qapp.processEvents()

    return perform


@pytest.fixture
def wheel(qapp: Any) -> Callable[..., None]:
    """wheel(widget, place, notches): turn the wheel over this place of the widget."""
    from qtpy import QtCore, QtGui

    def turn(widget: Any, place: tuple[float, float], notches: float) -> None:
        point = QtCore.QPointF(*place)
        event = QtGui.QWheelEvent(
            point,
            widget.mapToGlobal(point),
            QtCore.QPoint(),
            QtCore.QPoint(0, round(120 * notches)),
            QtCore.Qt.MouseButton.NoButton,
            QtCore.Qt.KeyboardModifier.NoModifier,
            QtCore.Qt.ScrollPhase.NoScrollPhase,
            False,
        )
        qapp.sendEvent(widget, event)
        qapp.processEvents()

    return turn


@pytest.fixture
def pixel_of() -> Callable[..., tuple[float, float]]:
    """pixel_of(view, x, y): (column, row from the bottom) of the frame in which this place in millimetres is drawn."""
    import vtk

    def find(view: Any, right: float, down: float) -> tuple[float, float]:
        inverse = vtk.vtkMatrix4x4()
        vtk.vtkMatrix4x4.Invert(view.mrmlSliceNode().GetXYToRAS(), inverse)
        column, row, _, _ = inverse.MultiplyPoint((-right, -down, 0, 1))
        return column, row

    return find


@pytest.fixture
def menu_entry() -> Callable[..., Any]:
    """menu_entry(window, title): the QAction whose title begins like this."""

    def find(window: Any, title: str) -> Any:
        for menu in window.menuBar().actions():
            for entry in menu.menu().actions():
                if entry.text().replace("&", "").startswith(title):
                    return entry
        raise AssertionError(f"no menu entry {title}")

    return find
