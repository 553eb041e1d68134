"""Receives radiographs by C-STORE (PS3.4 annex B) and answers C-ECHO, within bounds that a hostile sender cannot pass.

A success status is answered only after the object and its place in the queue are on the disk.
"""

from __future__ import annotations

import logging
import ssl
import threading
from typing import TYPE_CHECKING, Any

from OsteoScreenLib.errors import InputError
from OsteoScreenLib.gateway.arrivals import Arrivals
from OsteoScreenLib.gateway.settings import Listening
from OsteoScreenLib.gateway.shared import Shared
from OsteoScreenLib.radiograph.kinds import CAPTURES, RADIOGRAPHS

if TYPE_CHECKING:
    from pynetdicom.events import Event

SUCCESS, OUT_OF_RESOURCES, MISMATCH, CANNOT_UNDERSTAND = 0x0000, 0xA700, 0xA900, 0xC000
"""Statuses of C-STORE, PS3.4 table B.2-1."""
PDU_BYTES = 131072
_SLACK = 2**20  # what command set and fragments' headers add to an object
_STATUS = {
    "accepted": SUCCESS, "known": SUCCESS, "own-result": SUCCESS, "full": OUT_OF_RESOURCES, "refused": CANNOT_UNDERSTAND,
    "too-large": OUT_OF_RESOURCES, "uid-mismatch": MISMATCH,
}  # fmt: skip
_VERIFICATION = "1.2.840.10008.1.1"
CLASSES = tuple(sorted(RADIOGRAPHS | CAPTURES))
"""SOP classes that are taken."""


class Receiver:
    """A DICOM storage provider on a thread of its own. Raises `InputError` when it cannot listen there."""

    def __init__(self, listening: Listening, arrivals: Arrivals, shared: Shared) -> None:
        self._listening, self._arrivals, self._shared = listening, arrivals, shared
        self._server: Any = None

    @property
    def port(self) -> int:
        """Where it listens; of use when the system chose the port."""
        return int(self._server.server_address[1])

    def start(self) -> None:
        """Listen; returns at once."""
        from pynetdicom import AE, _config, evt

        from OsteoScreenLib.exchange.pacs.receiving import TRANSFER_SYNTAXES
        from OsteoScreenLib.exchange.pacs.size_guard import size_guard
        from OsteoScreenLib.gateway.dicom_server import DicomServer

        _config.LOG_HANDLER_LEVEL = "none"  # pynetdicom's own log may quote what it receives; the journal says what happened
        logging.getLogger("pynetdicom").setLevel(logging.CRITICAL + 1)
        listening, limits = self._listening, self._shared.limits
        entity = AE(listening.ae_title)
        entity.maximum_pdu_size = PDU_BYTES
        entity.maximum_associations = limits.associations
        entity.acse_timeout = entity.dimse_timeout = limits.association_seconds
        entity.network_timeout = limits.idle_seconds
        entity.require_calling_aet = list(listening.allowed)
        entity.require_called_aet = True
        for sop_class in CLASSES:
            entity.add_supported_context(sop_class, list(TRANSFER_SYNTAXES))
        entity.add_supported_context(_VERIFICATION)
        handlers: list[Any] = [
            (evt.EVT_C_STORE, self._store),
            (evt.EVT_ACCEPTED, lambda event: self._count("accepted", event)),
            (evt.EVT_REJECTED, lambda event: self._count("rejected", event)),
            (evt.EVT_ABORTED, lambda event: self._count("aborted", event)),
            *size_guard(limits.object_bytes + _SLACK, self._cut, limits.idle_seconds),
        ]
        try:
            self._server = entity.make_server(
                (listening.host, listening.port), evt_handlers=handlers, ssl_context=_tls(listening), server_class=DicomServer
            )
        except OSError as error:
            raise InputError(
                f"Port {listening.port} of {listening.host} cannot be listened on ({error.strerror or error}); choose another with --port.",
                "port",
            ) from error
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.2}, name="receiver", daemon=True).start()

    def stop(self) -> None:
        """Take no more associations and end those there are. What was answered with success is kept."""
        server, self._server = self._server, None
        if server is not None:
            server.shutdown()
            for association in server.active_associations:
                association.abort(block=False)

    def _cut(self, association: Any, what: str) -> None:
        self._shared.metrics.associations.labels(f"{what}-too-large").inc()
        self._shared.journal.warning("association cut", code=f"{what}-too-large", address=_address(association))

    def _count(self, outcome: str, event: Event) -> None:
        self._shared.metrics.associations.labels(outcome).inc()
        tell = self._shared.journal.info if outcome == "accepted" else self._shared.journal.warning
        tell(
            f"association {outcome}",
            sender=_printable(event.assoc.requestor.ae_title),
            address=_address(event.assoc),
        )

    def _store(self, event: Event) -> int:
        request: Any = event.request
        arrival = self._arrivals.take(
            event.encoded_dataset(), str(request.AffectedSOPClassUID), str(request.AffectedSOPInstanceUID), "store"
        )
        return _STATUS.get(arrival.code) or _STATUS[arrival.taken]


def _tls(listening: Listening) -> ssl.SSLContext | None:
    if listening.certificate is None:
        return None
    try:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(
            listening.certificate, listening.private_key, password=lambda: ""
        )  # no question on the terminal
        if listening.authority is not None:
            context.load_verify_locations(listening.authority)
            context.verify_mode = ssl.CERT_REQUIRED
    except (OSError, ssl.SSLError) as error:
        raise InputError(
            f"The TLS files cannot be used ({error.strerror or error}); check --tls-certificate and its key.", "tls"
        ) from error
    return context


def _address(association: Any) -> str:
    address = association.requestor.address_info
    return "" if address is None else str(address.address)


def _printable(title: str) -> str:
    return "".join(letter if letter.isprintable() else "?" for letter in str(title).strip())[:16]
