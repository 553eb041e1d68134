"""Making a study: pseudonyms are dealt, the cases written, copies made where they are wanted; the folder is whole or absent."""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from OsteoScreenLib import __version__
from OsteoScreenLib.bones.vocabulary import site_named
from OsteoScreenLib.errors import InputError, OsteoScreenError
from OsteoScreenLib.files import sha256_of_file, write_text
from OsteoScreenLib.radiograph.limits import printable
from OsteoScreenLib.review.deidentify import write_copy
from OsteoScreenLib.review.nouns import Protocol, ReviewCase
from OsteoScreenLib.review.source_lists import CaseSource
from OsteoScreenLib.review.sources import Progress
from OsteoScreenLib.review.study import (
    CASES,
    FORMAT,
    IMAGES,
    SOURCES,
    STUDY,
    TRUTH,
    TRUTH_COLUMNS,
    VERSION,
    ReviewStudy,
    cases_csv,
    csv_text,
    is_study,
    open_study,
    protocol_json,
)


def create_study(
    folder: str | Path,
    protocol: Protocol,
    sources: Sequence[CaseSource],
    copy: bool = False,
    progress: Progress | None = None,
    left_out: Callable[[str], None] | None = None,
    *,
    truth_apart: bool = False,
) -> ReviewStudy:
    """A new study in a folder that is not there yet, or empty.

    Pseudonyms are dealt in an order that is drawn anew and kept nowhere, because names and order of files may tell the class.

    Parameters
    ----------
    copy : put de-identified copies into the study, so that it can be carried to another machine.
    progress : told how many of how many cases are done.
    truth_apart : keep truth and T-scores in the private folder, out of cases.csv, which readers could open.
    left_out : told one sentence for each case that cannot be copied, which is then not part of the study; without it that raises.

    Raises
    ------
    InputError
        The folder holds something already (exists), there are no cases (no-images), an image is gone or cannot be copied.
    OsteoScreenError
        The folder cannot be written; nothing is left behind.
    """
    folder = Path(folder)
    site_named(protocol.site)
    check_free(folder)
    if not sources:
        raise InputError("There are no radiographs to read; name radiographs, their folder or a table.", code="no-images")
    building = folder.parent / f".{secrets.token_hex(4)}-{folder.name}"
    try:
        _make(building / SOURCES.partition("/")[0])
        kept = _with_images(building, _dealt(sources), copy, progress, left_out)
        _write(building, protocol, kept, truth_apart)
        if folder.is_dir():
            folder.rmdir()
        os.replace(building, folder)
    except OSError as error:
        raise OsteoScreenError(
            f"The study could not be written to {folder}: {error.strerror or error}; free some space or choose another folder."
        ) from error
    finally:
        shutil.rmtree(building, ignore_errors=True)
    return open_study(folder)


def check_free(folder: Path) -> None:
    if is_study(folder):
        raise InputError(f"There is a study in {folder} already; choose another folder.", code="exists")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(f"{folder} is not empty; name a new folder for the study.", code="exists")


def _make(folder: Path) -> None:
    folder.mkdir(parents=True)


def _dealt(sources: Sequence[CaseSource]) -> list[tuple[ReviewCase, CaseSource]]:
    """Cases under pseudonyms with their sources, in the order of the pseudonyms."""
    order = list(sources)
    secrets.SystemRandom().shuffle(order)
    groups: dict[str, str] = {}
    dealt = []
    for number, source in enumerate(order, 1):
        group = groups.setdefault(source.patient, f"P-{len(groups) + 1:05}") if source.patient else ""
        case = ReviewCase(f"C-{number:05}", "", source.sha256, group, source.truth, source.t_score, source.view)
        dealt.append((case, source))
    return dealt


def _with_images(
    folder: Path,
    dealt: Sequence[tuple[ReviewCase, CaseSource]],
    copy: bool,
    progress: Progress | None,
    left_out: Callable[[str], None] | None,
) -> list[tuple[ReviewCase, CaseSource]]:
    """The cases whose image is there, or was copied into the folder."""
    if copy:
        _make(folder / IMAGES)
    kept: list[tuple[ReviewCase, CaseSource]] = []
    for done, (case, source) in enumerate(dealt, 1):
        try:
            kept.append((_with_image(folder, case, source, copy), source))
        except InputError as error:
            if left_out is None:
                raise
            left_out(str(error))
        if progress:
            progress(done, len(dealt))
    if not kept:
        raise InputError("None of the radiographs could be copied into the study; nothing was made.", code="no-images")
    return kept


def _write(folder: Path, protocol: Protocol, kept: Sequence[tuple[ReviewCase, CaseSource]], truth_apart: bool) -> None:
    """The study's tables and, last, what says that it is one."""
    cases = [case for case, _ in kept]
    if truth_apart:
        write_text(folder / TRUTH, cases_csv(cases, TRUTH_COLUMNS))
        cases = [replace(case, truth=None, t_score=None) for case in cases]
    text = cases_csv(cases)
    write_text(folder / CASES, text)
    write_text(folder / SOURCES, csv_text(("id", "path"), ((case.id, os.path.abspath(source.path)) for case, source in kept)))
    facts = {
        "format": FORMAT,
        "format_version": VERSION,
        "osteoscreen": __version__,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "cases_sha256": hashlib.sha256(text.encode()).hexdigest(),
        "protocol": protocol_json(protocol),
    }
    write_text(folder / STUDY, json.dumps(facts, indent=2) + "\n")


def _with_image(folder: Path, case: ReviewCase, source: CaseSource, copy: bool) -> ReviewCase:
    """The case with the file that is read, and its hash."""
    if not source.path.is_file():
        raise InputError(f"There is no file {printable(str(source.path))}; check the name.", code="missing-file")
    if not copy:
        return case if case.sha256 else replace(case, sha256=sha256_of_file(source.path))
    path = write_copy(source.path, folder / IMAGES, case.id, case.group)
    return replace(case, image=f"{IMAGES}/{path.name}", sha256=sha256_of_file(path))
