"""Cuts an association while an object that is too large arrives, before memory is full of it, and one whose peer falls silent
in the middle of a PDU; pynetdicom itself has no limit for either.

PS3.8 lets a peer announce a PDU of 4 GB and a message have any number of fragments; both are counted here.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

from pynetdicom import evt
from pynetdicom.pdu import P_DATA_TF

LARGEST_PDU = 1 << 20  # bytes; what we announce ourselves is 16 KB, an association request stays below 200 KB

Cut = Callable[[Any, str], None]
"""Called with the association and "object" or "pdu", in pynetdicom's own thread, when something is too large."""


def size_guard(largest: int | Callable[[], int], on_cut: Cut | None = None, silence_s: float = 60.0) -> list[tuple[Any, ...]]:
    """Handlers for `AE.associate` and `AE.start_server` (`evt_handlers=[*size_guard(n), …]`).

    largest : bytes that one object may have on the wire, or what gives them. silence_s : how long a peer may pause within a PDU.
    """

    def opened(event: Any) -> None:
        wire = event.assoc.dul.socket.socket
        wire.settimeout(silence_s)
        # A message goes out in several small pieces, between which TCP would wait 40 ms for an acknowledgement.
        wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        _bound_pdus(event.assoc, on_cut)

    def received(event: Any) -> None:
        if not isinstance(event.pdu, P_DATA_TF):
            return
        association = event.assoc
        association._osteoscreen_bytes = getattr(association, "_osteoscreen_bytes", 0) + event.pdu.pdu_length
        if association._osteoscreen_bytes > (largest() if callable(largest) else largest):
            _cut(association, "object", on_cut)

    def complete(event: Any) -> None:
        event.assoc._osteoscreen_bytes = 0

    return [(evt.EVT_CONN_OPEN, opened), (evt.EVT_PDU_RECV, received), (evt.EVT_DIMSE_RECV, complete)]


def _bound_pdus(association: Any, on_cut: Cut | None) -> None:
    """Refuse to read a PDU whose announced length no peer of ours may use."""
    transport = association.dul.socket
    read = transport.recv

    def recv(nr_bytes: int) -> bytearray:
        if nr_bytes <= LARGEST_PDU:
            return read(nr_bytes)
        _cut(association, "pdu", on_cut)
        return bytearray()

    transport.recv = recv


def _cut(association: Any, what: str, on_cut: Cut | None) -> None:
    """End the connection at once. An A-ABORT would wait in pynetdicom's queue as long as data keeps coming."""
    if on_cut is not None:
        on_cut(association, what)
    association.dul.socket.close()
