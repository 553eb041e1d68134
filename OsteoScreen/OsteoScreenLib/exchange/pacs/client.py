"""One open connection to a PACS, whichever protocol it speaks."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from OsteoScreenLib.exchange.pacs.connection import LARGEST_OBJECT, Connection
from OsteoScreenLib.exchange.pacs.outgoing import Outgoing
from OsteoScreenLib.exchange.pacs.query import FoundImage, FoundSeries, Listing, Query

MOST_SERIES = 500


class Client(Protocol):
    """What both protocols can do. Every call may raise `PacsUnreachable`, `PacsRefused` or `NotAllowed`, each one sentence.

    Unreachable is raised only after the connection's own retries. Use it as a context manager: it may hold an association open.
    """

    connection: Connection

    def __enter__(self) -> Client: ...

    def __exit__(self, *_: object) -> None: ...

    def test(self) -> str:
        """Ask whether the PACS is there and lets us in; the answer in one sentence."""

    def find_series(self, query: Query, most: int = MOST_SERIES) -> Listing:
        """The series that match, with what the user needs to choose among them; at most `most`."""

    def find_images(self, series: FoundSeries) -> tuple[FoundImage, ...]:
        """The objects of one series; of its UIDs alone is made use."""

    def retrieve(self, image: FoundImage, path: Path, largest: int = LARGEST_OBJECT) -> None:
        """Write one object to `path`, atomically, as the PACS keeps it (no transcoding is asked for).

        Raises `PacsRefused` (code "too-large") beyond `largest` bytes, before they are all in memory, `OsteoScreenError` for a
        full disk.
        """

    def store(self, item: Outgoing) -> None:
        """Hand one object to the PACS, as it is where the PACS takes that, else without compression. Returns when it is stored."""


def open_client(connection: Connection, secret: str | None = None, retries: int | None = None) -> Client:
    """The client of a connection. Nothing goes over the network yet.

    secret : password or token; None takes it from where the connection says (`secrets.secret_of`).
    retries : in place of the connection's own.
    """
    from OsteoScreenLib.exchange.pacs.connection import changed
    from OsteoScreenLib.exchange.pacs.connections import secret_of

    if retries is not None:
        connection = changed(connection, retries=retries)
    if secret is None:
        secret = secret_of(connection)
    if connection.kind == "dicomweb":
        from OsteoScreenLib.exchange.pacs.dicomweb import DicomWebClient

        return DicomWebClient(connection, secret)
    from OsteoScreenLib.exchange.pacs.dimse import DimseClient

    return DimseClient(connection)
