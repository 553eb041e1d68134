"""One radiograph straight through: read, ask the gate, draw the bones, classify and explain, write."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from OsteoScreenLib.errors import InputError
from OsteoScreenLib.worker.machine import devices, peak_memory_bytes, versions
from OsteoScreenLib.worker.models import Ahead, Models
from OsteoScreenLib.worker.protocol import Message
from OsteoScreenLib.worker.quick_imports import import_quickly
from OsteoScreenLib.worker.requests import AnalysisOptions, ReadingOptions, options_from, path_in, prepare_folder
from OsteoScreenLib.worker.server import Answer, Handler, Progress

if TYPE_CHECKING:
    import numpy as np

    from OsteoScreenLib.bones.masks import BoneMasks
    from OsteoScreenLib.explain.analysis import AnalysisRequest
    from OsteoScreenLib.radiograph.radiograph import Radiograph


class Pipeline:
    """Answers `hello`, `load`, `segment` and `analyse` with one set of warm models.

    guard_writing : a context held while files are written, so that the process does not leave in the middle of one.
    """

    def __init__(self, guard_writing: AbstractContextManager[Any], models: Models | None = None) -> None:
        self._models = models or Models()
        # Begun before anything is asked, because whoever starts this process will ask; waited for where torch is needed.
        self._imports = Ahead("imports", import_quickly)
        self._guard_writing = guard_writing
        self._ahead: Ahead | None = None

    def handlers(self) -> dict[str, Handler]:
        """Request kind → what answers it."""
        return {"hello": self.hello, "load": self.load, "segment": self.segment, "analyse": self.analyse}

    def hello(self, request: Message, progress: Progress) -> Answer:
        """Versions and the process id; with `devices: true` also the devices, for which torch has to be imported."""
        body: dict[str, Any] = versions()
        if request.body.get("devices"):
            self._imports.result()
            body["devices"] = devices()
        return Answer(body)

    def load(self, request: Message, progress: Progress) -> Answer:
        """Load what a following `segment` or `analyse` needs, so that what is wrong with the options is said once.

        Body: the options, `command`, and `first`: the first image, which is read meanwhile.
        """
        options = _options(request)
        if request.body.get("first"):
            self._read_ahead(path_in(request.body, "first"), options)
        progress("load", 0.0, "Loading the models")
        if isinstance(options, AnalysisOptions):
            self._models.check(options.model)  # before torch is there: what is wrong with a model is said at once
        self._imports.result()
        if isinstance(options, AnalysisOptions):
            self._models.classifier(options.model, options.device, options.precision)
        progress("load", 0.6, "Loading the models")
        self._models.gate()
        if not options.masks:
            self._models.segmenter(options.segmenter, options.device)
        return Answer()

    def segment(self, request: Message, progress: Progress) -> Answer:
        """Body: `path`, `out`, `next` and the options of `ReadingOptions`. Writes masks.seg.nrrd and overlay.png."""
        from OsteoScreenLib.exchange.results import write_segmentation

        options = options_from(ReadingOptions, request.body)
        out = path_in(request.body, "out")
        clock = Clock()
        radiograph, masks = self._read_and_draw(request, options, progress, clock)
        self._read_next(request, options)
        progress("write", 0.7, "Writing the results")
        with self._guard_writing:
            prepare_folder(out)
            files = write_segmentation(out, radiograph, masks)
        clock.lap("write")
        body = {
            "bones": list(masks.names),
            "method": masks.method,
            "notes": [asdict(note) for note in radiograph.notes],
            "files": {name: str(path) for name, path in files.items()},
            "seconds": clock.seconds,
        }
        return Answer(body, _arrays(request, radiograph, masks))

    def analyse(self, request: Message, progress: Progress) -> Answer:
        """Body: `path`, `out`, `next` and the options of `AnalysisOptions`. Writes the four result files."""
        from OsteoScreenLib.exchange.overlay import banner
        from OsteoScreenLib.exchange.results import write_analysis
        from OsteoScreenLib.explain.analyse import analyse

        options = options_from(AnalysisOptions, request.body)
        out = path_in(request.body, "out")
        clock = Clock()
        radiograph, masks = self._read_and_draw(request, options, progress, clock)
        classifier = self._models.classifier(options.model, options.device, options.precision)
        self._read_next(request, options)

        def within(share: float, words: str) -> None:
            progress("analyse", 0.4 + 0.4 * share, words[:1].upper() + words[1:])

        analysis = analyse(radiograph, masks, classifier, analysis_request(options), within)
        clock.lap("analyse")
        progress("write", 0.8, "Writing the results")
        stages = {stage: clock.seconds[stage] for stage in ("read", "gate", "segment")}
        with self._guard_writing:
            prepare_folder(out)
            files = write_analysis(out, analysis, radiograph, masks, stages)
        clock.lap("write")
        prediction = analysis.prediction
        body = {
            "decision": prediction.decision,
            "probabilities": dict(prediction.probabilities),
            "target": options.target,
            "model": analysis.model.id,
            "notice": banner(analysis.model.simulated_training),
            "device": analysis.provenance.device,
            "precision": analysis.provenance.precision,
            "bones": list(masks.names),
            "notes": [asdict(note) for note in analysis.notes],
            "files": {name: str(path) for name, path in files.items()},
            "seconds": clock.seconds,
            "peak_memory_bytes": peak_memory_bytes(),
        }
        arrays = _arrays(request, radiograph, masks)
        if arrays and analysis.saliency is not None:
            arrays["saliency"] = analysis.saliency.grid
        return Answer(body, arrays)

    def _read_and_draw(
        self, request: Message, options: ReadingOptions, progress: Progress, clock: Clock
    ) -> tuple[Radiograph, BoneMasks]:
        """The upright radiograph of a frontal chest and its bones; refuses every other image."""
        from OsteoScreenLib.bones.gate import apply_gate, require_frontal_chest

        path = path_in(request.body, "path")
        progress("read", 0.05, "Reading the image")
        radiograph, clock.seconds["read"] = self._radiograph(path, options)
        self._imports.result()
        clock.lap("wait")
        progress("gate", 0.15, "Checking the image")
        report = self._models.gate().inspect(radiograph)
        require_frontal_chest(radiograph, report)
        radiograph = apply_gate(
            radiograph,
            report,
            keep_orientation=options.rotate is not None or options.flip is not None,
            keep_polarity=options.invert is not None,
        )
        clock.lap("gate")
        progress("segment", 0.25, "Drawing the bones")
        masks = self._bones(radiograph, options)
        clock.lap("segment")
        return radiograph, masks

    def _bones(self, radiograph: Radiograph, options: ReadingOptions) -> BoneMasks:
        if options.masks:
            from OsteoScreenLib.bones.segnrrd import read_seg_nrrd

            return read_seg_nrrd(Path(options.masks), radiograph)
        return self._models.segmenter(options.segmenter, options.device).segment(radiograph)

    def _radiograph(self, path: Path, options: ReadingOptions) -> tuple[Radiograph, float]:
        """The image and the seconds its reading took, which may have been spent while something else ran."""
        ahead, self._ahead = self._ahead, None
        if ahead is None or ahead.key != _reading_key(path, options):
            ahead = Ahead(_reading_key(path, options), _reader(path, options))
        radiograph: Radiograph = ahead.result()
        return radiograph, round(ahead.seconds, 4)

    def _read_ahead(self, path: Path, options: ReadingOptions) -> None:
        self._ahead = Ahead(_reading_key(path, options), _reader(path, options))

    def _read_next(self, request: Message, options: ReadingOptions) -> None:
        if request.body.get("next"):
            self._read_ahead(path_in(request.body, "next"), options)


def analysis_request(options: AnalysisOptions) -> AnalysisRequest:
    """The request that `explain` takes. A wrong word is refused there, in one sentence."""
    from OsteoScreenLib.explain.analysis import AnalysisRequest

    return AnalysisRequest(
        target=options.target,
        cover=options.cover,
        mode=options.mode,  # type: ignore[arg-type]
        fill=options.fill,  # type: ignore[arg-type]
        dilation_px=options.margin_px,
        dilation_mm=options.margin_mm,
        seed=options.seed,
    )


class Clock:
    """Seconds spent in each stage."""

    def __init__(self) -> None:
        self._last = time.perf_counter()
        self.seconds: dict[str, float] = {}

    def lap(self, stage: str) -> None:
        """The time since the last lap was `stage`."""
        now = time.perf_counter()
        self.seconds[stage] = round(self.seconds.get(stage, 0.0) + now - self._last, 4)
        self._last = now


def _options(request: Message) -> ReadingOptions:
    command = request.body.get("command")
    if command not in {"segment", "analyse"}:
        raise InputError(f"There is no command '{command}' to load for.", code="option")
    return options_from(AnalysisOptions if command == "analyse" else ReadingOptions, request.body)


def _reading_key(path: Path, options: ReadingOptions) -> tuple[Any, ...]:
    return path, options.rotate, options.flip, options.invert


def _reader(path: Path, options: ReadingOptions) -> Callable[[], Radiograph]:
    def read() -> Radiograph:
        from OsteoScreenLib.radiograph.read import read_radiograph

        return read_radiograph(path, rotate=options.rotate, flip=options.flip, invert=options.invert)

    return read


def _arrays(request: Message, radiograph: Radiograph, masks: BoneMasks) -> dict[str, np.ndarray]:
    return {"pixels": radiograph.pixels, "layers": masks.layers} if request.body.get("arrays") else {}
