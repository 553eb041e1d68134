"""The window of the desktop viewer: the slice view, the panel in a dock, menus, and files dropped on it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from OsteoScreenLib.hosts.desktop import theme
from OsteoScreenLib.hosts.desktop.about import about_text
from OsteoScreenLib.hosts.desktop.application import MiniSlicer
from OsteoScreenLib.hosts.desktop.menus import Actions, fill_menu_bar
from OsteoScreenLib.hosts.desktop.scene_mouse import SceneMouse
from OsteoScreenLib.hosts.desktop.settings import Settings
from OsteoScreenLib.hosts.desktop.slice_widget import SliceWidget
from OsteoScreenLib.ui import qt_api
from OsteoScreenLib.ui.qt_api import Qt, QtCore, QtGui, QtWidgets
from OsteoScreenLib.workbench.events import Event

IMAGES = "Radiographs (*.dcm *.dicom *.png *.jpg *.jpeg *.tif *.tiff *.nrrd *.nhdr *.nii *.nii.gz *.mha *.mhd);;All files (*)"
SCENES = "Scenes (*.mrb *.mrml)"
LAYOUT = 1  # version of the remembered arrangement; another one is ignored
FIRST_SIZE = QtCore.QSize(1280, 800)
PANEL_WIDTH = 420
REMARK_SECONDS = 8


class ViewerWindow(QtWidgets.QMainWindow):
    """Shows the scene of a `MiniSlicer`. What it cannot do itself it tells:

    image_asked : (path) by menu or by dropping a file. scene_asked : (path) likewise. saving_scene : (path) to be written.
    documentation_asked : (). closing : () when the window closes for good; whoever runs something ends it now.
    may_close : asked before it closes; where it says no, the window stays.
    """

    def __init__(self, application: MiniSlicer, settings: Settings) -> None:
        super().__init__()
        self.image_asked: Event[[str]] = Event()
        self.scene_asked: Event[[str]] = Event()
        self.saving_scene: Event[[str]] = Event()
        self.documentation_asked: Event[[]] = Event()
        self.closing: Event[[]] = Event()
        self.may_close: Callable[[], bool] = lambda: True
        self._settings = settings
        self._closed = False
        self.setWindowTitle("OsteoScreen")
        self.setAcceptDrops(True)
        self.view = application.layoutManager().sliceWidget("Red") or application.add_slice_view("Red")
        self.slice_widget = SliceWidget(self.view, self)
        self.setCentralWidget(self.slice_widget)
        self._mouse = SceneMouse(application, self.view)
        self._dock = QtWidgets.QDockWidget("OsteoScreen", self)
        self._dock.setObjectName("panel")  # by which Qt finds it in the remembered layout
        self._dock.setAllowedAreas(Qt.DockWidgetArea.LeftDockWidgetArea | Qt.DockWidgetArea.RightDockWidgetArea)
        self.addDockWidget(Qt.DockWidgetArea.RightDockWidgetArea, self._dock)
        self.statusBar().setSizeGripEnabled(False)
        self.theme = settings.text("theme", "system")
        actions = Actions(
            open_image=self.choose_image,
            open_scene=self.choose_scene,
            save_scene=self.choose_scene_name,
            save_screenshot=self.choose_screenshot_name,
            leave=self.close,
            fit=self.view.fit,
            reset_window=self._mouse.reset_window_level,
            choose_theme=self.choose_theme,
            documentation=self.documentation_asked.emit,
            about=self.show_about,
        )
        fill_menu_bar(self, actions, self._dock.toggleViewAction(), self.theme)
        self._restore()

    def _restore(self) -> None:
        """The window as it was left. What no longer fits the screens is refused by Qt itself."""
        self.resize(FIRST_SIZE.boundedTo(self.screen().availableGeometry().size()))
        self.restoreGeometry(self._settings.bytes("geometry"))
        self._layout_restored = bool(self.restoreState(self._settings.bytes("layout"), LAYOUT))

    def hold_panel(self, widget: Any) -> None:
        """Put the panel into the dock."""
        self._dock.setWidget(widget)
        if not self._layout_restored:
            self.resizeDocks([self._dock], [PANEL_WIDTH], Qt.Orientation.Horizontal)

    # Files

    def choose_image(self) -> None:
        """File › Open image…"""
        self._open(self.ask_for_image())

    def ask_for_image(self) -> str:
        """Path of an image that the reader chooses, "" when he changed his mind."""
        path = qt_api.ask_for_file(self, "Open a radiograph", self.last_folder(), IMAGES)
        return self._remember_folder(path)

    def choose_scene(self) -> None:
        """File › Open scene…"""
        self._open(self._remember_folder(qt_api.ask_for_file(self, "Open a scene", self.last_folder(), SCENES)))

    def choose_scene_name(self) -> None:
        """File › Save scene…"""
        path = qt_api.ask_for_save_name(self, "Save the scene", str(Path(self.last_folder()) / "osteoscreen.mrb"), SCENES)
        if path:
            named = path if path.lower().endswith((".mrb", ".mrml")) else f"{path}.mrb"
            self.saving_scene.emit(self._remember_folder(named))

    def choose_screenshot_name(self) -> None:
        """File › Save screenshot…"""
        start = str(Path(self.last_folder()) / "osteoscreen.png")
        path = self._remember_folder(qt_api.ask_for_save_name(self, "Save the view as a picture", start, "PNG (*.png)"))
        if path:
            self.save_screenshot(path if path.lower().endswith(".png") else f"{path}.png")

    def save_screenshot(self, path: str) -> bool:
        """Write the slice view as it is on the screen, in the screen's pixels, as PNG; whether that worked."""
        image = self.slice_widget.draw_now()
        saved = image is not None and bool(image.save(path, "PNG"))
        name = Path(path).name
        self.show_remark(
            f"The view was saved as {name}." if saved else f"{name} could not be written; choose another folder for it."
        )
        return saved

    def _open(self, path: str) -> None:
        if not path:
            return
        (self.scene_asked if path.lower().endswith((".mrb", ".mrml")) else self.image_asked).emit(path)

    def last_folder(self) -> str:
        """Where files were last opened or saved; the home folder at first."""
        folder = self._settings.text("folder")
        return folder if folder and Path(folder).is_dir() else str(Path.home())

    def _remember_folder(self, path: str) -> str:
        if path:
            self._settings.keep("folder", str(Path(path).parent))
        return path

    def dragEnterEvent(self, event: Any) -> None:
        """One file of the local computer is welcome."""
        if _dropped_file(event):
            event.acceptProposedAction()

    def dropEvent(self, event: Any) -> None:
        """Open it."""
        path = _dropped_file(event)
        if path:
            event.acceptProposedAction()
            self._open(self._remember_folder(path))

    # Appearance

    def choose_theme(self, name: str) -> None:
        """Light, dark, or like the system."""
        self.theme = name
        self._settings.keep("theme", name)
        theme.apply(qt_api.application(), name)

    def show_remark(self, text: str) -> None:
        """A short remark in the status bar; "" clears it."""
        self.statusBar().showMessage(text, REMARK_SECONDS * 1000)

    def show_about(self) -> None:
        """Help › About."""
        QtWidgets.QMessageBox.about(self, "About OsteoScreen", about_text())

    def closeEvent(self, event: Any) -> None:
        """Remember the arrangement, disappear at once, then let everything end that runs."""
        if self._closed:
            event.accept()
            return
        if not self.may_close():
            event.ignore()
            return
        event.accept()
        self._closed = True
        self._settings.keep("geometry", self.saveGeometry())
        self._settings.keep("layout", self.saveState(LAYOUT))
        self._settings.write()
        self.hide()
        self.closing.emit()
        self._mouse.close()
        self.slice_widget.closing()


def _dropped_file(event: Any) -> str:
    """Path of the one local file in a drop, "" for anything else."""
    places = event.mimeData().urls()
    if len(places) != 1 or not places[0].isLocalFile():
        return ""
    path = str(places[0].toLocalFile())
    return path if QtCore.QFileInfo(path).isFile() else ""


def icon() -> Any:
    """The window's icon; an empty one where the resources are not installed."""
    folder = Path(__file__).resolve().parents[3] / "Resources" / "Icons"
    return QtGui.QIcon(str(folder / "OsteoScreen.png"))
