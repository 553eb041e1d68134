"""`osteoscreen models backbones`, `fetch` and `forget`: the encoders that training starts from, and their weights on this computer."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from OsteoScreenLib.errors import InputError

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else.")]
FolderOption = Annotated[
    Path | None,
    typer.Option(help="Folder of backbones, instead of OSTEOSCREEN_BACKBONES or the user's own.", show_default=False),
]
BackboneArgument = Annotated[str, typer.Argument(help="The id of a backbone, see 'osteoscreen models backbones'.")]


def list_backbones(folder: FolderOption = None, as_json: Json = False) -> None:
    """The backbones for training: id, input, licence, and whether their weights are on this computer."""
    from OsteoScreenLib.classifier import base_weights
    from OsteoScreenLib.classifier.backbones import BACKBONES

    parent = base_weights.default_folder() if folder is None else folder
    entries = [_entry(backbone_id, parent) for backbone_id in BACKBONES]
    if as_json:
        print(json.dumps({"folder": str(parent), "backbones": entries}, indent=2))
        return
    widths = {key: max(len(str(entry[key])) for entry in entries) for key in ("id", "title", "input", "licence")}
    for entry in entries:
        print("  ".join(f"{entry[key]:<{width}}" for key, width in widths.items()) + f"  {_where(entry)}")
    print(f"\nWeights lie in {parent}; nothing is downloaded but by 'osteoscreen models fetch ID'.")


def fetch(
    backbone: BackboneArgument,
    source: Annotated[
        Path | None,
        typer.Option("--from", help="A safetensors file at hand to copy, instead of downloading.", show_default=False),
    ] = None,
    folder: FolderOption = None,
) -> None:
    """Download a backbone's weights from the Hugging Face hub, or copy them from a file, and record their SHA-256."""
    from OsteoScreenLib.classifier import base_fetch, base_weights
    from OsteoScreenLib.classifier.backbones import backbone as registered

    chosen = registered(backbone)
    print(f"{chosen.id}: {chosen.title}; licence of the weights: {chosen.licence}. {chosen.note}".rstrip(), file=sys.stderr)
    path = base_fetch.adopt(chosen, source, folder) if source is not None else base_fetch.fetch(chosen, folder)
    print(f"{chosen.id}: {path}, SHA-256 {base_weights.verified_sha256(path)}")


def forget(
    backbone: BackboneArgument,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    folder: FolderOption = None,
) -> None:
    """Delete a backbone's weights from this computer."""
    from OsteoScreenLib.classifier import base_weights
    from OsteoScreenLib.classifier.backbones import backbone as registered

    chosen = registered(backbone)
    held = base_weights.held(chosen, folder)
    if not held:
        print(f"{chosen.id}: its weights are not on this computer")
        return
    named = " and ".join(str(path) for path in held)
    if not yes:
        if not sys.stdin.isatty():
            raise InputError(
                f"Forgetting {chosen.id} deletes {named}; say --yes to do so without being asked.", "not-confirmed"
            )
        if not typer.confirm(f"Delete {named}?"):
            print(f"{chosen.id}: kept")
            return
    base_weights.forget(chosen, folder)
    print(f"{chosen.id}: deleted {named}")


def _entry(backbone_id: str, folder: Path) -> dict[str, Any]:
    from OsteoScreenLib.classifier import base_weights
    from OsteoScreenLib.classifier.backbones import BACKBONES

    chosen = BACKBONES[backbone_id]
    spec = chosen.preprocessing
    entry: dict[str, Any] = {
        "id": chosen.id, "family": chosen.family, "title": chosen.title, "network": chosen.architecture.name,
        "input": f"{spec.rows} × {spec.columns}, patch {chosen.patch}, {spec.fit}", "licence": chosen.licence,
        "hub_id": chosen.hub_id, "hub_file": chosen.hub_file, "key_format": chosen.key_format, "small": chosen.small,
        "note": chosen.note, "weights": None,
    }  # fmt: skip
    try:
        path = base_weights.find(chosen, folder)
        return entry | {"weights": None if path is None else str(path)}
    except InputError as error:
        return entry | {"sentence": str(error)}


def _where(entry: dict[str, Any]) -> str:
    return str(entry.get("sentence") or ("here" if entry["weights"] else "not here"))
