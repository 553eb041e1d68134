"""A case as JSON values, for the scene that it is saved in. Pixels and masks live in the scene's own nodes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np

from OsteoScreenLib.bones.masks import BoneMasks
from OsteoScreenLib.bones.vocabulary import CHEST_FRONTAL, SITES, Site
from OsteoScreenLib.errors import InputError
from OsteoScreenLib.explain.saliency import SaliencyMap
from OsteoScreenLib.explain.saliency_methods import SALIENCY_METHODS
from OsteoScreenLib.radiograph.radiograph import pixels_sha256
from OsteoScreenLib.workbench import messages
from OsteoScreenLib.workbench.answers import Answers
from OsteoScreenLib.workbench.case import Case
from OsteoScreenLib.workbench.reading import ImageSource, Reading, Result
from OsteoScreenLib.workbench.toggles import Toggles
from OsteoScreenLib.worker import case_values

FORMAT_VERSION = 1


def to_json(case: Case) -> str:
    """The case without its pixels and masks."""
    reading, result = case.reading, case.result
    source = {"name": reading.source.name, "path": reading.source.path, "header_path": reading.source.header_path}
    table: dict[str, Any] = {
        "format_version": FORMAT_VERSION,
        "source": source | {key: getattr(reading.source, key) for key in ("rotate", "flip", "invert")},
        "reading": {
            "spacing_mm": case_values.spacing_to_values(reading.spacing_mm),
            "image_sha256": reading.image_sha256,
            "facts": dict(reading.facts),
            "notes": case_values.notes_to_values(reading.notes),
        },
        "toggles": case.toggles.to_json(),
        "corrected": case.corrected,
        "answers": case.answers.to_json(reading.image_sha256),
        "result": None if result is None else result_to_json(result),
    }
    return json.dumps(table, ensure_ascii=False)


def site_of(text: str) -> Site:
    """Whose bones a saved case has. A case that was saved before there were other sites, or is damaged, counts as a chest."""
    try:
        return SITES[json.loads(text)["result"]["site"]]
    except (KeyError, TypeError, ValueError):
        return CHEST_FRONTAL


def from_json(text: str, pixels: np.ndarray, masks: BoneMasks | None, answers: Answers, token: str) -> Case:
    """Put a saved case back on the table.

    pixels, masks : as the scene holds them. Masks that differ from those that the answer was computed with leave the case
    marked as edited; so does nothing else. Raises `InputError` when the text is not a case, or not of this image.
    """
    try:
        table = json.loads(text)
        if table["format_version"] != FORMAT_VERSION:
            raise InputError(
                "The case was saved by another version of OsteoScreen; analyse the radiograph again.", code="saved-case"
            )
        digest = pixels_sha256(pixels)
        if digest != table["reading"]["image_sha256"]:
            raise InputError(
                "The image in this scene is not the one that the saved answer belongs to; analyse it again.", code="saved-case"
            )
        reading = Reading(
            source=ImageSource(**table["source"]),
            pixels=pixels,
            spacing_mm=case_values.spacing_from_values(table["reading"]["spacing_mm"]),
            image_sha256=digest,
            facts=table["reading"]["facts"],
            notes=case_values.notes_from_values(table["reading"]["notes"]),
        )
        case = Case(reading, answers, token)
        answers.add_json(table["answers"])
        if table["result"] is not None and masks is not None:
            result = result_from_json(table["result"], _with_facts(table["result"], masks))
            case.take_result(reading, result, corrected=bool(table["corrected"]))
            case.mark_masks(masks.sha256 != result.masks_sha256)
        case.restore(Toggles.from_json(table["toggles"]))
        return case
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError("The saved case in this scene is damaged; analyse the radiograph again.", code="saved-case") from error


def result_to_json(result: Result) -> dict[str, Any]:
    """An answer as JSON values, without its masks' pixels."""
    return {
        "model": asdict(result.model),
        "probabilities": result.probabilities,
        "masks_sha256": result.masks_sha256,
        "site": result.masks.site.name,
        "method": result.masks.method,
        "mask_facts": case_values.mask_facts_to_values(result.masks.facts),
        "mask_digests": result.masks.digests,
        "saliency": None if result.saliency is None else _saliency_to_json(result.saliency),
        "statements": result.statements,
        "device": result.device,
        "precision": result.precision,
        "seconds": dict(result.seconds),
        "analysis": dict(result.analysis),
        "overlap": [vars(one) for one in result.overlap],
        "saliency_methods": result.saliency_methods,
        "stored": result.stored,
        "maps": [{"saliency": _saliency_to_json(one), "overlap": [vars(row) for row in rows]} for one, rows in result.maps],
    }


def _with_facts(table: dict[str, Any], masks: BoneMasks) -> BoneMasks:
    """The scene's masks with what was known of them; bones that were changed since the case was saved are edited."""
    if "mask_facts" not in table:  # saved before masks had facts
        return masks
    return masks.corrected_from(table["mask_digests"], case_values.mask_facts_from_values(table["mask_facts"]))


def result_from_json(table: Mapping[str, Any], masks: BoneMasks) -> Result:
    """The other way. Raises `KeyError`, `TypeError`, `ValueError` or `AttributeError` when the values are damaged."""
    return Result(
        model=messages.model_from(table["model"]),
        probabilities=messages.probabilities_from(table["probabilities"]),
        masks=masks,
        masks_sha256=str(table["masks_sha256"]),
        saliency=None if table["saliency"] is None else _saliency_from_json(table["saliency"]),
        statements=tuple(map(str, table["statements"])),
        device=str(table["device"]),
        precision=str(table["precision"]),
        seconds=table["seconds"],
        analysis=table["analysis"],
        **_explained_from_json(table),
    )


def _explained_from_json(table: Mapping[str, Any]) -> dict[str, Any]:
    """Not there in a scene that was saved before the panel knew of it."""
    if "overlap" not in table:
        return {}
    methods = tuple(str(method) for method in table["saliency_methods"] if method in SALIENCY_METHODS)
    maps = [(_saliency_from_json(one["saliency"]), messages.overlap_from(one["overlap"])) for one in table.get("maps", ())]
    return {
        "overlap": messages.overlap_from(table["overlap"]),
        "saliency_methods": methods,
        "stored": bool(table.get("stored", False)),
        "maps": tuple((one, rows) for one, rows in maps if one is not None),
    }


def _saliency_to_json(saliency: SaliencyMap) -> dict[str, Any]:
    values, _ = case_values.saliency_to_values(saliency)
    return {**(values or {}), "grid": saliency.grid.tolist()}


def _saliency_from_json(table: Mapping[str, Any]) -> SaliencyMap | None:
    return case_values.saliency_from_values(table, {"saliency": np.array(table["grid"], np.float32)})
