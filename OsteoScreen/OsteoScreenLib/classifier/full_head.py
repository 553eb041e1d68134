"""The last linear layer in full precision within a half precision pass: logits are not rounded to half precision."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def full_head(network: Any, device_type: str) -> Iterator[None]:
    """Within this context a timm network's classifier, where it is a linear layer, computes in fp32 whatever autocast says.

    bf16 keeps 8 bits, so a logit of 3 would come in steps of 0.016: more than what covering a small bone changes.
    """
    import torch
    from torch import nn

    def again_in_full(module: nn.Linear, given: tuple[torch.Tensor, ...], _output: torch.Tensor) -> torch.Tensor:
        with torch.autocast(device_type, enabled=False):
            bias = None if module.bias is None else module.bias.float()
            return nn.functional.linear(given[0].float(), module.weight.float(), bias)

    head = network.get_classifier() if hasattr(network, "get_classifier") else None
    handle = head.register_forward_hook(again_in_full) if isinstance(head, nn.Linear) else None
    try:
        yield
    finally:
        if handle is not None:
            handle.remove()
