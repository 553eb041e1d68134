"""`osteoscreen review create`: from folders, tables and files to a study, and what is said about it."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from OsteoScreenLib import __version__
from OsteoScreenLib.commands.bars import Shown, silent
from OsteoScreenLib.commands.cohort import columns_of
from OsteoScreenLib.commands.failures import DONE, WRONG_INPUT

if TYPE_CHECKING:
    from OsteoScreenLib.review.nouns import Protocol
    from OsteoScreenLib.review.study import ReviewStudy

_PRINTED = 40  # sentences on the screen; the JSON has all


def run(
    sources: Sequence[Path], folder: Path, protocol: Protocol, *, columns: str, copy: bool, truth_apart: bool, as_json: bool
) -> int:
    """Make the study and say what is in it. Returns the exit code: 2 when a file was left out that was asked for.

    Raises `OsteoScreenError` in one sentence for what is wrong with sources, protocol or disk.
    """
    from OsteoScreenLib.review.creating import check_free, create_study
    from OsteoScreenLib.review.sources import read_sources

    check_free(folder)
    names = columns_of(columns)
    with Shown(not as_json) as bars:
        tell = bars or silent
        found = read_sources(sources, names, partial(tell, "Looking at files"))
        left_out = list(found.left_out)
        doing = "Copying" if copy else "Writing"
        study = create_study(
            folder, protocol, found.cases, copy, partial(tell, doing), left_out.append, truth_apart=truth_apart
        )
        lettered = _with_text(study, partial(tell, "Looking for text")) if copy else []
    code = WRONG_INPUT if left_out else DONE
    if as_json:
        print(
            json.dumps(
                {
                    "osteoscreen": __version__,
                    "study": str(study.folder),
                    "cases": len(study.cases),
                    "patients": _patients(study),
                    "truth": dict(Counter(case.truth for case in study.cases if case.truth)),
                    "copied": copy,
                    "text_found": lettered,
                    "left_out": left_out,
                },
                indent=2,
            )
        )
        return code
    _print_study(study, left_out, copy, lettered)
    return code


def _with_text(study: ReviewStudy, tell: Callable[[int, int], None]) -> list[str]:
    """The cases whose copy shows what looks like text."""
    from OsteoScreenLib.exchange.privacy.burned_in import find_text
    from OsteoScreenLib.radiograph.read import read_radiograph

    found = []
    for number, case in enumerate(study.cases):
        tell(number, len(study.cases))
        if find_text(read_radiograph(study.image_path(case)).pixels):
            found.append(case.id)
    return found


def _print_study(study: ReviewStudy, left_out: Sequence[str], copy: bool, lettered: Sequence[str]) -> None:
    for sentence in left_out[:_PRINTED]:
        print(f"Left out: {sentence}", file=sys.stderr)
    if len(left_out) > _PRINTED:
        print(f"… and {len(left_out) - _PRINTED} more", file=sys.stderr)
    known = sum(case.truth is not None for case in study.cases)
    patients = _patients(study)
    of = f" of {patients} patient{'s' if patients != 1 else ''}" if patients else ""
    print(f"{len(study.cases)} case{'s' if len(study.cases) != 1 else ''}{of}, the truth known of {known}: {study.folder}")
    if copy:
        print(
            "The copies hold no header of the originals, but text that is burned into a picture stays: look through 'images'."
        )
        if lettered:
            more = f" and {len(lettered) - _PRINTED} more" if len(lettered) > _PRINTED else ""
            print(f"What looks like text was found in {len(lettered)} of them: {', '.join(lettered[:_PRINTED])}{more}.")
    else:
        print(
            "The images stay where they are; only this computer knows where (private/sources.csv, which is not to be passed on)."
        )
    print(f"The model's results, where they are wanted: osteoscreen review analyse {study.folder}")


def _patients(study: ReviewStudy) -> int:
    return len({case.group for case in study.cases if case.group})
