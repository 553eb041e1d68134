"""The text format of iMRMC, the program for reader studies of many readers and many cases (https://github.com/DIDSR/iMRMC).

Free text with four counts comes first ("NR: " readers, "N0: " and "N1: " cases without and with the condition, "NM: " modalities),
then a line "BEGIN DATA:", then one line a score: reader, case, modality, score, with commas and without blanks. The truth of each
case stands once, as score 0 or 1 of a reader "-1".
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from pathlib import Path

from OsteoScreenLib.errors import InputError
from OsteoScreenLib.files import write_text
from OsteoScreenLib.review.agreement.ratings import Ratings

BEGIN = "BEGIN DATA:"
_TRUTH = "-1"
_COUNTS = {"NR": "readers", "N0": "cases without the condition", "N1": "cases with it", "NM": "modalities"}


def write_imrmc(path: Path, ratings: Ratings, title: str = "") -> Path:
    """Write `path` atomically; its folder must exist.

    Raises `InputError` (one-class) unless there are cases with and without the condition, since there is no AUC then.
    """
    negative, positive = ratings.cases(False), ratings.cases(True)
    if not negative or not positive:
        missing = "with" if negative else "without"
        raise InputError(
            f"No case {missing} the condition was read whose reference is known, so there is no iMRMC file to write.",
            code="one-class",
        )
    sizes = zip(_COUNTS, (len(ratings.readers), len(negative), len(positive), len(ratings.modalities)), strict=True)
    # A colon in the title could read like one of the counts.
    lines = [
        " ".join(f"Reader study {title}".replace(":", " ").split()),
        "",
        *(f"{name}: {size}" for name, size in sizes),
        "",
        BEGIN,
    ]
    lines += [f"{_TRUTH},{case},0,{int(truth)}" for truth, cases in ((False, negative), (True, positive)) for case in cases]
    lines += [f"{reader},{case},{modality},{score:g}" for (reader, case, modality), score in sorted(ratings.scores.items())]
    return write_text(path, "\n".join(lines) + "\n")


def read_imrmc(path: Path) -> Ratings:
    """What such a file holds, from any program. Cases that nobody scored are left out.

    Raises `InputError` (imrmc), naming the line, where it does not keep to the format or to the counts that it states.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path.name} cannot be read as text; choose an .imrmc file.", code="imrmc") from error
    start = next((place for place, line in enumerate(lines) if line.strip().upper() == BEGIN), None)
    if start is None:
        raise InputError(f"{path.name} has no line '{BEGIN}'; choose an .imrmc file.", code="imrmc")
    truth: dict[str, bool] = {}
    scores: dict[tuple[str, str, str], float] = {}
    for number, (reader, case, modality, score) in _rows(path, lines, start + 1):
        key = (reader, case, modality)
        if key in scores or (reader == _TRUTH and case in truth):
            raise _wrong(path, number, f"scores {case} a second time for the same reader and modality")
        if reader != _TRUTH:
            scores[key] = score
        elif score in (0, 1):
            truth[case] = bool(score)
        else:
            raise _wrong(path, number, "has a truth that is neither 0 nor 1")
    without = sorted({case for _, case, _ in scores} - truth.keys())
    if without:
        raise InputError(
            f"{path.name} has scores of {without[0]} but not its truth; add a line '{_TRUTH},{without[0]},0,0' or 1.",
            code="imrmc",
        )
    _check_counts(path, lines[:start], Ratings(truth, scores))
    scored = {case for _, case, _ in scores}
    return Ratings({case: value for case, value in truth.items() if case in scored}, scores)


def _rows(path: Path, lines: list[str], start: int) -> Iterator[tuple[int, tuple[str, str, str, float]]]:
    """Number of the line (from 1) and its four fields; blanks are dropped as iMRMC drops them."""
    for number, line in enumerate(lines[start:], start + 1):
        if not line.strip():
            continue
        fields = ["".join(field.split()) for field in line.split(",")]
        if len(fields) != 4 or not all(fields):
            raise _wrong(path, number, "does not have four fields with commas between")
        try:
            score = float(fields[3])
        except ValueError:
            score = math.nan
        if not math.isfinite(score):
            raise _wrong(path, number, f"has the score '{fields[3]}', which is no number")
        yield number, (fields[0], fields[1], fields[2], score)


def _check_counts(path: Path, head: list[str], ratings: Ratings) -> None:
    """Counts that are stated must be those of the rows."""
    found = dict(
        zip(
            _COUNTS,
            (len(ratings.readers), len(ratings.cases(False)), len(ratings.cases(True)), len(ratings.modalities)),
            strict=True,
        )
    )
    for line in head:
        stated = re.fullmatch(r"\s*(NR|N0|N1|NM):\s*(\S*)\s*", line, re.IGNORECASE)
        if stated and stated[2] != str(found[stated[1].upper()]):
            name = stated[1].upper()
            raise InputError(
                f"{path.name} states {stated[2]} {_COUNTS[name]} but holds {found[name]}; part of it is missing.", code="imrmc"
            )


def _wrong(path: Path, number: int, what: str) -> InputError:
    return InputError(f"Line {number} of {path.name} {what}; correct it or export again.", code="imrmc")
