"""The Review tab: sign in, the worklist, the blind form, then the model's answer, and the check of its masks."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from OsteoScreenLib.classifier.prediction import CLASSES
from OsteoScreenLib.errors import OsteoScreenError
from OsteoScreenLib.ui import qt_api
from OsteoScreenLib.ui.banners import MessageBar
from OsteoScreenLib.ui.deeds import Deeds
from OsteoScreenLib.ui.host import Host
from OsteoScreenLib.ui.keys_dialog import KeysDialog
from OsteoScreenLib.ui.mask_check import MaskCheckSection
from OsteoScreenLib.ui.qt_api import Qt, QtWidgets, Widget, get, repeating, single_shot
from OsteoScreenLib.ui.review_answer import ReviewAnswer
from OsteoScreenLib.ui.review_bar import ReviewBar
from OsteoScreenLib.ui.review_form import STEP, ReviewForm
from OsteoScreenLib.ui.review_keys import ReviewKeys
from OsteoScreenLib.ui.review_list import ReviewList
from OsteoScreenLib.ui.review_sign_in import SignIn
from OsteoScreenLib.ui.sections import Section
from OsteoScreenLib.ui.style import Colours
from OsteoScreenLib.ui.wheel_guard import WheelGuard
from OsteoScreenLib.workbench.events import Event

if TYPE_CHECKING:
    from OsteoScreenLib.ui.presenter import Presenter
    from OsteoScreenLib.ui.review_presenter import ReviewPresenter

POLL_MS = 100
SETTLED_MS = 60  # after which a new layout has its places
PARTS = ("study", "list", "case", "draft", "model", "time")
_LOCK = {"first": "Lock, then see the model", "only": "Lock and go on", "second": "Lock and go on"}
_UNEXPECTED = "Something went wrong inside OsteoScreen ({}); go on: what is locked stays locked."


class ReviewTab:
    """Everything beside the image while a study is read. It holds no state; the review's presenter does.

    analyse_asked : the reader wants the tab Analyse in front. image_asked : he wants the image to have the focus.
    """

    def __init__(self, parent: Widget, review: ReviewPresenter, presenter: Presenter, host: Host) -> None:
        self.analyse_asked: Event[[]] = Event()
        self._review, self._presenter, self._host = review, presenter, host
        self._closed = self._model_waits = False
        self._deeds = Deeds(self.tell, self._tell_fault)
        self._of_the_model = ""  # the last sentence of the tab Analyse that was shown here
        self.keys = ReviewKeys(host)
        self._dialog: KeysDialog | None = None
        self.widget = QtWidgets.QWidget(parent)
        column = QtWidgets.QVBoxLayout(self.widget)
        column.setContentsMargins(6, 6, 6, 6)
        column.setSpacing(4)
        self.messages = MessageBar(self.widget)
        self.sign_in = SignIn(self.widget, self.keys)
        self.bar = ReviewBar(self.widget, self.keys)
        self._area = QtWidgets.QScrollArea(self.widget)
        self._area.setWidgetResizable(True)
        self._area.setFrameShape(QtWidgets.QFrame.Shape.NoFrame)
        self._area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._content = QtWidgets.QWidget(self._area)
        self._inner = QtWidgets.QVBoxLayout(self._content)
        self._inner.setContentsMargins(0, 0, 4, 0)
        self._inner.setSpacing(4)
        self.sections: dict[str, Section] = {}
        self.list = ReviewList(self._section("Worklist").body, self.keys)
        self.answer = ReviewAnswer(self._section("The model").body, self.keys)
        self.form = ReviewForm(self._section("Your read").body, self.keys)
        self.masks = MaskCheckSection(self._section("Bone masks").body, review.masks, self.keys)
        parts: tuple[Any, ...] = (self.list, self.answer, self.form, self.masks)
        for title, part in zip(self.sections, parts, strict=True):
            self.sections[title].body_layout.addWidget(part.widget)
        self._inner.addStretch(1)
        self._area.setWidget(self._content)
        for part in (self.messages.widget, self.sign_in.widget, self.bar.head):
            column.addWidget(part)
        column.addWidget(self._area, 1)
        column.addWidget(self.bar.widget)
        self._nothing = QtWidgets.QWidget(self.widget)  # takes the room of what is not there before somebody signs in
        column.addWidget(self._nothing, 1)
        self._wheel = WheelGuard(self.widget)
        self._wheel.watch(self.widget)
        self._endings: list[Callable[[], None]] = []
        self._bind_hands()
        self._bind_keys()
        self._bind_presenter()
        self._colours, self._looked = Colours.of(self.widget), time.monotonic()
        for part in PARTS:
            self._show(part)
        self._later = single_shot(self.widget, SETTLED_MS, self.show_masks)
        self._timer = repeating(self.widget, POLL_MS, self._tick)
        self._timer.start()

    def _section(self, title: str) -> Section:
        section = Section(self._content, title)
        self.sections[title] = section
        self._inner.addWidget(section.widget)
        return section

    # What the presenter says

    def _bind_presenter(self) -> None:
        self._endings = [
            self._review.changed.connect(self._show),
            self._review.message.connect(self.tell),
            self._presenter.changed.connect(self._on_presenter),
            self._presenter.message.connect(self._on_message),
        ]

    def _on_presenter(self, part: str) -> None:
        if part in ("result", "heat", "toggles", "effects"):
            self._model_waits = True  # a sweep tells of every number; they are shown together

    def _on_message(self, severity: str, sentence: str) -> None:
        if self._review.signed_in:  # the tab that it is about is not to be seen
            self._of_the_model = sentence
            self.messages.show(severity, sentence)

    def _show(self, part: str) -> None:
        shown: dict[str, Callable[[], None]] = {
            "study": self._show_study,
            "list": self._show_list,
            "case": self._show_case,
            "draft": self._show_draft,
            "model": self._show_model,
            "time": lambda: self.bar.show_time(self._review.seconds),
        }
        if part in shown and not self._closed:
            shown[part]()

    def _show_study(self) -> None:
        review = self._review
        title = review.study.protocol.title if review.study is not None else ""
        self.sign_in.show(title, review.readers, review.reader, review.tally, bool(review.last_study))
        for part in (self.bar.head, self._area, self.bar.widget):
            part.setVisible(review.signed_in)
        self._nothing.setVisible(not review.signed_in)

    def _show_list(self) -> None:
        review = self._review
        self.list.show(review.rows, review.current, review.listed)
        self._show_study()
        self.sections["Worklist"].set_summary(review.tally)

    def _show_case(self) -> None:
        review = self._review
        lock = "second" if review.is_second else "first" if review.is_blind else "only"
        self.bar.show(review.headline, _LOCK[lock], review.can_enter, review.can_skip)
        self.bar.show_time(review.seconds)
        self.list.mark(review.current)

    def _show_draft(self) -> None:
        review = self._review
        self.form.show(review.draft, review.findings, review.target, review.is_second, review.can_enter)

    def _show_model(self) -> None:
        self._model_waits = False
        review, presenter = self._review, self._presenter
        section, numbers = self.sections["The model"], presenter.numbers if review.model_there else None
        if numbers is None:
            self.answer.clear(review.model_words)
        else:
            style = presenter.heat_style
            verdict = presenter.verdict(presenter.rows)
            self.answer.show(numbers, review.first_decision, verdict, presenter.banners, style.visible, review.outlines_shown)
        section.widget.setVisible(numbers is not None or bool(review.model_words))
        self.sections["Bone masks"].widget.setVisible(review.masks.there)

    def tell(self, severity: str, sentence: str) -> None:
        """Show a sentence to the reader."""
        self.messages.show(severity, sentence)
        self._host.status(sentence)

    def forget(self) -> None:
        """Nothing of the model is left here, hidden or not; what was said of the case itself stays."""
        if self.messages.shown[1] == self._of_the_model:
            self.messages.clear()
        self._show_model()

    # What the reader does

    def _bind_hands(self) -> None:
        review, on = self._review, self._on
        on(self.sign_in.study_asked, self._ask_for_study)
        on(self.sign_in.last_asked, lambda: self._open_study(review.last_study))
        on(self.sign_in.sign_in_asked, self._sign_in)
        on(self.sign_in.sign_out_asked, self._sign_out)
        on(self.sign_in.keys_asked, self.show_keys)
        on(self.list.chosen, review.go)
        on(self.list.narrowed, review.narrow)
        on(self.form.edited, review.edit)
        on(self.bar.previous_asked, review.previous)
        on(self.bar.next_asked, review.next)
        on(self.bar.lock_asked, review.lock)
        on(self.bar.skip_asked, review.skip)
        on(self.answer.heatmap_asked, review.turn_heatmap)
        on(self.answer.outlines_asked, review.turn_outlines)
        on(self.answer.masks_asked, self._check_masks)
        on(self.answer.more_asked, self.analyse_asked.emit)
        for part in (self.sign_in, self.list, self.form, self.bar, self.masks):
            part.left.connect(self._to_the_image)

    def _bind_keys(self) -> None:
        review, form = self._review, self.form
        actions: dict[str, Callable[[], object]] = {
            **{name: partial(form.choose, name) for name in CLASSES},
            "surer": partial(form.sure, STEP),
            "less-sure": partial(form.sure, -STEP),
            "one-surer": partial(form.sure, 1),
            "one-less-sure": partial(form.sure, -1),
            "quality": form.next_quality,
            **{part: partial(form.go_to, part) for part in ("findings", "comment", "because")},
            "image": self._to_the_image,
            "lock": review.lock,
            "skip": self.bar.ask_reason,
            "next": review.next,
            "previous": review.previous,
            "unread": review.first_unread,
            "search": self.list.search,
            "heatmap": review.turn_heatmap,
            "outlines": review.turn_outlines,
            "answer": self._to_the_answer,
            "masks": self._check_masks,
            **{f"group-{at}": partial(review.turn_group, at) for at in range(1, 10)},
        }
        for name, action in actions.items():
            self.keys.bind(name, self.widget, partial(self._do, action))

    def _on(self, event: Event[...], action: Callable[..., object]) -> None:
        event.connect(partial(self._do, action))

    def _do(self, action: Callable[..., object], *values: Any) -> None:
        """Carry out what the reader asked for: he is there."""
        self._deeds.do(self._act, action, *values)

    def _act(self, action: Callable[..., object], *values: Any) -> None:
        self._review.touch()
        action(*values)

    def _tell_fault(self, error: Exception) -> None:
        """A fault of ours: the log has the details, and the reader can go on."""
        self._presenter.log.emit("".join(traceback.format_exception(error)))
        self.tell("error", _UNEXPECTED.format(type(error).__name__))

    def open_study(self, folder: str) -> None:
        """Open a study; what is wrong with it is told here."""
        self._do(self._open_study, folder)

    def _open_study(self, folder: str) -> None:
        self._review.open_study(folder)
        self.sign_in.focus()

    def _ask_for_study(self) -> None:
        folder = self._host.ask_for_folder("Open the folder of a study")
        if folder:
            self._open_study(folder)

    def _sign_in(self, code: str) -> None:
        count = self._review.others_open
        question = (
            f"{count} analysed {'case leaves' if count == 1 else 'cases leave'} the scene when you sign in, so that nothing of a "
            "model is there while you read. Save the scene first if you need them. Sign in now?"
        )
        if not count or qt_api.ask(self.widget, "Sign in", question):
            self._review.sign_in(code)
            self._to_the_image()

    def may_close(self) -> bool:
        """Whether the window may go: everything that was entered is on the disk, or the reader gives it up."""
        return self._may_lose_entries("Close")

    def _sign_out(self) -> None:
        if self._may_lose_entries("Sign out"):
            self._review.sign_out()

    def _may_lose_entries(self, step: str) -> bool:
        question = f"What you entered last is not on the disk, which takes nothing more. {step}, and lose it?"
        return self._review.may_sign_out() or qt_api.ask(self.widget, step, question)

    def _check_masks(self) -> None:
        self._review.check_masks()
        self._later.start()

    def show_masks(self) -> None:
        """Scroll to the check of the masks, while there is one."""
        if self._review.masks.there:
            self._area.ensureWidgetVisible(self.masks.widget)

    def _to_the_answer(self) -> None:
        if self._review.model_there:
            self.analyse_asked.emit()

    def _to_the_image(self) -> None:
        """The focus leaves every text, so that all keys act again."""
        self.widget.setFocus()

    def show_keys(self) -> KeysDialog:
        """Show the keys, and let them be changed."""
        if self._dialog is None:
            self._dialog = KeysDialog(self.widget, self.keys)
        self._dialog.open()
        return self._dialog

    # The loop and the end

    def _tick(self) -> None:
        if self._closed:
            return
        try:
            self._review.on_screen(not get(self.widget.window(), "minimized"))
            self._review.poll()
            if self._model_waits:
                self._show("model")
        except OsteoScreenError as error:
            self.tell("error", str(error))
        now = time.monotonic()
        if now - self._looked >= 1.0:
            self._looked = now
            if Colours.of(self.widget) != self._colours:
                self.restyle()

    def restyle(self) -> None:
        """Take the palette's colours again."""
        self._colours = Colours.of(self.widget)
        for part in (self.messages, self.form, self.answer, self.masks):
            part.restyle()

    def close(self) -> None:
        """Stop the timer and listen no more. Safe to call twice."""
        if self._closed:
            return
        self._closed = True
        self._deeds.close()
        self._timer.close()
        self._later.close()
        for part in (self.messages, self.sign_in, self.list, self.form, self.bar, self.masks):
            part.close()
        for end in self._endings:
            end()
        if self._dialog is not None:
            self._dialog.close()
