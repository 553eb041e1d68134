"""A cohort of small pictures whose classes stand in one patch's brightness, a tiny backbone, and a recipe that takes seconds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np

from OsteoScreenLib.classifier.backbones import Backbone
from OsteoScreenLib.classifier.model_bundle import Architecture
from OsteoScreenLib.classifier.preprocess import PreprocessSpec
from OsteoScreenLib.study.cohort import CohortRow
from OsteoScreenLib.study.training.options import TrainOptions

TINY = Backbone(
    "tiny", "tests", "A tiny ViT for tests", Architecture("vit_tiny_patch16_224", {"depth": 3, "embed_dim": 48, "num_heads": 3}),
    PreprocessSpec(rows=64, columns=64), "Apache-2.0", "", "", "timm", 16,
)  # fmt: skip


def small_cohort(
    folder: Path, patients: int = 48, seed: int = 0, noise: float = 0.05
) -> tuple[tuple[CohortRow, ...], dict[str, str]]:
    """Rows of two pictures a patient, 72 × 80 pixels, and the patients' parts: half training, a quarter each validation and test."""
    rng = np.random.default_rng(seed)
    folder.mkdir(parents=True, exist_ok=True)
    rows: list[CohortRow] = []
    splits: dict[str, str] = {}
    for patient in range(patients):
        label = patient % 3
        name = f"P{patient}"
        splits[name] = ("training", "training", "validation", "test")[patient // 3 % 4]
        for _ in range(2):
            pixels = cv2.resize(rng.random((6, 6)), (80, 72), interpolation=cv2.INTER_LINEAR) * 0.3 + 0.2
            pixels[14:58, 16:64] = np.clip(0.3 + 0.2 * label + noise * rng.normal(), 0.05, 0.95)
            pixels[0, :2] = 0, 1  # the whole range, so that the file is read as it is
            path = folder / f"{len(rows):04d}.png"
            cv2.imwrite(str(path), np.round(pixels * 65535).astype(np.uint16))
            t_score = (0.0, -1.8, -3.2)[label] + 0.1 * float(rng.normal())
            rows.append(CohortRow(len(rows) + 2, name, path, label, t_score=t_score, age=60.0, sex="F"))
    return tuple(rows), splits


def quick(**changes: Any) -> TrainOptions:
    """A recipe of a few seconds on the processor."""
    recipe: dict[str, Any] = {
        "backbone": TINY.id, "random_weights": True, "device": "cpu", "precision": "fp32", "epochs": 3, "batch": 8,
    }  # fmt: skip
    return TrainOptions(**recipe | changes)
