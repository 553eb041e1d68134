"""The whole panel with a scripted presenter: what the reader does arrives there, and what it says is shown."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
from PySide6 import QtCore, QtGui, QtTest, QtWidgets
from ui.pacs_doubles import series
from ui.panel_doubles import RESEARCH, SIMULATED, ScriptedHost, ScriptedPresenter, numbers, reading, rows, rows_of

from OsteoScreenLib.errors import InputError
from OsteoScreenLib.ui import qt_api
from OsteoScreenLib.ui.panel import PARTS, Panel
from OsteoScreenLib.workbench.numbers import EffectCell
from OsteoScreenLib.workbench.toggles import Toggles


@pytest.fixture
def host() -> ScriptedHost:
    return ScriptedHost()


@pytest.fixture
def presenter() -> ScriptedPresenter:
    return ScriptedPresenter()


@pytest.fixture
def panel(parent: Any, presenter: ScriptedPresenter, host: ScriptedHost) -> Iterator[Panel]:
    made = Panel(parent, presenter, host)  # type: ignore[arg-type]
    parent.layout().setContentsMargins(0, 0, 0, 0)
    parent.layout().addWidget(made.widget)
    parent.resize(380, 760)
    parent.show()
    qt_api.process_events()
    yield made
    made.close()


def run_events(until: Callable[[], bool], seconds: float = 2.0) -> bool:
    end = time.monotonic() + seconds
    while not until() and time.monotonic() < end:
        qt_api.process_events()
    return until()


# What the reader does

HANDS: list[tuple[str, Callable[[Panel], object], tuple[Any, ...]]] = [
    ("volume", lambda panel: panel.input.volume_chosen.emit("v2"), ("open_volume", "v2")),
    ("overrides", lambda panel: panel.input.overrides_changed.emit(90, None, True), ("set_overrides", 90, None, True)),
    ("simulate", lambda panel: panel.input.simulate.asked.emit("c", "s", -2.0), ("simulate", "c", "s", -2.0)),
    ("analyse", lambda panel: panel.run.analyse_asked.emit(), ("analyse",)),
    ("cancel", lambda panel: panel.run.cancel_asked.emit(), ("cancel",)),
    ("model", lambda panel: panel.run.model_chosen.emit("m"), ("choose_model", "m")),
    ("device", lambda panel: panel.run.device_chosen.emit("cuda"), ("choose_device", "cuda")),
    ("release", lambda panel: panel.run.release_asked.emit(), ("release",)),
    ("recompute", lambda panel: panel.result.recompute_asked.emit(), ("recompute",)),
    ("target", lambda panel: panel.heatmap.target_chosen.emit("normal"), ("set_target", "normal")),
    ("mode", lambda panel: panel.covering.mode_chosen.emit("add-back"), ("set_mode", "add-back")),
    ("fill", lambda panel: panel.covering.fill_chosen.emit("blur"), ("set_fill", "blur")),
    ("margin", lambda panel: panel.covering.margin_chosen.emit(4.0), ("set_margin", 4.0)),
    ("all", lambda panel: panel.covering.all_asked.emit(), ("all_shown",)),
    ("none", lambda panel: panel.covering.none_asked.emit(), ("none_shown",)),
    ("invert", lambda panel: panel.covering.invert_asked.emit(), ("invert_shown",)),
    ("reset", lambda panel: panel.covering.reset_asked.emit(), ("reset",)),
    ("undo", lambda panel: panel.covering.undo_asked.emit(), ("undo",)),
    ("redo", lambda panel: panel.covering.redo_asked.emit(), ("redo",)),
    ("hold", lambda panel: panel.covering.hold_changed.emit(True), ("hold_untouched", True)),
    ("preview", lambda panel: panel.covering.preview_changed.emit(False), ("show_preview", False)),
    ("cover", lambda panel: panel.tree.covered_asked.emit(("T7", "T8"), True), ("set_covered", ("T7", "T8"), True)),
    ("hide", lambda panel: panel.tree.hidden_asked.emit(("T7",), True), ("set_hidden", ("T7",), True)),
    ("only", lambda panel: panel.tree.only_asked.emit("Spine"), ("only", "Spine")),
    ("edit", lambda panel: panel.tools._edit.click(), ("edit_masks",)),
    ("method", lambda panel: panel.heatmap.method_chosen.emit("layercam"), ("set_saliency", "layercam")),
    ("columns", lambda panel: panel.tools._actions["iou"].trigger(), ("set_columns", frozenset({"percentile", "iou"}))),
    ("controls", lambda panel: panel.tools._controls.trigger(), ("set_controls", False)),
]


def test_what_the_reader_does_arrives(panel: Panel, presenter: ScriptedPresenter) -> None:
    presenter.analysed().tell(*PARTS)
    for what, do, call in HANDS:
        presenter.calls.clear()
        do(panel)
        assert presenter.calls == [call], what


def test_the_heatmaps_style_arrives(panel: Panel, presenter: ScriptedPresenter) -> None:
    style = replace(presenter.heat_style, opacity=0.7)
    panel.heatmap.style_changed.emit(style)
    assert presenter.calls == [("set_heat_style", style)]


def test_only_this_means_the_trees_row(panel: Panel, presenter: ScriptedPresenter) -> None:
    panel.covering.only_asked.emit()
    assert presenter.calls == []
    panel.tree.current_changed.emit("left rib 5")
    panel.covering.only_asked.emit()
    assert presenter.calls == [("only", "left rib 5")]


@pytest.mark.parametrize("answer,calls", [("/data/a.dcm", [("open_file", "/data/a.dcm")]), ("", [])])
def test_a_file_is_asked_of_the_host(
    panel: Panel, presenter: ScriptedPresenter, host: ScriptedHost, answer: str, calls: list[Any]
) -> None:
    host.answer = answer
    panel.input.open_asked.emit()
    assert (host.asked, presenter.calls) == (["image"], calls)


@pytest.mark.parametrize("answer,calls", [("/out", [("save_results", "/out", True)]), ("", [])])
def test_results_go_into_a_folder_of_the_hosts(
    panel: Panel, presenter: ScriptedPresenter, host: ScriptedHost, answer: str, calls: list[Any]
) -> None:
    host.answer = answer
    panel.result.choose_dicom(True)
    panel.result._save.click()
    assert presenter.calls == calls
    assert host.kept["save-dicom"] == "1"
    panel.result.choose_dicom(False)
    panel.result._save.click()
    assert [call[-1] for call in presenter.calls] == ([True, False] if answer else [])
    assert host.kept["save-dicom"] == "0"


def test_whether_dicom_objects_are_saved_is_remembered(parent: Any, presenter: ScriptedPresenter, host: ScriptedHost) -> None:
    host.kept["save-dicom"], host.answer = "1", "/out"
    panel = Panel(parent, presenter, host)
    panel.result._save.click()
    assert presenter.calls == [("save_results", "/out", True)]
    panel.close()


def test_the_windows_for_an_archive_go_with_what_the_panel_forgets(panel: Panel) -> None:
    """As when a blind reading begins."""
    dialog = panel.pacs.open_images()
    dialog.show_found((series(),), "1 series")
    assert dialog.widget.isVisible() and panel.pacs is panel.pacs
    panel.forget()
    assert not dialog.widget.isVisible() and dialog._items == []


@pytest.mark.parametrize("answer", [True, False, None])
def test_text_in_a_picture_is_asked_about(
    panel: Panel, presenter: ScriptedPresenter, monkeypatch: pytest.MonkeyPatch, answer: bool | None
) -> None:
    asked: list[str] = []
    monkeypatch.setattr(qt_api, "ask_or_stop", lambda parent, title, question: (asked.append(question), answer)[1])
    presenter.text_found.emit("chest.dcm shows what looks like text in 3 places, which may name the patient")
    assert presenter.calls == [("answer_text", answer)]
    assert "3 places" in asked[0] and "Cover it" in asked[0] and "--" not in asked[0]


@pytest.mark.parametrize("answer,calls", [("/of/others.dcm", [("import_masks", "/of/others.dcm")]), ("", [])])
def test_masks_are_imported_from_a_file(
    panel: Panel, presenter: ScriptedPresenter, monkeypatch: pytest.MonkeyPatch, answer: str, calls: list[Any]
) -> None:
    monkeypatch.setattr(qt_api, "ask_for_file", lambda *words: answer)
    assert not panel.tools._import.isEnabled()
    presenter.analysed().tell(*PARTS)
    panel.tools._import.click()
    assert presenter.calls == calls


@pytest.mark.parametrize(
    "answer,calls",
    [("/v.png", [("save_screenshot", "/v.png")]), ("/v", [("save_screenshot", "/v.png")]), ("", [])],
)
def test_a_screenshot_is_a_png(
    panel: Panel, presenter: ScriptedPresenter, monkeypatch: pytest.MonkeyPatch, answer: str, calls: list[Any]
) -> None:
    monkeypatch.setattr(qt_api, "ask_for_save_name", lambda *values: answer)
    panel.result.screenshot_asked.emit()
    assert presenter.calls == calls


@pytest.mark.parametrize("keys,call", [("Ctrl+Z", "undo"), ("Ctrl+Shift+Z", "redo"), ("Ctrl+Y", "redo")])
def test_keys_undo_and_redo_inside_the_panel(panel: Panel, presenter: ScriptedPresenter, keys: str, call: str) -> None:
    panel.run._model.widget.setFocus()
    qt_api.process_events()
    QtTest.QTest.keySequence(panel.run._model.widget, QtGui.QKeySequence(keys))
    assert presenter.calls == [(call,)]


def test_a_real_click_on_analyse(panel: Panel, presenter: ScriptedPresenter) -> None:
    QtTest.QTest.mouseClick(panel.run._run, QtCore.Qt.MouseButton.LeftButton)
    assert presenter.calls == []  # nothing is open
    presenter.analysed().tell("reading")
    QtTest.QTest.mouseClick(panel.run._run, QtCore.Qt.MouseButton.LeftButton)
    assert presenter.calls == [("analyse",)]


# What the presenter says


def test_the_empty_panel(panel: Panel) -> None:
    assert panel.banners.shown == [RESEARCH]
    assert panel.input._volumes.value is None
    assert panel.run._run.text() == "Analyse" and not panel.run._run.isEnabled()
    assert panel.run._words.text() == "Open a radiograph, then press Analyse."
    assert panel.result._words.text() == "No answer yet."
    assert not panel.tools._edit.isEnabled()


def test_the_analysed_panel(panel: Panel, presenter: ScriptedPresenter) -> None:
    presenter.analysed().tell(*PARTS)
    assert panel.banners.shown == [RESEARCH, SIMULATED]
    assert panel.input._volumes.value == "t1"
    assert [badge.title for badge in panel.input.shown_badges] == ["Grey values clipped", "Lossy compression"]
    assert panel.run._run.isEnabled()
    assert panel.run._words.text() == "Analysed in 2.4 s on cpu (bf16)."
    assert panel.result.shown_rows[3][:2] == ["▸ osteoporosis", "51.2 %"]
    assert panel.tree._items["T7"].text(0).startswith("T7")
    assert panel.tools._edit.isEnabled()


def test_busy_and_back(panel: Panel, presenter: ScriptedPresenter) -> None:
    presenter.analysed().tell(*PARTS)
    presenter.busy = True
    presenter.tell("busy")
    assert panel.run._run.text() == "Cancel" and panel.run._words.text() == "Starting…"
    assert not panel.input._open.isEnabled() and not panel.result._save.isEnabled()
    presenter.progress = ("Outlining the bones", 0.4, 6.0)
    presenter.tell("progress")
    assert panel.run._words.text() == "Outlining the bones · about 6 s left"
    presenter.busy, presenter.progress, presenter.idle_sentence = False, None, "Cancelled; nothing was changed."
    presenter.tell("busy", "progress")
    assert panel.run._run.text() == "Analyse" and panel.run._words.text() == "Cancelled; nothing was changed."
    assert panel.input._open.isEnabled() and panel.result._save.isEnabled()
    assert panel.result.shown_rows[3][1] == "51.2 %"  # the last good answer is still there


def test_toggles_numbers_and_effects(panel: Panel, presenter: ScriptedPresenter) -> None:
    presenter.analysed().tell(*PARTS)
    presenter.toggles = Toggles(covered=frozenset({"T7", "T8"}), mode="add-back", fill="noise", margin_px=3)
    presenter.numbers, presenter.can_undo = numbers(state="computing"), True
    presenter.rows = {**rows(), **rows_of({"T7": EffectCell(state="computing")})}
    presenter.tell("toggles", "result", "effects")
    unchecked, checked = QtCore.Qt.CheckState.Unchecked, QtCore.Qt.CheckState.Checked
    assert panel.tree._items["T7"].checkState(2) == unchecked and panel.tree._items["T9"].checkState(2) == checked
    assert "Computing" in panel.result._state.text() and panel.result._state.isVisible()
    assert panel.covering._undo.isEnabled() and not panel.covering._redo.isEnabled()
    assert panel.covering._modes["add-back"].isChecked() and panel.covering._margin.value() == 3
    presenter.numbers = numbers((0.2, 0.3, 0.5))
    presenter.tell("result")
    assert panel.result.shown_rows[3][2] == "50.0 %" and not panel.result._state.isVisible()


def test_changed_masks_mark_everything_stale(panel: Panel, presenter: ScriptedPresenter) -> None:
    presenter.analysed().tell(*PARTS)
    presenter.masks_edited = True
    presenter.rows = rows("stale")  # nothing is covered, so the numbers themselves stay
    presenter.tell("result", "effects")
    assert panel.result._state.isVisible() and panel.result._recompute.isVisible()
    presenter.masks_edited = False
    presenter.rows = rows()
    presenter.tell("result", "effects")
    assert not panel.result._state.isVisible() and not panel.result._recompute.isVisible()


def test_the_case_goes(panel: Panel, presenter: ScriptedPresenter) -> None:
    presenter.analysed().tell(*PARTS)
    empty = ScriptedPresenter()
    for name in (
        "volumes",
        "volume_id",
        "reading",
        "numbers",
        "toggles",
        "rows",
        "verdict_line",
        "bone_areas",
        "heat_method",
        "can_edit_masks",
    ):
        setattr(presenter, name, getattr(empty, name))
    presenter.tell(*PARTS)
    assert panel.result._words.text() == "No answer yet." and not panel.result._table.isVisible()
    assert panel.input.shown_badges == [] and not panel.run._run.isEnabled()
    assert not panel.tools._edit.isEnabled()


def test_the_bones_under_the_cursor(panel: Panel, presenter: ScriptedPresenter) -> None:
    presenter.cursor_bones = ["right rib 5", "T7"]
    presenter.tell("cursor")
    assert panel._frame.sections["Bones"].summary == "right rib 5, T7"


def test_an_unknown_part_does_no_harm(panel: Panel, presenter: ScriptedPresenter) -> None:
    presenter.tell("something new")


def test_every_part_can_be_shown_alone_in_every_state(panel: Panel, presenter: ScriptedPresenter) -> None:
    for _ in range(2):
        for part in PARTS:
            presenter.tell(part)
        presenter.analysed()


def test_the_table_is_copied_whole(panel: Panel, presenter: ScriptedPresenter) -> None:
    presenter.analysed().tell(*PARTS)
    presenter.table_text = "Bone\tΔ\nT6\t1.0\nT7\t2.0\n"
    panel.tools._copy.click()
    assert qt_api.clipboard_text() == presenter.table_text
    assert panel.messages.shown == ("info", "The table was copied: 2 rows, for a spreadsheet.")
    presenter.table_text = ""
    panel.tools.copy_asked.emit()
    assert qt_api.clipboard_text() != "", "nothing to copy leaves the clipboard alone"


def test_chosen_columns_and_the_verdict_are_shown(panel: Panel, presenter: ScriptedPresenter) -> None:
    presenter.analysed().tell(*PARTS)
    assert not panel.tree._tree.isColumnHidden(5) and panel.tree._tree.isColumnHidden(7)
    presenter.columns, presenter.controls_on = frozenset({"iou"}), False
    presenter.tell("columns")
    assert panel.tree._tree.isColumnHidden(5) and not panel.tree._tree.isColumnHidden(7)
    assert panel.tools._actions["iou"].isChecked() and not panel.tools._controls.isChecked()
    assert panel.contributions._verdict.text() == presenter.verdict_line.sentence
    panel._frame.sections["Contributions"]._title.click()
    assert panel._frame.sections["Contributions"].summary == "looks at bone"


# Messages


@pytest.mark.parametrize("severity,word", [("info", "Note"), ("warning", "Warning"), ("error", "Error")])
def test_a_message_is_shown_logged_and_told_to_the_host(
    panel: Panel, presenter: ScriptedPresenter, host: ScriptedHost, severity: str, word: str
) -> None:
    presenter.message.emit(severity, "The disk is full.")
    assert panel.messages.shown == (severity, "The disk is full.")
    assert panel.log.lines[-1].endswith(f"{word}: The disk is full.")
    assert host.said == ["The disk is full."]


def test_a_sentence_is_not_written_twice(panel: Panel, presenter: ScriptedPresenter) -> None:
    presenter.idle_sentence = "The process ended; press Analyse again."
    presenter.tell("progress")
    presenter.message.emit("error", presenter.idle_sentence)
    assert panel.run._words.text() == ""
    panel.messages._close.click()
    assert panel.run._words.text() == presenter.idle_sentence


def test_the_log_takes_the_presenters_lines(panel: Panel, presenter: ScriptedPresenter) -> None:
    presenter.log.emit("worker ready")
    assert panel.log.lines == ["worker ready"]


# Faults


def test_what_the_reader_did_wrong_is_one_sentence(panel: Panel, presenter: ScriptedPresenter) -> None:
    def refuse() -> None:
        raise InputError("Open a radiograph first.")

    presenter.analyse = refuse  # type: ignore[attr-defined]
    panel.close()
    panel = Panel(panel.widget.parentWidget(), presenter, ScriptedHost())  # type: ignore[arg-type]
    panel.run.analyse_asked.emit()
    assert panel.messages.shown == ("error", "Open a radiograph first.")
    assert "Traceback" not in "\n".join(panel.log.lines)
    panel.close()


def test_a_fault_of_ours_is_one_sentence_and_details_in_the_log(panel: Panel, presenter: ScriptedPresenter) -> None:
    def fail() -> None:
        raise ZeroDivisionError("oops")

    presenter.poll = fail
    assert run_events(lambda: bool(panel.messages.shown[1]))
    severity, sentence = panel.messages.shown
    assert severity == "error" and "Traceback" not in sentence and "ZeroDivisionError" in sentence
    logged = len(panel.log.lines)
    assert any("oops" in line for line in panel.log.lines)
    for _ in range(5):
        panel._tick()
    assert len(panel.log.lines) == logged  # the same fault, forty times a second, is told once
    presenter.poll = lambda: None
    presenter.analysed().tell(*PARTS)
    assert panel.result.shown_rows[3][1] == "51.2 %"  # and the panel goes on


# The loop


def test_the_presenter_is_polled_by_a_timer(panel: Panel, presenter: ScriptedPresenter) -> None:
    polled: list[float] = []
    presenter.poll = lambda: polled.append(time.monotonic())
    assert run_events(lambda: len(polled) >= 5)
    assert max(after - before for before, after in pairwise(polled)) < 0.5


def test_numbers_that_come_in_by_the_dozen_are_drawn_once(
    panel: Panel, presenter: ScriptedPresenter, monkeypatch: pytest.MonkeyPatch
) -> None:
    presenter.analysed().tell(*PARTS)
    drawn: list[int] = []
    monkeypatch.setattr(panel.tree, "show_rows", lambda cells: drawn.append(1))
    presenter.poll = lambda: presenter.tell(*["effects"] * 50)
    panel._tick()
    assert len(drawn) == 1
    presenter.poll = lambda: None
    panel._tick()
    assert len(drawn) == 1


def test_a_poll_is_not_entered_from_within(panel: Panel, presenter: ScriptedPresenter) -> None:
    depth, deepest = [0], [0]

    def poll() -> None:
        depth[0] += 1
        deepest[0] = max(deepest[0], depth[0])
        end = time.monotonic() + 0.08
        while time.monotonic() < end:  # as a dialog does
            qt_api.process_events()
        depth[0] -= 1

    presenter.poll = poll
    run_events(lambda: deepest[0] > 0)
    assert deepest[0] == 1


def test_after_closing_nothing_is_called_any_more(panel: Panel, presenter: ScriptedPresenter) -> None:
    polled: list[int] = []
    presenter.poll = lambda: polled.append(1)
    panel.close()
    panel.close()
    run_events(lambda: False, 0.1)
    assert polled == []
    presenter.analysed().tell(*PARTS)
    presenter.message.emit("error", "late")
    assert panel.messages.shown == ("", "")
    panel.run.analyse_asked.emit()
    assert presenter.calls == []


def test_a_panel_that_is_destroyed_without_closing(parent: Any, presenter: ScriptedPresenter, host: ScriptedHost) -> None:
    polled: list[int] = []
    panel = Panel(parent, presenter, host)  # type: ignore[arg-type]
    panel.widget.deleteLater()
    QtCore.QCoreApplication.sendPostedEvents(None, QtCore.QEvent.Type.DeferredDelete)
    presenter.poll = lambda: polled.append(1)
    run_events(lambda: False, 0.1)
    assert polled == []


# Models


def test_add_model_shows_the_models_and_asks_for_a_folder(
    panel: Panel, presenter: ScriptedPresenter, host: ScriptedHost
) -> None:
    panel.run._add.click()
    dialog = panel._dialog
    assert dialog is not None and dialog.widget.isVisible()
    host.answer = "/bundles/mine"
    dialog._add.click()
    assert presenter.calls == [("add_model", "/bundles/mine")]
    presenter.message.emit("error", "The bundle mine was altered; get it again.")
    assert "was altered" in dialog._message.widget.text()
    panel.run._add.click()
    assert panel._dialog is dialog and not dialog._message.widget.isVisible()


def test_new_models_are_offered_at_once(panel: Panel, presenter: ScriptedPresenter) -> None:
    panel.run._add.click()
    presenter.models, presenter.model_id = [*presenter.models, ("mine", "Mine")], "mine"
    presenter.tell("models")
    assert panel.run._model.value == "mine"
    panel._dialog.removed.emit("mine")  # type: ignore[union-attr]
    assert presenter.calls == [("refresh_models",)]


# How it looks


def test_folding_is_remembered(parent: Any, presenter: ScriptedPresenter, host: ScriptedHost) -> None:
    first = Panel(parent, presenter, host)  # type: ignore[arg-type]
    first._frame.sections["Heatmap"]._title.click()
    first.close()
    second = Panel(parent, presenter, host)  # type: ignore[arg-type]
    folded = [title for title, section in second._frame.sections.items() if not section.expanded]
    assert folded == ["Heatmap", "Log"]
    second.close()


def test_a_new_answer_comes_into_sight(panel: Panel, presenter: ScriptedPresenter) -> None:
    presenter.analysed().tell(*PARTS)
    middle = panel._frame._middle

    def seen() -> bool:
        place = panel.result.widget.mapTo(middle.viewport(), QtCore.QPoint(0, 0)).y()
        return 0 <= place < middle.viewport().height() / 2

    assert run_events(seen)


def test_the_theme_changes_while_the_panel_is_open(panel: Panel, presenter: ScriptedPresenter) -> None:
    presenter.analysed().tell(*PARTS)
    before = panel.banners._labels[0].styleSheet()
    palette = QtGui.QPalette()
    palette.setColor(QtGui.QPalette.ColorRole.Window, QtGui.QColor("#202020"))
    palette.setColor(QtGui.QPalette.ColorRole.WindowText, QtGui.QColor("#eeeeee"))
    panel.widget.setPalette(palette)
    assert run_events(lambda: panel.banners._labels[0].styleSheet() != before)


@pytest.mark.parametrize("size", [(360, 700), (380, 760), (520, 1360)])
@pytest.mark.parametrize("points", [9, 13])
def test_no_word_is_cut(parent: Any, host: ScriptedHost, size: tuple[int, int], points: int) -> None:
    font = QtGui.QFont(parent.font())
    font.setPointSize(points)
    parent.setFont(font)
    presenter = ScriptedPresenter().analysed()
    panel = Panel(parent, presenter, host)  # type: ignore[arg-type]
    parent.layout().addWidget(panel.widget)
    parent.show()
    presenter.numbers, presenter.toggles = numbers((0.31, 0.42, 0.27)), Toggles(covered=frozenset({"T7"}))
    presenter.reading = reading("a_long_name_of_a_radiograph_from_the_archive.png", spacing_mm=None, view="", sex="")
    presenter.tell(*PARTS)
    parent.resize(*size)
    run_events(lambda: False, 0.15)
    cut = []
    for widget in [*panel.widget.findChildren(QtWidgets.QLabel), *panel.widget.findChildren(QtWidgets.QAbstractButton)]:
        if not widget.isVisible() or not widget.text():
            continue
        # A push button asks for more than its words need; labels ask for just that.
        label = isinstance(widget, QtWidgets.QLabel)
        wide = widget.minimumSizeHint().width() if label else qt_api.text_width(widget.text(), widget) + 6
        high = widget.fontMetrics().height()
        if label:
            high = widget.heightForWidth(widget.width()) if widget.wordWrap() else widget.minimumSizeHint().height()
        if widget.width() < wide or widget.height() < high:
            cut.append(f"{widget.text()}: {widget.width()} × {widget.height()} of {wide} × {high}")
    assert cut == []
    viewport = panel._frame._middle.viewport()
    assert panel._frame._content.width() <= viewport.width()  # nothing hides to the right
    panel.close()


def test_a_larger_font_while_the_panel_is_open(panel: Panel) -> None:
    section = panel._frame.sections["Log"]  # folded: as high as its title
    before = section.widget.height()
    font = QtGui.QFont(panel.widget.font())
    font.setPointSize(20)
    panel.widget.setFont(font)
    assert run_events(lambda: section.widget.height() >= section._title.sizeHint().height() > before)


def test_what_is_shown_costs_little(panel: Panel, presenter: ScriptedPresenter) -> None:
    presenter.analysed().tell(*PARTS)
    spent = []
    for at in range(5):
        presenter.rows = rows_of({name: EffectCell(at + 1.0, 0.1, "current") for name in presenter.rows})
        before = time.perf_counter()
        presenter.tell("toggles", "result", "effects")
        spent.append(time.perf_counter() - before)
    assert sorted(spent)[2] < 0.1
