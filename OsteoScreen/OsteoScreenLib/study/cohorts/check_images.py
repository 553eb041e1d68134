"""What is wrong with a cohort's images: unreadable ones, headers against the table, and images that stand there more than once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from OsteoScreenLib.classifier.prediction import CLASSES
from OsteoScreenLib.errors import InputError
from OsteoScreenLib.study.cohort import CohortRow
from OsteoScreenLib.study.cohort_cells import SPLITS, Split, age_in, sex_in
from OsteoScreenLib.study.cohorts.check import same_view
from OsteoScreenLib.study.cohorts.duplicates import DuplicateGroup
from OsteoScreenLib.study.cohorts.findings import Finding, listed, row_words

_FACTS = {"sex": "sex", "age": "age", "t_score": "T-score"}
_YEARS_APART = 2.0  # between the table's age and the header's


def unreadable(refused: Mapping[int, InputError], named: str) -> tuple[Finding, ...]:
    """A finding for each image that cannot be read. refused : by row number. named : what the table calls the column."""
    return tuple(
        Finding(error.code, "error", (number,), "image", f"Row {number}, column {named}: {error}", left_out=True)
        for number, error in refused.items()
    )


def check_headers(
    rows: Sequence[CohortRow], headers: Mapping[int, Mapping[str, str]], names: Mapping[str, str]
) -> tuple[Finding, ...]:
    """Where an image's own header says otherwise than the table, and images of another body part than most.

    headers : by row number: sex, age, view and site, empty where the header says nothing.
    """
    held = [row for row in rows if row.number in headers]
    found = []
    for row in held:
        header = headers[row.number]
        for column, said in _differing(row, header):
            found.append(
                Finding(
                    "header",
                    "warning",
                    (row.number,),
                    column,
                    f"Row {row.number}, column {names[column]}: the table says {said}, the image's header {header[column]}; is it the "
                    "right image?",
                )
            )
    sites = Counter(site for row in held if (site := headers[row.number]["site"]))
    usual = min(sites, key=lambda site: (-sites[site], site), default="")
    for site in sorted(set(sites) - {usual}):
        numbers = tuple(row.number for row in held if headers[row.number]["site"] == site)
        found.append(
            Finding(
                "site",
                "warning",
                numbers,
                "image",
                f"{row_words(numbers)}, column {names['image']}: the header says {site}, that of most images {usual}; look at them.",
            )
        )
    return tuple(found)


def check_copies(
    rows: Sequence[CohortRow], groups: Sequence[DuplicateGroup], *, keep_conflicting: bool, drop: bool
) -> tuple[Finding, ...]:
    """A finding for each group of rows that show the same image, and what becomes of it.

    keep_conflicting : groups whose rows disagree about the class stay. drop : of the others only the first row stays.
    """
    by_number = {row.number: row for row in rows}
    return tuple(_of_group(group, [by_number[number] for number in group.rows], keep_conflicting, drop) for group in groups)


def check_leaks(
    rows: Sequence[CohortRow], groups: Sequence[DuplicateGroup], splits: Mapping[str, Split]
) -> tuple[Finding, ...]:
    """Images that a model would be trained on and tested on: rows of a group whose patients are in different splits."""
    found = []
    by_number = {row.number: row for row in rows}
    for group in groups:
        held = tuple(number for number in group.rows if number in by_number)
        there = {splits[by_number[number].patient] for number in held}
        if len(there) > 1:
            where = " and ".join(split for split in SPLITS if split in there)
            found.append(
                Finding(
                    "leak",
                    "error",
                    held,
                    "split",
                    f"{row_words(held)}: the same image stands in {where}, as the table's own splits want it; draw new ones with --new-split.",
                )
            )
    return tuple(found)


def _differing(row: CohortRow, header: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    if row.sex in ("F", "M") and sex_in(header["sex"]) in ("F", "M") and row.sex != sex_in(header["sex"]):
        yield "sex", row.sex
    if row.age is not None and header["age"]:
        try:
            if abs(row.age - age_in(header["age"])) > _YEARS_APART:
                yield "age", f"{row.age:g}"
        except ValueError:
            pass  # a header that cannot be read contradicts nothing
    if row.view and header["view"] and not same_view(row.view, header["view"]):
        yield "view", row.view


def _of_group(group: DuplicateGroup, rows: Sequence[CohortRow], keep_conflicting: bool, drop: bool) -> Finding:
    what = "the same pixels" if group.identical else f"copies of one image (correlation {group.correlation:.3f})"
    whose = f"patient {group.patients[0]}" if len(group.patients) == 1 else f"{len(group.patients)} patients"
    differing = [word for column, word in _FACTS.items() if len({getattr(row, column) for row in rows} - {None}) > 1]
    sentence = f"{row_words(group.rows)}: {what}, of {whose}"
    if differing:
        sentence += f" of different {listed(differing)}"
    if group.conflicting:
        classes = " and ".join(CLASSES[label] for label in sorted(set(group.labels)))
        kept = "all are kept, in one split" if keep_conflicting else "all are left out; --keep-conflicting keeps them"
        return Finding(
            "conflicting-copies",
            "error",
            group.rows,
            "label",
            f"{sentence}, called {classes}; {kept}.",
            left_out=not keep_conflicting,
        )
    if drop:
        return Finding(
            "copies", "warning", group.rows[1:], "image", f"{sentence}; only row {group.rows[0]} is kept.", left_out=True
        )
    return Finding("copies", "warning", group.rows, "image", f"{sentence}; they stay in one split.")
