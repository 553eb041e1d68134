"""`osteoscreen pacs`, `fetch` and `send`: what the user sees, is asked, and gets as an exit code."""

from __future__ import annotations

import errno
import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from orthanc import Orthanc, needs_orthanc, orthanc
from scripted_http_server import Answer, Asked, answering

from OsteoScreenLib import cli, files
from OsteoScreenLib.files import resource_folder

SAMPLES = resource_folder("SampleData")
PATIENT = "SIMULATED_CHEST_NORMAL"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Orthanc]:
    with orthanc(tmp_path_factory.mktemp("orthanc")) as server:
        yield server


@pytest.fixture
def server(running: Orthanc) -> Orthanc:
    """An empty Orthanc with the stored connections "web" and "wire"."""
    running.clear()
    assert cli.main(["pacs", "add", "web", running.url]) == 0
    assert cli.main(["pacs", "add", "wire", f"ORTHANC@127.0.0.1:{running.dicom_port}"]) == 0
    return running


@needs_orthanc
def test_connections_are_added_tried_listed_and_removed(server: Orthanc, capsys: Any) -> None:
    for name in ("web", "wire"):
        assert cli.main(["pacs", "test", name]) == 0
    assert cli.main(["pacs", "list"]) == 0
    printed = capsys.readouterr().out
    assert "web answers: DICOMweb" in printed and f"wire: DIMSE, ORTHANC at 127.0.0.1:{server.dicom_port}" in printed
    assert cli.main(["pacs", "remove", "web"]) == 0 and cli.main(["pacs", "test", "web"]) == 2
    assert "there are wire" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["pacs", "add", "x", "pacs.example"], "is no address"),
        (["pacs", "add", "x", "ARCHIVE@pacs.example:104", "--user", "reader"], "DIMSE knows no user"),
        (["pacs", "add", "x", "https://pacs.example", "--user", "reader", "--token"], "not by both"),
        (["pacs", "add", "x", "https://pacs.example", "--token", "--secret", "hunter2"], "where the password or token lies"),
        (["fetch", "--from", "nowhere", "--patient", "1", "--out", "x"], "no connection 'nowhere'"),
        (["fetch", "--from", "nowhere", "--out", "x"], "whole archive"),
        (["fetch", "--from", "nowhere", "--patient", "1"], "--out"),
        (["fetch", "--from", "nowhere", "--patient", "1", "--date", "31.1.2024", "--out", "x"], "is no date"),
        (["fetch", "--from", "nowhere", "--study", "../x", "--out", "x"], "is no UID"),
        (["send", "nothing", "--to", "nowhere"], "no connection 'nowhere'"),
    ],
)
def test_wrong_options_are_one_sentence_and_nothing_happens(
    words: list[str], says: str, capsys: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert cli.main(words) == 2
    error = capsys.readouterr().err.strip()
    assert says in error and "\n" not in error and not (tmp_path / "x").exists()


def test_a_password_that_is_typed_ahead_is_kept_for_the_user_alone(settings: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def reader_only(request: Asked) -> Answer:
        return Answer(200 if request.headers.get("Authorization") == "Basic cmVhZGVyOnM6Z2Vo" else 401, [])

    with answering(reader_only) as server:
        monkeypatch.setattr(sys, "stdin", __import__("io").StringIO("s:geh\n"))
        assert cli.main(["pacs", "add", "clinic", server.url, "--user", "reader", "--secret", "kept"]) == 0
        assert cli.main(["pacs", "test", "clinic"]) == 0
        assert cli.main(["pacs", "add", "clinic", server.url, "--replace", "--user", "other", "--secret", "env:NO_SUCH"]) == 0
        assert cli.main(["pacs", "test", "clinic"]) == 2
    assert "s:geh" not in "".join(path.read_text() for path in settings.iterdir())


@needs_orthanc
def test_nothing_leaves_without_the_users_word(server: Orthanc, capsys: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    assert cli.main(["send", str(SAMPLES), "--to", "web", "--dry-run"]) == 0
    plan = capsys.readouterr().out
    assert f"To web, {server.url}: 2 objects of 2 studies" in plan and plan.count("radiograph (DX)") == 2
    assert "names the patient" in plan and PATIENT not in plan
    assert cli.main(["send", str(SAMPLES), "--to", "web"]) == 2 and "say --yes" in capsys.readouterr().err
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
    asked: list[str] = []
    monkeypatch.setattr("typer.confirm", lambda question: asked.append(question) or False)
    assert cli.main(["send", str(SAMPLES), "--to", "web"]) == 0
    assert asked == ["Send 2 objects, 2 of them with the patient's name or id to web?"]
    assert "Nothing was sent" in capsys.readouterr().out and server.instances() == []


@needs_orthanc
@pytest.mark.parametrize("way", ["web", "wire"])
def test_sent_fetched_and_gone_on_with(server: Orthanc, way: str, tmp_path: Path, capsys: Any) -> None:
    out = tmp_path / "out"
    assert cli.main(["send", str(SAMPLES), "--to", way, "--yes"]) == 0 and len(server.instances()) == 2
    assert cli.main(["fetch", "--from", way, "--patient", PATIENT, "--out", str(out)]) == 0 and len(list(out.iterdir())) == 1
    capsys.readouterr()
    assert cli.main(["fetch", "--from", way, "--all", "--out", str(out), "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert sorted(one["status"] for one in document["objects"]) == ["already", "fetched"]
    assert {Path(one["path"]).parent for one in document["objects"]} == {out} and PATIENT not in json.dumps(document)
    assert cli.main(["send", str(out), "--to", way, "--yes", "--json"]) == 0
    assert {one["status"] for one in json.loads(capsys.readouterr().out)["objects"]} == {"already"}
    assert cli.main(["fetch", "--from", way, "--all", "--dry-run"]) == 0
    listed = capsys.readouterr().out
    assert listed.count("1 object  study ") == 2 and PATIENT not in listed
    assert cli.main(["fetch", "--from", way, "--patient", "NOBODY", "--out", str(out)]) == 2
    assert "nothing that matches" in capsys.readouterr().err


@needs_orthanc
def test_what_cannot_be_sent_is_named_one_by_one(server: Orthanc, tmp_path: Path, capsys: Any) -> None:
    folder = tmp_path / "mixed"
    (folder / "deeper").mkdir(parents=True)
    shutil.copy(SAMPLES / "simulated_chest_normal.dcm", folder / "deeper" / "no-extension")
    (folder / "notes.txt").write_text("nothing")
    whole = (SAMPLES / "simulated_chest_osteoporosis.dcm").read_bytes()
    (folder / "cut.dcm").write_bytes(whole[:200])
    assert cli.main(["send", str(folder), str(tmp_path / "gone.dcm"), "--to", "web", "--yes"]) == 2
    printed = capsys.readouterr()
    assert "cut.dcm has no complete DICOM header" in printed.err and "gone.dcm cannot be read" in printed.err
    assert "notes.txt" not in printed.out + printed.err and "1 of 1 objects are at web" in printed.err
    assert [one["PatientID"] for one in server.instances()] == [PATIENT]
    (tmp_path / "empty").mkdir()
    assert cli.main(["send", str(tmp_path / "empty"), "--to", "web", "--yes"]) == 2
    assert "no DICOM object to send" in capsys.readouterr().err


@needs_orthanc
def test_a_full_disk_ends_the_fetch_in_one_sentence_and_the_next_one_goes_on(
    server: Orthanc, tmp_path: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for path in SAMPLES.glob("*.dcm"):
        server.upload(path)
    out, write = tmp_path / "out", files._write_all

    def one_and_no_more(path: Path, data: bytes) -> None:
        if any(out.glob("*.dcm")):
            path.write_bytes(data[: len(data) // 2])
            raise OSError(errno.ENOSPC, "No space left on device")
        write(path, data)

    monkeypatch.setattr(files, "_write_all", one_and_no_more)
    assert cli.main(["fetch", "--from", "web", "--all", "--out", str(out)]) == 1
    error = capsys.readouterr().err
    assert "1 of 2 objects are in" in error and "No space left on device" in error and "goes on from there" in error
    assert len(list(out.iterdir())) == 1
    monkeypatch.setattr(files, "_write_all", write)
    assert cli.main(["fetch", "--from", "web", "--all", "--out", str(out)]) == 0 and len(list(out.iterdir())) == 2


@needs_orthanc
def test_a_pacs_that_goes_away_leaves_what_came_and_says_what_did_not(tmp_path: Path, capsys: Any) -> None:
    with orthanc(tmp_path / "orthanc") as server:
        assert cli.main(["pacs", "add", "clinic", server.url, "--retries", "1"]) == 0
        server.upload(SAMPLES / "simulated_chest_normal.dcm")
    assert cli.main(["fetch", "--from", "clinic", "--all", "--out", str(tmp_path / "out")]) == 1
    assert "clinic cannot be reached" in capsys.readouterr().err
    assert cli.main(["send", str(SAMPLES), "--to", "clinic", "--yes"]) == 1
    assert "0 of 2 objects are at clinic; the same command tries the others again" in capsys.readouterr().err


def listing(uid: str) -> dict[str, Any]:
    def answer(request: Asked) -> Answer:
        path = request.path.partition("?")[0]
        values = {
            "0020000D": "1.2.1",
            "0020000E": "1.2.2",
            "00080060": "DX",
            "00080018": uid,
            "00080016": "1.2.840.10008.5.1.4.1.1.1.1",
        }
        if path.endswith(("/studies", "/series", "/instances")):
            return Answer(200, [{tag: {"vr": "UI", "Value": [value]} for tag, value in values.items()}])
        return Answer(200, b"never asked for", {"Content-Type": "application/dicom"})

    return {"answer": answer}


@pytest.mark.parametrize("uid", ["../../../../tmp/evil", "/etc/passwd", "1.2/3", "1.2\\3", "..", "", "1" * 65, "1.2.3\n4"])
def test_a_path_in_a_uid_is_refused_and_leaves_no_file(uid: str, tmp_path: Path, capsys: Any) -> None:
    with answering(**listing(uid)) as server:
        assert cli.main(["pacs", "add", "clinic", server.url]) == 0
        assert cli.main(["fetch", "--from", "clinic", "--study", "1.2.1", "--out", str(tmp_path / "in" / "out")]) == 2
        assert "under a UID that is none" in capsys.readouterr().err
        assert not any(
            request.path.partition("?")[0].rpartition("/")[2] not in ("studies", "series", "instances")
            for request in server.asked
        )
    assert {path.name for path in tmp_path.rglob("*")} == {"in", "out", "settings", "pacs.json"}
