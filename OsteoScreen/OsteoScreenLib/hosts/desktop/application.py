"""The application that scripted code of Slicer expects, on the slicer-core wheel: scene, logics and `slicer.app`. No Qt."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import slicer
import slicer.util
import vtk

from OsteoScreenLib.hosts.desktop.file_io import FileIO
from OsteoScreenLib.hosts.desktop.messages import log_vtk_messages
from OsteoScreenLib.hosts.desktop.slice_view import SliceView

ONE_SLICE_VIEW = slicer.vtkMRMLLayoutNode.SlicerLayoutOneUpRedSliceView
ONE_SLICE_VIEW_XML = (
    '<layout type="horizontal"><item><view class="vtkMRMLSliceNode" singletontag="Red">'
    '<property name="orientation" action="default">Axial</property></view></item></layout>'
)


class Module:
    """One entry of `slicer.modules`."""

    def __init__(self, name: str, logic: Any) -> None:
        self.name = name
        self._logic = logic

    def logic(self) -> Any:
        """The module's logic."""
        return self._logic


class LayoutManager:
    """What qSlicerLayoutManager offers, for slice views alone."""

    threeDViewCount = tableViewCount = plotViewCount = 0

    def __init__(self, application_logic: Any, layout_node: Any) -> None:
        self._application_logic, self._node = application_logic, layout_node
        self.views: dict[str, SliceView] = {}

    @property
    def layout(self) -> int:
        """The number of the layout, as in vtkMRMLLayoutNode."""
        return int(self._node.GetViewArrangement())

    def setLayout(self, layout: int) -> None:
        """Set a layout; one that the desktop viewer does not have changes nothing."""
        if self._node.IsLayoutDescription(layout):
            self._node.SetViewArrangement(layout)

    def layoutLogic(self) -> Any:
        """Here the node alone: `layoutLogic().GetLayoutNode()`."""
        return SimpleNamespace(GetLayoutNode=lambda: self._node)

    def sliceViewNames(self) -> list[str]:
        """Names of the slice views."""
        return list(self.views)

    def sliceWidget(self, name: str) -> SliceView | None:
        """The slice view of this name, None when there is none."""
        return self.views.get(name)

    def mrmlSliceLogics(self) -> vtk.vtkCollection:
        """The logics of all slice views."""
        return self._application_logic.GetSliceLogics()

    def resetSliceViews(self) -> None:
        """Fit every slice view to its background."""
        for view in self.views.values():
            view.fit()

    def resetThreeDViews(self) -> None:
        """There are none."""


class MiniSlicer:
    """Scene, logics and the part of `slicer.app` that scripted code uses. `publish` makes it the application of `slicer`."""

    applicationName = "OsteoScreen"

    def __init__(self) -> None:
        self._messages = log_vtk_messages()
        self._scene = slicer.vtkMRMLScene()
        crosshair = slicer.vtkMRMLCrosshairNode()
        crosshair.SetCrosshairName("default")
        self._scene.AddNode(crosshair)
        # Holds what scene files are unpacked to, and an empty folder of colour files: the wheel brings none, and asks for it.
        self._folder = tempfile.TemporaryDirectory(prefix="osteoscreen-", ignore_cleanup_errors=True)
        self.temporaryPath = self._folder.name
        (Path(self.temporaryPath) / "share" / "ColorFiles").mkdir(parents=True)
        self._give_scene_a_cache()
        self._logic = slicer.vtkSlicerApplicationLogic()
        self._logic.SetTemporaryPath(self.temporaryPath)
        self._logic.SetHomeDirectory(self.temporaryPath)
        self._logic.SetShareDirectory("share")
        self._logic.SetMRMLScene(self._scene)  # makes the selection and interaction nodes
        self._logic.GetColorLogic().SetMRMLScene(self._scene)
        self._logic.GetColorLogic().AddDefaultColorNodes()
        self._logic.SetSliceLogics(vtk.vtkCollection())
        self._logic.SetViewLogics(vtk.vtkCollection())
        slicer.vtkMRMLSliceNode.AddDefaultSliceOrientationPresets(self._scene, True)
        self.modules = SimpleNamespace()
        self._add_module("colors", "Colors", slicer.vtkSlicerColorLogic())
        self._add_module("subjecthierarchy", "SubjectHierarchy", slicer.vtkSlicerSubjectHierarchyModuleLogic())
        self._add_module("volumes", "Volumes", slicer.vtkSlicerVolumesLogic())
        self._add_module("segmentations", "Segmentations", slicer.vtkSlicerSegmentationsModuleLogic())
        self._add_module("markups", "Markups", slicer.vtkSlicerMarkupsLogic())
        layout_node = self._scene.AddNewNodeByClass("vtkMRMLLayoutNode")
        layout_node.AddLayoutDescription(ONE_SLICE_VIEW, ONE_SLICE_VIEW_XML)
        layout_node.SetViewArrangement(ONE_SLICE_VIEW)
        self._layout = LayoutManager(self._logic, layout_node)
        self._io = FileIO(self._scene, self._logic, self.modules, self._picture)
        self._process_events: Callable[[], None] = lambda: None
        events = slicer.vtkMRMLApplicationLogic
        self._observers = [
            self._logic.AddObserver(events.PauseRenderEvent, self._pause_views),
            self._logic.AddObserver(events.ResumeRenderEvent, self._resume_views),
        ]

    def _give_scene_a_cache(self) -> None:
        """Bundles (.mrb) are unpacked into the cache of the scene's data manager; without one they cannot be read."""
        folder = Path(self.temporaryPath) / "cache"
        folder.mkdir()
        self._cache = slicer.vtkCacheManager()
        self._cache.SetRemoteCacheDirectory(str(folder))
        self._cache.SetMRMLScene(self._scene)
        self._data = slicer.vtkDataIOManager()
        self._data.SetCacheManager(self._cache)
        self._scene.SetCacheManager(self._cache)
        self._scene.SetDataIOManager(self._data)

    def _add_module(self, attribute: str, name: str, logic: Any) -> None:
        logic.SetMRMLApplicationLogic(self._logic)  # before the scene: logics look the application logic up when it is set
        logic.SetMRMLScene(self._scene)
        self._logic.SetModuleLogic(name, logic)
        setattr(self.modules, attribute, Module(name, logic))

    def _pause_views(self, *_: object) -> None:
        for view in self._layout.views.values():
            view.pauseRender()

    def _resume_views(self, *_: object) -> None:
        for view in self._layout.views.values():
            view.resumeRender()

    def publish(self) -> MiniSlicer:
        """Be `slicer.app`, with `slicer.mrmlScene` and `slicer.modules`, so that `slicer.util` works."""
        slicer.app, slicer.mrmlScene, slicer.modules = self, self._scene, self.modules
        return self

    def add_slice_view(self, name: str = "Red", size: tuple[int, int] = (800, 800)) -> SliceView:
        """A new slice view of this layout name; (width, height) in pixels."""
        view = self._layout.views[name] = SliceView(self._logic, name, size)
        return view

    def on_process_events(self, callback: Callable[[], None]) -> None:
        """Name what `processEvents` does: the event loop is the window's."""
        self._process_events = callback

    # The part of `slicer.app` that scripted code uses

    def mrmlScene(self) -> Any:
        """The vtkMRMLScene."""
        return self._scene

    def applicationLogic(self) -> Any:
        """The vtkSlicerApplicationLogic."""
        return self._logic

    def layoutManager(self) -> LayoutManager:
        """The slice views."""
        return self._layout

    def coreIOManager(self) -> FileIO:
        """Reads and writes files."""
        return self._io

    def ioManager(self) -> FileIO:
        """The same."""
        return self._io

    def processEvents(self) -> None:
        """Let the window breathe."""
        self._process_events()

    def pauseRender(self) -> None:
        """Draw nothing until `resumeRender` was called as often."""
        self._logic.PauseRender()

    def resumeRender(self) -> None:
        """The counterpart of `pauseRender`."""
        self._logic.ResumeRender()

    def topLevelWidgets(self) -> list[Any]:
        """None of Slicer's."""
        return []

    def testingEnabled(self) -> bool:
        """Never: nothing here asks questions on the screen."""
        return False

    def _picture(self) -> Any:
        for view in self._layout.views.values():
            view.forceRender()
            grabber = vtk.vtkWindowToImageFilter()
            grabber.SetInput(view.renderWindow())
            grabber.ReadFrontBufferOff()
            grabber.ShouldRerenderOff()
            grabber.Update()
            return grabber.GetOutput()
        return None

    def close(self) -> None:
        """Close views and scene. `slicer.util` is of no use afterwards. Safe to call twice."""
        for view in self._layout.views.values():
            view.close()
        self._layout.views.clear()
        for tag in self._observers:
            self._logic.RemoveObserver(tag)
        self._observers.clear()
        self._scene.Clear(1)
        self._folder.cleanup()
