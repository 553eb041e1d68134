"""`osteoscreen models`: list, verify, add and remove model bundles; what has to do with backbones is in `backbones`."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from OsteoScreenLib.bundle import open_bundle
from OsteoScreenLib.commands import backbones, failures
from OsteoScreenLib.commands.backbones import Json
from OsteoScreenLib.errors import InputError
from OsteoScreenLib.worker import model_folders

app = typer.Typer(help="Model bundles: those that ship with OsteoScreen, and your own.", no_args_is_help=True)
app.command("backbones")(backbones.list_backbones)
app.command("fetch")(backbones.fetch)
app.command("forget")(backbones.forget)


@app.command("list")
def list_models(as_json: Json = False) -> None:
    """Every model there is, verified: id, kind, title, where it comes from."""
    entries = model_folders.list_models()
    if as_json:
        print(json.dumps({"models": [_entry_as_json(entry) for entry in entries]}, indent=2))
        return
    for entry in entries:
        where = "embedded" if entry.embedded else "yours"
        if entry.bundle is None:
            print(f"{entry.id}: damaged, {entry.problem}")
        else:
            print(f"{entry.id}: {entry.bundle.kind}, {entry.bundle.manifest['title']} ({where}, verified)")
    if not entries:
        print("There is no model; install OsteoScreen again or add one with 'osteoscreen models add FOLDER'.")


@app.command()
def verify(
    models: Annotated[list[str] | None, typer.Argument(help="Ids or folders; all models when none is given.")] = None,
    as_json: Json = False,
) -> None:
    """Compare every file of a bundle with the SHA-256 in its manifest."""
    results: list[dict[str, Any]] = []
    targets = models or [str(entry.folder) for entry in model_folders.list_models()]
    for name in targets:
        try:
            bundle = open_bundle(model_folders.find_model(name))
            results.append({"model": bundle.id, "folder": str(bundle.folder), "verified": True, "sha256": bundle.sha256})
        except InputError as error:
            results.append({"model": name, "verified": False, "code": error.code, "sentence": str(error)})
    if as_json:
        print(json.dumps({"models": results}, indent=2))
    else:
        for result in results:
            print(f"{result['model']}: {'verified, unchanged' if result['verified'] else result['sentence']}")
    if not all(result["verified"] for result in results):
        raise typer.Exit(failures.WRONG_INPUT)


@app.command()
def add(folder: Annotated[Path, typer.Argument(help="The bundle's folder, with manifest.json in it.")]) -> None:
    """Verify a bundle and copy it to your models."""
    entry = model_folders.add_model(folder)
    print(f"{entry.id}: added to {entry.folder}")


@app.command()
def remove(
    model: Annotated[str, typer.Argument(help="The id of one of your own models.")],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Delete one of your models. Models that ship with OsteoScreen stay."""
    folder = model_folders.removable_model(model)
    if not yes:
        if not sys.stdin.isatty():
            raise InputError(
                f"Removing {model} deletes {folder}; say --yes to do so without being asked.", code="not-confirmed"
            )
        if not typer.confirm(f"Delete {folder}?"):
            print(f"{model}: kept")
            return
    print(f"{model}: removed from {model_folders.remove_model(model)}")


def _entry_as_json(entry: model_folders.ModelEntry) -> dict[str, Any]:
    known: dict[str, Any] = {
        "id": entry.id,
        "folder": str(entry.folder),
        "embedded": entry.embedded,
        "verified": entry.bundle is not None,
    }
    if entry.bundle is None:
        return {**known, "sentence": entry.problem}
    manifest = entry.bundle.manifest
    return {
        **known,
        **{key: manifest[key] for key in ("kind", "title", "site", "licence", "intended_use")},
        "sha256": entry.bundle.sha256,
    }
