"""pynetdicom's association server with bounds on connections that have not yet asked for an association."""

from __future__ import annotations

import socket
from socketserver import TCPServer
from typing import Any

from pynetdicom.transport import ThreadedAssociationServer

_SPARE = 16  # connections beyond the associations, so that one too many is told so in DICOM's words


class DicomServer(ThreadedAssociationServer):
    """Takes connections; what they say is read on threads of their own, the TLS handshake included."""

    request_queue_size = 64

    def get_request(self) -> tuple[socket.socket, tuple[str, int]]:
        """The next connection, its handshake still to be done: a silent client must not keep the others from being heard."""
        assert self.socket is not None
        connection, address = self.socket.accept()
        connection.settimeout(self.ae.network_timeout)
        if self.ssl_context:
            connection = self.ssl_context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
        return connection, address

    def verify_request(self, request: Any, client_address: Any) -> bool:
        """Whether to listen to a connection at all; it is closed if not."""
        return len(self.active_associations) < self.ae.maximum_associations + _SPARE

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A connection that failed is forgotten; socketserver would print a traceback."""

    def shutdown(self) -> None:
        """Stop listening."""
        TCPServer.shutdown(self)
        self.server_close()
