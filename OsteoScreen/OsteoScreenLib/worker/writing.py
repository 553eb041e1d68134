"""The result files of one analysis, written while the process is kept from leaving."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from OsteoScreenLib.errors import InputError
from OsteoScreenLib.files import write_text
from OsteoScreenLib.worker.requests import prepare_folder

if TYPE_CHECKING:
    from OsteoScreenLib.bones.masks import BoneMasks
    from OsteoScreenLib.exchange.dicom.source import SourceImage
    from OsteoScreenLib.exchange.prior_result import BoneTable, ReaderOpinion
    from OsteoScreenLib.explain.analysis import Analysis
    from OsteoScreenLib.radiograph.radiograph import Radiograph


NO_OBJECTS = "no-dicom-objects"  # the note that says why there are none


def dicom_source(wanted: bool, radiograph: Radiograph) -> tuple[SourceImage | None, Radiograph]:
    """The DICOM image that objects about the radiograph refer to; where there is none, the radiograph with a note that says why.

    wanted : False gives none, without a note.
    """
    if not wanted:
        return None, radiograph
    from OsteoScreenLib.exchange.dicom.source import source_image
    from OsteoScreenLib.radiograph.radiograph import Note

    if find_spec("highdicom") is None:
        text = "DICOM objects need the Python package highdicom, which is not installed: install it, then analyse again."
        return None, radiograph.with_notes(Note(NO_OBJECTS, "warning", text))
    try:
        return source_image(radiograph.source.path, radiograph), radiograph
    except InputError as error:
        return None, radiograph.with_notes(Note(NO_OBJECTS, "warning", str(error)))


def write_results(
    guard: AbstractContextManager[Any],
    out: Path,
    analysis: Analysis,
    radiograph: Radiograph,
    masks: BoneMasks,
    seconds: Mapping[str, float],
    tables: Mapping[str, str] | None = None,
    source: SourceImage | None = None,
    only: tuple[str, ...] = (),
    opinion: ReaderOpinion | None = None,
    table: BoneTable | None = None,
) -> dict[str, str]:
    """Make the folder `out` and write the files; "analysis", "overlay", "report", "masks" → path.

    guard : held while files are written. seconds : stages before the analysis, for the report. tables : file name → text of
    files to write beside them; they are returned by their file name. source : of `dicom_source`; where given, DICOM objects are
    written too and returned by the names of `exchange.dicom.objects.FILES`. only : these objects and nothing else.
    opinion : a reader's, table : of every bone by itself, both for the structured report.
    Raises `InputError` when the folder cannot be used and `OsteoScreenError` when the disk is full, in one sentence.
    """
    from OsteoScreenLib.exchange.results import write_analysis, write_objects

    with guard:
        prepare_folder(out)
        if only:
            objects = {} if source is None else write_objects(out, analysis, radiograph, masks, source, only)
            return {name: str(path) for name, path in objects.items()}
        written = {name: write_text(out / name, text) for name, text in (tables or {}).items()}
        files = {**write_analysis(out, analysis, radiograph, masks, seconds, source, opinion, table), **written}
    return {name: str(path) for name, path in files.items()}
