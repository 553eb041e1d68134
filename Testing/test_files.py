"""A written file is whole or absent, and a full disk is one sentence."""

from __future__ import annotations

import errno
import hashlib
from pathlib import Path

import pytest

from OsteoScreenLib.errors import OsteoScreenError
from OsteoScreenLib.files import remove_leftovers, sha256_of_file, write_atomically, write_bytes, write_text


def test_bytes_and_text_arrive_whole(tmp_path: Path) -> None:
    assert write_bytes(tmp_path / "a.bin", b"\x00\r\n\xff").read_bytes() == b"\x00\r\n\xff"
    assert write_text(tmp_path / "a.txt", "knochen ü\n").read_bytes() == "knochen ü\n".encode()
    assert sha256_of_file(tmp_path / "a.bin") == hashlib.sha256(b"\x00\r\n\xff").hexdigest()


def test_a_full_disk_leaves_the_old_file_and_says_one_sentence(tmp_path: Path) -> None:
    target = write_text(tmp_path / "report.html", "old")

    def full(temporary: Path) -> None:
        temporary.write_text("half of the new")
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(OsteoScreenError, match=r"Could not write report\.html .*No space left on device; free some space"):
        write_atomically(target, full)
    assert target.read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]


def test_what_a_killed_write_left_is_removed_and_nothing_else(tmp_path: Path) -> None:
    kept = [tmp_path / name for name in (".hidden", ".0123-notes.txt", "0123abcd-report.html", "report.html")]
    for path in (*kept, tmp_path / ".0123abcd-report.html"):
        path.write_text("x")
    remove_leftovers(tmp_path)
    assert sorted(tmp_path.iterdir()) == sorted(kept)
    remove_leftovers(tmp_path / "absent")


def test_a_missing_folder_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(OsteoScreenError, match="Could not write"):
        write_text(tmp_path / "absent" / "a.txt", "x")
