"""The result files of one analysis, written while the process is kept from leaving."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from OsteoScreenLib.files import write_text
from OsteoScreenLib.worker.requests import prepare_folder

if TYPE_CHECKING:
    from OsteoScreenLib.bones.masks import BoneMasks
    from OsteoScreenLib.explain.analysis import Analysis
    from OsteoScreenLib.radiograph.radiograph import Radiograph


def write_results(
    guard: AbstractContextManager[Any],
    out: Path,
    analysis: Analysis,
    radiograph: Radiograph,
    masks: BoneMasks,
    seconds: Mapping[str, float],
    tables: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """Make the folder `out` and write the files; "analysis", "overlay", "report", "masks" → path.

    guard : held while files are written. seconds : stages before the analysis, for the report. tables : file name → text of
    files to write beside them; they are returned by their file name.
    Raises `InputError` when the folder cannot be used and `OsteoScreenError` when the disk is full, in one sentence.
    """
    from OsteoScreenLib.exchange.results import write_analysis

    with guard:
        prepare_folder(out)
        written = {name: write_text(out / name, text) for name, text in (tables or {}).items()}
        files = {**write_analysis(out, analysis, radiograph, masks, seconds), **written}
    return {name: str(path) for name, path in files.items()}
