"""The menu bar of the desktop viewer, as a table."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from OsteoScreenLib.hosts.desktop.theme import THEMES
from OsteoScreenLib.ui.qt_api import QtGui


@dataclass(frozen=True)
class Actions:
    """What the menus call."""

    open_image: Callable[[], object]
    open_scene: Callable[[], object]
    save_scene: Callable[[], object]
    save_screenshot: Callable[[], object]
    leave: Callable[[], object]
    fit: Callable[[], object]
    reset_window: Callable[[], object]
    choose_theme: Callable[[str], object]
    documentation: Callable[[], object]
    about: Callable[[], object]


def fill_menu_bar(window: Any, actions: Actions, show_panel: Any, theme: str) -> None:
    """Fill the window's menu bar. show_panel : the dock's own QAction. theme : the one that is ticked."""
    bar = window.menuBar()
    file = bar.addMenu("&File")
    _add(window, file, "&Open image…", "Ctrl+O", actions.open_image)
    _add(window, file, "Open s&cene…", "Ctrl+Shift+O", actions.open_scene)
    file.addSeparator()
    _add(window, file, "&Save scene…", "Ctrl+S", actions.save_scene)
    _add(window, file, "Save scr&eenshot…", "Ctrl+Shift+S", actions.save_screenshot)
    file.addSeparator()
    _add(window, file, "&Quit", "Ctrl+Q", actions.leave)

    shown = bar.addMenu("&View")
    _add(window, shown, "&Fit image to window", "Ctrl+0", actions.fit)
    _add(window, shown, "&Reset window/level", "Ctrl+R", actions.reset_window)
    shown.addSeparator()
    show_panel.setText("&Panel")
    show_panel.setShortcut(QtGui.QKeySequence("Ctrl+P"))
    shown.addAction(show_panel)
    themes = shown.addMenu("&Colours")
    group = QtGui.QActionGroup(window)
    for name, title in THEMES.items():
        action = _add(window, themes, title, "", partial(actions.choose_theme, name))
        action.setCheckable(True)
        action.setChecked(name == theme)
        group.addAction(action)

    helping = bar.addMenu("&Help")
    _add(window, helping, "&Documentation", "F1", actions.documentation)
    _add(window, helping, "&About OsteoScreen", "", actions.about)


def _add(window: Any, menu: Any, title: str, keys: str, callback: Callable[[], object]) -> Any:
    action = QtGui.QAction(title, window)
    if keys:
        action.setShortcut(QtGui.QKeySequence(keys))
    action.triggered.connect(lambda checked=False: callback())
    menu.addAction(action)
    return action
