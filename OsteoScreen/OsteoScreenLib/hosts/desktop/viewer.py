"""The desktop viewer put together: application, window, worker, presenter and panel, and their end in the right order."""

from __future__ import annotations

import signal
import sys
from pathlib import Path
from typing import Any

from OsteoScreenLib.hosts.desktop.fault_log import FaultLog, WriteLog
from OsteoScreenLib.ui import qt_api
from OsteoScreenLib.workbench.worker_client import WorkerClient


class Viewer:
    """Everything of one viewer. `close` (or closing the window) ends all of it, whatever is running.

    Parameters
    ----------
    write_log : appends a text to the log file. log_file : where the worker's own complaints go.
    settings_file : instead of the user's. image : radiograph or scene that is opened first.
    """

    def __init__(
        self,
        write_log: WriteLog,
        *,
        log_file: Path | None = None,
        settings_file: Path | None = None,
        image: Path | None = None,
    ) -> None:
        # The worker imports its libraries while the window comes up.
        self.client = WorkerClient(sys.executable, log=log_file)
        self.client.start()
        self._closed = False
        try:
            self._build(write_log, settings_file)
        except BaseException:
            self.client.cancel()
            raise
        if image is not None:
            self.open(str(image))

    def _build(self, write_log: WriteLog, settings_file: Path | None) -> None:
        from OsteoScreenLib.hosts.desktop import theme
        from OsteoScreenLib.hosts.desktop.settings import Settings

        self.qt = qt_api.application()
        self.qt.setApplicationName("OsteoScreen")
        self.qt.setApplicationDisplayName("OsteoScreen")
        self.qt.setDesktopFileName("osteoscreen")
        self.settings = Settings(settings_file)
        theme.apply(self.qt, self.settings.text("theme", "system"))
        # These import the scene's libraries, which takes most of a second; the colours are set by then.
        from OsteoScreenLib.hosts.desktop.application import MiniSlicer
        from OsteoScreenLib.hosts.desktop.host import DesktopHost
        from OsteoScreenLib.hosts.desktop.window import ViewerWindow, icon
        from OsteoScreenLib.scene.view import CaseView
        from OsteoScreenLib.ui.presenter import Presenter
        from OsteoScreenLib.ui.review_presenter import ReviewPresenter
        from OsteoScreenLib.ui.tabs import Tabs
        from OsteoScreenLib.workbench.desk import Desk

        self.application = MiniSlicer().publish()
        self.application.on_process_events(qt_api.process_events)
        self.window = ViewerWindow(self.application, self.settings)
        self.window.setWindowIcon(icon())
        self.faults = FaultLog(write_log, self.window.show_remark)
        self.window.view.require_rendering()
        self.host = DesktopHost(self.window, self.settings)
        self.desk = Desk(self.client)
        view = CaseView("Red")
        self.presenter = Presenter(self.desk, self.host, view)
        self.reviewing = ReviewPresenter(self.presenter, self.desk, self.host, view)
        area = qt_api.QtWidgets.QScrollArea(self.window)
        area.setWidgetResizable(True)
        area.setFrameShape(qt_api.QtWidgets.QFrame.Shape.NoFrame)
        area.setHorizontalScrollBarPolicy(qt_api.Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.tabs = Tabs(area, self.presenter, self.reviewing, self.host)
        self.panel = self.tabs.analyse
        area.setWidget(self.tabs.widget)
        area.setMinimumWidth(self.panel.widget.minimumWidth() + area.verticalScrollBar().sizeHint().width())
        self.window.hold_panel(area)
        self.window.image_asked.connect(self.open)
        self.window.scene_asked.connect(self.open)
        self.window.saving_scene.connect(self.save_scene)
        self.window.documentation_asked.connect(self._show_documentation)
        self.window.may_close = self.tabs.review.may_close
        self.window.closing.connect(self.close)

    def open(self, path: str) -> None:
        """Open a radiograph, a scene in place of the one that is there, or the folder of a study in the tab Review."""
        if Path(path).is_dir():
            self._open_study(path)
        elif path.lower().endswith((".mrb", ".mrml")):
            self._open_scene(path)
        else:
            self.presenter.open_file(path)

    def _open_study(self, path: str) -> None:
        from OsteoScreenLib.ui.tabs import REVIEW

        self.tabs.show(REVIEW)
        self.tabs.review.open_study(path)

    def _open_scene(self, path: str) -> None:
        import slicer.util

        name = Path(path).name
        if self.presenter.result is not None and not qt_api.ask(
            self.window, "Open a scene", f"The scene that is open is closed before {name} is opened. Open it?"
        ):
            return
        with _waiting(self.qt):
            try:
                slicer.util.loadScene(path, {"clear": True})
            except RuntimeError as error:
                self.faults.write(str(error))
                self.presenter.message.emit("error", f"{name} could not be opened as a scene; choose another file.")

    def save_scene(self, path: str) -> None:
        """Write the scene with every case, its toggles and its answers."""
        import slicer.util

        name = Path(path).name
        self.presenter.save_state()
        with _waiting(self.qt):
            saved = slicer.util.saveScene(path)
        if saved:
            self.presenter.message.emit("info", f"The scene was saved as {name}.")
        else:
            self.presenter.message.emit("error", f"{name} could not be written; choose another folder for it.")

    def _show_documentation(self) -> None:
        qt_api.QtGui.QDesktopServices.openUrl(qt_api.QtCore.QUrl(self.host.documentation_url))

    def run(self) -> int:
        """Show the window until it is closed. Ctrl-C and a polite kill close it too."""
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: self.window.close())
        self.window.show()
        code = int(self.qt.exec())
        self.end()
        return code

    def end(self) -> None:
        """Close the scene too, after the window has gone; the viewer is of no use afterwards."""
        self.close()
        self.application.close()
        self.faults.close()

    def close(self) -> None:
        """End what runs: the panel's timer, then the worker. Safe to call twice."""
        if self._closed:
            return
        self._closed = True
        self.tabs.close()
        self.reviewing.close()
        self.presenter.close()
        self.client.cancel()


class _waiting:
    """The cursor that asks for patience, within the block."""

    def __init__(self, application: Any) -> None:
        self._application = application

    def __enter__(self) -> None:
        self._application.setOverrideCursor(qt_api.Qt.CursorShape.WaitCursor)

    def __exit__(self, *_: object) -> None:
        self._application.restoreOverrideCursor()


def open_viewer(image: Path | None, write_log: WriteLog, log_file: Path | None = None) -> int:
    """Open the viewer's window, on an image or a scene if one is given, and stay until it is closed; the exit code."""
    return Viewer(write_log, log_file=log_file, image=image).run()
