"""What the desk says to the worker and hears from it: the workbench's nouns ↔ request bodies and answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from OsteoScreenLib.bones.masks import BoneMasks
from OsteoScreenLib.classifier.prediction import OperatingPoints
from OsteoScreenLib.explain.overlap import Overlap
from OsteoScreenLib.explain.saliency import SaliencyMap
from OsteoScreenLib.workbench.answers import Answer, Patch, Question
from OsteoScreenLib.workbench.reading import ImageSource, ModelFacts, Reading, Result
from OsteoScreenLib.workbench.toggles import Toggles
from OsteoScreenLib.worker import case_values
from OsteoScreenLib.worker.intake import VOLUME
from OsteoScreenLib.worker.protocol import Message
from OsteoScreenLib.worker.requests import AnalysisOptions

Body = dict[str, Any]
Arrays = dict[str, np.ndarray]


def computed_on(device: str, precision: str) -> str:
    """Device and number format as a question names them."""
    return f"{device} {precision}"


def image_request(source: ImageSource) -> tuple[Body, Arrays]:
    """Body and arrays that name an image. The array is copied, for its application may change or free it meanwhile."""
    body: Body = {"name": source.name, "rotate": source.rotate, "flip": source.flip, "invert": source.invert}
    if source.array is None:
        return {**body, "path": source.path}, {}
    spacing = case_values.spacing_to_values(source.spacing_mm)
    return {**body, "spacing_mm": spacing, "header_path": source.header_path}, {VOLUME: np.array(source.array)}


def options_request(options: AnalysisOptions) -> Body:
    """The options that say what is computed; how the image lies is the image's part of a request."""
    values = {name: value for name, value in asdict(options).items() if name not in {"rotate", "flip", "invert"}}
    return {**values, "cover": list(options.cover)}


def hold_request(
    token: str, reading: Reading, result: Result, options: AnalysisOptions, device: str, precision: str
) -> tuple[Body, Arrays]:
    """Body and arrays with which a case is taken in again, on this device and in this precision if they are there."""
    body = {
        "case": token,
        "model": options.model,
        "facts": dict(reading.facts),
        "notes": case_values.notes_to_values(reading.notes),
        "bones": case_values.masks_to_values(result.masks),
        "device": device,
        "precision": precision,
    }
    return body, {"pixels": reading.pixels, "layers": result.masks.layers}


def cover_request(questions: Sequence[Question], patch: bool) -> Body:
    """The body that asks questions which differ in nothing but what is covered, and which control of it is meant."""
    first = questions[0]
    return {
        **_way(first),
        "sets": [sorted(question.covered) for question in questions],
        "draws": [question.draw for question in questions],
        "patch": patch,
    }


def show_request(reading: Reading, result: Result, question: Question) -> tuple[Body, Arrays]:
    """Body and arrays that ask what the model is shown, of a case that the worker does not hold."""
    body = {
        **_way(question),
        "image_sha256": question.image_sha256,
        "masks_sha256": question.masks_sha256,
        "bones": case_values.masks_to_values(result.masks),
        "covered": sorted(question.covered),
    }
    return body, {"pixels": reading.pixels, "layers": result.masks.layers}


def explain_request(target: str, method: str, known: SaliencyMap | None) -> tuple[Body, Arrays]:
    """Body and arrays that ask for a heatmap and its overlap with the bones. known : a map that is only to be measured."""
    body: Body = {"target": target, "saliency": method}
    if known is None:
        return body, {}
    values, arrays = case_values.saliency_to_values(known)
    return {**body, "map": values}, arrays


def save_request(
    folder: str, result: Result, toggles: Toggles, tables: Mapping[str, str], dicom: bool = False, text: str = "refuse"
) -> Body:
    """The body that asks for the result files of what is shown now.

    tables : file name → text of files that are to lie beside the others. dicom : the objects for a PACS too.
    text : what becomes of text in the pictures: "refuse" asks before anything is written, "mask" or "keep" is the answer.
    """
    return {
        "out": folder,
        "cover": sorted(toggles.covered & frozenset(result.masks.table)),
        **_way(toggles),
        "target": toggles.target,
        "saliency": toggles.saliency,
        "tables": dict(tables),
        "dicom": dicom,
        "text": text,
    }


def simulate_request(
    name: str, folder: str, t_score: float, ijk_to_lps: np.ndarray, structures: Mapping[int, tuple[str, str]]
) -> Body:
    """The body beside the arrays "volume" (slices, rows, columns) and "labels" (the same shape, uint16).

    structures : label → (id, name). folder : where the new files go.
    """
    return {
        "name": name,
        "out": folder,
        "t_score": float(t_score),
        "ijk_to_lps": [float(value) for value in np.asarray(ijk_to_lps, float).ravel()],
        "structures": {str(label): list(names) for label, names in structures.items()},
    }


def reading_from(source: ImageSource, answer: Message) -> Reading:
    """The opened radiograph."""
    body = answer.body
    return Reading(
        source=source,
        pixels=answer.arrays["pixels"],
        spacing_mm=case_values.spacing_from_values(body["spacing_mm"]),
        image_sha256=str(body["image_sha256"]),
        facts=body["facts"],
        notes=case_values.notes_from_values(body["notes"]),
    )


def result_from(answer: Message) -> Result:
    """The analysed radiograph's answer."""
    body = answer.body
    return Result(
        model=model_from(body["model"]),
        probabilities=probabilities_from(body["probabilities"]),
        masks=case_values.masks_from_values(body["masks"], answer.arrays["layers"]),
        masks_sha256=str(body["masks_sha256"]),
        saliency=saliency_from(answer),
        statements=tuple(map(str, body["statements"])),
        device=str(body["device"]),
        precision=str(body["precision"]),
        seconds=body["seconds"],
        analysis=body["analysis"],
        overlap=overlap_from(((body["analysis"].get("saliency") or {}).get("overlap") or {}).get("bones", ())),
        saliency_methods=tuple(map(str, body["saliency_methods"])),
    )


def masks_from(answer: Message) -> BoneMasks:
    """Bone masks that were read from a file."""
    return case_values.masks_from_values(answer.body["masks"], answer.arrays["layers"])


def model_from(values: Mapping[str, Any]) -> ModelFacts:
    """The classifier that answered."""
    points = OperatingPoints(**values["operating_points"])
    return ModelFacts(str(values["id"]), str(values["title"]), str(values["sha256"]), bool(values["simulated"]), points)


def probabilities_from(values: Sequence[float]) -> tuple[float, float, float]:
    """(normal, osteopenia, osteoporosis)."""
    first, second, third = (float(value) for value in values)
    return first, second, third


def answers_from(answer: Message) -> list[Answer | None]:
    """One answer for each set that was asked about; None for a control for which there is no room."""
    return [
        None if one is None else Answer(probabilities_from(one["probabilities"]), int(one["area_px"]))
        for one in answer.body["answers"]
    ]


def patch_from(answer: Message) -> Patch | None:
    """What the model was shown for the last set, if that was asked for."""
    if "patch" not in answer.arrays:
        return None
    first_row, end_row, first_column, end_column = (int(edge) for edge in answer.body["box"])
    return Patch((first_row, end_row, first_column, end_column), answer.arrays["patch"])


def saliency_from(answer: Message) -> SaliencyMap | None:
    """A heatmap."""
    return case_values.saliency_from_values(answer.body["saliency"], answer.arrays)


def overlap_from(rows: Sequence[Mapping[str, Any]]) -> tuple[Overlap, ...]:
    """The overlap of a heatmap with the bones, from its rows of JSON values."""
    return tuple(Overlap(**{**row, "iou_sweep": None if row["iou_sweep"] is None else tuple(row["iou_sweep"])}) for row in rows)


def device_words(answer: Message) -> list[str]:
    """The devices that can be chosen, the best first: "cuda", "mps", "cpu"."""
    return list(dict.fromkeys(str(device["device"]).split(":")[0] for device in answer.body["devices"]))


def _way(covering: Question | Toggles) -> Body:
    """How bones are covered."""
    return {name: getattr(covering, name) for name in ("mode", "fill", "margin_px", "seed")}
