"""Changes that leave a radiograph a radiograph, drawn for each image of each epoch by its own seed.

A patient stands a little turned, nearer or aside, and consoles develop differently; so images are turned, scaled, shifted, toned and
given noise. They are not mirrored unless asked: the heart is on the left. Tone keeps black black, so bars of a letterbox stay bars.
All images of a batch are changed at once, on the device that trains; which other images are in the batch changes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch.nn.functional import affine_grid, grid_sample

_NUMBERS = 9  # drawn for an image: turn, scale, down, across, gamma, contrast, gain, noise, mirror
_STREAM = 61  # tells these draws from others of the same seed


@dataclass(frozen=True)
class Augmentation:
    """How far images are changed; each number is the largest change, drawn evenly from both signs.

    degrees : of the turn. scale, shift : shares of the image. gamma : of its logarithm. contrast : of an S-shaped curve through black,
    middle grey and white. gain : share of brightness. noise : largest standard deviation, in grey values of [0, 1]. flip : mirror half
    of the images. pad : grey value of what comes in at the edges.
    """

    degrees: float = 7.0
    scale: float = 0.1
    shift: float = 0.05
    gamma: float = 0.25
    contrast: float = 0.5
    gain: float = 0.1
    noise: float = 0.03
    flip: bool = False
    pad: float = 0.0

    def draw(self, seed: int, epoch: int, places: np.ndarray) -> np.ndarray:
        """Numbers in [0, 1) for each image, float64 (n, 9): the same for the same seed, epoch and place in the cohort."""
        return np.stack([np.random.default_rng([seed, _STREAM, epoch, int(place)]).random(_NUMBERS) for place in places])

    def apply(self, images: torch.Tensor, drawn: np.ndarray) -> torch.Tensor:
        """Images float32 (n, 1, rows, columns) in [0, 1] → changed ones of the same shape and range. drawn : as `draw` gives it."""
        spread = torch.from_numpy((2 * drawn - 1).astype(np.float32)).to(images.device)
        turned = self._moved(images, spread, drawn[:, 8])
        gamma, contrast, gain = (spread[:, place].view(-1, 1, 1, 1) for place in (4, 5, 6))
        toned = turned.clamp(min=0) ** torch.exp(self.gamma * gamma)
        toned = toned + self.contrast * contrast * toned * (1 - toned) * (2 * toned - 1)
        toned = toned * (1 + self.gain * gain)
        return (toned + self._noise(images, drawn[:, 7])).clamp(0, 1)

    def _moved(self, images: torch.Tensor, spread: torch.Tensor, mirror: np.ndarray) -> torch.Tensor:
        rows, columns = images.shape[-2:]
        angle = torch.deg2rad(self.degrees * spread[:, 0])
        scale = 1 + self.scale * spread[:, 1]
        sine, cosine = torch.sin(angle) / scale, torch.cos(angle) / scale
        side = torch.from_numpy(np.where((mirror < 0.5) & self.flip, -1.0, 1.0).astype(np.float32)).to(images.device)
        across = torch.stack([side * cosine, -side * sine * rows / columns, 2 * self.shift * spread[:, 3]], dim=1)
        down = torch.stack([sine * columns / rows, cosine, 2 * self.shift * spread[:, 2]], dim=1)
        grid = affine_grid(torch.stack([across, down], dim=1), list(images.shape), align_corners=False)
        # What lies outside is 0 for the sampler, so the padding's grey is taken off before and put back after.
        return grid_sample(images - self.pad, grid, mode="bilinear", padding_mode="zeros", align_corners=False) + self.pad

    def _noise(self, images: torch.Tensor, drawn: np.ndarray) -> torch.Tensor:
        """Drawn on the device, with each image's own seed."""
        generator = torch.Generator(images.device)
        fields = []
        for number in drawn:
            generator.manual_seed(int(number * 2**62))
            fields.append(torch.randn(images.shape[1:], generator=generator, device=images.device))
        share = torch.from_numpy((self.noise * np.modf(drawn * 4096)[0]).astype(np.float32)).to(images.device)
        return torch.stack(fields) * share.view(-1, 1, 1, 1)
