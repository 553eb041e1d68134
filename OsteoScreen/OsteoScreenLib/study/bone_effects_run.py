"""The effects of bones over a cohort, image after image: a run that is killed goes on where it stopped.

Each image's numbers are one small file, written whole or not at all, and depend on that image and the options alone. The tables
are made from these files at the end, so they do not tell how often the run was interrupted.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from OsteoScreenLib.bones.vocabulary import SITES
from OsteoScreenLib.classifier.classifier import Classifier
from OsteoScreenLib.classifier.prediction import TARGETS, members_of
from OsteoScreenLib.errors import InputError
from OsteoScreenLib.explain.analyse import versions
from OsteoScreenLib.explain.analysis import RESEARCH_USE_ONLY, SIMULATED_TRAINING
from OsteoScreenLib.explain.saliency_methods import method_for
from OsteoScreenLib.files import write_text
from OsteoScreenLib.study.bone_effects import NO_SALIENCY, EffectOptions, Reader, at_row, measure_image
from OsteoScreenLib.study.claim import claim_folder
from OsteoScreenLib.study.cohort import CohortRow, cohort_digest

# Called with (images done, all, images that were left out).
Progress = Callable[[int, int, int], None]


def measure_cohort(
    rows: Sequence[CohortRow],
    source: Path,
    folder: Path,
    classifier: Classifier,
    reader: Reader,
    options: EffectOptions | None = None,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Measure what is missing in `folder`; what the run is, as it stands in run.json.

    An image that cannot be read, and one without bones, is left out; the reason is kept, and a further call tries again.

    Parameters
    ----------
    source : folder of the cohort's table.

    Raises
    ------
    InputError
        Wrong options; one-class when no image of the target, or no other, is in the table; run-differs when the folder holds a run
        of another cohort, model or options.
    OsteoScreenError
        The disk is full, or the model gives no finite answer.
    """
    options = options or EffectOptions()
    if options.target not in TARGETS:
        raise InputError(f"There is no target called '{options.target}'; choose one of {', '.join(TARGETS)}.", code="target")
    if options.saliency != NO_SALIENCY:
        options = replace(options, saliency=method_for(options.saliency, classifier.network).key)
    _require_both(rows, options.target)
    facts = _facts(rows, source, classifier, reader, options)
    folder.mkdir(parents=True, exist_ok=True)
    facts = claim_folder(folder, facts)
    (folder / "rows").mkdir(exist_ok=True)
    waiting = [row for row in rows if "left_out" in (kept_row(folder, row) or {"left_out": ""})]
    done, left_out = len(rows) - len(waiting), 0
    tell = progress or (lambda _done, _all, _left_out: None)
    tell(done, len(rows), left_out)
    for row in waiting:
        values = _measured(row, classifier, reader, options)
        write_text(_row_path(folder, row), json.dumps({"row": row.number, **values}, allow_nan=False) + "\n")
        done, left_out = done + 1, left_out + ("left_out" in values)
        tell(done, len(rows), left_out)
    return facts


def kept_row(folder: Path, row: CohortRow) -> dict[str, Any] | None:
    """The numbers of one image, or {"row", "left_out": sentence}; None when it has not been measured."""
    try:
        values: dict[str, Any] = json.loads(_row_path(folder, row).read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return None
    return values


def kept_rows(folder: Path, rows: Sequence[CohortRow]) -> Iterator[tuple[CohortRow, dict[str, Any]]]:
    """Every image of a finished run with its numbers, in the table's order, one at a time in memory."""
    for row in rows:
        values = kept_row(folder, row)
        if values is None:
            raise InputError(f"Row {row.number} has not been measured yet; run the command again.", code="unfinished")
        yield row, values


def _measured(row: CohortRow, classifier: Classifier, reader: Reader, options: EffectOptions) -> dict[str, Any]:
    try:
        radiograph, masks = reader.read(row)
    except InputError as error:
        return {"left_out": str(error)}
    try:
        return measure_image(radiograph, masks, classifier, options)
    except InputError as error:
        if error.code != "margin":  # what is wrong with the options is wrong for every image
            raise
        return {"left_out": str(at_row(row, "image", error))}


def _require_both(rows: Sequence[CohortRow], target: str) -> None:
    members = members_of(target)
    positives = sum(row.label in members for row in rows)
    if positives in (0, len(rows)):
        raise InputError(
            f"{'Every' if positives else 'No'} image of the table is of {target}, so there is no AUC; add images of other classes.",
            code="one-class",
        )


def _row_path(folder: Path, row: CohortRow) -> Path:
    return folder / "rows" / f"{row.number:07d}.json"


def _facts(
    rows: Sequence[CohortRow], source: Path, classifier: Classifier, reader: Reader, options: EffectOptions
) -> dict[str, Any]:
    model = classifier.model
    if model.site not in SITES:
        raise InputError(
            f"The model {model.id} is for {model.site}, whose bones are not known here; choose another.", code="site"
        )
    return {
        "research_use_only": True,
        "statements": [RESEARCH_USE_ONLY, *([SIMULATED_TRAINING] if model.simulated else [])],
        "options": asdict(options),
        "model": {
            "id": model.id,
            "title": model.title,
            "site": model.site,
            "sha256": model.bundle.sha256,
            "weights_sha256": model.bundle.weights_sha256,
        },
        "device": classifier.device.type,
        "precision": classifier.precision,
        "bones": "from the table" if reader.segmenter is None else reader.segmenter.name,
        "image_check": reader.gate is not None,
        "cohort": {"images": len(rows), "sha256": cohort_digest(rows, source)},
        "versions": versions(),
    }
