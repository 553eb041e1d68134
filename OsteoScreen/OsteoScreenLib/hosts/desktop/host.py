"""The desktop window as the panel's `Host`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from OsteoScreenLib.hosts.address import tutorial
from OsteoScreenLib.hosts.desktop.settings import Settings
from OsteoScreenLib.hosts.desktop.window import ViewerWindow
from OsteoScreenLib.ui import qt_api


class DesktopHost:
    """See `ui.host.Host`."""

    name = "OsteoScreen"
    documentation_url = tutorial()

    def __init__(self, window: ViewerWindow, settings: Settings) -> None:
        self._window, self._settings = window, settings

    def current_volume_id(self) -> str:
        """MRML id of the volume in the view."""
        return str(self._window.view.mrmlSliceCompositeNode().GetBackgroundVolumeID() or "")

    def ask_for_image(self) -> str:
        """A file that the reader chooses."""
        return self._window.ask_for_image()

    def ask_for_folder(self, title: str) -> str:
        """A folder that the reader chooses."""
        return qt_api.ask_for_folder(self._window, title, self._window.last_folder())

    def worker_python(self) -> Path:
        """The Python that runs this window; the worker's libraries were installed with it."""
        return Path(sys.executable)

    def make_ready(self) -> str:
        """Nothing is missing: set-up installed all of it before the window could open."""
        return ""

    def edit_masks(self, segmentation_node: Any, radiograph_node: Any = None) -> bool:
        """There is no Segment Editor here."""
        return False

    def remember(self, key: str, value: str) -> None:
        """Keep a setting."""
        self._settings.keep(f"panel/{key}", value)

    def remembered(self, key: str, default: str) -> str:
        """A setting that was kept."""
        return self._settings.text(f"panel/{key}", default)

    def status(self, text: str) -> None:
        """Show a remark in the status bar."""
        self._window.show_remark(text)
