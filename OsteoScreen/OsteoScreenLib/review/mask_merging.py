"""Corrected masks of another computer's copy of a study, taken into this one: versions are added, never replaced."""

from __future__ import annotations

import shutil
from functools import partial
from pathlib import Path

from OsteoScreenLib.files import write_atomically
from OsteoScreenLib.review.mask_versions import MaskVersions
from OsteoScreenLib.review.study import ReviewStudy


def copy_masks(source: Path, study: ReviewStudy) -> tuple[str, ...]:
    """Copy the versions that this study does not have yet; a sentence when there were any.

    source : the folder of another copy of the study; a single store holds no masks. Versions of cases that are not this study's are
    passed over. Raises `OsteoScreenError` when this study cannot be written.
    """
    taken = 0
    for case in study.cases if (source / "masks").is_dir() else ():
        theirs, ours = source / "masks" / case.id, study.masks(case.id)
        for version in MaskVersions(theirs, "none").all():
            facts = f"{version.name}.json"
            if (ours / facts).exists() or not (theirs / f"{version.name}.seg.nrrd").is_file():
                continue
            ours.mkdir(parents=True, exist_ok=True)
            for name in (f"{version.name}.seg.nrrd", facts):  # the masks before the file that makes them a version
                write_atomically(ours / name, partial(_copy, theirs / name))
            taken += 1
    return (f"{source.name}: {taken} corrected mask sets were taken.",) if taken else ()


def _copy(source: Path, target: Path) -> None:
    shutil.copyfile(source, target)
