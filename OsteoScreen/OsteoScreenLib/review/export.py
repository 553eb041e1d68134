"""The merged view as tables: CSV for people and spreadsheets, JSON for programs. Each file is whole or as it was before."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from OsteoScreenLib import __version__
from OsteoScreenLib.classifier.prediction import CLASSES
from OsteoScreenLib.errors import InputError, OsteoScreenError
from OsteoScreenLib.files import remove_leftovers, write_text
from OsteoScreenLib.review.nouns import LockedRead
from OsteoScreenLib.review.project import ProjectView

FORMAT = 1
LIST = "export.json"
READ_COLUMNS = (
    "reader", "case", "repeat", "phase", "decision", "confidence", "quality", "findings", "comment", "changed_because",
    "active_seconds", "idle_seconds", "at", "machine", "app", "model", "bundle_sha256", "model_decision",
    *(f"model_p_{name}" for name in CLASSES), "id",
)  # fmt: skip
MASK_COLUMNS = ("reader", "case", "bone", "verdict", "version", "reason", "at")


def export(view: ProjectView, folder: Path) -> list[Path]:
    """Write a view into `folder`, which is made; one export at a time writes there.

    reads.csv : a line for each read that counts. conflicts.csv : the ones that do not, and the ids of those that count instead.
    masks.csv : verdicts on masks. reads.json, events.json : all that was stored, word for word. export.json : written last, with the
    view's code and the SHA-256 of each file, so that `check` knows a set that was cut short. In CSV a text that a spreadsheet would
    take for a formula stands behind an apostrophe.

    Returns the files, export.json last. Raises `OsteoScreenError` when they cannot be written.
    """
    reads = [_read_row(read) for read in view.reads]
    conflicts = [{**_read_row(conflict.other), "counted": conflict.counted.id} for conflict in view.conflicts]
    texts = {
        "reads.csv": _table(READ_COLUMNS, reads),
        "conflicts.csv": _table((*READ_COLUMNS, "counted"), conflicts),
        "masks.csv": _table(MASK_COLUMNS, [asdict(verdict) for verdict in view.verdicts]),
        "reads.json": _json([asdict(read) for read in view.reads]),
        "events.json": _json([asdict(event) for event in view.events]),
    }
    index = {
        "format_version": FORMAT,
        "osteoscreen": __version__,
        "view": view.code,
        "counts": {
            "reads": len(view.reads),
            "conflicts": len(conflicts),
            "verdicts": len(view.verdicts),
            "events": len(view.events),
        },
        "sha256": {name: _digest(text) for name, text in texts.items()},
    }
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OsteoScreenError(f"The folder {folder} cannot be made ({error.strerror}); choose another one.") from error
    remove_leftovers(folder)
    return [write_text(folder / name, text) for name, text in {**texts, LIST: _json(index)}.items()]


def check(folder: Path) -> Mapping[str, Any]:
    """The export.json of a whole export. Raises `InputError` (export) naming the file that is missing or of another export."""
    try:
        index = json.loads((folder / LIST).read_text(encoding="utf-8"))
        wrong = [name for name, digest in index["sha256"].items() if _digest_of(folder / name) != digest]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{LIST} in {folder} is missing or damaged; export again.", code="export") from error
    if wrong:
        raise InputError(f"{wrong[0]} in {folder} is not of the same export; export again.", code="export")
    return index


def _read_row(read: LockedRead) -> dict[str, object]:
    opinion, model = read.opinion, read.model
    probabilities = model.probabilities or ("",) * len(CLASSES)
    return {
        **asdict(opinion),
        "findings": "; ".join(opinion.findings),
        "reader": read.reader, "case": read.task.case, "repeat": read.task.repeat, "phase": read.phase,
        "active_seconds": read.active_seconds, "idle_seconds": read.idle_seconds,
        "at": read.at, "machine": read.machine, "app": read.app, "id": read.id,
        "model": model.model, "bundle_sha256": model.bundle_sha256, "model_decision": model.decision,
        **{f"model_p_{name}": value for name, value in zip(CLASSES, probabilities, strict=True)},
    }  # fmt: skip


def _table(columns: Sequence[str], rows: Iterable[Mapping[str, object]]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: _cell(value) for name, value in row.items()} for row in rows)
    return text.getvalue()


def _cell(value: object) -> object:
    """OWASP's advice against formulas in CSV: https://owasp.org/www-community/attacks/CSV_Injection."""
    return f"'{value}" if isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t", "\r")) else value


def _json(value: object) -> str:
    return json.dumps(value, indent=1, allow_nan=False) + "\n"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


def _digest_of(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
