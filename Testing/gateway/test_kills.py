"""Killed again and again within a second of its start, with analysers whose answers differ each time: still one set of results each."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import threading
import time
from pathlib import Path

from OsteoScreenLib.benchmarks.orthanc import free_port
from OsteoScreenLib.gateway.ledger import Ledger
from OsteoScreenLib.gateway.rehearsal import Sender, pieces

SERVICE = Path(__file__).with_name("quick_service.py")
PATH = os.pathsep.join(str(folder) for folder in (SERVICE.parents[1], SERVICE.parents[2] / "OsteoScreen"))
KILLS, IMAGES = 12, 120


def test_many_kills_lose_nothing_and_double_nothing(tmp_path: Path) -> None:
    port, chance, leave = free_port(), random.Random(3), threading.Event()
    images = pieces(IMAGES, 0, seed=3)
    senders = [Sender(port, images[number::4], f"SENDER{number}") for number in range(4)]
    threads = [one.start(leave) for one in senders]
    output = open(tmp_path / "log", "ab")  # noqa: SIM115  it is the service's
    try:
        for number in range(KILLS + 1):
            command = [sys.executable, str(SERVICE), str(tmp_path), str(port)]
            service = subprocess.Popen(command, stdout=output, stderr=output, env=os.environ | {"PYTHONPATH": PATH})
            try:
                if number == KILLS:
                    _wait(tmp_path, threads, service)
                else:
                    if chance.random() < 0.75:
                        _wait_for_start(tmp_path / "log", service)
                    time.sleep(chance.uniform(0.0, 0.8))
                    assert service.poll() is None, (tmp_path / "log").read_text()[-2000:]
            finally:
                service.kill()
                service.wait()
    finally:
        leave.set()
        output.close()
    ledger = Ledger(tmp_path / "queue" / "queue.sqlite")
    assert ledger.counts()["done"] == IMAGES
    ledger.close()
    stored = {
        tuple(line.split()) for line in (tmp_path / "pacs").read_text().splitlines()
    }  # one set each, sent once or more often
    assert len(stored) == 3 * IMAGES
    assert {(uid, kind) for uid, kind, _ in stored} == {
        (one.sop_instance_uid, kind) for one in images for kind in ("seg", "sr", "sc")
    }


def _wait(folder: Path, threads: list[threading.Thread], service: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 120
    while any(thread.is_alive() for thread in threads) or len(set((folder / "pacs").read_text().splitlines())) < 3 * IMAGES:
        assert service.poll() is None, (folder / "log").read_text()[-2000:]
        assert time.monotonic() < deadline, (folder / "log").read_text()[-2000:]
        time.sleep(0.1)
    time.sleep(1.0)  # the last one's state is noted


def _wait_for_start(log: Path, service: subprocess.Popen[bytes]) -> None:
    """Until this life has begun to work."""
    known = log.read_text().count('"started"')
    while service.poll() is None and log.read_text().count('"started"') == known:
        time.sleep(0.01)
