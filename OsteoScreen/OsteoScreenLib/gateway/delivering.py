"""Sends a case's results to their destination: a stored connection, by DICOMweb or DIMSE."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from OsteoScreenLib.errors import OsteoScreenError
from OsteoScreenLib.exchange.pacs.connection import Connection


@dataclass(frozen=True)
class Delivery:
    """What became of a case's objects. stored : how many were taken. refusals : codes of those that never will be.

    unreachable : there was no answer, or one that asks to come again; all are to be sent once more, which does no harm. code : why.
    """

    stored: int
    refusals: tuple[str, ...] = ()
    unreachable: bool = False
    code: str = ""

    @property
    def complete(self) -> bool:
        """Whether the destination has everything."""
        return not self.refusals and not self.unreachable


class Courier(Protocol):
    """Where results go."""

    def deliver(self, files: Sequence[Path]) -> Delivery:
        """Send these files; raises nothing for what goes wrong on the way."""


class PacsCourier:
    """Sends over a connection. secret : its password or token. Tries once; the queue is what tries again."""

    def __init__(self, connection: Connection, secret: str) -> None:
        self._connection, self._secret = connection, secret

    def deliver(self, files: Sequence[Path]) -> Delivery:
        """See `Courier`. A destination that does not let us in counts as unreachable: somebody is to mend it, nothing is lost."""
        from OsteoScreenLib.exchange.pacs.client import open_client
        from OsteoScreenLib.exchange.pacs.outgoing import look
        from OsteoScreenLib.exchange.pacs.sending import send

        try:
            items, left = look(files)
            with open_client(self._connection, self._secret, retries=0) as client:
                sent = tuple(send(client, items, skip_present=False))
        except OsteoScreenError as error:
            return Delivery(0, unreachable=True, code=str(getattr(error, "code", "unreachable")))
        stored = sum(one.status in {"stored", "already"} for one in sent)
        refusals = (*(one.code for one in left), *(one.code or "refused" for one in sent if one.status == "refused"))
        silent = [one.code for one in sent if one.status == "unreachable"]
        return Delivery(stored, refusals, bool(silent), silent[0] if silent else "")
