"""Grad-CAM (Selvaraju et al. 2017), the default among the saliency methods."""

from __future__ import annotations

import numpy as np

from OsteoScreenLib.classifier.classifier import Classifier
from OsteoScreenLib.explain.saliency import SaliencyMap
from OsteoScreenLib.explain.saliency_map import saliency_map


def grad_cam(classifier: Classifier, pixels: np.ndarray, target: str = "osteoporosis") -> SaliencyMap:
    """Where the classifier looked for `target`: `saliency_map` with the method "grad-cam"."""
    return saliency_map(classifier, pixels, target, "grad-cam")
