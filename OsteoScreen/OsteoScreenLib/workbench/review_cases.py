"""The radiographs of a reading session: the current one, the next one read ahead, and the model's results once they may be seen."""

from __future__ import annotations

from collections import OrderedDict
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial

from OsteoScreenLib.errors import InputError, OsteoScreenError
from OsteoScreenLib.events import Event
from OsteoScreenLib.review.nouns import ModelFacts, ReviewCase, Task
from OsteoScreenLib.review.session import Session
from OsteoScreenLib.workbench import stored_case
from OsteoScreenLib.workbench.desk import Desk
from OsteoScreenLib.workbench.reading import ImageSource, Reading
from OsteoScreenLib.workbench.stored_case import StoredCase

KEPT = 3  # radiographs in memory: the former one, the current one and the next one
_TELLING = ("path", "study_instance_uid", "series_instance_uid", "sop_instance_uid")  # of a radiograph's source


@dataclass(frozen=True)
class _Opened:
    """reading : nameless, as it lies when it is analysed. model : which one has analysed it; empty where none has."""

    reading: Reading
    model: ModelFacts


class ReviewCases:
    """Follows a session. The window's timer goes on calling `Desk.poll`, through which everything here comes.

    cleared : whatever lies on the table has to leave it now, and the scene: another task, or none, is current.
    ready : the radiograph of the session's task. Put it into the scene, then call `Session.shown`. It is named as the reader calls
        the task, and tells nothing of the file: no path, no UIDs, and no pseudonym by which a repeat would be known.
    answered : the stored results of the task on the table, which the reader may see from now on.
    unanswered : one sentence; the reader may see the model's results, but none are stored.
    """

    def __init__(self, session: Session, desk: Desk) -> None:
        self.cleared: Event[[]] = Event()
        self.ready: Event[[Reading]] = Event()
        self.answered: Event[[StoredCase]] = Event()
        self.unanswered: Event[[str]] = Event()
        self._session, self._desk = session, desk
        self._opened: OrderedDict[str, _Opened] = OrderedDict()  # by pseudonym, the one used last at the end
        self._reading: Reading | None = None  # on the table
        self._following = self._moved = False
        self._unfollow = session.changed.connect(self._on_changed)
        if session.task is not None:
            self._follow()

    @property
    def opening(self) -> bool:
        """The radiograph of the session's task is being read."""
        return self._session.task is not None and self._reading is None

    @property
    def reading(self) -> Reading | None:
        """The radiograph on the table."""
        return self._reading

    def close(self) -> None:
        """Follow no more and forget every radiograph."""
        self._unfollow()
        self._opened.clear()
        self._reading = None

    def _on_changed(self, part: str) -> None:
        if part == "case":
            self._follow()
        elif part == "phase":
            self._reveal()

    def _follow(self) -> None:
        """Open the session's task. Where that fails at once the session goes on to another one, which is opened in turn."""
        self._moved = True
        if self._following:
            return
        self._following = True
        try:
            while self._moved:
                self._moved, self._reading = False, None
                self.cleared.emit()
                if (task := self._session.task) is not None:
                    self._open(task)
        finally:
            self._following = False

    def _open(self, task: Task) -> None:
        opened = self._opened.get(task.case)
        if opened is not None:
            self._put_on_the_table(task, opened)
        else:
            try:
                self._fetch(task, ahead=False)
            except OsteoScreenError as error:
                self._session.cannot_open(task, _reason(error))

    def _fetch(self, task: Task, ahead: bool) -> None:
        session = self._session
        case = session.case_of(task)
        source = ImageSource(session.label(task), path=str(session.study.image_path(case)))
        self._desk.fetch(source, partial(self._on_fetched, case), ahead)

    def _on_fetched(self, case: ReviewCase, outcome: Reading | OsteoScreenError) -> None:
        task = self._session.task
        wanted = task if task is not None and task.case == case.id and self._reading is None else None
        try:
            if isinstance(outcome, OsteoScreenError):
                raise outcome
            opened = self._prepared(case, outcome)
        except OsteoScreenError as error:
            if wanted is not None:
                self._session.cannot_open(wanted, _reason(error))
            return
        self._opened[case.id] = opened
        while len(self._opened) > KEPT:
            self._opened.popitem(last=False)
        if wanted is not None:
            self._put_on_the_table(wanted, opened)

    def _prepared(self, case: ReviewCase, reading: Reading) -> _Opened:
        """Checked, nameless and upright."""
        source = dict(reading.facts.get("source") or {})
        if case.sha256 and source.get("sha256") != case.sha256:
            raise InputError("The file is not the one that the study was made with.", code="other-image")
        facts = {**reading.facts, "source": {**source, **dict.fromkeys(_TELLING, "")}}
        reading, model = replace(reading, facts=facts), ModelFacts()
        if self._session.protocol.mode != "alone":
            with suppress(OsteoScreenError):  # said when the results are to be shown
                reading = stored_case.upright(self._session.study.folder, case.id, reading)
                model = stored_case.facts(self._session.study.folder, case.id) or model
        return _Opened(reading, ModelFacts(model.model, model.bundle_sha256))

    def _put_on_the_table(self, task: Task, opened: _Opened) -> None:
        session = self._session
        self._opened.move_to_end(task.case)
        self._reading = replace(opened.reading, source=ImageSource(session.label(task)))
        session.set_model(task, opened.model)
        self.ready.emit(self._reading)
        if session.task != task or self._reading is None:
            return  # the reader has gone on meanwhile
        self._reveal()
        self._read_ahead()

    def _reveal(self) -> None:
        """Hand over the model's results if the reader may see them now."""
        session, task, reading = self._session, self._session.task, self._reading
        if task is None or reading is None or not session.model_visible:
            return
        try:
            stored = stored_case.load(session.study.folder, task.case, reading)
        except OsteoScreenError as error:
            self.unanswered.emit(str(error).replace(task.case, session.label(task)))
            return
        if stored is None:
            self.unanswered.emit(
                f"The model's results of {session.label(task)} are not stored; run 'osteoscreen review analyse' on the study."
            )
            return
        session.set_model(task, stored.model)
        self.answered.emit(stored)

    def _read_ahead(self) -> None:
        task = self._session.upcoming
        if task is not None and task.case not in self._opened:
            with suppress(OsteoScreenError):  # said when its turn comes
                self._fetch(task, ahead=True)


def _reason(error: OsteoScreenError) -> str:
    """Why a radiograph cannot be opened, without the name of its file, which the error's own sentence may hold."""
    code = getattr(error, "code", "")
    return {
        "gone": "its image is not there",
        "missing-file": "its image is not there",
        "other-image": "its image is not the one that the study was made with",
        "too-large": "its image is too large",
        "memory": "there is not enough memory for its image",
        "ended": "the process that reads images ended while reading it",
        "not-started": "the process that reads images could not be started",
    }.get(code, f"its image cannot be read ({code})" if code else "its image cannot be read")
