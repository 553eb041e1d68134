"""A reader's computer without torch, in a process of its own: opens a study's cases and shows what is stored. Prints one JSON document.

Arguments: the study's folder, then the file where torch's stand-in says that somebody has tried to import it.
"""

from __future__ import annotations

import importlib
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from OsteoScreenLib.classifier.prediction import TARGETS
from OsteoScreenLib.review.study import open_study
from OsteoScreenLib.workbench import stored_case
from OsteoScreenLib.workbench.answers import Patch, Question
from OsteoScreenLib.workbench.desk import Desk
from OsteoScreenLib.workbench.reading import ImageSource, Reading
from OsteoScreenLib.workbench.worker_client import WorkerClient
from OsteoScreenLib.worker.requests import AnalysisOptions


def main(folder: Path) -> dict[str, Any]:
    for name in ("torch", "timm"):
        try:
            importlib.import_module(name)
        except ModuleNotFoundError:
            continue
        raise AssertionError(f"{name} can be imported here, so this proves nothing")
    study = open_study(folder)
    desk = Desk(WorkerClient())
    readings: list[Reading] = []
    patches: list[tuple[Question, Patch]] = []
    refused: list[str] = []
    failed: list[str] = []
    drawn: list[str] = []
    desk.opened.connect(readings.append)
    desk.explained.connect(lambda saliency, overlap: drawn.append(saliency.target) if overlap else None)
    desk.covered.connect(lambda question, patch: patches.append((question, patch)))
    desk.not_stored.connect(refused.append)
    desk.failed.connect(lambda sentence, details: failed.append(sentence))

    def until(done: Callable[[], object]) -> None:
        deadline = time.monotonic() + 60
        while not done() and not failed:
            assert time.monotonic() < deadline, desk.state
            desk.poll()
            time.sleep(0.005)
        assert not failed, failed

    told: dict[str, Any] = {}
    for one in study.cases:
        readings.clear()
        desk.open(ImageSource("Case 1", path=str(study.image_path(one))))
        until(lambda: readings)
        reading = stored_case.upright(folder, one.id, readings[0])
        stored = stored_case.load(folder, one.id, reading)
        assert stored is not None
        case = stored.new_case(desk.answers)
        desk.attach(case.token, case.reading, stored.result, AnalysisOptions(model=stored.result.model.id))
        effects: dict[str, dict[str, float | None]] = {}
        patch_errors = []
        for mode in ("remove", "add-back"):
            case.switch(case.toggles.with_changes(mode=mode, covered=frozenset()))
            rows = case.table.rows()
            assert all(row.effect(mode).state == "current" for row in rows.values())
            assert all(row.chance(mode).state in {"current", "no room"} for row in rows.values())
            effects[mode] = {name: row.effect(mode).delta_points for name, row in rows.items()}
            for name in sorted(case.found):  # every bone switched, with the picture of what the model sees
                if mode == "remove":
                    case.set_covered([name], True)
                else:
                    case.show_only([name])
                patches.clear()
                desk.ask(case.question_now, want_patch=True)
                until(lambda: patches)
                numbers = case.numbers()
                assert numbers is not None and numbers.state == "current" and patches[0][0] == case.question_now
                patch_errors.append(_shown_wrongly(case.reading.pixels, patches[0][1]))
                case.show_all()
        drawn.clear()
        for target in TARGETS:
            desk.explain(target, case.saliency_method.key)
        assert drawn == list(TARGETS)
        assert refused == [], refused
        case.show_all()
        first, *_, last = sorted(case.found)  # of two groups
        case.set_covered([first, last], True)
        desk.ask(case.question_now, want_patch=True)
        desk.sweep(case.questions(), case.table.controls("remove"))
        desk.poll()
        assert desk.state == "idle" and len(refused) == 1 and len(patches) == 1
        told[one.id] = {
            "effects": effects,
            "sentence": refused.pop(),
            "facts": vars(stored.model),
            "changed_outside": max(patch_errors),
            "maps": len(stored.result.maps) + (stored.result.saliency is not None),
            "notes": [note.code for note in stored.reading.notes],
        }
    # This computer's worker has no torch either: what needs the model is refused.
    desk.detach()
    desk.analyse(ImageSource("Case 1", path=str(study.image_path(study.cases[0]))), AnalysisOptions())
    deadline = time.monotonic() + 60
    while not failed and time.monotonic() < deadline:
        desk.poll()
        time.sleep(0.005)
    desk.close()
    return {"cases": told, "analyse": failed, "torch": sorted(name for name in sys.modules if name.split(".")[0] == "torch")}


def _shown_wrongly(pixels: np.ndarray, patch: Patch) -> float:
    """Share of the patch's pixels that are neither the radiograph's nor one grey value; 0 for the fill "mean"."""
    first_row, end_row, first_column, end_column = patch.box
    inside = pixels[first_row:end_row, first_column:end_column]
    changed = patch.pixels[patch.pixels != inside]
    assert changed.size, "nothing is covered in the picture"
    return float(len(np.unique(changed)) - 1)


if __name__ == "__main__":
    print(json.dumps(main(Path(sys.argv[1]))))
