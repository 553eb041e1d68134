"""Checkpoints: the state of a training as safetensors and JSON, the last two of them, each whole or absent.

The JSON file is written last and holds the SHA-256 of the tensors, so that a checkpoint that was cut short, or damaged since, is
known for it, and the one before serves.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from OsteoScreenLib.files import remove_leftovers, write_bytes, write_text

if TYPE_CHECKING:
    import torch

_KEPT = 2
_NAME = re.compile(r"step-(\d{9})\.json")


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """tensors : name → tensor on the CPU. facts : everything else, JSON values. damaged : newer ones that could not be used."""

    tensors: Mapping[str, torch.Tensor]
    facts: Mapping[str, Any]
    damaged: tuple[str, ...] = ()


def write_checkpoint(folder: Path, step: int, tensors: Mapping[str, torch.Tensor], facts: Mapping[str, Any]) -> None:
    """Write the state after an optimiser's step, and delete all but the last two.

    Raises `OsteoScreenError` in one sentence when the disk is full; the ones before stay as they are.
    """
    from safetensors.torch import save

    folder.mkdir(parents=True, exist_ok=True)
    data = save({name: tensors[name].detach().cpu().contiguous() for name in sorted(tensors)})
    name = f"step-{step:09d}"
    write_bytes(folder / f"{name}.safetensors", data)
    held = {"sha256": hashlib.sha256(data).hexdigest(), "facts": facts}
    write_text(folder / f"{name}.json", json.dumps(held, allow_nan=False) + "\n")
    for old in _steps(folder)[:-_KEPT]:
        (folder / f"{old}.json").unlink(missing_ok=True)  # first, so that tensors without it are nobody's
        (folder / f"{old}.safetensors").unlink(missing_ok=True)


def read_checkpoint(folder: Path) -> Checkpoint | None:
    """The newest checkpoint that is whole; None when there is none. Leftovers of a killed run are deleted."""
    from safetensors import SafetensorError
    from safetensors.torch import load

    if not folder.is_dir():
        return None
    remove_leftovers(folder)
    damaged: list[str] = []
    for name in reversed(_steps(folder)):
        try:
            held = json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
            data = (folder / f"{name}.safetensors").read_bytes()
            if hashlib.sha256(data).hexdigest() == held["sha256"]:
                return Checkpoint(load(data), held["facts"], tuple(damaged))
        except (OSError, ValueError, KeyError, TypeError, SafetensorError):
            pass
        damaged.append(name)
    return Checkpoint({}, {}, tuple(damaged)) if damaged else None


def _steps(folder: Path) -> list[str]:
    return sorted(path.stem for path in folder.iterdir() if _NAME.fullmatch(path.name))
