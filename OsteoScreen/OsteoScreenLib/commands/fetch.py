"""`osteoscreen fetch`: radiographs from a PACS into a folder, one file each; a second call goes on where the first stopped."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from datetime import date as calendar
from pathlib import Path
from typing import Annotated, Any

import typer

from OsteoScreenLib import __version__
from OsteoScreenLib.cli_options import JsonOption
from OsteoScreenLib.commands import failures
from OsteoScreenLib.commands.pacs import open_named
from OsteoScreenLib.errors import InputError, OsteoScreenError
from OsteoScreenLib.exchange.pacs.fetching import Fetched
from OsteoScreenLib.exchange.pacs.fetching import fetch as fetch_images
from OsteoScreenLib.exchange.pacs.query import ANY, FoundSeries, Query
from OsteoScreenLib.worker.requests import prepare_folder


def fetch(
    source: Annotated[str, typer.Option("--from", help="A connection's name, see 'osteoscreen pacs list'.")],
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Folder for the files, named after their UIDs.")] = None,
    patient: Annotated[str, typer.Option(help="Patient ID.")] = "",
    name: Annotated[str, typer.Option(help="Patient's name as DICOM writes it, FAMILY^GIVEN; * and ? stand for others.")] = "",
    study: Annotated[str, typer.Option(help="Study Instance UID.")] = "",
    accession: Annotated[str, typer.Option(help="Accession number.")] = "",
    date: Annotated[str, typer.Option(help="Date of the study, YYYYMMDD, a range YYYYMMDD-YYYYMMDD, or 'today'.")] = "",
    modality: Annotated[str, typer.Option(help="Modalities, or 'any'.")] = "CR,DX",
    most: Annotated[int, typer.Option(help="Series at most.", min=1, max=100_000)] = 500,
    largest: Annotated[int, typer.Option(help="MB that one object may have.", min=1, max=1024)] = 1024,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="List what matches and fetch nothing.")] = False,
    everything: Annotated[bool, typer.Option("--all", help="Fetch without naming a patient, study, number or date.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Fetch radiographs from a PACS. What the folder has already is not fetched again."""
    query = Query(
        patient_id=patient, patient_name=name, accession=accession, study_uid=study,
        date=calendar.today().strftime("%Y%m%d") if date == "today" else date,
        modalities=ANY if modality == "any" else tuple(part.strip().upper() for part in modality.split(",") if part.strip()),
    )  # fmt: skip
    if not query.narrow and not everything:
        raise InputError(
            "That asks for the whole archive; name --patient, --name, --study, --accession or --date, or say --all.",
            code="query-too-wide",
        )
    if out is None and not dry_run:
        raise InputError("Name a folder for the files with --out, or say --dry-run.", code="out")
    with open_named(source) as client:
        if out is not None and not dry_run:
            prepare_folder(out)
        listing = client.find_series(query, most)
        if not listing.series:
            raise InputError(f"{source} lists nothing that matches.", code="nothing-found")
        if listing.more:
            print(f"{source} has more than {most} series that match; narrow the search, or raise --most.", file=sys.stderr)
        if listing.unusable:
            print(f"{source} lists {listing.unusable} entries without a proper UID; they were left out.", file=sys.stderr)
        if dry_run or out is None:
            _print_series(source, listing.series, as_json)
            return
        images = [image for series in listing.series for image in client.find_images(series)]
        images.sort(key=lambda image: image.sop_class)  # one association for each kind
        done: list[Fetched] = []
        stopped: OsteoScreenError | None = None
        try:
            for one in fetch_images(client, images, out, largest=largest * 1_000_000):
                done.append(one)
                if not as_json:
                    _print_line(one)
        except OsteoScreenError as error:
            stopped = error
    raise typer.Exit(_conclude(source, out, len(images), done, stopped, as_json))


def _conclude(
    source: str, out: Path, wanted: int, done: Sequence[Fetched], stopped: OsteoScreenError | None, as_json: bool
) -> int:
    """Say how it ended, and return the exit code."""
    there = sum(one.path is not None for one in done)
    if as_json:
        document: dict[str, Any] = {
            "osteoscreen": __version__, "command": "fetch", "from": source, "out": str(out), "wanted": wanted,
            "objects": list(_entries(done)),
        }  # fmt: skip
        if stopped is not None:
            document["error"] = {"code": getattr(stopped, "code", "fault"), "sentence": str(stopped)}
        print(json.dumps(document, indent=2))
    if stopped is not None:
        print(f"{there} of {wanted} objects are in {out}; the same command goes on from there. {stopped}", file=sys.stderr)
        return failures.exit_code(stopped)
    rest = "" if there == wanted else "; the same command tries the others again"
    print(f"{there} of {wanted} objects are in {out}{rest}.", file=sys.stderr)
    if any(one.status == "unreachable" for one in done):
        return failures.OUR_FAULT
    return failures.DONE if there == wanted else failures.WRONG_INPUT


def _print_line(one: Fetched) -> None:
    if one.path is not None:
        print(f"{one.path}: {'fetched' if one.status == 'fetched' else 'there already'}", flush=True)
    else:
        print(f"{one.image.uid[:64]!r}: {one.sentence}", file=sys.stderr, flush=True)


def _entries(done: Sequence[Fetched]) -> Iterator[dict[str, Any]]:
    for one in done:
        entry = {"uid": one.image.uid, "study": one.image.study_uid, "status": one.status}
        if one.path is not None:
            yield {**entry, "path": str(one.path)}
        else:
            yield {**entry, "code": one.code, "sentence": one.sentence}


def _print_series(source: str, series: Sequence[FoundSeries], as_json: bool) -> None:
    """What matches, without what names a patient."""
    if as_json:
        found = [
            {
                "study": one.study_uid,
                "series": one.series_uid,
                "date": one.study_date,
                "modality": one.modality,
                "images": one.images,
            }
            for one in series
        ]
        print(json.dumps({"osteoscreen": __version__, "command": "fetch", "from": source, "series": found}, indent=2))
        return
    for one in series:
        count = "?" if one.images is None else one.images
        print(
            f"{one.study_date or 'no date'}  {one.modality:4}  {count} object{'' if count == 1 else 's'}  study {one.study_uid}"
        )
