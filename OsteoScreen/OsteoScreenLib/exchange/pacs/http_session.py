"""The HTTP session behind DICOMweb: certificates, proxy and authentication as the connection says, and no more than that.

Nothing is taken from .netrc or from the environment except its proxies; no redirect is followed, so that neither images nor a
password go to an address that the user did not name; an answer that grows too large is cut while it arrives.
"""

from __future__ import annotations

import logging
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import requests
from requests.adapters import HTTPAdapter
from requests.auth import HTTPBasicAuth

from OsteoScreenLib.errors import InputError
from OsteoScreenLib.exchange.pacs.connection import DIRECT, Connection, is_loopback
from OsteoScreenLib.exchange.pacs.faults import PacsRefused
from OsteoScreenLib.exchange.pacs.wildcards import plain_query

# These would tell on the terminal what was asked for, and with what traceback an attempt failed that is repeated.
for _name in ("dicomweb_client", "retrying"):
    logging.getLogger(_name).addHandler(logging.NullHandler())
    logging.getLogger(_name).propagate = False
logging.getLogger("urllib3.connectionpool").setLevel(logging.WARNING)


class Limit:
    """What the answers of a session may weigh, and whether the last one said that there is more (PS3.18 8.3.4.4: warning 299)."""

    def __init__(self, largest: int) -> None:
        self.largest = largest
        self.warned = False


def session_for(connection: Connection, secret: str) -> requests.Session:
    """A session that reaches one connection. Raises `InputError` for files and secrets that cannot be used."""
    session = requests.Session()
    session.trust_env = False
    session.proxies = proxies_for(connection)
    for scheme in ("http://", "https://"):
        session.mount(scheme, _Adapter(connection))
    if connection.ca:
        session.verify = str(_existing(connection, connection.ca))
    # What STOW-RS answers; searches and retrievals name their own.
    session.headers["Accept"] = "application/dicom+json"
    # A server that packs 50 MB of pixels for us takes seconds to save next to nothing.
    session.headers["Accept-Encoding"] = "identity"
    if connection.certificate:
        session.cert = (str(_existing(connection, connection.certificate)), str(_existing(connection, connection.key)))
    if connection.auth == "basic":
        # As bytes, for requests would write anything beyond Latin-1 wrongly (RFC 7617 names UTF-8).
        session.auth = HTTPBasicAuth(connection.user.encode(), secret.encode())
    elif connection.auth == "token":
        if not secret.isascii() or " " in secret:
            raise InputError(f"The token of connection {connection.name} holds characters that no token has.", "no-secret")
        session.headers["Authorization"] = f"Bearer {secret}"
    return session


def proxies_for(connection: Connection) -> dict[str, str]:
    """Scheme → proxy of a connection; empty for none."""
    host = urlsplit(connection.url).hostname or ""
    if connection.proxy == DIRECT:
        return {}
    if connection.proxy:
        return {"http": connection.proxy, "https": connection.proxy}
    return {} if is_loopback(host) or proxy_bypass(host) else getproxies()


def check_answer(limit: Limit, connection: Connection, response: requests.Response, *_: Any, **__: Any) -> requests.Response:
    """Hook on every answer, before its body is read."""
    if response.is_redirect or response.is_permanent_redirect:
        target = urlsplit(response.headers.get("Location", ""))
        where = f"{target.scheme}://{target.hostname}" if target.hostname else "another path"
        raise PacsRefused(
            f"Connection {connection.name}: the PACS points to {where}; if that is right, change the connection's address.",
            "moved",
        )
    limit.warned = response.headers.get("Warning", "").strip().startswith("299")
    kind = response.headers.get("Content-Type", "")
    if not kind.lower().startswith("multipart"):  # dicomweb-client knows the bare media types alone
        response.headers["Content-Type"] = kind.partition(";")[0].strip()
    response.raw = _Bounded(response.raw, limit.largest, connection)
    return response


class _Bounded:
    """A response's raw stream that ends with `PacsRefused` beyond a number of bytes, decompressed."""

    def __init__(self, raw: Any, largest: int, connection: Connection) -> None:
        self._raw, self._largest, self._name = raw, largest, connection.name

    def __getattr__(self, name: str) -> Any:
        return getattr(self._raw, name)

    def stream(self, *arguments: Any, **options: Any) -> Iterator[bytes]:
        received = 0
        for chunk in self._raw.stream(*arguments, **options):
            received += len(chunk)
            if received > self._largest:
                self._raw.close()
                raise too_large(self._name, self._largest)
            yield chunk


def too_large(name: str, largest: int) -> PacsRefused:
    """The refusal of an object beyond the limit."""
    return PacsRefused(
        f"Connection {name}: the object is larger than {largest / 1e6:.0f} MB, the limit; it was not taken.", "too-large"
    )


class _Adapter(HTTPAdapter):
    """Waits as long as the connection says, and without a file of authorities trusts what the system trusts, where a hospital's
    own is installed."""

    def __init__(self, connection: Connection) -> None:
        self._timeout = connection.timeout_s
        self._trust: dict[str, Any] = {} if connection.ca else {"ssl_context": ssl.create_default_context()}
        super().__init__()

    def send(self, request: requests.PreparedRequest, *arguments: Any, **options: Any) -> requests.Response:
        request.url = plain_query(request.url or "")
        return super().send(request, *arguments, **{**options, "timeout": self._timeout})

    def init_poolmanager(self, *arguments: Any, **options: Any) -> Any:
        return super().init_poolmanager(*arguments, **{**options, **self._trust})

    def proxy_manager_for(self, *arguments: Any, **options: Any) -> Any:
        return super().proxy_manager_for(*arguments, **{**options, **self._trust})


def _existing(connection: Connection, path: str) -> Path:
    found = Path(path).expanduser()
    if not found.is_file():
        raise InputError(f"Connection {connection.name} names the certificate file {path}, which is not there.", "connection")
    return found
