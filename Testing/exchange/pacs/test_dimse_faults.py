"""DIMSE against peers of our own making: busy, choosy, lying, silent, flooding."""

from __future__ import annotations

import contextlib
import io
import logging
import socket
import struct
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import DigitalXRayImageStorageForPresentation as DX
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian, JPEG2000Lossless, RLELossless
from pynetdicom import AE, evt
from pynetdicom.sop_class import (  # type: ignore[attr-defined]
    StudyRootQueryRetrieveInformationModelFind,
    StudyRootQueryRetrieveInformationModelGet,
    Verification,
)
from small_dicom import radiograph

from OsteoScreenLib.exchange.pacs.client import open_client
from OsteoScreenLib.exchange.pacs.connection import Connection
from OsteoScreenLib.exchange.pacs.faults import NotAllowed, PacsRefused, PacsUnreachable
from OsteoScreenLib.exchange.pacs.outgoing import Outgoing, look
from OsteoScreenLib.exchange.pacs.query import FoundImage, Query
from OsteoScreenLib.exchange.pacs.receiving import TRANSFER_SYNTAXES
from OsteoScreenLib.exchange.pacs.size_guard import size_guard

IMAGE = FoundImage("1.2.1", "1.2.2", "1.2.3", DX)


def archive(port: int, **changes: Any) -> Connection:
    known: dict[str, Any] = {"name": "archive", "kind": "dimse", "host": "127.0.0.1", "port": port, "called_aet": "ARCHIVE"}
    return Connection(**{**known, "retries": 0, "timeout_s": 3.0, **changes})


@contextlib.contextmanager
def serving(contexts: dict[str, list[str]], *handlers: Any, **settings: Any) -> Iterator[int]:
    """A peer that supports SOP class → transfer syntaxes, on a free port."""
    peer = AE(ae_title="ARCHIVE")
    for name, value in settings.items():
        setattr(peer, name, value)
    for sop_class, syntaxes in contexts.items():
        peer.add_supported_context(sop_class, syntaxes, scu_role=True, scp_role=True)
    server = peer.start_server(("127.0.0.1", 0), block=False, evt_handlers=list(handlers))
    assert server is not None
    try:
        yield int(server.server_address[1])
    finally:
        server.shutdown()


@pytest.fixture
def compressed(tmp_path: Path) -> Outgoing:
    dataset = radiograph()
    dataset.compress(RLELossless, generate_instance_uid=False)
    path = tmp_path / "rle.dcm"
    dataset.save_as(path, enforce_file_format=True)
    ((item,), _) = look([path])
    return item


def test_a_peer_that_does_not_know_us_says_who_should_be_told() -> None:
    with serving({Verification: [ImplicitVRLittleEndian]}, require_calling_aet=["FRIEND"]) as port:
        with open_client(archive(port)) as client, pytest.raises(NotAllowed, match="does not know us as OSTEOSCREEN"):
            client.test()
        with open_client(archive(port, calling_aet="FRIEND")) as client:
            assert client.test().startswith("archive answers")
    with (
        serving({Verification: [ImplicitVRLittleEndian]}, require_called_aet=True) as port,
        open_client(archive(port, called_aet="OTHER")) as client,
        pytest.raises(NotAllowed, match="is not called OTHER"),
    ):
        client.test()


def test_a_peer_without_the_service_says_what_is_missing() -> None:
    with serving({Verification: [ImplicitVRLittleEndian]}) as port, open_client(archive(port)) as client:
        with pytest.raises(PacsRefused, match="does not offer Study Root") as error:
            client.find_series(Query(patient_id="4711"))
        assert error.value.code == "not-offered" and client.test()


@pytest.mark.parametrize(
    ("status", "error", "attempts"),
    [
        (0xA700, PacsUnreachable, 3),
        (0xA900, PacsRefused, 1),
        (0xC000, PacsRefused, 1),
        (0x0124, NotAllowed, 1),
        (0x0122, PacsRefused, 1),
        (0x0000, None, 1),
        (0xB000, None, 1),
        (0x0111, None, 1),
    ],
)
def test_what_a_peer_answers_to_a_store(
    status: int, error: type[Exception] | None, attempts: int, compressed: Outgoing
) -> None:
    calls: list[int] = []
    handler = (evt.EVT_C_STORE, lambda event: calls.append(1) or status)
    with serving({DX: [RLELossless]}, handler) as port, open_client(archive(port, retries=2)) as client:
        if error is None:
            client.store(compressed)
        else:
            with pytest.raises(error, match=r"archive") as raised:
                client.store(compressed)
            assert "Doe" not in str(raised.value)
        assert len(calls) == attempts


@pytest.mark.parametrize("plain", [ExplicitVRLittleEndian, ImplicitVRLittleEndian])
def test_a_peer_without_the_encoding_gets_the_pixels_without_compression(plain: str, compressed: Outgoing) -> None:
    got: list[Dataset] = []

    def keep(event: Any) -> int:
        got.append(pydicom.dcmread(io.BytesIO(event.encoded_dataset())))
        return 0

    with serving({DX: [plain]}, (evt.EVT_C_STORE, keep)) as port, open_client(archive(port)) as client:
        client.store(compressed)
    assert got[0].SOPInstanceUID == "1.2.3" and got[0].file_meta.TransferSyntaxUID == plain
    assert (got[0].pixel_array == radiograph().pixel_array).all()
    with serving({DX: [JPEG2000Lossless]}) as port, open_client(archive(port)) as client, pytest.raises(PacsRefused):
        client.store(compressed)


def test_an_association_that_was_lost_is_opened_again(compressed: Outgoing) -> None:
    associations: list[Any] = []
    handler = (evt.EVT_C_STORE, lambda event: associations.append(event.assoc) or 0)
    with serving({DX: [RLELossless]}, handler) as port, open_client(archive(port, retries=1)) as client:
        client.store(compressed)
        associations[0].abort()
        time.sleep(0.2)
        client.store(compressed)
    assert len(associations) == 2 and associations[0] is not associations[1]


def test_a_peer_that_never_answers_is_left_after_the_time_out() -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        began = time.monotonic()
        with open_client(archive(silent.getsockname()[1], timeout_s=1.0)) as client, pytest.raises(PacsUnreachable):
            client.test()
        assert time.monotonic() - began < 8


def test_a_find_that_breaks_off_is_no_short_answer() -> None:
    def half(event: Any) -> Iterator[Any]:
        answer = Dataset()
        answer.StudyInstanceUID = "1.2.1"
        yield 0xFF00, answer
        yield 0xC001, None

    contexts = {StudyRootQueryRetrieveInformationModelFind: [ImplicitVRLittleEndian, ExplicitVRLittleEndian]}
    with (
        serving(contexts, (evt.EVT_C_FIND, half)) as port,
        open_client(archive(port)) as client,
        pytest.raises(PacsRefused, match="0xC001"),
    ):
        client.find_series(Query(patient_id="4711"))


def giving(*datasets: Dataset) -> Any:
    """A C-GET that hands over these, whatever was asked for."""

    def get(event: Any) -> Iterator[Any]:
        yield len(datasets)
        for dataset in datasets:
            yield 0xFF00, dataset

    return evt.EVT_C_GET, get


GET = {StudyRootQueryRetrieveInformationModelGet: [ImplicitVRLittleEndian], DX: list(TRANSFER_SYNTAXES)}


def test_only_what_was_asked_for_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "x.dcm"
    with serving(GET, giving(radiograph("1.2.99"), radiograph("1.2.3"))) as port, open_client(archive(port)) as client:
        client.retrieve(IMAGE, path)
    assert pydicom.dcmread(path).SOPInstanceUID == "1.2.3"
    path.unlink()
    with (
        serving(GET, giving(radiograph("1.2.99"))) as port,
        open_client(archive(port)) as client,
        pytest.raises(PacsRefused, match="another object"),
    ):
        client.retrieve(IMAGE, path)
    with serving(GET, giving()) as port, open_client(archive(port)) as client, pytest.raises(PacsRefused, match="any more"):
        client.retrieve(IMAGE, path)
    assert list(tmp_path.iterdir()) == []


def test_a_peer_that_does_not_say_what_kind_an_object_is_is_asked_once_more(tmp_path: Path) -> None:
    def listing(event: Any) -> Iterator[Any]:
        answer = Dataset()
        answer.SOPInstanceUID, answer.SOPClassUID = "1.2.3", DX
        yield 0xFF00, answer
        yield 0x0000, None

    unsaid = FoundImage("1.2.1", "1.2.2", "1.2.3")
    contexts = {**GET, StudyRootQueryRetrieveInformationModelFind: [ImplicitVRLittleEndian]}
    with serving(contexts, giving(radiograph()), (evt.EVT_C_FIND, listing)) as port, open_client(archive(port)) as client:
        client.retrieve(unsaid, tmp_path / "x.dcm")
        assert pydicom.dcmread(tmp_path / "x.dcm").SOPInstanceUID == "1.2.3"
    with serving(GET, giving(radiograph())) as port, open_client(archive(port)) as client, pytest.raises(PacsRefused):
        client.retrieve(unsaid, tmp_path / "y.dcm")


def test_a_large_object_is_cut_while_it_arrives_and_the_next_one_comes(tmp_path: Path) -> None:
    path = tmp_path / "x.dcm"
    with (
        serving(GET, giving(radiograph(rows=4_000, columns=3_200))) as port,
        open_client(archive(port, timeout_s=20)) as client,
    ):  # 26 MB
        with pytest.raises(PacsRefused, match="larger than 1 MB") as error:
            client.retrieve(IMAGE, path, largest=1_000_000)
        assert error.value.code == "too-large" and not path.exists()
        client.retrieve(IMAGE, path, largest=30_000_000)
        assert path.stat().st_size > 25_000_000


def test_a_guarded_server_survives_floods_and_lies() -> None:
    """An object of 400 MB by 16 KB pieces, a PDU that announces 4 GB, and a peer that stops in the middle of one."""
    cuts: list[str] = []
    got: list[int] = []
    store = (evt.EVT_C_STORE, lambda event: got.append(1) or 0)
    guard = size_guard(2_000_000, lambda association, what: cuts.append(what), silence_s=1.0)
    with serving({DX: [ExplicitVRLittleEndian]}, store, *guard) as port:
        before = psutil.Process().memory_info().rss
        ours = AE(ae_title="FLOOD")
        ours.add_requested_context(DX, ExplicitVRLittleEndian)
        flood = radiograph(rows=16)
        flood.PixelData = bytes(100_000_000)
        association = ours.associate("127.0.0.1", port, ae_title="ARCHIVE")
        assert not association.send_c_store(flood), "no success"
        assert cuts == ["object"] and psutil.Process().memory_info().rss - before < 450_000_000  # the sender's own copies
        for announced in (0xFFFFFFFF, 500_000):
            with socket.create_connection(("127.0.0.1", port), timeout=10) as liar:
                liar.sendall(struct.pack(">BBL", 1, 0, announced) + bytes(1000))
                assert liar.recv(100) == b"" or announced == 500_000, "the connection is closed"
        assert cuts == ["object", "pdu"]
        deadline = time.monotonic() + 5
        while any(thread.name.startswith("AcceptorThread") for thread in threading.enumerate()) and time.monotonic() < deadline:
            time.sleep(0.05)
        association = ours.associate("127.0.0.1", port, ae_title="ARCHIVE")
        assert association.send_c_store(radiograph()).Status == 0 and got == [1]
        association.release()


def test_nothing_of_a_patient_reaches_a_log(compressed: Outgoing, caplog: pytest.LogCaptureFixture, capfd: Any) -> None:
    caplog.set_level(logging.DEBUG)
    contexts = {DX: [RLELossless], StudyRootQueryRetrieveInformationModelFind: [ImplicitVRLittleEndian]}

    def find(event: Any) -> Iterator[Any]:
        answer = Dataset()
        answer.StudyInstanceUID, answer.PatientName, answer.PatientID = "1.2.1", "Doe^Jane", "4711"
        yield 0xFF00, answer
        yield 0x0000, None

    handlers = (evt.EVT_C_STORE, lambda event: 0), (evt.EVT_C_FIND, find)
    with serving(contexts, *handlers) as port, open_client(archive(port)) as client:
        client.store(compressed)
        client.find_series(Query(patient_id="4711", patient_name="Doe*", modalities=("DX",)))
    printed = "".join(capfd.readouterr()) + caplog.text
    assert "4711" not in printed and "Doe" not in printed
