"""What a study has come to: status, merging, tables, the report."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from OsteoScreenLib import __version__
from OsteoScreenLib.commands.failures import DONE
from OsteoScreenLib.commands.packages import require
from OsteoScreenLib.errors import InputError

if TYPE_CHECKING:
    from OsteoScreenLib.review.nouns import Task
    from OsteoScreenLib.review.project import ProjectView
    from OsteoScreenLib.review.study import ReviewStudy
    from OsteoScreenLib.review.worklist import Status, Worklist

STATUS_WORDS: dict[Status, str] = {"unread": "unread", "first": "first read locked", "done": "done", "skipped": "skipped"}


def statuses_of(tasks: Worklist, view: ProjectView) -> Mapping[Task, Status]:
    """How far each of a reader's tasks is, in his order."""
    from OsteoScreenLib.review.progress import Progress

    reads = [read for read in view.reads if read.reader == tasks.reader]
    events = [event for event in view.events if event.reader == tasks.reader]
    progress = Progress(tasks.protocol.mode, tasks.tasks, reads, events)
    return {task: progress.status(task) for task in tasks.tasks}


def show_status(folder: Path, *, as_json: bool) -> int:
    """Print how far each reader is. Returns the exit code."""
    from OsteoScreenLib.review.analyses import analysed
    from OsteoScreenLib.review.project import merged
    from OsteoScreenLib.review.study import open_study

    study = open_study(folder)
    view = merged(study.folder)
    protocol = study.protocol
    readers = [_reader(study, code, view) for code in _readers(study, view)]
    stored = len(analysed(study.folder))
    conflicts = [conflict.as_text() for conflict in view.conflicts]
    if as_json:
        print(
            json.dumps(
                {
                    "osteoscreen": __version__, "title": protocol.title, "mode": protocol.mode, "cases": len(study.cases),
                    "analysed": stored, "readers": readers, "conflicts": conflicts, "remarks": list(view.remarks), "view": view.code,
                },
                indent=2,
            )
        )  # fmt: skip
        return DONE
    print(f"{protocol.title}: {len(study.cases)} cases, {protocol.mode}, {stored} analysed")
    for reader in readers:
        rest = ", ".join(f"{reader['tasks'][status]} {STATUS_WORDS[status]}" for status in STATUS_WORDS if status != "done")
        last = f"; last on {reader['last'][:10]}" if reader["last"] else ""
        print(f"{reader['reader']}: {reader['tasks']['done']} of {reader['total']} done, {rest}{last}")
    if not readers:
        print("Nobody has read yet; open the study in the panel's tab Review.")
    for sentence in (*conflicts, *view.remarks):
        print(sentence)
    return DONE


def merge(folder: Path, others: Sequence[Path], *, as_json: bool) -> int:
    """Take in what other computers hold, and say what was taken. Returns the exit code.

    Raises `InputError` (other-study) when a folder is another study, before anything is taken.
    """
    from OsteoScreenLib.review.mask_merging import copy_masks
    from OsteoScreenLib.review.project import copy_in, merged
    from OsteoScreenLib.review.study import is_study, open_study

    study = open_study(folder)
    for other in others:
        if is_study(other) and open_study(other).digest != study.digest:
            raise InputError(f"{other} is another study; only copies of the same one can be merged.", code="other-study")
    said: list[str] = []
    for other in others:
        said += copy_in(other, study.folder)
        said += copy_masks(other, study)
    view = merged(study.folder)
    if as_json:
        print(json.dumps({"osteoscreen": __version__, "said": said, "reads": len(view.reads), "view": view.code}, indent=2))
        return DONE
    for sentence in (*said, *(conflict.as_text() for conflict in view.conflicts), *view.remarks):
        print(sentence)
    print(
        f"The study has {len(view.reads)} locked reads of {len({read.reader for read in view.reads})} readers (view {view.code})."
    )
    return DONE


def export(folder: Path, out: Path | None, *, as_json: bool) -> int:
    """Write the tables and say where they lie. Returns the exit code."""
    from OsteoScreenLib.review import export as tables
    from OsteoScreenLib.review.agreement.imrmc import write_imrmc
    from OsteoScreenLib.review.agreement.ratings import ratings_of
    from OsteoScreenLib.review.mask_agreement import mask_pairs, write_mask_dice_csv
    from OsteoScreenLib.review.project import merged
    from OsteoScreenLib.review.study import open_study
    from OsteoScreenLib.worker.requests import prepare_folder

    study = open_study(folder)
    view = merged(study.folder)
    out = out or study.exports
    prepare_folder(out)
    files = list(tables.export(view, out))
    pairs, remarks = mask_pairs(study)
    if pairs:
        files.append(write_mask_dice_csv(out / "mask_dice.csv", pairs))
    without = ""
    try:
        ratings = ratings_of(view.reads, study.cases, study.protocol)
        files.append(write_imrmc(out / "imrmc.imrmc", ratings, study.protocol.title))
    except InputError as error:
        without = f"No file for iMRMC: {error}"
    if as_json:
        said = {"remark": without, "masks": list(remarks)}
        print(json.dumps({"osteoscreen": __version__, "files": [str(path) for path in files], **said}, indent=2))
        return DONE
    for path in files:
        print(path)
    for sentence in (*remarks, *([without] if without else [])):
        print(sentence)
    return DONE


def report(folder: Path, out: Path | None, *, as_json: bool) -> int:
    """Measure agreement, write page and table, and say where they lie. Returns the exit code."""
    require("study", "scipy", "sklearn", "statsmodels", "matplotlib")
    from OsteoScreenLib.exchange.review_page import write_review_page
    from OsteoScreenLib.review.agreement.agreement import measure_agreement
    from OsteoScreenLib.review.agreement.table import write_agreement_csv
    from OsteoScreenLib.review.analyses import simulated
    from OsteoScreenLib.review.project import merged
    from OsteoScreenLib.review.study import open_study
    from OsteoScreenLib.worker.requests import prepare_folder

    study = open_study(folder)
    view = merged(study.folder)
    out = out or study.exports
    agreement = measure_agreement(view.reads, study.cases, study.protocol)
    prepare_folder(out)
    unfinished = _unfinished(study, view)
    statements = [*unfinished, *(conflict.as_text() for conflict in view.conflicts), *view.remarks]
    page = write_review_page(
        out / "report.html", agreement, statements, _provenance(study, view), simulated_model=simulated(study.folder)
    )
    files = {
        "html": page,
        "csv": write_agreement_csv(out / "agreement.csv", agreement),
    }
    if as_json:
        named = {kind: str(path) for kind, path in files.items()}
        print(json.dumps({"osteoscreen": __version__, "files": named, "unfinished": unfinished}, indent=2))
        return DONE
    for sentence in unfinished:
        print(sentence)
    print(f"The report: {files['html']}; its numbers: {files['csv']}")
    return DONE


def _reader(study: ReviewStudy, code: str, view: ProjectView) -> dict[str, Any]:
    from OsteoScreenLib.review.worklist import worklist

    statuses = statuses_of(worklist(study, code), view)
    found = Counter(statuses.values())
    own = [event for event in view.events if event.reader == code]
    return {
        "reader": code,
        "total": len(statuses),
        "tasks": {status: found[status] for status in STATUS_WORDS},
        "machines": sorted({event.machine for event in own}),
        "last": max((event.at for event in own), default=""),
    }


def _unfinished(study: ReviewStudy, view: ProjectView) -> list[str]:
    """A sentence while someone still has something to read: the report tells truths and answers."""
    from OsteoScreenLib.review.worklist import worklist

    left = []
    for code in _readers(study, view):
        open_ = sum(status in ("unread", "first") for status in statuses_of(worklist(study, code), view).values())
        left += [f"{code} ({open_})"] if open_ else []
    if not left:
        return []
    return [f"Not all is read yet: {', '.join(left)}; the report tells truths and answers, so keep it from these readers."]


def _readers(study: ReviewStudy, view: ProjectView) -> Sequence[str]:
    return study.protocol.readers or sorted({event.reader for event in view.events})


def _provenance(study: ReviewStudy, view: ProjectView) -> tuple[tuple[str, str], ...]:
    apps = ", ".join(sorted({read.app for read in view.reads}))
    return (
        ("Study", study.protocol.title), ("Cases", f"{len(study.cases)}, SHA-256 of their table {study.digest[:16]}"),
        ("Reads", f"{len(view.reads)}, view {view.code}"), ("Read with", apps), ("Reported with", __version__),
    )  # fmt: skip
