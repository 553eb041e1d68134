"""What covered bones change, for the case that is held: a few sets at a time, or the whole table."""

from __future__ import annotations

import time
from dataclasses import asdict
from typing import TYPE_CHECKING

import numpy as np

from OsteoScreenLib.errors import InputError
from OsteoScreenLib.explain.fills import SEEDED
from OsteoScreenLib.worker.case_values import notes_to_values
from OsteoScreenLib.worker.held_case import HeldCase, running_on
from OsteoScreenLib.worker.protocol import Message
from OsteoScreenLib.worker.requests import AnalysisOptions, options_from
from OsteoScreenLib.worker.server import Answer, Progress

if TYPE_CHECKING:
    from OsteoScreenLib.bones.masks import BoneMasks
    from OsteoScreenLib.explain.covering import Region
    from OsteoScreenLib.explain.sweep import Trial


def cover(case: HeldCase, request: Message) -> Answer:
    """Body: `case`, `mode`, `fill`, `margin_px`, `seed`, `sets` (lists of covered bones), `draws`, `patch`.

    draws : for each set 0, or i ≥ 1 for its i-th control (see `explain.controls`) instead of itself; all 0 by default.
    Answers each set, null where there is no room for a control; with `patch`, also what the model was shown for the last
    one, inside the box that was changed.
    """
    from OsteoScreenLib.explain.sweep import Trial, sweep

    began = time.perf_counter()
    coverer = case.coverer(*_way(request))
    sets = _sets(request, case.masks)
    trials = [Trial(bones, None, draw) for bones, draw in zip(sets, _draws(request, len(sets)), strict=True)]
    controls = case.controls(coverer, options_from(AnalysisOptions, request.body).seed) if any(map(_drawn, trials)) else None
    box: list[int] = [0, 0, 0, 0]
    patch = np.zeros((0, 0), np.float32)

    def keep_last(trial: Trial, region: Region, shown: np.ndarray) -> None:
        nonlocal box, patch
        if trial == trials[-1]:
            rows, columns = region.box
            box = [rows.start, rows.stop, columns.start, columns.stop]
            patch = shown[region.box].copy()

    wanted = bool(request.body.get("patch"))
    if wanted:  # alone and first, so that the picture is made for it even where another set gives the same
        found = sweep(coverer, case.classifier, trials[-1:], shown=keep_last, controls=controls)
        found |= sweep(coverer, case.classifier, trials[:-1], controls=controls)
    else:
        found = sweep(coverer, case.classifier, trials, controls=controls)
    answers = [
        {"probabilities": [float(value) for value in one.probabilities], "area_px": one.area_px} if one else None
        for one in map(found.get, trials)
    ]
    body = {"answers": answers, **running_on(case.classifier), "seconds": round(time.perf_counter() - began, 5)}
    return Answer({**body, "box": box}, {"patch": patch}) if wanted else Answer(body)


def sweep_table(case: HeldCase, request: Message, progress: Progress) -> Answer:
    """Body: `case`, `target`, `fill`, `margin_px`, `seed`, `controls`. The whole table at once, for programs.

    The panel asks with `cover` instead, a few sets at a time, so that a reader's question never waits long.
    """
    from OsteoScreenLib.explain.bone_sweep import BoneSweep, SweepRequest
    from OsteoScreenLib.explain.chance import CONTROLS

    options = options_from(AnalysisOptions, request.body)
    controls = request.body.get("controls", CONTROLS)
    if type(controls) is not int:
        raise InputError(f"The option 'controls' cannot be {controls!r}.", code="option")
    wanted = SweepRequest(
        target=options.target,
        fill=options.fill,  # type: ignore[arg-type]
        margin_px=options.margin_px,
        seed=options.seed,
        controls=controls,
    )
    coverer = case.coverer(*_way(request))
    sweep = BoneSweep(case.radiograph.pixels, case.masks, case.classifier, wanted, coverer)
    table = sweep.run(lambda share: progress("sweep", share, "Covering bones one after another"))
    body = {"rows": [asdict(row) for row in table.rows], "notes": notes_to_values(table.notes)}
    return Answer({**body, "device": table.device, "precision": table.precision})


def _way(request: Message) -> tuple[str, str, float, int]:
    options = options_from(AnalysisOptions, request.body)
    return options.mode, options.fill, options.margin_px, options.seed if options.fill in SEEDED else 0


def _drawn(trial: Trial) -> bool:
    return trial.draw > 0


def _draws(request: Message, sets: int) -> list[int]:
    listed = request.body.get("draws", [0] * sets)
    if not isinstance(listed, list) or len(listed) != sets or not all(type(draw) is int and draw >= 0 for draw in listed):
        raise InputError("The request does not say which control is meant for each set of bones.", code="option")
    return listed


def _sets(request: Message, masks: BoneMasks) -> list[frozenset[str]]:
    listed = request.body.get("sets")
    if not isinstance(listed, list) or not all(isinstance(names, list) for names in listed):
        raise InputError("The request names no sets of bones.", code="option")
    unknown = {str(name) for names in listed for name in names if name not in masks.site.by_name}
    if unknown:
        raise InputError(f"There is no bone called '{min(unknown)}' in {masks.site.name}.", code="unknown-bone")
    return [frozenset(names) for names in listed]
