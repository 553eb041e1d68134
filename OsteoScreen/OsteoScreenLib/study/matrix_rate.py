"""What the hardware could do: its measured rate of matrix products, and how many operations a forward pass takes."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

_SIDE = 2048  # of square matrices, large enough for the full rate and quick on a processor
_SECONDS = 0.6  # for each number format


def matrix_rate(device: torch.device, precisions: Sequence[str] = ("fp32", "bf16")) -> dict[str, float]:
    """Operations a second (two for each multiplication and addition) of a square matrix product, the best of many repetitions.

    precisions : of "fp32", "bf16" and "fp16"; fp32 is true fp32. With as many threads as torch uses now.
    """
    rates = {}
    for precision in precisions:
        dtype = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}[precision]
        one, other = (torch.randn(_SIDE, _SIDE, device=device).to(dtype) for _ in range(2))
        best, started, rounds = float("inf"), time.perf_counter(), 0
        while rounds < 3 or time.perf_counter() - started < _SECONDS:
            began = time.perf_counter()
            (one @ other)[0, 0].item()  # waits for the device
            best, rounds = min(best, time.perf_counter() - began), rounds + 1
        rates[precision] = 2 * _SIDE**3 / best
    return rates


def operations(network: nn.Module, inputs: torch.Tensor) -> int:
    """Operations of the matrix products and convolutions of one forward pass, two for each multiplication and addition."""
    # Counted on matrix products: the counter does not know every device's fused attention.
    with torch.no_grad(), sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        network(inputs)
    return int(counter.get_total_flops())


@contextmanager
def with_threads(count: int) -> Iterator[None]:
    """Within this context torch computes with so many threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
