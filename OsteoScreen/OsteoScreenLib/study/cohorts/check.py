"""What is wrong with a cohort's table, before any image is read.

Where no standard gives a limit, it is stated here. A T-score is defined for adults (ISCD Official Positions 2019: Z-scores for
children), hence the lower plausible age.
"""

from __future__ import annotations

import itertools
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from pathlib import Path

import numpy as np

from OsteoScreenLib.classifier.prediction import CLASSES
from OsteoScreenLib.classifier.truth_cells import class_of
from OsteoScreenLib.study.cohort import CellError, CohortRow, CohortTable, twice
from OsteoScreenLib.study.cohorts.findings import Finding, row_words

POSSIBLE = {"age": (0.0, 120.0), "t_score": (-10.0, 10.0)}
PLAUSIBLE = {"age": (18.0, 100.0), "t_score": (-6.0, 6.0)}
_FIRST_X_RAY = "1895"
_UNITS = {"age": " years", "t_score": ""}
_TELLING = 0.7  # AUC of age alone from which a cohort is called separable by it
_ENOUGH = 10  # rows from which a column of one value is worth a word


def read_rows(table: CohortTable) -> tuple[tuple[CohortRow, ...], tuple[Finding, ...]]:
    """The rows that can be read, and a finding for each that cannot or whose image stands in an earlier row."""
    rows: dict[Path, CohortRow] = {}
    findings = []
    for place in range(len(table.records)):
        try:
            row = table.row(place)
            if row.image in rows:
                raise twice(row, rows[row.image], table)
            rows[row.image] = row
        except CellError as error:
            findings.append(Finding("cell", "error", (error.number,), error.column, str(error), left_out=True))
    return tuple(rows.values()), tuple(findings)


def check_rows(rows: Sequence[CohortRow], table: CohortTable, today: date) -> tuple[Finding, ...]:
    """The findings about values. table : where the rows come from. today : dates after it are in the future."""
    names = table.names
    found: list[Finding] = [*_limits(rows, "age", table), *_limits(rows, "t_score", table)]
    for check in (_contradictions, _sexes, _patients):
        found += check(rows, names)
    found += _dates(rows, names["date"], today)
    found += _classes(rows)
    found += _constant(rows, names)
    return tuple(found)


def age_alone(rows: Sequence[CohortRow]) -> tuple[Finding, ...]:
    """How well age by itself tells osteoporosis from the rest, where age is known and both are there."""
    from sklearn.metrics import roc_auc_score

    known = [row for row in rows if row.age is not None]
    positive = np.array([row.label == len(CLASSES) - 1 for row in known])
    if len(known) < _ENOUGH or not positive.any() or positive.all():
        return ()
    auc = float(roc_auc_score(positive, [row.age for row in known]))
    means = [np.mean([row.age for row in known if row.label == label]) for label in sorted({row.label for row in known})]
    told = max(auc, 1 - auc) >= _TELLING
    sentence = f"Age alone tells osteoporosis from the rest with an AUC of {auc:.2f} (mean ages by class: {', '.join(f'{one:.0f}' for one in means)})"
    advice = "; compare every model with a baseline that knows age and sex only" if told else ""
    return (Finding("age-alone", "warning" if told else "info", (), "age", f"{sentence}{advice}."),)


def _limits(rows: Sequence[CohortRow], column: str, table: CohortTable) -> Iterator[Finding]:
    low, high = POSSIBLE[column]
    least, most = PLAUSIBLE[column]
    for row in rows:
        value = getattr(row, column)
        if value is None or least <= value <= most:
            continue
        what, limits = f"Row {row.number}, column {table.names[column]}: {value:g}{_UNITS[column]}", f"{least:g} to {most:g}"
        if low <= value <= high:
            yield Finding(
                "implausible", "warning", (row.number,), column,
                f"{what} is implausible (expected {limits}); look it up.",
            )  # fmt: skip
        else:
            yield Finding(
                "impossible", "error", (row.number,), column,
                f"{what} is impossible; correct it, or leave it empty where it is not known.", emptied=True,
                left_out=column == "t_score" and not table.cell(row.number, "label"),
            )  # fmt: skip


def _contradictions(rows: Sequence[CohortRow], names: Mapping[str, str]) -> Iterator[Finding]:
    for row in rows:
        if row.t_score is not None and _possible(row.t_score) and class_of(row.t_score) != row.label:
            yield Finding(
                "class-and-t-score", "warning", (row.number,), "label",
                f"Row {row.number}, column {names['label']}: it says {CLASSES[row.label]}, but a T-score of {row.t_score:g} is "
                f"{CLASSES[class_of(row.t_score)]}; the class counts until one of them is corrected.",
            )  # fmt: skip


def _possible(t_score: float) -> bool:
    return POSSIBLE["t_score"][0] <= t_score <= POSSIBLE["t_score"][1]


def _sexes(rows: Sequence[CohortRow], names: Mapping[str, str]) -> Iterator[Finding]:
    unknown = defaultdict(list)
    for row in rows:
        if row.sex is not None and row.sex not in ("F", "M", "O"):
            unknown[row.sex].append(row.number)
    for code, numbers in unknown.items():
        yield Finding(
            "sex-code", "warning", tuple(numbers), "sex",
            f"{row_words(numbers)}, column {names['sex']}: the code '{code}' is not known; write F, M or O.",
        )  # fmt: skip


def _patients(rows: Sequence[CohortRow], names: Mapping[str, str]) -> Iterator[Finding]:
    """One patient with two sexes, or who is younger on a later image."""
    of: dict[str, list[CohortRow]] = defaultdict(list)
    for row in rows:
        of[row.patient].append(row)
    for patient, own in of.items():
        numbers = tuple(row.number for row in own)
        sexes = sorted({row.sex for row in own if row.sex is not None})
        if len(sexes) > 1:
            yield Finding(
                "patient-sex", "warning", numbers, "sex",
                f"{row_words(numbers)}, column {names['sex']}: patient {patient} has {' and '.join(sexes)}; correct the sex or the "
                "patient.",
            )  # fmt: skip
        aged = sorted((row.date, row.age, row.number) for row in own if row.date and row.age is not None)
        for (_, before, one), (_, after, other) in itertools.pairwise(aged):
            if after < before - 1:
                yield Finding(
                    "patient-age", "warning", (one, other), "age",
                    f"Rows {one} and {other}, column {names['age']}: patient {patient} is {before:g} years old and on a later date {after:g}; "
                    "correct age, date or patient.",
                )  # fmt: skip


def _dates(rows: Sequence[CohortRow], named: str, today: date) -> Iterator[Finding]:
    for row in rows:
        if row.date is None or _FIRST_X_RAY <= row.date <= today.isoformat():
            continue
        when = "lies in the future" if row.date > today.isoformat() else "lies before there were X-rays"
        yield Finding(
            "impossible", "error", (row.number,), "date",
            f"Row {row.number}, column {named}: {row.date} {when}; correct it, or leave it empty.", emptied=True,
        )  # fmt: skip


def _classes(rows: Sequence[CohortRow]) -> Iterator[Finding]:
    counts = Counter(row.label for row in rows)
    for label, name in enumerate(CLASSES):
        if rows and not counts[label]:
            yield Finding(
                "empty-class", "warning", (), "label",
                f"No image is {name}; a model of all three classes cannot be trained, nor tested on that class.",
            )  # fmt: skip


def _constant(rows: Sequence[CohortRow], names: Mapping[str, str]) -> Iterator[Finding]:
    for column in ("t_score", "age", "sex", "device", "view", "date"):
        values = [getattr(row, column) for row in rows]
        if len(rows) >= _ENOUGH and values[0] is not None and len(set(values)) == 1:
            numeric = column in ("t_score", "age")
            yield Finding(
                "constant", "warning" if numeric else "info", (), column,
                f"Column {names[column]}: every row says {values[0]}"
                + ("; a measured value that never changes was hardly measured." if numeric else "; it tells no images apart."),
            )  # fmt: skip


def same_view(table: str, header: str) -> bool:
    """Whether two words mean the same view: lateral or frontal, and PA or AP where both say which."""

    def kinds(text: str) -> set[str]:
        words = set(re.findall(r"[A-Z]+", text.upper()))
        lateral = bool(words & {"LATERAL", "LAT", "LL", "RL", "LLAT", "RLAT"})
        return {"lateral" if lateral else "frontal", *(words & {"PA", "AP"})}

    one, other = kinds(table), kinds(header)
    return ("lateral" in one) == ("lateral" in other) and not ({"PA", "AP"} <= one ^ other)
