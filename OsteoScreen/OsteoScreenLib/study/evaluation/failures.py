"""The images on which the answer was most wrong, to be looked at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from OsteoScreenLib.classifier.prediction import CLASSES
from OsteoScreenLib.study.evaluation.decisions import answered
from OsteoScreenLib.study.evaluation.operating_points import OperatingPoint
from OsteoScreenLib.study.evaluation.predictions import Predictions
from OsteoScreenLib.study.evaluation.questions import score_of, truth_of

Kind = Literal["missed", "false alarm"]


@dataclass(frozen=True)
class Failure:
    """kind : a false negative or a false positive. place : in the test predictions. probability : of osteoporosis."""

    kind: Kind
    place: int
    image: str
    patient: str
    label: str
    probability: float
    t_score: float | None
    age: float | None
    sex: str
    device: str
    view: str


def worst_failures(predictions: Predictions, point: OperatingPoint, most: int) -> tuple[Failure, ...]:
    """At the operating point: the missed ones of least probability, then the false alarms of greatest; at most `most` of each.

    One image a patient, so that a single patient does not fill the list.
    """
    scores, truth, yes = (
        score_of(predictions, point.question),
        truth_of(predictions, point.question),
        answered(predictions, point),
    )
    found: list[Failure] = []
    for kind, wrong, order in (("missed", truth & ~yes, scores), ("false alarm", ~truth & yes, -scores)):
        seen: set[str] = set()
        for place in np.argsort(order, kind="stable"):
            patient = str(predictions.patient[place])
            if wrong[place] and patient not in seen and len(seen) < most:
                seen.add(patient)
                found.append(_failure(predictions, int(place), kind, float(scores[place])))  # type: ignore[arg-type]
    return tuple(found)


def _failure(predictions: Predictions, place: int, kind: Kind, probability: float) -> Failure:
    def known(value: float) -> float | None:
        return float(value) if np.isfinite(value) else None

    return Failure(
        kind, place, str(predictions.image[place]), str(predictions.patient[place]), CLASSES[predictions.label[place]], probability,
        known(predictions.t_score[place]), known(predictions.age[place]), str(predictions.sex[place]),
        str(predictions.device[place]), str(predictions.view[place]),
    )  # fmt: skip
