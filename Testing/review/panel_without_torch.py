"""The viewer's window on a computer without torch: a study is signed into, read blind, and read again with the stored results.

Argument: the study's folder. Prints one JSON document.
"""

from __future__ import annotations

import json
import sys
import time
import traceback
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from OsteoScreenLib.hosts.desktop.viewer import Viewer


def main(folder: Path) -> dict[str, Any]:
    torch = find_spec("torch")
    assert torch is not None and "no-models" in str(torch.origin), "torch can be imported here, so this proves nothing"
    log: list[str] = []
    viewer = Viewer(log.append, settings_file=folder.parent / "viewer.ini")
    viewer.window.show()
    presenter, reviewing = viewer.presenter, viewer.reviewing
    said: list[tuple[str, str]] = []
    for teller in (presenter, reviewing):
        teller.message.connect(lambda severity, sentence: said.append((severity, sentence)))

    def until(done: Callable[[], object]) -> None:
        deadline = time.monotonic() + 120
        while not done():
            assert time.monotonic() < deadline, (said, log, reviewing.headline, reviewing.model_words)
            viewer.qt.processEvents()
            time.sleep(0.005)

    reviewing.open_study(folder)
    reviewing.sign_in("R1")
    reads = []
    while reviewing.current >= 0:
        until(lambda: reviewing.can_enter)
        assert presenter.case is None and not reviewing.model_there
        reviewing.edit("decision", "normal")
        reviewing.edit("confidence", 20)
        reviewing.lock()
        until(lambda: reviewing.model_there)
        assert presenter.case is not None and presenter.numbers is not None and presenter.heat_method
        shown = {"heatmap": presenter.heat_method, "untouched": [row.untouched for row in presenter.numbers.rows]}
        shown["rows"] = {name: row.removed.delta_points for name, row in presenter.rows.items()}
        first, *_, second = sorted(presenter.case.found)  # of two groups
        presenter.set_covered([first], True)
        until(lambda: presenter.numbers is not None and presenter.numbers.state == "current")
        shown["covered"] = [first, presenter.numbers.delta_points]
        presenter.set_covered([second], True)
        until(lambda: presenter.numbers is not None and presenter.numbers.state == "not stored")
        shown["sentence"] = presenter.numbers.sentence
        reads.append(shown)
        reviewing.edit("changed_because", "the heatmap")
        reviewing.edit("decision", "osteopenia")
        reviewing.lock()
        until(lambda: not reviewing.model_there)
    errors = [sentence for severity, sentence in said if severity == "error"]
    viewer.window.close()
    viewer.end()
    return {
        "reads": reads,
        "errors": errors,
        "torch": sorted(name for name in sys.modules if name.split(".")[0] in {"torch", "timm"}),
    }


if __name__ == "__main__":
    try:
        print(json.dumps(main(Path(sys.argv[1]))))
    except BaseException:  # the viewer leads what is uncaught to its own log
        print(traceback.format_exc(), file=sys.__stderr__, flush=True)
        raise
