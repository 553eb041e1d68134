"""The case on the table: a radiograph that is asked about again and again, held with its bones, classifier and coverers."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from OsteoScreenLib.errors import InputError, OsteoScreenError
from OsteoScreenLib.worker.case_values import (
    facts_to_values,
    masks_from_values,
    masks_to_values,
    notes_to_values,
    radiograph_from_values,
    saliency_to_values,
    spacing_to_values,
)
from OsteoScreenLib.worker.intake import Clock, Intake
from OsteoScreenLib.worker.models import Models
from OsteoScreenLib.worker.protocol import Message
from OsteoScreenLib.worker.requests import AnalysisOptions, ReadingOptions, analysis_request, options_from, path_in
from OsteoScreenLib.worker.server import Answer, Handler, Progress
from OsteoScreenLib.worker.writing import write_results

if TYPE_CHECKING:
    from OsteoScreenLib.bones.masks import BoneMasks
    from OsteoScreenLib.classifier.classifier import Classifier
    from OsteoScreenLib.explain.covering import BoneCutouts, Coverer, Region
    from OsteoScreenLib.radiograph.radiograph import Radiograph

KEPT_COVERERS = 6  # ways of covering kept prepared; each may hold one full-size picture


class NoCase(OsteoScreenError):
    """The case that a request names is not held: the process was started after it, or another case took its place."""

    code = "no-case"


@dataclass
class HeldCase:
    """What questions about one case need.

    stages : seconds of reading, gate and segmenting, for the report; empty for a case that was handed over.
    coverers : (mode, fill, margin, seed) → what is prepared for covering that way, the last used at the end.
    """

    token: str
    radiograph: Radiograph
    masks: BoneMasks
    classifier: Classifier
    stages: Mapping[str, float] = field(default_factory=dict)
    coverers: OrderedDict[tuple[str, str, float, int], Coverer] = field(default_factory=OrderedDict)
    cutouts: BoneCutouts | None = None

    def coverer(self, mode: str, fill: str, margin_px: float, seed: int) -> Coverer:
        """The coverer of a way of covering, made at its first use."""
        from OsteoScreenLib.explain.covering import BoneCutouts, Coverer

        key = (mode, fill, margin_px, seed)
        if key not in self.coverers:
            if self.cutouts is None:
                self.cutouts = BoneCutouts(self.masks)
            self.coverers[key] = Coverer(
                self.radiograph.pixels,
                self.masks,
                mode,  # type: ignore[arg-type]
                fill,  # type: ignore[arg-type]
                margin_px,
                seed,
                self.cutouts,
            )
            while len(self.coverers) > KEPT_COVERERS:
                self.coverers.popitem(last=False)
        self.coverers.move_to_end(key)
        return self.coverers[key]


class Table:
    """Answers `read`, `examine`, `hold`, `cover`, `explain` and `save`. One case at a time is held, under its client's token."""

    def __init__(self, models: Models, intake: Intake, guard_writing: AbstractContextManager[Any]) -> None:
        self._models = models
        self._intake = intake
        self._guard_writing = guard_writing
        self._case: HeldCase | None = None

    def handlers(self) -> dict[str, Handler]:
        """Request kind → what answers it."""
        return {
            "read": self.read,
            "examine": self.examine,
            "hold": self.hold,
            "cover": self.cover,
            "explain": self.explain,
            "save": self.save,
        }

    def read(self, request: Message, progress: Progress) -> Answer:
        """Body: `path`, or `spacing_mm`, `header_path`, `name` beside the array `volume`; rotate, flip, invert. Needs no torch."""
        progress("read", 0.1, "Reading the image")
        with self._intake.libraries.held_off():
            radiograph, _ = self._intake.read(request, options_from(ReadingOptions, request.body))
            return Answer(_reading(radiograph), {"pixels": radiograph.pixels})

    def examine(self, request: Message, progress: Progress) -> Answer:
        """Body: as `read`, with `AnalysisOptions` and `case`. Analyses without covering, and holds the case under its token."""
        from OsteoScreenLib.explain.analyse import analyse
        from OsteoScreenLib.explain.analysis_json import to_table

        token = _token(request)
        options = options_from(AnalysisOptions, {**request.body, "cover": []})
        self._models.check(options.model)  # before anything slow: what is wrong with a model is said at once
        clock = Clock()
        radiograph, masks = self._intake.read_and_draw(request, options, progress, clock)
        progress("classifier", 0.45, "Loading the model")
        self._case = None  # may hold another model, which is to leave the device's memory first
        classifier = self._models.classifier(options.model, options.device, options.precision)
        clock.lap("load")

        def within(share: float, words: str) -> None:
            progress("analyse", 0.5 + 0.45 * share, words[:1].upper() + words[1:])

        analysis = analyse(radiograph, masks, classifier, analysis_request(options), within)
        clock.lap("analyse")
        progress("send", 0.97, "Handing the answer over")
        stages = {stage: clock.seconds[stage] for stage in ("read", "gate", "segment")}
        self._case = HeldCase(token, radiograph, masks, classifier, stages)
        saliency, arrays = saliency_to_values(analysis.saliency)
        body = {
            **_reading(radiograph),
            # The analysis knows more remarks (a fallback to the processor, an empty heatmap) than the radiograph does.
            "notes": notes_to_values(analysis.notes),
            **_answering(classifier),
            "probabilities": list(analysis.prediction.probabilities.values()),
            "masks": masks_to_values(masks),
            "masks_sha256": masks.sha256,
            "saliency": saliency,
            "statements": list(analysis.statements),
            "analysis": to_table(analysis),
        }
        clock.lap("send")
        return Answer({**body, "seconds": clock.seconds}, {"pixels": radiograph.pixels, "layers": masks.layers, **arrays})

    def hold(self, request: Message, progress: Progress) -> Answer:
        """Body: `case`, `facts`, `notes`, `bones`, model, device, precision; arrays `pixels`, `layers`. Takes a case in again.

        Where the device is not there any more, the best one that is takes its place; the answer says which.
        """
        token = _token(request)
        options = options_from(AnalysisOptions, request.body)
        pixels, layers = (request.arrays.get(name) for name in ("pixels", "layers"))
        if pixels is None or layers is None:
            raise InputError("A case is held with its pixels and its bone masks.", code="held-case")
        radiograph = radiograph_from_values(request.body.get("facts", {}), request.body.get("notes", ()), pixels)
        masks = masks_from_values(request.body.get("bones", {}), layers)
        if masks.shape != radiograph.shape:
            raise InputError("The bone masks are not of this radiograph's size; analyse the image again.", code="masks-shape")
        if not self._intake.libraries.ready:
            progress("hold", 0.1, "Loading the libraries of the analysis")
        self._intake.libraries.wait()
        self._case = None
        try:
            classifier = self._models.classifier(options.model, options.device, options.precision)
        except InputError as error:
            if error.code not in {"device", "precision"}:
                raise
            classifier = self._models.classifier(options.model, "auto", "auto")
        # An analysis adds these remarks of its own once more.
        own = {"empty-heatmap", "masks-implausible", "input-in", "input-borderline", "input-out", "input-unchecked"}
        kept = (note for note in radiograph.notes if note not in classifier.notes and note.code not in own)
        radiograph = replace(radiograph, notes=tuple(kept))
        untouched = next(iter(classifier.predict_stream([radiograph.pixels])))
        self._case = HeldCase(token, radiograph, masks, classifier)
        body = {
            "image_sha256": _reading(radiograph)["image_sha256"],
            "masks_sha256": masks.sha256,
            "probabilities": [float(value) for value in untouched],
            **_answering(classifier),
        }
        return Answer(body)

    def cover(self, request: Message, progress: Progress) -> Answer:
        """Body: `case`, `mode`, `fill`, `margin_px`, `seed`, `sets` (lists of covered bones), `patch`.

        Answers each set; with `patch`, also what the model was shown for the last one, inside the box that was changed.
        """
        from OsteoScreenLib.explain.sweep import sweep

        began = time.perf_counter()
        case = self._held(request)
        coverer = case.coverer(*_way(request))
        sets = _sets(request, case.masks)
        box: list[int] = [0, 0, 0, 0]
        patch = np.zeros((0, 0), np.float32)

        def keep_last(bones: frozenset[str], region: Region, shown: np.ndarray) -> None:
            nonlocal box, patch
            if sets and bones == sets[-1]:
                rows, columns = region.box
                box = [rows.start, rows.stop, columns.start, columns.stop]
                patch = shown[region.box].copy()

        wanted = bool(request.body.get("patch"))
        found = sweep(coverer, case.classifier, sets, shown=keep_last if wanted else None)
        answers = [
            {"probabilities": [float(value) for value in found[bones].probabilities], "area_px": found[bones].area_px}
            for bones in sets
        ]
        body = {"answers": answers, **_running_on(case.classifier), "seconds": round(time.perf_counter() - began, 5)}
        return Answer({**body, "box": box}, {"patch": patch}) if wanted else Answer(body)

    def explain(self, request: Message, progress: Progress) -> Answer:
        """Body: `case`, `target`. The heatmap for a class."""
        from OsteoScreenLib.explain.gradcam import grad_cam

        case = self._held(request)
        saliency, arrays = saliency_to_values(
            grad_cam(case.classifier, case.radiograph.pixels, str(request.body.get("target", "osteoporosis")))
        )
        return Answer({"saliency": saliency, **_running_on(case.classifier)}, arrays)

    def save(self, request: Message, progress: Progress) -> Answer:
        """Body: `case`, `out` and of `AnalysisOptions` cover, mode, fill, margin_px, seed, target. Writes the four result files."""
        from OsteoScreenLib.explain.analyse import analyse

        case = self._held(request)
        out = path_in(request.body, "out")
        wanted = analysis_request(options_from(AnalysisOptions, request.body))

        def within(share: float, words: str) -> None:
            progress("analyse", 0.75 * share, words[:1].upper() + words[1:])

        analysis = analyse(case.radiograph, case.masks, case.classifier, wanted, within)
        progress("write", 0.8, "Writing the results")
        return Answer({"files": write_results(self._guard_writing, out, analysis, case.radiograph, case.masks, case.stages)})

    def _held(self, request: Message) -> HeldCase:
        token = _token(request)
        if self._case is None or self._case.token != token:
            raise NoCase("The analysis process does not hold this case; analyse the radiograph again.")
        return self._case


def _token(request: Message) -> str:
    token = request.body.get("case")
    if not isinstance(token, str) or not token:
        raise InputError("The request names no case.", code="option")
    return token


def _way(request: Message) -> tuple[str, str, float, int]:
    options = options_from(AnalysisOptions, request.body)
    return options.mode, options.fill, options.margin_px, options.seed if options.fill == "noise" else 0


def _sets(request: Message, masks: BoneMasks) -> list[frozenset[str]]:
    listed = request.body.get("sets")
    if not isinstance(listed, list) or not all(isinstance(names, list) for names in listed):
        raise InputError("The request names no sets of bones.", code="option")
    unknown = {str(name) for names in listed for name in names if name not in masks.site.by_name}
    if unknown:
        raise InputError(f"There is no bone called '{min(unknown)}' in {masks.site.name}.", code="unknown-bone")
    return [frozenset(names) for names in listed]


def _reading(radiograph: Radiograph) -> dict[str, Any]:
    from OsteoScreenLib.radiograph.radiograph import pixels_sha256

    return {
        "facts": facts_to_values(radiograph),
        "notes": notes_to_values(radiograph.notes),
        "spacing_mm": spacing_to_values(radiograph.spacing_mm),
        "image_sha256": pixels_sha256(radiograph.pixels),
    }


def _answering(classifier: Classifier) -> dict[str, Any]:
    model = classifier.model
    return {
        "model": {
            "id": model.id,
            "title": model.title,
            "sha256": model.bundle.sha256,
            "simulated": model.simulated,
            "operating_points": dict(vars(model.operating_points)),
        },
        **_running_on(classifier),
    }


def _running_on(classifier: Classifier) -> dict[str, str]:
    return {"device": classifier.device.type, "precision": classifier.precision}
