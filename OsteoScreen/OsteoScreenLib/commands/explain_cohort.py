"""`osteoscreen explain-cohort`: what each bone is worth to a model over a cohort."""

from __future__ import annotations

import json
import sys
from functools import partial
from pathlib import Path
from typing import Any

from OsteoScreenLib import __version__
from OsteoScreenLib.commands.bars import Shown, Tell


def run(
    table: Path,
    out: Path,
    *,
    model: str,
    device: str,
    precision: str,
    segmenter: str,
    image_check: bool,
    draws: int,
    options: dict[str, Any],
    as_json: bool,
) -> int:
    """Measure every image, show how far it is, write the tables and say where they lie. Returns the exit code.

    options : of `EffectOptions`. Raises `OsteoScreenError` in one sentence for what is wrong with table, options or disk.
    """
    from OsteoScreenLib.exchange.effects_page import write_effects_page
    from OsteoScreenLib.study.bone_effects import EffectOptions, Reader
    from OsteoScreenLib.study.bone_effects_run import measure_cohort
    from OsteoScreenLib.study.bone_effects_summary import summarise
    from OsteoScreenLib.study.bone_effects_table import sentences, write_effects
    from OsteoScreenLib.study.cohort import read_cohort
    from OsteoScreenLib.worker.model_folders import site_of
    from OsteoScreenLib.worker.models import Models
    from OsteoScreenLib.worker.requests import prepare_folder

    rows = read_cohort(table)
    models = Models()
    models.check(model)
    prepare_folder(out)
    classifier = models.classifier(model, device, precision)
    drawn = any(row.masks is None for row in rows)
    site = site_of(model)
    gate = models.gate(site) if image_check else None
    reader = Reader(gate, models.segmenter(segmenter, device, site) if drawn else None, site)
    with Shown(not as_json) as bars:
        progress = None if bars is None else partial(_tell, bars)
        facts = measure_cohort(rows, table.parent, out, classifier, reader, EffectOptions(**options), progress)
    effects = summarise(out, rows, facts, draws)
    files = {**write_effects(out, effects), "html": write_effects_page(out, effects)}
    if as_json:
        named = {kind: str(path) for kind, path in files.items()}
        print(
            json.dumps(
                {"osteoscreen": __version__, "images": effects.images, "left_out": list(effects.left_out), "files": named}
            )
        )
        return 0
    for sentence in sentences(effects):
        print(sentence)
    for sentence in effects.left_out[:10]:
        print(f"Left out: {sentence}", file=sys.stderr)
    print(f"The table: {files['html']}, and for programs {files['csv']} and {files['json']}")
    print(" ".join(facts["statements"]), file=sys.stderr)
    return 0


def _tell(tell: Tell, done: int, total: int, left_out: int) -> None:
    tell("Covering bones", done, total, f"{left_out} left out" if left_out else "")
