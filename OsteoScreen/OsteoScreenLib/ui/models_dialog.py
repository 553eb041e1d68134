"""Which models there are, and how to add one."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from html import escape
from pathlib import Path

from OsteoScreenLib.bundle import MANIFEST
from OsteoScreenLib.errors import OsteoScreenError
from OsteoScreenLib.ui import qt_api
from OsteoScreenLib.ui.buttons import push_button
from OsteoScreenLib.ui.qt_api import Qt, QtWidgets, Widget
from OsteoScreenLib.ui.sentence_line import SentenceLine
from OsteoScreenLib.ui.style import Colours, css
from OsteoScreenLib.workbench.events import Event
from OsteoScreenLib.worker import model_folders

_LARGEST_MANIFEST = 4 * 1024 * 1024
_KINDS = {"classifier": "gives the answer", "segmenter": "draws the bones", "gate": "checks the image"}


@dataclass(frozen=True)
class ListedModel:
    """What a manifest says about its model. Nothing is verified here: that is done when a model is added and when it is used.

    problem : why the manifest cannot be read, "" when it can. embedded : ships with OsteoScreen and cannot be removed.
    """

    id: str
    title: str
    kind: str
    licence: str
    simulated: bool
    embedded: bool
    folder: Path
    problem: str = ""


def listed_models() -> list[ListedModel]:
    """The models of both folders, those that ship with OsteoScreen first. Reads manifests only, so it is quick."""
    found = []
    for parent, embedded in ((model_folders.embedded_folder(), True), (model_folders.user_folder(), False)):
        if parent.is_dir():
            folders = sorted(folder for folder in parent.iterdir() if folder.is_dir() and not folder.name.startswith("."))
            found += [_listed(folder, embedded) for folder in folders]
    return found


class ModelsDialog:
    """The window behind "Add model…". Not modal in code: events tell what the reader wants, `show_message` what came of it.

    add_asked : (folder) to verify and copy. removed : (id) was deleted.
    """

    def __init__(
        self,
        parent: Widget,
        ask_for_folder: Callable[[str], str],
        models: Callable[[], Iterable[ListedModel]] = listed_models,
    ) -> None:
        self.add_asked: Event[[str]] = Event()
        self.removed: Event[[str]] = Event()
        self._ask_for_folder, self._models_now = ask_for_folder, models
        self._models: list[ListedModel] = []
        self._chosen = -1

        self.widget = QtWidgets.QDialog(parent)
        self.widget.setWindowTitle("Models")
        self.widget.setModal(True)
        self.widget.resize(620, 460)
        column = QtWidgets.QVBoxLayout(self.widget)
        hint = QtWidgets.QLabel(
            f"A model is a folder with <b>{MANIFEST}</b>, its weights and its card. It is checked, then copied to your models.",
            self.widget,
        )
        hint.setWordWrap(True)
        column.addWidget(hint)
        self._message = SentenceLine(self.widget)
        column.addWidget(self._message.widget)

        self._list = QtWidgets.QListWidget(self.widget)
        self._list.setAccessibleName("Models")
        self._list.setTextElideMode(Qt.TextElideMode.ElideRight)
        self._list.currentRowChanged.connect(self._on_row)
        column.addWidget(self._list, 1)
        self._about = QtWidgets.QLabel(self.widget)
        self._about.setWordWrap(True)
        self._about.setTextFormat(Qt.TextFormat.RichText)
        self._about.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        column.addWidget(self._about)

        row = QtWidgets.QHBoxLayout()
        self._add = push_button(
            self.widget, "Add from folder…", f"Choose the folder that holds the model's {MANIFEST}", self._on_add
        )
        self._show_folder = push_button(
            self.widget, "Show folder", "Open the model's folder in the file manager", self._on_show_folder
        )
        self._remove = push_button(self.widget, "Remove…", "Delete this model from your models", self._on_remove)
        self._close = push_button(self.widget, "Close", "Back to the panel", self.close)
        for button in (self._add, self._show_folder, self._remove):
            row.addWidget(button)
        row.addStretch(1)
        row.addWidget(self._close)
        column.addLayout(row)
        self.refresh()

    def open(self) -> None:
        """Show the window with the models as they are now. The event loop goes on; nothing waits for an answer."""
        self.refresh()
        self.widget.show()
        self.widget.raise_()

    def close(self) -> None:
        """Put the window away."""
        self.widget.hide()

    def refresh(self, choose: str = "") -> None:
        """Look into the folders again; `choose` names the model to select."""
        former = self._model()
        wanted = choose or (former.id if former is not None else "")
        self._models = list(self._models_now())
        with qt_api.signals_blocked(self._list):
            self._list.clear()
            for model in self._models:
                item = QtWidgets.QListWidgetItem(_line(model))
                item.setToolTip(_line(model))
                self._list.addItem(item)
            self._chosen = next((at for at, model in enumerate(self._models) if model.id == wanted), 0 if self._models else -1)
            self._list.setCurrentRow(self._chosen)
        self._tell()

    def show_message(self, severity: str, sentence: str) -> None:
        """What came of adding a model, in one sentence; "" clears."""
        self._message.show(severity, sentence)

    def restyle(self) -> None:
        """Take the palette's colours again."""
        self._tell()

    def _model(self) -> ListedModel | None:
        return self._models[self._chosen] if 0 <= self._chosen < len(self._models) else None

    def _on_row(self, row: int) -> None:
        self._chosen = int(row)
        self._tell()

    def _tell(self) -> None:
        model = self._model()
        self._show_folder.setEnabled(model is not None)
        self._remove.setEnabled(model is not None and not model.embedded)
        self._about.setText("" if model is None else _about(model, css(Colours.of(self.widget).dim)))

    def _on_add(self) -> None:
        folder = self._ask_for_folder(f"Choose the model's folder (with {MANIFEST})")
        if folder:
            self.show_message("info", f"Checking {Path(folder).name}; large models take a moment.")
            self.add_asked.emit(folder)

    def _on_show_folder(self) -> None:
        model = self._model()
        if model is not None and not qt_api.show_folder(str(model.folder)):
            self.show_message("warning", f"The file manager did not open; the folder is {model.folder}.")

    def _on_remove(self) -> None:
        model = self._model()
        if model is None or model.embedded:
            return
        if not qt_api.ask(self.widget, "Remove model", f"Delete the model {model.id} from your models? Its files are deleted."):
            return
        try:
            model_folders.remove_model(model.folder.name)
        except OsteoScreenError as error:
            self.show_message("error", str(error))
            return
        self.show_message("info", f"The model {model.id} was removed.")
        self.refresh()
        self.removed.emit(model.id)


def _listed(folder: Path, embedded: bool) -> ListedModel:
    unreadable = ListedModel(folder.name, folder.name, "", "", False, embedded, folder)
    path = folder / MANIFEST
    try:
        if path.stat().st_size > _LARGEST_MANIFEST:
            raise ValueError("too large")
        manifest = json.loads(path.read_text(encoding="utf-8"))
        training = manifest.get("training", {})
        simulated = isinstance(training, dict) and bool(training.get("simulated"))
        texts = [str(manifest.get(key, "")) for key in ("id", "title", "kind", "licence")]
    except (OSError, ValueError, AttributeError, RecursionError):
        return ListedModel(**{**vars(unreadable), "problem": f"Its {MANIFEST} is missing or cannot be read."})
    name, title, kind, licence = texts
    return ListedModel(name or folder.name, title or name or folder.name, kind, licence, simulated, embedded, folder)


def _line(model: ListedModel) -> str:
    marks = [] if model.embedded else ["yours"]
    marks += ["simulated training"] if model.simulated else []
    marks += ["⚠ unreadable"] if model.problem else []
    return model.title + (f"  ({', '.join(marks)})" if marks else "")


def _about(model: ListedModel, dim: str) -> str:
    rows = [("Id", model.id), ("Use", _KINDS.get(model.kind, model.kind)), ("Licence", model.licence)]
    rows.append(("Training", "simulated radiographs, not patients" if model.simulated else "see its card"))
    rows.append(("Origin", "ships with OsteoScreen" if model.embedded else "your models"))
    if model.problem:
        rows = [("Folder", model.folder.name), ("Problem", model.problem)]
    cells = "".join(
        f'<tr><td style="color:{dim}; padding-right:12px;">{escape(name)}</td><td>{escape(value or "not stated")}</td></tr>'
        for name, value in rows
    )
    return f"<table>{cells}</table>"
