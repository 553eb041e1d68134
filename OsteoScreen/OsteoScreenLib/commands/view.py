"""`osteoscreen view`: what must be there before the window can open, each told in one sentence when it is not."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

from OsteoScreenLib.commands import failures
from OsteoScreenLib.errors import InputError
from OsteoScreenLib.review.study import is_study

DESKTOP_PACKAGES = {"slicer": "slicer-core", "vtkmodules": "vtk", "PySide6": "PySide6-Essentials", "qtpy": "qtpy"}
# Qt's X11 plugin links to these, and Qt ends the whole process when one is missing.
X11_LIBRARIES = {
    "libxcb-cursor.so.0": "libxcb-cursor0",
    "libxkbcommon-x11.so.0": "libxkbcommon-x11-0",
    "libxcb-icccm.so.4": "libxcb-icccm4",
    "libxcb-image.so.0": "libxcb-image0",
    "libxcb-keysyms.so.1": "libxcb-keysyms1",
    "libxcb-render-util.so.0": "libxcb-render-util0",
    "libxcb-shape.so.0": "libxcb-shape0",
}
HEADLESS_PACKAGES = "libglib2.0-0 libgl1 libegl1 libxkbcommon0 libfontconfig1 libdbus-1-3"


def open_window(image: Path | None) -> int:
    """Open the viewer and return its exit code. image : a radiograph, a scene or the folder of a study.

    Raises `InputError` where there is nothing to open, or nothing to open a window with.
    """
    if image is not None and not image.is_file() and not is_study(image):
        raise InputError(
            f"There is no file {image}; give the path of a radiograph, of a scene or of a study's folder.", code="no-file"
        )
    require_packages()
    require_display(os.environ, sys.platform)
    try:
        from OsteoScreenLib.hosts.desktop.viewer import open_viewer
    except ImportError as error:
        raise InputError(
            f"Qt or VTK could not be loaded ({' '.join(str(error).split())}); "
            f"on Debian or Ubuntu run 'sudo apt-get install {HEADLESS_PACKAGES}'.",
            code="no-desktop-libraries",
        ) from error
    return open_viewer(image, failures.write_log, failures.log_file())


def require_packages() -> None:
    """Raise `InputError` unless the viewer's Python packages are installed."""
    missing = [package for module, package in DESKTOP_PACKAGES.items() if find_spec(module) is None]
    if not missing:
        return
    here = f"; they exist for Python up to 3.13, and this is {sys.version_info.major}.{sys.version_info.minor}"
    raise InputError(
        f"The viewer's packages are not installed ({', '.join(missing)}): run \"pip install 'osteoscreen[desktop]'\", "
        f"or 'python3 start.py' in the repository{here if sys.version_info >= (3, 14) else ''}.",
        code="no-desktop-packages",
    )


def require_display(environment: Mapping[str, str], platform: str) -> None:
    """Raise `InputError` where no window can be seen. Qt itself would end the process with a core dump."""
    if not platform.startswith("linux") or environment.get("QT_QPA_PLATFORM"):
        return
    if not (environment.get("DISPLAY") or environment.get("WAYLAND_DISPLAY")):
        raise InputError(
            "There is no display to open a window on; start it on a desktop, "
            "or run 'osteoscreen analyse IMAGE --out DIR', which needs none.",
            code="no-display",
        )
    if environment.get("DISPLAY") and not environment.get("WAYLAND_DISPLAY"):
        missing = [package for library, package in X11_LIBRARIES.items() if not _loads(library)]
        if missing:
            raise InputError(
                f"Qt needs more of the system for windows; on Debian or Ubuntu run 'sudo apt-get install {' '.join(missing)}'.",
                code="no-desktop-libraries",
            )


def _loads(library: str) -> bool:
    import ctypes

    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True
