"""What a reader thinks of one radiograph: class, confidence, image quality, findings, comment, and why a second read differs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from OsteoScreenLib.classifier.prediction import CLASSES
from OsteoScreenLib.review.draft import Draft
from OsteoScreenLib.review.nouns import QUALITIES
from OsteoScreenLib.ui.qt_api import Qt, QtWidgets, Widget, event_xy, get, signals_blocked, text_width
from OsteoScreenLib.ui.review_keys import ReviewKeys
from OsteoScreenLib.ui.style import Colours, css
from OsteoScreenLib.ui.text_guard import TextGuard
from OsteoScreenLib.workbench.events import Event

STEP = 5  # of the confidence, by key
_BOLD = 30  # pixels that a button is wider than its words, which grow when it is chosen
_HANDLE = 12  # pixels of a slider's mark, about
_MIDDLE = 50  # where the slider stands before it is moved, and from where the keys begin


class ReviewForm:
    """Shows a `Draft` and tells what the reader changes in it; holds no other state.

    edited : (name of the draft's entry, its new value). left : the reader leaves a text for the image.
    """

    def __init__(self, parent: Widget, keys: ReviewKeys) -> None:
        self.edited: Event[[str, Any]] = Event()
        self.left: Event[[]] = Event()
        self._draft, self._target = Draft(), ""
        self._offered: tuple[str, ...] = ()
        self._ticks: dict[str, Widget] = {}
        self.widget = QtWidgets.QWidget(parent)
        self._guard = TextGuard(self.widget, self.left.emit)
        self._grid = grid = QtWidgets.QGridLayout(self.widget)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(8)
        grid.setVerticalSpacing(5)
        grid.setColumnStretch(1, 1)
        self._label(0, "Class")
        self._classes = self._buttons(
            0, "decision", CLASSES, {name: keys.tip(f"The class is {name}", name) for name in CLASSES}
        )
        self._sure = self._label(1, "Sure")
        self._sure.setWordWrap(True)
        self._slider, self._percent = self._confidence(1)
        self._label(2, "Quality")
        tip = keys.tip("How well the image can be read", "quality")
        self._qualities = self._buttons(2, "quality", QUALITIES, dict.fromkeys(QUALITIES, tip))
        self._label(3, "Findings")
        self._tick_box = QtWidgets.QWidget(self.widget)
        self._tick_grid = QtWidgets.QGridLayout(self._tick_box)
        self._tick_grid.setContentsMargins(8, 0, 0, 0)
        self._tick_grid.setHorizontalSpacing(8)
        self._tick_grid.setVerticalSpacing(1)
        grid.addWidget(self._tick_box, 4, 0, 1, 2)
        self._label(5, "Comment")
        self._comment = self._text(5, "comment", keys.tip("What else is to be said; no name of a person", "comment"))
        self._because_label = self._label(6, "Changed because")
        self._because_label.setWordWrap(True)
        self._because = self._text(6, "changed_because", keys.tip("Why this read differs from the first one", "because"))
        self.restyle()

    # What is shown

    def show(self, draft: Draft, findings: Sequence[str], target: str, second: bool, enabled: bool) -> None:
        """Show a draft.

        findings : that can be ticked. target : class that the confidence is about. second : the model has been seen in between.
        enabled : it can still be changed.
        """
        self._draft = draft
        self._offer(tuple(findings))
        self._show_target(target)
        for buttons, value in ((self._classes, draft.decision), (self._qualities, draft.quality)):
            for name, button in buttons.items():
                with signals_blocked(button):
                    button.setChecked(name == value)
        with signals_blocked(self._slider):
            self._slider.setValue(_MIDDLE if draft.confidence is None else draft.confidence)
        self._percent.setText("–" if draft.confidence is None else f"{draft.confidence}")
        for name, box in self._ticks.items():
            with signals_blocked(box):
                box.setChecked(name in draft.findings)
        for field, text in ((self._comment, draft.comment), (self._because, draft.changed_because)):
            if str(get(field, "text")) != text:  # else the cursor would jump while it is written in
                with signals_blocked(field):
                    field.setText(text)
        for part in (self._because_label, self._because):
            part.setVisible(second)
        self.widget.setEnabled(enabled)

    def _show_target(self, target: str) -> None:
        if target != self._target:
            self._target = target
            self._sure.setText(f"Sure of {target}")  # the class may be another: the scale is the same whatever was chosen
            tip = f"How sure you are that the patient has {target}: 0 surely not, 100 surely"
            for part in (self._sure, self._slider, self._percent):
                part.setToolTip(tip)
            self._slider.setAccessibleName(tip)

    def _offer(self, findings: tuple[str, ...]) -> None:
        if findings == self._offered:
            return
        self._offered = findings
        for box in self._ticks.values():
            self._tick_grid.removeWidget(box)
            box.hide()
            box.deleteLater()
        self._ticks = {}
        for at, name in enumerate(findings):
            box = QtWidgets.QCheckBox(name, self._tick_box)
            box.toggled.connect(lambda on, name=name: self._on_tick(name, bool(on)))
            self._tick_grid.addWidget(box, at // 2, at % 2)
            self._ticks[name] = box

    # What the reader does, by key too

    def sure(self, step: int) -> None:
        """So much more confident, or less."""
        now = _MIDDLE if self._draft.confidence is None else self._draft.confidence
        self._tell("confidence", min(max(now + step, 0), 100))

    def choose(self, decision: str) -> None:
        """Choose a class."""
        self._tell("decision", decision)

    def next_quality(self) -> None:
        """The next image quality of the three, the first again after the last."""
        self._tell("quality", QUALITIES[(QUALITIES.index(self._draft.quality) + 1) % len(QUALITIES)])

    def go_to(self, part: str) -> None:
        """Put the focus on "findings", "comment" or "because"."""
        first = next(iter(self._ticks.values()), self._comment)
        field = {"findings": first, "comment": self._comment, "because": self._because}[part]
        field.setFocus(Qt.FocusReason.ShortcutFocusReason)

    def restyle(self) -> None:
        """Take the palette's colours again."""
        colours = Colours.of(self.widget)
        self._percent.setStyleSheet(f"color: {css(colours.text)};")
        edge = css(colours.tint("info").edge)
        for button in (*self._classes.values(), *self._qualities.values()):
            button.setStyleSheet(f"QPushButton:checked {{ font-weight: bold; border: 2px solid {edge}; padding: 3px; }}")

    def close(self) -> None:
        """Tell nobody any more."""
        self._guard.close()

    def _tell(self, name: str, value: Any) -> None:
        if get(self.widget, "enabled"):
            self.edited.emit(name, value)

    def _on_tick(self, name: str, on: bool) -> None:
        chosen = {*self._draft.findings, name} if on else {*self._draft.findings} - {name}
        self._tell("findings", tuple(one for one in self._offered if one in chosen))

    def _on_choice(self, name: str, value: str) -> None:
        self.show_checked()  # as it was, until the listeners show another draft
        self._tell(name, value)

    def show_checked(self) -> None:
        """The buttons as the draft has them; Qt has turned the one that was clicked."""
        for buttons, value in ((self._classes, self._draft.decision), (self._qualities, self._draft.quality)):
            for name, button in buttons.items():
                with signals_blocked(button):
                    button.setChecked(name == value)

    # How it is made

    def _label(self, row: int, text: str) -> Widget:
        label = QtWidgets.QLabel(text, self.widget)
        self._grid.addWidget(label, row, 0)
        return label

    def _buttons(self, row: int, entry: str, values: Sequence[str], tips: dict[str, str]) -> dict[str, Widget]:
        line = QtWidgets.QHBoxLayout()
        line.setSpacing(4)
        made = {}
        for value in values:
            button = QtWidgets.QPushButton(button_words(value), self.widget)
            button.setCheckable(True)
            button.setMinimumWidth(text_width(button_words(value), button) + _BOLD)
            button.setToolTip(tips[value])
            button.clicked.connect(lambda checked=False, value=value: self._on_choice(entry, value))
            line.addWidget(button, 1)
            made[value] = button
        self._grid.addLayout(line, row, 1)
        return made

    def _confidence(self, row: int) -> tuple[Widget, Widget]:
        slider = _Scale(self.widget, lambda value: self._tell("confidence", value))
        slider.setRange(0, 100)
        slider.setSingleStep(STEP)
        slider.setPageStep(STEP)
        slider.setTickPosition(QtWidgets.QSlider.TickPosition.TicksBelow)
        slider.setTickInterval(25)
        slider.valueChanged.connect(lambda value: self._tell("confidence", int(value)))
        percent = QtWidgets.QLabel("–", self.widget)
        percent.setMinimumWidth(text_width("100", percent) + 4)
        percent.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        line = QtWidgets.QHBoxLayout()
        line.addWidget(slider, 1)
        line.addWidget(percent)
        self._grid.addLayout(line, row, 1)
        return slider, percent

    def _text(self, row: int, entry: str, tip: str) -> Widget:
        field = QtWidgets.QLineEdit(self.widget)
        field.setToolTip(tip)
        field.setAccessibleName(tip)
        field.setMaxLength(2000)
        field.textEdited.connect(lambda text: self._tell(entry, str(text)))
        self._guard.watch(field)
        self._grid.addWidget(field, row, 1)
        return field


class _Scale(QtWidgets.QSlider):
    """A visual analogue scale: the mouse puts the mark where it is pressed, also where the mark stands already."""

    def __init__(self, parent: Widget, tell: Callable[[int], object]) -> None:
        QtWidgets.QSlider.__init__(self, Qt.Orientation.Horizontal, parent)
        self._tell_value = tell

    def mousePressEvent(self, event: Any) -> None:
        """Put the mark there."""
        self._put(event)

    def mouseMoveEvent(self, event: Any) -> None:
        """The mark follows while a button is held."""
        self._put(event)

    def mouseReleaseEvent(self, event: Any) -> None:
        """The mark stays."""
        event.accept()

    def _put(self, event: Any) -> None:
        event.accept()
        share = (event_xy(event)[0] - _HANDLE / 2) / max(int(get(self, "width")) - _HANDLE, 1)
        self._tell_value(round(100 * min(max(share, 0.0), 1.0)))


def button_words(value: str) -> str:
    """ "Not readable"."""
    return value[:1].upper() + value[1:]
