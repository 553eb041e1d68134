"""Small models and radiographs for tests: randomly initialised or constructed by hand, nothing downloaded."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from OsteoScreenLib.bones.masks import BoneMasks
from OsteoScreenLib.bones.vocabulary import KNEE
from OsteoScreenLib.bundle import Bundle, write_bundle
from OsteoScreenLib.classifier.classifier import Classifier
from OsteoScreenLib.classifier.model_bundle import Architecture, ModelBundle
from OsteoScreenLib.classifier.network import build_network
from OsteoScreenLib.classifier.preprocess import PreprocessSpec
from OsteoScreenLib.radiograph.radiograph import Radiograph, Source

TINY_VIT = "vit_tiny_patch16_224"
TINY_VIT_OPTIONS: dict[str, Any] = {"patch_size": 8, "embed_dim": 32, "depth": 2, "num_heads": 2}
GREY = PreprocessSpec(rows=56, columns=56, channels=1, mean=(0.0,), std=(1.0,), interpolation="bilinear")


def classifier_manifest(
    name: str = TINY_VIT,
    options: Mapping[str, Any] | None = None,
    preprocessing: PreprocessSpec = GREY,
    bundle_id: str = "test-classifier",
    **changes: Any,
) -> dict[str, Any]:
    """A valid manifest of a classifier, without "files"; `changes` replace top-level keys."""
    if options is None:
        options = TINY_VIT_OPTIONS if name == TINY_VIT else {}
    manifest = {
        "id": bundle_id,
        "kind": "classifier",
        "title": "A classifier for tests",
        "site": "chest-frontal",
        "architecture": {"library": "timm", "name": name, "options": dict(options)},
        "preprocessing": preprocessing.to_manifest(),
        "classes": ["normal", "osteopenia", "osteoporosis"],
        "operating_points": {"osteoporosis": 0.4, "low_bone_mass": 0.6},
        "temperature": 1.0,
        "tuning": "full",
        "training": {"simulated": True, "command": "none", "seed": 0, "data": "none: random weights"},
        "licence": "Apache-2.0",
        "intended_use": "Tests only.",
    }
    return manifest | changes


def make_network(
    name: str = TINY_VIT, options: Mapping[str, Any] | None = None, preprocessing: PreprocessSpec = GREY, seed: int = 0
) -> nn.Module:
    """A randomly initialised timm network whose answer does vary with its input."""
    if options is None:
        options = TINY_VIT_OPTIONS if name == TINY_VIT else {}
    network = build_network(Architecture(name, dict(options)), preprocessing).eval()
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in network.parameters():
            if parameter.ndim >= 2:
                # Scaled by fan-in, so that signals neither vanish nor explode whatever timm's own initialisation is.
                fan_in = parameter[0].numel()
                parameter.copy_(torch.randn(parameter.shape, generator=generator) / fan_in**0.5)
    return network


def make_classifier_bundle(
    folder: Path,
    name: str = TINY_VIT,
    options: Mapping[str, Any] | None = None,
    preprocessing: PreprocessSpec = GREY,
    network: nn.Module | None = None,
    seed: int = 0,
    **changes: Any,
) -> Bundle:
    """Write a classifier's bundle to `folder` (a random tiny one unless `network` is given) and open it."""
    network = make_network(name, options, preprocessing, seed) if network is None else network
    manifest = classifier_manifest(name, options, preprocessing, folder.name, **changes)
    return write_bundle(folder, manifest, network.state_dict(), "# A classifier for tests\n\nRandom weights.\n")


def make_classifier(
    folder: Path,
    name: str = TINY_VIT,
    options: Mapping[str, Any] | None = None,
    preprocessing: PreprocessSpec = GREY,
    network: nn.Module | None = None,
    seed: int = 0,
) -> Classifier:
    """A loaded tiny classifier on the processor in full precision."""
    bundle = make_classifier_bundle(folder, name, options, preprocessing, network, seed)
    return Classifier.load(ModelBundle.from_bundle(bundle), device="cpu", precision="fp32")


def make_radiograph(shape: tuple[int, int] = (240, 200), seed: int = 0, spacing: float | None = 0.5) -> Radiograph:
    """A radiograph of smooth random greys."""
    rows, columns = shape
    coarse = np.random.default_rng(seed).random((12, 12))
    row = np.linspace(0, 10.999, rows)
    column = np.linspace(0, 10.999, columns)
    low_row, low_column = row.astype(int), column.astype(int)
    a, b = (row - low_row)[:, None], (column - low_column)[None, :]
    square = coarse[low_row][:, low_column], coarse[low_row][:, low_column + 1]
    below = coarse[low_row + 1][:, low_column], coarse[low_row + 1][:, low_column + 1]
    pixels = (1 - a) * ((1 - b) * square[0] + b * square[1]) + a * ((1 - b) * below[0] + b * below[1])
    return Radiograph(
        pixels.astype(np.float32),
        spacing_mm=None if spacing is None else (spacing, spacing),
        spacing_source="unknown" if spacing is None else "calibrated",
        view="PA",
        site="CHEST",
        source=Source(path="somewhere/test.dcm", sha256="0" * 64, format="DICOM", stored_shape=shape),
    )


def make_masks(shape: tuple[int, int] = (240, 200)) -> BoneMasks:
    """Five bones in three groups; the clavicle overlaps rib 1 and T5 overlaps rib 5."""
    rows, columns = shape
    row, column = np.mgrid[:rows, :columns]
    y, x = row / rows, column / columns
    masks = {
        "T5": (abs(x - 0.5) < 0.06) & (abs(y - 0.5) < 0.05),
        "T6": (abs(x - 0.5) < 0.06) & (abs(y - 0.62) < 0.05),
        "right rib 1": (abs(y - 0.2) < 0.03) & (x > 0.2) & (x < 0.45),
        "right rib 5": (abs(y - 0.5) < 0.02) & (x > 0.1) & (x < 0.48),
        "right clavicle": (abs(y - 0.18 - 0.2 * (x - 0.3)) < 0.025) & (x > 0.15) & (x < 0.46),
    }
    return BoneMasks.pack(masks, shape, method="drawn for a test")


def make_knee_masks(shape: tuple[int, int] = (240, 200)) -> BoneMasks:
    """One right knee; the patella lies over the femur, the fibula's head over the tibia."""
    rows, columns = shape
    row, column = np.mgrid[:rows, :columns]
    y, x = row / rows, column / columns
    masks = {
        "right femur": (abs(x - 0.5) < np.where(y > 0.3, 0.2, 0.1)) & (y > 0.05) & (y < 0.48),
        "right tibia": (abs(x - 0.5) < np.where(y < 0.65, 0.2, 0.1)) & (y > 0.52) & (y < 0.95),
        "right fibula": (abs(x - 0.31) < 0.04) & (y > 0.58) & (y < 0.95),
        "right patella": np.hypot(x - 0.5, y - 0.36) < 0.09,
    }
    return BoneMasks.pack(masks, shape, KNEE, method="drawn for a test")
