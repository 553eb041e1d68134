"""Folders for what names a patient: whose they are, who may read them, and that none is left behind."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from OsteoScreenLib.worker.private_folders import PrivateFolders, remove_leftovers


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def test_nobody_else_reads_them_and_they_go(temporary: Path) -> None:
    folders = PrivateFolders()
    first, second = folders.new(), folders.new()
    assert first != second and {one.stat().st_mode & 0o777 for one in (first, second)} == {0o700}
    (first / "image.dcm").write_bytes(b"x")
    remove_leftovers()
    assert (first / "image.dcm").is_file()  # its window runs
    folders.remove(first)
    assert not first.exists() and second.exists()
    other = temporary / "someone-elses"
    other.mkdir()
    folders.remove(other)
    folders.close()
    assert [path.name for path in temporary.iterdir()] == ["someone-elses"]


def test_what_a_killed_window_left_is_deleted(temporary: Path) -> None:
    code = (
        "import os, sys, tempfile; tempfile.tempdir = sys.argv[1]\n"
        "from OsteoScreenLib.worker.private_folders import PrivateFolders\n"
        "folder = PrivateFolders().new(); (folder / 'image.dcm').write_bytes(b'x'); os._exit(9)"
    )
    environment = {"PYTHONPATH": str(Path(__file__).resolve().parents[2] / "OsteoScreen"), "PATH": ""}
    subprocess.run([sys.executable, "-c", code, str(temporary)], env=environment, check=False)
    (left,) = temporary.iterdir()
    (temporary / "osteoscreen-pacs-notes").mkdir()  # no number: not ours
    link = temporary / f"{left.name}x"
    link.symlink_to(temporary / "osteoscreen-pacs-notes")
    remove_leftovers()
    assert not left.exists() and link.is_symlink() and (temporary / "osteoscreen-pacs-notes").is_dir()
