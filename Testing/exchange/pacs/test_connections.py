"""Connections: what is refused, how they are stored, and that a secret lies only where the connection says."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

import pytest

from OsteoScreenLib.errors import InputError
from OsteoScreenLib.exchange.pacs import connections
from OsteoScreenLib.exchange.pacs.connection import Connection, connection_from

WEB: dict[str, Any] = {"name": "clinic", "kind": "dicomweb", "url": "https://pacs.example/dicom-web"}
DIMSE: dict[str, Any] = {"name": "archive", "kind": "dimse", "host": "pacs.example", "called_aet": "ARCHIVE"}


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"name": "../x"}, "letters"),
        ({"kind": "ftp"}, "kind"),
        ({"url": "ftp://x"}, "https://"),
        ({"url": "https://"}, "https://"),
        ({"url": "https://pacs.example:99999/x"}, "https://"),
        ({"url": "https://pacs.example/x?y=1"}, "https://"),
        ({"url": "https://reader:secret@pacs.example/x"}, "leave user and password out"),
        ({"auth": "basic", "secret": "ask"}, "user name"),
        ({"auth": "token"}, "where the password or token lies"),
        ({"auth": "token", "secret": "hunter2"}, "where the password or token lies"),
        ({"certificate": "c.pem"}, "goes with its key"),
        ({"retries": 21}, "retries"),
        ({"timeout_s": 0}, "time-out"),
        ({"port": "104"}, "port"),
        ({"colour": "red"}, "colour"),
        ({"proxy": "http://reader:secret@proxy.example:3128"}, "HTTPS_PROXY"),
        ({"proxy": "proxy.example"}, "proxy is"),
        ({"url": "http://pacs.example/x", "ca": "ca.pem"}, "not encrypted"),
    ],
)
def test_a_dicomweb_connection_that_cannot_work_is_refused(change: dict[str, Any], says: str) -> None:
    with pytest.raises(InputError, match=says) as refusal:
        connection_from({**WEB, **change})
    assert refusal.value.code == "connection" and str(refusal.value).count("\n") == 0


@pytest.mark.parametrize(
    "change",
    [
        {"host": ""},
        {"host": "a b"},
        {"port": 0},
        {"port": 70000},
        {"called_aet": "SEVENTEEN_LETTERS"},
        {"called_aet": "A\\B"},
        {"calling_aet": " "},
        {"listen": "11113"},
        {"retrieve": "push"},
        {"certificate": "c.pem", "key": "k.pem"},
        {"auth": "token", "secret": "ask"},
    ],
)
def test_a_dimse_connection_that_cannot_work_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(InputError):
        connection_from({**DIMSE, **change})


def test_a_connection_comes_back_as_it_was_stored(settings: Path) -> None:
    first, second = (
        connection_from({**WEB, "auth": "basic", "user": "reader", "secret": "ask"}),
        connection_from({**DIMSE, "tls": True}),
    )
    connections.add(first)
    connections.add(second)
    assert connections.connections() == (second, first) and connections.connection_named("clinic") == first
    with pytest.raises(InputError, match="--replace"):
        connections.add(first)
    changed = connection_from({**WEB, "timeout_s": 5})
    connections.add(changed, replace=True)
    assert connections.connection_named("clinic") == changed
    connections.remove("clinic")
    with pytest.raises(InputError, match="there are archive"):
        connections.connection_named("clinic")


def test_a_kept_secret_is_in_a_file_of_its_own_that_others_cannot_read(settings: Path) -> None:
    kept = connection_from({**WEB, "auth": "basic", "user": "reader", "secret": "kept"})
    with pytest.raises(InputError, match="none was given"):
        connections.add(kept)
    connections.add(kept, "päss wörd")
    assert connections.secret_of(kept) == "päss wörd" and connections.secret_is_at_hand(kept)
    assert "rd" not in (settings / "pacs.json").read_text().replace("reader", "") and "päss" not in repr(kept)
    assert stat.S_IMODE((settings / "pacs-secrets.json").stat().st_mode) == 0o600
    connections.remove("clinic")
    assert json.loads((settings / "pacs-secrets.json").read_text()) == {"secrets": {}}


def test_a_secret_comes_from_the_environment_or_a_private_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    by_variable = connection_from({**WEB, "auth": "token", "secret": "env:CLINIC_TOKEN"})
    assert not connections.secret_is_at_hand(by_variable)
    with pytest.raises(InputError, match="CLINIC_TOKEN; set it"):
        connections.secret_of(by_variable)
    monkeypatch.setenv("CLINIC_TOKEN", "abc")
    assert connections.secret_of(by_variable) == "abc"
    file = tmp_path / "token"
    by_file = connection_from({**WEB, "auth": "token", "secret": f"file:{file}"})
    with pytest.raises(InputError, match="cannot be read"):
        connections.secret_of(by_file)
    file.write_text("abc\n")
    file.chmod(0o644)
    with pytest.raises(InputError, match="chmod 600"):
        connections.secret_of(by_file)
    file.chmod(0o600)
    assert connections.secret_of(by_file) == "abc"
    file.write_text("two\nlines")
    with pytest.raises(InputError, match="line break"):
        connections.secret_of(by_file)
    with pytest.raises(InputError, match="typed"):
        connections.secret_of(connection_from({**WEB, "auth": "token", "secret": "ask"}))


@pytest.mark.parametrize("content", ["no JSON", "[]", '{"connections": [3]}', '{"connections": [{"name": "x"}]}', "\0"])
def test_a_damaged_file_is_one_sentence(settings: Path, content: str) -> None:
    settings.mkdir()
    (settings / "pacs.json").write_text(content)
    with pytest.raises(InputError):
        connections.connections()


@pytest.mark.parametrize(
    ("values", "remarked"),
    [
        (WEB, False),
        ({**WEB, "url": "http://pacs.example/x"}, True),
        ({**WEB, "url": "http://127.0.0.1:8042/x"}, False),
        (DIMSE, True),
        ({**DIMSE, "tls": True}, False),
        ({**DIMSE, "host": "localhost"}, False),
    ],
)
def test_what_can_be_read_on_the_way_is_said(values: dict[str, Any], remarked: bool) -> None:
    assert bool(Connection(**values).remark) == remarked
