"""A case whose results were computed before, for a study: put back on the table without torch, and without the model.

`upright` is for the blind read: the image lies as it lay when it was analysed, and nothing else of the analysis is told.
`load` is for afterwards: answer, heatmaps, bones and every stored toggle, as if they had been computed here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from OsteoScreenLib.errors import InputError
from OsteoScreenLib.explain.overlap import Overlap
from OsteoScreenLib.explain.saliency import SaliencyMap
from OsteoScreenLib.radiograph.radiograph import Note, Placement, Radiograph, pixels_sha256
from OsteoScreenLib.review import analyses
from OsteoScreenLib.review.nouns import ModelFacts
from OsteoScreenLib.workbench.answers import Answers
from OsteoScreenLib.workbench.case import Case
from OsteoScreenLib.workbench.reading import Reading, Result
from OsteoScreenLib.workbench.saved_case import result_from_json, result_to_json
from OsteoScreenLib.worker import case_values

# Parts of an analysis that tell of the file, or repeat the remarks.
_OF_THE_FILE = ("radiograph", "notes")
_DECODED = Note(
    "decoded-otherwise",
    "info",
    "This computer decodes the grey values slightly otherwise than the one that analysed the image.",
)


@dataclass(frozen=True)
class StoredCase:
    """The analysis of one case of a study, on the image that lies on the table.

    case : pseudonym. reading : the image, upright, with the remarks of the analysis. result : `stored`, with all heatmaps that were
    stored. answers : for `Answers.add_json`. model : for the lock of a read that saw it.
    """

    case: str
    reading: Reading
    result: Result
    answers: Sequence[Mapping[str, Any]]
    model: ModelFacts

    def give(self, case: Case) -> None:
        """Put answers, reading and result into a case that holds the same image."""
        case.answers.add_json(self.answers)
        case.take_result(self.reading, self.result)

    def new_case(self, answers: Answers, token: str = "") -> Case:
        """A case of its own."""
        case = Case(self.reading, answers, token)
        self.give(case)
        return case


def store(
    study: Path,
    name: str,
    opened: Reading,
    case: Case,
    maps: Sequence[tuple[SaliencyMap, tuple[Overlap, ...]]],
    request: Mapping[str, Any],
) -> Path:
    """Write the analysis of a case of a study and return its folder.

    name : the case's pseudonym. opened : the image as it is read without a model. case : analysed, with its answers. maps : further
    heatmaps. request : JSON values that decide what is computed, by which a later run knows whether anything is left to do.
    Raises `InputError` (stored-analysis) when the analysed image is not the opened one turned, `OsteoScreenError` when the disk is full.
    """
    result = case.result
    if result is None:
        raise ValueError("a case without a result has nothing to store")
    turn = _turn(opened, case.reading)
    if _turned(opened, turn).image_sha256 != case.reading.image_sha256:
        raise InputError(
            f"The image of {name} was not the same when it was read twice; see that nothing changes the file.",
            code="stored-analysis",
        )
    analysis = {key: value for key, value in result.analysis.items() if key not in _OF_THE_FILE}
    values = {
        "request": dict(request),
        "image": {
            "pixels_sha256": case.reading.image_sha256,
            "file_sha256": _file_sha256(opened),
            "shape": list(case.reading.pixels.shape),
            "opened": _placement(opened),
            "turn": asdict(turn),
        },
        "decision": analysis["prediction"]["decision"],
        "notes": case_values.notes_to_values(note for note in case.reading.notes if note not in opened.notes),
        "bones": case_values.masks_to_values(result.masks),
        "result": result_to_json(replace(result, analysis=analysis, stored=True, maps=tuple(maps))),
        "answers": case.answers.to_json(case.reading.image_sha256),
    }
    return analyses.write(study, name, values, result.masks.layers, result.masks_sha256)


def facts(study: Path, case: str) -> ModelFacts | None:
    """Which model answered and what it said; None where the case was not analysed. Raises `InputError` (stored-analysis)."""
    values = analyses.read_values(study, case)
    if values is None:
        return None
    try:
        return analyses.model_facts(values)
    except (KeyError, TypeError, ValueError) as error:
        raise analyses.damaged(case) from error


def upright(study: Path, case: str, reading: Reading) -> Reading:
    """The image as it lay when it was analysed; as it is where the case was not analysed. Tells nothing else of the analysis.

    Raises `InputError` (stored-analysis) when the analysis is damaged, or belongs to another image.
    """
    values = analyses.read_values(study, case)
    return reading if values is None else _upright(case, values, reading)


def load(study: Path, case: str, reading: Reading) -> StoredCase | None:
    """The analysis of a case, for the image that was opened (turned by `upright` or not); None where it was not analysed.

    Raises `InputError` (stored-analysis) when it is damaged, or belongs to another image.
    """
    values = analyses.read_values(study, case)
    if values is None:
        return None
    reading = _upright(case, values, reading)
    layers = analyses.read_layers(study, case, values)
    try:
        masks = case_values.masks_from_values(values["bones"], layers)
        result = result_from_json(values["result"], masks)
        notes = case_values.notes_from_values(values["notes"])
        entries = [
            {**entry, "question": {**entry["question"], "image_sha256": reading.image_sha256}} for entry in values["answers"]
        ]
        Answers().add_json(entries)  # damage is to be seen now, not when the half of it has reached a reader
        model = analyses.model_facts(values)
    except (KeyError, TypeError, ValueError, AttributeError, InputError) as error:
        raise analyses.damaged(case) from error
    if masks.shape != reading.pixels.shape or masks.sha256 != result.masks_sha256:
        raise analyses.damaged(case)
    known = (*reading.notes, *(note for note in notes if note not in reading.notes))
    return StoredCase(case, replace(reading, notes=known), result, entries, model)


def _upright(case: str, values: Mapping[str, Any], reading: Reading) -> Reading:
    try:
        image = values["image"]
        digest, file_sha256, shape = str(image["pixels_sha256"]), str(image["file_sha256"]), tuple(image["shape"])
        turn, opened = Placement(**image["turn"]), image["opened"]
    except (KeyError, TypeError, ValueError) as error:
        raise analyses.damaged(case) from error
    if reading.image_sha256 == digest:
        return reading
    if _placement(reading) == opened:
        reading = _turned(reading, turn)
    if reading.image_sha256 == digest:
        return reading
    if file_sha256 and _file_sha256(reading) == file_sha256 and reading.pixels.shape == shape:
        # Another version of a decoder rounds otherwise; bones, heatmap and answers are of the same image all the same.
        return reading if _DECODED in reading.notes else replace(reading, notes=(*reading.notes, _DECODED))
    raise InputError(
        f"The image of {case} is not the one that was analysed; put the right file back, or {analyses.AGAIN}.",
        code="stored-analysis",
    )


def _placement(reading: Reading) -> dict[str, Any]:
    return dict(reading.facts.get("placement") or {})


def _file_sha256(reading: Reading) -> str:
    return str((reading.facts.get("source") or {}).get("sha256") or "")


def _turn(opened: Reading, analysed: Reading) -> Placement:
    """What was done to the opened image until it was upright, beyond what opening it did."""
    before, after = Placement(**_placement(opened)), Placement(**_placement(analysed))
    mirrored = after.mirrored != before.mirrored
    turns = after.quarter_turns - (-before.quarter_turns if mirrored else before.quarter_turns)
    return Placement(mirrored, turns % 4, after.inverted != before.inverted)


def _turned(reading: Reading, turn: Placement) -> Reading:
    if turn == Placement():
        return reading
    radiograph = Radiograph(reading.pixels, reading.spacing_mm, placement=Placement(**_placement(reading)))
    radiograph = radiograph.turned(turn.mirrored, turn.quarter_turns, turn.inverted)
    spacing = case_values.spacing_to_values(radiograph.spacing_mm)
    facts = {
        **reading.facts,
        "shape": list(radiograph.shape),
        "spacing_mm": spacing,
        "placement": asdict(radiograph.placement),
    }
    digest = pixels_sha256(radiograph.pixels)
    return replace(reading, pixels=radiograph.pixels, spacing_mm=radiograph.spacing_mm, image_sha256=digest, facts=facts)
