"""Where the weights of backbones lie on this computer, and how they come and go.

    FOLDER/ID/model.safetensors     as fetched, with record.json and, where there is one, config.json
    FOLDER/ID.safetensors           put there by hand, as a hospital may

FOLDER is what the caller names, else the environment variable OSTEOSCREEN_BACKBONES, else the platform's folder for a user's data.
Nothing is downloaded from here (see `base_fetch`). Files are safetensors, and those with a record are compared with its SHA-256 on
every use.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from OsteoScreenLib.bundle import PICKLE_SUFFIXES, looks_pickled
from OsteoScreenLib.classifier.backbones import BACKBONES, Backbone
from OsteoScreenLib.errors import InputError, OsteoScreenError
from OsteoScreenLib.files import sha256_of_file

if TYPE_CHECKING:
    import torch

FOLDER_VARIABLE = "OSTEOSCREEN_BACKBONES"
RECORD = "record.json"
SUFFIX = ".safetensors"


def default_folder() -> Path:
    """The folder of backbones when none is named."""
    chosen = os.environ.get(FOLDER_VARIABLE)
    if chosen:
        return Path(chosen)
    import platformdirs

    return platformdirs.user_data_path("osteoscreen", appauthor=False) / "backbones"


def find(chosen: Backbone, folder: Path | None = None) -> Path | None:
    """The weights file of a backbone, or None. Its content is not looked at here.

    Raises `InputError`: nothing but pickles lie there (base-pickle), or several files and no record (base-several).
    """
    parent = default_folder() if folder is None else folder
    own = parent / chosen.id
    recorded = record_of(own).get("weights")
    for path in (own / str(recorded), own / chosen.hub_file, parent / f"{chosen.id}{SUFFIX}"):
        if path.suffix == SUFFIX and path.is_file():
            return path
    files = sorted(own.iterdir()) if own.is_dir() else []
    several = [path for path in files if path.suffix == SUFFIX]
    if len(several) > 1:
        raise InputError(
            f"{own} holds several weights files ({', '.join(path.name for path in several)}); leave only that of {chosen.id} there.",
            code="base-several",
        )
    for path in files if not several else []:
        if path.suffix in PICKLE_SUFFIXES:
            raise pickled(str(path))
    return several[0] if several else None


def require(chosen: Backbone, folder: Path | None = None) -> Path:
    """`find`, with a sentence that says how to get the weights when they are not there (base-missing)."""
    path = find(chosen, folder)
    if path is None:
        raise InputError(
            f"The weights of {chosen.id} are not in {default_folder() if folder is None else folder}; fetch them with "
            f"'osteoscreen models fetch {chosen.id}', or copy them there as {chosen.id}{SUFFIX}.",
            code="base-missing",
        )
    return path


def verified_sha256(path: Path) -> str:
    """SHA-256 of a weights file, 64 hexadecimal digits, compared with the record where there is one.

    Raises `InputError`: not there (base-missing), a pickle (base-pickle), cut short or altered since it was fetched (base-altered).
    """
    try:
        with open(path, "rb") as stream:
            start = stream.read(9)
        if path.suffix in PICKLE_SUFFIXES or looks_pickled(start):
            raise pickled(path.name)
        for name, expected in record_of(path.parent).get("files", {}).items():
            if name != path.name and (path.parent / name).is_file() and sha256_of_file(path.parent / name) != expected:
                raise _altered(path.parent / name)
        digest = sha256_of_file(path)
    except FileNotFoundError as error:
        raise InputError(f"There is no weights file {path}; check the path.", code="base-missing") from error
    except OSError as error:
        raise InputError(
            f"{path} cannot be read: {error.strerror or error}; check the file.", code="base-unreadable"
        ) from error
    if record_of(path.parent).get("files", {}).get(path.name, digest) != digest:
        raise _altered(path)
    return digest


def read(path: Path) -> dict[str, torch.Tensor]:
    """The tensors of a weights file, on the CPU, in the type they are stored in; verified first. Raises as `verified_sha256` does."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    verified_sha256(path)
    try:
        return load_file(path)
    except (SafetensorError, ValueError, KeyError, OSError) as error:
        raise InputError(f"{path.name} is no valid safetensors file; get it again.", code="base-format") from error


def find_base(file: str, sha256: str, folder: Path) -> tuple[Path | None, bool]:
    """The weights that a bundle with adapters alone stands on: a file of this name in the folder or one below it.

    Returns (its path, does its content have that SHA-256); a wrong one is returned only where there is no right one.
    """
    candidates = [path for path in (folder / file, *sorted(folder.glob(f"*/{file}"))) if path.is_file()]
    candidates.sort(key=lambda path: record_of(path.parent).get("files", {}).get(file) != sha256)  # the recorded one first
    for path in candidates:
        if sha256_of_file(path) == sha256:
            return path, True
    return (candidates[0] if candidates else None), False


def record_of(folder: Path) -> Mapping[str, Any]:
    """The record of a folder of fetched weights: "weights", "files" (name → SHA-256), where they came from; empty when there is none."""
    path = folder / RECORD
    if not path.is_file():
        return {}
    try:
        record = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise _altered(path) from error
    if not isinstance(record, Mapping) or not isinstance(record.get("files"), Mapping):
        raise _altered(path)
    return record


def held(chosen: Backbone, folder: Path | None = None) -> tuple[Path, ...]:
    """The folder and the file that hold a backbone's weights, as far as they exist: what `forget` deletes."""
    parent = default_folder() if folder is None else folder
    return tuple(path for path in (parent / chosen.id, parent / f"{chosen.id}{SUFFIX}") if path.exists())


def forget(chosen: Backbone, folder: Path | None = None) -> None:
    """Delete a backbone's weights."""
    try:
        for path in held(chosen, folder):
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()
    except OSError as error:
        raise OsteoScreenError(f"The weights of {chosen.id} could not be deleted: {error.strerror or error}.") from error


def pickled(what: str) -> InputError:
    """The refusal of a pickle, with what to do instead."""
    return InputError(
        f"{what} is a pickle, which can run code when loaded, so it is refused; convert it to safetensors on a computer where that may "
        "happen, as Resources/Docs/backbones.md shows, and use 'osteoscreen models fetch ID --from FILE'.",
        code="base-pickle",
    )


def _altered(path: Path) -> InputError:
    which = path.parent.name if path.parent.name in BACKBONES else "ID"
    return InputError(
        f"{path} was altered since it was fetched (its SHA-256 is not the recorded one); delete it with "
        f"'osteoscreen models forget {which}' and fetch it again.",
        code="base-altered",
    )
