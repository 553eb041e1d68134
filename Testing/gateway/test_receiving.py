"""The gateway's door: what a hostile, broken or merely unlucky sender can do, and that the next one is still served."""

from __future__ import annotations

import contextlib
import io
import json
import socket
import struct
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from gateway_parts import CR, LIMITS, QuickAnalyser, QuickCourier, quiet, radiograph, send, settings, wait_for
from pydicom.uid import ExplicitVRLittleEndian

from OsteoScreenLib.benchmarks.certificates import make_certificates
from OsteoScreenLib.exchange.dicom.series import MANUFACTURER, MODEL_NAME
from OsteoScreenLib.gateway.service import Gateway
from OsteoScreenLib.gateway.settings import Listening

VERIFICATION, CT = "1.2.840.10008.1.1", "1.2.840.10008.5.1.4.1.1.2"


@contextlib.contextmanager
def _gateway(folder: Path, **changes: Any) -> Iterator[tuple[Gateway, Any, QuickAnalyser]]:
    journal, log = quiet()
    analyser = QuickAnalyser()
    with Gateway(settings(folder, **changes), [analyser], QuickCourier(), journal=journal) as gateway:
        yield gateway, lambda: [json.loads(line) for line in log.getvalue().splitlines()], analyser


def _still_serves(gateway: Gateway) -> None:
    before = gateway.counts()["done"]
    assert send(gateway.dicom_port, radiograph()) == [0x0000]
    wait_for(lambda: gateway.counts()["done"] == before + 1)


@pytest.mark.parametrize(
    "bytes_sent",
    [
        b"GET / HTTP/1.1\r\nHost: gateway\r\n\r\n",
        b"\x01\x00\x00\x00\x00\x04\x00\x01\x00\x00",  # an association request that ends within itself
        b"\x01\x00" + struct.pack(">I", 68) + bytes(68),  # one of zeros
        b"\x01\x00\xff\xff\xff\xff" + bytes(2**16),  # one of 4 GB
        b"\x04\x00\x00\x00\x00\x0a" + bytes(10),  # data without an association
        b"\x09" * 4096,
    ],
)
def test_a_malformed_association_is_dropped_and_the_service_lives(tmp_path: Path, bytes_sent: bytes) -> None:
    with _gateway(tmp_path) as (gateway, _, _):
        with socket.create_connection(("127.0.0.1", gateway.dicom_port), timeout=5) as connection:
            connection.sendall(bytes_sent)
            connection.shutdown(socket.SHUT_WR)
            with contextlib.suppress(OSError):
                while connection.recv(4096):
                    pass
        _still_serves(gateway)


def test_an_object_of_two_gigabytes_is_cut_off_while_it_arrives(tmp_path: Path) -> None:
    """As a sender with a sparse file would: fragments without end. What has arrived when the line is cut is counted."""
    with _gateway(tmp_path, limits=replace(LIMITS, object_bytes=4 * 2**20)) as (gateway, log, _):
        association = _associated(gateway.dicom_port)
        connection = association.dul.socket.socket
        sent = _store_without_end(association, connection, 2 * 2**30)
        association.kill()
        assert sent < 64 * 2**20
        wait_for(lambda: any(line.get("code") == "object-too-large" for line in log()))
        _still_serves(gateway)


def test_an_object_over_the_limit_is_refused_by_status(tmp_path: Path) -> None:
    """A little over it: within what the wire's own overhead is given."""
    with _gateway(tmp_path) as (gateway, log, analyser):
        assert send(gateway.dicom_port, radiograph(PixelData=bytes(LIMITS.object_bytes))) == [0xA700]
        assert any(line.get("code") == "too-large" for line in log())
        assert not analyser.asked
        _still_serves(gateway)


@pytest.mark.parametrize("uid", ["../../../../tmp/evil", "/etc/passwd", "1.2.3/../4", "1..2", "a.b", "1.2.3\x00.4"])
def test_a_path_in_a_uid_is_refused(tmp_path: Path, uid: str) -> None:
    folder = tmp_path / "deep" / "queue"
    with _gateway(folder) as (gateway, log, _):
        from pydicom import config

        with config.disable_value_validation():
            statuses = send(gateway.dicom_port, radiograph(uid))
        assert statuses in ([0xC000], [None])
        assert {path.name for path in tmp_path.rglob("*.dcm")} == set()
        assert statuses == [None] or any(line.get("code") in {"invalid-uid", "no-dicom", "uid-mismatch"} for line in log())
        _still_serves(gateway)


def test_the_data_set_has_to_be_what_the_command_says(tmp_path: Path) -> None:
    with _gateway(tmp_path) as (gateway, _, _):
        from gateway_parts import as_file

        arrivals = gateway._receiver._arrivals  # type: ignore[union-attr]
        assert arrivals.take(as_file(radiograph("1.2.3")), CR, "1.2.4", "store").code == "uid-mismatch"
        assert arrivals.take(as_file(radiograph("1.2.3")), f"{CR}.1", "1.2.3", "store").code == "uid-mismatch"
        assert arrivals.take(b"no DICOM at all", CR, "1.2.3", "store").code == "no-dicom"


def test_our_own_secondary_capture_comes_back_and_is_let_be(tmp_path: Path) -> None:
    with _gateway(tmp_path) as (gateway, _, analyser):
        own = radiograph(Manufacturer=MANUFACTURER, ManufacturerModelName=MODEL_NAME)
        assert send(gateway.dicom_port, own) == [0x0000]
        assert gateway.counts()["refused"] == 1 and not analyser.asked
        assert not list((tmp_path / "incoming").iterdir())


def test_it_answers_an_echo(tmp_path: Path) -> None:
    with _gateway(tmp_path) as (gateway, _, _):
        association = _associated(gateway.dicom_port, VERIFICATION)
        assert association.send_c_echo().Status == 0x0000
        association.release()


def test_other_kinds_of_objects_are_not_offered(tmp_path: Path) -> None:
    with _gateway(tmp_path) as (gateway, _, _):
        assert not _associated(gateway.dicom_port, CT).is_established


def test_only_senders_that_are_named_may_send(tmp_path: Path) -> None:
    with _gateway(tmp_path, listening=Listening(port=0, allowed=("FRIEND",))) as (gateway, log, _):
        assert send(gateway.dicom_port, radiograph(), calling="STRANGER") == [None]
        assert send(gateway.dicom_port, radiograph(), calling="FRIEND", called="SOMEBODY") == [None]
        assert send(gateway.dicom_port, radiograph(), calling="FRIEND") == [0x0000]
        wait_for(lambda: sum(line["event"] == "association rejected" for line in log()) == 2)


def test_one_association_too_many_is_rejected(tmp_path: Path) -> None:
    with _gateway(tmp_path) as (gateway, _, _):
        held = [_associated(gateway.dicom_port) for _ in range(LIMITS.associations)]
        assert all(one.is_established for one in held)
        assert send(gateway.dicom_port, radiograph()) == [None]
        for one in held:
            one.release()
        wait_for(lambda: send(gateway.dicom_port, radiograph()) == [0x0000])


def test_silent_connections_do_not_keep_others_out_for_long(tmp_path: Path) -> None:
    limits = replace(LIMITS, association_seconds=1.0, idle_seconds=1.0)
    with _gateway(tmp_path, limits=limits) as (gateway, _, _), contextlib.ExitStack() as stack:
        for _ in range(LIMITS.associations):
            silent = stack.enter_context(socket.create_connection(("127.0.0.1", gateway.dicom_port), timeout=5))
            silent.sendall(b"\x01\x00\x00")  # half a header
        wait_for(lambda: send(gateway.dicom_port, radiograph()) == [0x0000])


def test_a_full_disk_is_said_and_taken_up_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with _gateway(tmp_path) as (gateway, _, _):
        image = radiograph()
        with monkeypatch.context() as full:
            full.setattr(gateway._spool, "has_room", lambda size=0, share=1.0: False)
            assert send(gateway.dicom_port, image) == [0xA700]
            assert "The disk is nearly full." in gateway.obstacles()
        assert send(gateway.dicom_port, image) == [0x0000]
        wait_for(lambda: gateway.counts()["done"] == 1)


def test_a_disk_that_fills_while_it_is_written_is_said_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """ENOSPC from the file system itself, and from the queue's own file."""
    import errno
    import os
    import sqlite3

    with _gateway(tmp_path) as (gateway, _, _):
        image = radiograph()
        with monkeypatch.context() as full:
            full.setattr(Path, "write_bytes", lambda path, data: _raise(OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))))
            assert send(gateway.dicom_port, image) == [0xA700]
        with monkeypatch.context() as full:
            database = gateway._ledger._database
            full.setattr(gateway._ledger, "_database", _Full(database, sqlite3.OperationalError("database or disk is full")))
            assert send(gateway.dicom_port, image) == [0xA700]
        assert send(gateway.dicom_port, image) == [0x0000]
        wait_for(lambda: gateway.counts()["done"] == 1)


def test_radiographs_come_by_tls_from_those_with_a_certificate(tmp_path: Path) -> None:
    import ssl

    make_certificates(tmp_path)
    listening = Listening(
        port=0, certificate=tmp_path / "server.crt", private_key=tmp_path / "server.key", authority=tmp_path / "ca.crt"
    )
    with _gateway(tmp_path / "queue", listening=listening) as (gateway, _, _):
        silent = socket.create_connection(("127.0.0.1", gateway.dicom_port))  # its handshake must not hold the others up
        trusted = ssl.create_default_context(cafile=str(tmp_path / "ca.crt"))
        trusted.load_cert_chain(tmp_path / "client.crt", tmp_path / "client.key")
        association = _associated(gateway.dicom_port, tls=trusted)
        assert association.send_c_store(radiograph()).Status == 0x0000
        association.release()
        stranger = ssl.create_default_context(cafile=str(tmp_path / "ca.crt"))
        assert not _associated(gateway.dicom_port, tls=stranger).is_established
        assert send(gateway.dicom_port, radiograph()) == [None]  # without TLS
        silent.close()
        wait_for(lambda: gateway.counts()["done"] == 1)


class _Full:
    """A database whose disk is full: it can be read."""

    def __init__(self, database: Any, error: Exception) -> None:
        self._database, self._error = database, error

    def execute(self, statement: str, *values: Any) -> Any:
        if not statement.startswith("SELECT"):
            raise self._error
        return self._database.execute(statement, *values)


def _raise(error: Exception) -> None:
    raise error


def _associated(port: int, sop_class: str = CR, tls: Any = None) -> Any:
    from pynetdicom import AE

    entity = AE("SENDER")
    entity.add_requested_context(sop_class, ExplicitVRLittleEndian)
    entity.acse_timeout = entity.dimse_timeout = 5
    return entity.associate("127.0.0.1", port, ae_title="OSTEOSCREEN", tls_args=(tls, "localhost") if tls else None)


def _store_without_end(association: Any, connection: socket.socket, most: int) -> int:
    """Send a C-STORE request and then fragments of its data set, never the last one. Returns the bytes that were taken off our hands."""
    from pynetdicom.dimse_messages import C_STORE_RQ
    from pynetdicom.dimse_primitives import C_STORE

    request = C_STORE()
    request.MessageID, request.Priority = 1, 2
    request.AffectedSOPClassUID, request.AffectedSOPInstanceUID = CR, "1.2.3.4"
    request.DataSet = io.BytesIO(b"\x08\x00")
    message = C_STORE_RQ()
    message.primitive_to_message(request)
    command = next(iter(message.encode_msg(1, 16382)))
    for context, value in command.presentation_data_value_list:
        connection.sendall(_pdu(context, value))
    fragment = _pdu(1, b"\x00" + bytes(2**16))  # of a data set, and not the last
    sent = 0
    connection.settimeout(5)
    with contextlib.suppress(OSError):
        while sent < most:
            connection.sendall(fragment)
            sent += len(fragment)
    return sent


def _pdu(context: int, value: bytes) -> bytes:
    """A P-DATA-TF PDU with one item, PS3.8 section 9.3.5."""
    item = struct.pack(">IB", len(value) + 1, context) + value
    return b"\x04\x00" + struct.pack(">I", len(item)) + item
