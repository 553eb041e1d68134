"""The command itself, with the embedded models and a real Orthanc: a short soak, and a server that is watched."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections import Counter
from datetime import date
from pathlib import Path

import pytest
from orthanc import needs_orthanc, orthanc
from pydicom import dcmread
from pydicom.uid import ComprehensiveSRStorage

from OsteoScreenLib.benchmarks.gateway_process import NAME, GatewayProcess
from OsteoScreenLib.exchange.dicom.read_report import read_report
from OsteoScreenLib.gateway.rehearsal import data_set, pieces

PACKAGE = Path(__file__).resolve().parents[2] / "OsteoScreen"


@needs_orthanc
def test_a_short_soak(tmp_path: Path) -> None:
    from OsteoScreenLib.benchmarks.gateway_soak import soak

    figures = soak(5, others=1, senders=2, kills=2, restarts=1, folder=tmp_path, interval=0.5)
    assert figures.passed, figures.as_text()
    assert figures.statuses["0000"] >= 6 and figures.statuses["A700"] >= 1 and (figures.kills, figures.restarts) == (2, 1)
    assert figures.events["analysed"] >= 5 and figures.events["analysis refused"] >= 1


@needs_orthanc
def test_the_throughput_is_measured(tmp_path: Path) -> None:
    from OsteoScreenLib.benchmarks.gateway_rate import measure

    figures = measure(images=1, rounds=1, senders=1, folder=tmp_path)
    assert figures.ratio == figures.gateway_seconds[0] / figures.own_seconds[0] > 0.5
    assert "aim at most 1.2" in figures.as_text()


@needs_orthanc
@pytest.mark.parametrize("kind", ["dicomweb", "dimse"])
def test_a_watched_server_gets_the_results_of_what_it_holds_once(tmp_path: Path, kind: str) -> None:
    with orthanc(tmp_path / "orthanc") as server:
        images = pieces(2, 1, seed=4)
        for image in images:
            path = tmp_path / f"{image.number}.dcm"
            path.write_bytes(data_set(image))
            dataset = dcmread(path)
            dataset.StudyDate = f"{date.today():%Y%m%d}"
            dataset.save_as(path)
            server.upload(path)
        connection = server.dicomweb() if kind == "dicomweb" else server.dimse()
        gateway = GatewayProcess(
            tmp_path,
            tmp_path / "queue",
            connection,
            options=("--no-receive", "--watch", NAME, "--watch-seconds", "1", "--cover", "Spine"),
        )
        gateway.start()
        try:
            deadline = time.monotonic() + 120
            while gateway.done < len(images):
                gateway.check()
                assert time.monotonic() < deadline, gateway.output.read_text()
                time.sleep(0.2)
            time.sleep(3)  # it looks again, and finds its own results
            gateway.check()
            assert gateway.done == len(images)
            assert gateway.terminate() == 0
        finally:
            gateway.kill()
        found = Counter((one["StudyInstanceUID"], one["SOPClassUID"]) for one in server.instances())
        for image in images:
            classes = {kind: count for (study, kind), count in found.items() if study == image.study_uid}
            assert set(classes.values()) == {1} and len(classes) == (4 if image.screened else 1)
        report = next(one["ID"] for one in server.instances() if one["SOPClassUID"] == ComprehensiveSRStorage)
        (tmp_path / "sr.dcm").write_bytes(server.rest(f"/instances/{report}/file"))
        covering = read_report(tmp_path / "sr.dcm").covering
        assert covering is not None and "T7" in covering.covered and "Spine" in {effect.name for effect in covering.effects}
        assert not gateway.names("Rehearsal^", "REHEARSAL-", *(image.study_uid for image in images))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--to", "nobody"], "no connection 'nobody'"),
        (["--to", "nobody", "--host", "0.0.0.0"], "--allow"),
        (["--to", "nobody", "--http-host", "0.0.0.0"], "OSTEOSCREEN_HTTP_TOKEN"),
        (["--to", "nobody", "--no-receive"], "has to receive or to watch"),
        (["--to", "nobody", "--send", "everything"], "everything"),
        (["--to", "nobody", "--model", "nonsense"], "nonsense"),
        (["--to", "nobody", "--cover", "wing"], "wing"),
    ],
)
def test_wrong_options_are_said_in_one_sentence(tmp_path: Path, options: list[str], words: str) -> None:
    environment = os.environ | {"PYTHONPATH": str(PACKAGE), "OSTEOSCREEN_SETTINGS": str(tmp_path)}
    command = [sys.executable, "-m", "OsteoScreenLib.cli", "serve", "--folder", str(tmp_path / "queue"), *options]
    ended = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=60, check=False)
    assert ended.returncode == 2 and words in ended.stderr and len(ended.stderr.splitlines()) == 1 and not ended.stdout


def test_it_waits_for_a_destination_that_is_away_and_leaves_when_it_is_told(tmp_path: Path) -> None:
    from OsteoScreenLib.benchmarks.orthanc import free_port
    from OsteoScreenLib.exchange.pacs.connection import Connection

    gateway = GatewayProcess(
        tmp_path, tmp_path / "queue", Connection("pacs", "dicomweb", url=f"http://127.0.0.1:{free_port()}/dicom-web")
    )
    gateway.start()
    try:
        deadline = time.monotonic() + 30
        while gateway.page("/health/live") is None:
            assert time.monotonic() < deadline
            time.sleep(0.1)
        assert gateway.terminate() == 0  # while the models are being loaded
    finally:
        gateway.kill()
    lines = [json.loads(line) for line in gateway.output.read_text().splitlines()]
    assert [lines[0]["event"], lines[-1]["event"]] == ["started", "stopped"]
