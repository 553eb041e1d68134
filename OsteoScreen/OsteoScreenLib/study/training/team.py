"""The processes that train together: one, or several on one machine or many, through Hugging Face Accelerate."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TypeVar, cast

import numpy as np
import torch
from torch import nn

from OsteoScreenLib.classifier.devices import choose_device

Value = TypeVar("Value")


class Team:
    """This process among those that train together. rank : its number, size : how many there are. device : where it computes."""

    def __init__(self, device: str = "auto") -> None:
        from accelerate import Accelerator
        from accelerate.state import AcceleratorState

        chosen = choose_device(device)
        if int(os.environ.get("WORLD_SIZE", "1")) == 1:
            # Accelerate remembers the device of a process's first run, and this may be a later one.
            AcceleratorState._reset_state(reset_partial_state=True)
        self._accelerator = Accelerator(cpu=chosen.type == "cpu")
        self.device: torch.device = self._accelerator.device if chosen.type == "cuda" else chosen
        self.rank = int(self._accelerator.process_index)
        self.size = int(self._accelerator.num_processes)

    @property
    def leads(self) -> bool:
        """Whether this is the process that writes files and tells how far it is."""
        return self.rank == 0

    def wrapped(self, network: nn.Module) -> nn.Module:
        """The network on this process's device, its gradients averaged over all processes."""
        return cast(nn.Module, self._accelerator.prepare_model(network))

    def first(self, work: Callable[[], Value]) -> Value:
        """Do `work` in the leading process, then in the others, which find what it wrote."""
        with self._accelerator.main_process_first():
            return work()

    def interleaved(self, mine: np.ndarray, total: int) -> np.ndarray:
        """All rows (total, …), of which every process brings those from its rank on in steps of the team's size."""
        if self.size == 1:
            return mine
        longest = -(-total // self.size)
        padded = np.zeros((longest, *mine.shape[1:]), mine.dtype)
        padded[: len(mine)] = mine
        gathered = cast(torch.Tensor, self._accelerator.gather(torch.from_numpy(padded).to(self.device)))
        parts = gathered.cpu().numpy().reshape(self.size, longest, *mine.shape[1:])
        return parts.swapaxes(0, 1).reshape(-1, *mine.shape[1:])[:total]

    def summed(self, value: float) -> float:
        """The sum of all processes' values."""
        return float(self.interleaved(np.array([value]), self.size).sum())

    def wait(self) -> None:
        """Until every process is here."""
        self._accelerator.wait_for_everyone()
