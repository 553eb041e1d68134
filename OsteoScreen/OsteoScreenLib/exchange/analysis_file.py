"""A written result, `analysis.json` or a structured report, → `PriorResult`; recognised by content, not by name."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from OsteoScreenLib.classifier.domain import Domain
from OsteoScreenLib.classifier.prediction import CLASSES, OperatingPoints, PointPerformance, Prediction
from OsteoScreenLib.errors import InputError
from OsteoScreenLib.exchange.prior_result import AboutImage, PriorResult
from OsteoScreenLib.explain.analysis import BoneEffect, Covering, ModelFacts
from OsteoScreenLib.explain.analysis_json import SCHEMA
from OsteoScreenLib.explain.verdict import Verdict
from OsteoScreenLib.radiograph.limits import printable
from OsteoScreenLib.radiograph.radiograph import Note

_LARGEST = 64 * 1024 * 1024


def read_result(path: Path) -> PriorResult:
    """What an `analysis.json` or a structured report of OsteoScreen tells.

    Raises
    ------
    InputError
        One sentence (code "report"): neither of them, one of another program, or a damaged one.
    """
    from OsteoScreenLib.radiograph.read import bytes_of
    from OsteoScreenLib.radiograph.sniff import kind_of

    data = bytes_of(path)
    if kind_of(data) == "dicom":
        from OsteoScreenLib.exchange.dicom.read_report import read_report

        return read_report(path)
    name = printable(path.name)
    try:
        if len(data) > _LARGEST:
            raise ValueError
        table = json.loads(data.decode("utf-8-sig"))
        if not isinstance(table, dict) or table.get("schema") != SCHEMA:
            raise ValueError
    except (ValueError, RecursionError):
        raise InputError(
            f"{name} is no result of OsteoScreen; name the analysis.json or the sr.dcm of an analysis.", "report"
        ) from None
    try:
        return result_from_table(table)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise InputError(f"{name} is a damaged analysis.json; analyse the radiograph again.", "report") from error


def result_from_table(table: Mapping[str, Any]) -> PriorResult:
    """The result in a table of `analysis_json.to_table`, as it is after a way through JSON. Raises what a wrong table leads to."""
    image, model, how = table["radiograph"], table["model"], table["provenance"]
    covering, verdict = table["covering"], table.get("verdict")
    return PriorResult(
        image=AboutImage(
            str(image["study_instance_uid"]),
            str(image["series_instance_uid"]),
            str(image["sop_instance_uid"]),
            str(image["sha256"]),
            str(image["view"]),
            str(image["site"]),
        ),
        model=ModelFacts(
            str(model["id"]),
            str(model["title"]),
            str(model["site"]),
            str(model["sha256"]),
            str(model["weights_sha256"]),
            bool(model["simulated_training"]),
            tuple(PointPerformance(**one) for one in model.get("performance", [])),
        ),
        target=str(table["request"]["target"]),
        prediction=_prediction(table["prediction"]),
        target_probability=_share(table["target_probability"]),
        covering=None if covering is None else _covering(covering),
        verdict=None if verdict is None else Verdict(**verdict),
        notes=tuple(Note(str(one["code"]), one["severity"], str(one["text"])) for one in table["notes"]),
        statements=tuple(str(one) for one in table["statements"]),
        software=str(how["versions"].get("osteoscreen", "")),
        started=str(how["started"]),
        device=str(how["device"]),
        precision=str(how["precision"]),
    )


def _prediction(table: Mapping[str, Any]) -> Prediction:
    points, domain, t_score = table["operating_points"], table.get("domain"), table.get("expected_t_score")
    if table["decision"] not in CLASSES:
        raise ValueError("decision")
    return Prediction(
        _shares(table["probabilities"]),
        table["decision"],
        OperatingPoints(_share(points["osteoporosis"]), _share(points["low_bone_mass"])),
        None if domain is None else Domain(float(domain["distance"]), float(domain["percentile"]), _level(domain["level"])),
        None if t_score is None else float(t_score),
    )


def _covering(table: Mapping[str, Any]) -> Covering:
    margin_mm = table["margin_mm"]
    return Covering(
        mode=table["mode"],
        fill=table["fill"],
        seed=int(table["seed"]),
        margin_px=float(table["margin_px"]),
        margin_mm=None if margin_mm is None else float(margin_mm),
        covered=tuple(table["covered"]),
        not_found=tuple(table["not_found"]),
        area_px=int(table["area_px"]),
        prediction=_prediction(table["prediction"]),
        probability=_share(table["probability"]),
        delta_points=float(table["delta_points"]),
        delta_log_odds=float(table["delta_log_odds"]),
        effects=tuple(_effect(one) for one in table["effects"]),
    )


def _effect(table: Mapping[str, Any]) -> BoneEffect:
    return BoneEffect(
        of=table["of"],
        name=str(table["name"]),
        bones=tuple(table["bones"]),
        area_px=int(table["area_px"]),
        probabilities=_shares(table["probabilities"]),
        probability=_share(table["probability"]),
        reference_probability=_share(table["reference_probability"]),
        delta_points=float(table["delta_points"]),
        delta_log_odds=float(table["delta_log_odds"]),
    )


def _shares(table: Mapping[str, Any]) -> dict[str, float]:
    return {name: _share(table[name]) for name in CLASSES}


def _share(value: Any) -> float:
    if isinstance(value, bool) or not 0 <= float(value) <= 1 + 1e-6:
        raise ValueError("a share lies between 0 and 1")
    return float(value)


def _level(value: Any) -> Any:
    if value not in ("in", "borderline", "out"):
        raise ValueError("level")
    return value
