"""`osteoscreen pacs`: list, add, test and remove the connections that `fetch`, `send` and `serve` go by."""

from __future__ import annotations

import json
import sys
from enum import StrEnum
from typing import Annotated, Any

import typer

from OsteoScreenLib.cli_options import JsonOption
from OsteoScreenLib.errors import InputError
from OsteoScreenLib.exchange.pacs import connections
from OsteoScreenLib.exchange.pacs.client import Client, open_client
from OsteoScreenLib.exchange.pacs.connection import ASK, KEPT, Connection, connection_from

app = typer.Typer(
    help="Connections to PACS, by DICOMweb or DIMSE; nothing is asked or sent before you say so.", no_args_is_help=True
)


class Retrieve(StrEnum):
    """How objects come by DIMSE."""

    get = "get"
    move = "move"


@app.command("list")
def list_connections(as_json: JsonOption = False) -> None:
    """Every stored connection, without its secret."""
    known = connections.connections()
    if as_json:
        print(json.dumps({"connections": [one.as_json() for one in known]}, indent=2))
        return
    for one in known:
        print(f"{one.name}: {'DICOMweb' if one.kind == 'dicomweb' else 'DIMSE'}, {one.address}{_secret_in_words(one)}")
    if not known:
        print("There is no connection yet; add one with 'osteoscreen pacs add NAME ADDRESS'.")


@app.command()
def add(
    name: Annotated[str, typer.Argument(help="Your name for it.")],
    address: Annotated[str, typer.Argument(help="The DICOMweb address (https://…), or TITLE@HOST:PORT for DIMSE.")],
    user: Annotated[str, typer.Option(help="DICOMweb: sign in with this user and a password.")] = "",
    token: Annotated[bool, typer.Option("--token", help="DICOMweb: sign in with a bearer token.")] = False,
    secret: Annotated[
        str,
        typer.Option(
            help="Where password or token come from: 'ask' each time, env:VARIABLE, file:PATH (chmod 600), or 'kept' in a file "
            "that you alone can read; 'kept' asks for it now, or takes it from standard input."
        ),
    ] = ASK,
    ca: Annotated[str, typer.Option(help="PEM file of the authority that signed the server's certificate.")] = "",
    certificate: Annotated[str, typer.Option(help="PEM file of a certificate of our own.")] = "",
    key: Annotated[str, typer.Option(help="PEM file of its key.")] = "",
    tls: Annotated[bool, typer.Option("--tls", help="DIMSE over TLS.")] = False,
    calling: Annotated[str, typer.Option(help="DIMSE: our application entity title, as the PACS knows us.")] = "OSTEOSCREEN",
    retrieve: Annotated[Retrieve, typer.Option(help="DIMSE: by C-GET, or by C-MOVE to our own port.")] = Retrieve.get,
    listen: Annotated[
        str, typer.Option(help="DIMSE with C-MOVE: HOST:PORT of ours that the PACS sends to.")
    ] = "127.0.0.1:11113",
    proxy: Annotated[str, typer.Option(help="DICOMweb: a proxy's address, or 'none'; else the environment's.")] = "",
    timeout: Annotated[float, typer.Option(help="Seconds to wait for the PACS.", min=1, max=3600)] = 30.0,
    retries: Annotated[int, typer.Option(help="Further attempts when it does not answer.", min=0, max=20)] = 4,
    replace: Annotated[bool, typer.Option("--replace", help="Change the connection of this name.")] = False,
) -> None:
    """Store a connection. Nothing goes over the network; try it with 'osteoscreen pacs test NAME'."""
    if user and token:
        raise InputError("A connection signs in by --user or by --token, not by both.", code="connection")
    values: dict[str, Any] = {
        "name": name, **_address(address), "ca": ca, "certificate": certificate, "key": key, "timeout_s": timeout,
        "retries": retries,
    }  # fmt: skip
    if values["kind"] == "dimse":
        if user or token or proxy:
            raise InputError("DIMSE knows no user, token or proxy; use --tls with --certificate and --key.", code="connection")
        values |= {"tls": tls, "calling_aet": calling, "retrieve": retrieve.value, "listen": listen}
    else:
        auth = "basic" if user else "token" if token else "none"
        values |= {"proxy": proxy, "auth": auth, "user": user, "secret": secret if auth != "none" else ""}
    connection = connection_from(values)
    typed = _typed(connection) if connection.needs_secret and connection.secret == KEPT else None
    print(f"{name}: added to {connections.add(connection, typed, replace)}")
    if connection.remark:
        print(connection.remark, file=sys.stderr)


@app.command()
def test(name: Annotated[str, typer.Argument(help="The connection's name.")], as_json: JsonOption = False) -> None:
    """Ask the PACS whether it is there and lets us in."""
    with open_named(name) as client:
        sentence = client.test()
    print(json.dumps({"connection": name, "sentence": sentence}) if as_json else sentence)


@app.command()
def remove(name: Annotated[str, typer.Argument(help="The connection's name.")]) -> None:
    """Forget a connection, and its password or token if it was kept."""
    connections.remove(name)
    print(f"{name}: removed")


def open_named(name: str) -> Client:
    """The client of a stored connection; a password or token that has to be typed is asked for in the terminal."""
    connection = connections.connection_named(name)
    if connection.needs_secret and connection.secret == ASK and sys.stdin.isatty():
        return open_client(connection, _typed(connection))
    return open_client(connection)


def _typed(connection: Connection) -> str:
    what = "Token" if connection.auth == "token" else f"Password of {connection.user}"
    if sys.stdin.isatty():
        return str(typer.prompt(f"{what} for {connection.name}", hide_input=True, err=True))
    return sys.stdin.readline().rstrip("\r\n")


def _address(text: str) -> dict[str, Any]:
    """https://… → DICOMweb; TITLE@HOST:PORT → DIMSE."""
    if "://" in text:
        return {"kind": "dicomweb", "url": text}
    title, _, place = text.rpartition("@")
    host, _, port = place.rpartition(":")
    if not title or not host or not port.isdecimal():
        raise InputError(
            f"{text!r} is no address; write https://… for DICOMweb, or TITLE@HOST:PORT, such as ARCHIVE@pacs.example:104, for DIMSE.",
            code="connection",
        )
    return {"kind": "dimse", "called_aet": title, "host": host.strip("[]"), "port": int(port)}


def _secret_in_words(connection: Connection) -> str:
    if not connection.needs_secret:
        return ""
    who = f"as {connection.user}" if connection.auth == "basic" else "with a token"
    where = {ASK: "asked for each time", KEPT: "kept"}.get(connection.secret, f"from {connection.secret}")
    missing = "" if connection.secret == ASK or connections.secret_is_at_hand(connection) else ", which is missing"
    return f", {who} (secret {where}{missing})"
