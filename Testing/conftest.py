"""What every test shares: offline hubs, quiet threads, and the way to the real material when it is there."""

from __future__ import annotations

import contextlib
import importlib
import os
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from OsteoScreenLib.hosts.desktop.application import MiniSlicer
    from OsteoScreenLib.hosts.desktop.slice_view import SliceView

os.environ["HF_HUB_OFFLINE"] = "1"
# Waiting OpenMP threads that spin make everything several times slower where cores are shared; read when torch is loaded.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
# Windows are drawn without a display, whether there is one or not.
os.environ["QT_QPA_PLATFORM"] = "offscreen"

# Mesa, which draws where there is no GPU, and Triton, which torch loads, each bring an LLVM; loading Triton's after Mesa's ends in
# a crash. Tests of both share a process, whatever order they run in; the viewer itself never loads torch.
with contextlib.suppress(ImportError):
    importlib.import_module("triton._C.libtriton")

REPOSITORY = Path(__file__).resolve().parent.parent


def pytest_report_header() -> str:
    """What is left out here, and why."""
    there = find_spec("slicer") is not None and find_spec("PySide6") is not None
    return f"desktop packages (requirements-desktop.txt): {'there' if there else 'missing, so the panel and the scene are not tested'}"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder with real radiographs, CT and bones that lives beside the repository; tests skip where it is absent."""
    folder = REPOSITORY.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("the real material (../shared/data) is not on this machine")
    return folder


@pytest.fixture(scope="session")
def slicer_application() -> Iterator[MiniSlicer]:
    """The desktop viewer's scene and logics, published as `slicer.app`, so that `slicer.util` works. Skips without the wheel."""
    pytest.importorskip("slicer", reason="the desktop packages (requirements-desktop.txt) are not installed here")
    from OsteoScreenLib.hosts.desktop.application import MiniSlicer

    application = MiniSlicer().publish()
    yield application
    application.close()


@pytest.fixture
def view(slicer_application: MiniSlicer) -> Iterator[SliceView]:
    """Slice view "Red", 800 × 800 pixels, over an empty scene; emptied again afterwards."""
    slicer_application.publish()
    slicer_application.publish()  # the scene's own tests publish another one
    shown = slicer_application.layoutManager().sliceWidget("Red") or slicer_application.add_slice_view("Red")
    empty_scene(slicer_application)
    shown.set_size(800, 800)
    yield shown
    shown.set_render_request(None)
    empty_scene(slicer_application)


def empty_scene(application: MiniSlicer) -> None:
    """Remove what a test put into the scene, and put the mouse back to what Slicer starts with."""
    import slicer

    application.mrmlScene().Clear(0)
    interaction = application.applicationLogic().GetInteractionNode()
    interaction.SetCurrentInteractionMode(slicer.vtkMRMLInteractionNode.ViewTransform)


@pytest.fixture(scope="session")
def qapp() -> Any:
    """The one QApplication of the test run, without a display."""
    pytest.importorskip("qtpy.QtWidgets", reason="the desktop packages (requirements-desktop.txt) are not installed here")
    from qtpy import QtWidgets

    return QtWidgets.QApplication.instance() or QtWidgets.QApplication(["osteoscreen"])
