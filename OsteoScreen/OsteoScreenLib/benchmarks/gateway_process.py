"""The command `osteoscreen serve` as a process that a measurement starts, kills and asks."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from pathlib import Path

from OsteoScreenLib.benchmarks.orthanc import free_port
from OsteoScreenLib.errors import OsteoScreenError
from OsteoScreenLib.exchange.pacs.connection import Connection

NAME = "pacs"
"""Of the connection that it is given."""

_START_SECONDS, _END_SECONDS = 120.0, 90.0
_DONE = re.compile(r'^osteoscreen_cases\{state="(done|refused|failed)"\} ([0-9.]+)$', re.MULTILINE)


class GatewayProcess:
    """work : for settings and output. queue : its folder. destination : gets the results. Ports stay the same over restarts.

    options : more of the command line's.
    """

    def __init__(
        self, work: Path, queue: Path, destination: Connection, reserve_mib: int = 0, options: tuple[str, ...] = ()
    ) -> None:
        from OsteoScreenLib.exchange.pacs.connection import changed

        self.output, self._settings = work / "gateway.log", work / "settings"
        self._queue, self._reserve, self._options = queue, reserve_mib, options
        self.dicom_port, self.http_port = free_port(), free_port()
        self.done = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._settings.mkdir()
        text = json.dumps({"connections": [changed(destination, name=NAME).as_json()]})
        (self._settings / "pacs.json").write_text(text, encoding="utf-8")

    def start(self, reserve_mib: int | None = None) -> None:
        """Start it; returns at once."""
        package = str(Path(__file__).resolve().parents[2])
        environment = os.environ | {"PYTHONPATH": package, "OSTEOSCREEN_SETTINGS": str(self._settings)}
        command = [
            sys.executable, "-m", "OsteoScreenLib.cli", "serve", "--to", NAME, "--folder", str(self._queue), "--port", str(self.dicom_port),
            "--http-port", str(self.http_port), "--reserve", str(self._reserve if reserve_mib is None else reserve_mib), *self._options,
        ]  # fmt: skip
        with open(self.output, "ab") as output:
            self._process = subprocess.Popen(command, stdout=output, stderr=output, env=environment)

    def kill(self) -> None:
        """End it as a power cut does."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def restart(self, reserve_mib: int | None = None) -> None:
        """Kill it and start it again on the same queue."""
        self.kill()
        self.start(reserve_mib)

    def terminate(self) -> int:
        """End it as a service manager does. Returns its exit code."""
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)
        code = self._process.wait(_END_SECONDS)
        self._process = None
        return code

    def check(self) -> None:
        """Ask how many cases are done (`done`). Raises `OsteoScreenError` when the process has ended by itself."""
        if self._process is not None and self._process.poll() is not None:
            raise OsteoScreenError(f"The gateway ended by itself, exit code {self._process.returncode}; see {self.output}.")
        page = self.page("/metrics")
        if page is not None:
            self.done = sum(int(float(number)) for _, number in _DONE.findall(page))

    def page(self, path: str) -> str | None:
        """A page of its health and metrics; None while nobody answers."""
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(f"http://127.0.0.1:{self.http_port}{path}", timeout=5) as answer:
                return str(answer.read().decode())
        except (OSError, ValueError):
            return None

    def wait_until_ready(self) -> None:
        """Until it takes radiographs and can analyse them."""
        deadline = time.monotonic() + _START_SECONDS
        while self.page("/health/ready") is None:
            self.check()
            if time.monotonic() > deadline:
                raise OsteoScreenError(f"The gateway was not ready after {_START_SECONDS:g} s; see {self.output}.")
            time.sleep(0.1)

    def events(self) -> Counter[str]:
        """What the journals of all its lives told, by event."""
        found: Counter[str] = Counter()
        for line in self.output.read_text(encoding="utf-8", errors="replace").splitlines():
            try:
                found[json.loads(line)["event"]] += 1
            except (ValueError, TypeError, KeyError):
                found["not a line of the journal"] += 1  # a kill in the middle of one, or something that should not be there
        return found

    def names(self, *words: str) -> str:
        """The first of these words that its output holds; "" if none."""
        text = self.output.read_text(encoding="utf-8", errors="replace")
        return next((word for word in words if word in text), "")
