"""What a check of a cohort found, as one HTML page that needs no other file."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from OsteoScreenLib import __version__
from OsteoScreenLib.classifier.prediction import CLASSES
from OsteoScreenLib.exchange.pages import template
from OsteoScreenLib.exchange.report import data_uri
from OsteoScreenLib.files import write_text
from OsteoScreenLib.study.cohort import CohortRow
from OsteoScreenLib.study.cohort_cells import SPLITS
from OsteoScreenLib.study.cohorts.cleaning import CheckedCohort
from OsteoScreenLib.study.cohorts.duplicates import DuplicateGroup
from OsteoScreenLib.study.cohorts.findings import row_words
from OsteoScreenLib.study.cohorts.summary import counts, sentences

_PICTURED = 60  # groups of copies that are shown with pictures
_SIDE = 128  # pixels of a picture's longer side on the page
_BIN = 5  # years of a bar of the histogram
_SEXES = {"F": "women", "M": "men", "O": "other", None: "not known"}


def write_cohort_page(folder: Path, checked: CheckedCohort, small: Callable[[str], np.ndarray]) -> Path:
    """Write report.html into an existing folder; its path. small : the small picture (96, 96) of a digest."""
    return write_text(folder / "report.html", cohort_page(checked, small))


def cohort_page(checked: CheckedCohort, small: Callable[[str], np.ndarray]) -> str:
    """The page as HTML text without any outside reference. It shows pictures of images that stand in the cohort twice."""
    labels = {row.number: CLASSES[row.label] for row in checked.every}
    return template("cohort.html.j2").render(
        name=checked.table.path.name,
        sentences=sentences(checked),
        findings=checked.findings,
        splits=_by_split(checked.rows),
        sexes=_by_sex(checked.rows),
        classes=CLASSES,
        histogram=_histogram(checked.rows),
        groups=[_shown(group, checked, labels, small) for group in checked.groups[:_PICTURED]],
        more_groups=max(len(checked.groups) - _PICTURED, 0),
        version=__version__,
    )


def _by_split(rows: Sequence[CohortRow]) -> list[tuple[str, int, int, list[int]]]:
    """Of each split and of all: patients, images, images of each class."""
    parts = [(split, [row for row in rows if row.split == split]) for split in SPLITS]
    return [(name, len({row.patient for row in part}), len(part), counts(part)) for name, part in (*parts, ("all", list(rows)))]


def _by_sex(rows: Sequence[CohortRow]) -> list[tuple[str, int, list[int]]]:
    sexes = sorted({row.sex for row in rows}, key=lambda sex: (sex is None, sex))
    of = {sex: [row for row in rows if row.sex == sex] for sex in sexes}
    return [(_SEXES.get(sex, sex or ""), len(of[sex]), counts(of[sex])) for sex in sexes]


def _histogram(rows: Sequence[CohortRow]) -> dict[str, Any] | None:
    """Bars of images by age, the classes stacked, in per cent of the drawing's height; None where no age is known."""
    known = [(int(row.age // _BIN), row.label) for row in rows if row.age is not None]
    if not known:
        return None
    first, last = min(known)[0], max(known)[0]
    bins = np.zeros((last - first + 1, len(CLASSES)), int)
    for place, label in known:
        bins[place - first, label] += 1
    tallest = int(bins.sum(axis=1).max())
    bars = [
        {"from": _BIN * (first + place), "counts": found.tolist(), "heights": (100 * found / tallest).tolist()}
        for place, found in enumerate(bins)
    ]
    return {"bars": bars, "tallest": tallest, "without": len(rows) - len(known)}


def _shown(
    group: DuplicateGroup, checked: CheckedCohort, labels: dict[int, str], small: Callable[[str], np.ndarray]
) -> dict[str, Any]:
    """One picture of identical images, one for each of copies, with the rows under it."""
    pictures = []
    by_digest: dict[str, list[int]] = {}
    for number in group.rows:
        by_digest.setdefault(checked.fingerprints[number].digest, []).append(number)
    for digest, numbers in by_digest.items():
        rows, columns = checked.fingerprints[numbers[0]].shape
        scale = _SIDE / max(rows, columns)
        lines = [f"row {number}: {labels[number]}" for number in numbers]
        picture = data_uri(np.round(small(digest) * 255).astype(np.uint8))
        pictures.append({"uri": picture, "width": round(columns * scale), "height": round(rows * scale), "lines": lines})
    what = "identical pixels" if group.identical else f"copies, correlation {group.correlation:.3f}"
    return {"title": f"{row_words(group.rows)}: {what}", "pictures": pictures, "conflicting": group.conflicting}
