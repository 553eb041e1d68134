"""The embedded segmenter's network: a compact residual U-Net (Ronneberger et al. 2015; He et al. 2016) with half-resolution output.

Own code, because library decoders end at full resolution: here pixel shuffling (Shi et al. 2016) keeps every convolution at
a quarter of the input's resolution or below, which on a processor costs a quarter of the usual decoder at the same depth.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import torch
from torch import nn

from OsteoScreenLib.errors import OsteoScreenError


def _convolution(inputs: int, outputs: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU(inplace=True))


class ResidualBlock(nn.Module):
    """Two 3×3 convolutions beside a shortcut."""

    def __init__(self, inputs: int, outputs: int, stride: int = 1) -> None:
        super().__init__()
        self.first = _convolution(inputs, outputs, stride)
        self.second = nn.Sequential(nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False), nn.BatchNorm2d(outputs))
        self.shortcut: nn.Module = nn.Identity()
        if stride > 1 or inputs != outputs:
            self.shortcut = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """(n, inputs, rows, columns) → (n, outputs, rows / stride, columns / stride)."""
        return torch.relu(self.second(self.first(features)) + self.shortcut(features))


class ShuffleUNet(nn.Module):
    """U-Net on a quarter-resolution grid. Input (n, 1, rows, columns), both divisible by 32; logits at half resolution.

    outputs : structures. widths : channels from the finest to the coarsest level. decoder : likewise, one level fewer.
    """

    def __init__(
        self,
        outputs: int,
        widths: tuple[int, ...] = (40, 80, 128, 160),
        decoder: tuple[int, ...] = (48, 64, 96),
        stem: int = 32,
    ) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.PixelUnshuffle(4), _convolution(16, stem), ResidualBlock(stem, widths[0]))
        self.down = nn.ModuleList(ResidualBlock(fine, coarse, 2) for fine, coarse in pairwise(widths))
        inner = (*decoder, widths[-1])
        self.up = nn.ModuleList(ResidualBlock(inner[i + 1] + widths[i], inner[i]) for i in reversed(range(len(decoder))))
        self.head = nn.Sequential(nn.Conv2d(decoder[0], 4 * outputs, 1), nn.PixelShuffle(2))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """(n, 1, rows, columns) normalised as `embedded.normalise` does → logits (n, outputs, rows / 2, columns / 2)."""
        features = self.stem(images)
        levels = [features]
        for block in self.down:
            features = block(features)
            levels.append(features)
        levels.pop()
        for block in self.up:
            features = nn.functional.interpolate(features, scale_factor=2.0, mode="nearest")
            features = block(torch.cat([features, levels.pop()], dim=1))
        logits: torch.Tensor = self.head(features)
        return logits


_FAMILIES = {"shuffle-unet": ShuffleUNet}


def build_network(architecture: dict[str, Any]) -> nn.Module:
    """The network a bundle's manifest describes: {"family": …, "kwargs": {…}}. Raises `OsteoScreenError` when it is unknown."""
    family, kwargs = architecture.get("family"), architecture.get("kwargs", {})
    if family not in _FAMILIES:
        raise OsteoScreenError(
            f"The segmenter bundle needs the unknown architecture '{family}'; update OsteoScreen or choose another bundle."
        )
    try:
        settings: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in kwargs.items()}
        return _FAMILIES[family](**settings)
    except (TypeError, ValueError, RuntimeError) as error:
        raise OsteoScreenError(
            "The segmenter bundle describes a network that cannot be built; get the bundle again."
        ) from error
