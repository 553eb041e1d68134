"""Where the cells of a ConvNet's feature map are centred on its input.

A stride-2 convolution with kernel 3 and padding 1 centres its output cell j on input pixel 2j, not on 2j + 0.5 as an even
division would have it; over the five halvings of a ResNet that adds up to 15.5 input pixels, half a cell. The centre follows
from each strided layer's kernel, padding and dilation (Araujo, Norris and Sim, "Computing receptive fields of convolutional
neural networks", Distill 2019).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch
    from torch import nn


def cell_centres(network: nn.Module, layer: nn.Module, inputs: torch.Tensor) -> tuple[tuple[float, float], tuple[float, float]]:
    """The grid of `layer`'s output on the input's pixels: ((row start, row step), (column start, column step)).

    The centre of cell (i, j) lies at input pixel (row start + i · row step, column start + j · column step).

    Parameters
    ----------
    inputs : (1, channels, rows, columns) on the network's device; passed through the network once.
    """
    import torch

    start_size = (inputs.shape[2], inputs.shape[3])
    # All maps of one size share one geometry: size → (start, step) per axis. Parallel branches that disagree are averaged.
    known: list[dict[int, tuple[float, float]]] = [{start_size[axis]: (0.0, 1.0)} for axis in (0, 1)]
    votes: list[dict[int, list[float]]] = [{}, {}]
    reached: list[tuple[int, int]] = []

    def settle(axis: int, size: int) -> tuple[float, float]:
        if size not in known[axis]:
            step = _nominal_step(start_size[axis], size)
            seen = votes[axis].get(size)
            # A layer that shrank the map in an unknown way: divide the input evenly.
            known[axis][size] = (sum(seen) / len(seen) if seen else (step - 1) / 2, step)
        return known[axis][size]

    def after(module: Any, args: Any, output: Any) -> None:
        if not args or not _is_map(args[0]) or not _is_map(output):
            return
        for axis in (0, 1):
            before, now = args[0].shape[2 + axis], output.shape[2 + axis]
            reach = _reach(module, axis, before)
            if now < before and reach is not None:
                start, step = settle(axis, before)
                votes[axis].setdefault(now, []).append(start + reach * step)

    def at_layer(module: Any, args: Any, output: torch.Tensor) -> None:
        reached.append((output.shape[2], output.shape[3]))

    handles = [module.register_forward_hook(after) for module in network.modules() if _has_window(module)]
    handles.append(layer.register_forward_hook(at_layer))
    try:
        with torch.inference_mode():
            network(inputs)
    finally:
        for handle in handles:
            handle.remove()
    size = reached[-1]
    return settle(0, size[0]), settle(1, size[1])


def _nominal_step(whole: int, cells: int) -> float:
    """Input pixels per cell. Networks halve with rounding up, so the true step is a power of two when one is that near."""
    even = whole / cells
    power = 1
    while power * 2 <= whole and -(-whole // (power * 2)) >= cells:
        power *= 2
    return float(power) if -(-whole // power) == cells else even


def _is_map(value: Any) -> bool:
    return getattr(value, "ndim", 0) == 4


def _has_window(module: Any) -> bool:
    return hasattr(module, "stride") and (hasattr(module, "kernel_size") or hasattr(module, "filt_size"))


def _reach(module: Any, axis: int, size: int) -> float | None:
    """How far, in its input's pixels, the centre of the layer's first output cell lies from its first input pixel's centre."""
    kernel = _of_axis(getattr(module, "kernel_size", None) or getattr(module, "filt_size", None), axis)
    stride = _of_axis(module.stride, axis)
    if kernel is None or stride is None or stride < 2:
        return None
    dilation = _of_axis(getattr(module, "dilation", 1), axis) or 1
    span = dilation * (kernel - 1)
    name = type(module).__name__
    if "Same" in name or getattr(module, "padding", 0) == "same":
        # TensorFlow's "same" padding: as much as needed, the smaller half before.
        before = max((-(-size // stride) - 1) * stride + span + 1 - size, 0) // 2
    elif hasattr(module, "filt_size"):
        before = (stride - 1 + kernel - 1) // 2
    else:
        padding = _of_axis(getattr(module, "padding", 0), axis)
        if padding is None:
            return None
        before = padding
    return span / 2 - before


def _of_axis(value: Any, axis: int) -> int | None:
    if isinstance(value, int):
        return value
    if isinstance(value, tuple | list) and len(value) == 2 and isinstance(value[axis], int):
        return value[axis]
    return None
