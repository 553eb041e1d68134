"""`osteoscreen explain-cohort`: what each bone is worth to a model over a cohort."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from OsteoScreenLib import __version__


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
    with _shown(not as_json) as progress:
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


class _shown:
    """A bar on stderr with the time that is left; nothing where none is wanted."""

    def __init__(self, wanted: bool) -> None:
        self._wanted = wanted
        self._bar: Any = None
        self._task: Any = None

    def __enter__(self) -> Any:
        return self._update if self._wanted else None

    def _update(self, done: int, total: int, left_out: int) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        if self._bar is None:  # made with what is done already, so that the time left is reckoned from this call's images
            columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
            self._bar = Progress(*columns, console=Console(file=sys.stderr))
            self._bar.start()
            self._task = self._bar.add_task("Covering bones", total=total, completed=done)
        self._bar.update(
            self._task, completed=done, description=f"Covering bones{f', {left_out} left out' if left_out else ''}"
        )

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.stop()
