"""The same questions asked of parts of the cohort: by age, sex, device and view. Small parts are counted, not measured."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from OsteoScreenLib.study.evaluation.decisions import answered
from OsteoScreenLib.study.evaluation.discrimination import Auc, auc_of
from OsteoScreenLib.study.evaluation.operating_points import OperatingPoint
from OsteoScreenLib.study.evaluation.predictions import Predictions
from OsteoScreenLib.study.evaluation.proportions import Proportion, proportion
from OsteoScreenLib.study.evaluation.questions import score_of, truth_of

AGE_BANDS = ((0, 50), (50, 60), (60, 70), (70, 80), (80, 200))
UNKNOWN = "unknown"


@dataclass(frozen=True)
class Subgroup:
    """Part of the test images. by : "age", "sex", "device" or "view". name : which.

    positives, negatives : images of osteoporosis and others. auc (without draws), sensitivity, specificity : None where fewer than the least count
    of positives or negatives are there to measure them on.
    """

    by: str
    name: str
    images: int
    patients: int
    positives: int
    negatives: int
    auc: Auc | None
    sensitivity: Proportion | None
    specificity: Proportion | None


def subgroups_of(predictions: Predictions, point: OperatingPoint, least: int) -> tuple[Subgroup, ...]:
    """Every part that the predictions tell apart.

    point : of osteoporosis, the same for all parts. least : positives (and negatives) below which no figure is given.
    """
    return tuple(_subgroup(predictions, by, name, chosen, point, least) for by, name, chosen in _parts(predictions))


def age_band(low: int, high: int) -> str:
    """For example "60-69"."""
    return f"under {high}" if low == 0 else f"{low} and over" if high >= 200 else f"{low}-{high - 1}"


def _parts(predictions: Predictions) -> Iterator[tuple[str, str, np.ndarray]]:
    age = predictions.age
    if np.isfinite(age).any():
        bands = [("age", age_band(low, high), (age >= low) & (age < high)) for low, high in AGE_BANDS]
        yield from ((by, name, chosen) for by, name, chosen in [*bands, ("age", UNKNOWN, ~np.isfinite(age))] if chosen.any())
    for by in ("sex", "device", "view"):
        values = getattr(predictions, by)
        named = [name for name in np.unique(values) if name]
        if named:
            yield from ((by, str(name), values == name) for name in named)
            if (values == "").any():
                yield by, UNKNOWN, values == ""


def _subgroup(predictions: Predictions, by: str, name: str, chosen: np.ndarray, point: OperatingPoint, least: int) -> Subgroup:
    part = predictions.take(chosen)
    truth, yes = truth_of(part, point.question), answered(part, point)
    positives, negatives = int(truth.sum()), int((~truth).sum())
    auc = None
    if min(positives, negatives) >= max(least, 1):
        auc = auc_of(score_of(part, point.question), truth, part.patient, point.question)
    return Subgroup(
        by, name, len(part), part.patients, positives, negatives, auc,
        proportion(int((truth & yes).sum()), positives) if positives >= least else None,
        proportion(int((~truth & ~yes).sum()), negatives) if negatives >= least else None,
    )  # fmt: skip
