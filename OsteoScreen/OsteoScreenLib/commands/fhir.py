"""`osteoscreen fhir`: a result as resources for an electronic health record."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from OsteoScreenLib.commands.failures import DONE, WRONG_INPUT
from OsteoScreenLib.errors import InputError


def fhir(
    result: Annotated[
        Path,
        typer.Argument(
            help="An analysis.json, or a structured report of OsteoScreen (sr.dcm); with --check a bundle.", show_default=False
        ),
    ],
    out: Annotated[Path | None, typer.Option("--out", "-o", help="The file to write, for example report.fhir.json.")] = None,
    subject: Annotated[
        str | None,
        typer.Option(
            help="The patient on the record's server, as Patient/ID. Without it the resources name no patient at all."
        ),
    ] = None,
    transaction: Annotated[
        bool,
        typer.Option(
            "--transaction", help="A bundle that a server takes as it is, each resource once however often it is sent."
        ),
    ] = False,
    check: Annotated[
        bool, typer.Option("--check", help="Write nothing; say whether a bundle that was written is valid FHIR R4.")
    ] = False,
) -> None:
    """Write a FHIR R4 bundle: DiagnosticReport, Observations, RiskAssessment and Device. Nothing is sent anywhere."""
    if check:
        raise typer.Exit(_check(result))
    if out is None:
        raise InputError("Name the file to write with --out, for example --out report.fhir.json.", code="out")
    from OsteoScreenLib.exchange.analysis_file import read_result
    from OsteoScreenLib.exchange.fhir.report import bundle_of
    from OsteoScreenLib.files import write_text
    from OsteoScreenLib.worker.requests import prepare_folder

    bundle = bundle_of(read_result(result), subject, transaction)
    prepare_folder(out.parent)
    write_text(out, json.dumps(bundle, indent=2, ensure_ascii=False, allow_nan=False) + "\n")
    print(f"{len(bundle['entry'])} resources written to {out}; preliminary, research use only.")


def _check(path: Path) -> int:
    """Print what is wrong with a bundle, a line a fault. Returns the exit code."""
    from OsteoScreenLib.exchange.fhir.validate import read_bundle, validate

    faults = validate(read_bundle(path))
    for fault in faults:
        print(fault)
    if not faults:
        print(f"{path.name} is valid FHIR R4, as far as can be told without a terminology server.")
    return WRONG_INPUT if faults else DONE
