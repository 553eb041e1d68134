"""The secret from which pseudonyms, UIDs and shifts of dates follow: the same in every run, and without it nobody's.

Everything is an HMAC-SHA-256 (RFC 2104) of the original under the key, so no table of names has to be kept: whoever has the key and a
patient's id finds the pseudonym again, whoever has only the pseudonym finds nothing.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import re
import secrets
from dataclasses import dataclass, field
from pathlib import Path

from OsteoScreenLib.errors import InputError, OsteoScreenError
from OsteoScreenLib.files import write_atomically

_HEAD = "osteoscreen pseudonym key 1"
_LONGEST_SHIFT = 520  # weeks
_PREFIX = "OS-"


@dataclass(frozen=True)
class Key:
    """secret : 32 random bytes; never shown."""

    secret: bytes = field(repr=False)

    def pseudonym(self, patient: str) -> str:
        """ "OS-" and 16 letters and digits (80 bits) for a patient's id, whose case and outer blanks do not matter."""
        return _PREFIX + base64.b32encode(self._digest("patient", _normalised(patient))[:10]).decode("ascii")

    def uid(self, original: str) -> str:
        """The UID that stands for another one: "2.25." and a random-looking 122-bit UUID (ISO/IEC 9834-8)."""
        number = int.from_bytes(self._digest("uid", original.strip(" \0"))[:16], "big")
        version_4 = (number & ~(0xF << 76) & ~(0x3 << 62)) | (0x4 << 76) | (0x2 << 62)
        return f"2.25.{version_4}"

    def weeks(self, patient: str) -> int:
        """By how many whole weeks a patient's dates move into the past, 1 to 520; the day of the week stays."""
        return 1 + int.from_bytes(self._digest("weeks", _normalised(patient))[:8], "big") % _LONGEST_SHIFT

    def _digest(self, purpose: str, text: str) -> bytes:
        return hmac.new(self.secret, f"{purpose}\0{text}".encode("utf-8", "surrogateescape"), hashlib.sha256).digest()


def read_key(path: Path, make: bool = True) -> Key:
    """The key in a file; a new one, readable by its owner alone, where there is no such file and `make` is true.

    Raises
    ------
    InputError
        The file is something else (key), or there is none (key-missing).
    OsteoScreenError
        A new key could not be written.
    """
    try:
        text = path.read_text("ascii") if path.exists() or not make else ""
    except FileNotFoundError:
        raise InputError(f"There is no key file {path}; give the one that the copies were made with.", "key-missing") from None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path.name} cannot be read as a key file; give one that `pseudonymise` made.", "key") from error
    if text:
        found = re.fullmatch(rf"{_HEAD}\n([0-9a-f]{{64}})\n", text)
        if found is None:
            raise InputError(f"{path.name} is no key file; give one that `pseudonymise` made, or a new name.", "key")
        return Key(bytes.fromhex(found[1]))
    if path.exists():
        raise InputError(f"{path.name} is empty and no key file; give one that `pseudonymise` made, or a new name.", "key")
    return _made(path)


def _made(path: Path) -> Key:
    if not path.parent.is_dir():
        raise InputError(f"There is no folder {path.parent} for the key file; make it or choose another one.", "key")
    key = Key(secrets.token_bytes(32))

    def write(temporary: Path) -> None:
        with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii", newline="") as stream:
            stream.write(f"{_HEAD}\n{key.secret.hex()}\n")

    try:
        write_atomically(path, write)
    except OsteoScreenError as error:
        raise OsteoScreenError(f"The key file {path} could not be written; choose another place for it.") from error
    return key


def _normalised(patient: str) -> str:
    return " ".join(patient.replace("\0", " ").split()).upper()
