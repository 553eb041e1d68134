"""Between a reader's hands and his session: signs in, lays each radiograph on the table, and shows the model only when it may be seen.

No Qt in here. Before a blind read is locked, nothing of the model exists in the scene, in the Analyse tab or in this object: its
results are loaded when the session says that they may be seen, and leave before the next radiograph comes.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from OsteoScreenLib import __version__
from OsteoScreenLib.errors import OsteoScreenError
from OsteoScreenLib.scene.case_nodes import SceneCase
from OsteoScreenLib.scene.view import CaseView
from OsteoScreenLib.scene.watch import SceneWatch
from OsteoScreenLib.ui.host import Host
from OsteoScreenLib.ui.mask_checking import MaskChecking
from OsteoScreenLib.ui.mask_nouns import MaskSubject
from OsteoScreenLib.ui.presenter import Presenter
from OsteoScreenLib.ui.review_facts import ReviewFacts
from OsteoScreenLib.ui.shelf import Place
from OsteoScreenLib.workbench import remarks
from OsteoScreenLib.workbench.case import Case
from OsteoScreenLib.workbench.desk import Desk
from OsteoScreenLib.workbench.events import Event
from OsteoScreenLib.workbench.reading import Reading

if TYPE_CHECKING:
    from OsteoScreenLib.workbench.review_cases import ReviewCases
    from OsteoScreenLib.workbench.stored_case import StoredCase

RESERVED = "A study is being read; sign out in the Review tab to open or analyse other images."
SCENE_GONE = "The scene was closed, so you were signed out; every locked read and all entries are kept. Sign in to go on."
SCENE_CAME = (
    "A scene with cases was opened, so you were signed out; every locked read and all entries are kept. Sign in to go on."
)


class ReviewPresenter(ReviewFacts):
    """What a reading shows, and what the reader can do with it.

    changed : emitted with the part that a view has to show again: "study", "list", "case", "draft", "model" or "time".
    message : (severity, sentence) for the reader. emptied : what was shown of the model has to go from every view now.
    masks : the check of the model's masks; it has a case while the model's results may be seen.
    """

    def __init__(self, presenter: Presenter, desk: Desk, host: Host, view: CaseView) -> None:
        super().__init__(presenter, host)
        self.message: Event[[str, str]] = Event()
        self.emptied: Event[[]] = Event()
        self.masks = MaskChecking(host)
        self.masks.message.connect(self.message.emit)
        self._desk, self._view = desk, view
        self._cases: ReviewCases | None = None
        self._endings: list[Any] = []
        self._hidden_before: frozenset[str] = frozenset()
        self._narrowed: tuple[str, Any] = ("", "")  # words and status
        self._seconds = -1
        self._seen = True  # the window is there and the module in front
        view.hands(self.touch)
        self._watch = SceneWatch(
            on_scene_closing=self._on_scene_closing,
            on_scene_imported=self._on_scene_imported,
            on_case_broken=self._on_case_broken,
        )

    # Signing in and out

    def open_study(self, folder: str | Path) -> None:
        """Open a study; who reads it is said by `sign_in`. Raises `OsteoScreenError` when it is none."""
        from OsteoScreenLib.review.study import open_study

        study = open_study(Path(folder))
        self.sign_out()
        self.study = study
        self._host.remember("review-study", str(study.folder))
        self._tell("study", "list", "case", "draft", "model")

    def sign_in(self, code: str) -> None:
        """Begin to read, or go on where one stopped. Raises `OsteoScreenError` when the code may not, or the store cannot be opened."""
        from OsteoScreenLib.review.places import machine_code, store_path
        from OsteoScreenLib.review.session import Session
        from OsteoScreenLib.review.store import ReaderStore
        from OsteoScreenLib.review.worklist import worklist
        from OsteoScreenLib.workbench.review_cases import ReviewCases

        if self.study is None:
            self.message.emit("warning", "Open a study first.")
            return
        if self._desk.busy:
            self.message.emit("warning", "The Analyse tab is still at work; wait for it or cancel it, then sign in.")
            return
        self.sign_out()
        tasks = worklist(self.study, code)
        machine = machine_code()
        place = store_path(self.study.folder, tasks.reader, machine)
        store = ReaderStore.open(place, tasks.reader, machine, app=__version__)
        self._presenter.reserve(RESERVED)
        self._presenter.put_away()
        self.emptied.emit()
        self._store = store
        self._session = session = Session(self.study, tasks.reader, store, tasks)
        self._cases = cases = ReviewCases(session, self._desk)
        self._endings = [
            session.changed.connect(self._on_session),
            session.message.connect(self.message.emit),
            cases.cleared.connect(self._clear),
            cases.ready.connect(self._on_ready),
            cases.answered.connect(self._on_answered),
            cases.unanswered.connect(self._on_unanswered),
        ]
        self._narrow()
        if store.remark:
            self.message.emit("warning", store.remark)
        session.start()
        self._tell("study", "list", "case", "draft", "model")

    def may_sign_out(self) -> bool:
        """Everything is on the disk. Where False, signing out loses what was entered last."""
        return self._session is None or self._session.write()

    def sign_out(self) -> None:
        """Stop reading; everything is kept. Does nothing where nobody is signed in."""
        session, cases = self._session, self._cases
        if session is None or cases is None:
            return
        session.leave()
        for end in self._endings:
            end()
        self._endings.clear()
        cases.close()
        session.close()
        self._session = self._cases = self._store = None
        self._clear()
        self._presenter.reserve("")
        self._tell("study", "list", "case", "draft", "model")

    # What the reader does

    def touch(self) -> None:
        """There was input."""
        if self._session is not None:
            self._session.touch()

    def edit(self, name: str, value: Any) -> None:
        """Enter something in the draft."""
        if self._session is not None and self.can_enter:
            self._session.edit(replace(self._session.draft, **{name: value}))

    def lock(self) -> None:
        """Lock the read."""
        if self._session is not None and self.can_enter:
            self._session.lock()

    def skip(self, reason: str) -> None:
        """Pass over the case."""
        if self._session is not None and self._session.task is not None:
            self._session.skip(reason)

    def go(self, index: int) -> None:
        """Another row of the list."""
        if self._session is not None:
            self._session.go(self._session.tasks[index])

    def narrow(self, words: str, status: str) -> None:
        """List only tasks with these words and this status ("" for any); next and previous go through these only."""
        self._narrowed = (words.strip(), status)
        self._narrow()
        self._tell("list")

    def _narrow(self) -> None:
        session, (words, status) = self._session, self._narrowed
        if session is None or not (words or status):
            self.listed = None
            if session is not None:
                session.walk(None)
            return
        tasks = session.worklist.matching(session.statuses, search=words, status=status or None)
        session.walk(tasks)
        self.listed = frozenset(session.worklist.number(task) - 1 for task in tasks)

    def next(self) -> None:
        """The next case."""
        if self._session is not None:
            self._session.next()

    def previous(self) -> None:
        """The case before."""
        if self._session is not None:
            self._session.previous()

    def first_unread(self) -> None:
        """The first case that is not read."""
        if self._session is not None:
            self._session.first_unread()

    def turn_heatmap(self) -> None:
        """Heatmap off, or on again."""
        if self.model_there:
            style = self._presenter.heat_style
            self._presenter.set_heat_style(replace(style, visible=not style.visible))
            self._tell("model")

    def turn_outlines(self) -> None:
        """All outlines off, or those that were on again."""
        case = self._presenter.case
        if self.model_there and case is not None:
            hidden, found = case.toggles.hidden, case.found
            if found <= hidden:
                self._presenter.set_hidden(found - self._hidden_before, False)
            else:
                self._hidden_before = hidden
                self._presenter.set_hidden(found, True)
            self._tell("model")

    def turn_group(self, number: int) -> None:
        """Cover the group of this number, 1 to 9, or show it again."""
        if self.model_there:
            self._presenter.turn_group(number)

    # The table

    def _on_ready(self, reading: Reading) -> None:
        """The radiograph alone."""
        self._reading = reading
        case = Case(reading, self._desk.answers)
        scene = SceneCase.create(reading.source.name, reading.pixels, reading.spacing_mm, None, case.token)
        self._place = Place(case, scene)
        self._view.show(scene, fit=True)
        self._view.set_marks(remarks.marks(None, None))
        if self._session is not None and self._seen:
            self._session.shown()
        self._tell("case", "draft", "model")

    def _on_answered(self, stored: StoredCase) -> None:
        """What the model said of it, from now on."""
        place = self._place
        if place is None or self._session is None or not self._session.model_visible:
            return
        self._stored = stored
        stored.give(place.case)
        self._presenter.put_on_table(place)
        self._tell("model", "draft")

    def check_masks(self) -> None:
        """Begin to check the masks of the case on the table, or end it."""
        place, stored, session = self._place, self._stored, self._session
        if self.masks.there:
            self.masks.leave()
            if place is not None and (place.case.corrected or place.case.masks_edited):
                self._presenter.recompute()  # the model's own masks, to which its numbers belong, are back
        elif place is not None and stored is not None and session is not None and session.task is not None:
            if session.task.repeat:  # the reader's own corrections would lie on it
                self.message.emit("info", "The masks of this case are checked at another place of the list.")
            else:
                self._open_masks(place, stored)
        self._tell("model")

    def _open_masks(self, place: Place, stored: StoredCase) -> None:
        from OsteoScreenLib.review.mask_versions import MaskVersions
        from OsteoScreenLib.worker.case_values import radiograph_from_values

        study, store = self.study, self._store
        if study is None or store is None:
            return
        radiograph = radiograph_from_values(stored.reading.facts, (), stored.reading.pixels)
        versions = MaskVersions(study.masks(stored.case), store.machine)
        subject = MaskSubject(
            *(stored.case, store.reader, place.scene, stored.result.masks, radiograph, versions),
            *(store.judge, tuple(store.verdicts())),
        )
        self.masks.open(subject)

    def _on_unanswered(self, sentence: str) -> None:
        self.model_words = sentence
        self._tell("model")

    def _clear(self) -> None:
        """Everything of a case leaves the scene, the tabs and this object."""
        place, had_model = self._place, self._stored is not None
        self.masks.leave()
        self._place = self._stored = self._reading = None
        self.model_words, self._hidden_before = "", frozenset()
        if had_model:
            self._presenter.put_away()
        elif place is not None:
            self._view.show(None)
            place.scene.remove()
        self.emptied.emit()
        self._tell("case", "draft", "model")

    def _on_session(self, part: str) -> None:
        if part == "list" and self._narrowed[1]:  # a status has changed
            self._narrow()
        self._tell(*{"case": ("case", "draft", "list"), "phase": ("case", "draft", "list", "model")}.get(part, (part,)))

    def _on_case_broken(self, token: str) -> None:
        """A node of the case on the table was deleted in the scene: it is laid on the table again."""
        place, reading, stored = self._place, self._reading, self._stored
        if place is None or reading is None or token != place.case.token:
            return
        self._clear()
        place.scene.remove()
        self._on_ready(reading)
        if stored is not None:
            self._on_answered(stored)
        self.message.emit(
            "info", "A part of the case was removed from the scene; it is shown anew, and your entries are as they were."
        )

    def _on_scene_closing(self) -> None:
        if self.signed_in:
            self._place = self._stored = None  # its nodes go with the scene
            self.sign_out()
            self.message.emit("warning", SCENE_GONE)

    def _on_scene_imported(self) -> None:
        own = self._place.case.token if self._place is not None else ""
        if self.signed_in and any(case.token != own for case in SceneCase.all_in_scene()):
            self.sign_out()
            self._presenter.take_from_scene()
            self.message.emit("warning", SCENE_CAME)

    # The loop

    def poll(self) -> None:
        """Called by the window's timer."""
        if self._session is None:
            return
        self._session.tick()
        self.masks.poll()
        if self.seconds != self._seconds:
            self._seconds = self.seconds
            self._tell("time")

    def on_screen(self, seen: bool) -> None:
        """Whether the image can be seen: while it cannot, no time is counted."""
        if seen == self._seen:
            return
        self._seen = seen
        if self._session is not None and self._place is not None:
            (self._session.shown if seen else self._session.hidden)()

    def enter(self) -> None:
        """The module comes to the front, after the Analyse tab's presenter."""
        if self._place is not None:
            self._view.show(self._place.scene)
        self.on_screen(True)

    def leave(self) -> None:
        """The module goes to the back."""
        self.on_screen(False)

    def close(self) -> None:
        """Sign out and listen no more. Safe to call twice; before the presenter of the Analyse tab."""
        try:
            self.sign_out()
        except OsteoScreenError as error:
            self.message.emit("error", str(error))
        self.masks.close()
        self._watch.close()

    def _tell(self, *parts: str) -> None:
        for part in parts:
            self.changed.emit(part)
