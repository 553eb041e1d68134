"""Health and metrics: what they say, and to whom."""

from __future__ import annotations

import json
import socket
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from gateway_parts import QuickAnalyser, QuickCourier, quiet, radiograph, send, settings, wait_for

from OsteoScreenLib.errors import InputError
from OsteoScreenLib.gateway.service import Gateway
from OsteoScreenLib.gateway.settings import Listening, Settings, Watching, Web, check, is_loopback


def _get(port: int, path: str, **headers: str) -> tuple[int, str]:
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", headers=headers)
    try:
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=5) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def test_health_and_metrics(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Gateway(settings(tmp_path), [QuickAnalyser()], QuickCourier(), journal=quiet()[0]) as gateway:
        wait_for(lambda: _get(gateway.http_port, "/health/ready")[0] == 200)
        assert _get(gateway.http_port, "/health/live") == (200, '{"ok": true, "faults": []}\n')
        send(gateway.dicom_port, radiograph())
        wait_for(lambda: 'osteoscreen_cases{state="done"} 1.0' in _get(gateway.http_port, "/metrics")[1])
        page = _get(gateway.http_port, "/metrics")[1]
        assert 'osteoscreen_arrivals_total{origin="store",outcome="accepted"} 1.0' in page
        assert "osteoscreen_objects_sent_total 3.0" in page and "osteoscreen_disk_free_bytes" in page
        assert _get(gateway.http_port, "/somewhere")[0] == 404
        monkeypatch.setattr(gateway._spool, "has_room", lambda size=0, share=1.0: False)
        status, text = _get(gateway.http_port, "/health/ready")
        assert status == 503 and json.loads(text)["faults"] == ["The disk is nearly full."]


def test_not_ready_before_the_models_are_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    analyser = QuickAnalyser()
    monkeypatch.setattr(analyser, "warm", lambda leave: leave.wait(30))
    with Gateway(settings(tmp_path), [analyser], QuickCourier(), journal=quiet()[0]) as gateway:
        assert _get(gateway.http_port, "/health/live")[0] == 200
        assert "The models are not loaded yet." in _get(gateway.http_port, "/health/ready")[1]
        assert send(gateway.dicom_port, radiograph()) == [0x0000]  # taken all the same: it waits in the queue


@pytest.mark.parametrize("header", [None, "Bearer wrong", "Bearer ", "Basic c2VjcmV0", "secret", "Bearer secret2"])
def test_a_wrong_token_is_refused_and_the_service_lives(tmp_path: Path, header: str | None) -> None:
    journal, log = quiet()
    web = Web(port=0, token="secret")
    with Gateway(settings(tmp_path, web=web), [QuickAnalyser()], QuickCourier(), journal=journal) as gateway:
        headers = {} if header is None else {"Authorization": header}
        for path in ("/metrics", "/health/live", "/somewhere"):
            assert _get(gateway.http_port, path, **headers)[0] == 401
        assert _get(gateway.http_port, "/health/live", Authorization="Bearer secret")[0] == 200
        assert "osteoscreen_http_refused_total 3.0" in _get(gateway.http_port, "/metrics", Authorization="bearer secret")[1]
    assert "wrong-token" in log.getvalue() and "secret" not in log.getvalue()


def test_nonsense_on_the_http_port_is_survived(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with Gateway(settings(tmp_path), [QuickAnalyser()], QuickCourier(), journal=quiet()[0]) as gateway:
        for nonsense in (b"\x00" * 1000, b"GET " + b"a" * 100_000, b"POST /metrics HTTP/1.1\r\n\r\n", b""):
            with socket.create_connection(("127.0.0.1", gateway.http_port), timeout=5) as connection:
                connection.sendall(nonsense)
        assert _get(gateway.http_port, "/health/live")[0] == 200
    assert "Traceback" not in "".join(capfd.readouterr())


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"listening": None}, "has to receive or to watch"),
        ({"listening": Listening(host="0.0.0.0")}, "--allow"),
        ({"listening": Listening(host="pacs.example.org")}, "--allow"),
        ({"listening": Listening(ae_title="")}, "AE title"),
        ({"listening": Listening(ae_title="SEVENTEEN LETTERS")}, "AE title"),
        ({"listening": Listening(allowed=("BACK\\SLASH",))}, "AE title"),
        ({"listening": Listening(certificate=Path("a"))}, "--tls-key"),
        ({"listening": Listening(authority=Path("a"))}, "--tls-authority"),
        ({"web": Web(host="0.0.0.0")}, "OSTEOSCREEN_HTTP_TOKEN"),
        ({"objects": ("sg",)}, "'sg'"),
        ({"objects": ()}, "can be sent"),
    ],
)
def test_unsafe_settings_are_refused(tmp_path: Path, changes: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        check(Settings(tmp_path, "nowhere", **changes))


def test_safe_settings_are_taken(tmp_path: Path) -> None:
    check(Settings(tmp_path, "nowhere"))
    check(Settings(tmp_path, "nowhere", None, Watching("pacs")))
    check(Settings(tmp_path, "nowhere", Listening(host="0.0.0.0", allowed=("CR1",)), web=Web(host="0.0.0.0", token="x")))
    assert is_loopback("::1") and is_loopback("127.1.2.3") and not is_loopback("::")


def test_a_port_that_is_taken_is_said_in_one_sentence(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        for name, changes, words in (
            ("a", {"web": Web(port=port)}, "--http-port"),
            ("b", {"listening": Listening(port=port)}, "--port"),
        ):
            with (
                pytest.raises(InputError, match=words),
                Gateway(settings(tmp_path / name, **changes), [QuickAnalyser()], QuickCourier(), journal=quiet()[0]),
            ):
                pass
