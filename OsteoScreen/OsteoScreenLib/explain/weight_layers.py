"""The weights of a network in layers, from the answer down to the image, and weights drawn anew.

A layer is a module that the network holds by name; of a sequence of blocks or stages, each member. Layers come in the order in
which a forward pass reaches them, the last one first. A norm belongs to what it comes after, or where nothing came before it, to what
follows; tokens and position embeddings, which belong to no module, to the lowest layer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch
    from torch import nn


@dataclass(frozen=True)
class WeightLayer:
    """name : of the layer, as the network has it. parameters : full names of its weights."""

    name: str
    parameters: tuple[str, ...]


def weight_layers(network: nn.Module, inputs: torch.Tensor) -> tuple[WeightLayer, ...]:
    """The layers from the top down; together they hold every parameter of the network once.

    inputs : (1, channels, rows, columns) on the network's device, to see the order in which layers are reached.
    """
    parts = dict(_parts(network))
    reached = _order(network, parts, inputs)
    by_part = {name: [key for key in dict(network.named_parameters()) if _within(key, name)] for name in parts}
    loose = [key for key in dict(network.named_parameters()) if not any(_within(key, name) for name in parts)]
    layers: list[tuple[str, list[str]]] = []
    waiting = list(loose)  # for the first layer with weights of its own
    for name in reached:
        keys = by_part[name]
        if not keys:
            continue
        shapes = [network.get_parameter(key).ndim for key in keys]
        if max(shapes) < 2:  # a norm, or a single vector
            if layers:
                layers[-1][1].extend(keys)
            else:
                waiting += keys
            continue
        layers.append((name, [*keys, *waiting]))
        waiting = []
    if waiting:
        layers.append(("weights", waiting))
    return tuple(WeightLayer(name, tuple(keys)) for name, keys in reversed(layers))


def draw_anew(network: nn.Module, layer: WeightLayer, random: torch.Generator) -> None:
    """Replace the layer's weights by normal draws with each tensor's own mean and standard deviation, in place.

    So the layer's scale stays, and what it had learnt goes. Statistics that a batch norm has counted stay, too; they are no
    weights. random : on the processor.
    """
    import torch

    with torch.no_grad():
        for key in layer.parameters:
            weights = network.get_parameter(key)
            values = weights.detach().float()
            spread = float(values.std(correction=0))
            drawn = torch.empty(weights.shape).normal_(float(values.mean()), spread, generator=random)
            weights.copy_(drawn)


def _parts(network: nn.Module) -> list[tuple[str, Any]]:
    """Children by name, sequences and lists of modules opened once."""
    from torch import nn

    found: list[tuple[str, Any]] = []
    for name, child in network.named_children():
        members = list(child.named_children()) if isinstance(child, nn.Sequential | nn.ModuleList) else []
        whole = not members or not any(True for _, member in members for _ in member.parameters())
        found += [(name, child)] if whole else [(f"{name}.{inner}", member) for inner, member in members]
    return found


def _order(network: nn.Module, parts: dict[str, Any], inputs: torch.Tensor) -> list[str]:
    """The parts in the order in which a forward pass enters them; those that it never enters come first."""
    import torch

    entered: list[str] = []
    handles = [
        module.register_forward_pre_hook(lambda _module, _args, name=name: entered.append(name))
        for name, module in parts.items()
    ]
    try:
        with torch.inference_mode():
            network(inputs)
    finally:
        for handle in handles:
            handle.remove()
    reached = list(dict.fromkeys(entered))
    return [name for name in parts if name not in reached] + reached


def _within(key: str, name: str) -> bool:
    return key.startswith(name + ".")
