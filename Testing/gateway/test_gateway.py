"""The gateway with quick analysers: what is taken is never lost and never sent twice, whatever ends when."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

import pytest
from gateway_parts import LIMITS, QuickAnalyser, QuickCourier, quiet, radiograph, refuse, send, settings, wait_for

from OsteoScreenLib.errors import InputError, OsteoScreenError
from OsteoScreenLib.gateway import shared
from OsteoScreenLib.gateway.delivering import Delivery
from OsteoScreenLib.gateway.ledger import INTERRUPTIONS, Ledger
from OsteoScreenLib.gateway.service import LEDGER, Gateway, run


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared, "FIRST_PAUSE", 0.05)


def test_what_is_received_is_analysed_and_sent_once(tmp_path: Path) -> None:
    analyser, courier, (journal, log) = QuickAnalyser(), QuickCourier(), quiet()
    images = [radiograph() for _ in range(5)]
    with Gateway(settings(tmp_path), [analyser], courier, journal=journal) as gateway:
        assert send(gateway.dicom_port, *images) == [0x0000] * 5
        assert send(gateway.dicom_port, *images) == [0x0000] * 5  # the sender did not hear us and sends again
        wait_for(lambda: gateway.counts()["done"] == 5)
        assert send(gateway.dicom_port, images[0]) == [0x0000]
    assert courier.delivered == {f"{image.SOPInstanceUID} {kind}": 1 for image in images for kind in ("seg", "sr", "sc")}
    assert set(analyser.asked.values()) == {1} and analyser.closed
    assert not list((tmp_path / "incoming").iterdir()) and not list((tmp_path / "results").iterdir())
    lines = [json.loads(line) for line in log.getvalue().splitlines()]
    assert {"started", "object accepted", "object known", "analysed", "sent", "stopped"} <= {line["event"] for line in lines}


def test_neither_log_nor_queue_nor_metrics_know_the_patient(tmp_path: Path) -> None:
    journal, log = quiet()
    image = radiograph()
    with Gateway(settings(tmp_path), [QuickAnalyser(refuse("wrong-site"))], QuickCourier(), journal=journal) as gateway:
        send(gateway.dicom_port, image)
        wait_for(lambda: gateway.counts()["refused"] == 1)
        metrics = gateway.metrics.text().decode()
    written = log.getvalue() + metrics + (tmp_path / LEDGER).read_bytes().decode("latin-1")
    for secret in ("Secret", "SECRET-ID", str(image.SOPInstanceUID), str(image.StudyInstanceUID)):
        assert secret not in written
    assert 'osteoscreen_cases{state="refused"} 1.0' in metrics


def test_other_images_are_refused_by_kind_and_nothing_is_sent(tmp_path: Path) -> None:
    analyser, courier = QuickAnalyser(refuse("wrong-site")), QuickCourier()
    with Gateway(settings(tmp_path), [analyser], courier, journal=quiet()[0]) as gateway:
        assert send(gateway.dicom_port, radiograph()) == [0x0000]
        wait_for(lambda: gateway.counts()["refused"] == 1)
    assert courier.attempts == 0 and sum(analyser.asked.values()) == 1
    assert not list((tmp_path / "incoming").iterdir())


def test_a_fault_is_tried_again_and_then_given_up(tmp_path: Path) -> None:
    sick = radiograph()

    def behave(uid: str, time: int) -> None:
        if uid == sick.SOPInstanceUID or time == 1:
            raise RuntimeError("broken")

    analyser, courier = QuickAnalyser(behave), QuickCourier()
    with Gateway(settings(tmp_path), [analyser], courier, journal=quiet()[0]) as gateway:
        send(gateway.dicom_port, sick, radiograph())
        wait_for(lambda: gateway.counts()["failed"] == 1 and gateway.counts()["done"] == 1)
        assert analyser.asked[sick.SOPInstanceUID] == LIMITS.attempts
        assert len(list((tmp_path / "incoming").iterdir())) == 1  # kept, so that it can be tried again
        analyser._behave = lambda uid, time: None
        assert gateway.retry_failed() == 1
        wait_for(lambda: gateway.counts()["done"] == 2)


def test_a_failed_case_begins_anew_when_it_is_sent_again(tmp_path: Path) -> None:
    analyser = QuickAnalyser(lambda uid, time: _fail() if time <= LIMITS.attempts else None)
    with Gateway(settings(tmp_path), [analyser], QuickCourier(), journal=quiet()[0]) as gateway:
        image = radiograph()
        send(gateway.dicom_port, image)
        wait_for(lambda: gateway.counts()["failed"] == 1)
        assert send(gateway.dicom_port, image) == [0x0000]
        wait_for(lambda: gateway.counts()["done"] == 1)


def test_an_unreachable_destination_costs_no_attempt(tmp_path: Path) -> None:
    courier = QuickCourier(lambda attempt: Delivery(1, unreachable=True) if attempt <= LIMITS.attempts + 3 else None)
    with Gateway(settings(tmp_path), [QuickAnalyser()], courier, journal=quiet()[0]) as gateway:
        send(gateway.dicom_port, radiograph())
        wait_for(lambda: gateway.counts()["done"] == 1)
    assert courier.attempts == LIMITS.attempts + 4


def test_a_destination_that_refuses_is_asked_so_often_and_the_others_go_on(tmp_path: Path) -> None:
    courier = QuickCourier(lambda attempt: Delivery(2, refusals=("refused",)) if attempt in {1, 3, 4, 5, 6} else None)
    with Gateway(settings(tmp_path), [QuickAnalyser()], courier, journal=quiet()[0]) as gateway:
        send(gateway.dicom_port, radiograph())
        wait_for(lambda: gateway.counts()["done"] == 1)
        send(gateway.dicom_port, radiograph())
        wait_for(lambda: gateway.counts()["failed"] == 1)


def test_what_was_under_way_is_taken_up_after_a_kill(tmp_path: Path) -> None:
    """The states in which kill -9 can leave the folder, made by hand."""
    images = {name: radiograph() for name in ("received", "analysing", "sending")}
    stopped = QuickAnalyser(seconds=60)
    with Gateway(settings(tmp_path), [stopped], QuickCourier(), journal=quiet()[0]) as gateway:
        send(gateway.dicom_port, *images.values())
        gateway._shared.leaving.set()
        gateway.stop(grace=0)
    ledger = Ledger(tmp_path / LEDGER)
    keys = ledger.keys("received")
    assert len(keys) == 3  # the one that was being analysed was given back
    ledger.move(keys[0], "analysing")
    ledger.move(keys[1], "sending")
    ledger.close()
    results = tmp_path / "results"
    for kind in ("seg", "sr", "sc"):
        for folder in (results / keys[1], results / f"{keys[0]}.00000000"):
            folder.mkdir(exist_ok=True)
            (folder / f"{kind}.dcm").write_text(f"{keys[1]} {kind}")
    (tmp_path / "incoming" / f"{'0' * 64}.dcm").write_bytes(b"written, but never entered in the queue")
    (tmp_path / "incoming" / ".01234567-half.dcm").write_bytes(b"half")
    analyser, courier = QuickAnalyser(), QuickCourier()
    with Gateway(settings(tmp_path), [analyser], courier, journal=quiet()[0]) as gateway:
        wait_for(lambda: gateway.counts()["done"] == 3)
    assert sum(analyser.asked.values()) == 2  # what was ready was only sent
    assert len(courier.delivered) == 9 and set(courier.delivered.values()) == {1}
    assert not list(results.iterdir()) and not list((tmp_path / "incoming").iterdir())


def test_a_case_that_kills_the_service_again_and_again_is_put_aside(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / LEDGER)
    ledger.add("a" * 64, 1, "store")
    for _ in range(INTERRUPTIONS):
        assert ledger.claim() is not None
        ledger.recover()
    assert ledger.claim() is None
    case = ledger.case("a" * 64)
    assert case is not None and (case.state, case.code) == ("failed", "service-died")
    ledger.close()


def test_stopping_gives_back_what_takes_too_long(tmp_path: Path) -> None:
    analyser = QuickAnalyser(seconds=60)
    gateway = Gateway(settings(tmp_path), [analyser], QuickCourier(), journal=quiet()[0])
    gateway.start()
    send(gateway.dicom_port, radiograph())
    wait_for(lambda: gateway.counts()["analysing"] == 1)
    gateway.stop(grace=0.2)
    ledger = Ledger(tmp_path / LEDGER)
    assert ledger.counts()["received"] == 1 and analyser.closed
    ledger.close()


def test_two_gateways_cannot_share_a_folder(tmp_path: Path) -> None:
    with (
        Gateway(settings(tmp_path), [QuickAnalyser()], QuickCourier(), journal=quiet()[0]),
        pytest.raises(InputError, match="Another gateway"),
    ):
        Gateway(settings(tmp_path), [QuickAnalyser()], QuickCourier(), journal=quiet()[0])


def test_a_thread_that_died_ends_the_service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gateway = Gateway(settings(tmp_path), [QuickAnalyser()], QuickCourier(), journal=quiet()[0])
    monkeypatch.setattr(gateway._ledger, "next", lambda *arguments, **named: _fail())
    monkeypatch.setattr(threading, "excepthook", lambda arguments: None)
    with pytest.raises(OsteoScreenError, match="thread has ended"):
        run(gateway, threading.Event())


def test_models_that_cannot_be_loaded_end_the_service_in_the_sentence_that_says_why(tmp_path: Path) -> None:
    class Unfit(QuickAnalyser):
        def warm(self, leave: threading.Event) -> None:
            raise InputError("There is no such device.", code="device")

    with pytest.raises(InputError, match="no such device"):
        run(Gateway(settings(tmp_path), [Unfit()], QuickCourier(), journal=quiet()[0]), threading.Event())


def test_a_model_that_vanished_does_not_refuse_images(tmp_path: Path) -> None:
    """Both look alike from the analyser's answer: an input error. Loading the models again tells them apart."""

    class Vanishing(QuickAnalyser):
        gone = False

        def warm(self, leave: threading.Event) -> None:
            if self.gone:
                raise InputError("There is no such model.", code="model")

        def analyse(self, *arguments: Any) -> Any:
            self.gone = True
            raise InputError("There is no such model.", code="model")

    with Gateway(settings(tmp_path), [Vanishing()], QuickCourier(), journal=quiet()[0]) as gateway:
        send(gateway.dicom_port, radiograph())
        wait_for(lambda: gateway.wrong is not None)
        assert gateway.counts()["received"] == 1 and gateway.counts()["refused"] == 0


def _fail() -> None:
    raise RuntimeError("broken")


def test_a_fault_is_told_by_place_and_kind_and_not_in_its_own_words(tmp_path: Path) -> None:
    from OsteoScreenLib.workbench.worker_client import WorkerFault

    journal, log = quiet()
    details = 'Traceback (most recent call last):\n  File "/somewhere/reader.py", line 7, in read\n    int(name)\nValueError: Secret^Name'

    def behave(uid: str, time: int) -> None:
        raise WorkerFault("It broke on Secret^Name.", details=details) if time == 1 else ValueError("Secret^Name")

    with Gateway(settings(tmp_path), [QuickAnalyser(behave)], QuickCourier(), journal=journal) as gateway:
        send(gateway.dicom_port, radiograph())
        wait_for(lambda: gateway.counts()["failed"] == 1)
    assert "Secret" not in log.getvalue()
    places = [line["place"] for line in map(json.loads, log.getvalue().splitlines()) if line.get("place")]
    assert places[0] == "ValueError at reader.py:7" and places[1].startswith("ValueError at test_gateway.py:")
