"""`osteoscreen serve`: the screening gateway, from its options to its end by a signal."""

from __future__ import annotations

import contextlib
import functools
import os
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from OsteoScreenLib.cli_options import Device, DeviceOption, Precision
from OsteoScreenLib.commands.packages import require

if TYPE_CHECKING:
    from OsteoScreenLib.gateway.analysers import Analyser
    from OsteoScreenLib.gateway.settings import Settings

HTTP_TOKEN = "OSTEOSCREEN_HTTP_TOKEN"
_MEBIBYTE = 2**20


class TextInPictures(StrEnum):
    """What becomes of text in pictures that leave; a service cannot ask."""

    keep = "keep"
    mask = "mask"
    refuse = "refuse"


def serve(
    to: Annotated[str, typer.Option("--to", help="The stored connection that gets the results; see 'osteoscreen pacs'.")],
    folder: Annotated[
        Path | None, typer.Option(help="Where the queue and the waiting images lie; a folder of the user's if not given.")
    ] = None,
    receive: Annotated[bool, typer.Option("--receive/--no-receive", help="Take radiographs by C-STORE.")] = True,
    host: Annotated[str, typer.Option(help="Address to receive at.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to receive at; 0 takes a free one.", min=0, max=65535)] = 11112,
    ae_title: Annotated[str, typer.Option("--ae-title", help="The gateway's application entity title.")] = "OSTEOSCREEN",
    allow: Annotated[
        list[str] | None, typer.Option(help="AE title of a sender that may send; may be repeated. Needed beyond loopback.")
    ] = None,
    tls_certificate: Annotated[Path | None, typer.Option(help="PEM file: receive by TLS with this certificate.")] = None,
    tls_key: Annotated[Path | None, typer.Option(help="PEM file with its key.")] = None,
    tls_authority: Annotated[
        Path | None, typer.Option(help="PEM file: senders have to show a certificate signed by this authority.")
    ] = None,
    watch: Annotated[
        str | None, typer.Option(help="A stored connection that is asked for new CR and DX images again and again.")
    ] = None,
    watch_seconds: Annotated[float, typer.Option(help="How often it is asked.", min=1)] = 30.0,
    watch_days: Annotated[int, typer.Option(help="How many days of studies are looked at; 1 is today.", min=1)] = 2,
    send: Annotated[
        list[str] | None, typer.Option(help="A result to send back: seg, sr, sc, pr or saliency; may be repeated.")
    ] = None,
    model: Annotated[str, typer.Option(help="Id of a classifier, or its folder.")] = "chest-sim-classifier",
    device: DeviceOption = Device.auto,
    precision: Annotated[Precision, typer.Option(help="Number format of the network.")] = Precision.auto,
    cover: Annotated[
        list[str] | None,
        typer.Option(
            help="What this bone or group is worth goes into the report too, for example 'Spine' or 'all'; may be repeated."
        ),
    ] = None,
    verdict: Annotated[
        bool, typer.Option("--verdict", help="Say whether the answer comes from bone, with controls; takes some seconds more.")
    ] = False,
    text: Annotated[
        TextInPictures, typer.Option(help="What becomes of text found in the pixels, in the picture that is sent back (sc).")
    ] = TextInPictures.keep,
    workers: Annotated[int, typer.Option(help="Processes that analyse at once.", min=1, max=256)] = 1,
    threads: Annotated[
        int | None,
        typer.Option(help="Processor threads of each; if not given, the cores are shared among them.", min=1, max=1024),
    ] = None,
    ray: Annotated[
        bool,
        typer.Option(
            "--ray",
            help="Analyse on Ray workers instead of processes of this machine. Ray listens on all its addresses, guarded by a token.",
        ),
    ] = False,
    ray_address: Annotated[
        str | None,
        typer.Option(help="A running Ray cluster: 'auto' or HOST:PORT; one on this machine is started if not given."),
    ] = None,
    gpus: Annotated[float, typer.Option(help="GPUs that each Ray worker holds.", min=0)] = 0.0,
    http_host: Annotated[
        str, typer.Option(help=f"Address of health and metrics; beyond loopback with a token in {HTTP_TOKEN}.")
    ] = "127.0.0.1",
    http_port: Annotated[int, typer.Option(help="Port of health and metrics; 0 takes a free one.", min=0, max=65535)] = 11180,
    largest: Annotated[int, typer.Option(help="Largest object that is taken, MiB.", min=1, max=2000)] = 128,
    associations: Annotated[int, typer.Option(help="Senders at once.", min=1, max=1000)] = 10,
    reserve: Annotated[int, typer.Option(help="Free disk space below which nothing more is taken, MiB.", min=0)] = 1024,
    patience: Annotated[float, typer.Option(help="Seconds after which an analysis is ended and tried again.", min=1)] = 600.0,
    retry_failed: Annotated[bool, typer.Option("--retry-failed", help="Begin anew with the cases that had failed.")] = False,
) -> None:
    """Screen what arrives: radiographs in by C-STORE or from a watched server, frontal chests analysed, SEG, SR and SC sent back.

    Runs until it is told to end (Ctrl-C, SIGTERM), prints JSON lines without patient data. What was taken is never lost.
    """
    require("gateway", "prometheus_client", *(["ray"] if ray else []))
    from OsteoScreenLib.gateway.settings import Limits, Listening, Settings, Watching, Web, check
    from OsteoScreenLib.worker.model_folders import site_of

    objects = tuple(dict.fromkeys(send or ("seg", "sr", "sc")))
    options = {
        "model": model, "device": device.value, "precision": precision.value, "cover": list(cover or ()), "verdict": verdict, "text": text.value,
        "objects": list(objects),
    }  # fmt: skip
    settings = Settings(
        folder or _default_folder(),
        to,
        Listening(host, port, ae_title, tuple(allow or ()), tls_certificate, tls_key, tls_authority) if receive else None,
        Watching(watch, watch_seconds, watch_days) if watch else None,
        Web(http_host, http_port, os.environ.get(HTTP_TOKEN, "")),
        objects,
        options,
        workers,
        Limits(
            object_bytes=largest * _MEBIBYTE,
            associations=associations,
            reserve_bytes=reserve * _MEBIBYTE,
            analysis_seconds=patience,
        ),
    )
    check(settings)
    site_of(model).expand(cover or ())  # what is wrong with them is said at once
    each = threads or max(1, (os.cpu_count() or 1) // workers)
    with _analysers(settings, ray, ray_address, gpus, each) as analysers:
        _serve(settings, analysers, retry_failed)


@contextlib.contextmanager
def _analysers(settings: Settings, ray: bool, address: str | None, gpus: float, threads: int) -> Iterator[list[Analyser]]:
    from OsteoScreenLib.gateway import ray_workers
    from OsteoScreenLib.gateway.analysers import ProcessAnalyser

    seconds = settings.limits.analysis_seconds
    if not ray:
        yield [ProcessAnalyser(settings.options, seconds, threads) for _ in range(settings.workers)]
        return
    ray_workers.connect(address, settings.workers * threads)
    try:
        yield [ray_workers.RayAnalyser(settings.options, seconds, gpus, threads) for _ in range(settings.workers)]
    finally:
        ray_workers.disconnect()


def _serve(settings: Settings, analysers: Sequence[Analyser], retry_failed: bool) -> None:
    """Until a signal. A connection's secret is looked up before anything is taken in."""
    from OsteoScreenLib.exchange.pacs.client import open_client
    from OsteoScreenLib.exchange.pacs.connections import connection_named, secret_of
    from OsteoScreenLib.gateway.delivering import PacsCourier
    from OsteoScreenLib.gateway.journal import Journal
    from OsteoScreenLib.gateway.service import Gateway, run

    destination = connection_named(settings.destination)
    courier = PacsCourier(destination, secret_of(destination))
    connect = None
    if settings.watching is not None:
        watched = connection_named(settings.watching.connection)
        connect = functools.partial(open_client, watched, secret_of(watched))
    gateway = Gateway(settings, analysers, courier, connect, Journal(sys.stdout))
    if retry_failed:
        gateway.retry_failed()
    leave = threading.Event()
    for one in (signal.SIGINT, signal.SIGTERM):
        signal.signal(one, lambda *_: leave.set())
    run(gateway, leave)


def _default_folder() -> Path:
    import platformdirs

    return platformdirs.user_data_path("osteoscreen", appauthor=False) / "gateway"
