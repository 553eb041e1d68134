"""How one PACS is reached. A connection says where its secret lies, never the secret itself."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal
from urllib.parse import urlsplit

from OsteoScreenLib.errors import InputError

Kind = Literal["dicomweb", "dimse"]
Auth = Literal["none", "basic", "token"]

ASK, KEPT, FROM_VARIABLE, FROM_FILE = "ask", "kept", "env:", "file:"
DIRECT = "none"  # in place of a proxy: not even the environment's
LARGEST_OBJECT = 1 << 30  # bytes; `radiograph.limits.MAXIMUM_BYTES`, the largest file that is read at all

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,39}")
_CHOICES = {"kind": ("dicomweb", "dimse"), "auth": ("none", "basic", "token"), "retrieve": ("get", "move")}


@dataclass(frozen=True)
class Connection:
    """One PACS.

    Parameters
    ----------
    name : of the connection, for the user; letters, digits, dot, dash, underscore.
    kind : "dicomweb" (QIDO-RS, WADO-RS, STOW-RS; PS3.18) or "dimse" (C-ECHO, C-FIND, C-GET or C-MOVE, C-STORE; PS3.7).
    url : DICOMweb: the service's address, without a user in it.
    host, port, called_aet, calling_aet : DIMSE: where the PACS listens, its application entity title, and ours.
    retrieve : DIMSE: "get", or "move", where the PACS sends what we ask for to our own port.
    listen : DIMSE with "move": HOST:PORT on this machine at which the PACS knows `calling_aet`.
    tls : DIMSE over TLS (DICOMweb says it by https).
    ca : file with the certificates that the server's has to be signed by (PEM); "" for the system's.
    certificate, key : our own certificate and its key (PEM), where the server asks for one.
    auth, user : DICOMweb: "basic" (user and password), "token" (bearer) or "none".
    secret : where password or token lies: "env:VARIABLE", "file:PATH" (nobody else may read it), "kept" (OsteoScreen's own file
        beside the stored connections, readable by the user alone) or "ask" (typed each time).
    proxy : DICOMweb: "" for the environment's (HTTPS_PROXY, NO_PROXY), "none", or its URL. Loopback never goes through the former.
    timeout_s : of connecting, and of each wait for the PACS.
    retries : how often a request is repeated when the PACS does not answer or is busy, with growing pauses; never what it refused.
    """

    name: str
    kind: Kind
    url: str = ""
    host: str = ""
    port: int = 104
    called_aet: str = "ANY-SCP"
    calling_aet: str = "OSTEOSCREEN"
    retrieve: Literal["get", "move"] = "get"
    listen: str = "127.0.0.1:11113"
    tls: bool = False
    ca: str = ""
    certificate: str = ""
    key: str = ""
    auth: Auth = "none"
    user: str = ""
    secret: str = ""
    proxy: str = ""
    timeout_s: float = 30.0
    retries: int = 4

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise _wrong("A connection's name is up to 40 letters, digits, dots, dashes and underscores.")
        for field, allowed in _CHOICES.items():
            if getattr(self, field) not in allowed:
                raise _wrong(f"The {field} of connection {self.name} is one of {', '.join(allowed)}.")
        if not 0 < self.timeout_s <= 3600 or not 0 <= self.retries <= 20:
            raise _wrong(f"Connection {self.name}: the time-out is up to 3600 seconds, the retries are up to 20.")
        if bool(self.certificate) != bool(self.key):
            raise _wrong(f"Connection {self.name}: a certificate of our own goes with its key; name both or neither.")
        if self.kind == "dicomweb":
            _check_dicomweb(self)
        else:
            _check_dimse(self)
        if (self.ca or self.certificate) and not self.encrypted:
            raise _wrong(f"Connection {self.name} names certificates and is not encrypted; use https, or --tls for DIMSE.")

    @property
    def address(self) -> str:
        """Where it leads, in words for the user."""
        if self.kind == "dicomweb":
            return self.url
        return f"{self.called_aet} at {self.host}:{self.port}{' over TLS' if self.tls else ''}"

    @property
    def encrypted(self) -> bool:
        """Whether TLS is used."""
        return self.url.lower().startswith("https:") if self.kind == "dicomweb" else self.tls

    @property
    def needs_secret(self) -> bool:
        """Whether a password or token belongs to it."""
        return self.auth != "none"

    @property
    def remark(self) -> str:
        """What the user should know before anything is sent over it: a secret or images would travel unencrypted. "" if nothing."""
        host = urlsplit(self.url).hostname or "" if self.kind == "dicomweb" else self.host
        if self.encrypted or is_loopback(host):
            return ""
        what = "images and the password or token" if self.needs_secret else "images"
        return f"Connection {self.name} is not encrypted: {what} can be read on the way; use https or TLS where the PACS offers it."

    @property
    def listening(self) -> tuple[str, int]:
        """Host and port of `listen`."""
        host, _, port = self.listen.rpartition(":")
        return host.strip("[]"), int(port)

    def as_json(self) -> dict[str, Any]:
        """What differs from the defaults, as `connection_from` takes it."""
        return {field.name: value for field in fields(self) if (value := getattr(self, field.name)) != field.default}


def connection_from(values: Mapping[str, Any]) -> Connection:
    """A connection from plain values, as typed or stored. Raises `InputError` (code "connection") for unknown or wrong ones."""
    known = {field.name: field for field in fields(Connection)}
    unknown = sorted(set(values) - set(known))
    if unknown:
        raise _wrong(f"A connection has no '{unknown[0]}'.")
    kinds: dict[str, type] = {"port": int, "tls": bool, "timeout_s": float, "retries": int}
    checked: dict[str, Any] = {}
    for name, value in values.items():
        kind = kinds.get(name, str)
        if kind is float and isinstance(value, int) and not isinstance(value, bool):
            value = float(value)
        if type(value) is not kind:
            raise _wrong(f"The {name} of a connection cannot be {value!r}.")
        checked[name] = value
    if "name" not in checked or "kind" not in checked:
        raise _wrong("A connection needs a name and a kind, dicomweb or dimse.")
    return Connection(**checked)


def changed(connection: Connection, **changes: Any) -> Connection:
    """The connection with some values replaced, checked again."""
    return connection_from({**asdict(connection), **changes})


def is_loopback(host: str) -> bool:
    """Whether a host name or address is this machine itself."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _check_dicomweb(connection: Connection) -> None:
    name = connection.name
    try:
        parts = urlsplit(connection.url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable or not connection.url.isprintable() or " " in connection.url or parts.query or parts.fragment:
        raise _wrong(f"Connection {name} needs the DICOMweb address, such as https://pacs.example/dicom-web.")
    if "@" in parts.netloc:
        raise _wrong(f"Connection {name}: leave user and password out of the address; give them with --auth basic --user.")
    if connection.proxy not in ("", DIRECT) and not re.fullmatch(r"https?://[^@\s/]+/?", connection.proxy):
        raise _wrong(
            f"Connection {name}: a proxy is http://HOST:PORT; one that asks for a password belongs into the variable HTTPS_PROXY."
        )
    if connection.auth == "basic" and (not connection.user or ":" in connection.user):
        raise _wrong(f"Connection {name}: basic authentication needs a user name, without a colon.")
    if connection.needs_secret and not (
        connection.secret in (ASK, KEPT) or connection.secret.startswith((FROM_VARIABLE, FROM_FILE))
    ):
        raise _wrong(f"Connection {name}: say where the password or token lies: ask, kept, env:VARIABLE or file:PATH.")


def _check_dimse(connection: Connection) -> None:
    name = connection.name
    if not re.fullmatch(r"[A-Za-z0-9._:\-\[\]]{1,253}", connection.host) or not 0 < connection.port < 65536:
        raise _wrong(f"Connection {name} needs the host and the port of the PACS.")
    for title in (connection.called_aet, connection.calling_aet):
        # PS3.5 6.2: AE is up to 16 characters without backslash and control characters; spaces around it do not count.
        if not 0 < len(title.strip()) <= 16 or not title.isascii() or not title.isprintable() or "\\" in title:
            raise _wrong(f"Connection {name}: an application entity title is 1 to 16 plain characters.")
    if connection.needs_secret:
        raise _wrong(f"Connection {name}: DIMSE knows no password or token; use TLS with a certificate of your own.")
    host, _, port = connection.listen.rpartition(":")
    if not host or not port.isdigit() or not 0 < int(port) < 65536:
        raise _wrong(f"Connection {name}: our own port for C-MOVE is written HOST:PORT, such as 127.0.0.1:11113.")


def _wrong(sentence: str) -> InputError:
    return InputError(sentence, code="connection")
