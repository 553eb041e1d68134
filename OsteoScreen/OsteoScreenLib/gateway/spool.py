"""The gateway's folder: images that wait and results that are to be sent, under hashes, whole or absent."""

from __future__ import annotations

import hashlib
import os
import secrets
import shutil
from collections.abc import Collection
from pathlib import Path

from OsteoScreenLib.errors import InputError, OsteoScreenError
from OsteoScreenLib.files import remove_leftovers, write_bytes


def key_of(sop_instance_uid: str) -> str:
    """The case's key: SHA-256 of its SOP Instance UID, 64 hexadecimal digits. It names files and rows; no UID does."""
    return hashlib.sha256(sop_instance_uid.encode("utf-8", "surrogateescape")).hexdigest()


class Spool:
    """Files of the cases in `folder`. reserve_bytes : free space that stays free.

    Raises `InputError` when the folder cannot be used.
    """

    def __init__(self, folder: Path, reserve_bytes: int) -> None:
        self.folder, self._reserve = folder, reserve_bytes
        self._incoming, self._results = folder / "incoming", folder / "results"
        try:
            for one in (folder, self._incoming, self._results):
                one.mkdir(mode=0o700, parents=True, exist_ok=True)  # radiographs of patients: for this user alone
        except OSError as error:
            raise InputError(
                f"The folder {folder} cannot be used ({error.strerror}); choose another with --folder.", "folder"
            ) from error

    def image(self, key: str) -> Path:
        """Where a case's radiograph lies."""
        return self._incoming / f"{key}.dcm"

    def results(self, key: str) -> Path:
        """The folder of a case's results, there once they are whole."""
        return self._results / key

    def attempt(self, key: str) -> Path:
        """A new name for results that are still to be made; a process that was thought dead cannot write into it later."""
        return self._results / f"{key}.{secrets.token_hex(4)}"

    def free_bytes(self) -> int:
        """Free space on the disk of the folder."""
        return shutil.disk_usage(self.folder).free

    def has_room(self, size: int = 0, share: float = 1.0) -> bool:
        """Whether `size` bytes more leave this share of the reserve free."""
        return self.free_bytes() - size >= share * self._reserve

    def keep(self, key: str, data: bytes) -> None:
        """Write a radiograph; when this returns it is on the disk. Raises `OsteoScreenError` when the disk is full."""
        write_bytes(self.image(key), data)
        sync_folder(self._incoming)

    def settle(self, key: str, attempt: Path) -> None:
        """What was written into `attempt` is the case's results, and on the disk, when this returns. Raises `OsteoScreenError`."""
        sync_folder(attempt)
        shutil.rmtree(self.results(key), ignore_errors=True)
        try:
            os.replace(attempt, self.results(key))
        except OSError as error:
            raise OsteoScreenError(
                f"The results could not be put in their place ({error.strerror}); check the disk."
            ) from error
        sync_folder(self._results)

    def abandon(self, attempt: Path) -> None:
        """Delete what an attempt left."""
        shutil.rmtree(attempt, ignore_errors=True)

    def drop_image(self, key: str) -> None:
        """Forget a case's radiograph, which results that are whole do not need."""
        self.image(key).unlink(missing_ok=True)

    def drop(self, key: str) -> None:
        """Forget a case's files."""
        self.drop_image(key)
        shutil.rmtree(self.results(key), ignore_errors=True)

    def sweep(self, needed: Collection[str]) -> int:
        """Delete what a killed process left: halves of files, and files of cases that are not `needed`. Returns how many."""
        remove_leftovers(self._incoming)
        here = {path.stem for path in self._incoming.glob("*.dcm")} | {path.name for path in self._results.iterdir()}
        unneeded = here - set(needed)
        for key in unneeded:
            self.drop(key)
        return len(unneeded)


def sync_folder(folder: Path) -> None:
    """Have names that were made in a folder outlive a power cut, where the system can (Windows cannot open folders)."""
    if os.name == "nt":
        return
    try:
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
    except OSError as error:
        raise OsteoScreenError(
            f"The folder {folder} could not be written to the disk ({error.strerror}); check the disk."
        ) from error
