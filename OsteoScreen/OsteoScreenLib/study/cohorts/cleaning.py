"""A cohort from its table to its splits: what is found on the way, what is left out, and the table that training reads."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

from OsteoScreenLib.classifier.prediction import CLASSES
from OsteoScreenLib.errors import InputError
from OsteoScreenLib.files import write_text
from OsteoScreenLib.study.cohort import COLUMNS, CohortRow, CohortTable, read_table
from OsteoScreenLib.study.cohort_cells import Split
from OsteoScreenLib.study.cohorts.check import age_alone, check_rows, read_rows
from OsteoScreenLib.study.cohorts.check_images import check_copies, check_headers, check_leaks, unreadable
from OsteoScreenLib.study.cohorts.duplicates import DuplicateGroup, duplicate_groups
from OsteoScreenLib.study.cohorts.findings import Finding, in_order
from OsteoScreenLib.study.cohorts.fingerprint import Fingerprint
from OsteoScreenLib.study.cohorts.fingerprint_store import FingerprintStore
from OsteoScreenLib.study.cohorts.splits import SHARES, absent_classes, split_by_patient

STORE = "images.sqlite"
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class CohortOptions:
    """shares : of training, validation and test. new_split : the table's own splits are not asked.

    near : look for copies, not only for identical pixels. drop_copies : of rows that show the same image only the first stays;
    else they stay together in one split. keep_conflicting : rows stay although they call the same image by different classes.
    """

    shares: tuple[float, float, float] = SHARES
    seed: int = 0
    new_split: bool = False
    near: bool = True
    drop_copies: bool = False
    keep_conflicting: bool = False


@dataclass(frozen=True)
class CheckedCohort:
    """rows : that stay, with impossible values emptied and their split. images : how many rows the table has.

    refused : how many rows are left out because a cell or the image cannot be read. findings : errors first. groups : rows of the
    table that show the same image. fingerprints : of every readable image, by row.
    """

    table: CohortTable
    images: int
    every: tuple[CohortRow, ...]
    refused: int
    rows: tuple[CohortRow, ...]
    findings: tuple[Finding, ...]
    groups: tuple[DuplicateGroup, ...]
    fingerprints: Mapping[int, Fingerprint]
    options: CohortOptions


def check_cohort(
    path: Path,
    folder: Path,
    options: CohortOptions,
    columns: Mapping[str, str] | None = None,
    today: date | None = None,
    progress: Progress | None = None,
) -> CheckedCohort:
    """Read a cohort's table and all its images, and split what stays by patient.

    folder : exists; keeps what was learnt of the images, so that a second call does not read them again. columns : as for
    `read_cohort`. progress : called with (what is done, how many are, of all).

    Raises
    ------
    InputError
        The table cannot be read, no row stays, or the patients cannot be split (`split_by_patient`).
    """
    table = read_table(path, columns)
    rows, cell_findings = read_rows(table)
    if options.new_split:
        rows = tuple(replace(row, split=None) for row in rows)
    _stay(rows, cell_findings)
    split_by_patient(rows, options.shares, options.seed)  # says what is wrong with the splits before images are read
    tell = progress or (lambda _what, _done, _all: None)
    with FingerprintStore(folder / STORE) as store:
        fingerprints, refused = store.take_in(rows, lambda done, every: tell("Reading images", done, every))
        groups = duplicate_groups(
            rows, fingerprints, store.small, options.near, lambda done, every: tell("Comparing images", done, every)
        )
    headers = {number: vars(one) for number, one in fingerprints.items()}
    findings = [
        *cell_findings,
        *check_rows(rows, table, today or date.today()),
        *unreadable(refused, table.names["image"]),
        *check_headers(rows, headers, table.names),
        *check_copies(rows, groups, keep_conflicting=options.keep_conflicting, drop=options.drop_copies),
    ]
    kept = _stay(_emptied(rows, findings), findings)
    splits = split_by_patient(kept, options.shares, options.seed, [group.patients for group in _there(groups, kept)])
    findings += [*age_alone(kept), *check_leaks(kept, groups, splits), *_absent(kept, splits)]
    done = tuple(replace(row, split=splits[row.patient]) for row in kept)
    return CheckedCohort(
        table,
        len(table.records),
        rows,
        len(cell_findings) + len(refused),
        done,
        in_order(findings),
        groups,
        fingerprints,
        options,
    )


def write_cohort(folder: Path, checked: CheckedCohort) -> dict[str, Path]:
    """Write cohort.csv and findings.csv into an existing folder; their paths by kind.

    cohort.csv can be read with `read_cohort`: the known columns under their own names, image paths relative to `folder`, and `row`,
    the row in the table that was checked. Other columns of that table are not carried over.
    """
    home = folder.resolve()
    lines = [[*COLUMNS, "row"], *(_cells(row, home) for row in checked.rows)]
    found = [["severity", "code", "rows", "column", "left_out", "sentence"]]
    for one in checked.findings:
        numbers = " ".join(map(str, one.rows))
        found.append([one.severity, one.code, numbers, one.column, "yes" if one.left_out else "", one.sentence])
    return {
        "cohort": write_text(folder / "cohort.csv", _csv(lines)),
        "findings": write_text(folder / "findings.csv", _csv(found)),
    }


def _stay(rows: Sequence[CohortRow], findings: Sequence[Finding]) -> tuple[CohortRow, ...]:
    """The rows that no finding leaves out. Raises `InputError` (cohort) when none is left, with the first reason."""
    out = {number for finding in findings if finding.left_out for number in finding.rows}
    kept = tuple(row for row in rows if row.number not in out)
    if not kept:
        first = next(finding.sentence for finding in findings if finding.left_out)
        raise InputError(f"No row of the table can be used; the first reason is: {first}", code="cohort")
    return kept


def _emptied(rows: Sequence[CohortRow], findings: Sequence[Finding]) -> tuple[CohortRow, ...]:
    """The rows without impossible values."""
    empty = {(number, finding.column) for finding in findings if finding.emptied for number in finding.rows}
    return tuple(
        replace(
            row,
            age=None if (row.number, "age") in empty else row.age,
            t_score=None if (row.number, "t_score") in empty else row.t_score,
            date=None if (row.number, "date") in empty else row.date,
        )
        for row in rows
    )


def _there(groups: Sequence[DuplicateGroup], rows: Sequence[CohortRow]) -> list[DuplicateGroup]:
    """The groups of which more than one row stays."""
    numbers = {row.number for row in rows}
    return [group for group in groups if len(numbers.intersection(group.rows)) > 1]


def _absent(rows: Sequence[CohortRow], splits: Mapping[str, Split]) -> list[Finding]:
    found = []
    for split, label in absent_classes(rows, splits):
        sentence = (
            f"No image of the split {split} is {CLASSES[label]}; add patients of that class, or give that split a larger share."
        )
        found.append(Finding("absent-class", "error", (), "split", sentence))
    return found


def _cells(row: CohortRow, home: Path) -> list[str]:
    values = {
        "patient_id": row.patient,
        "image": _from(home, row.image),
        "label": CLASSES[row.label],
        "masks": "" if row.masks is None else _from(home, row.masks),
        **{column: _text(getattr(row, column)) for column in ("t_score", "age", "sex", "device", "view", "date", "split")},
    }
    return [*(values[column] for column in COLUMNS), str(row.number)]


def _text(value: str | float | None) -> str:
    return "" if value is None else f"{value:.10g}" if isinstance(value, float) else value


def _from(home: Path, path: Path) -> str:
    """A path relative to a folder, where both are on one drive. Links stay, so that two links to one file stay two images."""
    whole = Path(os.path.abspath(path))
    if not whole.exists():  # there is a ".." behind a link
        whole = path.resolve()
    try:
        return Path(os.path.relpath(whole, home)).as_posix()
    except ValueError:
        return whole.as_posix()


def _csv(lines: Sequence[Sequence[str]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(lines)
    return text.getvalue()
