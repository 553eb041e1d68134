"""A checked cohort in a few sentences."""

from __future__ import annotations

from collections.abc import Sequence

from OsteoScreenLib.classifier.prediction import CLASSES
from OsteoScreenLib.study.cohort import CohortRow
from OsteoScreenLib.study.cohort_cells import SPLITS
from OsteoScreenLib.study.cohorts.cleaning import CheckedCohort


def counts(rows: Sequence[CohortRow]) -> list[int]:
    """Images of each class."""
    return [sum(row.label == label for row in rows) for label in range(len(CLASSES))]


def sentences(checked: CheckedCohort) -> list[str]:
    """What was found and what stays, for the command's output and the head of the report."""
    every = checked.every
    said = [f"{checked.images} images of {len({row.patient for row in every})} patients: {_by_class(every)}."]
    distinct = len({one.digest for one in checked.fingerprints.values()})
    if checked.fingerprints:
        said.append(f"{distinct} of the {len(checked.fingerprints)} images that can be read are distinct.")
    identical = [group for group in checked.groups if group.identical]
    near = len(checked.groups) - len(identical)
    conflicting = sum(group.conflicting for group in checked.groups)
    if checked.groups:
        said.append(
            f"{_count(len(identical), 'group')} of identical images and {near} with resized, recompressed, cropped or brightened "
            f"copies; in {conflicting} the rows disagree about the class."
        )
    leaks = sum(finding.code == "leak" for finding in checked.findings)
    said.append(
        f"{_count(leaks, 'image')} in more than one split."
        if leaks
        else "No patient, and no image that was found twice, is in more than one split."
    )
    out = checked.images - len(checked.rows)
    said.append(f"{_count(len(checked.rows), 'image')} stay{'s' if len(checked.rows) == 1 else ''}, {out} left out.")
    for split in SPLITS:
        part = [row for row in checked.rows if row.split == split]
        if part:
            patients = len({row.patient for row in part})
            said.append(
                f"{split.capitalize()}: {_count(len(part), 'image')} of {_count(patients, 'patient')}: {_by_class(part)}."
            )
    return said


def _by_class(rows: Sequence[CohortRow]) -> str:
    return ", ".join(f"{number} {name}" for number, name in zip(counts(rows), CLASSES, strict=True))


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
