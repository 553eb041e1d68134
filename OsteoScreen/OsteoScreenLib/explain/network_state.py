"""Changes to a network that last only as long as it is looked into."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import nn


@contextmanager
def evaluating(network: nn.Module) -> Iterator[None]:
    """Evaluation mode within; afterwards every module is in the mode it was in."""
    modes = [(module, module.training) for module in network.modules()]
    network.eval()
    try:
        yield
    finally:
        for module, mode in modes:
            module.training = mode


@contextmanager
def unfused(*parts: nn.Module) -> Iterator[None]:
    """timm's attention inside `parts` is computed step by step within, so that it can be read; afterwards as it was.

    The fused kernels never hold the attention, and some give gradients that differ from run to run.
    """
    modules = [module for part in parts for module in part.modules() if isinstance(getattr(module, "fused_attn", None), bool)]
    fused = [(module, module.fused_attn) for module in modules]
    try:
        for module in modules:
            module.fused_attn = False  # type: ignore[assignment]
        yield
    finally:
        for module, was in fused:
            module.fused_attn = was
