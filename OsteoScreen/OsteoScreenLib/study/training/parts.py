"""The three parts of a cohort, and whether anything can be learnt and judged on them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from OsteoScreenLib.classifier.prediction import CLASSES
from OsteoScreenLib.errors import InputError
from OsteoScreenLib.study.cohort import CohortRow
from OsteoScreenLib.study.cohort_cells import SPLITS, Split
from OsteoScreenLib.study.cohorts.splits import require_classes


@dataclass(frozen=True, eq=False)
class Parts:
    """The rows of a cohort by part. labels : class of each row, int (n,). of : part → places in `rows`, int arrays."""

    rows: tuple[CohortRow, ...]
    labels: np.ndarray
    of: Mapping[Split, np.ndarray]

    def counts(self, split: Split) -> np.ndarray:
        """Images of each class, int (3,)."""
        return np.bincount(self.labels[self.of[split]], minlength=len(CLASSES))

    def patients(self, split: Split) -> int:
        """Patients of a part."""
        return len({self.rows[place].patient for place in self.of[split]})

    def digest(self, files: Sequence[str] = ()) -> str:
        """SHA-256 of whose images these are, what is true of them and where they belong. files : SHA-256 of each row's image."""
        where = {int(place): split for split in SPLITS for place in self.of[split]}
        values = [
            [row.number, row.patient, row.label, where.get(place), row.t_score, *files[place : place + 1]]
            for place, row in enumerate(self.rows)
        ]
        return hashlib.sha256(json.dumps(values).encode()).hexdigest()


def parts_of(rows: Sequence[CohortRow], splits: Mapping[str, str]) -> Parts:
    """Put the rows of a cohort into parts by their patient. The test part may be empty.

    splits : patient → "training", "validation" or "test"; rows of patients that it does not name are left out.

    Raises
    ------
    InputError
        one-patient; split-unknown for another word; split-empty; absent-class when a part lacks a class.
    """
    patients = {row.patient for row in rows}
    if len(patients) < 2:
        raise InputError(
            "The cohort has one patient only, and nothing can be validated on the patient it was learnt from; add patients.",
            code="one-patient",
        )
    unknown = sorted({word for patient, word in splits.items() if patient in patients} - set(SPLITS))
    if unknown:
        raise InputError(f"There is no part called '{unknown[0]}'; write {', '.join(SPLITS)}.", code="split-unknown")
    labels = np.array([row.label for row in rows], int)
    found = {
        split: np.array([place for place, row in enumerate(rows) if splits.get(row.patient) == split], int) for split in SPLITS
    }
    for split in SPLITS:
        if not len(found[split]):
            if split == "test":
                continue
            raise InputError(
                f"No patient is in the {split} part; give it a larger share, or name patients for it in the column split.",
                code="split-empty",
            )
    require_classes(
        [row for row in rows if row.patient in splits],
        {patient: word for patient, word in splits.items() if patient in patients},  # type: ignore[misc]
        [split for split in SPLITS if len(found[split])],
    )
    return Parts(tuple(rows), labels, found)
