"""The windows for a PACS with a scripted child: what is asked for and when, what is shown, what never leaves without a word."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from PySide6 import QtCore, QtWidgets
from ui.pacs_doubles import GERMAN, KEPT, LOCKED, OPEN, ScriptedClient, ScriptedTable, objects, series
from ui.panel_doubles import ScriptedHost

from OsteoScreenLib.errors import InputError, OsteoScreenError
from OsteoScreenLib.ui import qt_api
from OsteoScreenLib.ui.pacs_dialog import name_in_words
from OsteoScreenLib.ui.pacs_search import day_of, name_to_match
from OsteoScreenLib.ui.pacs_windows import PacsWindows


@pytest.fixture
def client() -> ScriptedClient:
    made = ScriptedClient()
    made.answers["connections"] = {"connections": [asdict(one) for one in (OPEN, LOCKED, KEPT)]}
    made.answers["find"] = {"series": [], "remark": ""}
    return made


@pytest.fixture
def table() -> ScriptedTable:
    return ScriptedTable()


@pytest.fixture
def host() -> ScriptedHost:
    return ScriptedHost()


@pytest.fixture
def windows(parent: Any, client: ScriptedClient, table: ScriptedTable, host: ScriptedHost) -> Iterator[PacsWindows]:
    made = PacsWindows(parent, table, host, lambda: client)  # type: ignore[arg-type,return-value]
    parent.show()
    yield made
    made.close()


def rest(windows: PacsWindows) -> None:
    """Let the presenter take what its child has said."""
    for _ in range(4):
        windows.presenter.poll()


def choose(windows: PacsWindows, name: str) -> None:
    windows.presenter.choose(name)


def said(windows: PacsWindows, dialog: Any) -> str:
    return str(dialog._message.widget.text()) if dialog._message.widget.isVisible() else ""


def test_nothing_is_asked_before_a_window_opens(windows: PacsWindows, client: ScriptedClient) -> None:
    rest(windows)
    assert client.asked == []
    windows.open_images()
    rest(windows)
    assert client.kinds() == ["connections"]  # which archives there are; none of them was asked anything


def test_search_and_open(windows: PacsWindows, client: ScriptedClient, table: ScriptedTable, host: ScriptedHost) -> None:
    dialog = windows.open_images()
    rest(windows)
    assert not dialog.search._button.isEnabled()  # no archive is chosen
    dialog.head._choice.widget.setCurrentIndex(1)
    assert windows.presenter.chosen == "ward" and host.kept["pacs"] == "ward"
    fields = dialog.search._fields
    fields["patient_name"].setText(" Schm* ")
    fields["first_day"].setText("2024-01-01")
    fields["last_day"].setText("20240201")
    client.answers["find"] = {
        "series": [asdict(series(1)), asdict(series(2, images=None, date="?"))],
        "remark": "there are more",
    }
    dialog.search._button.click()
    assert dialog.waiting.widget.isVisible() and not dialog.search._button.isEnabled()
    rest(windows)
    kind, body = client.asked[-1]
    assert kind == "find" and body["name"] == "ward" and body["secret"] == ""
    wanted = {"patient_name": "Schm*", "patient_id": "", "accession": "", "first_day": "20240101", "last_day": "20240201"}
    assert body["search"] == {**wanted, "modalities": ["CR", "DX"]}
    assert [item.text(2) for item in dialog._items] == ["2024-01-31", "?"]
    assert dialog._count.shown_text == "2 series; there are more"
    assert dialog._items[0].toolTip(4) == GERMAN  # what the column cuts
    assert not dialog._open.isEnabled()
    for item in dialog._items:
        item.setSelected(True)
    assert dialog._open.text() == "Open 2 series"
    came = [{"path": f"/x/{at}.dcm", "name": f"DX 2024-01-31 ({at})", "kind": "image"} for at in (1, 2)]
    client.answers["fetch"] = {"files": came, "problems": []}
    dialog._open.click()
    rest(windows)
    assert client.asked[-1][0] == "fetch" and [one["series_uid"] for one in client.asked[-1][1]["series"]] == [
        "1.2.3.1.1",
        "1.2.3.2.1",
    ]
    assert table.opened == [[("/x/1.dcm", "DX 2024-01-31 (1)"), ("/x/2.dcm", "DX 2024-01-31 (2)")]]
    assert "2 files came" in said(windows, dialog)


def test_what_came_waits_until_the_panel_is_free(windows: PacsWindows, client: ScriptedClient, table: ScriptedTable) -> None:
    dialog = windows.open_images()
    rest(windows)
    choose(windows, "ward")
    client.answers["find"] = {"series": [asdict(series())], "remark": ""}
    files = [{"path": "/x/seg.dcm", "name": "SEG", "kind": "masks"}, {"path": "/x/1.dcm", "name": "DX", "kind": "image"}]
    client.answers["fetch"] = {"files": files, "problems": []}
    dialog.search._button.click()
    rest(windows)
    dialog._items[0].setSelected(True)
    table.busy = True  # analysing
    dialog._open.click()
    rest(windows)
    assert table.opened == [] and table.imported == []
    table.busy = False
    windows.presenter.poll()
    table.busy = True  # opening
    rest(windows)
    assert table.opened == [[("/x/1.dcm", "DX")]] and table.imported == []  # images before the masks that may belong to them
    table.busy = False
    rest(windows)
    assert table.imported == ["/x/seg.dcm"]


def test_what_did_not_come_is_said_and_the_rest_opens(
    windows: PacsWindows, client: ScriptedClient, table: ScriptedTable
) -> None:
    dialog = windows.open_images()
    rest(windows)
    choose(windows, "ward")
    client.answers["find"] = {"series": [asdict(series(at)) for at in range(3)], "remark": ""}
    client.answers["fetch"] = {
        "files": [{"path": "/x/1.dcm", "name": "DX", "kind": "image"}],
        "problems": ["The object is too large.", "No."],
    }
    dialog.search._button.click()
    rest(windows)
    for item in dialog._items:
        item.setSelected(True)
    dialog._open.click()
    rest(windows)
    assert table.opened == [[("/x/1.dcm", "DX")]]
    assert "The object is too large." in said(windows, dialog) and "1 more like this" in said(windows, dialog)


def test_reports_are_shown_and_masks_are_imported(windows: PacsWindows, client: ScriptedClient, table: ScriptedTable) -> None:
    dialog = windows.open_images()
    rest(windows)
    choose(windows, "ward")
    client.answers["find"] = {"series": [asdict(series(1, modality="SR"))], "remark": ""}
    client.answers["fetch"] = {
        "files": [
            {"path": "/x/sr.dcm", "name": "SR", "kind": "report"},
            {"path": "/x/seg.dcm", "name": "SEG", "kind": "masks"},
        ],
        "problems": [],
    }
    client.answers["prior"] = {"rows": [["Model", "Bone density"], ["P(osteoporosis)", "51.2 %"]]}
    dialog.search._button.click()
    rest(windows)
    dialog._items[0].setSelected(True)
    dialog._open.click()
    rest(windows)
    rest(windows)
    assert table.imported == ["/x/seg.dcm"] and table.opened == []
    assert client.asked[-1] == ("prior", {"path": "/x/sr.dcm"})
    assert windows._prior is not None and windows._prior.rows[1] == ("P(osteoporosis)", "51.2 %")
    assert windows._prior.widget.isVisible()


@pytest.mark.parametrize(
    ("first", "last", "words"),
    [("31.1.2024", "", "is no day"), ("2024-02-30", "", "is no day"), ("2024-02-01", "2024-01-01", "behind the last one")],
)
def test_a_wrong_day_is_said_and_nothing_is_asked(
    windows: PacsWindows, client: ScriptedClient, first: str, last: str, words: str
) -> None:
    dialog = windows.open_images()
    rest(windows)
    choose(windows, "ward")
    dialog.search._fields["first_day"].setText(first)
    dialog.search._fields["last_day"].setText(last)
    dialog.search._button.click()
    assert words in said(windows, dialog)
    assert "find" not in client.kinds()


def test_days() -> None:
    assert day_of("") == "" and day_of("2024-01-31") == day_of("20240131") == "20240131"


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("Meier^Eva", "Meier, Eva"),
        ("Meier^Eva^Maria^Dr.^", "Meier, Eva Maria Dr."),
        ("Yamada^Tarou=山田^太郎", "Yamada, Tarou / 山田, 太郎"),
        ("MEIER EVA", "MEIER EVA"),
        ("", ""),
        ("^Eva", "Eva"),
    ],
)
def test_names_are_shown_as_people_write_them(name: str, words: str) -> None:
    assert name_in_words(name) == words


@pytest.mark.parametrize(
    ("text", "matched"),
    [("", ""), ("Meier", "Meier*"), ("Meier, Eva", "Meier^Eva*"), ("M?ier", "M?ier"), ("*eier^E*", "*eier^E*")],
)
def test_names_are_searched_for_by_their_beginning(text: str, matched: str) -> None:
    assert name_to_match(text) == matched


def test_a_missing_secret_is_asked_for_and_goes_with_the_request(windows: PacsWindows, client: ScriptedClient) -> None:
    dialog = windows.open_images()
    rest(windows)
    assert not dialog.head._asking.isVisible()
    choose(windows, "hospital")
    assert dialog.head._asking.isVisible()
    dialog.search._button.click()
    assert "wants a password" in said(windows, dialog) and "find" not in client.kinds()
    dialog.head._secret.setText("s3cret")
    dialog.search._button.click()
    rest(windows)
    assert client.asked[-1][0] == "find" and client.asked[-1][1]["secret"] == "s3cret"
    assert dialog.head._secret.text() == ""  # not to be read off the screen, nor by a screenshot
    assert dialog.head._secret.echoMode() == QtWidgets.QLineEdit.EchoMode.Password
    choose(windows, "archive")
    assert not dialog.head._asking.isVisible()  # its secret is kept
    dialog.search._button.click()
    rest(windows)
    assert client.asked[-1][1]["secret"] == ""


def test_a_wrong_password_is_asked_for_again(windows: PacsWindows, client: ScriptedClient) -> None:
    dialog = windows.open_images()
    rest(windows)
    choose(windows, "hospital")
    client.answers["find"] = InputError("hospital does not accept the password; type it again.", code="not-allowed")
    dialog.head._secret.setText("wrong")
    dialog.search._button.click()
    rest(windows)
    assert not windows.presenter.secret_typed and "session only" in dialog.head._secret.placeholderText()
    assert "does not accept" in said(windows, dialog)
    dialog.search._button.click()
    assert client.kinds().count("find") == 1 and "type it above" in said(windows, dialog)


def test_a_refusal_is_one_sentence_in_the_window_and_in_the_panel(windows: PacsWindows, client: ScriptedClient) -> None:
    heard: list[tuple[str, str]] = []
    windows.message.connect(lambda severity, sentence: heard.append((severity, sentence)))
    dialog = windows.open_images()
    rest(windows)
    choose(windows, "ward")
    client.answers["find"] = InputError("The archive does not know this AE title.", code="association")
    dialog.search._button.click()
    rest(windows)
    assert "does not know this AE title" in said(windows, dialog)
    assert heard == [("error", "The archive does not know this AE title.")]
    assert dialog.search._button.isEnabled() and not dialog.waiting.widget.isVisible()


def test_progress_and_cancel(windows: PacsWindows, client: ScriptedClient) -> None:
    dialog = windows.open_images()
    rest(windows)
    choose(windows, "ward")
    client.held = True
    client.progress = [("find", 0.5, "Half of it")]
    dialog.search._button.click()
    windows.presenter.poll()
    assert dialog.waiting._words.shown_text == "Half of it" and dialog.waiting._bar.value() == 500
    dialog.waiting._cancel.click()
    assert client.cancelled == 1 and not windows.presenter.busy
    assert dialog.search._button.isEnabled()


# Sending


def begin_sending(windows: PacsWindows, client: ScriptedClient, table: ScriptedTable, name: str = "ward") -> Any:
    dialog = windows.open_results()
    rest(windows)
    choose(windows, name)
    folder = table.folders[-1]
    made = objects(folder)
    client.answers["look"] = {"objects": [{**asdict(one), "carries": list(one.carries)} for one in made]}
    assert table.done is not None
    table.done({"report": "report.html", "seg": made[0].path, "sr": made[1].path, "sc": made[2].path})
    rest(windows)
    return dialog


def test_nothing_is_sent_without_the_readers_word(
    windows: PacsWindows, client: ScriptedClient, table: ScriptedTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    monkeypatch.setattr(qt_api, "ask", lambda parent, title, question: bool(asked.append(question)))
    dialog = begin_sending(windows, client, table)
    paths = client.asked[-1][1]["paths"]
    assert client.asked[-1][0] == "look" and [Path(path).name for path in paths] == ["seg.dcm", "sr.dcm", "sc.dcm"]
    dialog._send.click()
    assert "send" not in client.kinds()  # the reader said no
    question = asked[0]
    for words in ("3 objects", "segmentation, 41 kB", "structured report", "secondary capture, 3.4 MB", "the patient's name", "patient id",
                  "the picture of the radiograph", "ward", "ORTHANC at 10.0.0.7:4242", "images can be read on the way"):  # fmt: skip
        assert words in question, words


def test_what_is_ticked_is_sent_and_nothing_else(
    windows: PacsWindows, client: ScriptedClient, table: ScriptedTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(qt_api, "ask", lambda *words: True)
    dialog = begin_sending(windows, client, table)
    assert "the picture of the radiograph" in dialog._carries.text()
    dialog._items[2].setCheckState(0, QtCore.Qt.CheckState.Unchecked)
    assert "the picture of the radiograph" not in dialog._carries.text()
    assert dialog._send.text() == "Send 2 objects…"
    folder = table.folders[-1]
    refused = "The archive refused the object; ask its administrator."
    client.answers["send"] = {
        "outcomes": [{"path": f"{folder}/seg.dcm", "problem": ""}, {"path": f"{folder}/sr.dcm", "problem": refused}]
    }
    dialog._send.click()
    rest(windows)
    assert client.asked[-1][0] == "send" and client.asked[-1][1]["paths"] == [f"{folder}/seg.dcm", f"{folder}/sr.dcm"]
    assert [item.text(1) for item in dialog._items] == ["✓ stored", f"✖ {refused}", "not sent"]
    assert "1 of 2 objects were stored in ward" in said(windows, dialog) and "refused the object" in said(windows, dialog)
    assert [Path(one.path).name for one in dialog.ticked] == ["sr.dcm"]  # what is left to try again
    for item in dialog._items:
        item.setCheckState(0, QtCore.Qt.CheckState.Unchecked)
    assert not dialog._send.isEnabled()


def test_the_objects_leave_the_disk_when_the_window_is_closed(
    windows: PacsWindows, client: ScriptedClient, table: ScriptedTable
) -> None:
    dialog = begin_sending(windows, client, table)
    folder = Path(table.folders[-1])
    (folder / "seg.dcm").write_bytes(b"x")
    assert folder.stat().st_mode & 0o777 == 0o700
    dialog.close()
    assert not folder.exists() and windows.presenter.sending.objects == ()


@pytest.mark.parametrize("late", ["making", "looking"])
def test_a_window_that_is_closed_too_early_leaves_nothing(
    windows: PacsWindows, client: ScriptedClient, table: ScriptedTable, late: str
) -> None:
    dialog = windows.open_results()
    rest(windows)
    folder = Path(table.folders[-1])
    made = objects(str(folder))
    client.answers["look"] = {"objects": [{**asdict(one), "carries": list(one.carries)} for one in made]}
    assert table.done is not None
    if late == "making":
        dialog.close()
        table.done({"seg": made[0].path})
    else:
        client.held = True
        table.done({"seg": made[0].path})
        rest(windows)
        dialog.close()
        client.held = False
    rest(windows)
    assert not folder.exists() and windows.presenter.sending.objects == ()
    assert [kind for kind in client.kinds() if kind == "look"] == (["look"] if late == "looking" else [])


def test_objects_that_cannot_be_made(windows: PacsWindows, client: ScriptedClient, table: ScriptedTable) -> None:
    dialog = windows.open_results()
    rest(windows)
    assert "being made" in dialog._carries.text()
    assert table.done is not None
    table.done({"report": "report.html"})  # the radiograph was no DICOM file
    assert "open it from its DICOM file" in said(windows, dialog) and dialog._carries.text() == ""
    assert not Path(table.folders[-1]).exists()
    table.able = False
    dialog.close()
    windows.open_results()
    assert not Path(table.folders[-1]).exists() and "look" not in client.kinds()


def test_sending_that_is_stopped_says_how_far_it_was(
    windows: PacsWindows, client: ScriptedClient, table: ScriptedTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(qt_api, "ask", lambda *words: True)
    dialog = begin_sending(windows, client, table)
    client.held, client.progress = True, [("send", 0.3, "1 of 3 were stored")]
    dialog._send.click()
    windows.presenter.poll()
    dialog.waiting._cancel.click()
    assert "1 of 3 were stored; what the archive has taken stays there" in said(windows, dialog)


# Connections


def test_a_connection_is_added_and_chosen(windows: PacsWindows, client: ScriptedClient) -> None:
    dialog = windows.open_images()
    rest(windows)
    dialog.head._add.click()
    form = windows._form
    assert form is not None and form.widget.isVisible()
    form._fields["name"].setText("hospital")
    form._fields["url"].setText("https://pacs.example/dicom-web")
    form._auth.widget.setCurrentIndex(1)
    form._fields["user"].setText("anna")
    form._secret.setText("s3cret")
    client.answers["add-connection"] = InputError("Connection hospital needs more.", code="connection")
    form._on_add()
    rest(windows)
    assert form.widget.isVisible() and "needs more" in form._message.widget.text()
    client.answers["add-connection"] = client.answers["connections"]
    form._on_add()
    rest(windows)
    values = {"kind": "dicomweb", "name": "hospital", "url": "https://pacs.example/dicom-web", "user": "anna", "auth": "basic"}
    assert client.asked[-1] == ("add-connection", {"values": {**values, "secret": "ask"}, "secret": ""})
    assert not form.widget.isVisible() and form._secret.text() == ""
    assert windows.presenter.chosen == "hospital" and windows.presenter.secret_typed  # remembered for this session
    dialog.search._button.click()
    rest(windows)
    assert client.asked[-1][1]["secret"] == "s3cret"


def test_a_secret_is_kept_only_when_the_reader_asks_for_it(windows: PacsWindows, client: ScriptedClient) -> None:
    dialog = windows.open_images()
    rest(windows)
    dialog.head._add.click()
    form = windows._form
    assert form is not None
    form._auth.widget.setCurrentIndex(2)
    form._secret.setText("t0ken")
    assert form.written.secret == "t0ken" and not form.written.keep and form.written.values["secret"] == "ask"
    form._kept.setChecked(True)
    assert form.written.keep and form.written.values["secret"] == "kept" and "t0ken" not in form.written.values.values()
    form._auth.widget.setCurrentIndex(0)
    assert form.written.secret == "" and "secret" not in form.written.values


def test_the_form_asks_for_what_the_kind_needs(windows: PacsWindows, client: ScriptedClient) -> None:
    dialog = windows.open_images()
    rest(windows)
    dialog.head._add.click()
    form = windows._form
    assert form is not None and form._fields["url"].isVisible() and not form._fields["host"].isVisible()
    form._kind.widget.setCurrentIndex(1)
    assert form._fields["host"].isVisible() and not form._fields["url"].isVisible() and not form._secret.isVisible()
    for name, text in (("name", "ward"), ("host", "127.0.0.1"), ("port", "4242"), ("url", "left over")):
        form._fields[name].setText(text)
    form._encrypt.setChecked(True)
    assert dict(form.written.values) == {"kind": "dimse", "name": "ward", "host": "127.0.0.1", "port": 4242, "tls": True}
    form._fields["port"].setText("x")
    assert form.written.values["port"] == "x"  # refused where connections are checked, in one sentence


@pytest.mark.parametrize("sure", [True, False])
def test_a_connection_is_removed_on_the_readers_word(
    windows: PacsWindows, client: ScriptedClient, monkeypatch: pytest.MonkeyPatch, sure: bool
) -> None:
    monkeypatch.setattr(qt_api, "ask", lambda *words: sure)
    dialog = windows.open_images()
    rest(windows)
    assert not dialog.head._remove.isEnabled()
    choose(windows, "ward")
    client.answers["remove-connection"] = {"connections": [asdict(LOCKED), asdict(KEPT)]}
    dialog.head._remove.click()
    rest(windows)
    assert ("remove-connection" in client.kinds()) is sure
    assert windows.presenter.chosen == ("" if sure else "ward")


def test_an_archive_is_tested(windows: PacsWindows, client: ScriptedClient) -> None:
    dialog = windows.open_images()
    rest(windows)
    choose(windows, "ward")
    client.answers["test-connection"] = {"sentence": "ward answers."}
    dialog.head._test.click()
    rest(windows)
    assert "ward answers." in said(windows, dialog)


# Leaving nothing behind


def test_forgetting_puts_everything_away(windows: PacsWindows, client: ScriptedClient, table: ScriptedTable) -> None:
    dialog = windows.open_images()
    rest(windows)
    choose(windows, "ward")
    client.answers["find"] = {"series": [asdict(series())], "remark": ""}
    dialog.search._button.click()
    rest(windows)
    sending = begin_sending(windows, client, table)
    windows.forget()
    assert dialog._items == [] and not dialog.widget.isVisible() and not sending.widget.isVisible()
    assert said(windows, dialog) == "" and not Path(table.folders[-1]).exists()


def test_the_end(windows: PacsWindows, client: ScriptedClient, table: ScriptedTable) -> None:
    begin_sending(windows, client, table)
    windows.presenter.set_secret("ward", "s3cret")
    windows.close()
    windows.close()
    assert not Path(table.folders[-1]).exists() and client.cancelled
    assert not windows.presenter.secret_typed
    windows.presenter.test()
    assert "test-connection" not in client.kinds()  # nothing is asked any more


def test_a_host_that_is_not_ready_asks_nothing(windows: PacsWindows, client: ScriptedClient, host: ScriptedHost) -> None:
    host.make_ready = lambda: "Install the packages first."  # type: ignore[method-assign]
    dialog = windows.open_images()
    rest(windows)
    assert client.asked == [] and "Install the packages first." in said(windows, dialog)


def test_a_child_that_cannot_be_started_is_said(parent: Any, table: ScriptedTable, host: ScriptedHost) -> None:
    def fail() -> Any:
        raise OsteoScreenError("The network process could not be started.")

    made = PacsWindows(parent, table, host, fail)  # type: ignore[arg-type]
    parent.show()
    dialog = made.open_images()
    assert "could not be started" in said(made, dialog) and not made.presenter.busy
    made.close()


def test_a_fault_of_ours_is_told_and_the_window_goes_on(windows: PacsWindows, client: ScriptedClient) -> None:
    faults: list[Exception] = []
    windows.fault.connect(faults.append)
    dialog = windows.open_images()
    rest(windows)
    choose(windows, "ward")
    client.answers["find"] = {"something": "else"}
    dialog.search._button.click()
    windows._tick()
    assert [type(error) for error in faults] == [KeyError] and not windows.presenter.busy
    assert dialog.search._button.isEnabled()


def test_objects_that_cannot_be_looked_into_leave_the_disk(
    windows: PacsWindows, client: ScriptedClient, table: ScriptedTable
) -> None:
    dialog = windows.open_results()
    client.answers["connections"] = OsteoScreenError("The connections cannot be read.")
    rest(windows)
    assert windows.presenter.sending.preparing  # that the archives are not known does not end it
    client.answers["look"] = InputError("seg.dcm has changed since it was made.", code="changed-file")
    assert table.done is not None
    table.done({"seg": f"{table.folders[-1]}/seg.dcm"})
    rest(windows)
    assert not windows.presenter.sending.preparing and not Path(table.folders[-1]).exists()
    assert "has changed" in said(windows, dialog) and dialog._carries.text() == ""


def test_long_words_do_not_widen_the_windows(windows: PacsWindows, client: ScriptedClient, table: ScriptedTable) -> None:
    long = "praxisverbund-radiologie-nordrhein-westfalen"
    facts = {**asdict(LOCKED), "name": long, "where": f"https://{long}.{long}.example/{long}/dicom-web"}
    client.answers["connections"] = {"connections": [facts]}
    dialog = windows.open_images()
    rest(windows)
    client.answers["find"] = {"series": [asdict(series(at)) for at in range(3)], "remark": GERMAN}
    windows.presenter.set_secret(long, "x")
    dialog.search._button.click()
    rest(windows)
    windows.show_message("error", GERMAN * 3)
    sending = begin_sending(windows, client, table, long)
    for window in (dialog, sending):
        window.widget.resize(640, 420)
        qt_api.process_events()
        assert window.widget.width() == 640, "something wants more room than the window has"
        cut = [
            label.text()
            for label in window.widget.findChildren(QtWidgets.QLabel)
            if label.isVisible() and label.wordWrap() and label.height() < label.heightForWidth(label.width())
        ]
        assert cut == []
        buttons = [button for button in window.widget.findChildren(QtWidgets.QPushButton) if button.isVisible()]
        assert all(button.width() >= qt_api.text_width(button.text(), button) + 6 for button in buttons)
