"""What a console makes of the detector's signal: the grey scale of a clinical radiograph.

A console finds the anatomy and sets its grey scale by it. Here it looks at the lungs between the ribs and at the soft tissue beside the
spine, never at bone, so that the grey scale does not tell how dense the bones are.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

_LUNG_MM = 60.0  # rays that count as lung
_THICK = 0.75  # of the patient's thickness: rays beside the lungs that count as the dense middle and abdomen


@dataclass(frozen=True)
class Console:
    """A way to process.

    lung, dense : grey values that the lungs' and the dense tissue's middle get. curved : a sigmoid characteristic curve instead of a
    straight one (the SIGMOID and LINEAR functions of DICOM PS3.3 C.11.2.1.3). kept : share of the coarse picture's contrast that
    multi-scale processing keeps, and detail : how much it lifts what is finer than `coarse` of the image's longer side.
    """

    lung: float = 0.4
    dense: float = 0.87
    curved: bool = True
    kept: float = 1.0
    detail: float = 1.0
    coarse: float = 0.06


def random_console(rng: np.random.Generator) -> Console:
    """As consoles differ between makers and rooms."""
    processed = bool(rng.random() < 0.6)
    return Console(
        lung=float(rng.uniform(0.46, 0.6)),
        dense=float(rng.uniform(0.86, 0.94)),
        curved=bool(rng.random() < 0.65),
        kept=float(rng.uniform(0.75, 1.0)) if processed else 1.0,
        detail=float(rng.uniform(1.0, 1.12)) if processed else 1.0,
        coarse=float(rng.uniform(0.02, 0.1)),
    )


def on_screen(
    signal: np.ndarray,
    paths_mm: Mapping[str, np.ndarray],
    bones: np.ndarray,
    console: Console,
    reference: np.ndarray | None = None,
) -> np.ndarray:
    """A detector's signal as a radiograph, bone bright, float32 (rows, columns) in [0, 1].

    paths_mm : "lungs" and "body" of the same view. bones : where any bone lies, bool. reference : a signal that sets the grey scale instead.
    """
    import cv2

    depth = -np.log(signal)
    anchors = depth if reference is None else -np.log(reference)
    lung, dense = _anchors(anchors, paths_mm, bones)
    share = (depth - np.float32(lung)) / np.float32(max(dense - lung, 0.2))
    if console.curved:
        low, high = _logit(console.lung), _logit(console.dense)
        image = 1 / (1 + np.exp(-(low + share * np.float32(high - low))))
        # A sigmoid never reaches its ends; what lies beside the patient is black all the same.
        image = (image - np.float32(0.02)) / np.float32(0.97)
    else:
        image = console.lung + share * np.float32(console.dense - console.lung)
    if console.kept < 1 or console.detail > 1:
        coarse = cv2.GaussianBlur(np.clip(image, 0, 1), (0, 0), max(image.shape) * console.coarse)
        image = 0.5 + console.kept * (coarse - 0.5) + console.detail * (image - coarse)
    return np.clip(image, 0, 1).astype(np.float32)


def _anchors(depth: np.ndarray, paths_mm: Mapping[str, np.ndarray], bones: np.ndarray) -> tuple[float, float]:
    """Attenuation depth of the lungs and of dense soft tissue, away from bone; percentiles of everything where there is neither."""
    lungs, body = paths_mm["lungs"], paths_mm["body"]
    airy, thick = (lungs > _LUNG_MM) & ~bones, (lungs < 5) & (body > _THICK * np.percentile(body, 98)) & ~bones
    low = np.median(depth[airy]) if np.count_nonzero(airy) >= 50 else np.percentile(depth, 20)
    high = np.median(depth[thick]) if np.count_nonzero(thick) >= 50 else np.percentile(depth, 85)
    return float(low), float(high)


def _logit(grey: float) -> float:
    return float(np.log(grey / (1 - grey)))
