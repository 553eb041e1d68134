"""Atomic writes and hashes: a file is either whole or absent."""

from __future__ import annotations

import hashlib
import os
import re
import secrets
from collections.abc import Callable
from pathlib import Path

from OsteoScreenLib.errors import OsteoScreenError


def write_atomically(path: Path, write: Callable[[Path], None]) -> Path:
    """Let `write` fill a temporary file beside `path`, flush it to disk, then rename it into place.

    Parameters
    ----------
    path : final path; its folder must exist.
    write : called with the temporary path, which keeps the suffixes of `path` so that libraries choose the right format.

    Raises
    ------
    OsteoScreenError
        One sentence naming the file when the disk is full or the folder cannot be written; nothing is left behind.
    """
    temporary = path.with_name(f".{secrets.token_hex(4)}-{path.name}")
    try:
        write(temporary)
        with open(temporary, "rb") as written:
            os.fsync(written.fileno())
        os.replace(temporary, path)
    except OSError as error:
        reason = error.strerror or str(error)
        raise OsteoScreenError(
            f"Could not write {path.name} in {path.parent}: {reason}; free some space or choose another folder with --out."
        ) from error
    finally:
        temporary.unlink(missing_ok=True)
    return path


def remove_leftovers(folder: Path) -> None:
    """Delete temporary files that a killed `write_atomically` left in `folder`; nobody else may be writing there."""
    for path in folder.glob(".*"):
        if re.match(r"\.[0-9a-f]{8}-.", path.name) and path.is_file():
            path.unlink(missing_ok=True)


def write_bytes(path: Path, data: bytes) -> Path:
    """Write `data` to `path` atomically."""
    return write_atomically(path, lambda temporary: _write_all(temporary, data))


def write_text(path: Path, text: str) -> Path:
    """Write `text` as UTF-8 with LF line endings to `path` atomically."""
    return write_bytes(path, text.encode("utf-8"))


def _write_all(path: Path, data: bytes) -> None:
    path.write_bytes(data)


def sha256_of_file(path: Path) -> str:
    """SHA-256 of a file's bytes, as 64 hexadecimal digits."""
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def resource_folder(*parts: str) -> Path:
    """A folder or file inside the packaged Resources (models, samples, schemas)."""
    return Path(__file__).resolve().parent.parent.joinpath("Resources", *parts)


def settings_folder() -> Path:
    """The user's folder for settings; the environment variable OSTEOSCREEN_SETTINGS puts it elsewhere."""
    import platformdirs

    folder = os.environ.get("OSTEOSCREEN_SETTINGS")
    return Path(folder) if folder else platformdirs.user_config_path("osteoscreen", appauthor=False)
