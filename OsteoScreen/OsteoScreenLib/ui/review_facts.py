"""What a reading shows: study, list, case, entries, and whether the model may be seen. Nothing here changes anything."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from OsteoScreenLib.review.draft import Draft
from OsteoScreenLib.ui.host import Host
from OsteoScreenLib.ui.presenter import Presenter
from OsteoScreenLib.ui.review_list import Row
from OsteoScreenLib.ui.shelf import Place
from OsteoScreenLib.workbench.events import Event
from OsteoScreenLib.workbench.reading import Reading

if TYPE_CHECKING:
    from OsteoScreenLib.review.session import Session
    from OsteoScreenLib.review.study import ReviewStudy
    from OsteoScreenLib.workbench.stored_case import StoredCase

_PHASES = {
    ("blind", "first"): "first read, blind",
    ("blind", "second"): "second read, with the model",
    ("open", "first"): "read with the model",
    ("alone", "first"): "read without a model",
}


class ReviewFacts:
    """changed : emitted with the part that a view has to show again: "study", "list", "case", "draft", "model" or "time".

    study : that is open. model_words : why nothing of the model is shown, where it might be. listed : rows that search and filter
    leave, None for all.
    """

    def __init__(self, presenter: Presenter, host: Host) -> None:
        self.changed: Event[[str]] = Event()
        self.study: ReviewStudy | None = None
        self.model_words = ""
        self.listed: frozenset[int] | None = None
        self._presenter, self._host = presenter, host
        self._session: Session | None = None
        self._store: Any = None
        self._place: Place | None = None
        self._reading: Reading | None = None
        self._stored: StoredCase | None = None

    @property
    def last_study(self) -> str:
        """The folder of the study that was read last, "" where there is none."""
        return self._host.remembered("review-study", "")

    @property
    def signed_in(self) -> bool:
        """A reader is at work."""
        return self._session is not None

    @property
    def reader(self) -> str:
        """The code of the reader at work, "" for none."""
        return str(self._store.reader) if self._store is not None else ""

    @property
    def others_open(self) -> int:
        """How many analysed cases of the Analyse tab leave the scene when somebody signs in."""
        return 0 if self.signed_in else self._presenter.analysed_count

    @property
    def rows(self) -> list[Row]:
        """The reader's list."""
        session = self._session
        return [] if session is None else [Row(session.label(task), session.status(task)) for task in session.tasks]

    @property
    def current(self) -> int:
        """Which of `rows` is on the table, -1 for none."""
        session = self._session
        return -1 if session is None or session.task is None else session.worklist.number(session.task) - 1

    @property
    def tally(self) -> str:
        """ "7 of 24 read, 1 skipped"."""
        if self._session is None:
            return ""
        tally = self._session.tally
        return f"{tally.done} of {tally.total} read" + (f", {tally.skipped} skipped" if tally.skipped else "")

    @property
    def headline(self) -> str:
        """Which case, and what of it is read."""
        session, study = self._session, self.study
        if session is None or study is None:
            return ""
        if session.task is None:
            return f"The end of the list: {self.tally}" if session.at_end else "No case is on the table"
        phase = "read; nothing can be changed" if session.phase is None else _PHASES[(study.protocol.mode, session.phase)]
        return f"{session.label(session.task)} of {len(session.tasks)}: {phase}"

    @property
    def seconds(self) -> int:
        """Active time on this read."""
        return int(self._session.times[0]) if self._session is not None else 0

    @property
    def draft(self) -> Draft:
        """What is entered."""
        return self._session.draft if self._session is not None else Draft()

    @property
    def findings(self) -> Sequence[str]:
        """What can be ticked."""
        return self.study.protocol.findings if self.study is not None else ()

    @property
    def target(self) -> str:
        """The class that the confidence is about."""
        return self.study.protocol.target if self.study is not None else ""

    @property
    def readers(self) -> tuple[str, ...]:
        """Who may sign in; empty for everybody with a code."""
        return self.study.protocol.readers if self.study is not None else ()

    @property
    def is_second(self) -> bool:
        """The read on the table is a second one, or was."""
        session = self._session
        return session is not None and (session.phase == "second" or session.locked("second") is not None)

    @property
    def can_enter(self) -> bool:
        """The read on the table can be filled in: it is not locked, and its image is there."""
        return self._session is not None and self._session.phase is not None and self._place is not None

    @property
    def is_blind(self) -> bool:
        """What is read now is a first read before the model is shown."""
        return self.study is not None and self.study.protocol.mode == "blind" and not self.is_second

    @property
    def can_skip(self) -> bool:
        """The case on the table can be passed over: it is not read to the end."""
        return self._session is not None and self._session.phase is not None

    @property
    def outlines_shown(self) -> bool:
        """Some bone's outline is on."""
        case = self._presenter.case
        return case is not None and not case.found <= case.toggles.hidden

    @property
    def first_decision(self) -> str:
        """The class of the first read, once it is locked."""
        first = self._session.locked("first") if self._session is not None else None
        return first.opinion.decision if first is not None else ""

    @property
    def reading(self) -> Reading | None:
        """The radiograph on the table."""
        return self._reading

    @property
    def model_there(self) -> bool:
        """The model's results are on the table."""
        return self._stored is not None

    @property
    def analyse_open(self) -> bool:
        """The Analyse tab may be used: nobody reads, or the case's answer may be seen."""
        return not self.signed_in or self.model_there
