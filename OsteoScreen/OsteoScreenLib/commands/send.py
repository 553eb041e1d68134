"""`osteoscreen send`: DICOM objects to a PACS, after saying exactly what would leave this computer and to whom."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from OsteoScreenLib import __version__
from OsteoScreenLib.cli_options import JsonOption
from OsteoScreenLib.commands import failures
from OsteoScreenLib.commands.pacs import open_named
from OsteoScreenLib.errors import InputError, OsteoScreenError
from OsteoScreenLib.exchange.pacs.connection import Connection
from OsteoScreenLib.exchange.pacs.connections import connection_named
from OsteoScreenLib.exchange.pacs.outgoing import Left, Outgoing, look
from OsteoScreenLib.exchange.pacs.sending import Sent
from OsteoScreenLib.exchange.pacs.sending import send as send_items


def send(
    files: Annotated[list[Path], typer.Argument(help="DICOM files, or folders with some in them.", show_default=False)],
    to: Annotated[str, typer.Option("--to", help="A connection's name, see 'osteoscreen pacs list'.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be sent, and send nothing.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    again: Annotated[bool, typer.Option("--again", help="Send also what the PACS lists already.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Send DICOM objects to a PACS. What it lists already is left out, so a broken run is simply repeated."""
    connection = connection_named(to)
    items, left = look(files)
    if not as_json:
        _print_plan(connection, items, left)
    if dry_run or not items:
        if as_json:
            _print_json(connection, [(item, "would be sent", "", "") for item in items], left)
        raise typer.Exit(failures.WRONG_INPUT if left else failures.DONE)
    if not yes and not _agreed(connection, items, as_json):
        print("Nothing was sent.")
        return
    done: list[Sent] = []
    stopped: OsteoScreenError | None = None
    with open_named(to) as client:
        try:
            for one in send_items(client, items, skip_present=not again):
                done.append(one)
                if not as_json:
                    words = {"stored": "stored", "already": "there already"}.get(one.status, one.sentence)
                    print(f"{one.item.path}: {words}", file=sys.stderr if one.sentence else sys.stdout, flush=True)
        except OsteoScreenError as error:
            stopped = error
    if as_json:
        _print_json(connection, [(one.item, one.status, one.code, one.sentence) for one in done], left, stopped)
    statuses = Counter(one.status for one in done)
    there = statuses["stored"] + statuses["already"]
    rest = "" if there == len(items) else "; the same command tries the others again"
    print(f"{there} of {len(items)} objects are at {connection.name}{rest}.", file=sys.stderr)
    if stopped is not None:
        print(stopped, file=sys.stderr)
        raise typer.Exit(failures.exit_code(stopped))
    if statuses["unreachable"]:
        raise typer.Exit(failures.OUR_FAULT)
    raise typer.Exit(failures.WRONG_INPUT if statuses["refused"] or left else failures.DONE)


def _print_plan(connection: Connection, items: Sequence[Outgoing], left: Sequence[Left]) -> None:
    """Exactly what would leave, and to whom."""
    studies = len({item.study_uid for item in items})
    size = sum(item.bytes for item in items) / 1e6
    print(
        f"To {connection.name}, {connection.address}: {_count(len(items), 'object')} of {_count(studies, 'study')}, {size:.1f} MB"
    )
    for item in items:
        print(f"  {item.kind}, {item.bytes / 1e6:.2f} MB{', names the patient' if item.names_patient else ''}: {item.path}")
    for one in left:
        print(f"  not sent: {one.sentence}", file=sys.stderr)
    if connection.remark:
        print(connection.remark, file=sys.stderr)


def _agreed(connection: Connection, items: Sequence[Outgoing], as_json: bool) -> bool:
    if as_json or not sys.stdin.isatty():
        raise InputError(
            f"Sending to {connection.name} lets {_count(len(items), 'object')} leave this computer; say --yes to do so without being "
            "asked.",
            code="not-confirmed",
        )
    named = sum(item.names_patient for item in items)
    who = f", {named} of them with the patient's name or id" if named else ""
    return typer.confirm(f"Send {_count(len(items), 'object')}{who} to {connection.name}?")


def _print_json(
    connection: Connection,
    entries: Sequence[tuple[Outgoing, str, str, str]],
    left: Sequence[Left],
    stopped: OsteoScreenError | None = None,
) -> None:
    objects: list[dict[str, Any]] = []
    for item, status, code, sentence in entries:
        entry = {
            "path": str(item.path), "kind": item.kind, "uid": item.uid, "study": item.study_uid, "bytes": item.bytes,
            "names_patient": item.names_patient, "status": status,
        }  # fmt: skip
        objects.append({**entry, "code": code, "sentence": sentence} if sentence else entry)
    kept = [{"path": str(one.path), "code": one.code, "sentence": one.sentence} for one in left]
    document: dict[str, Any] = {
        "osteoscreen": __version__, "command": "send", "to": connection.name, "address": connection.address, "objects": objects,
        "not_sent": kept,
    }  # fmt: skip
    if stopped is not None:
        document["error"] = {"code": getattr(stopped, "code", "fault"), "sentence": str(stopped)}
    print(json.dumps(document, indent=2))


def _count(number: int, what: str) -> str:
    return f"{number} {what if number == 1 else 'studies' if what == 'study' else what + 's'}"
