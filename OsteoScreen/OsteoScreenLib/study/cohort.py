"""A cohort's table: which images there are, whose they are, and what is true of each."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from OsteoScreenLib.classifier.truth_cells import class_of, is_absent, label_in, number_in
from OsteoScreenLib.errors import InputError
from OsteoScreenLib.study.cohort_cells import Split, age_in, date_in, sex_in, split_in

COLUMNS = ("patient_id", "image", "label", "t_score", "age", "sex", "device", "view", "date", "split", "masks")
SIMULATION = "simulation.json"  # beside a simulated cohort: how it was made
_Value = TypeVar("_Value")


@dataclass(frozen=True)
class CohortRow:
    """One image.

    number : the row in the table as a spreadsheet counts (the head is row 1). patient : whose image it is, as the table names it.
    image, masks : files; masks is None where the table names none. label : the true class, a place in `CLASSES`.
    t_score : of the bone density measurement. age : years. sex : F, M, O, or the table's own code. device, view : as the table
    writes them. date : of the image, ISO 8601 to the day, month or year. split : as the table gives it. Each None where absent.
    """

    number: int
    patient: str
    image: Path
    label: int
    masks: Path | None = None
    t_score: float | None = None
    age: float | None = None
    sex: str | None = None
    device: str | None = None
    view: str | None = None
    date: str | None = None
    split: Split | None = None


class CellError(InputError):
    """A cell that cannot be read. number : its row. column : of `COLUMNS`, and in the sentence as the table calls it."""

    def __init__(self, number: int, column: str, named: str, what: str) -> None:
        super().__init__(f"Row {number}, column {named}: {what}.", code="cohort-row")
        self.number = number
        self.column = column


@dataclass(frozen=True)
class CohortTable:
    """A CSV whose head names the columns that a cohort needs. names : of each of `COLUMNS`, what the table calls it.

    records : the cells of each row, from row 2 on.
    """

    path: Path
    names: Mapping[str, str]
    records: tuple[Mapping[str | None, str | None], ...]

    def row(self, place: int) -> CohortRow:
        """The row at that place among the records. Raises `CellError`: a cell is missing or cannot be read."""
        return _Reading(self, place + 2).row()

    def cell(self, number: int, column: str) -> str:
        """The text in a row, by its number, under one of `COLUMNS`; empty where there is none."""
        return (self.records[number - 2].get(self.names[column]) or "").strip()


def read_cohort(path: Path, columns: Mapping[str, str] | None = None) -> tuple[CohortRow, ...]:
    """The rows of a cohort's CSV.

    Columns: patient_id, image, and label (normal, osteopenia, osteoporosis) or t_score, from which the class follows; where both
    are filled in, label counts. t_score, age, sex, device, view, date (2019-04-03), and split (training, validation, test) may be
    there; whether their values are plausible is asked by `cohorts.check`, not here. masks may name a .seg.nrrd drawn on the image.
    Other columns are passed over. Paths are relative to the table's folder. Separated by commas or semicolons, UTF-8.

    columns : what the table calls a column, where it is not one of these names: {"label": "diagnosis"}.

    Raises
    ------
    InputError
        One sentence that names the row and the column: a column or a value is missing or wrong, or an image stands there twice.
    """
    table = read_table(path, columns)
    rows: dict[Path, CohortRow] = {}
    for place in range(len(table.records)):
        row = table.row(place)
        if row.image in rows:
            raise twice(row, rows[row.image], table)
        rows[row.image] = row
    return tuple(rows.values())


def twice(row: CohortRow, first: CohortRow, table: CohortTable) -> CellError:
    """That an image stands in two rows."""
    what = f"{row.image.name} stands in row {first.number} already; name each image once"
    return CellError(row.number, "image", table.names["image"], what)


def read_table(path: Path, columns: Mapping[str, str] | None = None) -> CohortTable:
    """The cells of a cohort's CSV, not yet read as values. Raises `InputError` for what is wrong with file, head or `columns`."""
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
        there = table.fieldnames or ()
        records = tuple(table)
    except csv.Error as error:
        raise InputError(f"{path.name} is no CSV file ({error}); save it as CSV in UTF-8.", code="cohort") from error
    for column, named in (columns or {}).items():
        if column not in COLUMNS:
            raise InputError(f"A cohort has no column {column}; its columns are {', '.join(COLUMNS)}.", code="option")
        if named not in there:
            raise InputError(f"{path.name} has no column {named}; its columns are {', '.join(there)}.", code="cohort")
    names = {column: (columns or {}).get(column, column) for column in COLUMNS}
    for column in ("patient_id", "image"):
        if names[column] not in there:
            raise InputError(f"{path.name} has no column {column}; name it in the first row.", code="cohort")
    if names["label"] not in there and names["t_score"] not in there:
        raise InputError(
            f"{path.name} has neither a column label nor t_score; one of them tells each image's class.", code="cohort"
        )
    if not records:
        raise InputError(f"{path.name} has no rows; add one for each image.", code="cohort")
    return CohortTable(path, names, records)


def are_simulated(rows: Sequence[CohortRow], folder: Path) -> bool:
    """Whether `osteoscreen simulate` left its mark in `folder`, the table's, or in that of an image or the one above it."""
    folders = {folder, *(near for row in rows for near in (row.image.parent, row.image.parent.parent))}
    return any((near / SIMULATION).is_file() for near in folders)


def cohort_digest(rows: Sequence[CohortRow], folder: Path) -> str:
    """SHA-256 of which images the rows name, whose they are and of what class, paths relative to `folder` where they lie in it."""

    def named(path: Path | None) -> str | None:
        return None if path is None else (path.relative_to(folder) if path.is_relative_to(folder) else path).as_posix()

    values = [[row.number, row.patient, named(row.image), row.label, named(row.masks)] for row in rows]
    return hashlib.sha256(json.dumps(values).encode()).hexdigest()


class _Reading:
    """The cells of one row as values."""

    def __init__(self, table: CohortTable, number: int) -> None:
        self._table, self._number = table, number

    def row(self) -> CohortRow:
        for column in ("patient_id", "image"):
            if not self._cell(column) or "\0" in self._cell(column):
                missing = "nothing stands there; every image needs one"
                raise self._wrong(column, missing if not self._cell(column) else "it holds a NUL character")
        label, t_score = self._label_and_t_score()
        folder, masks = self._table.path.parent, self._cell("masks")
        return CohortRow(
            self._number,
            self._cell("patient_id"),
            folder / self._cell("image"),
            label,
            folder / masks if masks else None,
            t_score=t_score,
            age=self._known("age", age_in),
            sex=self._known("sex", sex_in),
            device=self._known("device", str),
            view=self._known("view", str),
            date=self._known("date", date_in),
            split=self._known("split", split_in),
        )

    def _label_and_t_score(self) -> tuple[int, float | None]:
        if self._cell("label"):
            return self._read("label", label_in), self._known("t_score", _t_score_in)
        if not self._cell("t_score"):
            raise self._wrong("label", "neither it nor t_score is filled in, so the image's class is not known")
        t_score = self._read("t_score", _t_score_in)
        return class_of(t_score), t_score

    def _cell(self, column: str) -> str:
        return self._table.cell(self._number, column)

    def _known(self, column: str, read: Callable[[str], _Value]) -> _Value | None:
        """The value of an optional cell."""
        return None if is_absent(self._cell(column)) else self._read(column, read)

    def _read(self, column: str, read: Callable[[str], _Value]) -> _Value:
        try:
            return read(self._cell(column))
        except ValueError as error:
            raise self._wrong(column, str(error)) from None

    def _wrong(self, column: str, what: str) -> CellError:
        return CellError(self._number, column, self._table.names[column], what)


def _t_score_in(text: str) -> float:
    return number_in(text, "-2.5")
