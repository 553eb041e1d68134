"""DICOMweb over real sockets with everything that a server or a proxy may answer: each is one sentence of the right kind."""

from __future__ import annotations

import io
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pydicom
import pytest
from pydicom.uid import ExplicitVRLittleEndian, RLELossless
from scripted_http_server import Answer, Asked, answering
from small_dicom import as_file, radiograph

from OsteoScreenLib.errors import InputError
from OsteoScreenLib.exchange.pacs.client import open_client
from OsteoScreenLib.exchange.pacs.connection import Connection
from OsteoScreenLib.exchange.pacs.faults import NotAllowed, PacsRefused, PacsUnreachable
from OsteoScreenLib.exchange.pacs.outgoing import Outgoing, look
from OsteoScreenLib.exchange.pacs.query import FoundImage, FoundSeries, Query
from OsteoScreenLib.exchange.pacs.sending import send

IMAGE = FoundImage("1.2.1", "1.2.2", "1.2.3")


def web(url: str, **changes: Any) -> Connection:
    return Connection(**{"name": "clinic", "kind": "dicomweb", "url": url, "retries": 2, "timeout_s": 5.0, **changes})


def multipart(*parts: bytes) -> Answer:
    body = b"".join(b"\r\n--edge\r\nContent-Type: application/dicom\r\n\r\n" + part for part in parts) + b"\r\n--edge--"
    return Answer(200, body, {"Content-Type": 'multipart/related; type="application/dicom"; boundary=edge'})


@pytest.fixture
def outgoing(tmp_path: Path) -> Outgoing:
    path = tmp_path / "object.dcm"
    path.write_bytes(as_file(radiograph()))
    ((item,), _) = look([path])
    assert item.names_patient
    return item


@pytest.mark.parametrize(
    ("status", "kind", "attempts"),
    [
        (400, PacsRefused, 1),
        (401, NotAllowed, 1),
        (403, NotAllowed, 1),
        (404, PacsRefused, 1),
        (429, PacsUnreachable, 3),
        (500, PacsUnreachable, 3),
        (501, PacsRefused, 1),
        (502, PacsUnreachable, 3),
        (503, PacsUnreachable, 3),
        (504, PacsUnreachable, 3),
        (507, PacsUnreachable, 3),
    ],
)
def test_a_refusal_is_final_and_trouble_is_tried_again(status: int, kind: type[Exception], attempts: int) -> None:
    with answering(lambda _: Answer(status)) as server, open_client(web(server.url)) as client:
        with pytest.raises(kind, match=f"clinic.*HTTP {status}") as error:
            client.find_series(Query(patient_id="4711"))
        assert "4711" not in str(error.value) and len(server.asked) == attempts


def test_a_server_that_recovers_is_not_noticed() -> None:
    answers = [Answer(503, headers={"Retry-After": "1"}), Answer(hang_up=True), Answer(200, [])]
    with answering(lambda _: answers.pop(0)) as server, open_client(web(server.url)) as client:
        assert "answers" in client.test() and len(server.asked) == 3


@pytest.mark.parametrize(
    "answer",
    [
        Answer(200, b"<html>welcome</html>", {"Content-Type": "text/html"}),
        Answer(200, b"{", {}),
        Answer(200, "text"),
        Answer(200, [3]),
        Answer(200, [{"0020000D": {"vr": "UI", "Value": "no list"}}, {"0020000D": 7}]),
    ],
)
def test_what_speaks_no_dicomweb_is_one_sentence(answer: Answer) -> None:
    with answering(lambda _: answer) as server, open_client(web(server.url)) as client:
        try:
            assert client.find_series(Query(date="20240101")).series == ()
        except PacsRefused as error:
            assert "does not speak DICOMweb" in str(error) and error.code == "wrong-answer"


def test_no_redirect_is_followed() -> None:
    """Neither a query nor a body with a patient in it goes where the user did not send it."""
    elsewhere: list[Asked] = []

    def record(request: Asked) -> Answer:
        elsewhere.append(request)
        return Answer(200, [])

    with (
        answering(record) as other,
        answering(lambda _: Answer(307, headers={"Location": other.url})) as server,
        open_client(web(server.url)) as client,
        pytest.raises(PacsRefused, match=r"points to http://127\.0\.0\.1") as error,
    ):
        client.test()
    assert error.value.code == "moved" and elsewhere == []


@pytest.mark.parametrize(
    ("changes", "secret", "header"),
    [
        ({"auth": "basic", "user": "reader", "secret": "ask"}, "päss", "Basic cmVhZGVyOnDDpHNz"),
        ({"auth": "token", "secret": "ask"}, "abc.def", "Bearer abc.def"),
        ({}, "", None),
    ],
)
def test_the_user_signs_in_as_the_connection_says(
    changes: dict[str, Any], secret: str, header: str | None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password else\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    with answering(lambda _: Answer(200, [])) as server, open_client(web(server.url, **changes), secret) as client:
        client.test()
    assert server.asked[0].headers.get("Authorization") == header


def test_a_token_that_is_none_is_refused_before_anything_is_sent() -> None:
    with pytest.raises(InputError, match="no token has"):
        open_client(web("https://127.0.0.1/x", auth="token", secret="ask"), "tökén")


@pytest.mark.parametrize("proxy", ["named", "environment", "none"])
def test_a_proxy_is_used_where_it_is_wanted(proxy: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    with answering(lambda _: Answer(200, [])) as server:
        address = server.url.removesuffix("/dicom-web")
        monkeypatch.setenv("HTTP_PROXY", address if proxy == "environment" else "http://127.0.0.1:1")
        monkeypatch.setenv("http_proxy", address if proxy == "environment" else "http://127.0.0.1:1")
        connection = web(
            "http://pacs.invalid/dicom-web", retries=0, proxy={"named": address, "environment": "", "none": "none"}[proxy]
        )
        with open_client(connection) as client:
            if proxy == "none":
                with pytest.raises(PacsUnreachable):
                    client.test()
                assert server.asked == []
            else:
                client.test()
                assert server.asked[0].path.startswith("http://pacs.invalid/dicom-web/studies")
        with open_client(web(server.url)) as direct:  # loopback never goes through the environment's proxy
            direct.test()
        assert server.asked[-1].path.startswith("/dicom-web/studies")


def test_a_dead_proxy_or_server_is_one_sentence() -> None:
    behind = web("http://pacs.invalid/x", proxy="http://127.0.0.1:1", retries=0)
    with open_client(behind) as client, pytest.raises(PacsUnreachable, match="proxy does not answer"):
        client.test()
    with open_client(web("http://127.0.0.1:1/x", retries=0)) as client, pytest.raises(PacsUnreachable, match="is it running"):
        client.test()


def test_pages_are_read_until_nothing_new_comes() -> None:
    uids = [f"1.3.{number}" for number in range(450)]

    def page(request: Asked) -> Answer:
        offset = int(request.path.partition("offset=")[2].partition("&")[0])
        most = 120  # the server has its own idea of a page, and says by a warning that there is more
        entries = [{"00080018": {"vr": "UI", "Value": [uid]}} for uid in uids[offset : offset + most]]
        warning = {"Warning": '299 clinic: "There are more results"'} if offset + most < len(uids) else {}
        return Answer(200, entries, warning)

    with answering(page) as server, open_client(web(server.url)) as client:
        found = client.find_images(FoundSeries("1.2.1", "1.2.2", "DX"))
    assert [one.uid for one in found] == uids and len(server.asked) == 4


def test_a_server_that_ignores_the_offset_does_not_hold_us() -> None:
    entries = [{"00080018": {"vr": "UI", "Value": [f"1.3.{number}"]}} for number in range(200)]
    with answering(lambda _: Answer(200, entries)) as server, open_client(web(server.url)) as client:
        assert len(client.find_images(FoundSeries("1.2.1", "1.2.2", "DX"))) == 200 and len(server.asked) == 2


def test_a_retrieved_object_is_written_as_it_came(tmp_path: Path) -> None:
    path, data = tmp_path / "1.2.3.dcm", as_file(radiograph())
    with answering(lambda _: multipart(data)) as server, open_client(web(server.url)) as client:
        client.retrieve(IMAGE, path)
    assert path.read_bytes() == data and list(tmp_path.iterdir()) == [path]
    assert "transfer-syntax=*" in server.asked[0].headers["Accept"]


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (lambda: multipart(as_file(radiograph("1.2.99"))), "another object"),
        (lambda: multipart(as_file(radiograph()), as_file(radiograph("1.2.99"))), "does not speak DICOMweb"),
        (lambda: multipart(b"no DICOM"), "does not speak DICOMweb"),
        (lambda: multipart(), "does not speak DICOMweb"),
        (lambda: multipart(as_file(radiograph())[:200]), "no DICOM object|does not speak"),
    ],
)
def test_a_wrong_object_is_not_kept(answer: Callable[[], Answer], says: str, tmp_path: Path) -> None:
    with (
        answering(lambda _: answer()) as server,
        open_client(web(server.url)) as client,
        pytest.raises(PacsRefused, match=says),
    ):
        client.retrieve(IMAGE, tmp_path / "x.dcm")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("compressed", [False, True])
def test_an_answer_that_is_too_large_is_cut_while_it_arrives(compressed: bool, tmp_path: Path) -> None:
    import gzip

    def flood(_: Asked) -> Answer:
        answer = multipart(bytes(30_000_000))
        if compressed:  # 30 KB on the wire
            answer.body, answer.headers["Content-Encoding"] = gzip.compress(answer.body), "gzip"
        return answer

    with answering(flood) as server, open_client(web(server.url)) as client:
        with pytest.raises(PacsRefused, match=r"larger than 2 MB") as error:
            client.retrieve(IMAGE, tmp_path / "x.dcm", largest=2_000_000)
        assert error.value.code == "too-large" and len(server.asked) == 1
        assert list(tmp_path.iterdir()) == []


def failed(uid: str, reason: int) -> dict[str, Any]:
    """A store instances response (PS3.18 I.2) that refuses one object."""
    return {
        "00081198": {
            "vr": "SQ",
            "Value": [{"00081155": {"vr": "UI", "Value": [uid]}, "00081197": {"vr": "US", "Value": [reason]}}],
        }
    }


@pytest.mark.parametrize("status", [200, 202, 409])
@pytest.mark.parametrize("kind", ["application/dicom+json", "application/dicom+json; charset=utf-8"])
@pytest.mark.parametrize(
    ("reason", "error", "says"),
    [
        (0x0110, PacsRefused, "processing failed"),
        (0x0122, PacsRefused, "SOP class"),
        (0xA900, PacsRefused, "does not fit"),
        (0xC000, PacsRefused, "cannot understand"),
        (0xA700, PacsUnreachable, "out of room"),
        (0x0124, NotAllowed, "does not let us store"),
    ],
)
def test_an_object_that_the_answer_names_as_failed_is_failed(
    status: int, kind: str, reason: int, error: type[Exception], says: str, outgoing: Outgoing
) -> None:
    with (
        answering(lambda _: Answer(status, failed("1.2.3", reason), {"Content-Type": kind})) as server,
        open_client(web(server.url, retries=0)) as client,
        pytest.raises(error, match=says) as refused,
    ):
        client.store(outgoing)
    assert ("Doe" not in str(refused.value) and "object.dcm" in str(refused.value)) or error is PacsUnreachable


def test_the_failure_of_another_object_is_not_ours(outgoing: Outgoing) -> None:
    with answering(lambda _: Answer(202, failed("1.2.99", 0x0110))) as server, open_client(web(server.url)) as client:
        client.store(outgoing)
        assert len(server.asked) == 1 and server.asked[0].headers["Content-Length"]


def test_xml_names_failures_too(outgoing: Outgoing) -> None:
    body = b"""<?xml version="1.0"?><NativeDicomModel><DicomAttribute keyword="FailedSOPSequence" tag="00081198" vr="SQ"><Item number="1">
<DicomAttribute keyword="ReferencedSOPInstanceUID" tag="00081155" vr="UI"><Value number="1">1.2.3</Value></DicomAttribute>
<DicomAttribute keyword="FailureReason" tag="00081197" vr="US"><Value number="1">272</Value></DicomAttribute>
</Item></DicomAttribute></NativeDicomModel>"""
    answer = Answer(202, body, {"Content-Type": "application/dicom+xml"})
    with (
        answering(lambda _: answer) as server,
        open_client(web(server.url)) as client,
        pytest.raises(PacsRefused, match="process"),
    ):
        client.store(outgoing)


def test_an_encoding_that_is_not_taken_is_sent_without_compression(tmp_path: Path) -> None:
    dataset = radiograph()
    pixels = dataset.pixel_array
    dataset.compress(RLELossless, generate_instance_uid=False)
    path = tmp_path / "rle.dcm"
    path.write_bytes(as_file(dataset))
    ((item,), _) = look([path])

    def plain_only(request: Asked) -> Answer:
        return Answer(415 if RLELossless.encode() in request.body else 200, {})

    with answering(plain_only) as server, open_client(web(server.url)) as client:
        client.store(item)
        assert len(server.asked) == 2
        body = server.asked[1].body
        sent = pydicom.dcmread(io.BytesIO(body[body.index(b"\r\n\r\n") + 4 :]))
        assert sent.file_meta.TransferSyntaxUID == ExplicitVRLittleEndian and sent.SOPInstanceUID == "1.2.3"
        assert (sent.pixel_array == pixels).all()
    with (
        answering(lambda _: Answer(415)) as server,
        open_client(web(server.url)) as client,
        pytest.raises(PacsRefused, match="of rle"),
    ):
        client.store(item)


def test_one_refusal_does_not_stop_the_others_and_silence_ends_the_run(tmp_path: Path) -> None:
    for number in range(4):
        (tmp_path / f"{number}.dcm").write_bytes(as_file(radiograph(f"1.2.3.{number}")))
    items, _ = look([tmp_path])

    def answer(request: Asked) -> Answer:
        if b"1.2.3.1" in request.body:
            return Answer(409, failed("1.2.3.1", 0xC000))
        return Answer(hang_up=True) if b"1.2.3.2" in request.body else Answer(200, {})

    with answering(answer) as server, open_client(web(server.url)) as client:
        done = list(send(client, items, skip_present=False))
        assert [one.status for one in done] == ["stored", "refused", "unreachable", "unreachable"]
        assert sum(b"1.2.3.2" in one.body for one in server.asked) == 3 and not any(
            b"1.2.3.3" in one.body for one in server.asked
        )
        assert all(one.sentence for one in done[1:])


def test_nothing_of_a_patient_reaches_a_log(outgoing: Outgoing, caplog: pytest.LogCaptureFixture, capfd: Any) -> None:
    caplog.set_level(logging.INFO)
    with (
        answering(lambda request: Answer(503) if request.method == "GET" else Answer(200, {})) as server,
        open_client(web(server.url)) as client,
    ):
        client.store(outgoing)
        with pytest.raises(PacsUnreachable):
            client.find_series(Query(patient_id="4711", patient_name="Doe*"))
    printed = "".join(capfd.readouterr()) + caplog.text
    assert "4711" not in printed and "Doe" not in printed
