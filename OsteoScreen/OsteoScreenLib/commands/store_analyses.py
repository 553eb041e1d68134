"""The model's results of the cases of a study, stored for readers who have no model: one line or one JSON entry a case."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from OsteoScreenLib import __version__
from OsteoScreenLib.commands import bars, failures
from OsteoScreenLib.errors import InputError, OsteoScreenError
from OsteoScreenLib.review import analyses
from OsteoScreenLib.review.nouns import Protocol, ReviewCase
from OsteoScreenLib.review.study import ReviewStudy, is_study, open_study
from OsteoScreenLib.workbench import stored_case
from OsteoScreenLib.workbench.analysing import analyse_fully
from OsteoScreenLib.workbench.reading import ImageSource
from OsteoScreenLib.workbench.worker_client import WorkerClient, WorkerEnded
from OsteoScreenLib.worker import model_folders
from OsteoScreenLib.worker.requests import AnalysisOptions

_PARTS = 100  # of a case, for its bar


@dataclass(frozen=True)
class Outcome:
    """What became of one case. status : "stored", "there" (it had been stored before), "refused" for the user to mend, or "failed"."""

    case: str
    status: str
    sentence: str = ""
    code: str = ""
    bones: int = 0
    seconds: float = 0.0

    def as_json(self) -> dict[str, Any]:
        """Its entry in the JSON document; nothing in it tells what the model said."""
        return {key: value for key, value in asdict(self).items() if value or key in {"case", "status"}}

    def as_line(self) -> str:
        """Its line on the terminal; nothing in it tells what the model said, for a reader may be looking."""
        return f"{self.case}: {self.sentence or f'stored ({self.bones} bones, {self.seconds:.1f} s)'}"


def analyse_images(
    folder: Path, images: Sequence[Path], options: AnalysisOptions, *, as_json: bool = False, debug: bool = False
) -> int:
    """Store the results of these images in the study in `folder`; a new one, with de-identified copies, where there is none yet."""
    left_out: list[str] = []
    if is_study(folder):
        study = open_study(folder)
        cases = [_case_of(study, image) for image in images]
    else:
        from OsteoScreenLib.review.creating import create_study
        from OsteoScreenLib.review.sources import read_sources

        protocol = Protocol("Reader study", site=model_folders.site_of(options.model).name, target=options.target)
        sources = read_sources(images)
        left_out += sources.left_out
        study = create_study(folder, protocol, sources.cases, copy=True, left_out=left_out.append)
        cases = list(study.cases)
    for sentence in left_out:
        print(sentence, file=sys.stderr)
    code = run(study, cases, options, as_json=as_json, debug=debug)
    return failures.WRONG_INPUT if left_out and code == failures.DONE else code


def run(
    study: ReviewStudy,
    cases: Sequence[ReviewCase],
    options: AnalysisOptions,
    *,
    controls: bool = True,
    replace: bool = False,
    as_json: bool = False,
    debug: bool = False,
    client: WorkerClient | None = None,
) -> int:
    """Store the results of these cases and print what became of each. Returns the exit code.

    client : a process to use instead of a new one; it is closed at the end.
    Raises `OsteoScreenError` for what is wrong before any image is read.
    """
    site = model_folders.site_of(options.model)
    if site.name != study.protocol.site:
        raise InputError(
            f"The model {options.model} reads {site.name}, and the study is of {study.protocol.site}; choose a model for it with --model.",
            code="model-site",
        )
    request = _request(options, controls)
    analyses.claim(study.folder, request, replace)
    there = analyses.analysed(study.folder)
    outcomes = [Outcome(case.id, "there") for case in cases if case.id in there]
    missing = [case for case in cases if case.id not in there]
    if outcomes and not as_json:
        print(f"{len(outcomes)} of {len(cases)} cases were stored before.", flush=True)
    with client or WorkerClient(log=failures.log_file()) as client, bars.Shown(not as_json) as tell:
        for number, case in enumerate(missing, start=1):
            outcome = _one(client, study, case, options, controls, request, tell or bars.silent, debug)
            outcomes.append(outcome)
            if not as_json:
                print(outcome.as_line(), flush=True)
            if tell is not None:
                tell("Cases", number, len(missing))
    if as_json:
        entries = [outcome.as_json() for outcome in outcomes]
        print(
            json.dumps(
                {"osteoscreen": __version__, "command": "review analyse", "request": request, "cases": entries}, indent=2
            )
        )
    statuses = {outcome.status for outcome in outcomes}
    if "failed" in statuses:
        return failures.OUR_FAULT
    return failures.WRONG_INPUT if "refused" in statuses else failures.DONE


def _one(
    client: WorkerClient,
    study: ReviewStudy,
    case: ReviewCase,
    options: AnalysisOptions,
    controls: bool,
    request: Mapping[str, Any],
    tell: bars.Tell,
    debug: bool,
) -> Outcome:
    """One case. A process that ends on the way is started once more; after that the case is left for the next run."""
    began = time.perf_counter()

    def progress(share: float, words: str) -> None:
        tell("This case", int(_PARTS * share), _PARTS, f"{case.id}: {words}")

    for attempt in range(2):
        try:
            source = ImageSource(case.id, path=str(study.image_path(case)))
            found = analyse_fully(client, source, options, controls, progress)
            stored_case.store(study.folder, case.id, found.opened, found.case, found.maps, request)
            return Outcome(case.id, "stored", bones=len(found.case.found), seconds=time.perf_counter() - began)
        except WorkerEnded as error:
            if attempt == 0 and error.mendable:
                continue
            failure: OsteoScreenError = error
        except OsteoScreenError as error:
            failure = error
        break
    if debug:
        failures.show_traceback(failure)
    status = "refused" if isinstance(failure, InputError) else "failed"
    return Outcome(case.id, status, failures.sentence_of(failure), getattr(failure, "code", "fault"))


def _request(options: AnalysisOptions, controls: bool) -> dict[str, Any]:
    """What decides the results, and so what all cases of a study have in common. Device and precision do not: each case tells its own."""
    from OsteoScreenLib.bundle import open_bundle
    from OsteoScreenLib.classifier.model_bundle import ModelBundle

    bundle = open_bundle(model_folders.find_model(options.model, "classifier"), "classifier")
    return {
        "model": bundle.id,
        "bundle_sha256": bundle.sha256,
        "simulated_training": ModelBundle.from_bundle(bundle).simulated,
        "segmenter": options.segmenter,
        "target": options.target,
        "saliency": options.saliency,
        "controls": controls,
    }


def _case_of(study: ReviewStudy, image: Path) -> ReviewCase:
    """The case of a study that an image is."""
    case = study.case_of_image(image)
    if case is None:
        raise InputError(
            f"{image.name} is no case of this study, which was fixed when it was made; make another study with it.",
            code="no-case",
        )
    return case
