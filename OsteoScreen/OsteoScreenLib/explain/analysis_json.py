"""An `Analysis` as JSON. The format is published in `Resources/Schemas/analysis.schema.json`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import PurePath
from typing import Any

from OsteoScreenLib.explain.analysis import Analysis, BoneSummary, Covering, Prediction, RadiographFacts, SaliencyMap
from OsteoScreenLib.explain.overlap import POINTING_TOLERANCE, THRESHOLDS, Overlap

SCHEMA = "urn:osteoscreen:schema:analysis:1"


def to_json(analysis: Analysis) -> str:
    """UTF-8 JSON text with a newline at the end; raises `ValueError` rather than write NaN or infinity."""
    return json.dumps(to_table(analysis), indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def to_table(analysis: Analysis) -> dict[str, Any]:
    """The same as plain dictionaries, lists, texts and numbers."""
    request = analysis.request
    return {
        "schema": SCHEMA,
        "research_use_only": True,
        "statements": list(analysis.statements),
        "radiograph": _radiograph(analysis.radiograph),
        "model": {
            "id": analysis.model.id,
            "title": analysis.model.title,
            "site": analysis.model.site,
            "sha256": analysis.model.sha256,
            "weights_sha256": analysis.model.weights_sha256,
            "simulated_training": analysis.model.simulated_training,
            "performance": [asdict(one) for one in analysis.model.performance],
        },
        "request": {
            "target": request.target,
            "saliency": request.saliency,
            "saliency_method": request.saliency_method if request.saliency else None,
            "cover": list(request.cover),
            "mode": request.mode,
            "fill": request.fill,
            "dilation_px": float(request.dilation_px),
            "dilation_mm": request.dilation_mm,
            "seed": request.seed,
        },
        "prediction": _prediction(analysis.prediction),
        "target_probability": analysis.target_probability,
        "saliency": None if analysis.saliency is None else _saliency(analysis.saliency, analysis.overlap),
        "bones": {
            "site": analysis.site.name if analysis.site is not None else None,
            "segmenter": analysis.segmenter,
            "found": [_bone(bone) for bone in analysis.bones],
            "absent": [{"name": bone.name, "remarks": [mark.code for mark in bone.remarks]} for bone in analysis.absent],
        },
        "covering": None if analysis.covering is None else _covering(analysis.covering),
        "verdict": None if analysis.verdict is None else asdict(analysis.verdict),
        "notes": [{"code": note.code, "severity": note.severity, "text": note.text} for note in analysis.notes],
        "provenance": {
            "versions": dict(analysis.provenance.versions),
            "device": analysis.provenance.device,
            "precision": analysis.provenance.precision,
            "started": analysis.provenance.started,
            "seconds": _rounded(analysis.provenance.seconds),
        },
    }


def _radiograph(facts: RadiographFacts) -> dict[str, Any]:
    source = facts.source
    return {
        # The name alone: folders tell of the user's machine and often of the patient.
        "file": PurePath(source.path.replace("\\", "/")).name,
        "sha256": source.sha256,
        "format": source.format,
        "stored_shape": list(source.stored_shape),
        "shape": list(facts.shape),
        "spacing_mm": None if facts.spacing_mm is None else list(facts.spacing_mm),
        "spacing_source": facts.spacing_source,
        "view": facts.view,
        "site": facts.site,
        "placement": {
            "mirrored": facts.placement.mirrored,
            "quarter_turns": facts.placement.quarter_turns,
            "inverted": facts.placement.inverted,
        },
        "study_instance_uid": source.study_instance_uid,
        "series_instance_uid": source.series_instance_uid,
        "sop_instance_uid": source.sop_instance_uid,
    }


def _bone(bone: BoneSummary) -> dict[str, Any]:
    return {
        "name": bone.name,
        "group": bone.group,
        "side": bone.side,
        "area_px": bone.area_px,
        "area_mm2": bone.area_mm2,
        "confidence": bone.confidence,
        "remarks": [*(mark.code for mark in bone.remarks), *(["edited"] if bone.edited else [])],
        "numbering_uncertain": bone.numbering_uncertain,
        "trust": bone.trust or None,
    }


def _prediction(prediction: Prediction) -> dict[str, Any]:
    return {
        "probabilities": dict(prediction.probabilities),
        "low_bone_mass_probability": prediction.low_bone_mass,
        "decision": prediction.decision,
        "expected_t_score": prediction.expected_t_score,
        "domain": None if prediction.domain is None else asdict(prediction.domain),
        "operating_points": {
            "osteoporosis": prediction.operating_points.osteoporosis,
            "low_bone_mass": prediction.operating_points.low_bone_mass,
        },
    }


def _saliency(saliency: SaliencyMap, overlap: tuple[Overlap, ...]) -> dict[str, Any]:
    return {
        "method": saliency.method,
        "target": saliency.target,
        "score": saliency.score,
        "layer": saliency.layer,
        "empty": saliency.is_empty,
        "grid": [[float(value) for value in row] for row in saliency.grid],
        "grid_to_radiograph": [[float(value) for value in row] for row in saliency.grid_to_radiograph],
        "overlap": {
            "thresholds": list(THRESHOLDS),
            "pointing_tolerance": POINTING_TOLERANCE,
            "bones": [overlap_table(one) for one in overlap],
        },
    }


def overlap_table(overlap: Overlap) -> dict[str, Any]:
    """One row of the overlap; null where a number is not defined."""
    return asdict(overlap) | {"iou_sweep": None if overlap.iou_sweep is None else list(overlap.iou_sweep)}


def _covering(covering: Covering) -> dict[str, Any]:
    return {
        "mode": covering.mode,
        "fill": covering.fill,
        "seed": covering.seed,
        "margin_px": covering.margin_px,
        "margin_mm": covering.margin_mm,
        "covered": list(covering.covered),
        "not_found": list(covering.not_found),
        "area_px": covering.area_px,
        "prediction": _prediction(covering.prediction),
        "probability": covering.probability,
        "delta_points": covering.delta_points,
        "delta_log_odds": covering.delta_log_odds,
        "effects": [
            {
                "of": effect.of,
                "name": effect.name,
                "bones": list(effect.bones),
                "area_px": effect.area_px,
                "probabilities": dict(effect.probabilities),
                "probability": effect.probability,
                "reference_probability": effect.reference_probability,
                "delta_points": effect.delta_points,
                "delta_log_odds": effect.delta_log_odds,
            }
            for effect in covering.effects
        ],
    }


def _rounded(seconds: Mapping[str, float]) -> dict[str, float]:
    return {step: round(taken, 4) for step, taken in seconds.items()}
