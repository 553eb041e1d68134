"""Where Grad-CAM hooks a network, and how what it finds there becomes a grid of image cells.

Class-token pooling: the patch tokens that leave the last block get no gradient, so the hook is `blocks[-1].norm1`.
Average, maximum and attention pooling read the patch tokens themselves, so the hook is what the pooling reads.
ConvNets: the last feature stage.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from OsteoScreenLib.errors import OsteoScreenError

if TYPE_CHECKING:
    import torch
    from torch import nn


@dataclass(frozen=True)
class Hook:
    """layer : the module whose output is read; name : its name in the network; to_grid : output → (n, channels, rows, columns)."""

    layer: nn.Module
    name: str
    to_grid: Callable[[torch.Tensor], torch.Tensor]
    is_transformer: bool


def find_hook(network: Any, inputs: torch.Tensor) -> Hook:
    """The hook for a timm network. Raises `OsteoScreenError` for a network of neither kind.

    inputs : (1, channels, rows, columns) on the network's device.
    """
    if hasattr(network, "blocks") and hasattr(network, "patch_embed") and hasattr(network, "num_prefix_tokens"):
        return _transformer_hook(network)
    return _convnet_hook(network, inputs)


def _transformer_hook(network: Any) -> Hook:
    index = len(network.blocks) - 1
    pooling = getattr(network, "global_pool", "token")
    if pooling == "token":
        layer, name = getattr(network.blocks[-1], "norm1", None), f"blocks.{index}.norm1"
    elif not _is_identity(getattr(network, "norm", None)):
        layer, name = network.norm, "norm"
    else:
        layer, name = network.blocks[-1], f"blocks.{index}"
    if layer is None:
        raise OsteoScreenError(
            f"Grad-CAM does not know the blocks of the network {type(network).__name__}; switch the heatmap off."
        )
    prefix = int(network.num_prefix_tokens)
    grid = network.patch_embed.grid_size

    def to_grid(tokens: torch.Tensor) -> torch.Tensor:
        patches = tokens[:, prefix:]
        return patches.reshape(len(tokens), grid[0], grid[1], -1).permute(0, 3, 1, 2)

    return Hook(layer, name, to_grid, True)


def _convnet_hook(network: Any, inputs: torch.Tensor) -> Hook:
    """The module whose output is what `forward_features` returns, whatever the family calls it."""
    import torch

    produced: list[tuple[str, Any, torch.Tensor]] = []

    def note_output(name: str) -> Callable[[Any, Any, Any], None]:
        return lambda module, _args, output: produced.append((name, module, output))

    handles = [
        module.register_forward_hook(note_output(name))
        for name, module in network.named_modules()
        if name and not _is_identity(module)
    ]
    try:
        with torch.inference_mode():
            features = network.forward_features(inputs) if hasattr(network, "forward_features") else None
    finally:
        for handle in handles:
            handle.remove()
    # The last to return it is the outermost, so nothing changes the tensor in place after the hook has read it.
    makers = [(name, module) for name, module, output in produced if output is features]
    if features is None or features.ndim != 4 or not makers:
        raise OsteoScreenError(
            f"Grad-CAM does not know where to look inside the network {type(network).__name__}; switch the heatmap off."
        )
    name, layer = makers[-1]
    return Hook(layer, name, _images_as_they_are, False)


def _images_as_they_are(maps: torch.Tensor) -> torch.Tensor:
    return maps


def _is_identity(module: Any) -> bool:
    from torch import nn

    return module is None or isinstance(module, nn.Identity)
