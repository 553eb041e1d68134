"""Score-CAM (Wang et al. 2020): each feature's weight is the score of the image seen through that feature.

pytorch-grad-cam's own loop holds the masked images of all features at once (three gigabytes for 768 features at 518 pixels),
lays the features over the image corner to corner instead of where their cells are centred, and lets the last batch be smaller.
Here the passes run in the classifier's fixed batch shape, one batch in memory at a time.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from pytorch_grad_cam import ScoreCAM

from OsteoScreenLib.classifier.classifier import Classifier
from OsteoScreenLib.classifier.devices import batch_size, running
from OsteoScreenLib.explain.cell_grid import Axis, interpolation
from OsteoScreenLib.explain.target_score import TargetScore

# A feature whose values differ by less than this share of the largest is the same everywhere, and shows nothing.
FLAT = 1e-5


class FixedBatchScoreCAM(ScoreCAM):
    """pytorch-grad-cam's Score-CAM with weights that are computed batch by batch.

    rows, columns : where the features' cells lie on the network's input. progress : called with the share of passes done.
    """

    def __init__(
        self, classifier: Classifier, rows: Axis, columns: Axis, progress: Callable[[float], None] | None = None
    ) -> None:
        super().__init__(classifier.network, [])
        self._classifier = classifier
        self._cells = (rows, columns)
        self._progress = progress or (lambda _share: None)

    def get_cam_weights(
        self, input_tensor: torch.Tensor, target_layers: Any, targets: list[TargetScore], activations: np.ndarray, grads: Any
    ) -> np.ndarray:
        """Weights float32 (1, channels), positive, adding up to 1: the softmax of the channels' scores.

        Parameters
        ----------
        input_tensor : (1, image channels, rows, columns) on the classifier's device. targets : the one score.
        activations : float32 (1, channels, grid rows, grid columns).
        """
        features, score = activations[0], targets[0]
        device, size = self._classifier.device, batch_size(self._classifier.device)
        down, across = (
            torch.from_numpy(interpolation(pixels, cells, axis)).to(device)
            for pixels, cells, axis in zip(input_tensor.shape[2:], features.shape[1:], self._cells, strict=True)
        )
        low, high = features.min((1, 2)), features.max((1, 2))
        shaped = np.flatnonzero(high - low > FLAT * np.maximum(np.abs(low), np.abs(high)))
        # Features that are the same everywhere share one pass, that of an empty image, which comes last.
        maps = torch.from_numpy(np.concatenate([features[shaped], np.zeros_like(features[:1])])).to(device)
        found = []
        with torch.inference_mode(), running(device, self._classifier.precision):
            for start in range(0, len(maps), size):
                masks = _scaled(down @ maps[start : start + size] @ across.T)
                filling = masks.new_zeros((size - len(masks), *masks.shape[1:]))
                logits = self._classifier.network(input_tensor * torch.cat([masks, filling])[:, None])
                found.append(score(logits[: len(masks)]).double().cpu())
                self._progress(min(start + size, len(maps)) / len(maps))
        scores = torch.cat(found)
        every = scores[-1].repeat(len(features))
        every[torch.from_numpy(shaped)] = scores[:-1]
        return torch.softmax(every, 0).float().numpy()[None]


def _scaled(masks: torch.Tensor) -> torch.Tensor:
    """Each mask (rows, columns) between 0 and 1; one that is the same everywhere becomes 0."""
    low, high = masks.amin((1, 2), keepdim=True), masks.amax((1, 2), keepdim=True)
    spread = high - low
    return torch.where(spread > 0, (masks - low) / torch.where(spread > 0, spread, 1), 0)
