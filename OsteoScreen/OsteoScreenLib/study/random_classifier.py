"""A classifier of any timm network with random weights, whose answer depends on the bones of one radiograph: for measuring speed.

What it answers means nothing. Its weights cost no download, and its passes cost what those of trained weights do.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import timm
import torch
from torch import nn

from OsteoScreenLib.bundle import Bundle, write_bundle
from OsteoScreenLib.classifier.model_bundle import Architecture
from OsteoScreenLib.classifier.network import build_network
from OsteoScreenLib.classifier.prediction import CLASSES
from OsteoScreenLib.classifier.preprocess import PreprocessSpec, prepare
from OsteoScreenLib.errors import InputError

_SWITCHED_OFF = 1e-3  # factors that small keep a block of an untrained network from doing anything
_SPAN = 1.0  # largest change of the osteoporosis logit among the fitted radiographs: P goes from 1/3 to 0.09 or 0.67


def random_classifier(folder: Path, backbone: str, img_size: int, pictures: Sequence[np.ndarray]) -> Bundle:
    """Write a bundle: a timm network with random weights and a head fitted to some pictures.

    Factors with which blocks begin near zero (layer scale, the last normalisation of residual blocks) are set to one; otherwise
    an untrained network would not look at the image. The head answers 1/3 for each class on the first picture and follows the
    direction in which the features of the others differ most from it; the largest answer differs by 24 or 33 points.

    Parameters
    ----------
    backbone : any name that timm knows. img_size : rows and columns of the input. pictures : two or more, float32 (rows, columns)
        of one size: the untouched radiograph, then it with bones covered.
    Raises `InputError` when timm has no such network, its head is not linear, or it answers the same to every picture.
    """
    spec = _preprocessing(backbone, img_size)
    network: Any = build_network(Architecture(backbone, {}), spec, backbone).eval().requires_grad_(False)
    for name, parameter in network.named_parameters():
        if parameter.ndim == 1 and not name.endswith("bias") and parameter.abs().max() < _SWITCHED_OFF:
            parameter.fill_(1.0)
    head = network.get_classifier()
    if not isinstance(head, nn.Linear):
        raise InputError(f"The head of the network {backbone} is no linear layer, so it cannot be fitted; choose another one.")
    _fit(network, head, np.stack([_features(network, picture, spec) for picture in pictures]), backbone)
    return write_bundle(folder, _manifest(folder.name, backbone, spec), network.state_dict(), _CARD)


def _features(network: Any, picture: np.ndarray, spec: PreprocessSpec) -> np.ndarray:
    """What the head reads, float64 (features,)."""
    with torch.inference_mode():
        found = network.forward_head(network.forward_features(prepare(picture[None], spec)), pre_logits=True)
    return np.asarray(found[0].double().numpy())


def _fit(network: Any, head: nn.Linear, features: np.ndarray, backbone: str) -> None:
    """features : (pictures, features), the first picture's being where the head answers nothing."""
    changes = features[1:] - features[0]
    if features.ndim != 2 or features.shape[1] != head.in_features or not np.abs(changes).max() > 0:
        raise InputError(f"The random network {backbone} answers the same to every picture; choose another one.")
    direction = np.linalg.svd(changes, full_matrices=False)[2][0]
    weight = direction * _SPAN / np.abs(changes @ direction).max()
    signs = np.array([-1.0, 0.0, 1.0])
    head.weight.copy_(torch.from_numpy(np.outer(signs, weight)))
    head.bias.copy_(torch.from_numpy(-signs * (features[0] @ weight)))


def _preprocessing(backbone: str, img_size: int) -> PreprocessSpec:
    config = timm.get_pretrained_cfg(backbone, allow_unregistered=True)
    mean, std = (config.mean, config.std) if config is not None else ((0.5,) * 3, (0.5,) * 3)
    return PreprocessSpec(img_size, img_size, mean=tuple(mean), std=tuple(std))


def _manifest(name: str, backbone: str, spec: PreprocessSpec) -> dict[str, Any]:
    return {
        "id": name,
        "kind": "classifier",
        "title": f"{backbone} with random weights, for measuring speed",
        "site": "chest-frontal",
        "architecture": {"library": "timm", "name": backbone, "options": {}},
        "preprocessing": spec.to_manifest(),
        "classes": list(CLASSES),
        "operating_points": {"osteoporosis": 0.5, "low_bone_mass": 0.5},
        "temperature": 1.0,
        "tuning": "linear",
        "training": {"simulated": True, "command": "osteoscreen bench explain", "seed": 0, "data": "none: random weights"},
        "licence": "Apache-2.0",
        "intended_use": "Measuring speed only: its answers mean nothing.",
    }


_CARD = "# Random weights\n\nFor measuring speed. Its answers mean nothing.\n"
