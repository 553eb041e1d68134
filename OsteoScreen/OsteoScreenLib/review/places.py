"""Where a reader's store lies: in the study, or on this computer when the study cannot be written or is on a network drive."""

from __future__ import annotations

import hashlib
import os
import secrets
import sys
import tempfile
from pathlib import Path

from OsteoScreenLib.errors import InputError
from OsteoScreenLib.files import settings_folder, write_text
from OsteoScreenLib.review.nouns import checked_code

READS = "reads"
SUFFIX = ".sqlite"
_NETWORK = {"nfs", "nfs4", "cifs", "smb", "smb2", "smb3", "smbfs", "afpfs", "webdav", "davfs", "sshfs", "fuse.sshfs"}


def store_path(study: Path, reader: str, machine: str) -> Path:
    """STUDY/reads/READER@MACHINE.sqlite. Raises `InputError` (code) for what may not name a file."""
    return study / READS / f"{checked_code(reader)}@{checked_code(machine, 'machine code')}{SUFFIX}"


def machine_code() -> str:
    """A random code of this user on this computer, kept in the settings folder; it says nothing of the computer's name.

    Where the folder cannot be written the code is another one with each start, and the reads of each start count as of a machine
    of their own.
    """
    global _code
    path = settings_folder() / "machine.txt"
    try:
        return checked_code(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, InputError):
        pass
    _code = _code or f"m{secrets.token_hex(4)}"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_text(path, _code)
    except Exception:
        return _code
    return path.read_text(encoding="utf-8").strip()


_code = ""  # of this process, where none could be kept


def reserve_folder(reads: Path) -> Path:
    """Where the stores lie on this computer that would lie in the folder `reads` if they could."""
    import platformdirs

    folder = os.environ.get("OSTEOSCREEN_SETTINGS")
    kept = Path(folder) if folder else platformdirs.user_data_path("osteoscreen", appauthor=False)
    return kept / "reads" / hashlib.sha256(str(reads.resolve()).encode("utf-8", "surrogatepass")).hexdigest()[:16]


def is_writable(path: Path) -> bool:
    """Whether a store can be kept at `path`: its folder takes new files, and the file itself, when there is one, may change."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path.parent):
            pass
        if path.exists():
            with open(path, "r+b"):
                pass
    except OSError:
        return False
    return True


def on_network_drive(path: Path) -> bool:
    """Whether `path` lies on a drive of another computer, as far as the system tells."""
    if sys.platform == "win32":
        import ctypes

        drive = os.path.splitdrive(path.resolve())[0]
        return drive.startswith("\\\\") or ctypes.windll.kernel32.GetDriveTypeW(f"{drive}\\") == 4  # DRIVE_REMOTE
    import psutil

    resolved = path.resolve()
    mounts = [mount for mount in psutil.disk_partitions(all=True) if resolved.is_relative_to(mount.mountpoint)]
    nearest = max(mounts, key=lambda mount: len(mount.mountpoint), default=None)
    return nearest is not None and nearest.fstype.lower() in _NETWORK
