"""Light, dark, or as the system has it. Qt's own style everywhere, so that the viewer looks the same on every system."""

from __future__ import annotations

from typing import Any

from OsteoScreenLib.ui.qt_api import Qt, QtGui

THEMES = {"system": "Like the system", "light": "Light", "dark": "Dark"}

_LIGHT = {
    "Window": "#f0f0f0", "WindowText": "#1a1a1a", "Base": "#ffffff", "AlternateBase": "#f5f5f5", "Text": "#1a1a1a",
    "Button": "#e6e6e6", "ButtonText": "#1a1a1a", "BrightText": "#ffffff", "ToolTipBase": "#fffbe6", "ToolTipText": "#1a1a1a",
    "Highlight": "#0063b1", "HighlightedText": "#ffffff", "Link": "#005a9e", "LinkVisited": "#6b2f8f",
    "PlaceholderText": "#666666", "Light": "#ffffff", "Midlight": "#f7f7f7", "Mid": "#b4b4b4", "Dark": "#9a9a9a",
    "Shadow": "#6e6e6e",
}  # fmt: skip
_DARK = {
    "Window": "#2b2b2b", "WindowText": "#ececec", "Base": "#1f1f1f", "AlternateBase": "#262626", "Text": "#ececec",
    "Button": "#3a3a3a", "ButtonText": "#ececec", "BrightText": "#ffffff", "ToolTipBase": "#3a3a3a", "ToolTipText": "#ececec",
    "Highlight": "#2a74bb", "HighlightedText": "#ffffff", "Link": "#6cb2f7", "LinkVisited": "#c39bdf",
    "PlaceholderText": "#9a9a9a", "Light": "#505050", "Midlight": "#454545", "Mid": "#1c1c1c", "Dark": "#161616",
    "Shadow": "#0a0a0a",
}  # fmt: skip
_DISABLED = {"light": "#757575", "dark": "#8f8f8f"}


def apply(application: Any, theme: str) -> None:
    """Give the QApplication the colours of a theme; an unknown one counts as "system"."""
    application.setStyle("Fusion")
    shown = theme if theme in ("light", "dark") else system_theme()
    application.setPalette(palette(shown))


def system_theme() -> str:
    """What the system is set to, "light" where it does not say."""
    hints = QtGui.QGuiApplication.styleHints()
    scheme = hints.colorScheme() if hasattr(hints, "colorScheme") else None
    return "dark" if scheme is not None and scheme == Qt.ColorScheme.Dark else "light"


def palette(theme: str) -> Any:
    """The QPalette of "light" or "dark"."""
    made = QtGui.QPalette()
    for name, colour in (_DARK if theme == "dark" else _LIGHT).items():
        made.setColor(getattr(QtGui.QPalette.ColorRole, name), QtGui.QColor(colour))
    for name in ("WindowText", "Text", "ButtonText"):
        role = getattr(QtGui.QPalette.ColorRole, name)
        made.setColor(QtGui.QPalette.ColorGroup.Disabled, role, QtGui.QColor(_DISABLED[theme]))
    return made
