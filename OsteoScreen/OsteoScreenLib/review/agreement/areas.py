"""How well confidences put the cases in order: areas under ROC curves, of each reader and phase and of the model.

Variance by DeLong, DeLong and Clarke-Pearson (1988, doi 10.2307/2531595); where a patient has several images the structural
components are added up by patient first (after Obuchowski 1997, doi 10.2307/2533958).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from OsteoScreenLib.classifier.prediction import target_probability
from OsteoScreenLib.review.agreement.estimate import Estimate, estimate, standard_error
from OsteoScreenLib.review.agreement.pairs import MODEL
from OsteoScreenLib.review.agreement.readings import Readings
from OsteoScreenLib.review.nouns import Phase
from OsteoScreenLib.roc import logit_bounds, structural_components

_MOST_POINTS = 400  # of a curve that is kept


@dataclass(frozen=True)
class Area:
    """One ROC curve of the protocol's target against the rest.

    who : a reader's code or `MODEL`. auc : with DeLong's interval on the logit scale; without where the area is 0 or 1, or where
    there is but one positive or negative. false_positive_rate, true_positive_rate : the curve's corners from (0, 0) to (1, 1).
    """

    who: str
    phase: Phase | None
    aided: str
    positives: int
    negatives: int
    auc: Estimate
    false_positive_rate: tuple[float, ...]
    true_positive_rate: tuple[float, ...]


@dataclass(frozen=True)
class Gain:
    """One reader's AUC with the model less without, on the cases that were read both ways (paired: DeLong 1988)."""

    who: str
    images: int
    gain: Estimate


def areas(readings: Readings) -> tuple[Area, ...]:
    """Of every reader in every phase by the confidence, and of the model by its probability, where the reference has both answers."""
    scored: list[tuple[str, Phase | None, Mapping[str, float]]] = [
        (reader, phase, _confidences(readings, reader, phase)) for phase in readings.phases for reader in readings.readers
    ]
    told = {case: facts.probabilities for case, facts in sorted(readings.model.items()) if len(facts.probabilities) == 3}
    target = readings.protocol.target
    scored.append((MODEL, None, {case: float(target_probability(np.array(values), target)) for case, values in told.items()}))
    return tuple(one for one in (_area(readings, *row) for row in scored) if one is not None)


def gains(readings: Readings) -> tuple[Gain, ...]:
    """Of every reader with second reads."""
    found = []
    for reader in readings.readers:
        first, second = (_confidences(readings, reader, phase) for phase in ("first", "second"))
        cases = [case for case in first if case in second and case in readings.truth]
        positive = readings.positive(readings.truth[case] for case in cases)
        if positive.any() and not positive.all():
            scores = [np.array([held[case] for case in cases]) for held in (first, second)]
            (area, moved), (later, also_moved) = (influence_on_auc(one, positive) for one in scores)
            patients = readings.patients(cases)
            found.append(Gain(reader, len(cases), estimate(later - area, also_moved - moved, patients)))
    return tuple(found)


def influence_on_auc(scores: np.ndarray, positive: np.ndarray) -> tuple[float, np.ndarray]:
    """The area, ties counting half (Mann and Whitney 1947), and each image's influence on it (n,).

    scores : (n,), higher for positives. positive : bool (n,), with both answers. The influences are scaled so that their squares
    give DeLong's variance, which divides by one less than the number of positives and of negatives; NaN with only one of either.
    """
    of_positives, of_negatives = (rows[0] for rows in structural_components(scores[np.newaxis], positive))
    m, n = len(of_positives), len(of_negatives)
    area = float(of_positives.mean())
    influence = np.empty(m + n)
    with np.errstate(divide="ignore", invalid="ignore"):
        influence[positive] = (of_positives - area) / m * np.sqrt(np.float64(m) / (m - 1))
        influence[~positive] = (of_negatives - area) / n * np.sqrt(np.float64(n) / (n - 1))
    return area, influence * (m + n)


def logit_interval(area: float, error: float) -> Estimate:
    """An area with the 95 % interval made on log(A / (1 - A)), so that it stays between 0 and 1 (Pepe 2003, section 5.2)."""
    if not 0 < area < 1 or not np.isfinite(error) or error <= 1e-12:
        return Estimate(area)
    return Estimate(area, logit_bounds(area, error))


def _confidences(readings: Readings, reader: str, phase: Phase) -> dict[str, float]:
    return {case: float(read.opinion.confidence) for case, read in readings.of(reader, phase).items()}


def _area(readings: Readings, who: str, phase: Phase | None, scored: Mapping[str, float]) -> Area | None:
    from sklearn.metrics import roc_curve

    cases = [case for case in scored if case in readings.truth]
    positive = readings.positive(readings.truth[case] for case in cases)
    if not positive.any() or positive.all():
        return None
    scores = np.array([scored[case] for case in cases])
    area, influence = influence_on_auc(scores, positive)
    error = standard_error(influence, readings.patients(cases))
    false_rate, true_rate, _ = roc_curve(positive, scores)
    if len(false_rate) > _MOST_POINTS:
        kept = np.unique(np.linspace(0, len(false_rate) - 1, _MOST_POINTS).round().astype(int))
        false_rate, true_rate = false_rate[kept], true_rate[kept]
    return Area(
        who=who,
        phase=phase,
        aided=readings.aided(phase) if phase else "",
        positives=int(positive.sum()),
        negatives=int((~positive).sum()),
        auc=logit_interval(area, error),
        false_positive_rate=tuple(map(float, false_rate)),
        true_positive_rate=tuple(map(float, true_rate)),
    )
