"""A cohort's table: which images there are, whose they are, and what is true of each."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from OsteoScreenLib.classifier.prediction import CLASSES
from OsteoScreenLib.errors import InputError
from OsteoScreenLib.study.who_class import class_of


@dataclass(frozen=True)
class CohortRow:
    """One image.

    number : the row in the table as a spreadsheet counts (the head is row 1). patient : whose image it is, as the table names it.
    image, masks : files; masks is None where the table names none. label : the true class, a place in `CLASSES`.
    """

    number: int
    patient: str
    image: Path
    label: int
    masks: Path | None = None


def read_cohort(path: Path) -> tuple[CohortRow, ...]:
    """The rows of a cohort's CSV.

    Columns: patient_id, image, and label (normal, osteopenia, osteoporosis) or t_score, from which the class follows; where both
    are filled in, label counts. masks may name a .seg.nrrd drawn on the image. Other columns are passed over. Paths are relative
    to the table's folder. Separated by commas or semicolons, UTF-8.

    Raises
    ------
    InputError
        One sentence that names the row and the column: a column or a value is missing or wrong, or an image stands there twice.
    """
    if not path.is_file():
        raise InputError(f"There is no table {path}; give a cohort's CSV file.", code="no-file")
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (UnicodeDecodeError, OSError) as error:
        raise InputError(f"{path.name} could not be read as text; save it as CSV in UTF-8.", code="cohort") from error
    head = text.partition("\n")[0]
    try:
        table = csv.DictReader(
            io.StringIO(text, newline=""), delimiter=";" if head.count(";") > head.count(",") else ",", strict=True
        )
        columns = table.fieldnames or ()
        records = list(table)
    except csv.Error as error:
        raise InputError(f"{path.name} is no CSV file ({error}); save it as CSV in UTF-8.", code="cohort") from error
    for column in ("patient_id", "image"):
        if column not in columns:
            raise InputError(f"{path.name} has no column {column}; name it in the first row.", code="cohort")
    if "label" not in columns and "t_score" not in columns:
        raise InputError(
            f"{path.name} has neither a column label nor t_score; one of them tells each image's class.", code="cohort"
        )
    rows: dict[Path, CohortRow] = {}
    for number, record in enumerate(records, start=2):
        row = _row(path.parent, number, record)
        if row.image in rows:
            raise InputError(
                f"Row {number}, column image: {row.image.name} stands in row {rows[row.image].number} already; name each image once.",
                code="cohort-row",
            )
        rows[row.image] = row
    if not rows:
        raise InputError(f"{path.name} has no rows; add one for each image.", code="cohort")
    return tuple(rows.values())


def cohort_digest(rows: Sequence[CohortRow], folder: Path) -> str:
    """SHA-256 of what the rows say, paths taken relative to `folder` where they lie in it."""

    def named(path: Path | None) -> str | None:
        return None if path is None else (path.relative_to(folder) if path.is_relative_to(folder) else path).as_posix()

    values = [[row.number, row.patient, named(row.image), row.label, named(row.masks)] for row in rows]
    return hashlib.sha256(json.dumps(values).encode()).hexdigest()


def _row(folder: Path, number: int, record: Mapping[str | None, str | None]) -> CohortRow:
    def cell(column: str) -> str:
        return (record.get(column) or "").strip()

    def wrong(column: str, what: str) -> InputError:
        return InputError(f"Row {number}, column {column}: {what}.", code="cohort-row")

    for column in ("patient_id", "image"):
        if not cell(column) or "\0" in cell(column):
            raise wrong(
                column, "nothing stands there; every image needs one" if not cell(column) else "it holds a NUL character"
            )
    label, t_score = cell("label").lower(), cell("t_score")
    if label:
        if label not in CLASSES:
            raise wrong("label", f"'{cell('label')}' is no class; write {', '.join(CLASSES[:-1])} or {CLASSES[-1]}")
        known = CLASSES.index(label)
    elif t_score:
        known = class_of(_number(t_score, wrong("t_score", f"'{t_score}' is no number; write for example -2.5")))
    else:
        raise wrong("label", "neither it nor t_score is filled in, so the image's class is not known")
    masks = cell("masks")
    return CohortRow(number, cell("patient_id"), folder / cell("image"), known, folder / masks if masks else None)


def _number(text: str, wrong: InputError) -> float:
    try:
        value = float(text)
    except ValueError:
        raise wrong from None
    if not math.isfinite(value):
        raise wrong
    return value
