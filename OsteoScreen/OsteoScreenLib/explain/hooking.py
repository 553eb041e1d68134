"""Where a network's features are read, and how what is found there becomes a grid of image cells.

Class-token pooling: the patch tokens that leave the last block get no gradient, so the hook is `blocks[-1].norm1`.
Average, maximum and attention pooling read the patch tokens themselves, so the hook is what the pooling reads.
ConvNets and hierarchical transformers: the last feature stage.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from OsteoScreenLib.errors import InputError

if TYPE_CHECKING:
    import torch
    from torch import nn


@dataclass(frozen=True)
class Hook:
    """Where features are read.

    layer : the module whose output is read; name : its name in the network; to_grid : output → (n, channels, rows, columns).
    even_cells : whether the cells tile the network's input evenly. attention_behind : modules with attention that the features
    pass through on their way to the answer.
    """

    layer: nn.Module
    name: str
    to_grid: Callable[[torch.Tensor], torch.Tensor]
    even_cells: bool
    attention_behind: tuple[nn.Module, ...] = ()


def is_transformer(network: Any) -> bool:
    """Whether a timm network is a plain vision transformer: blocks over all patches of the image, which keep their places.

    Not where the class token joins the patches after these blocks (CaiT, XCiT): their blocks hold no token that the answer reads.
    """
    named = all(hasattr(network, name) for name in ("blocks", "patch_embed", "num_prefix_tokens"))
    joined_late = any(hasattr(network, name) for name in ("blocks_token_only", "cls_attn_blocks"))
    return named and not joined_late and getattr(network.patch_embed, "grid_size", None) is not None


def find_hook(network: Any, inputs: torch.Tensor) -> Hook:
    """The hook for a timm network. Raises `InputError` for a network whose features are no grid.

    inputs : (1, channels, rows, columns) on the network's device.
    """
    return _transformer_hook(network) if is_transformer(network) else _convnet_hook(network, inputs)


def grid_of(network: Any) -> tuple[int, int]:
    """(rows, columns) of a vision transformer's patches."""
    rows, columns = network.patch_embed.grid_size
    return int(rows), int(columns)


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
        raise _unknown(network)
    prefix = int(network.num_prefix_tokens)
    grid = grid_of(network)

    def to_grid(tokens: torch.Tensor) -> torch.Tensor:
        if tokens.ndim != 3 or tokens.shape[1] != prefix + grid[0] * grid[1]:
            raise _unknown(network)
        patches = tokens[:, prefix:]
        return patches.reshape(len(tokens), grid[0], grid[1], -1).permute(0, 3, 1, 2)

    behind = (network.blocks[-1], getattr(network, "attn_pool", None))
    return Hook(layer, name, to_grid, True, tuple(part for part in behind if part is not None))


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
        raise _unknown(network)
    name, layer = makers[-1]
    if getattr(network, "output_fmt", "NCHW") == "NHWC":
        # Such networks (Swin) halve their map by merging patches, without overlap.
        return Hook(layer, name, _channels_first, True, (layer,))
    return Hook(layer, name, _images_as_they_are, False)


def _channels_first(maps: torch.Tensor) -> torch.Tensor:
    return maps.permute(0, 3, 1, 2)


def _images_as_they_are(maps: torch.Tensor) -> torch.Tensor:
    return maps


def _is_identity(module: Any) -> bool:
    from torch import nn

    return module is None or isinstance(module, nn.Identity)


def _unknown(network: Any) -> InputError:
    return InputError(
        f"No saliency method knows where to look inside the network {type(network).__name__}; leave the heatmap out "
        '("none"), or choose another model.',
        code="saliency-method",
    )
