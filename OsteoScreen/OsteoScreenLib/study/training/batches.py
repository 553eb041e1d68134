"""Which images an optimiser's step sees, told by seed, epoch and step alone, and read while the step before is computed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch

from OsteoScreenLib.classifier.preprocess import PreprocessSpec
from OsteoScreenLib.study.training.image_cache import CachedImages

_STREAM = 62  # tells these draws from others of the same seed


def batches_of(places: np.ndarray, labels: np.ndarray, batch: int, seed: int, epoch: int, balanced: bool) -> list[np.ndarray]:
    """The batches of one epoch, each an array of places in the cohort.

    places : of the training images, labels : their classes, both (n,). balanced : draw with replacement, each class as often as the
    others; else every image comes once, in an order drawn anew. An incomplete last batch is left out unless it is the only one.
    """
    rng = np.random.default_rng([seed, _STREAM, epoch])
    if balanced:
        share = 1 / np.bincount(labels)[labels]
        order = rng.choice(places, len(places), p=share / share.sum())
    else:
        order = rng.permutation(places)
    full = len(order) // batch
    return [order[start * batch : (start + 1) * batch] for start in range(full)] if full else [order]


@dataclass(frozen=True)
class Normaliser:
    """From cached grey values to the network's input, on the device that computes."""

    spec: PreprocessSpec

    def grey(self, pixels: torch.Tensor, device: torch.device) -> torch.Tensor:
        """int16 (n, rows, columns), as `Reading` gives them → float32 (n, 1, rows, columns) in [0, 1] on the device."""
        return (pixels.to(device, non_blocking=True).float().add_(32768) / 65535).unsqueeze(1)

    def normalised(self, grey: torch.Tensor) -> torch.Tensor:
        """Grey values (n, 1, rows, columns) → input (n, channels, rows, columns), as `prepare` normalises it."""
        mean = torch.tensor(self.spec.mean, device=grey.device).view(1, -1, 1, 1)
        std = torch.tensor(self.spec.std, device=grey.device).view(1, -1, 1, 1)
        return (grey - mean) / std


class Reading:
    """Batches of cached images, the next one read by a thread while the caller computes."""

    def __init__(self, images: CachedImages, pinned: bool = False) -> None:
        self._images, self._pinned = images, pinned

    def __call__(self, batches: Sequence[np.ndarray]) -> Iterator[tuple[np.ndarray, torch.Tensor]]:
        """(places, int16 (n, rows, columns)) of each batch in turn; the values are grey values less 32768, which every device knows."""
        with ThreadPoolExecutor(1, "reading") as thread:
            coming = thread.submit(self._read, batches[0]) if batches else None
            for number, places in enumerate(batches):
                assert coming is not None
                pixels = coming.result()
                if number + 1 < len(batches):
                    coming = thread.submit(self._read, batches[number + 1])
                yield places, pixels

    def _read(self, places: np.ndarray) -> torch.Tensor:
        pixels = self._images.read(places)
        pixels ^= np.uint16(0x8000)  # as int16: less 32768
        tensor = torch.from_numpy(pixels.view(np.int16))
        return tensor.pin_memory() if self._pinned else tensor
