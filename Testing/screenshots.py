"""Draws the screenshots of the README and of the extension's catalogue entry: `python Testing/screenshots.py FOLDER [WIDTH HEIGHT [THEME]]`.

It runs the real viewer, without a display, on the simulated sample.
"""

from __future__ import annotations

import os
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

SAMPLE = REPOSITORY / "OsteoScreen" / "Resources" / "SampleData" / "simulated_chest_osteoporosis.dcm"
NAMES = ("panel-analysed.png", "panel-covered-ribs.png", "panel-model-sees.png")


def main(folder: Path, width: int, height: int, theme: str) -> None:
    """Analysed; ribs covered; the spine alone as the model sees it."""
    folder.mkdir(parents=True, exist_ok=True)
    settings = Path(tempfile.mkdtemp()) / "settings.ini"
    viewer = Viewer(lambda text: print(text, file=sys.stderr), settings_file=settings, image=SAMPLE)
    window, presenter = viewer.window, viewer.presenter
    window.choose_theme(theme)
    window.resize(width, height)
    window.show()

    def until(so: Callable[[], object]) -> None:
        end = time.monotonic() + 120
        while not so():
            if time.monotonic() > end:
                raise SystemExit("The viewer did not get so far.")
            viewer.qt.processEvents()
            time.sleep(0.005)

    def settled() -> Callable[[], bool]:
        since = time.monotonic()

        def quiet() -> bool:
            nonlocal since
            numbers = presenter.numbers
            if presenter.busy or numbers is None or numbers.state != "current" or computing():
                since = time.monotonic()
            return time.monotonic() - since > 0.8

        return quiet

    def computing() -> bool:
        return any(cell.state != "current" for cell in presenter.effects.values())

    def take(name: str) -> None:
        until(settled())
        window.grab().save(str(folder / name))
        print(folder / name)

    until(lambda: presenter.reading is not None)
    presenter.analyse()
    until(lambda: presenter.numbers is not None)
    assert presenter.case is not None
    subjects, found = presenter.case.subjects(), presenter.case.found
    ribs = subjects["Left ribs"] | subjects["Right ribs"]
    take(NAMES[0])
    presenter.set_covered(ribs, True)
    presenter.set_hidden(found - ribs, True)
    take(NAMES[1])
    presenter.reset()
    style = presenter.heat_style
    presenter.set_heat_style(type(style)(False, style.opacity, style.threshold, style.colour_map))
    presenter.set_mode("add-back")
    presenter.only("Spine")
    presenter.set_hidden(found - subjects["Spine"], True)
    take(NAMES[2])
    window.close()


if __name__ == "__main__":
    given = sys.argv[1:]
    size = (int(given[1]), int(given[2])) if len(given) > 2 else (1280, 800)
    main(Path(given[0]), *size, given[3] if len(given) > 3 else "light")
