"""The model, where it runs, and the one button that starts and stops it."""

from __future__ import annotations

import time

from OsteoScreenLib.ui.choice import Choice
from OsteoScreenLib.ui.qt_api import Qt, QtWidgets, Widget, get
from OsteoScreenLib.ui.style import Colours, css
from OsteoScreenLib.workbench.events import Event

# A double click on "Analyse" must not cancel what it has just started.
CANCEL_AFTER_SECONDS = 0.5
DEVICE_NAMES = {"auto": "Automatic", "cpu": "Processor", "cuda": "NVIDIA GPU", "mps": "Apple GPU"}


class RunSection:
    """widget : model and device. strip : the button, progress and what to do next, to be kept in sight.

    analyse_asked, cancel_asked, model_chosen (id), device_chosen (name), add_model_asked, release_asked.
    """

    def __init__(self, parent: Widget) -> None:
        self.analyse_asked: Event[[]] = Event()
        self.cancel_asked: Event[[]] = Event()
        self.model_chosen: Event[[str]] = Event()
        self.device_chosen: Event[[str]] = Event()
        self.add_model_asked: Event[[]] = Event()
        self.release_asked: Event[[]] = Event()
        self._busy, self._busy_since, self._ready = False, 0.0, True

        self.widget = QtWidgets.QWidget(parent)
        grid = QtWidgets.QGridLayout(self.widget)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setVerticalSpacing(4)
        grid.setColumnStretch(1, 1)

        self._model = Choice(self.widget, "The model that answers", "No model yet")
        self._model.chosen.connect(lambda value: self.model_chosen.emit(str(value)))
        self._add = QtWidgets.QPushButton("Add model…", self.widget)
        self._add.setToolTip("Add a model of your own from a folder, and see which models there are")
        self._add.clicked.connect(lambda checked=False: self.add_model_asked.emit())
        self._device = Choice(self.widget, "Where the model runs", "Automatic")
        self._device.chosen.connect(lambda value: self.device_chosen.emit(str(value)))
        self._more = QtWidgets.QToolButton(self.widget)
        self._more.setText("Memory")
        self._more.setToolTip("Give back the memory that the model holds")
        self._more.setPopupMode(QtWidgets.QToolButton.ToolButtonPopupMode.InstantPopup)
        policy = QtWidgets.QSizePolicy.Policy
        self._more.setSizePolicy(policy.Minimum, policy.Fixed)
        menu = QtWidgets.QMenu(self._more)
        self._release = menu.addAction("Release memory")
        self._release.setToolTip("End the model's process; the next analysis starts it again")
        self._release.triggered.connect(lambda checked=False: self.release_asked.emit())
        self._more.setMenu(menu)
        for row, (title, choice, button) in enumerate(
            (("Model", self._model, self._add), ("Run on", self._device, self._more))
        ):
            label = QtWidgets.QLabel(title, self.widget)
            label.setBuddy(choice.widget)
            grid.addWidget(label, row, 0)
            grid.addWidget(choice.widget, row, 1)
            grid.addWidget(button, row, 2)

        self.strip = QtWidgets.QWidget(parent)
        strip = QtWidgets.QHBoxLayout(self.strip)
        strip.setContentsMargins(0, 2, 0, 2)
        self._run = QtWidgets.QPushButton("Analyse", self.strip)
        font = get(self._run, "font")
        font.setBold(True)
        self._run.setFont(font)
        self._run.setSizePolicy(policy.Fixed, policy.Fixed)
        self._run.setMinimumWidth(96)
        self._run.clicked.connect(lambda checked=False: self._on_run())
        self._bar = QtWidgets.QProgressBar(self.strip)
        self._bar.setRange(0, 1000)
        self._bar.setFormat("%p %")
        self._words = QtWidgets.QLabel(self.strip)
        self._words.setWordWrap(True)
        self._words.setTextFormat(Qt.TextFormat.PlainText)
        beside = QtWidgets.QVBoxLayout()
        beside.setSpacing(1)
        beside.addWidget(self._bar)
        beside.addWidget(self._words)
        strip.addWidget(self._run, 0, Qt.AlignmentFlag.AlignTop)
        strip.addLayout(beside, 1)
        self.show_busy(False)
        self.restyle()

    def show_models(self, models: list[tuple[str, str]], current: str) -> None:
        """Offer these (id, title)."""
        self._model.show(models, current)

    def show_devices(self, devices: list[str], current: str) -> None:
        """Offer these devices by name ("auto", "cpu", "cuda", "mps")."""
        self._device.show([(name, DEVICE_NAMES.get(name, name)) for name in devices], current)

    def show_ready(self, ready: bool) -> None:
        """Whether there is a radiograph to analyse."""
        self._ready = ready
        self._show_button()

    def show_busy(self, busy: bool) -> None:
        """Turn "Analyse" into "Cancel" and back."""
        if busy and not self._busy:
            self._busy_since = time.monotonic()
            self._bar.setRange(0, 0)  # until the first progress: moving, but without a figure
        self._busy = busy
        self._bar.setVisible(busy)
        for part in (self._model.widget, self._device.widget):
            part.setEnabled(not busy)
        self._release.setEnabled(not busy)
        self._show_button()

    def show_progress(self, sentence: str, fraction: float, seconds_left: float | None) -> None:
        """How far the job is; `seconds_left` None when it cannot be told yet."""
        self._bar.setRange(0, 1000)
        self._bar.setValue(round(1000 * min(max(fraction, 0.0), 1.0)))
        left = "" if seconds_left is None else f" · {time_left(seconds_left)}"
        self._words.setText(f"{sentence}{left}")

    def show_idle(self, sentence: str) -> None:
        """What is to be done next, or what came of the last job."""
        self._words.setText(sentence)

    def restyle(self) -> None:
        """Take the palette's colours again."""
        self._words.setStyleSheet(f"color: {css(Colours.of(self.strip).dim)};")

    def _show_button(self) -> None:
        self._run.setText("Cancel" if self._busy else "Analyse")
        self._run.setEnabled(self._busy or self._ready)
        tips = {
            (True, True): "Stop; what was there before stays",
            (True, False): "Stop; what was there before stays",
            (False, True): "Find the bones, ask the model and draw the heatmap",
            (False, False): "Open a radiograph first",
        }
        self._run.setToolTip(tips[self._busy, self._ready])

    def _on_run(self) -> None:
        if not self._busy:
            self.analyse_asked.emit()
        elif time.monotonic() - self._busy_since >= CANCEL_AFTER_SECONDS:
            self.cancel_asked.emit()


def time_left(seconds: float) -> str:
    """ "about 12 s left", in steps that do not flicker."""
    if seconds < 1.5:
        return "a moment left"
    if seconds < 10:
        return f"about {round(seconds)} s left"
    if seconds < 90:
        return f"about {5 * round(seconds / 5)} s left"
    return f"about {round(seconds / 60)} min left"
