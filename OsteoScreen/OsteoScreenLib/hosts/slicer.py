"""3D Slicer around the panel: what `ui.host.Host` asks for, through slicer.app and slicer.util only."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import Any

import slicer

from OsteoScreenLib.hosts import address
from OsteoScreenLib.hosts.slicer_install import Libraries
from OsteoScreenLib.ui import qt_api

VIEW = "Red"
SETTINGS = "OsteoScreen/"
IMAGES = "Radiographs (*.dcm *.dicom *.png *.jpg *.jpeg *.tif *.tiff *.nrrd *.nhdr *.nii *.nii.gz *.mha *.mhd);;All files (*)"


class SlicerHost:
    """The application 3D Slicer, as the panel sees it."""

    name = "3D Slicer"

    def __init__(self) -> None:
        self.documentation_url = address.tutorial()
        self.libraries = Libraries(self.worker_python, self)

    def current_volume_id(self) -> str:
        """The background of the Red view; without a volume there, ""."""
        layers = slicer.mrmlScene.GetNodeByID(f"vtkMRMLSliceCompositeNode{VIEW}")
        return str((layers.GetBackgroundVolumeID() if layers is not None else None) or "")

    def ask_for_image(self) -> str:
        """A file dialog that begins in the folder of the last image."""
        path = qt_api.ask_for_file(_window(), "Open a radiograph", self.remembered("image-folder", ""), IMAGES)
        if path:
            self.remember("image-folder", str(Path(path).parent))
        return path

    def ask_for_folder(self, title: str) -> str:
        """A folder dialog that begins in the last folder asked for."""
        path = qt_api.ask_for_folder(_window(), title, self.remembered("folder", ""))
        if path:
            self.remember("folder", path)
        return path

    def worker_python(self) -> Path:
        """PythonSlicer of this installation: Slicer's libraries and environment, without its window."""
        name = "PythonSlicer.exe" if sys.platform == "win32" else "PythonSlicer"
        home = str(getattr(slicer.app, "slicerHome", "") or "")
        installed = Path(home or Path(sys.executable).parent.parent) / "bin" / name
        if installed.is_file():
            return installed
        found = shutil.which("PythonSlicer")  # where Slicer runs from its build tree
        return Path(found) if found else installed

    def make_ready(self) -> str:
        """Ask for the Python packages that an analysis needs, once; "" when they are there."""
        return self.libraries.make_ready()

    def edit_masks(self, segmentation_node: Any, source_volume: Any = None) -> bool:
        """Open Segment Editor on the bones, with the radiograph to paint on."""
        module = getattr(slicer.modules, "segmenteditor", None)
        if module is None:
            return False
        slicer.util.selectModule("SegmentEditor")  # leaves OsteoScreen, which takes its layers off the view
        layers = slicer.mrmlScene.GetNodeByID(f"vtkMRMLSliceCompositeNode{VIEW}")
        if source_volume is not None and layers is not None:
            layers.SetBackgroundVolumeID(source_volume.GetID())
            layers.SetForegroundVolumeID(None)
            layers.SetLabelVolumeID(None)
        segmentation_node.GetDisplayNode().SetVisibility(True)
        editor = module.widgetRepresentation().self().editor
        editor.setSegmentationNode(segmentation_node)
        if source_volume is not None:
            editor.setSourceVolumeNode(source_volume)
        return True

    def remember(self, key: str, value: str) -> None:
        """Into Slicer's settings of this user."""
        slicer.app.userSettings().setValue(SETTINGS + key, value)

    def remembered(self, key: str, default: str) -> str:
        """From Slicer's settings of this user."""
        value = slicer.app.userSettings().value(SETTINGS + key, default)
        return default if value is None else str(value)

    def status(self, text: str) -> None:
        """Into Slicer's status bar, for a few seconds."""
        if _window() is not None:
            slicer.util.showStatusMessage(text, 5000 if text else 0)


class ModulePanel:
    """The panel inside Slicer with all that belongs to it: built by the module's widget, ended by its clean-up.

    widget : the two tabs. presenter : what the tab Analyse shows; scripts and the self-test talk to it. reviewing : what Review shows.
    """

    def __init__(self, parent: Any) -> None:
        from OsteoScreenLib.hosts.front_view import FrontView
        from OsteoScreenLib.ui.presenter import Presenter
        from OsteoScreenLib.ui.review_presenter import ReviewPresenter
        from OsteoScreenLib.ui.tabs import Tabs
        from OsteoScreenLib.workbench.desk import Desk
        from OsteoScreenLib.workbench.worker_client import WorkerClient

        self.host = SlicerHost()
        self._desk = Desk(WorkerClient(self.host.worker_python(), log=log_file()))
        self._desk.failed.connect(self._on_failed)
        view = FrontView(VIEW)
        self.presenter = Presenter(self._desk, self.host, view)
        self.reviewing = ReviewPresenter(self.presenter, self._desk, self.host, view)
        self._tabs = Tabs(parent, self.presenter, self.reviewing, self.host)
        self.widget = self._tabs.widget
        self.presenter.take_from_scene()  # a scene with cases may have been opened before this module was
        self._shown = self._closed = False

    def enter(self) -> None:
        """The module comes to the front."""
        if not self._shown and not self._closed:
            self._shown = True
            self.presenter.enter()
            self.reviewing.enter()
            if self.host.libraries.known_ready:
                self.presenter.warm_up()  # while the reader looks for his image

    def leave(self) -> None:
        """The module goes to the back: the reader finds his layout and layers as they were."""
        if self._shown:
            self._shown = False
            self.reviewing.leave()
            self.presenter.leave()

    def close(self) -> None:
        """Stop timers, end the worker, let go of the scene. Safe to call twice."""
        if self._closed:
            return
        self.leave()
        self._closed = True
        self._tabs.close()
        self.reviewing.close()
        self.presenter.close()

    def _on_failed(self, _sentence: str, details: str) -> None:
        if "Error" in details and ("import" in details or "DLL" in details):
            self.host.libraries.distrust()


def image_view_there() -> bool:
    """Whether Slicer has the view that shows the radiograph; False where it runs without a main window."""
    manager = slicer.app.layoutManager()
    if manager is None:
        return False
    if manager.sliceWidget(VIEW) is None:  # Slicer makes a view when a layout shows it for the first time
        former = manager.layout
        manager.setLayout(slicer.vtkMRMLLayoutNode.SlicerLayoutOneUpRedSliceView)
        manager.setLayout(former)
    return manager.sliceWidget(VIEW) is not None


def remark(parent: Any, sentence: str) -> Any:
    """A line of text in the place of the panel."""
    label = qt_api.QtWidgets.QLabel(sentence, parent)
    label.setWordWrap(True)
    return label


def log_file() -> Path:
    """Where the worker's own messages go: beside Slicer's other temporary files."""
    folder = str(getattr(slicer.app, "temporaryPath", "") or "")
    return Path(folder or os.path.expanduser("~")) / "OsteoScreen-worker.log"


def _window() -> Any:
    """Slicer's main window; None where it runs without one."""
    try:
        return slicer.util.mainWindow()
    except (AttributeError, ImportError, RuntimeError):
        return None
