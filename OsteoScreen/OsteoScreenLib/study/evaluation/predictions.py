"""The noun `Predictions`: what a classifier answered to the images of a cohort, beside what is true of them; and its CSV file."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from functools import cached_property
from pathlib import Path

import numpy as np

from OsteoScreenLib.classifier.prediction import CLASSES
from OsteoScreenLib.errors import InputError
from OsteoScreenLib.files import write_text

SUM_TOLERANCE = 0.005  # probabilities of an image add up to 1 within this, so that rounded tables can be read
_PROBABILITIES = tuple(f"p_{name}" for name in CLASSES)
_NUMBERS = ("t_score", "age", "expected_t", "domain_distance")  # NaN where unknown
_TEXTS = ("sex", "device", "view", "domain_level")  # "" where unknown
COLUMNS = (
    "image", "patient_id", "label", "t_score", "age", "sex", "device", "view", *_PROBABILITIES, "expected_t",
    "domain_distance", "domain_level",
)  # fmt: skip


def _unknown() -> np.ndarray:
    return np.empty(0)


@dataclass(frozen=True, eq=False)
class Predictions:
    """n images, one place in every array for each. Optional arrays may be left out and are then unknown everywhere.

    image, patient : str (n,). label : int (n,), the true class, a place in `CLASSES`. probabilities : float64 (n, 3), in the order
    of `CLASSES`. t_score, age (years) : float (n,), NaN where unknown. sex, device, view : str (n,), "" where unknown.
    expected_t : the T-score that the model expects. domain_distance, domain_level : of the bundle's input check (`Domain`).

    Raises
    ------
    InputError
        predictions: no image; a probability that is no number between 0 and 1, or three that do not add up to 1; a label outside
        0..2; an image without a patient, or that stands there twice.
    """

    image: np.ndarray
    patient: np.ndarray
    label: np.ndarray
    probabilities: np.ndarray
    t_score: np.ndarray = field(default_factory=_unknown)
    age: np.ndarray = field(default_factory=_unknown)
    sex: np.ndarray = field(default_factory=_unknown)
    device: np.ndarray = field(default_factory=_unknown)
    view: np.ndarray = field(default_factory=_unknown)
    expected_t: np.ndarray = field(default_factory=_unknown)
    domain_distance: np.ndarray = field(default_factory=_unknown)
    domain_level: np.ndarray = field(default_factory=_unknown)

    def __post_init__(self) -> None:
        n = len(self.image)
        for name in ("image", "patient", *_TEXTS):
            given = np.asarray(getattr(self, name))
            object.__setattr__(self, name, np.full(n, "") if name in _TEXTS and not given.size else given.astype(str))
        for name in _NUMBERS:
            given = np.asarray(getattr(self, name))
            object.__setattr__(self, name, given.astype(np.float64) if given.size else np.full(n, np.nan))
        object.__setattr__(self, "label", np.asarray(self.label).astype(int))
        object.__setattr__(self, "probabilities", np.asarray(self.probabilities, np.float64))
        if self.probabilities.shape != (n, len(CLASSES)):
            raise ValueError(f"probabilities must be ({n}, {len(CLASSES)}), got {self.probabilities.shape}")
        for one in fields(self):
            if len(getattr(self, one.name)) != n:
                raise ValueError(f"{one.name} has {len(getattr(self, one.name))} places, but there are {n} images")
        self._check()

    def _check(self) -> None:
        if not len(self):
            raise InputError("There are no predictions; give those of at least one image.", code="predictions")
        names: dict[str, int] = {}
        for place, (image, patient) in enumerate(zip(self.image, self.patient, strict=True)):
            if not image or not patient:
                raise _wrong(place, f"{image} has no patient_id" if image else "the image has no name")
            if names.setdefault(str(image), place) != place:
                raise _wrong(place, f"{image} stands there already; name each image once")
        for place in _places((self.label < 0) | (self.label >= len(CLASSES))):
            raise _wrong(place, f"the label {self.label[place]} is no class; write {', '.join(CLASSES)}")
        usable = np.isfinite(self.probabilities) & (self.probabilities >= 0) & (self.probabilities <= 1)
        for place in _places(~usable.all(axis=1)):
            worst = self.probabilities[place][~usable[place]][0]
            raise _wrong(place, f"{worst:g} is no probability; every one must be a number from 0 to 1")
        for place in _places(np.abs(self.probabilities.sum(axis=1) - 1) > SUM_TOLERANCE):
            total = self.probabilities[place].sum()
            raise _wrong(place, f"the three probabilities add up to {total:.3f} and not to 1; give them after the softmax")

    def __len__(self) -> int:
        return len(self.image)

    @cached_property
    def osteoporosis(self) -> np.ndarray:
        """P(osteoporosis), float64 (n,)."""
        return self.probabilities[:, 2]

    @cached_property
    def low_bone_mass(self) -> np.ndarray:
        """P(osteopenia) + P(osteoporosis), float64 (n,)."""
        total: np.ndarray = self.probabilities[:, 1:].sum(axis=1)
        return total

    @property
    def patients(self) -> int:
        """How many different patients there are."""
        return len(np.unique(self.patient))

    def take(self, chosen: np.ndarray) -> Predictions:
        """Some of the images. chosen : bool (n,) or places, int. Raises `InputError` when none is chosen."""
        return Predictions(**{one.name: getattr(self, one.name)[chosen] for one in fields(self)})


def read_predictions(path: Path) -> Predictions:
    """The predictions in a CSV file with the columns of `COLUMNS`.

    Needed are image, patient_id, label (or t_score, from which the class follows) and the three probabilities; cells of the others
    may be empty and their columns missing. Separated by commas or semicolons, UTF-8.

    Raises
    ------
    InputError
        One sentence that names the row and the column.
    """
    if not path.is_file():
        raise InputError(f"There is no file {path}; give predictions as CSV.", code="no-file")
    try:
        text = path.read_text(encoding="utf-8-sig")
        head = text.partition("\n")[0]
        separator = ";" if head.count(";") > head.count(",") else ","
        table = csv.DictReader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
        columns, records = table.fieldnames or (), list(table)
    except (UnicodeDecodeError, OSError, csv.Error) as error:
        raise InputError(
            f"{path.name} could not be read as a CSV table; save it as CSV in UTF-8.", code="predictions"
        ) from error
    for column in ("image", "patient_id", *_PROBABILITIES):
        if column not in columns:
            raise InputError(f"{path.name} has no column {column}; name it in the first row.", code="predictions")
    if "label" not in columns and "t_score" not in columns:
        raise InputError(f"{path.name} has neither a column label nor t_score; one tells the class.", code="predictions")
    if not records:
        raise InputError(f"{path.name} has no rows; add one for each image.", code="predictions")
    try:
        return _of_records(records)
    except InputError as error:
        raise InputError(f"{path.name}: {error}", code=error.code) from error


def write_predictions(path: Path, predictions: Predictions) -> Path:
    """Write the CSV file atomically, numbers with all their digits; its path. Classes stand there by name."""

    def number(value: float) -> str:
        return "" if math.isnan(value) else repr(float(value))

    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(COLUMNS)
    for i in range(len(predictions)):
        cells: dict[str, str] = {
            "image": predictions.image[i],
            "patient_id": predictions.patient[i],
            "label": CLASSES[predictions.label[i]],
            **{column: number(p) for column, p in zip(_PROBABILITIES, predictions.probabilities[i], strict=True)},
            **{column: number(getattr(predictions, column)[i]) for column in _NUMBERS},
            **{column: getattr(predictions, column)[i] for column in _TEXTS},
        }
        writer.writerow([cells[column] for column in COLUMNS])
    return write_text(path, table.getvalue())


def _of_records(records: list[dict[str, str]]) -> Predictions:
    def texts(column: str) -> np.ndarray:
        return np.array([(record.get(column) or "").strip() for record in records])

    def numbers(column: str) -> np.ndarray:
        return np.array([_number(record, column, place) for place, record in enumerate(records)])

    t_score = numbers("t_score")
    return Predictions(
        image=texts("image"),
        patient=texts("patient_id"),
        label=np.array([_class(record, place, t) for (place, record), t in zip(enumerate(records), t_score, strict=True)]),
        probabilities=np.stack([_required(numbers(column), column) for column in _PROBABILITIES], axis=1),
        t_score=t_score,
        **{column: numbers(column) for column in _NUMBERS if column != "t_score"},
        **{column: texts(column) for column in _TEXTS},
    )


def _class(record: Mapping[str, str], place: int, t_score: float) -> int:
    from OsteoScreenLib.classifier.truth_cells import class_of

    named = (record.get("label") or "").strip().lower()
    if named in CLASSES:
        return CLASSES.index(named)
    if named in ("0", "1", "2"):
        return int(named)
    if named:
        raise _wrong(place, f"column label: '{named}' is no class; write {', '.join(CLASSES)}")
    if math.isnan(t_score):
        raise _wrong(place, "neither label nor t_score is filled in, so the image's class is not known")
    return class_of(t_score)


def _number(record: Mapping[str, str], column: str, place: int) -> float:
    text = (record.get(column) or "").strip()
    if not text:
        return math.nan
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise _wrong(place, f"column {column}: '{text}' is no number")
    return value


def _required(values: np.ndarray, column: str) -> np.ndarray:
    for place in _places(np.isnan(values)):
        raise _wrong(place, f"column {column}: nothing stands there; every image needs its three probabilities")
    return values


def _places(wrong: np.ndarray) -> list[int]:
    return [int(place) for place in np.flatnonzero(wrong)]


def _wrong(place: int, what: str) -> InputError:
    """The row as a spreadsheet counts: the head is row 1."""
    return InputError(f"Row {place + 2}: {what}.", code="predictions")
