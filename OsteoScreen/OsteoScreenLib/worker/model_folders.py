"""Where model bundles lie: the embedded folder, which is only read, and the user's own."""

from __future__ import annotations

import json
import os
import secrets
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from OsteoScreenLib.bones.vocabulary import Site, site_named
from OsteoScreenLib.bundle import MANIFEST, Bundle, open_bundle
from OsteoScreenLib.errors import InputError, OsteoScreenError
from OsteoScreenLib.files import resource_folder

CLASSIFIER = "chest-sim-classifier"
USER_FOLDER_VARIABLE = "OSTEOSCREEN_MODELS"
_LARGEST_MANIFEST = 4 * 1024 * 1024


@dataclass(frozen=True)
class ModelEntry:
    """One folder among the models. bundle : None when it does not verify, and then `problem` says why in one sentence."""

    id: str
    folder: Path
    embedded: bool
    bundle: Bundle | None = None
    problem: str = ""


def embedded_folder() -> Path:
    """The models that ship with OsteoScreen."""
    return resource_folder("Models")


def user_folder() -> Path:
    """The user's models: the environment variable OSTEOSCREEN_MODELS, else the platform's folder for such data."""
    chosen = os.environ.get(USER_FOLDER_VARIABLE)
    if chosen:
        return Path(chosen)
    import platformdirs

    return platformdirs.user_data_path("osteoscreen", appauthor=False) / "models"


def list_models() -> list[ModelEntry]:
    """Every model of both folders, verified, embedded ones first."""
    entries = []
    for parent, embedded in ((embedded_folder(), True), (user_folder(), False)):
        if not parent.is_dir():
            continue
        for folder in sorted(parent.iterdir()):
            if folder.name.startswith(".") or not folder.is_dir():
                continue
            try:
                bundle = open_bundle(folder)
                entries.append(ModelEntry(bundle.id, folder, embedded, bundle))
            except InputError as error:
                entries.append(ModelEntry(folder.name, folder, embedded, problem=str(error)))
    return entries


def titles(kind: str) -> list[tuple[str, str]]:
    """(id, title) of every model of a kind, embedded ones first, as their manifests say; fast, for nothing is verified here."""
    found = []
    for parent in (embedded_folder(), user_folder()):
        for manifest in sorted(parent.glob(f"[!.]*/{MANIFEST}")):
            values = _manifest(manifest.parent)
            if values.get("kind") == kind:
                found.append((manifest.parent.name, str(values.get("title") or manifest.parent.name)))
    return found


def site_of(model: str) -> Site:
    """The body site of a classifier given by id or by path, as its manifest says; nothing else of it is verified here.

    Raises `InputError` when there is no such model, or its site is not known.
    """
    folder = find_model(model, "classifier")
    values = _manifest(folder)
    if "site" not in values:
        open_bundle(folder, "classifier")  # says what is wrong
    return site_named(str(values.get("site", "")))


def made_for(site: Site, kind: str) -> Path | None:
    """The folder of the first model of a kind for a body site, embedded ones first; None where there is none."""
    for parent in (embedded_folder(), user_folder()):
        for manifest in sorted(parent.glob(f"[!.]*/{MANIFEST}")):
            values = _manifest(manifest.parent)
            if values.get("kind") == kind and values.get("site") == site.name:
                return manifest.parent
    return None


def title_of(folder: Path) -> str:
    """A model's title, its folder's name when it has none."""
    return str(_manifest(folder).get("title") or folder.name)


def find_model(name: str, kind: str | None = None) -> Path:
    """The folder of a model given by id or by path; it is not verified here.

    Raises `InputError` when there is no such model, naming those there are.
    """
    for parent in (embedded_folder(), user_folder()):
        if _is_plain(name) and (parent / name / MANIFEST).is_file():
            return parent / name
    path = Path(name)
    if path.exists():
        return path
    known = ", ".join(entry.id for entry in list_models() if entry.bundle and kind in (None, entry.bundle.kind)) or "none"
    raise InputError(
        f"There is no model '{name}': it is neither an id ({known}) nor a folder; see 'osteoscreen models list'.",
        code="model-unknown",
    )


def add_model(folder: Path) -> ModelEntry:
    """Verify a bundle and copy it into the user's folder; the whole copy appears, or nothing does.

    Raises `InputError` when it does not verify or its id is taken, `OsteoScreenError` when it cannot be copied.
    """
    bundle = open_bundle(folder)
    for parent, where in ((embedded_folder(), "ships with OsteoScreen"), (user_folder(), "is there already; remove it first")):
        if (parent / bundle.id).exists():
            raise InputError(f"A model with the id {bundle.id} {where}.", code="model-exists")
    target = user_folder() / bundle.id
    temporary = target.with_name(f".{secrets.token_hex(4)}-{bundle.id}")
    try:
        temporary.mkdir(parents=True)
        for name in (MANIFEST, *bundle.manifest["files"]):
            shutil.copyfile(bundle.folder / name, temporary / name)
        copied = open_bundle(temporary)  # what lies there now is what was verified, whatever happened to the source meanwhile
        os.replace(temporary, target)
    except OSError as error:
        raise OsteoScreenError(
            f"The model {bundle.id} could not be copied to {target.parent}: {error.strerror or error}; "
            f"free some space or set {USER_FOLDER_VARIABLE} to another folder."
        ) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return ModelEntry(bundle.id, target, False, Bundle(target, copied.manifest, copied.card, copied.sha256))


def removable_model(name: str) -> Path:
    """The folder of a user's model by id. Raises `InputError` for embedded and unknown ones."""
    if _is_plain(name) and (user_folder() / name).is_dir():
        return user_folder() / name
    if _is_plain(name) and (embedded_folder() / name).is_dir():
        raise InputError(f"The model {name} ships with OsteoScreen and cannot be removed.", code="model-embedded")
    raise InputError(f"There is no model '{name}' in {user_folder()}; see 'osteoscreen models list'.", code="model-unknown")


def remove_model(name: str) -> Path:
    """Delete a user's model by id and return where it lay. Raises as `removable_model` does."""
    folder = removable_model(name)
    try:
        shutil.rmtree(folder)
    except OSError as error:
        raise OsteoScreenError(f"The model {name} could not be deleted from {folder}: {error.strerror or error}.") from error
    return folder


def _is_plain(name: str) -> bool:
    """One folder's name: nothing that leads elsewhere."""
    return bool(name) and name not in {".", ".."} and Path(name).name == name and not name.startswith(".")


def _manifest(folder: Path) -> dict[str, Any]:
    try:
        with open(folder / MANIFEST, "rb") as file:
            values = json.loads(file.read(_LARGEST_MANIFEST))
    except (OSError, ValueError, RecursionError):
        return {}
    return values if isinstance(values, dict) else {}
