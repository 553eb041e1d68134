"""An evaluation as files for programs: evaluation.json with everything, evaluation.csv with one figure a line."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from OsteoScreenLib.files import write_text
from OsteoScreenLib.study.classifier_figures import Interval
from OsteoScreenLib.study.evaluation.calibration import BINS
from OsteoScreenLib.study.evaluation.decisions import MEASURES
from OsteoScreenLib.study.evaluation.delong import Difference
from OsteoScreenLib.study.evaluation.discrimination import Auc
from OsteoScreenLib.study.evaluation.evaluate import Evaluation
from OsteoScreenLib.study.evaluation.level import LevelFigures
from OsteoScreenLib.study.evaluation.proportions import Proportion
from OsteoScreenLib.study.evaluation.questions import OSTEOPOROSIS

SCHEMA = "urn:osteoscreen:schema:evaluation:1"
COLUMNS = (
    "unit", "group", "question", "operating_point", "measure", "value", "low", "high", "interval", "count", "of", "threshold", "p",
)  # fmt: skip
RULES = {
    "interval": "95 %",
    "delong": "DeLong 1988 on the logit scale, images independent",
    "clustered": "DeLong 1988 by patients (Obuchowski 1997) on the logit scale",
    "bootstrap": "middle 95 % of draws of patients with replacement",
    "wilson": "Wilson 1927, images independent",
    "ece_bins": BINS,
}


def write_tables(folder: Path, evaluation: Evaluation, facts: dict[str, Any]) -> dict[str, Path]:
    """Write both into an existing folder; what was written, by "json" and "csv". facts : model, data and versions."""
    return {
        "json": write_text(folder / "evaluation.json", as_json(evaluation, facts)),
        "csv": write_text(folder / "evaluation.csv", as_csv(evaluation)),
    }


def as_json(evaluation: Evaluation, facts: dict[str, Any]) -> str:
    """Everything; null where a number is not defined. Its JSON Schema is Resources/Schemas/evaluation.schema.json."""
    values = {"schema": SCHEMA, "research_use_only": True, "rules": RULES, **facts, **asdict(evaluation)}
    return json.dumps(_finite(values), indent=2, allow_nan=False, ensure_ascii=False) + "\n"


def as_csv(evaluation: Evaluation) -> str:
    """One figure a line; cells stay empty where a column does not apply."""
    table = io.StringIO()
    writer = csv.DictWriter(table, COLUMNS, lineterminator="\n", restval="")
    writer.writeheader()
    writer.writerows(_lines(evaluation))
    return table.getvalue()


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _lines(evaluation: Evaluation) -> Iterator[dict[str, Any]]:
    for figures in (evaluation.per_image, evaluation.per_patient):
        yield from _level(figures)
    held: dict[str, Any]
    for part in evaluation.subgroups:
        held = {"unit": "image", "group": f"{part.by}: {part.name}", "question": OSTEOPOROSIS}
        yield held | {"measure": "images", "value": part.images, "count": part.positives, "of": part.images}
        if part.auc is not None:
            yield from _auc(part.auc, held)
        for name in ("sensitivity", "specificity"):
            yield from _proportion(name, getattr(part, name), held | {"operating_point": evaluation.primary})
    for base in evaluation.baselines:
        held = {"unit": "image", "group": f"with age known (n = {base.images})"}
        yield from _auc(base.age_and_sex, held, f"AUC of {base.uses}")
        yield from _auc(base.model, held, "AUC of the model")
        for kind, one in (("DeLong by patients", base.difference), ("DeLong", base.independent)):
            yield held | {"question": base.question, "measure": f"AUC model - {base.uses}"} | _difference(one, kind)
    if evaluation.drift is not None:
        yield from _drift(evaluation)
    if evaluation.agreement is not None:
        held = {"unit": "image", "question": "T-score", "of": evaluation.agreement.images}
        for name in ("mae", "bias", "lower", "upper", "pearson", "icc", "slope"):
            yield from _interval(name, getattr(evaluation.agreement, name), "bootstrap by patients", held)


def _level(figures: LevelFigures) -> Iterator[dict[str, Any]]:
    unit: dict[str, Any] = {"unit": figures.unit, "group": "all"}
    for name, count in figures.classes.items():
        yield unit | {"question": name, "measure": f"{figures.unit}s", "value": count, "count": count, "of": figures.count}
    for auc in figures.aucs:
        yield from _auc(auc, unit)
    for one in figures.decisions:
        held = unit | {"question": one.point.question, "operating_point": one.point.name, "threshold": one.point.threshold}
        for name in MEASURES:
            yield from _proportion(name, getattr(one, name), held)
        if one.at_prevalence is not None:
            for name in ("ppv", "npv"):
                measure = f"{name} at prevalence {one.at_prevalence.prevalence:g}"
                yield from _interval(measure, getattr(one.at_prevalence, name), "logit (Mercaldo 2007)", held)
    held = unit | {"question": "three classes", "operating_point": figures.ordinal.points}
    yield from _proportion("accuracy", figures.ordinal.accuracy, held)
    yield from _interval("quadratic kappa", figures.ordinal.kappa, "bootstrap by patients", held)
    held, calibration = unit | {"question": OSTEOPOROSIS}, figures.calibration
    for name in ("brier", "observed_minus_predicted"):
        yield from _interval(name, getattr(calibration, name), "bootstrap by patients", held)
    yield from _interval("log_loss", calibration.log_loss, "bootstrap by patients", unit | {"question": "three classes"})
    for name in ("slope", "intercept"):
        yield from _interval(f"calibration {name}", getattr(calibration, name), "Wald by patients", held)
    for name in ("brier_prevalence", "ece", "ece_equal_width"):
        yield held | {"measure": name, "value": getattr(calibration, name)}


def _drift(evaluation: Evaluation) -> Iterator[dict[str, Any]]:
    assert evaluation.drift is not None
    held = {"unit": "patient", "group": "against the development cohort"}
    for question, gap in evaluation.drift.auc.items():
        yield held | {"question": question, "measure": "AUC here - development"} | _difference(gap, "DeLong, unpaired")
    for share in (*evaluation.drift.labels, *evaluation.drift.sexes):
        yield held | {"question": share.name, "measure": "share here - development", "value": share.difference}
    for shift in evaluation.drift.shifts:
        among = held | {"question": shift.name, "group": f"against the development cohort, {shift.among}"}
        if shift.psi is not None:
            yield among | {"measure": "population stability index", "value": shift.psi}
            yield among | {"measure": "Kolmogorov-Smirnov", "value": shift.ks, "p": shift.p}


def _auc(auc: Auc, held: dict[str, Any], measure: str = "AUC") -> Iterator[dict[str, Any]]:
    counted = {} if auc.positives is None else {"count": auc.positives, "of": (auc.positives or 0) + (auc.negatives or 0)}
    made = {"DeLong": auc.delong, "DeLong by patients": auc.clustered, "bootstrap by patients": auc.bootstrap}
    known = {kind: one for kind, one in made.items() if one is not None}
    for kind, one in known.items():
        yield from _interval(measure, one, kind, held | {"question": auc.question} | counted)
    if not known:
        yield held | {"question": auc.question, "measure": measure, "value": auc.value} | counted


def _proportion(measure: str, one: Proportion | None, held: dict[str, Any]) -> Iterator[dict[str, Any]]:
    if one is not None:
        counted = held | {"count": one.count, "of": one.of}
        yield from _interval(measure, one.wilson, "Wilson", counted)
        yield from _interval(measure, one.clustered, "bootstrap by patients", counted)


def _interval(measure: str, one: Interval | None, kind: str, held: dict[str, Any]) -> Iterator[dict[str, Any]]:
    if one is not None:
        yield held | {"measure": measure, "value": one.value, "low": one.low, "high": one.high, "interval": kind}


def _difference(one: Difference, kind: str) -> dict[str, Any]:
    value = one.value
    return {"value": value.value, "low": value.low, "high": value.high, "interval": kind, "p": one.p}
