"""`osteoscreen cohort`: what is wrong with a cohort's table and images, and its splits by patient."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from OsteoScreenLib import __version__
from OsteoScreenLib.commands.bars import Shown
from OsteoScreenLib.commands.failures import DONE, WRONG_INPUT
from OsteoScreenLib.commands.packages import require
from OsteoScreenLib.errors import InputError

_PRINTED = 40  # findings on the screen; the files have all


def cohort(
    table: Annotated[
        Path,
        typer.Argument(
            help="CSV with the columns patient_id, image, label or t_score, and, where there are any, age, sex, device, view, date, "
            "split, masks.",
            show_default=False,
        ),
    ],
    out: Annotated[
        Path,
        typer.Option(
            "--out", "-o", help="Folder for cohort.csv, findings.csv and report.html; a second call reads no image again."
        ),
    ] = Path("checked-cohort"),
    split: Annotated[str, typer.Option(help="Shares of training, validation and test.")] = "70,10,20",
    seed: Annotated[int, typer.Option(help="Seed of the splits.", min=0)] = 0,
    new_split: Annotated[
        bool, typer.Option("--new-split", help="Draw splits for all patients, whatever the table's column split says.")
    ] = False,
    columns: Annotated[
        str, typer.Option(help="What the table calls a column, for example label=diagnosis,patient_id=case.")
    ] = "",
    near: Annotated[
        bool,
        typer.Option(
            "--near/--no-near", help="Look for resized, recompressed, cropped and brightened copies, not only identical pixels."
        ),
    ] = True,
    drop_duplicates: Annotated[
        bool, typer.Option("--drop-duplicates", help="Keep only the first of the rows that show the same image.")
    ] = False,
    keep_conflicting: Annotated[
        bool, typer.Option("--keep-conflicting", help="Keep rows that call the same image by different classes.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout and nothing else.")] = False,
) -> None:
    """Check a cohort's table and images, find duplicates, and split it by patient."""
    options = {
        "seed": seed, "new_split": new_split, "near": near, "drop_copies": drop_duplicates, "keep_conflicting": keep_conflicting,
    }  # fmt: skip
    raise typer.Exit(run(table, out, split=split, columns=columns, options=options, as_json=as_json))


def run(table: Path, out: Path, *, split: str, columns: str, options: dict[str, Any], as_json: bool) -> int:
    """Check the cohort, write cohort.csv, findings.csv and report.html, and print what was found. Returns the exit code.

    options : of `CohortOptions` besides the shares. Raises `OsteoScreenError` in one sentence for what is wrong with table, options
    or disk.
    """
    require("study", "scipy", "sklearn")
    from OsteoScreenLib.exchange.cohort_page import write_cohort_page
    from OsteoScreenLib.study.cohorts.cleaning import STORE, CohortOptions, check_cohort, write_cohort
    from OsteoScreenLib.study.cohorts.fingerprint_store import FingerprintStore
    from OsteoScreenLib.study.cohorts.splits import read_shares
    from OsteoScreenLib.study.cohorts.summary import sentences
    from OsteoScreenLib.worker.requests import prepare_folder

    chosen = CohortOptions(shares=read_shares(split), **options)
    names = columns_of(columns)
    prepare_folder(out)
    if (out / "cohort.csv").resolve() == table.resolve():
        raise InputError(f"{table.name} would be overwritten; choose another folder with --out.", code="out")
    with Shown(not as_json) as progress:
        checked = check_cohort(table, out, chosen, names, progress=progress)
    files = write_cohort(out, checked)
    with FingerprintStore(out / STORE) as store:
        files["html"] = write_cohort_page(out, checked, store.small)
    code = WRONG_INPUT if checked.refused else DONE
    if as_json:
        print(
            json.dumps(
                {
                    "osteoscreen": __version__,
                    "images": checked.images,
                    "kept": len(checked.rows),
                    "findings": [asdict(finding) for finding in checked.findings],
                    "files": {kind: str(path) for kind, path in files.items()},
                }
            )
        )
        return code
    for sentence in sentences(checked):
        print(sentence)
    _print_findings(checked.findings)
    print(f"The cohort for training: {files['cohort']}; what was found: {files['html']} and {files['findings']}")
    return code


def _print_findings(findings: Sequence[Any]) -> None:
    for finding in findings[:_PRINTED]:
        print(f"{finding.severity}: {finding.sentence}")
    if len(findings) > _PRINTED:
        print(f"… and {len(findings) - _PRINTED} more")


def columns_of(text: str) -> dict[str, str]:
    """What a table calls its columns: "label=diagnosis,patient_id=case". Raises `InputError` (option)."""
    pairs = [part.partition("=") for part in text.split(",") if part.strip()]
    if not all(column.strip() and named.strip() for column, _, named in pairs):
        raise InputError("Write --columns as pairs, for example label=diagnosis,patient_id=case.", code="option")
    return {column.strip(): named.strip() for column, _, named in pairs}
