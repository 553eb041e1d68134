"""What is searched for in an archive: patient, accession number, days, and which kind of series."""

from __future__ import annotations

from datetime import date

from OsteoScreenLib.errors import InputError
from OsteoScreenLib.ui.choice import Choice
from OsteoScreenLib.ui.qt_api import QtWidgets, Widget, get
from OsteoScreenLib.workbench.events import Event
from OsteoScreenLib.workbench.pacs_nouns import RADIOGRAPHS, REPORTS, Search

_KINDS = (
    (RADIOGRAPHS, "Radiographs (CR, DX)"),
    (("CR",), "CR"),
    (("DX",), "DX"),
    (REPORTS, "Earlier results (SR)"),
    ((), "Everything"),
)
_FIELDS = (
    ("patient_name", "Patient's name", "Family, Given", "As it begins in the archive; * stands for anything"),
    ("patient_id", "Patient id", "", "As the archive has it; * stands for anything"),
    ("accession", "Accession number", "", "The order's number in the archive"),
    ("first_day", "From", "YYYY-MM-DD", "First day of the study"),
    ("last_day", "To", "YYYY-MM-DD", "Last day of the study"),
)


class PacsSearch:
    """search_asked : (what is searched for). refused : (one sentence) why it cannot be."""

    def __init__(self, parent: Widget) -> None:
        self.search_asked: Event[[Search]] = Event()
        self.refused: Event[[str]] = Event()
        self.widget = QtWidgets.QWidget(parent)
        grid = QtWidgets.QGridLayout(self.widget)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(8)
        grid.setVerticalSpacing(2)
        self._fields: dict[str, Widget] = {}
        self._enabled = False
        for at, (name, title, hint, tip) in enumerate(_FIELDS):
            field = QtWidgets.QLineEdit(self.widget)
            field.setPlaceholderText(hint)
            field.setToolTip(tip)
            field.setAccessibleName(title)
            field.setClearButtonEnabled(True)
            field.setMinimumWidth(90)
            field.returnPressed.connect(self._on_search)
            self._put(grid, at, title, field)
            self._fields[name] = field
        self._kind = Choice(self.widget, "Which series are listed")
        self._kind.show(_KINDS, RADIOGRAPHS)
        self._put(grid, len(_FIELDS), "Kind", self._kind.widget)
        self._button = QtWidgets.QPushButton("Search", self.widget)
        self._button.setToolTip("Ask the archive; empty fields match everything")
        self._button.setAutoDefault(False)  # Enter in a field searches already
        self._button.clicked.connect(lambda checked=False: self._on_search())
        grid.addWidget(self._button, 3, 3)
        self.enable(False)
        for at in range(3):
            grid.setColumnStretch(at, 1)

    def enable(self, enabled: bool) -> None:
        """Whether a search can be begun now."""
        self._enabled = enabled
        self._button.setEnabled(enabled)

    def _put(self, grid: Widget, at: int, title: str, field: Widget) -> None:
        """Two rows of three fields, each under its title."""
        label = QtWidgets.QLabel(title, self.widget)
        label.setBuddy(field)
        grid.addWidget(label, 2 * (at // 3), at % 3)
        grid.addWidget(field, 2 * (at // 3) + 1, at % 3)

    def _on_search(self) -> None:
        if not self._enabled:
            return
        try:
            texts = {name: str(get(field, "text")).strip() for name, field in self._fields.items()}
            first, last = day_of(texts.pop("first_day")), day_of(texts.pop("last_day"))
            if first and last and first > last:
                raise InputError("The first day lies behind the last one; exchange them.", code="date")
        except InputError as error:
            self.refused.emit(str(error))
            return
        texts["patient_name"] = name_to_match(texts["patient_name"])
        self.search_asked.emit(Search(**texts, first_day=first, last_day=last, modalities=tuple(self._kind.value)))


def day_of(text: str) -> str:
    """ "2024-01-31" or "20240131" → "20240131"; "" stays "". Raises `InputError` for what is no day."""
    if not text:
        return ""
    try:
        return date.fromisoformat(text).strftime("%Y%m%d")
    except ValueError as error:
        raise InputError(f"{text!r} is no day; write it as YYYY-MM-DD, for example 2024-01-31.", code="date") from error


def name_to_match(text: str) -> str:
    """ "Meier, Eva" → "Meier^Eva*" (PS3.4 C.2.2.2.4): the beginning of a name, unless the reader set * or ? himself."""
    name = "^".join(part.strip() for part in text.split(","))
    return name if not name or "*" in name or "?" in name else f"{name}*"
