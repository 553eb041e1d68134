"""HTTPS in front of an HTTP server on this machine, as a reverse proxy does in a hospital.

Debian's Orthanc (1.10.1) ends with a segmentation fault at its first HTTPS request, so its own HTTPS cannot be tested against.
"""

from __future__ import annotations

import contextlib
import shutil
import socket
import socketserver
import ssl
import threading
from pathlib import Path
from typing import Any


class TlsRelay:
    """Listens with TLS on a port of 127.0.0.1 and hands every byte on to another port.

    certificate : the server's certificate with its key (PEM). client_ca : callers have to show a certificate signed by these.
    """

    def __init__(self, port: int, target: int, certificate: Path, client_ca: Path | None = None) -> None:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(certificate)
        if client_ca is not None:
            context.load_verify_locations(client_ca)
            context.verify_mode = ssl.CERT_REQUIRED

        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                with contextlib.suppress(OSError):
                    self.request.settimeout(60)
                    with (
                        context.wrap_socket(self.request, server_side=True) as outside,
                        socket.create_connection(("127.0.0.1", target), timeout=60) as inside,
                    ):
                        _join(outside, inside)

        class Server(socketserver.ThreadingTCPServer):
            allow_reuse_address, daemon_threads = True, True

            def handle_error(self, request: Any, client_address: Any) -> None:
                """A caller that left; nothing to say."""

        self._server = Server(("127.0.0.1", port), Handler)
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def close(self) -> None:
        """Listen no more."""
        self._server.shutdown()
        self._server.server_close()


def _join(outside: socket.socket, inside: socket.socket) -> None:
    """Copy both ways until both have said all."""
    back = threading.Thread(target=_copy, args=(inside, outside), daemon=True)
    back.start()
    _copy(outside, inside)
    back.join()


def _copy(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError), source.makefile("rb", 0) as reader, target.makefile("wb", 0) as writer:
        shutil.copyfileobj(reader, writer)
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_WR)
