"""Health and metrics over HTTP.

/health/live   200 while the service does its work, 503 when one of its threads has died: start it again.
/health/ready  200 when it takes radiographs and can analyse them; else 503 and the reasons, as JSON.
/metrics       counters for Prometheus.
"""

from __future__ import annotations

import hmac
import json
import threading
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from OsteoScreenLib.errors import InputError
from OsteoScreenLib.gateway.journal import Journal
from OsteoScreenLib.gateway.metrics import Metrics
from OsteoScreenLib.gateway.settings import Web

_SECONDS = 10.0  # patience with one request


class WebServer:
    """Answers on threads of its own. live, ready : what is wrong, in words; empty means well."""

    def __init__(
        self, web: Web, metrics: Metrics, journal: Journal, live: Callable[[], list[str]], ready: Callable[[], list[str]]
    ) -> None:
        pages: dict[str, Callable[[], tuple[int, str, bytes]]] = {
            "/health/live": lambda: _health(live()),
            "/health/ready": lambda: _health(ready()),
            "/metrics": lambda: (HTTPStatus.OK, "text/plain; version=0.0.4; charset=utf-8", metrics.text()),
        }

        class Handler(BaseHTTPRequestHandler):
            timeout = _SECONDS
            server_version, sys_version = "OsteoScreen", ""

            def do_GET(self) -> None:
                if not _authorised(self.headers.get("Authorization", ""), web.token):
                    metrics.web_refusals.inc()
                    journal.warning("http request refused", code="wrong-token", address=self.client_address[0])
                    self._reply(HTTPStatus.UNAUTHORIZED, "text/plain", b"A token is needed.\n")
                    return
                page = pages.get(self.path.split("?", 1)[0])
                self._reply(*(page() if page else (HTTPStatus.NOT_FOUND, "text/plain", b"There is no such page.\n")))

            def _reply(self, status: int, kind: str, content: bytes) -> None:
                self.send_response(status)
                if status == HTTPStatus.UNAUTHORIZED:
                    self.send_header("WWW-Authenticate", "Bearer")
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, format: str, *arguments: object) -> None:
                """The journal says what matters."""

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, request: object, client_address: object) -> None:
                """A client that went away is no news; socketserver would print a traceback."""

        self._web, self._make = web, lambda: Server((web.host, web.port), Handler)
        self._server: ThreadingHTTPServer | None = None

    @property
    def port(self) -> int:
        """Where it answers; of use when the system chose the port."""
        assert self._server is not None
        return int(self._server.server_address[1])

    def start(self) -> None:
        """Answer; returns at once. Raises `InputError` when the port is taken."""
        try:
            self._server = self._make()
        except OSError as error:
            raise InputError(
                f"Port {self._web.port} of {self._web.host} cannot be listened on ({error.strerror or error}); "
                "choose another with --http-port.",
                "port",
            ) from error
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.2}, name="http", daemon=True).start()

    def stop(self) -> None:
        """Answer no more."""
        server, self._server = self._server, None
        if server is not None:
            server.shutdown()
            server.server_close()


def _health(faults: list[str]) -> tuple[int, str, bytes]:
    status = HTTPStatus.SERVICE_UNAVAILABLE if faults else HTTPStatus.OK
    return status, "application/json", (json.dumps({"ok": not faults, "faults": faults}) + "\n").encode()


def _authorised(header: str, token: str) -> bool:
    kind, _, given = header.partition(" ")
    given_right = hmac.compare_digest(given.strip().encode("utf-8", "replace"), token.encode())
    return not token or (kind.lower() == "bearer" and given_right)
