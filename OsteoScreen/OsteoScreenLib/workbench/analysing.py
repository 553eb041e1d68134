"""All that the panel asks about one radiograph as long as nothing is chosen otherwise, asked at once and without a panel."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from OsteoScreenLib.classifier.prediction import TARGETS
from OsteoScreenLib.errors import OsteoScreenError
from OsteoScreenLib.explain.covering import MODES
from OsteoScreenLib.explain.overlap import Overlap
from OsteoScreenLib.explain.saliency import SaliencyMap
from OsteoScreenLib.workbench import messages
from OsteoScreenLib.workbench.answers import Answers, Question
from OsteoScreenLib.workbench.case import Case
from OsteoScreenLib.workbench.reading import ImageSource, Reading
from OsteoScreenLib.workbench.worker_client import WorkerClient
from OsteoScreenLib.worker.requests import NO_SALIENCY, AnalysisOptions

Progress = Callable[[float, str], None]
"""Called with the share done, 0 to 1, and what is being done."""

BATCH = 64  # pictures a request: few enough for progress to move
_EXAMINED, _SWEPT = 0.15, 0.95  # shares of the progress
_TOKEN = "analysed for a study"


class _Moved(Exception):
    """The device ran out of memory, and the worker went over to another one (device, precision)."""


@dataclass(frozen=True)
class Analysed:
    """opened : the image as it is read without a model. case : with its result, and an answer to every question of its table.

    maps : heatmaps for the classes that the result's own is not about, each with its overlap.
    """

    opened: Reading
    case: Case
    maps: tuple[tuple[SaliencyMap, tuple[Overlap, ...]], ...]


def analyse_fully(
    client: WorkerClient, source: ImageSource, options: AnalysisOptions, controls: bool = True, progress: Progress | None = None
) -> Analysed:
    """Examine an image, then cover every bone, every group and all bones in both modes, and draw the heatmap for each class.

    controls : compare each of them with its controls, as the table's percentiles and the verdict need it; that is by far the most of
    the work. Raises `OsteoScreenError` in one sentence, `InputError` among them, as `WorkerClient.request` does.
    """
    for _ in range(2):
        try:
            return _analyse(client, source, options, controls, progress or _silent)
        except _Moved as moved:
            # Numbers of two devices are never put side by side.
            device, precision = moved.args
            options = replace(options, device=device, precision=precision)
    raise OsteoScreenError(f"The memory does not suffice for {source.name}; close other programs or choose the device cpu.")


def _analyse(
    client: WorkerClient, source: ImageSource, options: AnalysisOptions, controls: bool, progress: Progress
) -> Analysed:
    image, arrays = messages.image_request(source)
    doing = f"analysing {source.name}"
    progress(0.0, "Reading the image")
    opened = messages.reading_from(source, client.request("read", image, arrays, doing=doing))
    body = {**messages.options_request(options), **image, "case": _TOKEN}
    answer = client.request(
        "examine", body, arrays, doing=doing, on_progress=lambda _, share, words: progress(_EXAMINED * share, words)
    )
    case = Case(messages.reading_from(source, answer), Answers())
    case.take_result(case.reading, messages.result_from(answer))
    case.switch(case.toggles.with_changes(target=options.target))
    if case.found:
        _answer(client, case, _questions(case, controls), doing, progress)
    progress(_SWEPT, "Drawing heatmaps")
    maps = [] if options.saliency == NO_SALIENCY else [_map(client, case, target, doing) for target in TARGETS]
    progress(1.0, "Done")
    own = case.saliency.target if case.saliency is not None else ""
    return Analysed(opened, case, tuple(one for one in maps if one is not None and one[0].target != own))


def _questions(case: Case, controls: bool) -> list[Question]:
    asked = [question for mode in MODES for question in case.questions(mode)]
    drawn = [question for mode in MODES for question in case.table.controls(mode)] if controls else []
    return case.answers.missing([*asked, *drawn])


def _answer(client: WorkerClient, case: Case, questions: Sequence[Question], doing: str, progress: Progress) -> None:
    """Ask them, as many as can be asked in one request at a time."""
    done = 0
    for batch in _batches(questions):
        share = _EXAMINED + (_SWEPT - _EXAMINED) * done / len(questions)
        progress(share, "Comparing bones with controls" if batch[0].draw else "Covering bones one after another")
        answer = client.request("cover", {**messages.cover_request(batch, False), "case": _TOKEN}, doing=doing)
        device, precision = str(answer.body["device"]), str(answer.body["precision"])
        if messages.computed_on(device, precision) != batch[0].computed_on:
            raise _Moved(device, precision)
        for question, one in zip(batch, messages.answers_from(answer), strict=True):
            case.answers.put(question, one)
        done += len(batch)


def _batches(questions: Sequence[Question]) -> Iterator[list[Question]]:
    """Questions that differ in nothing but what is covered, and which control of it is meant."""
    alike: dict[Question, list[Question]] = {}
    for question in questions:
        alike.setdefault(replace(question, covered=frozenset(), draw=min(question.draw, 1)), []).append(question)
    for group in alike.values():
        for first in range(0, len(group), BATCH):
            yield group[first : first + BATCH]


def _map(client: WorkerClient, case: Case, target: str, doing: str) -> tuple[SaliencyMap, tuple[Overlap, ...]] | None:
    body, arrays = messages.explain_request(target, case.saliency_method.key, None)
    answer = client.request("explain", {**body, "case": _TOKEN}, arrays, doing=doing)
    saliency = messages.saliency_from(answer)
    return None if saliency is None else (saliency, messages.overlap_from(answer.body["overlap"]))


def _silent(share: float, words: str) -> None:
    """Tells nobody."""
