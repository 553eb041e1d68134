"""The key: the same in every run, made once, readable by its owner alone, and never mistaken for another file."""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path

import pytest

from OsteoScreenLib.errors import InputError, OsteoScreenError
from OsteoScreenLib.exchange.privacy.key import Key, read_key


def test_what_follows_from_a_key_never_changes() -> None:
    """Copies made by another version must fit those made by this one."""
    key = Key(bytes(range(32)))
    assert key.pseudonym("P 77") == key.pseudonym(" p  77\0 ") == "OS-NN3IHE6HYB7NFX4Z"
    assert key.uid("1.2.3") == "2.25.323208961630152148644988635546095983220" and key.weeks("P 77") == 4
    assert re.fullmatch(r"OS-[A-Z2-7]{16}", key.pseudonym("P 77"))
    assert re.fullmatch(r"2\.25\.\d{1,39}", key.uid("1.2.3")) and len(key.uid("1.2.3")) <= 64
    assert key.uid("1.2.3\0") == key.uid("1.2.3") != key.uid("1.2.4")
    assert 1 <= key.weeks("P 77") <= 520


def test_another_key_gives_other_pseudonyms() -> None:
    one, other = Key(bytes(32)), Key(bytes([1] * 32))
    assert one.pseudonym("A") != other.pseudonym("A") and one.uid("1.2") != other.uid("1.2")
    weeks = {key.weeks(str(i)) for key in (one, other) for i in range(200)}
    assert len(weeks) > 150


def test_a_key_is_made_once_and_for_its_owner(tmp_path: Path) -> None:
    path = tmp_path / "key.txt"
    with pytest.raises(InputError) as caught:
        read_key(path, make=False)
    assert caught.value.code == "key-missing"
    key = read_key(path)
    assert read_key(path) == read_key(path, make=False) == key and len(key.secret) == 32
    if os.name == "posix":
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert key.secret.hex() not in repr(key) and read_key(tmp_path / "other.txt") != key
    assert {one.name for one in tmp_path.iterdir()} == {"key.txt", "other.txt"}


@pytest.mark.parametrize(
    "content", [b"", b"not a key\n", bytes(range(256)), b"osteoscreen pseudonym key 1\n" + b"0" * 63 + b"\n"]
)
def test_other_files_are_no_keys(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "chest.dcm"
    path.write_bytes(content)
    with pytest.raises(InputError, match="key file"):
        read_key(path)
    assert path.read_bytes() == content


def test_a_key_goes_nowhere_without_a_folder(tmp_path: Path) -> None:
    with pytest.raises(OsteoScreenError, match="no folder"):
        read_key(tmp_path / "none" / "key.txt")
