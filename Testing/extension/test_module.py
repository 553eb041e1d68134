"""OsteoScreen.py as Slicer uses it: metadata, samples, and the widget's life from set-up to clean-up, with its self-test."""

from __future__ import annotations

import hashlib
import importlib.util
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any
from urllib.parse import urlsplit
from urllib.request import url2pathname

import psutil
import pytest
from extension.slicer_stand_in import SampleData, ScriptedModuleTest, Settings, scripted_modules

import OsteoScreenLib
from OsteoScreenLib.hosts import address, library_report

MODULE = Path(OsteoScreenLib.__file__).parents[1] / "OsteoScreen.py"


@pytest.fixture
def sample_data(monkeypatch: pytest.MonkeyPatch) -> SampleData:
    played = SampleData()
    monkeypatch.setitem(sys.modules, "SampleData", played)
    return played


@pytest.fixture
def application(slicer_application: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """The desktop viewer's application with what only Slicer's has; its PythonSlicer is the Python of the tests."""
    python = tmp_path / "bin" / "PythonSlicer"
    python.parent.mkdir()
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    python.chmod(0o755)
    settings = Settings()
    connected: dict[str, Any] = {}
    played = {"slicerHome": str(tmp_path), "userSettings": lambda: settings, "connected": connected}
    played["connect"] = lambda signal, callback: connected.__setitem__(signal, callback)
    for name, value in played.items():
        monkeypatch.setattr(slicer_application, name, value, raising=False)
    return slicer_application.publish()  # whichever application the tests before have published


@pytest.fixture
def module(application: Any, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """OsteoScreen.py, imported as Slicer imports it."""
    monkeypatch.setitem(sys.modules, "slicer.ScriptedLoadableModule", scripted_modules())
    spec = importlib.util.spec_from_file_location("OsteoScreen", MODULE)
    assert spec is not None and spec.loader is not None
    imported = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(imported)
    return imported


@pytest.fixture
def widget(module: ModuleType, application: Any, view: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The module's widget, opened as Slicer opens it; the Python packages count as checked."""
    import slicer

    from OsteoScreenLib.ui import qt_api

    qt_api.application()
    monkeypatch.setattr(application, "_process_events", qt_api.process_events)
    monkeypatch.setattr(library_report, "ask", lambda *_: library_report.Report(versions={"torch": "9"}))
    monkeypatch.setattr(slicer.util, "mainWindow", lambda: None)
    parent = qt_api.QtWidgets.QWidget()
    parent.setLayout(qt_api.QtWidgets.QVBoxLayout())
    opened = module.OsteoScreenWidget(parent)
    monkeypatch.setattr(
        slicer.modules,
        "osteoscreen",
        SimpleNamespace(widgetRepresentation=lambda: SimpleNamespace(self=lambda: opened)),
        raising=False,
    )
    assert opened.panel is None, "nothing is built before Slicer calls setup"
    opened.setup()
    opened.enter()
    yield opened
    opened.exit()
    opened.cleanup()
    parent.deleteLater()
    qt_api.process_events()


def test_importing_it_imports_nothing_of_the_library() -> None:
    """Slicer imports every module when it starts."""
    program = (
        "import sys; sys.path.insert(0, sys.argv[2]); from extension.slicer_stand_in import scripted_modules; from types import ModuleType;"
        "sys.modules['slicer'] = ModuleType('slicer'); sys.modules['slicer.ScriptedLoadableModule'] = scripted_modules();"
        "before = set(sys.modules); sys.path.insert(0, sys.argv[1]); import OsteoScreen;"
        "print(sorted(name for name in set(sys.modules) - before if not name.startswith('_')))"
    )
    command = [sys.executable, "-c", program, str(MODULE.parent), str(Path(__file__).resolve().parents[1])]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "['OsteoScreen']"


def test_what_the_module_says_of_itself(module: ModuleType, application: Any) -> None:
    parent = SimpleNamespace(path=str(MODULE))
    module.OsteoScreen(parent)
    assert parent.title == "OsteoScreen" and parent.categories == ["Quantification"]
    assert parent.contributors == ["OsteoScreen contributors"]
    assert "Research use only" in parent.helpText and address.tutorial() in parent.helpText
    assert "Osteoporosis International 2025" in parent.acknowledgementText and address.STUDY in parent.acknowledgementText
    assert application.connected == {"startupCompleted()": module.register_samples}


def test_samples_are_files_of_the_module_with_their_checksums(module: ModuleType, sample_data: SampleData) -> None:
    module.register_samples()
    assert len(sample_data.registered) == 2
    for sample in sample_data.registered:
        path = Path(url2pathname(urlsplit(sample["uris"]).path))
        assert sample["uris"].startswith("file:///") and path.parent == MODULE.parent / "Resources" / "SampleData"
        assert sample["checksums"] == f"SHA256:{hashlib.sha256(path.read_bytes()).hexdigest()}"
        assert sample["fileNames"] == path.name and sample["loadFileType"] == "VolumeFile"
        assert Path(sample["thumbnailFileName"]).is_file() and sample["category"] == "OsteoScreen"
    shipped = {path.name for path in (MODULE.parent / "Resources" / "SampleData").glob("*.dcm")}
    assert {sample["fileNames"] for sample in sample_data.registered} == shipped
    assert module.OsteoScreenLogic.sample().is_file()


def test_the_self_test_passes_and_no_process_is_left(widget: Any, module: ModuleType) -> None:
    ScriptedModuleTest.messages.clear()
    before = {child.pid for child in psutil.Process().children(recursive=True)}
    module.OsteoScreenTest("runTest").runTest()
    assert ScriptedModuleTest.messages[-1] == "The self-test passed."
    workers = [child for child in psutil.Process().children(recursive=True) if "OsteoScreenLib.worker" in child.cmdline()]
    assert workers
    widget.exit()
    widget.cleanup()
    assert widget.panel is None
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline and any(worker.is_running() for worker in workers):
        time.sleep(0.05)
    assert not any(worker.is_running() for worker in workers)
    assert {child.pid for child in psutil.Process().children(recursive=True)} <= before
    widget.cleanup()


def test_the_self_test_says_when_it_is_left_out(widget: Any, module: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(widget.panel.host.libraries, "make_ready", lambda: "Missing: torch.")
    ScriptedModuleTest.messages.clear()
    module.OsteoScreenTest("runTest").runTest()
    assert ScriptedModuleTest.messages == ["The self-test was left out. Missing: torch."]


def test_without_a_main_window_there_is_a_sentence_and_no_panel(
    module: ModuleType, application: Any, qapp: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As Slicer's generic tests of every module open it."""
    import slicer
    from qtpy import QtWidgets

    monkeypatch.setattr(application, "layoutManager", lambda: None)
    parent = QtWidgets.QWidget()
    parent.setLayout(QtWidgets.QVBoxLayout())
    opened = module.OsteoScreenWidget(parent)
    opened.setup()
    opened.enter()
    (label,) = parent.findChildren(QtWidgets.QLabel)
    assert label.text() == module.NO_VIEW and opened.panel is None
    played = SimpleNamespace(widgetRepresentation=lambda: SimpleNamespace(self=lambda: opened))
    monkeypatch.setattr(slicer.modules, "osteoscreen", played, raising=False)
    ScriptedModuleTest.messages.clear()
    module.OsteoScreenTest("runTest").runTest()
    assert ScriptedModuleTest.messages == [f"The self-test was left out. {module.NO_VIEW}"]
    opened.exit()
    opened.cleanup()
    parent.deleteLater()


def test_leaving_restores_what_the_reader_had(
    widget: Any, module: ModuleType, application: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    import numpy as np
    import slicer

    from OsteoScreenLib.scene.case_nodes import SceneCase

    widget.exit()
    volume = slicer.util.addVolumeFromArray(np.zeros((1, 40, 30), np.float32), name="the reader's own")
    layers = application.layoutManager().sliceWidget("Red").sliceLogic().GetSliceCompositeNode()
    layers.SetBackgroundVolumeID(volume.GetID())
    place = application.layoutManager().sliceWidget("Red").sliceLogic().GetSliceNode()
    place.SetFieldOfView(5.0, 5.0, 1.0)
    place.SetXYZOrigin(700.0, 300.0, 0.0)
    layouts: list[int] = []
    monkeypatch.setattr(application.layoutManager(), "setLayout", layouts.append, raising=False)
    widget.enter()
    assert layouts == [] and layers.GetBackgroundVolumeID() == volume.GetID(), "nothing to show yet"
    presenter = widget.panel.presenter
    presenter.open_file(module.OsteoScreenLogic.sample())
    waited(application, lambda: presenter.reading is not None)
    (shown,) = SceneCase.all_in_scene()
    assert layers.GetBackgroundVolumeID() == shown.radiograph.GetID() and place.GetFieldOfView()[1] > 100
    assert layouts == [slicer.vtkMRMLLayoutNode.SlicerLayoutOneUpRedSliceView]
    widget.exit()
    assert layers.GetBackgroundVolumeID() == volume.GetID()
    assert place.GetFieldOfView()[:2] == (5.0, 5.0) and place.GetXYZOrigin() == (700.0, 300.0, 0.0)
    widget.enter()
    assert layers.GetBackgroundVolumeID() == shown.radiograph.GetID()
    assert place.GetFieldOfView()[1] > 100 and place.GetXYZOrigin()[:2] == (0.0, 0.0), "the radiograph is whole in the view"


def test_what_happens_after_leaving_leaves_the_readers_view_alone(widget: Any, module: ModuleType, application: Any) -> None:
    """An answer may arrive, and keys may be pressed on the view, while the reader works in another module."""
    import numpy as np
    import slicer

    volume = slicer.util.addVolumeFromArray(np.zeros((1, 40, 30), np.float32), name="the reader's own")
    presenter = widget.panel.presenter
    presenter.open_file(module.OsteoScreenLogic.sample())
    waited(application, lambda: presenter.reading is not None and not presenter.busy)
    presenter.analyse()
    widget.exit()
    view = application.layoutManager().sliceWidget("Red")
    layers = view.sliceLogic().GetSliceCompositeNode()
    layers.SetBackgroundVolumeID(volume.GetID())
    layers.SetForegroundVolumeID(None)
    waited(application, lambda: presenter.result is not None and not presenter.busy)
    assert layers.GetBackgroundVolumeID() == volume.GetID() and layers.GetForegroundVolumeID() is None
    interactor = view.sliceView().interactor()
    for key in ("1", "space"):
        press(interactor, key)
    assert presenter.toggles.covered == frozenset()
    assert layers.GetBackgroundVolumeID() == volume.GetID()
    widget.enter()
    assert layers.GetBackgroundVolumeID() != volume.GetID() and layers.GetForegroundVolumeID()
    press(interactor, "1")
    assert presenter.toggles.covered != frozenset()


def press(interactor: Any, key: str) -> None:
    """A key, pressed and let go while the view has the focus."""
    interactor.SetKeySym(key)
    interactor.InvokeEvent("KeyPressEvent")
    interactor.InvokeEvent("KeyReleaseEvent")


def waited(application: Any, done: Any, seconds: float = 120) -> None:
    """Let events run until it is done."""
    deadline = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < deadline
        application.processEvents()
        time.sleep(0.01)


def test_the_model_is_loaded_ahead_only_when_the_packages_are_known_to_be_there(
    widget: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    warmed: list[str] = []
    monkeypatch.setattr(widget.panel.presenter, "warm_up", lambda: warmed.append("warm"))
    widget.exit()
    widget.enter()
    assert warmed == [], "nothing was checked yet, so nothing is started"
    assert widget.panel.host.make_ready() == ""
    widget.exit()
    widget.enter()
    widget.enter()
    assert warmed == ["warm"]


def test_a_fault_that_a_broken_library_explains_is_looked_into_at_the_next_analysis(widget: Any) -> None:
    libraries = widget.panel.host.libraries
    assert libraries.make_ready() == ""
    asked: list[str] = []

    def ask(*_: Any) -> library_report.Report:
        asked.append("checked")
        return library_report.Report(broken={"torch": ("ImportError", "No module named 'torch._C'")})

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(library_report, "ask", ask)
        widget.panel._desk.failed.emit("The results could not be written.", "")
        assert libraries.make_ready() == "" and asked == []
        widget.panel._desk.failed.emit("The process ended.", "Traceback …\nImportError: cannot import name '_C' from 'torch'")
        assert libraries.make_ready().startswith("PyTorch is only half installed") and asked == ["checked"]
