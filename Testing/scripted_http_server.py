"""An HTTP server on loopback that answers as a test says: real sockets, real headers, no DICOMweb of its own."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Answer:
    """One answer. body : bytes, or what is sent as DICOM JSON. hang_up : close the connection instead of answering."""

    status: int = 200
    body: Any = b""
    headers: dict[str, str] = field(default_factory=dict)
    hang_up: bool = False


@dataclass
class Asked:
    """One request that arrived."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class ScriptedServer:
    """The running server: its address, and what it was asked."""

    url: str
    asked: list[Asked]


@contextlib.contextmanager
def answering(answer: Callable[[Asked], Answer]) -> Iterator[ScriptedServer]:
    """A server for the length of a test; `answer` makes each answer from the request."""
    asked: list[Asked] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_any(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            request = Asked(self.command, self.path, dict(self.headers), self.rfile.read(length))
            asked.append(request)
            given = answer(request)
            if given.hang_up:
                self.close_connection = True
                return
            body = given.body if isinstance(given.body, bytes) else json.dumps(given.body).encode()
            headers = {"Content-Type": "application/dicom+json", "Content-Length": str(len(body)), **given.headers}
            self.send_response(given.status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            with contextlib.suppress(OSError):
                self.wfile.write(body)

        do_GET = do_POST = do_CONNECT = handle_any

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    try:
        yield ScriptedServer(f"http://127.0.0.1:{server.server_address[1]}/dicom-web", asked)
    finally:
        server.shutdown()
        server.server_close()
