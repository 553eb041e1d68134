"""What a gateway is started with, checked before it starts."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from OsteoScreenLib.errors import InputError

OBJECTS = ("seg", "sr", "sc", "pr", "saliency")
"""Kinds of result objects, as `exchange.dicom` names them."""


@dataclass(frozen=True)
class Limits:
    """Bounds that keep one sender, one image or one full disk from stopping the others.

    object_bytes : largest data set that is taken. associations : senders at once; further ones are rejected until one has gone.
    association_seconds : patience with an association request and with each message. idle_seconds : patience between messages, and
    with a connection that says nothing. reserve_bytes : free space below which nothing more is taken. analysis_seconds : after
    which an analysis is ended and tried again. attempts : of one case, after which it has failed.
    """

    object_bytes: int = 128 * 2**20
    associations: int = 10
    association_seconds: float = 30.0
    idle_seconds: float = 60.0
    reserve_bytes: int = 2**30
    analysis_seconds: float = 600.0
    attempts: int = 5


@dataclass(frozen=True)
class Listening:
    """Where radiographs are received by C-STORE.

    ae_title : the gateway's own. allowed : titles of the senders; empty means anybody, which only loopback may have.
    certificate, private_key : PEM files, for TLS. authority : PEM file; senders then have to show a certificate that it signed.
    """

    host: str = "127.0.0.1"
    port: int = 11112
    ae_title: str = "OSTEOSCREEN"
    allowed: tuple[str, ...] = ()
    certificate: Path | None = None
    private_key: Path | None = None
    authority: Path | None = None


@dataclass(frozen=True)
class Watching:
    """A DICOMweb server that is asked again and again for new radiographs. days : how far back study dates may lie; 1 is today."""

    connection: str
    seconds: float = 30.0
    days: int = 2
    modalities: tuple[str, ...] = ("CR", "DX")


@dataclass(frozen=True)
class Web:
    """Health and metrics over HTTP. token : what `Authorization: Bearer` must carry; "" asks nobody, which only loopback may have."""

    host: str = "127.0.0.1"
    port: int = 11180
    token: str = ""


@dataclass(frozen=True)
class Settings:
    """One gateway. folder : its queue. destination : name of the stored connection that gets the results.

    objects : which results are sent. options : of each analysis, as the worker's `analyse` request takes them.
    """

    folder: Path
    destination: str
    listening: Listening | None = field(default_factory=Listening)
    watching: Watching | None = None
    web: Web = field(default_factory=Web)
    objects: tuple[str, ...] = ("seg", "sr", "sc")
    options: Mapping[str, Any] = field(default_factory=dict)
    workers: int = 1
    limits: Limits = field(default_factory=Limits)


def check(settings: Settings) -> None:
    """Raises `InputError` in one sentence for what would be unsafe or cannot work."""
    listening, web = settings.listening, settings.web
    if listening is None and settings.watching is None:
        raise InputError(
            "A gateway has to receive or to watch: leave --no-receive out, or name a connection with --watch.", "serve"
        )
    if listening is not None:
        for title in (listening.ae_title, *listening.allowed):
            _check_title(title)
        if not is_loopback(listening.host) and not listening.allowed:
            raise InputError(
                f"Anybody who reaches {listening.host} could send; name the senders' AE titles with --allow, or listen on 127.0.0.1.",
                "serve",
            )
        if (listening.certificate is None) != (listening.private_key is None):
            raise InputError("TLS needs both --tls-certificate and --tls-key.", "serve")
        if listening.authority is not None and listening.certificate is None:
            raise InputError(
                "--tls-authority asks senders for certificates, which needs --tls-certificate and --tls-key too.", "serve"
            )
    if not is_loopback(web.host) and not web.token:
        raise InputError(
            f"Anybody who reaches {web.host} could read the metrics; set a token in OSTEOSCREEN_HTTP_TOKEN, or use 127.0.0.1.",
            "serve",
        )
    unknown = [name for name in settings.objects if name not in OBJECTS]
    if unknown or not settings.objects:
        raise InputError(f"Results that can be sent are {', '.join(OBJECTS)}, not '{', '.join(unknown)}'.", "serve")


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach an address; names other than localhost are not looked up and count as reachable."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _check_title(title: str) -> None:
    """PS3.5 section 6.2, value representation AE: 1 to 16 characters, no backslash, no control character, not spaces alone."""
    if not title.strip() or not re.fullmatch(r"[\x20-\x5b\x5d-\x7e]{1,16}", title):
        raise InputError(f"'{title}' is no AE title; it has 1 to 16 plain characters.", "serve")
