"""What the panel's buttons call: one worker, one request at a time, the reader's questions before everything that can wait.

Nothing here blocks: requests go out through threads of the client, answers are taken by `poll`, which a timer calls.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import partial
from itertools import count

from OsteoScreenLib.errors import OsteoScreenError
from OsteoScreenLib.explain.overlap import Overlap
from OsteoScreenLib.explain.saliency import SaliencyMap
from OsteoScreenLib.explain.saliency_methods import SALIENCY_METHODS
from OsteoScreenLib.workbench import messages
from OsteoScreenLib.workbench.answers import Answers, Question, asked
from OsteoScreenLib.workbench.desk_events import DeskEvents
from OsteoScreenLib.workbench.desk_nouns import DeskCase, Request, State
from OsteoScreenLib.workbench.fetches import Fetched, Fetches
from OsteoScreenLib.workbench.patches import Patches
from OsteoScreenLib.workbench.progress import JobProgress
from OsteoScreenLib.workbench.reading import ImageSource, Reading, Result
from OsteoScreenLib.workbench.toggles import Toggles
from OsteoScreenLib.workbench.waiting import Waiting
from OsteoScreenLib.workbench.warm_up import WarmUp
from OsteoScreenLib.workbench.worker_client import WorkerClient
from OsteoScreenLib.worker.protocol import Message
from OsteoScreenLib.worker.requests import AnalysisOptions

YIELD_SECONDS = 0.004  # given to the client's threads, which inside Slicer run only while the window's thread sleeps
POLL_SECONDS = 0.01  # after which a poll hands back, however much has arrived
CANCEL_SECONDS = 0.05  # what cancelling waits for the end of the process, which takes place in the background
BUSY = "The last request is still running; cancel it or wait for it."
TWICE = "twice in a row; it is not tried again by itself, so switch another bone or press Analyse"
SHOWING = "drawing what the model is shown"
NO_STORED_ANSWER = (
    "No answer to this was stored with the study: there are answers for one bone, one group or all bones at a time, in both modes, "
    "with the fill and margin as they are at first."
)
NO_STORED_MAP = "This heatmap was not stored with the study; choose the way of drawing that was there at first."
_NOT_HELD: tuple[str, tuple[str, ...], int | None] = ("", (), None)


class Desk(DeskEvents):
    """Jobs, questions and their answers. Listen to its events, call `poll` from a timer.

    client : of the worker, which belongs to the desk from now on. answers : where numbers are kept.
    """

    def __init__(self, client: WorkerClient, answers: Answers | None = None) -> None:
        super().__init__()
        self.answers = answers if answers is not None else Answers()
        self._client = client
        self._closed = False
        self._in_flight: Request | None = None
        self._job: Request | None = None
        self._case: DeskCase | None = None
        self._held = _NOT_HELD  # token, key and process of the case that the worker holds
        self._moved: tuple[str, str] | None = None  # device and precision to which the worker had to go over
        self._tokens = (f"case {number}" for number in count(1))
        self._waiting = Waiting(self.answers)
        self._warm_up = WarmUp(self)
        self._fetches = Fetches()
        self._crashes = 0  # in a row
        self._patches = Patches()
        self._maps: dict[tuple[str, ...], SaliencyMap] = {}
        self._overlaps: dict[tuple[str, ...], tuple[Overlap, ...]] = {}
        self._progress: JobProgress | None = None

    @property
    def state(self) -> State:
        """What the worker is doing."""
        return self._in_flight.state if self._in_flight is not None else "idle"

    @property
    def busy(self) -> bool:
        """A job that the reader waits for runs: open, analyse, save, add a model. Questions and sweeps do not count."""
        return self._job is not None

    @property
    def asking(self) -> bool:
        """Something is being computed, or waits for it; controls do not count."""
        ahead = self._in_flight is not None and self._in_flight.state not in {"controls", "fetching"}
        return ahead or self._waiting.question is not None or self._waiting.sweeping

    @property
    def sweeping(self) -> bool:
        """Questions of the sweep are still open."""
        return self._waiting.sweeping

    @property
    def controls_open(self) -> bool:
        """Controls are being computed, or wait for it."""
        return self.state == "controls" or self._waiting.controls_open

    @property
    def drawing(self) -> bool:
        """A heatmap is being made or measured, or waits for it."""
        return self.state == "explaining" or self._waiting.heatmap is not None

    # Jobs

    def open(self, source: ImageSource) -> None:
        """Read an image; `opened` tells of it."""
        body, arrays = messages.image_request(source)
        job = Request("opening", "read", partial(self._on_opened, source), f"reading {source.name}", body, arrays, job=True)
        self._begin(job, f"Reading {source.name}")

    def fetch(self, source: ImageSource, done: Fetched, ahead: bool = False) -> None:
        """Read an image for someone else than the case on the table: `done` is told, and no event is.

        ahead : of its time, when nothing else is asked. A newer wish takes the place of an older one of its kind; the `done` of
        that one may not be called.
        """
        self._fetches.ask(source, done, ahead)
        self._next()

    def analyse(self, source: ImageSource, options: AnalysisOptions) -> bool:
        """Read, segment, classify and explain; `analysed` tells of it. False when another job is running."""
        if self.busy:
            return False
        body, arrays = messages.image_request(source)
        body = {**messages.options_request(options), **body, "case": (token := next(self._tokens))}
        answered = partial(self._on_analysed, token, source, options)
        job = Request("analysing", "examine", answered, f"analysing {source.name}", body, arrays, job=True)
        return self._begin(job, f"Analysing {source.name}")

    def save(
        self,
        folder: str,
        toggles: Toggles,
        tables: Mapping[str, str] | None = None,
        dicom: bool = False,
        text: str = "refuse",
    ) -> None:
        """Write the result files of the attached case as it is switched; `saved` tells of them.

        tables : file name → text of files that are to lie beside the others. dicom : the objects for a PACS too. text : what
        becomes of text in the pictures; as long as it is "refuse", `text_found` tells of such, and nothing is written.
        """
        if self._case is None:
            self.failed.emit("There is nothing to save yet; press Analyse first.", "")
            return
        body = messages.save_request(folder, self._case.result, toggles, tables or {}, dicom, text)
        job = Request(
            "saving",
            "save",
            self._on_saved,
            "writing the results",
            body,
            job=True,
            needs_case=True,
            refused=self._on_save_refused,
        )
        self._begin(job, "Writing the results")

    def read_masks(self, path: str) -> None:
        """Read bone masks from a file for the attached case; `masks_read` tells of them."""
        if self._case is None:
            self.failed.emit("There is no case that masks could belong to; press Analyse first.", "")
            return
        job = Request("opening", "import-masks", self._on_masks, "reading the masks", {"path": path}, job=True, needs_case=True)
        self._begin(job, "Reading the masks")

    def add_model(self, folder: str) -> None:
        """Verify a model bundle and copy it to the user's models; `model_added` tells its id and title."""
        job = Request("adding", "add-model", self._on_model_added, "adding a model", {"folder": folder}, job=True)
        self._begin(job, "Checking and copying the model")

    def simulate(self, body: messages.Body, arrays: messages.Arrays) -> None:
        """Make a radiograph from a CT and its structures (see `messages.simulate_request`); `simulated` tells its file."""
        doing = f"simulating a radiograph from {body['name']}"
        job = Request("simulating", "simulate", self._on_simulated, doing, body, arrays, job=True)
        self._begin(job, f"Simulating a radiograph from {body['name']}")

    def cancel(self) -> None:
        """Stop the job; the attached case stays. Without a job, stop what goes on in the background."""
        if self._job is None:
            self._waiting.clear()
            return
        if self._in_flight is not None and self._in_flight.job:
            self._end_worker()
            self._start()
        self.logged.emit(f"Cancelled: {self._job.doing}.")
        self._end_job()

    # The case and its questions

    def attach(self, case_token: str, reading: Reading, result: Result, options: AnalysisOptions) -> None:
        """From now on questions, heatmaps and results are about this case. The worker takes it in when it is first needed.

        case_token : names the case in the log. options : with which classifier; the result says on which device.
        """
        case = DeskCase.of(reading, result, options)
        if self._case is None or case.key != self._case.key:
            self._waiting.clear()
            self._crashes = 0
            self.logged.emit(f"Case {case_token[:8]} ({reading.source.name}) is on the table.")
        self._case = case
        for saliency, overlap in ((result.saliency, result.overlap), *result.maps):
            if saliency is not None:
                about = saliency.target, saliency.method
                self._maps[case.map_key(*about)] = saliency
                if overlap:
                    self._overlaps[case.overlap_key(*about)] = overlap

    def detach(self) -> None:
        """No case is on the table."""
        self._waiting.clear()
        self._case = None
        self._maps.clear()
        self._overlaps.clear()

    def ask(self, question: Question, want_patch: bool) -> None:
        """Ask before everything in the background; an older question without an answer is dropped.

        want_patch : `covered` tells what the model is shown, at once when it was shown lately.
        """
        one = asked(question)
        if self._case is None or not self._case.concerns(one):
            return
        if self._case.result.stored and not self.answers.settled(one):
            self._waiting.question = None
            self.not_stored.emit(NO_STORED_ANSWER)
            return
        patch = self._patches.get(one) if want_patch else None
        self._waiting.ask(one, patch_missing=want_patch and not one.untouched and patch is None)
        self._next()
        if patch is not None:
            self.covered.emit(one, patch)

    def sweep(self, questions: Iterable[Question], controls: Iterable[Question] = ()) -> None:
        """Ask these one after another while nothing else is asked. Takes the place of the last sweep.

        controls : asked after all else, and taken from the iterable only then.
        """
        case = None if self._case is None or self._case.result.stored else self._case
        first, last = ((one for one in map(asked, some) if case and case.concerns(one)) for some in (questions, controls))
        self._waiting.sweep(first, last)
        self._next()

    def explain(self, target: str, method: str) -> None:
        """The heatmap for a class by a method's key, and its overlap; `explained` tells of them, at once when they are known."""
        if self._case is None:
            return
        about = target, SALIENCY_METHODS[method].title
        known, overlap = self._maps.get(self._case.map_key(*about)), self._overlaps.get(self._case.overlap_key(*about))
        there = known is not None and overlap is not None
        if not there and self._case.result.stored:
            self._waiting.heatmap = None
            self.not_stored.emit(NO_STORED_MAP)
            return
        self._waiting.heatmap = None if there else (target, method)
        self._next()
        if known is not None and overlap is not None:
            self.explained.emit(known, overlap)

    # The process

    def warm_up(self, options: AnalysisOptions | None = None) -> None:
        """Start the process, ask for its devices when its libraries are there, and then load the models of `options` if given."""
        self._start()
        self._warm_up.begin(options)

    def release(self) -> None:
        """End the process, which gives the model's memory back; the next question or job starts it again."""
        self._waiting.clear()
        self._warm_up.stop()
        self._end_worker()
        self._end_job()

    def close(self) -> None:
        """End everything; no process is left. Safe to call twice."""
        self._closed = True
        self._waiting.clear()
        if self.state == "saving":
            self._end_worker()
        self._in_flight = self._job = None
        self._client.close()

    def poll(self) -> None:
        """Take what has arrived and send what is next. To be called every few tens of milliseconds."""
        until = time.monotonic() + YIELD_SECONDS + POLL_SECONDS
        self._next()
        if self._in_flight is not None:
            time.sleep(YIELD_SECONDS)
        while self._in_flight is not None:
            try:
                answer = self._client.poll(self._on_progress)
            except OsteoScreenError as error:
                self._on_fault(error)
            else:
                if answer is None:
                    break
                self._on_answer(answer)
            self._next()
            if time.monotonic() > until:
                break
        if self._progress is not None:
            self._progress.tick()

    # What is sent next

    def _begin(self, job: Request, sentence: str) -> bool:
        if self._job is not None or self._closed:
            self.failed.emit(BUSY, "")
            return False
        self._job, self._progress = job, (progress := JobProgress(self.progressed.emit, sentence))
        self.busy_changed.emit(True)
        progress.tick()
        self._next()
        return True

    def _end_job(self) -> None:
        if self._job is not None:
            self._job = self._progress = None
            self.busy_changed.emit(False)

    def _next(self) -> None:
        """Send the most urgent request unless one is on its way."""
        request = None if self._in_flight is not None or self._closed else self._most_urgent()
        if request is None:
            return
        if request.needs_case:
            if self._case is None:  # it left the table while results were to be saved
                return self._end_job()
            token, key, process = self._held
            if key != self._case.key or process is None or process != self._client.process_id:
                request = self._hold(self._case, request)
            else:
                request = replace(request, body={**request.body, "case": token})
        self._in_flight = request
        try:
            self._client.submit(request.kind, request.body, request.arrays, request.doing)
        except OsteoScreenError as error:
            self._on_fault(error)

    def _most_urgent(self) -> Request | None:
        if self._job is not None:
            return self._job
        if self._fetches.wanted is not None:
            return self._fetches.wanted
        if self._waiting.question is not None:
            if self._case is not None and self._case.result.stored:
                return self._show(self._case, self._waiting.question)
            return self._cover((self._waiting.question,), self._waiting.with_patch)
        if self._waiting.heatmap is not None:
            return self._explain(self._case, *self._waiting.heatmap)
        if self._fetches.ahead is not None:
            return self._fetches.ahead
        if batch := self._waiting.batch():
            return self._cover(batch, False)
        if request := self._warm_up.next_request():
            return request
        return self._cover(batch, False, "controls") if (batch := self._waiting.controls()) else None

    def _cover(self, questions: tuple[Question, ...], patch: bool, state: State = "covering") -> Request:
        body, words = messages.cover_request(questions, patch), "computing what covered bones change"
        answered = partial(self._on_covered, questions)
        return Request(state, "cover", answered, words, body, needs_case=True, questions=questions)

    def _show(self, case: DeskCase, question: Question) -> Request:
        """The picture alone, which needs no model."""
        body, arrays = messages.show_request(case.reading, case.result, question)
        return Request("covering", "show", partial(self._on_shown, question), SHOWING, body, arrays, questions=(question,))

    def _explain(self, case: DeskCase | None, target: str, method: str) -> Request:
        title = SALIENCY_METHODS[method].title
        known = None if case is None else self._maps.get(case.map_key(target, title))
        body, arrays = messages.explain_request(target, method, known)
        answered, words = partial(self._on_explained, case, (target, method)), f"computing {title} for {target}"
        return Request("explaining", "explain", answered, words, body, arrays, needs_case=True)

    def _hold(self, case: DeskCase, wanted: Request) -> Request:
        """Let the worker take the case in, before the request that needs it."""
        token, (device, precision) = next(self._tokens), self._moved or (case.result.device, case.result.precision)
        body, arrays = messages.hold_request(token, case.reading, case.result, case.options, device, precision)
        return Request("holding", "hold", partial(self._on_held, token, case), wanted.doing, body, arrays, job=wanted.job)

    # What comes back

    def _on_answer(self, answer: Message) -> None:
        request, self._in_flight = self._in_flight, None
        assert request is not None
        self._fetches.settle(request)
        if request.state != "holding":
            self._crashes = 0
            if request.job:
                self._end_job()
        request.answered(answer)

    def _on_opened(self, source: ImageSource, answer: Message) -> None:
        self.opened.emit(messages.reading_from(source, answer))

    def _on_analysed(self, token: str, source: ImageSource, options: AnalysisOptions, answer: Message) -> None:
        reading, result = messages.reading_from(source, answer), messages.result_from(answer)
        self._held = (token, DeskCase.of(reading, result, options).key, self._client.process_id)
        self.analysed.emit(reading, result)

    def _on_saved(self, answer: Message) -> None:
        self.saved.emit({str(name): str(path) for name, path in answer.body["files"].items()})

    def _on_save_refused(self, error: OsteoScreenError) -> None:
        if getattr(error, "code", "") == "text-found":
            self.text_found.emit(str(error).partition(";")[0])  # what follows is for the command line
        else:
            self.failed.emit(str(error), getattr(error, "details", ""))

    def _on_masks(self, answer: Message) -> None:
        self.masks_read.emit(messages.masks_from(answer))

    def _on_model_added(self, answer: Message) -> None:
        self.model_added.emit(str(answer.body["id"]), str(answer.body["title"]))

    def _on_simulated(self, answer: Message) -> None:
        self.simulated.emit(str(answer.body["path"]))

    def _on_covered(self, questions: tuple[Question, ...], answer: Message) -> None:
        device, precision = str(answer.body["device"]), str(answer.body["precision"])
        if messages.computed_on(device, precision) != questions[0].computed_on:
            # The device ran out of memory: the untouched answer has to come from the same place as the others.
            self._held, self._moved = _NOT_HELD, (device, precision)
            return
        patch = messages.patch_from(answer)
        for question, one in zip(questions, messages.answers_from(answer), strict=True):
            self.answers.put(question, one)
        if patch is not None:
            self._patches.put(questions[-1], patch)
        self._waiting.settle(questions[-1], patch is not None)
        self._waiting.took(float(answer.body["seconds"]), len(questions))
        self.answered.emit(all(question.draw for question in questions))
        if patch is not None:
            self.covered.emit(questions[-1], patch)

    def _on_shown(self, question: Question, answer: Message) -> None:
        self._waiting.settle(question, True)
        patch = messages.patch_from(answer)
        if patch is not None:
            self._patches.put(question, patch)
            self.covered.emit(question, patch)

    def _on_explained(self, case: DeskCase | None, asked_for: tuple[str, str], answer: Message) -> None:
        saliency, overlap = messages.saliency_from(answer), messages.overlap_from(answer.body["overlap"])
        if asked_for == self._waiting.heatmap:
            self._waiting.heatmap = None
        if saliency is None or case is None or self._case is None or case.key != self._case.key:
            return
        about = saliency.target, saliency.method
        self._maps[case.map_key(*about)], self._overlaps[case.overlap_key(*about)] = saliency, overlap
        self.explained.emit(saliency, overlap)

    def _on_held(self, token: str, case: DeskCase, answer: Message) -> None:
        self._moved = None
        taken = case.taken_in(answer)
        if self._case is None or self._case.key != case.key:  # another case has come to the table meanwhile
            if taken is not None:
                self._held = (token, taken.key, self._client.process_id)
            return
        if taken is None:
            self.detach()
            self._end_job()
            name = case.result.model.title
            self.failed.emit(f"{name} answers otherwise than when this case was analysed; press Analyse again.", "")
            return
        self._held = (token, taken.key, self._client.process_id)
        if taken is case:
            return
        self._waiting.clear()
        self._case = taken
        self.logged.emit(f"The model now runs on {taken.computed_on}; the answer was computed again there.")
        self.analysed.emit(taken.reading, taken.result)

    def _on_progress(self, stage: str, fraction: float, sentence: str) -> None:
        if self._progress is not None and self._in_flight is not None and self._in_flight.job:
            self._progress.reached(fraction, sentence)

    # What goes wrong

    def _on_fault(self, error: OsteoScreenError) -> None:
        request, self._in_flight = self._in_flight, None
        if request is None:
            return
        code, details = getattr(error, "code", "fault"), getattr(error, "details", "")
        ended = code in {"ended", "protocol"}
        if ended or code == "no-case":
            self._held = _NOT_HELD
            self._crashes += 1
            if code == "no-case" and self._crashes < 2:
                return  # still wanted, so the case is handed over first
        if request.job and request.refused is not None and not ended:
            self._end_job()
            request.refused(error)
        elif request.refused is not None and not request.job:
            if not ended or self._crashes > 1:  # after one crash it is asked again
                self._crashes = 0
                self._fetches.settle(request)
                request.refused(error)
        elif request.job:
            if ended:
                self._start()
            self._end_job()
            self.failed.emit(str(error), details)
        elif request.state in {"greeting", "loading"}:
            self._warm_up.stop()
            self.logged.emit(str(error))
        else:
            self._on_question_fault(request, error, ended, details)

    def _on_question_fault(self, request: Request, error: OsteoScreenError, ended: bool, details: str) -> None:
        """A question is asked once more after a crash; after a second one, or when it is refused, it is dropped."""
        happened = getattr(error, "happened", str(error).rstrip("."))
        mendable = ended and getattr(error, "mendable", True)
        if mendable and self._crashes < 2:
            self.failed.emit(f"{happened}; it is started again and goes on by itself.", details)
            return
        self._crashes = 0
        if ended or request.state == "holding":
            self._waiting.clear()
        elif request.state == "explaining":
            self._waiting.heatmap = None
        else:
            self._waiting.drop(request.questions)
        self.failed.emit(f"{happened}, {TWICE}." if mendable else str(error), details)

    def _start(self) -> None:
        try:
            self._client.start()
        except OsteoScreenError as error:
            self.logged.emit(str(error))

    def _end_worker(self) -> None:
        """End the process in the background; a file that it is writing is finished."""
        self._client.cancel(CANCEL_SECONDS, finish_files=self.state == "saving")
        self._in_flight, self._held = None, _NOT_HELD
