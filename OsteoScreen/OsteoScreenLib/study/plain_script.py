"""What the sweep is measured against: the same explanation as a researcher's script computes it.

Full precision, one call of pytorch-grad-cam, and for each covered variant a copy of the radiograph, its preparation and one
forward pass. Nothing is shared between variants and nothing is known of what they have in common.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import torch
from pytorch_grad_cam import GradCAM
from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget

from OsteoScreenLib.bones.masks import BoneMasks
from OsteoScreenLib.classifier.model_bundle import ModelBundle
from OsteoScreenLib.classifier.network import load_network
from OsteoScreenLib.classifier.prediction import CLASSES
from OsteoScreenLib.classifier.preprocess import prepare
from OsteoScreenLib.explain.hooking import find_hook


class PlainScript:
    """One model and one radiograph. pixels : float32 (rows, columns) in [0, 1]. Covered pixels get the fill "mean"."""

    def __init__(self, model: ModelBundle, pixels: np.ndarray, masks: BoneMasks, device: torch.device) -> None:
        self.model, self.pixels, self.device = model, pixels, device
        self.network = load_network(model).requires_grad_(True).to(device)
        self.masks = {name: masks.mask(name) for name in masks.names}
        self.everything = np.logical_or.reduce(list(self.masks.values()))
        rows, columns = (np.flatnonzero(self.everything.any(axis=axis)) for axis in (1, 0))
        around = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        self.grey = np.float32(pixels[around][~self.everything[around]].mean(dtype=np.float64))

    def heatmap(self) -> np.ndarray:
        """Grad-CAM for osteoporosis, float32 (input rows, input columns)."""
        inputs = self._input(self.pixels)
        hook = find_hook(self.network, inputs)
        with GradCAM(self.network, [hook.layer], reshape_transform=hook.to_grid) as cam:
            drawn = cam(input_tensor=inputs, targets=[ClassifierOutputTarget(CLASSES.index("osteoporosis"))])
        return np.asarray(drawn[0])

    def probabilities(self, covered: Iterable[str], mode: str) -> np.ndarray:
        """Class probabilities float64 (3,) with these bones covered."""
        mask = np.zeros(self.pixels.shape, bool)
        for name in covered:
            mask |= self.masks[name]
        if mode == "add-back":
            for name in set(self.masks) - set(covered):
                mask &= ~self.masks[name]
        picture = np.where(mask, self.grey, self.pixels)
        with torch.no_grad():
            logits = self.network(self._input(picture))[0].double().cpu()
        return np.asarray(torch.softmax(logits / self.model.temperature, 0).numpy())

    def _input(self, picture: np.ndarray) -> torch.Tensor:
        return prepare(picture[None], self.model.preprocessing).to(self.device)
