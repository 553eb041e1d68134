"""What a console makes of the detector's signal: the grey scale of a clinical radiograph.

A console finds the anatomy and sets its grey scale by it. Here it looks at the lungs between the ribs and at the soft tissue beside the
spine, never at bone, so that the grey scale does not tell how dense the bones are. A picture that comes out too dark, too bright or too
flat all the same is brought back, again by what is not bone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

_SKIN_MM = 20.0  # rays through less of the patient are not looked at
_LUNG_MM = 60.0  # rays that count as lung
_THICK = 0.75  # of the patient's thickness: rays beside the lungs that count as the dense middle and abdomen
# The share of the patient without bone that is darker → the grey values it may have.
_HELD = {0.1: (0.18, 0.5), 0.6: (0.54, 0.71), 0.9: (0.72, 0.93)}


@dataclass(frozen=True)
class Console:
    """A way to process.

    lung, dense : grey values that the lungs' and the dense tissue's middle get on a sigmoid characteristic curve (DICOM PS3.3
    C.11.2.1.3.1), before the picture is held within `_HELD`. kept : share of the coarse picture's contrast that
    multi-scale processing keeps, and detail : how much it lifts what is finer than `coarse` of the image's longer side.
    """

    lung: float = 0.54
    dense: float = 0.89
    kept: float = 1.0
    detail: float = 1.0
    coarse: float = 0.06


def random_console(rng: np.random.Generator) -> Console:
    """As consoles differ between makers and rooms."""
    processed = bool(rng.random() < 0.6)
    return Console(
        lung=float(rng.uniform(0.5, 0.58)),
        dense=float(rng.uniform(0.86, 0.92)),
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
    depth = -np.log(signal)
    scale = depth if reference is None else -np.log(reference)
    anchors = _anchors(scale, paths_mm, bones)
    image = _processed(depth, anchors, console)
    as_scaled = image if reference is None else _processed(scale, anchors, console)
    return _held(image, as_scaled, (paths_mm["body"] > _SKIN_MM) & ~bones)


def _processed(depth: np.ndarray, anchors: tuple[float, float], console: Console) -> np.ndarray:
    """Attenuation depth on the characteristic curve through both anchors, then multi-scale processing, float32 in [0, 1]."""
    import cv2

    share = (depth - np.float32(anchors[0])) / np.float32(max(anchors[1] - anchors[0], 0.2))
    low, high = _logit(console.lung), _logit(console.dense)
    image = 1 / (1 + np.exp(-(low + share * np.float32(high - low))))
    # A sigmoid never reaches its ends; what lies beside the patient is black all the same.
    image = (image - np.float32(0.02)) / np.float32(0.97)
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


def _held(image: np.ndarray, as_scaled: np.ndarray, patient: np.ndarray) -> np.ndarray:
    """The image on a smooth rising curve that brings the patient's grey values in `as_scaled`, away from bone, within `_HELD`."""
    from scipy.interpolate import PchipInterpolator

    if np.count_nonzero(patient) < 50:
        return image
    found = np.quantile(as_scaled[patient], list(_HELD))
    wanted = [min(max(value, low), high) for value, (low, high) in zip(found, _HELD.values(), strict=True)]
    if np.array_equal(found, wanted) or np.any(np.diff([0, *found, 1]) < 1e-3):
        return image
    return np.asarray(PchipInterpolator([0, *found, 1], [0, *wanted, 1])(image), np.float32)


def _logit(grey: float) -> float:
    return float(np.log(grey / (1 - grey)))
