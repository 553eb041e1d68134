"""One radiograph straight through: read, ask the gate, draw the bones, classify and explain, write."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import asdict, replace
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any

from OsteoScreenLib.bones.vocabulary import Site, site_named
from OsteoScreenLib.errors import InputError
from OsteoScreenLib.worker import model_folders
from OsteoScreenLib.worker.intake import Clock, Intake
from OsteoScreenLib.worker.machine import devices, peak_memory_bytes, versions
from OsteoScreenLib.worker.models import Models
from OsteoScreenLib.worker.protocol import Message
from OsteoScreenLib.worker.requests import (
    AnalysisOptions,
    SegmentOptions,
    analysis_request,
    check_saliency,
    options_from,
    path_in,
    prepare_folder,
)
from OsteoScreenLib.worker.server import Answer, Handler, Progress
from OsteoScreenLib.worker.showing import Showing
from OsteoScreenLib.worker.simulating import simulate
from OsteoScreenLib.worker.table import Table
from OsteoScreenLib.worker.writing import dicom_source, write_results

if TYPE_CHECKING:
    import numpy as np

    from OsteoScreenLib.bones.masks import BoneMasks
    from OsteoScreenLib.exchange.prior_result import ReaderOpinion
    from OsteoScreenLib.radiograph.radiograph import Radiograph


class Pipeline:
    """Answers `hello`, `load`, `segment`, `analyse` and the requests of `Table` with one set of warm models.

    guard_writing : a context held while files are written, so that the process does not leave in the middle of one.
    """

    def __init__(self, guard_writing: AbstractContextManager[Any], models: Models | None = None) -> None:
        self._models = models or Models()
        self._intake = Intake(self._models)
        self._guard_writing = guard_writing
        self._table = Table(self._models, self._intake, guard_writing)

    def handlers(self) -> dict[str, Handler]:
        """Request kind → what answers it."""
        return {
            "hello": self.hello,
            "load": self.load,
            "segment": self.segment,
            "analyse": self.analyse,
            "add-model": self.add_model,
            "show": Showing().show,
            "simulate": lambda request, progress: simulate(request, progress, self._guard_writing),
            **self._table.handlers(),
        }

    def hello(self, request: Message, progress: Progress) -> Answer:
        """Versions, the process id, and whether the libraries are imported (`ready`).

        With `devices: true` also the devices, for which torch has to be imported; with `devices: "if-ready"` only when it is.
        """
        body: dict[str, Any] = {**versions(), "ready": self._intake.libraries.ready}
        wanted = request.body.get("devices")
        if wanted and (wanted != "if-ready" or body["ready"]):
            self._intake.libraries.wait()
            body["devices"] = devices()
        return Answer(body)

    def load(self, request: Message, progress: Progress) -> Answer:
        """Load what a following `segment` or `analyse` needs, so that what is wrong with the options is said once.

        Body: the options, `command`, and `first`: the first image, which is read meanwhile.
        """
        options = _options(request)
        self._intake.libraries.begin()
        self._intake.read_ahead(request, "first", options)
        progress("load", 0.0, "Loading the models")
        if isinstance(options, AnalysisOptions):
            self._models.check(options.model)  # before torch is there: what is wrong with a model is said at once
        self._intake.libraries.wait()
        if isinstance(options, AnalysisOptions):
            classifier = self._models.classifier(options.model, options.device, options.precision)
            check_saliency(options, classifier)
        progress("load", 0.6, "Loading the models")
        site = _site(options)
        self._models.gate(site)
        if not options.masks:
            self._models.segmenter(options.segmenter, options.device, site)
        return Answer()

    def add_model(self, request: Message, progress: Progress) -> Answer:
        """Body: `folder`, a model bundle, which is verified and copied to the user's models."""
        progress("add-model", 0.1, "Checking and copying the model")
        with self._guard_writing:
            entry = model_folders.add_model(path_in(request.body, "folder"))
        return Answer({"id": entry.id, "title": model_folders.title_of(entry.folder)})

    def segment(self, request: Message, progress: Progress) -> Answer:
        """Body: `path`, `out`, `next` and the options of `SegmentOptions`. Writes masks.seg.nrrd and overlay.png."""
        from OsteoScreenLib.bones.quality import assess, notes_on
        from OsteoScreenLib.exchange.results import write_segmentation

        options = options_from(SegmentOptions, request.body)
        out = path_in(request.body, "out")
        clock = Clock()
        radiograph, masks = self._intake.read_and_draw(request, options, _site(options), progress, clock)
        self._intake.read_ahead(request, "next", options)
        quality = assess(masks)
        radiograph = radiograph.with_notes(*notes_on(quality))
        progress("write", 0.7, "Writing the results")
        with self._guard_writing:
            prepare_folder(out)
            files = write_segmentation(out, radiograph, masks)
        clock.lap("write")
        body = {
            "bones": list(masks.names),
            "confidence": dict(masks.facts.confidence),
            "remarks": {name: list(one.codes) for name, one in quality.items() if one.marks},
            "method": masks.method,
            "notes": [asdict(note) for note in radiograph.notes],
            "files": {name: str(path) for name, path in files.items()},
            "seconds": clock.seconds,
        }
        return Answer(body, _arrays(request, radiograph, masks))

    def analyse(self, request: Message, progress: Progress) -> Answer:
        """Body: `path`, `out`, `next` and the options of `AnalysisOptions`. Writes the four result files, and DICOM objects if asked."""
        from OsteoScreenLib.exchange.overlay import banner
        from OsteoScreenLib.explain.analyse import analyse

        options = options_from(AnalysisOptions, request.body)
        out = path_in(request.body, "out")
        opinion = _opinion(request, options)
        clock = Clock()
        radiograph, masks = self._intake.read_and_draw(request, options, _site(options), progress, clock)
        classifier = self._models.classifier(options.model, options.device, options.precision)
        self._intake.read_ahead(request, "next", options)
        source, radiograph = dicom_source(options.dicom or bool(options.objects), radiograph)
        drawn = _drawn(radiograph, options)
        radiograph = replace(drawn, pixels=radiograph.pixels)

        def within(share: float, words: str) -> None:
            progress("analyse", 0.4 + 0.4 * share, words[:1].upper() + words[1:])

        analysis = analyse(radiograph, masks, classifier, analysis_request(options), within)
        clock.lap("analyse")
        progress("write", 0.8, "Writing the results")
        stages = {stage: clock.seconds[stage] for stage in ("read", "gate", "segment")}
        files = write_results(
            self._guard_writing, out, analysis, drawn, masks, stages, source=source, only=options.objects, opinion=opinion
        )
        clock.lap("write")
        prediction = analysis.prediction
        body = {
            "decision": prediction.decision,
            "probabilities": dict(prediction.probabilities),
            "expected_t_score": prediction.expected_t_score,
            "domain": None if prediction.domain is None else asdict(prediction.domain),
            "target": options.target,
            "model": analysis.model.id,
            "notice": banner(analysis.model.simulated_training),
            "device": analysis.provenance.device,
            "precision": analysis.provenance.precision,
            "bones": list(masks.names),
            "verdict": None if analysis.verdict is None else asdict(analysis.verdict),
            "notes": [asdict(note) for note in analysis.notes],
            "files": files,
            "seconds": clock.seconds,
            "peak_memory_bytes": peak_memory_bytes(),
        }
        arrays = _arrays(request, radiograph, masks)
        if arrays and analysis.saliency is not None:
            arrays["saliency"] = analysis.saliency.grid
        return Answer(body, arrays)


def _options(request: Message) -> SegmentOptions | AnalysisOptions:
    command = request.body.get("command")
    if command not in {"segment", "analyse"}:
        raise InputError(f"There is no command '{command}' to load for.", code="option")
    if command == "analyse":
        return options_from(AnalysisOptions, request.body)
    return options_from(SegmentOptions, request.body)


def _site(options: SegmentOptions | AnalysisOptions) -> Site:
    """What is to be seen: what the classifier reads, or what was asked for."""
    return model_folders.site_of(options.model) if isinstance(options, AnalysisOptions) else site_named(options.site)


def _opinion(request: Message, options: AnalysisOptions) -> ReaderOpinion | None:
    """What the reader of a study thought of the image, where that was asked for."""
    if not options.reads:
        return None
    from OsteoScreenLib.exchange.study_reads import opinion_on

    return opinion_on(path_in(request.body, "path"), Path(options.reads), options.reader)


def _drawn(radiograph: Radiograph, options: AnalysisOptions) -> Radiograph:
    """The radiograph as its pictures show it: text in it masked, or refused, if that was asked for.

    Text that stays is looked for where a picture becomes a DICOM object, which has to say so.
    """
    if options.text == "keep" and not options.dicom:
        return radiograph
    from OsteoScreenLib.exchange.privacy.pictures import without_text

    name = PurePath(radiograph.source.path).name or "The image"
    return without_text(radiograph, options.text, name)  # type: ignore[arg-type]  # is checked there


def _arrays(request: Message, radiograph: Radiograph, masks: BoneMasks) -> dict[str, np.ndarray]:
    return {"pixels": radiograph.pixels, "layers": masks.layers} if request.body.get("arrays") else {}
