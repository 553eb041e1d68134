"""Opens associations (PS3.8) with pynetdicom, and says in words why one did not come about."""

from __future__ import annotations

import logging
import socket
import ssl
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from pynetdicom import AE, _config
from pynetdicom.association import Association
from pynetdicom.presentation import PresentationContext

from OsteoScreenLib.errors import InputError
from OsteoScreenLib.exchange.pacs.connection import Connection
from OsteoScreenLib.exchange.pacs.faults import NotAllowed, PacsRefused, PacsUnreachable

# What is asked for and what is found names patients; pynetdicom would log both.
_config.LOG_REQUEST_IDENTIFIERS = False
_config.LOG_RESPONSE_IDENTIFIERS = False
logging.getLogger("pynetdicom").addHandler(logging.NullHandler())
logging.getLogger("pynetdicom").propagate = False

_TRANSIENT = 2
_WHO = {
    3: "does not know us as {connection.calling_aet}; have its administrator enter this title, or change --calling",
    7: "is not called {connection.called_aet}; check the title of the PACS",
}


def entity(connection: Connection) -> AE:
    """Our application entity, with the connection's title and time-outs."""
    ours = AE(ae_title=connection.calling_aet)
    ours.acse_timeout = ours.dimse_timeout = ours.network_timeout = ours.connection_timeout = connection.timeout_s
    return ours


def associate(
    connection: Connection, contexts: Sequence[PresentationContext], handlers: Sequence[Any] = (), roles: Sequence[Any] = ()
) -> Association:
    """An established association with at least one accepted context.

    roles : role selection items for C-GET, where we are the one that stores.
    Raises `NotAllowed`, `PacsRefused` (code "not-offered") or `PacsUnreachable`, each with the reason.
    """
    context = tls_context(connection)
    try:
        association = entity(connection).associate(
            connection.host,
            connection.port,
            contexts=list(contexts),
            ae_title=connection.called_aet,
            ext_neg=list(roles),
            tls_args=None if context is None else (context, connection.host),
            evt_handlers=list(handlers),
        )
    except (OSError, RuntimeError) as error:  # a name that leads nowhere
        raise _unreachable(connection) from error
    if association.is_established:
        return association
    raise _why_not(connection, association)


def tls_context(connection: Connection, server: bool = False) -> ssl.SSLContext | None:
    """TLS as the connection says, None without. server : for our own port, where we show our certificate and ask for the caller's."""
    if not connection.tls:
        return None
    try:
        ca = str(Path(connection.ca).expanduser()) if connection.ca else None
        purpose = ssl.Purpose.CLIENT_AUTH if server else ssl.Purpose.SERVER_AUTH
        context = ssl.create_default_context(purpose, cafile=ca)
        if server:
            context.verify_mode = ssl.CERT_REQUIRED
        if connection.certificate:
            files = Path(connection.certificate).expanduser(), Path(connection.key).expanduser()
            context.load_cert_chain(*files, password=_no_password)
        elif server:
            raise InputError(
                f"Connection {connection.name}: receiving over TLS needs a certificate of our own; name --certificate and --key.",
                "connection",
            )
    except OSError as error:  # ssl.SSLError is one
        raise InputError(
            f"Connection {connection.name}: its certificate or key cannot be used; the key must be without a password.",
            "connection",
        ) from error
    return context


def _no_password() -> str:
    """Instead of OpenSSL's question on the terminal."""
    return ""


def _why_not(connection: Connection, association: Association) -> Exception:
    name = connection.name
    if association.is_rejected:
        answer: Any = association.acceptor.primitive
        if answer.result == _TRANSIENT or answer.result_source == 0x03:
            return PacsUnreachable(f"{name} is busy and takes no association now ({answer.reason_str}); try again later.")
        words = _WHO.get(answer.diagnostic, "does not let us in")
        return NotAllowed(f"{name} {words.format(connection=connection)}.")
    if association.rejected_contexts:
        offered = ", ".join(sorted({cx.abstract_syntax.name for cx in association.rejected_contexts if cx.abstract_syntax}))
        return PacsRefused(f"{name} does not offer {offered}.", "not-offered")
    return _why_no_connection(connection)


def _why_no_connection(connection: Connection) -> Exception:
    """Tries the connection's lower layers by itself: pynetdicom does not hand on what went wrong there."""
    try:
        with socket.create_connection((connection.host, connection.port), timeout=connection.timeout_s) as plain:
            context = tls_context(connection)
            if context is not None:
                with context.wrap_socket(plain, server_hostname=connection.host) as encrypted:
                    encrypted.settimeout(1.0)  # TLS 1.3 refuses our certificate only after the handshake
                    encrypted.recv(1)
    except ssl.SSLCertVerificationError:
        return NotAllowed(
            f"{connection.name}: the server's certificate is not trusted; name the file of its authority with --ca."
        )
    except ssl.SSLError as error:
        if "alert" in str(error).lower():
            return NotAllowed(f"{connection.name} does not accept our certificate; name one with --certificate and --key.")
        return PacsUnreachable(
            f"{connection.name}: no TLS at {connection.host}:{connection.port}; leave --tls out if it has none."
        )
    except TimeoutError:
        pass
    except OSError:
        return _unreachable(connection)
    return PacsUnreachable(
        f"{connection.name}: no DICOM association at {connection.host}:{connection.port}; check the port, and whether it wants TLS."
    )


def _unreachable(connection: Connection) -> PacsUnreachable:
    return PacsUnreachable(f"{connection.name} cannot be reached at {connection.host}:{connection.port}; is it running?")


class Line:
    """One association at a time, opened when it is first needed and again when it was lost or another one is needed."""

    def __init__(self, open_new: Callable[[str, str], Association]) -> None:
        self._open_new = open_new
        self._open: Association | None = None
        self._for: tuple[str, str] | None = None

    def for_(self, what: str, which: str = "") -> Association:
        """The association for a purpose, as `open_new` opens it."""
        if self._open is None or not self._open.is_established or self._for != (what, which):
            self.close()
            self._open, self._for = self._open_new(what, which), (what, which)
        return self._open

    def close(self) -> None:
        """Release what is open."""
        open_, self._open = self._open, None
        if open_ is not None and open_.is_established:
            open_.release()

    def cut(self) -> None:
        """Abort what is open, because its peer no longer keeps to the protocol."""
        open_, self._open = self._open, None
        if open_ is not None:
            open_.abort()
