"""Draws the README's pictures of a reading: `python Testing/screenshots_review.py STUDY FOLDER [WIDTH HEIGHT [THEME]]`.

STUDY is an analysed study of the samples, as the tutorial makes it; it is copied, and read in the copy without a display.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
os.environ["HF_HUB_OFFLINE"] = "1"
REPOSITORY = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(REPOSITORY / "OsteoScreen"))

from OsteoScreenLib.hosts.desktop.viewer import Viewer  # noqa: E402  the path comes first

NAMES = ("review-blind.png", "review-with-model.png", "review-masks.png")


def main(study: Path, folder: Path, width: int, height: int, theme: str) -> None:
    """A blind read; the second read with the model; the check of the masks."""
    from PySide6 import QtGui, QtTest

    folder.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp())
    os.environ["OSTEOSCREEN_SETTINGS"] = str(scratch / "machine")
    copy = shutil.copytree(study, scratch / "study", ignore=shutil.ignore_patterns("*.sqlite*"))
    viewer = Viewer(lambda text: print(text, file=sys.stderr), settings_file=scratch / "settings.ini")
    window, review = viewer.window, viewer.reviewing
    window.choose_theme(theme)
    window.resize(width, height)
    window.show()
    window.activateWindow()

    def until(so: Callable[[], object], seconds: float = 120) -> None:
        end = time.monotonic() + seconds
        while not so() and time.monotonic() < end:
            viewer.qt.processEvents()
            time.sleep(0.005)

    def press(*keys: str) -> None:
        for key in keys:
            sequence = QtGui.QKeySequence(key)
            QtTest.QTest.keyClick(window.windowHandle(), sequence[0].key(), sequence[0].keyboardModifiers())
            until(lambda: False, 0.05)

    def take(name: str) -> None:
        until(lambda: False, 1.0)
        window.grab().save(str(folder / name))
        print(folder / name)

    viewer.open(str(copy))
    review.sign_in("R1")
    until(lambda: review.can_enter)
    press("2", *["Right"] * 2)
    take(NAMES[0])
    press("Ctrl+Return")
    until(lambda: review.model_there)
    take(NAMES[1])
    press("M", "A", "A", "A")
    viewer.tabs.review.show_masks()
    take(NAMES[2])
    window.close()


if __name__ == "__main__":
    given = sys.argv[1:]
    size = (int(given[2]), int(given[3])) if len(given) > 3 else (1280, 860)
    main(Path(given[0]), Path(given[1]), *size, given[4] if len(given) > 4 else "light")
