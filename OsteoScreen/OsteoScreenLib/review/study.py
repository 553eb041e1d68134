"""A reader study as a folder: its protocol and its cases under pseudonyms, written once, and where everything else of it lies.

study.json            protocol, versions, SHA-256 of cases.csv
cases.csv             id, image, sha256, group, view, truth, t_score
images/               de-identified copies, where they were asked for
private/sources.csv   pseudonym and original path; never exported, and needed only where there are no copies
analyses/ masks/ reads/ exports/
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any

from OsteoScreenLib.errors import InputError
from OsteoScreenLib.files import sha256_of_file
from OsteoScreenLib.review.nouns import Protocol, ReviewCase

FORMAT, VERSION = "osteoscreen-review", 1
STUDY, CASES, IMAGES = "study.json", "cases.csv", "images"
SOURCES, TRUTH = "private/sources.csv", "private/truth.csv"
CASE_COLUMNS = ("id", "image", "sha256", "group", "view", "truth", "t_score")
TRUTH_COLUMNS = ("id", "truth", "t_score")


@dataclass(frozen=True)
class ReviewStudy:
    """A study that was opened.

    folder : of the study. protocol : how it is read. cases : in the order of their pseudonyms. digest : SHA-256 of cases.csv.
    """

    folder: Path
    protocol: Protocol
    cases: tuple[ReviewCase, ...]
    digest: str = ""

    def case(self, pseudonym: str) -> ReviewCase:
        """The case of that pseudonym. Raises `InputError` (no-case)."""
        if pseudonym not in self._by_id:
            raise InputError(f"This study has no case {pseudonym}; 'osteoscreen review list' names them.", code="no-case")
        return self._by_id[pseudonym]

    def image_path(self, case: ReviewCase) -> Path:
        """The file that is read: the study's copy, else the original where this machine knows it.

        Raises `InputError` (gone) in one sentence when there is none; it names the pseudonym only.
        """
        path = self.folder / case.image if case.image else self._originals.get(case.id)
        if path is None:
            raise InputError(
                f"The image of {case.id} is not in the study's folder; make the study with --copy, or read it on the computer "
                "where it was made.",
                code="gone",
            )
        if not path.is_file():
            raise InputError(f"The image of {case.id} is gone; put it back and open the case again.", code="gone")
        return path

    def case_of_image(self, path: Path) -> ReviewCase | None:
        """The case that an image file is: the study's copy, the original that the case was made from, or a file of the bytes that
        are read; None when it is no case of this study. Originals are known only to the machine that made the study."""
        whole = Path(os.path.abspath(path))
        if whole in self._by_path:
            return self._by_path[whole]
        digest = sha256_of_file(whole) if whole.is_file() else ""
        return next((case for case in self.cases if digest and case.sha256 == digest), None)

    @property
    def exports(self) -> Path:
        """Folder of tables and reports."""
        return self.folder / "exports"

    def analysis(self, pseudonym: str) -> Path:
        """Folder of the model's stored results for a case."""
        return self.folder / "analyses" / self.case(pseudonym).id

    def masks(self, pseudonym: str) -> Path:
        """Folder of a case's corrected masks."""
        return self.folder / "masks" / self.case(pseudonym).id

    @cached_property
    def _by_id(self) -> Mapping[str, ReviewCase]:
        return {case.id: case for case in self.cases}

    @cached_property
    def _by_path(self) -> Mapping[Path, ReviewCase]:
        originals = {path: self._by_id[pseudonym] for pseudonym, path in self._originals.items() if pseudonym in self._by_id}
        return originals | {Path(os.path.abspath(self.folder / case.image)): case for case in self.cases if case.image}

    @cached_property
    def _originals(self) -> Mapping[str, Path]:
        path = self.folder / SOURCES
        if not path.is_file():
            return {}
        rows = _table(path, ("id", "path"))
        return {row["id"]: Path(row["path"]) for row in rows}


def open_study(folder: str | Path) -> ReviewStudy:
    """The study in a folder.

    Raises
    ------
    InputError
        One sentence: there is no study (no-study), a newer program made it (study-newer), or study.json or cases.csv are damaged or
        were changed after the study was made (study-damaged).
    """
    folder = Path(folder)
    facts = _facts(folder)
    cases = folder / CASES
    try:
        data = cases.read_bytes()
    except OSError as error:
        raise _damaged(f"{CASES} cannot be read") from error
    digest = hashlib.sha256(data).hexdigest()
    if digest != facts.get("cases_sha256"):
        raise _damaged(f"{CASES} was changed after the study was made")
    protocol = _protocol(facts.get("protocol"))
    apart = _truth_apart(folder)
    rows = ({**row, **apart.get(row["id"], {})} for row in _table(cases, CASE_COLUMNS))
    return ReviewStudy(folder, protocol, tuple(map(_case, rows)), digest)


def is_study(folder: Path) -> bool:
    """Whether a study lies in the folder."""
    return (folder / STUDY).is_file()


def protocol_json(protocol: Protocol) -> dict[str, Any]:
    """A protocol as JSON values."""
    return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(protocol).items()}


def cases_csv(cases: Iterable[ReviewCase], columns: Sequence[str] = CASE_COLUMNS) -> str:
    """The text of cases.csv, or of a part of it."""
    return csv_text(columns, ([_cell(getattr(case, column)) for column in columns] for case in cases))


def csv_text(columns: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A table as CSV, lines ended by LF."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(rows)
    return text.getvalue()


def _cell(value: str | float | None) -> str:
    return "" if value is None else repr(value) if isinstance(value, float) else value


def _facts(folder: Path) -> Mapping[str, Any]:
    if not is_study(folder):
        raise InputError(
            f"There is no reader study in {folder}; make one with 'osteoscreen review create', or name its folder.",
            code="no-study",
        )
    try:
        facts = json.loads((folder / STUDY).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise _damaged(f"{STUDY} cannot be read") from error
    if not isinstance(facts, dict) or facts.get("format") != FORMAT or not isinstance(facts.get("format_version"), int):
        raise _damaged(f"{STUDY} describes no reader study")
    if facts["format_version"] > VERSION:
        made = str(facts.get("osteoscreen", ""))[:32]
        raise InputError(
            f"This study was made by a newer OsteoScreen ({made}); read it with that version or a later one.",
            code="study-newer",
        )
    return facts


def _truth_apart(folder: Path) -> dict[str, dict[str, str]]:
    """Pseudonym → truth and T-score, where this machine has them apart from the cases."""
    path = folder / TRUTH
    return {row["id"]: row for row in _table(path, TRUTH_COLUMNS)} if path.is_file() else {}


def _protocol(values: Any) -> Protocol:
    known = {field.name for field in fields(Protocol)}
    try:
        facts: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in values.items() if name in known
        }
        return Protocol(**facts)
    except (AttributeError, TypeError) as error:
        raise _damaged(f"{STUDY} describes no protocol") from error


def _case(row: Mapping[str, str]) -> ReviewCase:
    image = PurePosixPath(row["image"])
    if row["image"] and (image.is_absolute() or ".." in image.parts or "\\" in row["image"]):
        raise _damaged(f"{CASES} names an image outside the study's folder")
    try:
        t_score = float(row["t_score"]) if row["t_score"] else None
    except ValueError as error:
        raise _damaged(f"{CASES} holds a T-score that is no number") from error
    return ReviewCase(
        row["id"], row["image"], row["sha256"], row["group"], row["truth"] or None, t_score, row["view"]
    )  # fmt: skip


def _table(path: Path, columns: tuple[str, ...]) -> list[dict[str, str]]:
    try:
        with open(path, encoding="utf-8", newline="") as stream:
            rows = list(csv.DictReader(stream, strict=True))
    except (OSError, ValueError, csv.Error) as error:
        raise _damaged(f"{path.name} cannot be read") from error
    if any(None in row or None in row.values() for row in rows) or (rows and not set(columns) <= set(rows[0])):
        raise _damaged(f"{path.name} has missing columns or cells")
    return rows


def _damaged(what: str) -> InputError:
    return InputError(f"The study is damaged: {what}; put back the files as they were when it was made.", code="study-damaged")
