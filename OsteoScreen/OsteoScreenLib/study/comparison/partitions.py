"""Who is in each split: patients, images, classes, age and sex, as a table for people and values for programs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from OsteoScreenLib.classifier.prediction import CLASSES
from OsteoScreenLib.study.cohort import CohortRow
from OsteoScreenLib.study.cohort_cells import SPLITS

HEAD = ("split", "patients", "images", *CLASSES, "age", "sex")


@dataclass(frozen=True)
class Partition:
    """One split. classes : images of each. age_mean, age_sd : years over images that have one, None where none has.

    aged : images with an age. sexes : images of each sex, "unknown" where none is given.
    """

    split: str
    patients: int
    images: int
    classes: Mapping[str, int]
    aged: int
    age_mean: float | None
    age_sd: float | None
    sexes: Mapping[str, int]

    @property
    def words(self) -> tuple[str, ...]:
        """The cells below `HEAD`."""
        age = "unknown" if self.age_mean is None else f"{self.age_mean:.1f} ± {self.age_sd:.1f}"
        if 0 < self.aged < self.images:
            age += f" ({self.images - self.aged} unknown)"
        sexes = ", ".join(f"{number} {sex}" for sex, number in self.sexes.items())
        return (self.split, str(self.patients), str(self.images), *(str(self.classes[name]) for name in CLASSES), age, sexes)


def partitions(rows: Sequence[CohortRow], splits: Mapping[str, str]) -> tuple[Partition, ...]:
    """The splits that have images, in order. splits : patient → split."""
    found = []
    for split in SPLITS:
        held = [row for row in rows if splits[row.patient] == split]
        if not held:
            continue
        ages = np.array([row.age for row in held if row.age is not None])
        labels = Counter(row.label for row in held)
        sexes = Counter(row.sex or "unknown" for row in held)
        found.append(
            Partition(
                split,
                len({row.patient for row in held}),
                len(held),
                {name: labels[place] for place, name in enumerate(CLASSES)},
                len(ages),
                float(ages.mean()) if ages.size else None,
                float(ages.std()) if ages.size else None,
                dict(sorted(sexes.items())),
            )
        )
    return tuple(found)
