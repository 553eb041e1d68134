"""How the weights of backbones come to this computer: from the hub, or from a file at hand, and only because the user said so."""

from __future__ import annotations

import json
import os
import secrets
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from OsteoScreenLib.bundle import PICKLE_SUFFIXES
from OsteoScreenLib.classifier.backbones import Backbone
from OsteoScreenLib.classifier.base_weights import FOLDER_VARIABLE, RECORD, default_folder, find, pickled, verified_sha256
from OsteoScreenLib.classifier.checkpoint_config import NAMES
from OsteoScreenLib.classifier.hub import Hub, HuggingFaceHub
from OsteoScreenLib.classifier.key_conversion import recognise
from OsteoScreenLib.errors import InputError, OsteoScreenError
from OsteoScreenLib.files import sha256_of_file, write_text

# timm and open_clip publish under these names, too.
_OTHER_NAMES = ("model.safetensors", "open_clip_model.safetensors")


def fetch(chosen: Backbone, folder: Path | None = None, hub: Hub | None = None) -> Path:
    """Download a backbone's weights, check them against the hub's SHA-256, record it, and return their path.

    Only ever called because the user asked for it. Weights that are there already are verified and kept.
    Raises `InputError` in one sentence: offline, published as a pickle only, terms to accept, or not what was expected.
    """
    there = find(chosen, folder)
    if there is not None:
        verified_sha256(there)
        return there
    if not chosen.hub_id:
        raise InputError(f"{chosen.id} is not published on the hub; copy its weights by hand.", code="hub-unknown")
    if Path(chosen.hub_file).suffix in PICKLE_SUFFIXES:
        raise pickled(f"{chosen.hub_file} of {chosen.hub_id}")
    hub = HuggingFaceHub() if hub is None else hub
    listing = hub.listing(chosen.hub_id)
    name = next((one for one in (chosen.hub_file, *_OTHER_NAMES) if one in listing.sha256), None)
    if name is None:
        raise InputError(
            f"{chosen.hub_id} no longer holds {chosen.hub_file}; get the weights as safetensors from elsewhere and use "
            f"'osteoscreen models fetch {chosen.id} --from FILE'.",
            code="hub-unknown",
        )

    def fill(target: Path) -> Mapping[str, Any]:
        for wanted in (name, chosen.hub_config if chosen.hub_config in listing.sha256 else ""):
            if wanted:
                hub.download(chosen.hub_id, wanted, listing.revision, target / wanted)
        if listing.sha256[name] and sha256_of_file(target / name) != listing.sha256[name]:
            raise InputError(
                f"{name} of {chosen.hub_id} did not arrive whole (its SHA-256 is not the hub's); fetch it again.",
                code="base-altered",
            )
        return {"weights": name, "hub_id": chosen.hub_id, "revision": listing.revision}

    return _placed(chosen, folder, fill)


def adopt(chosen: Backbone, file: Path, folder: Path | None = None) -> Path:
    """Copy a weights file, and the config.json beside it, into the folder of backbones, with a record. Returns the copy's path.

    Raises `InputError` when it is not there, a pickle, or in no known format.
    """
    verified_sha256(file)

    def fill(target: Path) -> Mapping[str, Any]:
        shutil.copyfile(file, target / "model.safetensors")
        for name in NAMES:
            if (file.parent / name).is_file():
                shutil.copyfile(file.parent / name, target / name)
        return {"weights": "model.safetensors", "copied_from": file.name}

    return _placed(chosen, folder, fill)


def _placed(chosen: Backbone, folder: Path | None, fill: Callable[[Path], Mapping[str, Any]]) -> Path:
    """Let `fill` put files into a temporary folder; check their format, record their hashes, and move it all into place."""
    from safetensors import SafetensorError, safe_open

    parent = default_folder() if folder is None else folder
    target = parent / chosen.id
    temporary = parent / f".{secrets.token_hex(4)}-{chosen.id}"
    try:
        temporary.mkdir(parents=True)
        record = dict(fill(temporary))
        weights = temporary / record["weights"]
        verified_sha256(weights)
        try:
            with safe_open(weights, "pt") as held:
                found, _ = recognise(list(held.keys()), weights.name)
        except SafetensorError as error:
            raise InputError(f"{weights.name} is no valid safetensors file; get it again.", code="base-format") from error
        hashes = {path.name: sha256_of_file(path) for path in sorted(temporary.iterdir())}
        record |= {"backbone": chosen.id, "key_format": found.id, "licence": chosen.licence, "files": hashes}
        write_text(temporary / RECORD, json.dumps(record, indent=2, sort_keys=True) + "\n")
        if target.exists():
            raise InputError(
                f"There are weights of {chosen.id} in {target} already; delete them first with 'osteoscreen models forget {chosen.id}'.",
                code="base-exists",
            )
        os.replace(temporary, target)
    except OSError as error:
        raise OsteoScreenError(
            f"The weights of {chosen.id} could not be stored in {parent}: {error.strerror or error}; free some space or set "
            f"{FOLDER_VARIABLE} to another folder."
        ) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return target / record["weights"]
