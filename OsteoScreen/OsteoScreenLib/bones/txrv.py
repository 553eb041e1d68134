"""The TorchXRayVision chest segmenter (PSPNet trained on ChestX-Det; Lian et al. 2021, IEEE Trans Med Imaging).

Real radiographs taught it clavicles, scapulae and the spine as one column; it knows no ribs, no sternum and no single
vertebrae, so another segmenter may fill those in. The package and its weights are optional and never downloaded from here.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from OsteoScreenLib.bones.masks import BoneMasks, MaskFacts
from OsteoScreenLib.bones.segmenter import Segmenter
from OsteoScreenLib.bones.vocabulary import CHEST_FRONTAL
from OsteoScreenLib.errors import InputError
from OsteoScreenLib.radiograph.radiograph import Radiograph

WEIGHTS_NAME = "pspnet_chestxray_best_model_4.pth"
_PAIRS = {"clavicle": ("Right Clavicle", "Left Clavicle"), "scapula": ("Right Scapula", "Left Scapula")}
_GRID = 512


def default_weights_folder() -> Path:
    """Where TorchXRayVision itself keeps downloaded weights."""
    return Path.home() / ".torchxrayvision" / "models_data"


class TorchXRayVisionSegmenter:
    """Clavicles and scapulae from TorchXRayVision; every other bone, and vertebrae cut to its spine column, from `others`.

    weights_folder : holds `pspnet_chestxray_best_model_4.pth`; read by TorchXRayVision with torch's weights-only reader,
        which builds tensors and runs nothing.
    others : a segmenter asked for the bones that this one does not know, or None.

    Raises `InputError` in one sentence when the package or its weights are not there or cannot be loaded.
    """

    name = "torchxrayvision-pspnet"

    def __init__(self, weights_folder: Path | None = None, others: Segmenter | None = None, device: str = "cpu") -> None:
        folder = weights_folder or default_weights_folder()
        if not (folder / WEIGHTS_NAME).is_file():
            raise InputError(
                f"The TorchXRayVision weights {WEIGHTS_NAME} are not in {folder}; copy them there or use the embedded segmenter.",
                code="weights-missing",
            )
        try:
            from torchxrayvision.baseline_models.chestx_det import PSPNet
        except ImportError as error:
            raise InputError(
                "The package torchxrayvision is not installed; run 'pip install torchxrayvision' or use the embedded segmenter.",
                code="package-missing",
            ) from error
        try:
            self._network = PSPNet(cache_dir=str(folder)).to(device).eval()
        except Exception as error:  # unpickling and state-dict errors have no common base
            raise InputError(
                f"The weights {WEIGHTS_NAME} in {folder} are damaged or of another model; copy them again.",
                code="weights-damaged",
            ) from error
        self._device = device
        self._others = others

    def segment(self, radiograph: Radiograph) -> BoneMasks:
        """Masks at the radiograph's size. Sides are told by position, as the image is upright with the right on the left."""
        planes = self._planes(radiograph)
        masks: dict[str, np.ndarray] = {}
        for noun, targets in _PAIRS.items():
            pair = sorted((planes[target] for target in targets if planes[target].any()), key=_centre_column)
            if len(pair) == 2:
                masks[f"right {noun}"], masks[f"left {noun}"] = pair
            elif len(pair) == 1:
                side = "right" if _centre_column(pair[0]) < radiograph.shape[1] / 2 else "left"
                masks[f"{side} {noun}"] = pair[0]
        method, facts = self.name, MaskFacts()
        if self._others is not None:
            other = self._others.segment(radiograph)
            column = planes["Spine"]
            facts = _facts_besides(other, frozenset(masks), bool(column.any()))
            for bone in other.names:
                drawn = other.mask(bone)
                if column.any() and other.site.by_name[bone].group == "Spine":
                    drawn = drawn & column
                masks.setdefault(bone, drawn)
            method = f"{self.name} + {other.method}"
        return replace(BoneMasks.pack(masks, radiograph.shape, CHEST_FRONTAL, method), facts=facts)

    def _planes(self, radiograph: Radiograph) -> dict[str, np.ndarray]:
        """Every target's mask, bool (rows, columns), at the radiograph's size."""
        import cv2
        import torch

        # TorchXRayVision expects [-1024, 1024] at 512 × 512; squashing and stretching back keeps pixel centres aligned.
        small = cv2.resize(radiograph.pixels, (_GRID, _GRID), interpolation=cv2.INTER_AREA)
        batch = torch.from_numpy(small * 2048 - 1024)[None, None].to(self._device)
        with torch.inference_mode():
            probability = torch.sigmoid(self._network(batch))[0].float().cpu().numpy()
        rows, columns = radiograph.shape
        return {
            target: cv2.resize(probability[i], (columns, rows), interpolation=cv2.INTER_LINEAR) > 0.5
            for i, target in enumerate(self._network.targets)
        }


def _facts_besides(other: BoneMasks, mine: frozenset[str], column_cuts: bool) -> MaskFacts:
    """What the other segmenter knows of the bones that it drew; vertebrae cut to this one's column are no longer its masks."""
    facts = other.facts
    cut = frozenset(other.site.groups["Spine"]) if column_cuts else frozenset()
    return MaskFacts(
        confidence={name: value for name, value in facts.confidence.items() if name not in mine | cut},
        left_out={name: why for name, why in facts.left_out.items() if name not in mine},
        trust={name: level for name, level in facts.trust.items() if name not in mine},
    )


def _centre_column(mask: np.ndarray) -> float:
    return float(np.flatnonzero(mask.any(axis=0)).mean())
