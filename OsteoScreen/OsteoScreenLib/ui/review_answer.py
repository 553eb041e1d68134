"""What the model said, in the second read: the answer's figures, heatmap and outlines on and off, and the way to all the rest."""

from __future__ import annotations

from collections.abc import Sequence

from OsteoScreenLib.ui.banners import Banners
from OsteoScreenLib.ui.qt_api import Qt, QtWidgets, Widget, signals_blocked
from OsteoScreenLib.ui.result_section import ResultSection
from OsteoScreenLib.ui.review_keys import ReviewKeys
from OsteoScreenLib.ui.style import Colours, css
from OsteoScreenLib.workbench.events import Event
from OsteoScreenLib.workbench.numbers import Numbers
from OsteoScreenLib.workbench.verdict_line import VerdictLine


class ReviewAnswer:
    """heatmap_asked, outlines_asked : on or off. masks_asked : check the masks. more_asked : all bones, toggles and tables."""

    def __init__(self, parent: Widget, keys: ReviewKeys) -> None:
        self.heatmap_asked: Event[[]] = Event()
        self.outlines_asked: Event[[]] = Event()
        self.masks_asked: Event[[]] = Event()
        self.more_asked: Event[[]] = Event()
        self.widget = QtWidgets.QWidget(parent)
        column = QtWidgets.QVBoxLayout(self.widget)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        self.banners = Banners(self.widget)
        self._compared = self._label()
        self._result = ResultSection(self.widget, False)
        self._verdict = self._label()
        for part in (self.banners.widget, self._compared, self._result.widget, self._verdict):
            column.addWidget(part)
        row = QtWidgets.QHBoxLayout()
        self._heatmap = self._tick("Heatmap", keys.tip("Where the model looked", "heatmap"), self.heatmap_asked)
        self._outlines = self._tick(
            "Outlines", keys.tip("The bones as the model has found them", "outlines"), self.outlines_asked
        )
        self._masks = QtWidgets.QPushButton("Check masks", self.widget)
        self._masks.setToolTip(keys.tip("Accept, fix or reject every bone's outline", "masks"))
        self._masks.clicked.connect(lambda checked=False: self.masks_asked.emit())
        self._more = QtWidgets.QPushButton("Toggles…", self.widget)
        self._more.setToolTip(keys.tip("Every bone, toggle and table of the answer, in the tab Analyse", "answer"))
        self._more.clicked.connect(lambda checked=False: self.more_asked.emit())
        for part in (self._heatmap, self._outlines):
            row.addWidget(part)
        row.addStretch(1)
        row.addWidget(self._masks)
        row.addWidget(self._more)
        column.addLayout(row)
        self.clear("")

    def show(
        self,
        numbers: Numbers,
        first: str,
        verdict: VerdictLine,
        banners: Sequence[tuple[str, str]],
        heatmap: bool,
        outlines: bool,
    ) -> None:
        """Show an answer. first : the reader's class before he saw it, "" where he saw it from the start."""
        model = numbers.decision_now or numbers.decision_untouched
        same = "as you did" if model == first else f"you said {first}"
        self._compared.setText(f"The model says {model}, {same}." if first else f"The model says {model}.")
        self._result.show(numbers)
        self._verdict.setText(verdict.sentence)
        self._verdict.setVisible(bool(verdict.sentence))
        self.banners.show(list(banners))
        for box, on in ((self._heatmap, heatmap), (self._outlines, outlines)):
            with signals_blocked(box):
                box.setChecked(on)
        for part in (self._result.widget, self._heatmap, self._outlines, self._masks, self._more):
            part.setVisible(True)

    def clear(self, words: str) -> None:
        """Nothing of an answer is left here. words : why there is none."""
        self.banners.show([])
        for label, text in ((self._compared, words), (self._verdict, "")):
            label.setText(text)
        self._verdict.setVisible(False)
        self._result.show(None)
        for part in (self._result.widget, self._heatmap, self._outlines, self._masks, self._more):
            part.setVisible(False)

    def restyle(self) -> None:
        """Take the palette's colours again."""
        self.banners.restyle()
        self._result.restyle()
        self._verdict.setStyleSheet(f"color: {css(Colours.of(self.widget).dim)};")

    def _label(self) -> Widget:
        label = QtWidgets.QLabel(self.widget)
        label.setWordWrap(True)
        label.setTextFormat(Qt.TextFormat.PlainText)
        return label

    def _tick(self, text: str, tip: str, event: Event[[]]) -> Widget:
        box = QtWidgets.QCheckBox(text, self.widget)
        box.setToolTip(tip)
        box.toggled.connect(lambda on: event.emit())
        return box
