"""The Review tab with a scripted review: keys and mouse arrive there, and what it says is shown; on both bindings' rules."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PySide6 import QtCore, QtGui, QtTest
from ui.panel_doubles import ScriptedHost, ScriptedPresenter, numbers
from ui.review_doubles import ScriptedReview

from OsteoScreenLib.errors import InputError
from OsteoScreenLib.review.draft import Draft
from OsteoScreenLib.ui import qt_api
from OsteoScreenLib.ui.review_keys import KEYS, ReviewKeys
from OsteoScreenLib.ui.review_list import Row
from OsteoScreenLib.ui.review_tab import ReviewTab


@pytest.fixture
def host() -> ScriptedHost:
    return ScriptedHost()


@pytest.fixture
def review() -> ScriptedReview:
    return ScriptedReview()


@pytest.fixture
def presenter() -> ScriptedPresenter:
    return ScriptedPresenter()


@pytest.fixture
def tab(parent: Any, review: ScriptedReview, presenter: ScriptedPresenter, host: ScriptedHost) -> Iterator[ReviewTab]:
    made = ReviewTab(parent, review, presenter, host)  # type: ignore[arg-type]
    parent.layout().setContentsMargins(0, 0, 0, 0)
    parent.layout().addWidget(made.widget)
    parent.resize(400, 900)
    parent.show()
    parent.activateWindow()
    qt_api.process_events()
    yield made
    made.close()


def press(tab: ReviewTab, keys: str) -> None:
    sequence = QtGui.QKeySequence(keys)
    window = tab.widget.window().windowHandle()
    QtTest.QTest.keyClick(window, sequence[0].key(), sequence[0].keyboardModifiers())
    qt_api.process_events()


def write(tab: ReviewTab, text: str) -> None:
    for letter in text:
        QtTest.QTest.keyClick(tab.widget.window().windowHandle(), letter)
    qt_api.process_events()


def click(widget: Any) -> None:
    QtTest.QTest.mouseClick(widget, QtCore.Qt.MouseButton.LeftButton)
    qt_api.process_events()


BY_KEY = [
    ("1", ("edit", "decision", "normal")),
    ("2", ("edit", "decision", "osteopenia")),
    ("3", ("edit", "decision", "osteoporosis")),
    ("Right", ("edit", "confidence", 55)),
    ("Left", ("edit", "confidence", 45)),
    ("Shift+Right", ("edit", "confidence", 51)),
    ("Shift+Left", ("edit", "confidence", 49)),
    ("Q", ("edit", "quality", "limited")),
    ("Ctrl+Return", ("lock",)),
    ("PgDown", ("next",)),
    ("PgUp", ("previous",)),
    ("U", ("first_unread",)),
    ("H", ("turn_heatmap",)),
    ("O", ("turn_outlines",)),
    ("M", ("check_masks",)),
    ("Ctrl+3", ("turn_group", 3)),
]


@pytest.mark.parametrize("keys,call", BY_KEY)
def test_keys_act_wherever_the_focus_is(tab: ReviewTab, review: ScriptedReview, keys: str, call: tuple[Any, ...]) -> None:
    review.at_work()
    for focus in (tab.widget, tab.form._ticks["scoliosis"], tab.list._tree, tab.bar._lock):
        review.calls.clear()
        review.draft = Draft()
        review.tell("draft")
        focus.setFocus()
        press(tab, keys)
        assert review.calls == [call], focus


def test_before_anyone_has_signed_in_no_key_reads(tab: ReviewTab, review: ScriptedReview) -> None:
    for keys in ("1", "Right", "Q"):
        press(tab, keys)
    assert review.calls == []
    assert not tab._area.isVisible() and not tab.bar.widget.isVisible()


def test_a_text_that_is_written_keeps_its_letters_and_lock_still_locks(tab: ReviewTab, review: ScriptedReview) -> None:
    review.at_work()
    press(tab, "C")
    write(tab, "q 13 su")
    assert review.draft == Draft(comment="q 13 su")
    press(tab, "Left")
    write(tab, "x")
    assert review.draft.comment == "q 13 sxu" and review.draft.confidence is None  # the arrow moved the cursor
    press(tab, "Ctrl+Return")
    assert review.calls[-1] == ("lock",)
    press(tab, "Escape")
    press(tab, "1")
    assert review.draft.decision == "normal" and review.draft.comment == "q 13 sxu"


def test_everything_can_be_entered_by_mouse(tab: ReviewTab, review: ScriptedReview) -> None:
    review.at_work()
    click(tab.form._classes["osteopenia"])
    click(tab.form._qualities["not readable"])
    box = tab.form._ticks["rib fracture"]
    QtTest.QTest.mouseClick(box, QtCore.Qt.MouseButton.LeftButton, pos=QtCore.QPoint(8, box.height() // 2))
    slider = tab.form._slider
    QtTest.QTest.mouseClick(
        slider, QtCore.Qt.MouseButton.LeftButton, pos=QtCore.QPoint(slider.width() - 4, slider.height() // 2)
    )
    draft = review.draft
    assert (draft.decision, draft.quality, draft.findings) == ("osteopenia", "not readable", ("rib fracture",))
    assert draft.confidence is not None and draft.confidence > 95
    assert tab.form._classes["osteopenia"].isChecked() and not tab.form._classes["normal"].isChecked()
    click(tab.bar._lock)
    assert review.calls[-1] == ("lock",)


def test_a_click_on_the_slider_where_it_stands_is_an_answer(tab: ReviewTab, review: ScriptedReview) -> None:
    review.at_work()
    assert tab.form._percent.property("text") == "–"
    slider = tab.form._slider
    QtTest.QTest.mouseClick(
        slider, QtCore.Qt.MouseButton.LeftButton, pos=QtCore.QPoint(slider.width() // 2, slider.height() // 2)
    )
    assert review.draft.confidence == 50 and tab.form._percent.property("text") == "50"


def test_a_choice_that_is_refused_is_not_shown(tab: ReviewTab, review: ScriptedReview) -> None:
    review.at_work()
    review.refuses = True
    click(tab.form._classes["normal"])
    assert not tab.form._classes["normal"].isChecked()


def test_a_locked_read_can_be_seen_and_not_changed(tab: ReviewTab, review: ScriptedReview) -> None:
    review.at_work()
    review.draft, review.can_enter, review.is_blind = Draft("normal", 20, comment="all well"), False, False
    review.tell()
    assert tab.form._comment.property("text") == "all well" and not tab.form.widget.isEnabled()
    for keys in ("3", "Right", "Q"):
        press(tab, keys)
    assert review.calls == [] and not tab.bar._lock.isEnabled()


def test_changed_because_is_asked_in_the_second_read_only(tab: ReviewTab, review: ScriptedReview) -> None:
    review.at_work()
    assert not tab.form._because.isVisible()
    review.is_second, review.is_blind = True, False
    review.tell()
    press(tab, "W")
    write(tab, "ribs")
    assert review.draft.changed_because == "ribs"
    assert tab.bar._lock.property("text") == "Lock and go on"


def test_skipping_asks_for_a_reason(tab: ReviewTab, review: ScriptedReview) -> None:
    review.at_work()
    press(tab, "S")
    press(tab, "Return")
    assert review.calls == []
    write(tab, "too dark")
    press(tab, "Return")
    assert review.calls == [("skip", "too dark")]
    press(tab, "S")
    write(tab, "no")
    press(tab, "Escape")
    assert review.calls == [("skip", "too dark")] and not tab.bar._asking.isVisible()


def test_the_list_shows_searches_filters_and_opens(tab: ReviewTab, review: ScriptedReview) -> None:
    review.at_work()
    assert tab.list.shown_rows == [("Case 1", "● read"), ("Case 2", "○ not read"), ("Case 3", "⤼ skipped")]
    assert tab.list._items[1].isSelected()
    press(tab, "Ctrl+F")
    write(tab, "3")
    assert review.calls == [("narrow", "3", "")]
    review.listed = frozenset({2})
    review.tell("list")
    assert tab.list.shown_rows == [("Case 3", "⤼ skipped")]
    tree = tab.list._tree
    place = tree.visualItemRect(tab.list._items[2]).center()
    QtTest.QTest.mouseClick(tree.viewport(), QtCore.Qt.MouseButton.LeftButton, pos=place)
    assert review.calls[-1] == ("go", 2)
    review.listed, review.rows, review.current = None, [*review.rows[:1], Row("Case 2", "first"), review.rows[2]], 2
    review.tell("list")
    assert tab.list.shown_rows[1] == ("Case 2", "◐ first read locked") and tab.list._items[2].isSelected()


def test_signing_in_by_code(
    tab: ReviewTab, review: ScriptedReview, host: ScriptedHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    host.answer = "/studies/one"
    click(tab.sign_in._open)
    assert review.calls == [("open_study", "/studies/one")]
    review.study, review.readers = ScriptedReview().at_work().study, ("R1", "R2")
    review.tell("study")
    assert tab.sign_in._code.property("placeholderText") == "Your code: R1, R2"
    click(tab.sign_in._code)
    write(tab, "R1")
    press(tab, "Return")
    assert review.calls[-1] == ("sign_in", "R1")
    questions: list[str] = []
    monkeypatch.setattr(qt_api, "ask", lambda parent, title, question: bool(questions.append(question)))
    review.others_open = 2
    review.calls.clear()
    click(tab.sign_in._in)
    assert review.calls == [] and "2 analysed cases leave the scene" in questions[0]


def test_signing_out_asks_where_entries_would_be_lost(
    tab: ReviewTab, review: ScriptedReview, monkeypatch: pytest.MonkeyPatch
) -> None:
    review.at_work()
    answers = [False, True]
    monkeypatch.setattr(qt_api, "ask", lambda *words: answers.pop(0))
    review.written = False
    click(tab.sign_in._out)
    assert review.calls == []
    click(tab.sign_in._out)
    assert review.calls == [("sign_out",)]


def test_the_answer_is_shown_and_leaves_no_trace(tab: ReviewTab, review: ScriptedReview, presenter: ScriptedPresenter) -> None:
    review.at_work()
    before = said(tab)
    presenter.analysed()
    presenter.numbers = numbers(now=(0.2, 0.3, 0.41))
    review.model_there, review.is_second, review.first_decision = True, True, "normal"
    review.tell()
    shown = said(tab)
    assert any("The model says osteopenia, you said normal." in text for text in shown)
    assert any("51.2 %" in text for text in shown) and tab.sections["The model"].widget.isVisible()
    assert any("trained on simulated" in text for text in shown)
    presenter.numbers = None
    review.model_there = review.is_second = False
    review.tell()
    assert said(tab) == before and not tab.sections["The model"].widget.isVisible()


def said(tab: ReviewTab) -> list[str]:
    """Every text of the tab, hidden or not."""
    found = []
    for widget in tab.widget.findChildren(qt_api.QtWidgets.QWidget):
        text = f"{widget.property('text') or ''} {widget.property('toolTip')} {widget.property('accessibleName')}"
        found += [f"{type(widget).__name__} {text}"] if text.strip() else []
    return sorted(found)


def test_what_goes_wrong_is_one_sentence_and_the_reader_goes_on(
    tab: ReviewTab, review: ScriptedReview, presenter: ScriptedPresenter
) -> None:
    review.at_work()

    review.fails = InputError("The disk is full; free some space and lock again.", code="disk")
    press(tab, "Ctrl+Return")
    assert tab.messages.shown == ("error", "The disk is full; free some space and lock again.")
    review.fails = ZeroDivisionError("by nothing")
    lines: list[str] = []
    presenter.log.connect(lines.append)
    press(tab, "Ctrl+Return")
    assert "ZeroDivisionError" in tab.messages.shown[1] and "Traceback" in lines[0]
    review.fails = None
    press(tab, "PgDown")
    assert review.calls == [("next",)]


def test_the_tab_fits_into_a_narrow_panel(tab: ReviewTab, review: ScriptedReview) -> None:
    review.at_work()
    assert tab._content.minimumSizeHint().width() <= 380


# Keys


def test_every_key_is_another_one() -> None:
    keys = [key.keys for key in KEYS]
    assert len(set(keys)) == len(keys) and len({key.name for key in KEYS}) == len(KEYS)


def test_keys_can_be_changed_at_once_and_are_remembered(tab: ReviewTab, review: ScriptedReview, host: ScriptedHost) -> None:
    review.at_work()
    dialog = tab.show_keys()
    row = next(at for at, key in enumerate(KEYS) if key.name == "lock")
    dialog._table.item(row, 1).setText("f5")
    dialog.close()
    tab.widget.window().activateWindow()
    press(tab, "Ctrl+Return")
    assert review.calls == []
    press(tab, "F5")
    assert review.calls == [("lock",)]
    assert ReviewKeys(host)["lock"] == "F5"


@pytest.mark.parametrize("keys,words", [("1", "already the key of"), ("Nonsense", "is no key"), ("Ctrl+", "is no key")])
def test_keys_that_cannot_be_are_told(tab: ReviewTab, keys: str, words: str) -> None:
    dialog = tab.show_keys()
    row = next(at for at, key in enumerate(KEYS) if key.name == "lock")
    dialog._table.item(row, 1).setText(keys)
    assert words in dialog._problem.property("text")
    assert dialog._table.item(row, 1).text() == "Ctrl+Return" == tab.keys["lock"]
    dialog.close()


def test_all_keys_come_back_as_they_come(tab: ReviewTab, review: ScriptedReview) -> None:
    tab.keys.change("normal", "F1")
    tab.keys.change("osteopenia", "1")
    tab.keys.reset()
    assert tab.keys.now == {key.name: key.keys for key in KEYS}


def test_the_documented_keys_are_the_keys() -> None:
    page = (Path(__file__).resolve().parents[2] / "Resources" / "Docs" / "review.md").read_text(encoding="utf-8")
    rows = set(re.findall(r"^\| `([^`]+)` \| (.+) \|$", page, re.MULTILINE))
    groups = {key for key in KEYS if key.name.startswith("group-")}
    assert {(key.keys, key.does) for key in KEYS if key not in groups} <= rows
    assert [key.keys for key in KEYS if key in groups] == [
        f"Ctrl+{at}" for at in range(1, 10)
    ] and "`Ctrl+1` … `Ctrl+9`" in page
