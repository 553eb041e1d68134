"""Two checkpoints are kept; one that is damaged is passed over for the one before."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import Any

import pytest
import torch

from OsteoScreenLib import files
from OsteoScreenLib.errors import OsteoScreenError
from OsteoScreenLib.study.training.checkpoints import read_checkpoint, write_checkpoint


def write(folder: Path, step: int) -> None:
    write_checkpoint(folder, step, {"a": torch.full((3,), float(step))}, {"step": step})


def test_the_last_two_are_kept_and_the_newest_is_read(tmp_path: Path) -> None:
    assert read_checkpoint(tmp_path / "none") is None
    for step in (1, 2, 30):
        write(tmp_path, step)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        f"step-{step:09d}.{kind}" for step in (2, 30) for kind in ("json", "safetensors")
    ]
    held = read_checkpoint(tmp_path)
    assert held is not None and held.facts == {"step": 30} and held.tensors["a"].tolist() == [30.0] * 3 and not held.damaged


@pytest.mark.parametrize("how", ["bit", "cut", "json", "gone"])
def test_a_damaged_one_is_passed_over(tmp_path: Path, how: str) -> None:
    write(tmp_path, 1)
    write(tmp_path, 2)
    newest = tmp_path / "step-000000002.safetensors"
    data = newest.read_bytes()
    if how == "bit":
        newest.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    elif how == "cut":
        newest.write_bytes(data[:20])
    elif how == "gone":
        newest.unlink()
    else:
        newest.with_suffix(".json").write_text('{"sha256": "')
    held = read_checkpoint(tmp_path)
    assert held is not None and held.facts == {"step": 1} and held.damaged == ("step-000000002",)
    (tmp_path / "step-000000001.json").write_text("{}")
    held = read_checkpoint(tmp_path)
    assert held is not None and not held.tensors and len(held.damaged) == 2


def test_a_full_disk_leaves_the_ones_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, 1)

    def full(path: Path, data: bytes) -> None:
        path.write_bytes(data[:10])
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(files, "_write_all", full)
    with pytest.raises(
        OsteoScreenError, match=r"^Could not write step-000000002\.safetensors in .*: No space left on device; free"
    ):
        write(tmp_path, 2)
    held: Any = read_checkpoint(tmp_path)
    assert held.facts == {"step": 1}
    assert len(list(tmp_path.iterdir())) == 2
