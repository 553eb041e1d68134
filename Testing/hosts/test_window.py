"""The window: what it opens and saves, what it remembers, how it looks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest


def drop(window: Any, *paths: Path) -> bool:
    from qtpy import QtCore, QtGui, QtWidgets

    Qt = QtCore.Qt
    data = QtCore.QMimeData()
    data.setUrls([QtCore.QUrl.fromLocalFile(str(path)) for path in paths])
    entered = QtGui.QDragEnterEvent(
        QtCore.QPoint(50, 50), Qt.DropAction.CopyAction, data, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    )
    QtWidgets.QApplication.sendEvent(window, entered)
    if not entered.isAccepted():
        return False
    dropped = QtGui.QDropEvent(
        QtCore.QPointF(50, 50), Qt.DropAction.CopyAction, data, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    )
    QtWidgets.QApplication.sendEvent(window, dropped)
    return True


def test_a_dropped_file_is_opened_and_anything_else_refused(window, tmp_path) -> None:
    asked: list[tuple[str, str]] = []
    window.image_asked.connect(lambda path: asked.append(("image", path)))
    window.scene_asked.connect(lambda path: asked.append(("scene", path)))
    image, scene = tmp_path / "chest ä.dcm", tmp_path / "case.MRB"
    image.write_bytes(b"x")
    scene.write_bytes(b"x")
    assert drop(window, image) and drop(window, scene)
    assert asked == [("image", str(image)), ("scene", str(scene))]
    assert not drop(window, tmp_path) and not drop(window, image, scene) and not drop(window, tmp_path / "none.png")
    assert len(asked) == 2


def test_menus_open_and_save_through_dialogs_and_remember_the_folder(
    window, settings, tmp_path, monkeypatch, menu_entry
) -> None:
    from OsteoScreenLib.ui import qt_api

    folder = tmp_path / "pictures"
    folder.mkdir()
    started: list[str] = []

    def choose(parent: Any, title: str, start: str, pattern: str) -> str:
        started.append(start)
        return str(folder / "chosen")

    monkeypatch.setattr(qt_api, "ask_for_file", choose)
    monkeypatch.setattr(qt_api, "ask_for_save_name", choose)
    asked: list[str] = []
    window.image_asked.connect(asked.append)
    window.saving_scene.connect(asked.append)
    menu_entry(window, "Open image").trigger()
    menu_entry(window, "Save scene").trigger()
    assert asked == [str(folder / "chosen"), str(folder / "chosen.mrb")]
    assert started == [str(Path.home()), str(folder / "osteoscreen.mrb")]
    monkeypatch.setattr(qt_api, "ask_for_file", lambda *_: "")
    menu_entry(window, "Open image").trigger()
    assert len(asked) == 2 and window.last_folder() == str(folder)


def test_a_screenshot_has_the_screens_pixels(window, radiograph, tmp_path, qapp) -> None:
    from PIL import Image

    radiograph(np.eye(64, dtype=np.float32))
    assert window.save_screenshot(str(tmp_path / "view.png"))
    saved = np.asarray(Image.open(tmp_path / "view.png").convert("RGB"))
    assert np.array_equal(saved, window.view.grab())
    assert saved.max() == 255
    assert "view.png" in window.statusBar().currentMessage()
    assert not window.save_screenshot(str(tmp_path / "no such folder" / "view.png"))
    assert "another folder" in window.statusBar().currentMessage()


def test_size_panel_folder_and_theme_are_remembered(qapp, slicer_application, view, tmp_path) -> None:
    from qtpy import QtCore, QtWidgets

    from OsteoScreenLib.hosts.desktop.settings import Settings
    from OsteoScreenLib.hosts.desktop.window import ViewerWindow

    file = tmp_path / "deep" / "viewer.ini"
    for visit in (1, 2):
        window = ViewerWindow(slicer_application, Settings(file))
        window.hold_panel(QtWidgets.QLabel("panel"))
        window.show()
        qapp.processEvents()
        dock = window.findChild(QtWidgets.QDockWidget, "panel")
        if visit == 1:
            window.resize(777, 555)
            window.addDockWidget(QtCore.Qt.DockWidgetArea.LeftDockWidgetArea, dock)
            window.choose_theme("dark")
            qapp.processEvents()
        else:
            assert (window.width(), window.height()) == (777, 555)
            assert window.dockWidgetArea(dock) == QtCore.Qt.DockWidgetArea.LeftDockWidgetArea
            assert window.theme == "dark"
            window.choose_theme("light")
        window.close()
        window.deleteLater()
        qapp.processEvents()


@pytest.mark.parametrize(
    "content", [b"\x00\xff\x13garbage", b"[General]\ngeometry=@ByteArray(nonsense)\nfolder=@Invalid()\ntheme=7, 8\n"]
)
def test_damaged_settings_are_ignored_and_replaced(qapp, slicer_application, view, tmp_path, content) -> None:
    from OsteoScreenLib.hosts.desktop.settings import Settings
    from OsteoScreenLib.hosts.desktop.window import ViewerWindow

    file = tmp_path / "viewer.ini"
    file.write_bytes(content)
    window = ViewerWindow(slicer_application, Settings(file))
    window.show()
    qapp.processEvents()
    assert window.width() >= 600 and window.last_folder() == str(Path.home()) and window.theme == "system"
    window.resize(888, 600)
    window.close()
    window.deleteLater()
    assert not Settings(file).bytes("geometry").isEmpty()


def test_settings_in_a_place_that_cannot_be_written_do_no_harm(qapp, tmp_path) -> None:
    from OsteoScreenLib.hosts.desktop.settings import Settings

    (tmp_path / "file").write_text("")
    settings = Settings(tmp_path / "file" / "viewer.ini")
    settings.keep("folder", "x")
    settings.write()
    assert settings.text("folder") == "x" and settings.text("other", "default") == "default"


def test_closing_tells_once_and_hides_first(window, qapp) -> None:
    seen: list[bool] = []
    window.closing.connect(lambda: seen.append(window.isVisible()))
    window.close()
    window.close()
    assert seen == [False]


def test_about_names_versions_licence_and_use() -> None:
    from OsteoScreenLib import __version__
    from OsteoScreenLib.hosts.desktop.about import about_text

    text = about_text()
    for part in (__version__, "Research use only", "Apache License 2.0", "VTK", "Qt (PySide6)"):
        assert part in text


@pytest.mark.parametrize("name", ["light", "dark"])
def test_text_is_readable_in_both_themes(qapp, name) -> None:
    from qtpy import QtGui

    from OsteoScreenLib.hosts.desktop import theme
    from OsteoScreenLib.ui.style import contrast

    palette = theme.palette(name)
    role = QtGui.QPalette.ColorRole
    pairs = [
        (role.WindowText, role.Window), (role.Text, role.Base), (role.Text, role.AlternateBase), (role.ButtonText, role.Button),
        (role.HighlightedText, role.Highlight), (role.ToolTipText, role.ToolTipBase), (role.Link, role.Base),
        (role.PlaceholderText, role.Base),
    ]  # fmt: skip
    for text, behind in pairs:
        one, other = (palette.color(which).getRgb()[:3] for which in (text, behind))
        assert contrast(one, other) >= 4.5, (text, behind)
