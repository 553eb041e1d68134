"""Runs in a process of its own: `viewer_process.py SCENARIO FOLDER [IMAGE]`; prints one line of JSON."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil

PATIENCE_SECONDS = 120.0


def wait(viewer: object, condition: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        if time.monotonic() > end:
            raise SystemExit("it took too long")
        viewer.qt.processEvents()  # type: ignore[attr-defined]
        time.sleep(0.01)


def close_during_work(folder: Path, image: Path) -> dict[str, object]:
    """Close the window in the middle of an analysis by the real worker."""
    from OsteoScreenLib.hosts.desktop.viewer import Viewer

    log: list[str] = []
    viewer = Viewer(log.append, settings_file=folder / "viewer.ini", image=image)
    viewer.window.show()
    wait(viewer, lambda: viewer.presenter.reading is not None)
    viewer.presenter.analyse()
    wait(viewer, lambda: viewer.presenter.progress is not None and viewer.presenter.progress[1] > 0.05)
    busy, worker = viewer.presenter.busy, viewer.client.process_id
    began = time.monotonic()
    viewer.window.close()
    seconds = time.monotonic() - began
    viewer.end()
    return {"busy": busy, "worker": worker, "seconds": seconds, "log": log}


def close_at_once(folder: Path) -> dict[str, object]:
    """Close the window while the worker is still importing its libraries."""
    from OsteoScreenLib.hosts.desktop.viewer import Viewer

    viewer = Viewer(lambda text: None, settings_file=folder / "viewer.ini")
    worker = viewer.client.process_id
    viewer.window.show()
    viewer.qt.processEvents()
    began = time.monotonic()
    viewer.window.close()
    seconds = time.monotonic() - began
    viewer.end()
    return {"worker": worker, "seconds": seconds}


def scaled(folder: Path) -> dict[str, object]:
    """On a screen with two pixels per unit: one pixel of the radiograph is one of the screen, and the mouse finds it."""
    import numpy as np
    import slicer
    import slicer.util
    from qtpy import QtCore, QtGui, QtWidgets

    from OsteoScreenLib.hosts.desktop.application import MiniSlicer
    from OsteoScreenLib.hosts.desktop.settings import Settings
    from OsteoScreenLib.hosts.desktop.window import ViewerWindow

    qt = QtWidgets.QApplication([])
    application = MiniSlicer().publish()
    window = ViewerWindow(application, Settings(folder / "viewer.ini"))
    window.resize(400, 380)
    window.show()
    qt.processEvents()
    widget, view = window.slice_widget, window.view
    width, height = view.renderWindow().GetSize()
    board = (np.indices((height, width)).sum(0) % 2).astype(np.float32)
    node = slicer.util.addVolumeFromArray(board[None], np.diag([-1, -1, 1, 1]), "board")
    node.CreateDefaultDisplayNodes()
    node.GetDisplayNode().AutoWindowLevelOff()
    node.GetDisplayNode().SetWindowLevelMinMax(0, 1)
    node.GetDisplayNode().SetInterpolate(False)
    slicer.util.setSliceViewerLayers(background=node, fit=True)
    qt.processEvents()
    painted = widget.grab().toImage().convertToFormat(QtGui.QImage.Format.Format_RGB888)
    buffer = np.frombuffer(painted.constBits(), np.uint8).reshape(painted.height(), painted.bytesPerLine())
    shown = buffer[:, : 3 * painted.width()].reshape(painted.height(), painted.width(), 3)

    place = QtCore.QPointF(101, 57)
    none, held = QtCore.Qt.MouseButton.NoButton, QtCore.Qt.KeyboardModifier.NoModifier
    crosshair = slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLCrosshairNode")
    qt.sendEvent(widget, QtGui.QEnterEvent(place, place, place))
    qt.sendEvent(widget, QtGui.QMouseEvent(QtCore.QEvent.Type.MouseMove, place, place, none, none, held))
    ras = [0.0] * 3
    crosshair.GetCursorPositionRAS(ras)
    answer = {
        "ratio": widget.devicePixelRatioF(),
        "widget": [widget.width(), widget.height()],
        "frame": [width, height],
        "painted": [painted.width(), painted.height()],
        "same": bool(np.array_equal(shown, view.grab())),
        "contrast": float(np.abs(np.diff(shown[..., 0].astype(float), axis=1)).mean()),
        "cursor": [-ras[0], -ras[1]],
    }
    window.close()
    application.close()
    return answer


if __name__ == "__main__":
    scenario, folder, *image = sys.argv[1:]
    scenarios: dict[str, Callable[..., dict[str, object]]] = {
        "close_during_work": close_during_work,
        "close_at_once": close_at_once,
        "scaled": scaled,
    }
    result = scenarios[scenario](Path(folder), *(Path(path) for path in image))
    result["children"] = [child.pid for child in psutil.Process().children(recursive=True)]
    print(json.dumps(result))
