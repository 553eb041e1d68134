"""The models there are, adding one, and removing one's own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from OsteoScreenLib.ui import qt_api
from OsteoScreenLib.ui.models_dialog import ListedModel, ModelsDialog, listed_models
from OsteoScreenLib.worker import model_folders


@pytest.fixture
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user's folder with a model, a broken one, and what is no model."""
    folder = tmp_path / "models"
    monkeypatch.setenv(model_folders.USER_FOLDER_VARIABLE, str(folder))
    manifest = {"id": "mine", "title": "My <b>own</b> model", "kind": "classifier", "licence": "MIT", "training": {}}
    (folder / "mine").mkdir(parents=True)
    (folder / "mine" / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    (folder / "torn").mkdir()
    (folder / "torn" / "manifest.json").write_text('{"id": "to', encoding="utf-8")
    (folder / ".half").mkdir()
    (folder / "notes.txt").write_text("no model", encoding="utf-8")
    return folder


@pytest.fixture
def dialog(parent: Any, models: Path) -> ModelsDialog:
    made = ModelsDialog(parent, lambda title: "")
    made.open()
    return made


def choose(dialog: ModelsDialog, name: str) -> None:
    dialog._list.setCurrentRow([model.id for model in dialog._models].index(name))


def test_manifests_are_read_and_nothing_else(models: Path) -> None:
    found = {model.id: model for model in listed_models()}
    assert {"chest-sim-classifier", "chest-segmenter", "mine", "torn"} <= set(found)
    assert ".half" not in found
    embedded = found["chest-sim-classifier"]
    assert embedded.embedded and embedded.simulated and embedded.licence.startswith("Apache-2.0")
    assert (found["mine"].embedded, found["mine"].simulated) == (False, False)
    assert "cannot be read" in found["torn"].problem


@pytest.mark.parametrize("text", ["[]", "3", '"x"', "{}", '{"training": 3}', "\xff\xfe", '{"id": ' + "[" * 100000])
def test_strange_manifests_do_no_harm(models: Path, text: str) -> None:
    (models / "torn" / "manifest.json").write_bytes(text.encode("latin-1"))
    assert any(model.folder.name == "torn" for model in listed_models())


def test_what_is_known_of_a_model_is_shown(dialog: ModelsDialog) -> None:
    choose(dialog, "chest-sim-classifier")
    about = dialog._about.text()
    assert "chest-sim-classifier" in about and "Apache-2.0" in about and "simulated radiographs, not patients" in about
    assert not dialog._remove.isEnabled()
    choose(dialog, "mine")
    assert dialog._list.currentItem().text().startswith("My <b>own</b> model")  # a list shows text, not markup
    assert "MIT" in dialog._about.text()
    assert dialog._remove.isEnabled()
    lines = [dialog._list.item(index).text() for index in range(dialog._list.count())]
    assert any("simulated training" in line for line in lines) and any("⚠ unreadable" in line for line in lines)


def test_a_folder_is_chosen_and_asked_for(parent: Any, models: Path) -> None:
    answers, heard = ["/somewhere/bundle", ""], []
    dialog = ModelsDialog(parent, lambda title: answers.pop(0))
    dialog.add_asked.connect(heard.append)
    dialog._add.click()
    dialog._add.click()  # the reader changes his mind
    assert heard == ["/somewhere/bundle"]


def test_the_answer_is_shown_in_the_dialog(dialog: ModelsDialog) -> None:
    dialog.show_message("error", "The bundle x was altered; get it again.")
    assert dialog._message.widget.isVisible() and "was altered" in dialog._message.widget.text()
    dialog.show_message("", "")
    assert not dialog._message.widget.isVisible()


def test_a_new_model_is_seen_after_a_refresh_and_the_choice_stays(dialog: ModelsDialog, models: Path) -> None:
    choose(dialog, "mine")
    (models / "aa").mkdir()
    (models / "aa" / "manifest.json").write_text(json.dumps({"id": "aa", "title": "A"}), encoding="utf-8")
    dialog.refresh()
    assert "aa" in [model.id for model in dialog._models]
    assert dialog._model().id == "mine"
    dialog.refresh("aa")
    assert dialog._model().id == "aa"


@pytest.mark.parametrize("sure", [True, False])
def test_a_model_is_removed_only_on_the_readers_word(
    dialog: ModelsDialog, models: Path, monkeypatch: pytest.MonkeyPatch, sure: bool
) -> None:
    asked, heard = [], []
    dialog.removed.connect(heard.append)
    monkeypatch.setattr(qt_api, "ask", lambda parent, title, question: asked.append(question) or sure)
    choose(dialog, "mine")
    dialog._remove.click()
    assert len(asked) == 1 and "mine" in asked[0]
    assert (models / "mine").exists() is not sure
    assert heard == (["mine"] if sure else [])
    assert ("mine" in [model.id for model in dialog._models]) is not sure


def test_what_ships_with_osteoscreen_is_not_removed(dialog: ModelsDialog, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(qt_api, "ask", lambda *values: pytest.fail("asked"))
    choose(dialog, "chest-segmenter")
    dialog._on_remove()
    assert (model_folders.embedded_folder() / "chest-segmenter").is_dir()


def test_a_model_that_went_meanwhile_is_said(dialog: ModelsDialog, models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(qt_api, "ask", lambda *values: True)
    choose(dialog, "torn")
    (models / "torn" / "manifest.json").unlink()
    (models / "torn").rmdir()
    dialog._remove.click()
    assert "There is no model" in dialog._message.widget.text()


def test_a_file_manager_that_does_not_open_is_said(dialog: ModelsDialog, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []
    monkeypatch.setattr(qt_api, "show_folder", lambda path: bool(opened.append(path)))
    choose(dialog, "mine")
    dialog._show_folder.click()
    assert opened == [str(dialog._model().folder)]
    assert dialog._message.widget.isVisible() and opened[0] in dialog._message.widget.text()


def test_no_models_at_all(parent: Any) -> None:
    dialog = ModelsDialog(parent, lambda title: "", list)
    dialog.open()
    assert not dialog._remove.isEnabled() and not dialog._show_folder.isEnabled()
    assert dialog._about.text() == ""


def test_words_from_a_manifest_are_no_markup(parent: Any) -> None:
    odd = ListedModel("<i>a</i>", "A", "classifier", "<u>MIT</u>", False, True, Path("a"))
    dialog = ModelsDialog(parent, lambda title: "", lambda: [odd])
    assert "&lt;i&gt;a" in dialog._about.text() and "&lt;u&gt;MIT" in dialog._about.text()
