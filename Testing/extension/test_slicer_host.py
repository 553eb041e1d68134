"""3D Slicer as the panel's host: what it asks of Slicer, and that it asks for nothing else."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from extension.slicer_stand_in import Application

pytest.importorskip("slicer", reason="the desktop packages (requirements-desktop.txt) are not installed here")

from OsteoScreenLib.hosts import address
from OsteoScreenLib.hosts import slicer as slicer_host
from OsteoScreenLib.hosts.slicer import SlicerHost
from OsteoScreenLib.ui import qt_api
from OsteoScreenLib.ui.host import Host


@pytest.fixture
def host(application: Application) -> SlicerHost:
    return SlicerHost()


def test_it_is_a_host(host: SlicerHost) -> None:
    kept: Host = host
    assert kept.name == "3D Slicer" and kept.documentation_url == address.tutorial()
    wanted = {name for name, value in vars(Host).items() if callable(value) and not name.startswith("_")}
    assert wanted and all(callable(getattr(host, name)) for name in wanted)


def test_settings_live_in_slicers_own(host: SlicerHost, application: Application) -> None:
    assert host.remembered("device", "auto") == "auto"
    host.remember("device", "cuda")
    assert application.settings.values == {"OsteoScreen/device": "cuda"}
    assert SlicerHost().remembered("device", "auto") == "cuda"
    application.settings.values["OsteoScreen/device"] = None  # what QSettings gives for an emptied value
    assert host.remembered("device", "auto") == "auto"


def test_the_worker_runs_in_pythonslicer(
    host: SlicerHost, application: Application, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    home = Path(application.slicerHome)
    assert host.worker_python() == home / "bin" / "PythonSlicer"
    (home / "bin" / "PythonSlicer").unlink()
    assert host.worker_python() == home / "bin" / "PythonSlicer", "the place to name in the sentence"
    built = tmp_path / "build-tree"
    built.mkdir()
    (built / "PythonSlicer").write_text("#!/bin/sh\n")
    (built / "PythonSlicer").chmod(0o755)
    monkeypatch.setenv("PATH", str(built))
    assert host.worker_python() == built / "PythonSlicer"
    monkeypatch.setattr(sys, "platform", "win32")
    (home / "bin" / "PythonSlicer.exe").write_text("")
    assert host.worker_python() == home / "bin" / "PythonSlicer.exe"


def test_the_current_volume_is_the_background_of_the_red_view(host: SlicerHost, monkeypatch: pytest.MonkeyPatch) -> None:
    import slicer

    scene = slicer.vtkMRMLScene()
    monkeypatch.setattr(slicer, "mrmlScene", scene, raising=False)
    assert host.current_volume_id() == ""
    layers = slicer.vtkMRMLSliceCompositeNode()
    layers.SetSingletonTag("Red")
    layers.SetLayoutName("Red")
    scene.AddNode(layers)
    assert host.current_volume_id() == ""
    volume = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode")
    layers.SetBackgroundVolumeID(volume.GetID())
    assert host.current_volume_id() == volume.GetID()


def test_masks_are_edited_in_segment_editor(host: SlicerHost, monkeypatch: pytest.MonkeyPatch) -> None:
    import slicer

    calls: list[tuple[str, Any]] = []
    editor = SimpleNamespace(
        setSegmentationNode=lambda node: calls.append(("segmentation", node)),
        setSourceVolumeNode=lambda node: calls.append(("source", node)),
    )
    widget = SimpleNamespace(self=lambda: SimpleNamespace(editor=editor))
    monkeypatch.setattr(slicer, "modules", SimpleNamespace(), raising=False)
    scene = slicer.vtkMRMLScene()
    monkeypatch.setattr(slicer, "mrmlScene", scene, raising=False)
    layers = slicer.vtkMRMLSliceCompositeNode()
    layers.SetSingletonTag("Red")
    layers.SetLayoutName("Red")
    scene.AddNode(layers)
    own = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode")
    radiograph = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode")
    bones = scene.AddNewNodeByClass("vtkMRMLSegmentationNode")
    bones.CreateDefaultDisplayNodes()
    layers.SetBackgroundVolumeID(radiograph.GetID())

    def leave_osteoscreen(name: str) -> None:
        calls.append(("module", name))
        layers.SetBackgroundVolumeID(own.GetID())
        layers.SetForegroundVolumeID(own.GetID())
        bones.GetDisplayNode().SetVisibility(False)

    assert host.edit_masks(bones, radiograph) is False and calls == []
    monkeypatch.setattr(slicer.modules, "segmenteditor", SimpleNamespace(widgetRepresentation=lambda: widget), raising=False)
    monkeypatch.setattr(slicer.util, "selectModule", leave_osteoscreen)
    assert host.edit_masks(bones, radiograph) is True
    assert calls == [("module", "SegmentEditor"), ("segmentation", bones), ("source", radiograph)]
    assert layers.GetBackgroundVolumeID() == radiograph.GetID() and layers.GetForegroundVolumeID() is None
    assert bones.GetDisplayNode().GetVisibility()


def test_dialogs_begin_where_the_last_one_ended(host: SlicerHost, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    began: list[str] = []
    answers = iter([str(tmp_path / "images" / "chest.dcm"), "", str(tmp_path / "results"), ""])

    def dialog(_parent: Any, _title: str, folder: str = "", _pattern: str = "") -> str:
        began.append(folder)
        return next(answers)

    monkeypatch.setattr(qt_api, "ask_for_file", dialog)
    monkeypatch.setattr(qt_api, "ask_for_folder", dialog)
    assert host.ask_for_image().endswith("chest.dcm") and host.ask_for_image() == ""
    assert host.ask_for_folder("Save results") == str(tmp_path / "results") and host.ask_for_folder("Save results") == ""
    assert began == ["", str(tmp_path / "images"), "", str(tmp_path / "results")]


def test_status_goes_to_the_status_bar_where_there_is_one(
    host: SlicerHost, application: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    import slicer

    host.status("without a window")
    monkeypatch.setattr(slicer.util, "mainWindow", lambda: object())
    host.status("Analysing")
    host.status("")
    assert application.statuses == ["Analysing", ""]


def test_a_view_that_no_layout_has_shown_yet_is_made_and_the_layout_stays(
    application: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Layouts:
        """Slicer's layout manager, started with a 3D view alone."""

        layout = 4
        seen: tuple[int, ...] = (4,)

        def setLayout(self, layout: int) -> None:
            self.layout, self.seen = layout, (*self.seen, layout)

        def sliceWidget(self, name: str) -> object | None:
            return name if 6 in self.seen else None

    layouts = Layouts()
    monkeypatch.setattr(application, "layoutManager", lambda: layouts, raising=False)
    assert slicer_host.image_view_there() and layouts.layout == 4 and layouts.seen == (4, 6, 4)
    assert slicer_host.image_view_there() and layouts.seen == (4, 6, 4)
    monkeypatch.setattr(application, "layoutManager", lambda: None, raising=False)
    assert not slicer_host.image_view_there()


def test_it_is_built_on_slicers_app_and_util_only() -> None:
    """slicer.app, slicer.util, slicer.modules and the scene: what the desktop viewer can also play."""
    for name in ("slicer.py", "slicer_install.py"):
        tree = ast.parse((Path(slicer_host.__file__).parent / name).read_text(encoding="utf-8"))
        used = {
            node.attr
            for node in ast.walk(tree)
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "slicer"
        }
        assert used <= {"app", "util", "modules", "mrmlScene", "vtkMRMLLayoutNode"}, name


@pytest.fixture(autouse=True)
def no_window(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    import slicer

    monkeypatch.setattr(slicer.util, "mainWindow", lambda: None)
    yield
