"""Warnings of VTK and MRML go to the log: a terminal full of them tells a reader nothing."""

from __future__ import annotations

import logging
from typing import Any

import vtk

LOG = logging.getLogger("OsteoScreenLib.scene")


def log_vtk_messages() -> vtk.vtkOutputWindow:
    """Send what VTK and MRML complain about to the logger `OsteoScreenLib.scene` from now on."""
    if not LOG.handlers:
        LOG.addHandler(logging.NullHandler())  # without any handler Python itself would print warnings
    vtk.vtkLogger.SetStderrVerbosity(vtk.vtkLogger.VERBOSITY_OFF)
    window = vtk.vtkOutputWindow()
    window.SetDisplayModeToNever()
    window.AddObserver("ErrorEvent", _listener(logging.ERROR))
    window.AddObserver("WarningEvent", _listener(logging.WARNING))
    window.AddObserver("TextEvent", _listener(logging.INFO))
    vtk.vtkOutputWindow.SetInstance(window)
    return window


def _listener(level: int) -> Any:
    def tell(_window: object, _event: str, text: str) -> None:
        LOG.log(level, " ".join(str(text).split()))

    tell.CallDataType = "string0"  # type: ignore[attr-defined]  # how VTK hands text to Python
    return tell
