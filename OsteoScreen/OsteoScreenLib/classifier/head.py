"""The last layer of a timm network, and what it reads."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from OsteoScreenLib.errors import InputError

if TYPE_CHECKING:
    import torch
    from torch import nn


@contextmanager
def before_head(network: nn.Module) -> Iterator[Callable[[], torch.Tensor]]:
    """Inside it, the callable gives what the head of a timm network read in the last pass, float32 (n, d)."""
    kept: dict[str, torch.Tensor] = {}

    def keep(_module: nn.Module, given: tuple[torch.Tensor, ...]) -> None:
        kept["features"] = given[0].detach().float()

    handle = linear_head(network).register_forward_pre_hook(keep)
    try:
        yield lambda: kept["features"]
    finally:
        handle.remove()


def linear_head(network: Any) -> nn.Linear:
    """The last layer. Raises `InputError` (option) when it is no linear one, as only such a head can be fitted here."""
    from torch import nn

    head = network.get_classifier() if hasattr(network, "get_classifier") else None
    if not isinstance(head, nn.Linear):
        raise InputError(
            "The backbone's head is no linear layer, so it cannot be tuned here; choose another backbone.", code="option"
        )
    return head
