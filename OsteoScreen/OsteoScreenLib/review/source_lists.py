"""What a table (CSV) or a DICOMDIR names for a study: files and, in a table, what is true of them. No image is opened here."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from OsteoScreenLib.classifier.prediction import CLASSES
from OsteoScreenLib.classifier.truth_cells import class_of, is_absent, label_in, number_in
from OsteoScreenLib.errors import InputError
from OsteoScreenLib.radiograph import header
from OsteoScreenLib.radiograph.limits import printable
from OsteoScreenLib.radiograph.view import known_view

TABLE_COLUMNS = ("image", "patient_id", "label", "t_score", "view")


@dataclass(frozen=True)
class CaseSource:
    """One radiograph for a study.

    path : its file. sha256 : of the file, "" before it was looked at. patient : whose it is, as table or header names the patient, ""
    when unknown; only a pseudonym of it is ever written. truth : a class, t_score : of the reference; None when unknown. view : "PA",
    "AP", … or "".
    """

    path: Path
    sha256: str = ""
    patient: str = ""
    truth: str | None = None
    t_score: float | None = None
    view: str = ""


def sources_of_table(path: Path, columns: Mapping[str, str] | None = None) -> tuple[CaseSource, ...]:
    """The rows of a CSV with the column image, and where there are any patient_id, label, t_score and view; others are passed over.

    Separated by commas or semicolons, UTF-8. Paths are relative to the table's folder and stay inside it. Where label is empty the
    class follows from t_score. columns : what the table calls a column, where it is not one of these names.

    Raises `InputError` (table) in one sentence that names row and column.
    """
    names = {column: (columns or {}).get(column, column) for column in TABLE_COLUMNS}
    for column in columns or {}:
        if column not in TABLE_COLUMNS:
            raise InputError(f"There is no column {column}; the columns are {', '.join(TABLE_COLUMNS)}.", code="option")
    head, records = _records(path)
    for column, named in names.items():
        if named not in head and (column == "image" or named != column):
            raise InputError(f"{path.name} has no column {named}; name it in the first row.", code="table")
    if not records:
        raise InputError(f"{path.name} has no rows; add one for each image.", code="table")
    rows: dict[Path, int] = {}
    sources = []
    for number, record in enumerate(records, 2):
        cells = {column: (record.get(named) or "").strip() for column, named in names.items()}
        try:
            source = _row(path.parent, cells)
        except _CellError as error:
            raise InputError(f"Row {number}, column {names[error.column]}: {error}.", code="table") from None
        if source.path in rows:
            raise InputError(
                f"Row {number}, column {names['image']}: this image stands in row {rows[source.path]} already; name each image once.",
                code="table",
            )
        rows[source.path] = number
        sources.append(source)
    return tuple(sources)


def sources_of_dicomdir(path: Path) -> tuple[CaseSource, ...]:
    """The images that a DICOMDIR lists (DICOM PS3.3, F.3). Raises `InputError` (dicomdir) when it lists none or names no file set."""
    from OsteoScreenLib.radiograph.dicom import parse_dicom
    from OsteoScreenLib.radiograph.quiet import quiet
    from OsteoScreenLib.radiograph.read import bytes_of

    name = printable(path.name)
    found = []
    with quiet():
        for record in header.items(parse_dicom(bytes_of(path), name), "DirectoryRecordSequence"):
            parts = header.texts(record, "ReferencedFileID")
            if header.word(record, "DirectoryRecordType") != "IMAGE" or not parts:
                continue
            if not all(part and not set(part) & set("/\\:\0") and part not in {".", ".."} for part in parts):
                raise InputError(f"{name} names files outside its folder; make it again.", code="dicomdir")
            found.append(CaseSource(_as_on_disk(path.parent, parts)))
    if not found:
        raise InputError(f"{name} lists no images; name their folder instead.", code="dicomdir")
    return tuple(dict.fromkeys(found))


def _as_on_disk(folder: Path, parts: list[str]) -> Path:
    """File sets write capital letters; a disc's files often come to a disk in small ones."""
    stated = folder.joinpath(*parts)
    small = folder.joinpath(*(part.lower() for part in parts))
    return small if not stated.exists() and small.exists() else stated


class _CellError(ValueError):
    def __init__(self, column: str, what: str) -> None:
        super().__init__(what)
        self.column = column


def _records(path: Path) -> tuple[list[str], list[dict[str | None, str | None]]]:
    try:
        text = path.read_text(encoding="utf-8-sig")
        first = text.partition("\n")[0]
        delimiter = ";" if first.count(";") > first.count(",") else ","
        table = csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
        return list(table.fieldnames or ()), list(table)
    except FileNotFoundError:
        raise InputError(f"There is no table {printable(str(path))}; check the name.", code="missing-file") from None
    except (OSError, ValueError, csv.Error) as error:
        raise InputError(f"{path.name} cannot be read as a table; save it as CSV in UTF-8.", code="table") from error


def _row(folder: Path, cells: Mapping[str, str]) -> CaseSource:
    if not cells["image"] or "\0" in cells["image"]:
        raise _CellError("image", "no file is named; every row needs one")
    top = Path(os.path.abspath(folder))
    image = Path(os.path.normpath(top / cells["image"]))
    if not image.is_relative_to(top):
        raise _CellError("image", "the file lies outside the table's folder; put the table into the folder above all images")
    truth, t_score = _truth(cells)
    return CaseSource(image, patient=cells["patient_id"], truth=truth, t_score=t_score, view=known_view(cells["view"]))


def _truth(cells: Mapping[str, str]) -> tuple[str | None, float | None]:
    column = "t_score"
    try:
        t_score = None if is_absent(cells["t_score"]) else number_in(cells["t_score"], "-2.5")
        column = "label"
        if not is_absent(cells["label"]):
            return CLASSES[label_in(cells["label"])], t_score
    except ValueError as error:
        raise _CellError(column, str(error)) from None
    return (None if t_score is None else CLASSES[class_of(t_score)]), t_score
