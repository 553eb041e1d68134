"""The case on the table: a radiograph that is asked about again and again, held with its bones, classifier and coverers."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from OsteoScreenLib.errors import InputError
from OsteoScreenLib.worker import covering, model_folders
from OsteoScreenLib.worker.case_values import (
    facts_to_values,
    masks_from_values,
    masks_to_values,
    notes_to_values,
    radiograph_from_values,
    saliency_from_values,
    saliency_to_values,
    spacing_to_values,
)
from OsteoScreenLib.worker.held_case import HeldCase, NoCase, running_on
from OsteoScreenLib.worker.intake import Clock, Intake
from OsteoScreenLib.worker.models import Models
from OsteoScreenLib.worker.protocol import Message
from OsteoScreenLib.worker.requests import (
    AnalysisOptions,
    ReadingOptions,
    analysis_request,
    options_from,
    path_in,
    tables_in,
)
from OsteoScreenLib.worker.server import Answer, Handler, Progress
from OsteoScreenLib.worker.writing import dicom_source, write_results

if TYPE_CHECKING:
    from OsteoScreenLib.classifier.classifier import Classifier
    from OsteoScreenLib.radiograph.radiograph import Radiograph


class Table:
    """Answers `read`, `examine`, `hold`, `cover`, `sweep`, `explain`, `import-masks` and `save`. One case at a time is held, under its client's token."""

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
            "sweep": self.sweep,
            "explain": self.explain,
            "import-masks": self.import_masks,
            "save": self.save,
        }

    def read(self, request: Message, progress: Progress) -> Answer:
        """Body: `path`, or `spacing_mm`, `header_path`, `name` beside the array `volume`; rotate, flip, invert. Needs no torch.

        With `discreet: true` what is wrong is said, and logged, without the file's name, which may name a patient.
        """
        progress("read", 0.1, "Reading the image")
        with self._intake.libraries.held_off():
            try:
                radiograph, _ = self._intake.read(request, options_from(ReadingOptions, request.body))
            except InputError as error:
                if not request.body.get("discreet"):
                    raise
                name = request.body.get("name") or "The image"
                raise InputError(f"{name} cannot be read.", code=error.code) from None
            return Answer(_reading(radiograph), {"pixels": radiograph.pixels})

    def examine(self, request: Message, progress: Progress) -> Answer:
        """Body: as `read`, with `AnalysisOptions` and `case`. Analyses without covering, and holds the case under its token."""
        from OsteoScreenLib.explain.analyse import analyse
        from OsteoScreenLib.explain.analysis_json import to_table

        token = _token(request)
        options = options_from(AnalysisOptions, {**request.body, "cover": []})
        self._models.check(options.model)  # before anything slow: what is wrong with a model is said at once
        clock = Clock()
        site = model_folders.site_of(options.model)
        radiograph, masks = self._intake.read_and_draw(request, options, site, progress, clock)
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
        from OsteoScreenLib.explain.analyse import settle

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
        settle(classifier, radiograph, masks)
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
        """See `covering.cover`."""
        return covering.cover(self._held(request), request)

    def sweep(self, request: Message, progress: Progress) -> Answer:
        """See `covering.sweep_table`."""
        return covering.sweep_table(self._held(request), request, progress)

    def explain(self, request: Message, progress: Progress) -> Answer:
        """Body: `case`, `target`, `saliency` (a method's key). The heatmap for a class, and its `overlap` with the bones.

        With `map` and the array `saliency`, a heatmap that was made before, that one is measured and none is made.
        """
        from OsteoScreenLib.explain.analysis_json import overlap_table
        from OsteoScreenLib.explain.overlap import measure_overlap
        from OsteoScreenLib.explain.saliency_map import saliency_map

        case = self._held(request)
        options = options_from(AnalysisOptions, request.body)

        def within(share: float) -> None:
            progress("explain", share, "Computing the heatmap")

        drawn = saliency_from_values(request.body.get("map"), request.arrays)
        if drawn is None:
            drawn = saliency_map(case.classifier, case.radiograph.pixels, options.target, options.saliency, within)
        saliency, arrays = saliency_to_values(drawn)
        overlap = [overlap_table(one) for one in measure_overlap(drawn, case.masks)]
        return Answer({"saliency": saliency, "overlap": overlap, **running_on(case.classifier)}, arrays)

    def import_masks(self, request: Message, progress: Progress) -> Answer:
        """Body: `case`, `path`: a DICOM segmentation or a .seg.nrrd of this radiograph. The masks; the case keeps its own."""
        from OsteoScreenLib.exchange.dicom.masks_file import read_masks

        case = self._held(request)
        masks = read_masks(path_in(request.body, "path"), case.radiograph, case.masks.site)
        return Answer({"masks": masks_to_values(masks)}, {"layers": masks.layers})

    def save(self, request: Message, progress: Progress) -> Answer:
        """Body: `case`, `out` and of `AnalysisOptions` cover, mode, fill, margin_px, seed, target, saliency, dicom, text; `tables`.

        Writes the four result files, DICOM objects if asked, and beside them the texts of `tables` (file name → text). What
        effects.json among them says of the bones goes into the structured report too.
        """
        from OsteoScreenLib.exchange.effects_text import EFFECTS, table_of
        from OsteoScreenLib.exchange.privacy.pictures import without_text
        from OsteoScreenLib.explain.analyse import analyse

        case = self._held(request)
        out = path_in(request.body, "out")
        options = options_from(AnalysisOptions, request.body)
        tables = tables_in(request.body)
        source, radiograph = dicom_source(options.dicom, case.radiograph)
        drawn = without_text(radiograph, options.text)  # type: ignore[arg-type]  # is checked there
        radiograph = replace(drawn, pixels=radiograph.pixels)

        def within(share: float, words: str) -> None:
            progress("analyse", 0.75 * share, words[:1].upper() + words[1:])

        analysis = analyse(radiograph, case.masks, case.classifier, analysis_request(options), within)
        progress("write", 0.8, "Writing the results")
        swept = table_of(tables.get(EFFECTS, ""), case.masks.sha256, options.target) if source is not None else None
        files = write_results(self._guard_writing, out, analysis, drawn, case.masks, case.stages, tables, source, table=swept)
        return Answer({"files": files})

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


def _reading(radiograph: Radiograph) -> dict[str, Any]:
    from OsteoScreenLib.radiograph.radiograph import pixels_sha256

    return {
        "facts": facts_to_values(radiograph),
        "notes": notes_to_values(radiograph.notes),
        "spacing_mm": spacing_to_values(radiograph.spacing_mm),
        "image_sha256": pixels_sha256(radiograph.pixels),
    }


def _answering(classifier: Classifier) -> dict[str, Any]:
    from OsteoScreenLib.explain.saliency_methods import methods_for

    model = classifier.model
    return {
        "model": {
            "id": model.id,
            "title": model.title,
            "sha256": model.bundle.sha256,
            "simulated": model.simulated,
            "operating_points": dict(vars(model.operating_points)),
        },
        "saliency_methods": list(methods_for(classifier.network)),
        **running_on(classifier),
    }
