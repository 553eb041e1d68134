"""A model bundle: a folder with a manifest, weights and a card, verified before anything in it is parsed.

`manifest.json` names every other file with its size and SHA-256. Weights are safetensors; nothing is ever unpickled.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import secrets
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from OsteoScreenLib.errors import InputError, OsteoScreenError
from OsteoScreenLib.files import resource_folder, sha256_of_file, write_bytes

if TYPE_CHECKING:
    import torch

FORMAT = "osteoscreen-bundle"
FORMAT_VERSION = 1
KINDS = ("classifier", "segmenter", "gate")
WEIGHTS = "weights.safetensors"
CARD = "card.md"
MANIFEST = "manifest.json"

_TEXT_KEYS = ("id", "kind", "title", "site", "licence", "intended_use")
_TABLE_KEYS = ("architecture", "preprocessing", "training", "files")
_ALLOWED_SUFFIXES = {".safetensors", ".md", ".json", ".txt"}
PICKLE_SUFFIXES = {".pt", ".pth", ".bin", ".pkl", ".pickle", ".ckpt", ".joblib", ".npy", ".npz", ".pt2"}
# A name that can only be a file of the folder itself, on every operating system: no separator, drive, "..", or hidden file.
_PLAIN_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,99}")
_PLAIN_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_LARGEST_MANIFEST = 4 * 1024 * 1024
_LARGEST_HEADER = 100 * 1024 * 1024  # the limit of the safetensors format itself


@dataclass(frozen=True)
class Bundle:
    """A verified bundle.

    folder : where it lies. manifest : the parsed `manifest.json`. card : text of `card.md` (Markdown).
    sha256 : of `manifest.json`; since that names every file's hash, it stands for the whole bundle.
    """

    folder: Path
    manifest: dict[str, Any]
    card: str
    sha256: str

    @property
    def id(self) -> str:
        """The bundle's own name, for example "chest-sim-classifier"."""
        return str(self.manifest["id"])

    @property
    def kind(self) -> str:
        """ "classifier", "segmenter" or "gate"."""
        return str(self.manifest["kind"])

    @property
    def weights_sha256(self) -> str:
        """SHA-256 of the weights file, as verified."""
        return str(self.manifest["files"][WEIGHTS]["sha256"])

    def tensors(self, name: str = WEIGHTS, *, as_stored: bool = False) -> dict[str, torch.Tensor]:
        """The tensors of one safetensors file, on the CPU; half-precision ones become float32 unless `as_stored`.

        The bytes are read once, verified again, and only then parsed, so a file swapped after `open_bundle` is caught.
        """
        import torch
        from safetensors import SafetensorError
        from safetensors.torch import load

        entry = self.manifest["files"].get(name)
        if entry is None:
            raise InputError(f"The bundle {self.id} lists no file {name}; choose another bundle.", code="bundle-file-missing")
        path = self.folder / name
        try:
            data = path.read_bytes()
        except OSError as error:
            raise _unreadable(self.id, name, error) from error
        _check_size(self.id, name, len(data), entry["bytes"])
        _check_hash(self.id, name, hashlib.sha256(data).hexdigest(), entry["sha256"])
        try:
            tensors: dict[str, torch.Tensor] = load(data)
        except (SafetensorError, ValueError, KeyError) as error:
            raise _not_safetensors(self.id, name) from error
        if as_stored:
            return tensors
        halves = (torch.float16, torch.bfloat16)
        return {key: tensor.float() if tensor.dtype in halves else tensor for key, tensor in tensors.items()}


def embedded_bundle(bundle_id: str, kind: str | None = None) -> Bundle:
    """Open a bundle that ships with OsteoScreen, by its id."""
    return open_bundle(resource_folder("Models", bundle_id), kind)


def open_bundle(folder: Path, kind: str | None = None) -> Bundle:
    """Open and verify a bundle folder.

    Parameters
    ----------
    folder : the bundle's folder. kind : if given, what the bundle must be (one of `KINDS`).

    Raises
    ------
    InputError
        One sentence: not there, not a bundle, newer than this version, a file missing, cut short, altered, a pickle,
        a file name that leads out of the folder, or the wrong kind.
    """
    folder = Path(folder)
    try:
        return _open(folder, kind)
    except OSError as error:
        raise _unreadable(folder.name, (error.filename and Path(error.filename).name) or MANIFEST, error) from error


def write_bundle(
    folder: Path,
    manifest: Mapping[str, Any],
    tensors: Mapping[str, torch.Tensor],
    card: str,
    others: Mapping[str, Mapping[str, torch.Tensor]] | None = None,
) -> Bundle:
    """Write a bundle and open it again; the whole folder appears, or nothing does.

    The same manifest, tensors and card give the same bytes. Tensors are stored in the dtype they have (see `as_float16`).
    An older bundle at the same place is replaced; a folder that is no bundle is refused.

    Parameters
    ----------
    manifest : every key but "format", "format_version" and "files", which are filled in here.
    tensors : name → tensor. card : Markdown. others : file name (.safetensors) → tensors beside the weights.
    """
    from safetensors.torch import save

    folder = Path(folder)
    if folder.exists() and not (folder / MANIFEST).is_file() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(
            f"{folder} exists and is no model bundle, so it is not overwritten; choose another folder.", code="bundle-exists"
        )
    # Cloned, because safetensors refuses tensors that share memory, and tied weights do.
    stored = {WEIGHTS: tensors, **(others or {})}
    contents = {
        name: save({key: held[key].detach().cpu().contiguous().clone() for key in sorted(held)})
        for name, held in stored.items()
    }
    contents[CARD] = card.encode("utf-8")
    files = {name: {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)} for name, data in contents.items()}
    whole = {**manifest, "format": FORMAT, "format_version": FORMAT_VERSION, "files": files}
    _check_manifest(whole, folder.name)
    text = json.dumps(whole, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n"

    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary = folder.with_name(f".{secrets.token_hex(4)}-{folder.name}")
    try:
        temporary.mkdir()
        for name, data in contents.items():
            write_bytes(temporary / name, data)
        write_bytes(temporary / MANIFEST, text.encode("utf-8"))
        _put_in_place(temporary, folder)
    except OSError as error:
        reason = error.strerror or str(error)
        raise OsteoScreenError(
            f"Could not write the bundle {folder.name} in {folder.parent}: {reason}; free some space or choose another folder."
        ) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return open_bundle(folder)


def as_float16(tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Floating-point tensors in half precision, the rest as they are; a value too large for it is an error."""
    import torch

    halves = {key: tensor.half() if tensor.is_floating_point() else tensor for key, tensor in tensors.items()}
    for key, tensor in halves.items():
        if tensor.is_floating_point() and not torch.isfinite(tensor).all():
            raise OsteoScreenError(
                f"The tensor {key} holds values that half precision cannot store; write the bundle in float32."
            )
    return halves


def _open(folder: Path, kind: str | None) -> Bundle:
    if not folder.exists():
        raise InputError(f"There is no model bundle at {folder}; check the path.", code="bundle-missing")
    if not folder.is_dir():
        if folder.suffix.lower() in PICKLE_SUFFIXES:
            raise _pickle(folder.name, folder.name)
        raise InputError(
            f"{folder.name} is a file, but a model bundle is a folder with {MANIFEST} in it; choose that folder.",
            code="bundle-format",
        )
    manifest, digest = _read_manifest(folder)
    name = manifest["id"]
    for file, entry in manifest["files"].items():
        _verify_file(folder, name, file, entry)
    if kind is not None and manifest["kind"] != kind:
        raise InputError(
            f"The bundle {name} is a {manifest['kind']}, but a {kind} is needed here; choose another bundle.",
            code="bundle-kind",
        )
    card = (folder / CARD).read_text(encoding="utf-8", errors="replace")
    return Bundle(folder, manifest, card, digest)


def _put_in_place(temporary: Path, folder: Path) -> None:
    """Rename the finished folder into place; an older one steps aside and comes back if that fails."""
    if not folder.exists():
        os.replace(temporary, folder)
        return
    older = folder.with_name(f".{secrets.token_hex(4)}-older-{folder.name}")
    os.replace(folder, older)
    try:
        os.replace(temporary, folder)
    except OSError:
        os.replace(older, folder)
        raise
    shutil.rmtree(older, ignore_errors=True)


def _read_manifest(folder: Path) -> tuple[dict[str, Any], str]:
    path = folder / MANIFEST
    if not path.is_file():
        if any(entry.suffix.lower() in PICKLE_SUFFIXES for entry in folder.iterdir()):
            raise _pickle(folder.name, next(e.name for e in sorted(folder.iterdir()) if e.suffix.lower() in PICKLE_SUFFIXES))
        raise InputError(
            f"{folder.name} is no model bundle: it has no {MANIFEST}; choose another folder.", code="bundle-manifest"
        )
    if path.stat().st_size > _LARGEST_MANIFEST:
        raise InputError(
            f"{MANIFEST} of {folder.name} is too large to be a manifest; get the bundle again.", code="bundle-manifest"
        )
    data = path.read_bytes()
    try:
        manifest = json.loads(data.decode("utf-8"), parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise InputError(
            f"{MANIFEST} of {folder.name} is not valid JSON; get the bundle again.", code="bundle-manifest"
        ) from error
    _check_manifest(manifest, folder.name)
    return manifest, hashlib.sha256(data).hexdigest()


def _no_constant(word: str) -> None:
    raise ValueError(f"{word} is no JSON")


def _check_manifest(manifest: Any, folder: str) -> None:
    def refuse(reason: str, code: str = "bundle-manifest") -> InputError:
        return InputError(f"{MANIFEST} of {folder} {reason}; get the bundle again or choose another one.", code=code)

    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        raise refuse(f'is not in the format "{FORMAT}"')
    version = manifest.get("format_version")
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        raise refuse("has no valid format_version")
    if version > FORMAT_VERSION:
        raise InputError(
            f"The bundle {folder} was made for a newer OsteoScreen (bundle format {version}, this version reads up to "
            f"{FORMAT_VERSION}); update OsteoScreen.",
            code="bundle-newer",
        )
    for key in _TEXT_KEYS:
        if not isinstance(manifest.get(key), str) or not manifest[key].strip():
            raise refuse(f'lacks the text "{key}"')
    for key in _TABLE_KEYS:
        if not isinstance(manifest.get(key), dict):
            raise refuse(f'lacks the table "{key}"')
    if not _PLAIN_ID.fullmatch(manifest["id"]):
        raise refuse('has an "id" with other characters than letters, digits, ".", "_" and "-"')
    if manifest["kind"] not in KINDS:
        raise refuse(f'names the unknown kind "{manifest["kind"][:40]}" (known: {", ".join(KINDS)})', "bundle-kind")
    for name, entry in manifest["files"].items():
        _check_entry(name, entry, folder, refuse)
    for name in (WEIGHTS, CARD):
        if name not in manifest["files"]:
            raise refuse(f'does not list {name} in "files"')


def _check_entry(name: str, entry: Any, folder: str, refuse: Any) -> None:
    if not _PLAIN_NAME.fullmatch(name) or name == MANIFEST:
        raise refuse(f'names the file "{name[:60]}", which is not a plain file name inside the bundle', "bundle-path")
    suffix = Path(name).suffix.lower()
    if suffix in PICKLE_SUFFIXES:
        raise _pickle(folder, name)
    if suffix not in _ALLOWED_SUFFIXES:
        raise refuse(f'names the file "{name[:60]}", whose type does not belong in a bundle', "bundle-path")
    if (
        not isinstance(entry, dict)
        or not re.fullmatch(r"[0-9a-f]{64}", str(entry.get("sha256", "")))
        or not isinstance(entry.get("bytes"), int)
        or isinstance(entry.get("bytes"), bool)
        or entry["bytes"] < 0
    ):
        raise refuse(f'does not give the SHA-256 and the size of "{name}"')


def _verify_file(folder: Path, bundle: str, name: str, entry: Mapping[str, Any]) -> None:
    """Size, hash and, for weights, the safetensors header. Nothing is parsed before its hash is right."""
    path = folder / name
    if not path.resolve().is_relative_to(folder.resolve()):
        raise InputError(
            f"In the bundle {bundle}, {name} is a link that leads out of the bundle; get the bundle again.", code="bundle-path"
        )
    if not path.is_file():
        raise InputError(f"The bundle {bundle} lacks its file {name}; get the bundle again.", code="bundle-file-missing")
    size = path.stat().st_size
    _check_size(bundle, name, size, entry["bytes"])
    _check_hash(bundle, name, sha256_of_file(path), entry["sha256"])
    if path.suffix.lower() == ".safetensors":
        _check_safetensors_header(path, bundle, size)


def _check_size(bundle: str, name: str, size: int, expected: int) -> None:
    if size < expected:
        raise InputError(
            f"{name} of the bundle {bundle} is cut short ({size:,} of {expected:,} bytes); get the bundle again.",
            code="bundle-truncated",
        )
    if size > expected:
        raise InputError(
            f"{name} of the bundle {bundle} was altered: it has {size:,} bytes where the manifest says {expected:,}; "
            "get the bundle again.",
            code="bundle-altered",
        )


def _check_hash(bundle: str, name: str, digest: str, expected: str) -> None:
    if digest != expected:
        raise InputError(
            f"{name} of the bundle {bundle} was altered: its SHA-256 is not the manifest's; get the bundle again.",
            code="bundle-altered",
        )


def _check_safetensors_header(path: Path, bundle: str, size: int) -> None:
    """A safetensors file begins with its header's length (8 bytes, little endian) and a JSON object."""
    with open(path, "rb") as stream:
        start = stream.read(9)
        if looks_pickled(start):
            raise _pickle(bundle, path.name)
        length = int.from_bytes(start[:8], "little")
        if len(start) < 9 or start[8:9] != b"{" or length > min(size - 8, _LARGEST_HEADER):
            raise _not_safetensors(bundle, path.name)
        stream.seek(8)
        try:
            header = json.loads(stream.read(length))
        except (ValueError, RecursionError) as error:
            raise _not_safetensors(bundle, path.name) from error
    if not isinstance(header, dict):
        raise _not_safetensors(bundle, path.name)


def looks_pickled(start: bytes) -> bool:
    """Do these first 9 bytes of a file begin a torch checkpoint (a ZIP archive) or a pickle (its PROTO opcode)?"""
    return start[:4] == b"PK\x03\x04" or (start[:1] == b"\x80" and start[8:9] != b"{")


def _pickle(bundle: str, name: str) -> InputError:
    return InputError(
        f"{name} of {bundle} is a pickle, which can run code when loaded, so it is refused; "
        "ask its author for the weights as safetensors.",
        code="bundle-pickle",
    )


def _not_safetensors(bundle: str, name: str) -> InputError:
    return InputError(
        f"{name} of the bundle {bundle} is not a valid safetensors file; get the bundle again.", code="bundle-format"
    )


def _unreadable(bundle: str, name: str, error: OSError) -> InputError:
    reason = error.strerror or str(error)
    return InputError(
        f"{name} of the bundle {bundle} cannot be read: {reason}; check the file and its permissions.", code="bundle-unreadable"
    )
