"""How often readers and the model are right about the protocol's target, by the reference."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from OsteoScreenLib.review.agreement.estimate import Share, share
from OsteoScreenLib.review.agreement.pairs import MODEL, model_decisions
from OsteoScreenLib.review.agreement.readings import Readings
from OsteoScreenLib.review.nouns import Phase


@dataclass(frozen=True)
class Accuracy:
    """Of one reader in one phase, or of the model (phase None).

    sensitivity : share of the cases with the target that were called so. specificity : share of the others that were not. right :
    share of cases whose class, of three, is that of the reference. None where there is none to count.
    """

    who: str
    phase: Phase | None
    aided: str
    sensitivity: Share | None
    specificity: Share | None
    right: Share


def accuracies(readings: Readings) -> tuple[Accuracy, ...]:
    """Of every reader in every phase, then of the model, over the cases whose reference is known."""
    judged: list[tuple[str, Phase | None, Mapping[str, int]]] = [
        (reader, phase, readings.decisions(reader, phase)) for phase in readings.phases for reader in readings.readers
    ]
    judged.append((MODEL, None, model_decisions(readings)))
    return tuple(one for one in (_accuracy(readings, *row) for row in judged) if one is not None)


def _accuracy(readings: Readings, who: str, phase: Phase | None, decisions: Mapping[str, int]) -> Accuracy | None:
    cases = [case for case in decisions if case in readings.truth]
    named, true = (np.array([held[case] for case in cases], int) for held in (decisions, readings.truth))
    patients = readings.patients(cases)
    right = share(named == true, patients)
    if right is None:
        return None
    called, has = readings.positive(named), readings.positive(true)
    return Accuracy(
        who=who,
        phase=phase,
        aided=readings.aided(phase) if phase else "",
        sensitivity=share(called[has], patients[has]),
        specificity=share(~called[~has], patients[~has]),
        right=right,
    )
