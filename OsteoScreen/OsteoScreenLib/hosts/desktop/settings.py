"""What the desktop viewer remembers between runs, in a file of the user's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from OsteoScreenLib.ui.qt_api import QtCore


def user_file() -> Path:
    """The settings file in the platform's place for them."""
    import platformdirs

    return platformdirs.user_config_path("osteoscreen", appauthor=False) / "viewer.ini"


class Settings:
    """Text and bytes by key. A file that cannot be read or written is as good as none: nothing is asked, nothing fails."""

    def __init__(self, file: Path | None = None) -> None:
        path = file or user_file()
        self._store = QtCore.QSettings(str(path), QtCore.QSettings.Format.IniFormat)
        if self._store.status() != QtCore.QSettings.Status.NoError:
            # Qt refuses to write into a file that it could not read, so the window would forget everything for ever.
            path.unlink(missing_ok=True)
            self._store = QtCore.QSettings(str(path), QtCore.QSettings.Format.IniFormat)

    def text(self, key: str, default: str = "") -> str:
        """The text kept under `key`, or `default`."""
        value = self._value(key)
        return value if isinstance(value, str) else default

    def bytes(self, key: str) -> Any:
        """The QByteArray kept under `key`, an empty one when there is none."""
        value = self._value(key)
        return value if isinstance(value, QtCore.QByteArray) else QtCore.QByteArray()

    def keep(self, key: str, value: Any) -> None:
        """Keep text or a QByteArray."""
        self._store.setValue(key, value)

    def write(self) -> None:
        """Write now what was kept; otherwise Qt does it a little later."""
        self._store.sync()

    def _value(self, key: str) -> Any:
        try:
            return self._store.value(key)
        except Exception:  # a damaged entry; the binding raises more than one kind
            return None
