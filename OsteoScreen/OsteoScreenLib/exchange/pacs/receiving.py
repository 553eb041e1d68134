"""The receiving end of C-GET and C-MOVE: takes the one object that was asked for, and nothing else."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from typing import Any

from pydicom.uid import (
    JPEG2000,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    JPEGLSNearLossless,
    RLELossless,
)
from pynetdicom import AllStoragePresentationContexts, evt

from OsteoScreenLib.errors import OsteoScreenError
from OsteoScreenLib.exchange.pacs.association import entity, tls_context
from OsteoScreenLib.exchange.pacs.connection import Connection
from OsteoScreenLib.exchange.pacs.size_guard import size_guard

TRANSFER_SYNTAXES = (
    ExplicitVRLittleEndian, ImplicitVRLittleEndian, JPEGLosslessSV1, JPEGLossless, JPEGBaseline8Bit, JPEGExtended12Bit,
    JPEGLSLossless, JPEGLSNearLossless, JPEG2000Lossless, JPEG2000, RLELossless, DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
)  # fmt: skip
"""Encodings of objects that OsteoScreen reads, as they are accepted; the first is preferred."""

_UNASKED, _NO_ROOM = 0xA900, 0xA700


class Receiver:
    """Holds the one object that is waited for, in memory, until it is written. largest : bytes it may have."""

    def __init__(self, largest: int) -> None:
        self.largest = largest
        self.data: bytes | None = None
        self.too_large = self.unasked = False
        self._wanted = ""
        self._lock = threading.Lock()

    def handlers(self, silence_s: float) -> list[tuple[Any, ...]]:
        """For pynetdicom, where the object arrives."""
        return [(evt.EVT_C_STORE, self._store), *size_guard(lambda: self.largest, self._cut, silence_s)]

    @contextlib.contextmanager
    def waiting_for(self, uid: str) -> Iterator[None]:
        """While open, the object of this UID is accepted; others, and all afterwards, are not."""
        with self._lock:
            self.data, self._wanted = None, uid
            self.too_large = self.unasked = False
        try:
            yield
        finally:
            with self._lock:
                self._wanted = ""

    def _cut(self, association: Any, what: str) -> None:
        self.too_large = True

    def _store(self, event: Any) -> int:
        with self._lock:
            if not self._wanted or str(event.request.AffectedSOPInstanceUID) != self._wanted:
                self.unasked = True
                return _UNASKED
            self.data = event.encoded_dataset()
        return 0x0000


class OwnPort:
    """Our own port, to which the PACS sends what a C-MOVE asked for. Listens at `connection.listen` until it is closed."""

    def __init__(self, connection: Connection, receiver: Receiver) -> None:
        ours = entity(connection)
        ours.require_called_aet = True
        ours.maximum_associations = 4
        for context in AllStoragePresentationContexts:
            assert context.abstract_syntax is not None
            ours.add_supported_context(context.abstract_syntax, list(TRANSFER_SYNTAXES))
        try:
            self._server = ours.start_server(
                connection.listening,
                block=False,
                ssl_context=tls_context(connection, server=True),
                evt_handlers=receiver.handlers(connection.timeout_s),
            )
        except OSError as error:
            raise OsteoScreenError(
                f"Our own port {connection.listen} cannot be opened ({error.strerror or error}); another program may use it, or "
                "the connection's --listen names another computer."
            ) from error

    def close(self) -> None:
        """Listen no more."""
        if self._server is not None:
            self._server.shutdown()
