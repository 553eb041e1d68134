"""The gateway as a whole: door, queue, analysers, sender and web page, started and stopped in the right order."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from OsteoScreenLib.errors import InputError, OsteoScreenError
from OsteoScreenLib.exchange.dicom.series import RESEARCH_USE
from OsteoScreenLib.gateway.analysers import Analyser
from OsteoScreenLib.gateway.arrivals import Arrivals
from OsteoScreenLib.gateway.delivering import Courier
from OsteoScreenLib.gateway.journal import Journal
from OsteoScreenLib.gateway.ledger import OPEN, Ledger, State
from OsteoScreenLib.gateway.metrics import Metrics
from OsteoScreenLib.gateway.receiving import Receiver
from OsteoScreenLib.gateway.settings import Settings, check
from OsteoScreenLib.gateway.shared import Shared
from OsteoScreenLib.gateway.spool import Spool
from OsteoScreenLib.gateway.watching import Watcher
from OsteoScreenLib.gateway.web import WebServer
from OsteoScreenLib.gateway.working import Work

if TYPE_CHECKING:
    from OsteoScreenLib.exchange.pacs.client import Client

GRACE_SECONDS = 30.0
LEDGER = "queue.sqlite"


class Gateway:
    """Radiographs in, results back. analysers : one thread each. connect : opens the watched server, where one is watched.

    Raises `InputError` when the settings are unsafe, or the folder or a port is in use.
    """

    def __init__(
        self,
        settings: Settings,
        analysers: Sequence[Analyser],
        courier: Courier,
        connect: Callable[[], Client] | None = None,
        journal: Journal | None = None,
    ) -> None:
        check(settings)
        self.journal, self._settings = journal or Journal(), settings
        self._spool = Spool(settings.folder, settings.limits.reserve_bytes)
        self._ledger = Ledger(settings.folder / LEDGER)
        self.metrics = Metrics(self._ledger, self._spool)
        self._shared = Shared(self._spool, self._ledger, settings.limits, self.journal, self.metrics)
        self._work = Work(self._shared, analysers, courier, settings.objects)
        arrivals = Arrivals(self._shared)
        self._receiver = Receiver(settings.listening, arrivals, self._shared) if settings.listening else None
        self._watcher = None
        if settings.watching is not None and connect is not None:
            self._watcher = Watcher(settings.watching, connect, arrivals, self._shared)
        self._web = WebServer(settings.web, self.metrics, self.journal, self.faults, self.obstacles)
        self._stopped = False

    def __enter__(self) -> Gateway:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def dicom_port(self) -> int:
        """Where radiographs are received; 0 when they are not."""
        return self._receiver.port if self._receiver else 0

    @property
    def http_port(self) -> int:
        """Where health and metrics are answered."""
        return self._web.port

    def counts(self) -> dict[State, int]:
        """Cases in each state."""
        return self._ledger.counts()

    def start(self) -> None:
        """Take up what the last process left, then receive. Returns at once. Raises `InputError` when a port is taken."""
        recovered = self._ledger.recover()
        swept = self._spool.sweep(self._ledger.keys(*OPEN))
        try:
            self._web.start()
            if self._receiver:
                self._receiver.start()
        except InputError:
            self.stop(grace=0)
            raise
        self._work.start()
        if self._watcher:
            self._watcher.start()
        facts = {"recovered": recovered, "swept": swept, "dicom_port": self.dicom_port, "http_port": self.http_port}
        sends = {"destination": self._settings.destination, "objects": ",".join(self._settings.objects), "notice": RESEARCH_USE}
        self.journal.info("started", **facts, **sends, **self.counts())

    def stop(self, grace: float = GRACE_SECONDS) -> None:
        """Receive no more, finish or give back what is under way within `grace` seconds, and close the queue."""
        if self._stopped:
            return
        self._stopped = True
        self._shared.stopping.set()
        if self._receiver:
            self._receiver.stop()
        if self._watcher:
            self._watcher.stop()
        self._work.stop(grace)
        self._web.stop()
        self.journal.info("stopped", **self.counts())
        self._ledger.close()

    def retry_failed(self) -> int:
        """Failed cases begin anew. Returns how many."""
        return self._ledger.retry_failed()

    @property
    def wrong(self) -> InputError | None:
        """What the user has to mend before anything can be analysed."""
        return self._work.wrong

    def faults(self) -> list[str]:
        """What has died and does not come back by itself."""
        faults = [] if self._work.alive else ["A working thread has ended."]
        if self._watcher and not self._watcher.alive:
            faults.append("The watching thread has ended.")
        return faults

    def obstacles(self) -> list[str]:
        """What keeps new radiographs from being taken and analysed just now."""
        obstacles = self.faults()
        if self._shared.stopping.is_set():
            obstacles.append("The gateway is leaving.")
        if not self._work.ready:
            obstacles.append("The models are not loaded yet.")
        try:
            if not self._spool.has_room():
                obstacles.append("The disk is nearly full.")
        except OSError:
            obstacles.append("The gateway's folder is gone.")
        return obstacles


def run(gateway: Gateway, leave: threading.Event) -> None:
    """Serve until `leave` is set.

    Raises `InputError` when the models cannot be loaded with these options, and `OsteoScreenError` when a thread has died; a service
    manager may then start the gateway anew.
    """
    warnings.simplefilter("ignore")  # pydicom's quote what they warn of, and this process's output is a log
    with gateway:
        while not leave.wait(1.0):
            if wrong := gateway.wrong:
                raise wrong
            if faults := gateway.faults():
                gateway.journal.error("a thread has died")
                raise OsteoScreenError(f"{faults[0]} This is a fault of OsteoScreen; start the gateway again.")
