"""All figures of one split, counted by images or by patients, with intervals from the same draws of patients."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from OsteoScreenLib.classifier.prediction import CLASSES
from OsteoScreenLib.study.evaluation.calibration import Calibration, calibration_of, image_scores
from OsteoScreenLib.study.evaluation.decisions import MEASURES, Decisions, decisions_at, hits
from OsteoScreenLib.study.evaluation.discrimination import MACRO, Auc, RocCurve, auc_of, macro_of, roc_curves
from OsteoScreenLib.study.evaluation.net_benefit import DecisionCurve, NetBenefit
from OsteoScreenLib.study.evaluation.operating_points import OperatingPoint
from OsteoScreenLib.study.evaluation.ordinal import Ordinal, cells, decided_classes, ordinal_figures, quadratic_kappa
from OsteoScreenLib.study.evaluation.predictions import Predictions
from OsteoScreenLib.study.evaluation.questions import OSTEOPOROSIS, QUESTIONS, score_of, truth_of
from OsteoScreenLib.study.patient_bootstrap import MeanOfDefined, RankedScores, interval_of, patient_draws

Unit = Literal["image", "patient"]


@dataclass(frozen=True)
class LevelFigures:
    """unit : what is counted. count : of them. patients : whose they are. classes : name → how many.

    aucs : in the order of `QUESTIONS`, those that are defined, then the macro mean. decisions : at every operating point.
    """

    unit: Unit
    count: int
    patients: int
    classes: dict[str, int]
    aucs: tuple[Auc, ...]
    decisions: tuple[Decisions, ...]
    ordinal: Ordinal
    calibration: Calibration
    decision_curve: DecisionCurve
    roc: tuple[RocCurve, ...]

    def auc(self, question: str = OSTEOPOROSIS) -> Auc | None:
        """The area of a question, or None where it is not defined."""
        return next((one for one in self.aucs if one.question == question), None)

    def at(self, question: str, point: str) -> Decisions | None:
        """The decisions at the operating point of that name."""
        return next((one for one in self.decisions if (one.point.question, one.point.name) == (question, point)), None)


def level_figures(
    predictions: Predictions,
    points: Sequence[OperatingPoint],
    primary: str,
    *,
    unit: Unit,
    prevalence: float | None,
    draws: int,
    seed: int,
) -> LevelFigures:
    """points : thresholds that were fixed elsewhere. primary : the name of those that decide the three classes."""
    thresholds = {point.question: point.threshold for point in points if point.name == primary}
    drawn = _drawn(predictions, points, thresholds, draws, seed)
    held = {name: interval_of(values) for name, values in drawn.items() if values.ndim == 1}

    def decided(place: int, point: OperatingPoint) -> Decisions:
        return decisions_at(predictions, point, prevalence, {name: held[f"{name} {place}"] for name in MEASURES})

    aucs = [
        auc_of(score_of(predictions, one), truth_of(predictions, one), predictions.patient, one, held[one]) for one in QUESTIONS
    ]
    macro = held[MACRO]
    if macro is not None:
        aucs.append(Auc(MACRO, macro.value, None, None, bootstrap=macro))
    return LevelFigures(
        unit=unit,
        count=len(predictions),
        patients=predictions.patients,
        classes={name: int((predictions.label == place).sum()) for place, name in enumerate(CLASSES)},
        aucs=tuple(one for one in aucs if one is not None),
        decisions=tuple(decided(place, point) for place, point in enumerate(points)),
        ordinal=ordinal_figures(predictions, primary, thresholds, held["accuracy"], held["kappa"]),
        calibration=calibration_of(
            predictions.osteoporosis,
            truth_of(predictions, OSTEOPOROSIS),
            predictions.patient,
            {name: held[name] for name in ("brier", "log_loss", "observed_minus_predicted")},
        ),
        decision_curve=_net_benefit(predictions).curve(drawn["net benefit"][:, 1:]),
        roc=roc_curves(predictions),
    )


def _drawn(
    predictions: Predictions, points: Sequence[OperatingPoint], thresholds: dict[str, float], draws: int, seed: int
) -> dict[str, np.ndarray]:
    """Measure → (1 + draws,): of the images as they are, then of each draw; "net benefit" has a row for each threshold."""
    ranked = {one: RankedScores(score_of(predictions, one), truth_of(predictions, one)) for one in QUESTIONS}
    decided = decided_classes(predictions, thresholds)
    confusion = cells(predictions.label, decided)
    benefit = _net_benefit(predictions)
    means = {
        **image_scores(predictions.probabilities, predictions.label),
        "accuracy": (decided == predictions.label).astype(np.float64),
        **{
            f"{name} {place}": row
            for place, point in enumerate(points)
            for name, row in zip(MEASURES, hits(predictions, point), strict=True)
        },
    }
    mean = MeanOfDefined(np.stack(list(means.values())))

    def measures(counts: np.ndarray) -> dict[str, np.ndarray]:
        aucs = {one: scores.auc(counts) for one, scores in ranked.items()}
        return {
            **aucs,
            MACRO: macro_of(aucs),
            **dict(zip(means, mean.mean(counts), strict=True)),
            "kappa": quadratic_kappa(confusion @ counts),
            "net benefit": benefit.of(counts),
        }

    parts = [measures(np.ones((len(predictions), 1)))]
    parts += [measures(counts) for counts in patient_draws([str(one) for one in predictions.patient], draws, seed)]
    return {name: np.concatenate([part[name] for part in parts], axis=-1) for name in parts[0]}


def _net_benefit(predictions: Predictions) -> NetBenefit:
    return NetBenefit(predictions.osteoporosis, truth_of(predictions, OSTEOPOROSIS))
