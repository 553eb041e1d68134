"""The model's answer: on the untouched radiograph, and as the image is shown now."""

from __future__ import annotations

from OsteoScreenLib.ui.buttons import narrow_button
from OsteoScreenLib.ui.qt_api import Qt, QtWidgets, Widget, get
from OsteoScreenLib.ui.style import SIGNS, Colours, css
from OsteoScreenLib.workbench.events import Event
from OsteoScreenLib.workbench.numbers import ClassRow, Numbers

LOW_BONE_MASS = "low bone mass"  # osteopenia or osteoporosis: the score of the lower operating point
_HEADS = ("Class (▸ target)", "Untouched", "Shown now", "Δ points")
_NOTHING = "No answer yet."


class ResultSection:
    """save_asked : (with the objects for a PACS), send_asked, prior_asked, screenshot_asked, recompute_asked. buttons : whether it has the buttons that tell of them."""

    def __init__(self, parent: Widget, buttons: bool = True) -> None:
        self.save_asked: Event[[bool]] = Event()
        self.send_asked: Event[[]] = Event()
        self.prior_asked: Event[[]] = Event()
        self.screenshot_asked: Event[[]] = Event()
        self.recompute_asked: Event[[]] = Event()
        self._numbers: Numbers | None = None
        self._masks_changed = self._with_dicom = False

        self.widget = QtWidgets.QWidget(parent)
        column = QtWidgets.QVBoxLayout(self.widget)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)

        self._table = QtWidgets.QWidget(self.widget)
        grid = QtWidgets.QGridLayout(self._table)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setVerticalSpacing(2)
        grid.setHorizontalSpacing(10)
        grid.setColumnStretch(0, 1)
        right = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
        left = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
        self._cells: list[list[Widget]] = []
        for row in range(5):
            cells = []
            for column_index in range(4):
                cell = QtWidgets.QLabel(self._table)
                cell.setTextFormat(Qt.TextFormat.PlainText)
                cell.setAlignment(left if column_index == 0 else right)
                grid.addWidget(cell, row, column_index)
                cells.append(cell)
            self._cells.append(cells)
        column.addWidget(self._table)

        self._decision = _sentence_label(
            self.widget, "The class at the model's two operating points, not the largest probability"
        )
        self._state = _sentence_label(self.widget, "")
        self._words = _sentence_label(self.widget, "What the figures above mean")
        for label in (self._decision, self._state, self._words):
            column.addWidget(label)

        row_of_buttons = QtWidgets.QHBoxLayout()
        self._recompute = QtWidgets.QPushButton("Recompute", self.widget)
        self._recompute.setToolTip("Ask the model again with the masks as they are now")
        self._recompute.clicked.connect(lambda checked=False: self.recompute_asked.emit())
        self._save = QtWidgets.QPushButton("Save results…", self.widget)
        self._save.setToolTip("Write the report, the figures, the overlay and the masks into a folder")
        self._save.clicked.connect(lambda checked=False: self.save_asked.emit(self._with_dicom))
        self._screenshot = QtWidgets.QPushButton("Screenshot…", self.widget)
        self._screenshot.setToolTip("Save the image view as it is shown, as a PNG file")
        self._screenshot.clicked.connect(lambda checked=False: self.screenshot_asked.emit())
        for button in (self._recompute, self._save, self._screenshot):
            row_of_buttons.addWidget(button)
        row_of_buttons.addStretch(1)
        column.addLayout(row_of_buttons)
        second_row = QtWidgets.QHBoxLayout()
        self._dicom = QtWidgets.QCheckBox("Save DICOM too", self.widget)
        self._dicom.setToolTip(
            "Beside the other results: segmentation, structured report, picture and outlines as DICOM objects"
        )
        self._dicom.toggled.connect(self._on_dicom)
        second_row.addWidget(self._dicom)
        second_row.addStretch(1)
        self._send = narrow_button(
            second_row, self.widget, "Send…", "Send results to an archive; asks before", self.send_asked.emit
        )
        self._prior = narrow_button(
            second_row, self.widget, "Earlier…", "Show an earlier result from a structured report", self.prior_asked.emit
        )
        column.addLayout(second_row)
        self._has_buttons = buttons
        self.show(None)

    def show(self, numbers: Numbers | None, masks_changed: bool = False) -> None:
        """Show the figures; None before the first analysis.

        masks_changed : bones were corrected since, so that what was computed with them belongs to the former masks, even where
        the figures shown (nothing covered) do not depend on them.
        """
        self._numbers = numbers
        self._masks_changed = masks_changed or (numbers is not None and numbers.state == "stale")
        self._table.setVisible(numbers is not None)
        self._decision.setVisible(numbers is not None)
        offered = self._has_buttons and numbers is not None
        self._save.setVisible(offered)
        self._screenshot.setVisible(offered)
        self._dicom.setVisible(offered)
        self._send.setVisible(offered)
        self._prior.setVisible(self._has_buttons)
        unanswered = numbers is not None and numbers.state == "unanswered"
        self._recompute.setVisible(offered and (self._masks_changed or unanswered))
        if numbers is None:
            self._empty()
        else:
            self._fill_table(numbers)
            self._decision.setText(_decision(numbers))
            self._words.setText(numbers.sentence)
        # The sentence repeats that it is being computed; once is enough.
        self._words.setVisible(numbers is None or numbers.state != "computing")
        self.restyle()

    def _empty(self) -> None:
        """Hidden labels too hold nothing of a former answer."""
        for cell in (cell for cells in self._cells for cell in cells):
            cell.setText("")
            cell.setToolTip("")
        self._decision.setText("")
        self._state.setText("")
        self._words.setText(_NOTHING)

    def enable_saving(self, enabled: bool) -> None:
        """Saving waits while another job runs."""
        self._save.setEnabled(enabled)
        self._send.setEnabled(enabled)

    def choose_dicom(self, on: bool) -> None:
        """Tick the box for DICOM objects, or clear it. Tells nobody."""
        self._dicom.setChecked(on)

    def _on_dicom(self, on: bool) -> None:
        self._with_dicom = bool(on)

    @property
    def shown_rows(self) -> list[list[str]]:
        """The table's texts, heads included."""
        return [[str(get(cell, "text")) for cell in cells] for cells in self._cells]

    def restyle(self) -> None:
        """Take the palette's colours again."""
        colours = Colours.of(self.widget)
        numbers = self._numbers
        for row, cells in enumerate(self._cells):
            for index, cell in enumerate(cells):
                dim = row == 0 or (index >= 2 and numbers is not None and numbers.state != "current")
                cell.setStyleSheet(f"color: {css(colours.dim if dim else colours.text)};")
        self._words.setStyleSheet(f"color: {css(colours.dim)};")
        state, severity = _state(numbers, self._masks_changed)
        self._state.setVisible(bool(state))
        if state:
            tint = colours.tint(severity)
            self._state.setText(f"{SIGNS[severity]} {state}" if severity == "warning" else state)
            self._state.setStyleSheet(
                f"background: {css(tint.background)}; color: {css(tint.text)};"
                f" border-left: 4px solid {css(tint.edge)}; padding: 3px 5px;"
            )

    def _fill_table(self, numbers: Numbers) -> None:
        against = "the untouched image" if numbers.reference == "untouched" else "the image with every bone covered"
        sign = (
            "Δ = untouched − shown now, in percentage points: positive where the covered bones support the class"
            if numbers.reference == "untouched"
            else "Δ = shown now − every bone covered, in percentage points: positive where the shown bones support the class"
        )
        tips = ("", "Probability on the untouched radiograph", "Probability with the covered bones covered", sign)
        for cell, head, tip in zip(self._cells[0], _HEADS, tips, strict=True):
            cell.setText(head)
            cell.setToolTip(tip)
        rows = [*numbers.rows, low_bone_mass(numbers.rows)]
        for cells, row in zip(self._cells[1:], rows, strict=True):
            target = row.name == numbers.target
            waiting = "…" if numbers.state == "computing" else "–"
            texts = (
                f"▸ {row.name}" if target else row.name,
                percent(row.untouched),
                waiting if row.now is None else percent(row.now),
                waiting if row.delta_points is None else points(row.delta_points),
            )
            tip = f"Against {against}."
            if target:
                tip = f"The target: Δ of the bones and the heatmap are about {row.name}."
                if numbers.delta_log_odds is not None:
                    tip += f" Δ log-odds: {points(numbers.delta_log_odds, 2)}."
            if row.name == LOW_BONE_MASS:
                tip = f"Osteopenia or osteoporosis together. {tip}"
            for cell, text in zip(cells, texts, strict=True):
                font = get(cell, "font")
                font.setBold(target)
                cell.setFont(font)
                cell.setText(text)
                cell.setToolTip(tip)


def low_bone_mass(rows: tuple[ClassRow, ...]) -> ClassRow:
    """Osteopenia and osteoporosis added up."""
    both = [row for row in rows if row.name != "normal"]
    now = [row.now for row in both if row.now is not None]
    deltas = [row.delta_points for row in both if row.delta_points is not None]
    return ClassRow(
        LOW_BONE_MASS,
        sum(row.untouched for row in both),
        sum(now) if len(now) == len(both) else None,
        sum(deltas) if len(deltas) == len(both) else None,
    )


def percent(probability: float) -> str:
    """ "12.3 %"; what is not nothing is not written as nothing, nor what is not certain as certain."""
    if 0 < probability < 0.0005:
        return "< 0.1 %"
    if 0.9995 <= probability < 1:
        return "> 99.9 %"
    return f"{100 * probability:.1f} %"


def points(delta: float, digits: int = 1) -> str:
    """ "+3.2" or "−0.4", with a real minus; "0.0" without a sign."""
    text = f"{abs(delta):.{digits}f}"
    if float(text) == 0:
        return text
    return f"{'+' if delta > 0 else '−'}{text}"


def _decision(numbers: Numbers) -> str:
    text = f"The model's class: {numbers.decision_untouched}"
    if numbers.expected_t_score is not None:
        text += f" (expected T-score {points(numbers.expected_t_score)})"
    if numbers.decision_now is None:
        return text
    return f"{text}; as shown now: {numbers.decision_now}"


def _state(numbers: Numbers | None, masks_changed: bool) -> tuple[str, str]:
    """(words, severity) of the line that says how far the figures can be relied on; "" when they are current."""
    if numbers is None:
        return "", ""
    if masks_changed:
        return "Stale: the masks were changed. These numbers belong to the former masks.", "warning"
    if numbers.state == "unanswered":
        return "Not computed: the model was not asked, or could not answer.", "warning"
    if numbers.state == "not stored":
        return "Not stored: the study holds no answer to this choice of bones.", "info"
    if numbers.state == "computing":
        return "Computing the answer on the image as it is shown now…", "info"
    return "", ""


def _sentence_label(parent: Widget, tip: str) -> Widget:
    label = QtWidgets.QLabel(parent)
    label.setWordWrap(True)
    label.setTextFormat(Qt.TextFormat.PlainText)
    label.setToolTip(tip)
    return label
