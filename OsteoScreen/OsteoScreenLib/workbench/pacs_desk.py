"""What the PACS window's buttons call: a child process for the network, one request at a time, and nothing that blocks.

The child is started at the first request, imports no torch, and ends with the desk. It is told a typed secret with every request
that needs one; secrets are kept here for as long as the desk lives and nowhere else.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from OsteoScreenLib.errors import OsteoScreenError
from OsteoScreenLib.workbench.events import Event
from OsteoScreenLib.workbench.pacs_nouns import (
    ConnectionFacts,
    FetchedFile,
    FoundSeries,
    NewConnection,
    OutgoingObject,
    Search,
    SendOutcome,
)
from OsteoScreenLib.workbench.worker_client import WorkerClient
from OsteoScreenLib.worker.protocol import Message

YIELD_SECONDS = 0.004  # given to the client's threads, which inside Slicer run only while the window's thread sleeps
CANCEL_SECONDS = 0.05
BUSY = "The last request to the archive is still running; cancel it or wait for it."
MODULE = "OsteoScreenLib.worker.pacs"

_Answered = Callable[[Message], None]


class PacsDesk:
    """Listen to its events, call `poll` from a timer.

    connections_known : what is stored. tested : (name, sentence). found : the series, and a sentence when there are more than are
    listed or some could not be asked for, else "". fetched : the files, and a sentence for each series that did not come. looked : what
    files would carry. sent : what became of each file. prior_known : (title, value) rows of an earlier result.
    progressed : (fraction from 0 to 1, sentence). busy_changed : a request has begun or ended. failed : (one sentence, code).
    make_client : gives the client of the child, called once at the first request.
    """

    def __init__(self, make_client: Callable[[], WorkerClient]) -> None:
        self.connections_known: Event[[tuple[ConnectionFacts, ...]]] = Event()
        self.tested: Event[[str, str]] = Event()
        self.found: Event[[tuple[FoundSeries, ...], str]] = Event()
        self.fetched: Event[[tuple[FetchedFile, ...], tuple[str, ...]]] = Event()
        self.looked: Event[[tuple[OutgoingObject, ...]]] = Event()
        self.sent: Event[[tuple[SendOutcome, ...]]] = Event()
        self.prior_known: Event[[tuple[tuple[str, str], ...]]] = Event()
        self.progressed: Event[[float, str]] = Event()
        self.busy_changed: Event[[bool]] = Event()
        self.failed: Event[[str, str]] = Event()
        self._make_client = make_client
        self._client: WorkerClient | None = None
        self._answered: _Answered | None = None
        self._secrets: dict[str, str] = {}
        self._closed = False

    @property
    def busy(self) -> bool:
        """A request is being answered."""
        return self._answered is not None

    # Connections

    def ask_connections(self) -> None:
        """Which connections are stored; `connections_known` tells."""
        self._submit("connections", {}, self._on_connections, "reading the connections")

    def add_connection(self, new: NewConnection) -> None:
        """Store a connection; `connections_known` tells of all. A typed secret that is not to be kept is remembered for this run."""
        name = str(new.values.get("name", ""))
        body = {"values": dict(new.values), "secret": new.secret if new.keep else ""}

        def answered(answer: Message) -> None:
            self.set_secret(name, "" if new.keep else new.secret)
            self._on_connections(answer)

        self._submit("add-connection", body, answered, "storing the connection")

    def remove_connection(self, name: str) -> None:
        """Forget a connection and its secret; `connections_known` tells of those that are left."""
        self._secrets.pop(name, None)
        self._submit("remove-connection", {"name": name}, self._on_connections, "removing the connection")

    def test_connection(self, name: str) -> None:
        """Ask the archive whether it is there and takes us; `tested` tells."""
        self._submit(
            "test-connection",
            self._at(name),
            lambda answer: self.tested.emit(name, str(answer.body["sentence"])),
            f"asking {name}",
        )

    def set_secret(self, name: str, secret: str) -> None:
        """A secret that was typed, for this run only; "" forgets it."""
        if secret:
            self._secrets[name] = secret
        else:
            self._secrets.pop(name, None)

    def has_secret(self, name: str) -> bool:
        """One was typed for this connection."""
        return name in self._secrets

    # Images and results

    def find(self, name: str, search: Search) -> None:
        """Search an archive; `found` tells."""
        body = {**self._at(name), "search": {**asdict(search), "modalities": list(search.modalities)}}
        self._submit("find", body, self._on_found, f"searching {name}")

    def fetch(self, name: str, series: Sequence[FoundSeries], folder: str) -> None:
        """Bring series into a folder; `fetched` tells."""
        wanted = [{"study_uid": one.study_uid, "series_uid": one.series_uid} for one in series]
        body = {**self._at(name), "series": wanted, "out": folder}
        self._submit("fetch", body, self._on_fetched, f"fetching from {name}")

    def look(self, paths: Sequence[str]) -> None:
        """What these files would carry if they were sent; `looked` tells. Nothing is sent."""
        self._submit("look", {"paths": list(paths)}, self._on_looked, "looking into the files")

    def send(self, name: str, paths: Sequence[str]) -> None:
        """Send these files; `sent` tells what became of each."""
        self._submit("send", {**self._at(name), "paths": list(paths)}, self._on_sent, f"sending to {name}")

    def ask_prior(self, path: str) -> None:
        """Read an earlier result, a structured report of OsteoScreen's; `prior_known` tells."""
        self._submit("prior", {"path": path}, self._on_prior, "reading the earlier result")

    # The process

    def poll(self) -> None:
        """Take what has arrived. To be called every few tens of milliseconds."""
        if self._answered is None or self._client is None:
            return
        time.sleep(YIELD_SECONDS)
        try:
            answer = self._client.poll(lambda stage, fraction, sentence: self.progressed.emit(fraction, sentence))
        except OsteoScreenError as error:
            self._end_request()
            self.failed.emit(str(error), getattr(error, "code", "fault"))
            return
        if answer is not None:
            answered = self._answered
            self._end_request()
            if answered is not None:
                answered(answer)

    def cancel(self) -> None:
        """Stop what runs. What an archive has confirmed stays there."""
        if self._answered is not None and self._client is not None:
            self._client.cancel(CANCEL_SECONDS)
            self._end_request()

    def close(self) -> None:
        """End the process and forget every secret. Safe to call twice."""
        self._closed = True
        self._answered = None
        self._secrets.clear()
        if self._client is not None:
            self._client.cancel(CANCEL_SECONDS)

    def _at(self, name: str) -> dict[str, Any]:
        return {"name": name, "secret": self._secrets.get(name, "")}

    def _submit(self, kind: str, body: Mapping[str, Any], answered: _Answered, doing: str) -> None:
        if self._closed:
            return
        if self.busy:
            self.failed.emit(BUSY, "busy")
            return
        try:
            if self._client is None:
                self._client = self._make_client()
            self._client.submit(kind, body, doing=doing)
        except OsteoScreenError as error:
            self.failed.emit(str(error), getattr(error, "code", "fault"))
            return
        self._answered = answered
        self.busy_changed.emit(True)

    def _end_request(self) -> None:
        self._answered = None
        self.busy_changed.emit(False)

    # What comes back

    def _on_connections(self, answer: Message) -> None:
        self.connections_known.emit(tuple(ConnectionFacts(**one) for one in answer.body["connections"]))

    def _on_found(self, answer: Message) -> None:
        self.found.emit(tuple(FoundSeries(**one) for one in answer.body["series"]), str(answer.body["remark"]))

    def _on_fetched(self, answer: Message) -> None:
        files = tuple(FetchedFile(**one) for one in answer.body["files"])
        self.fetched.emit(files, tuple(map(str, answer.body["problems"])))

    def _on_looked(self, answer: Message) -> None:
        listed = tuple(OutgoingObject(**{**one, "carries": tuple(one["carries"])}) for one in answer.body["objects"])
        self.looked.emit(listed)

    def _on_sent(self, answer: Message) -> None:
        self.sent.emit(tuple(SendOutcome(**one) for one in answer.body["outcomes"]))

    def _on_prior(self, answer: Message) -> None:
        self.prior_known.emit(tuple((str(title), str(value)) for title, value in answer.body["rows"]))
