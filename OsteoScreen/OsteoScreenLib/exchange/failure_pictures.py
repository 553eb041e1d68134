"""Pictures of single radiographs with what the model looked at beside them, for the list of its worst answers."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from OsteoScreenLib.classifier.classifier import Classifier
from OsteoScreenLib.errors import OsteoScreenError
from OsteoScreenLib.exchange.placing import fit
from OsteoScreenLib.exchange.plate import blend_heat, grey_picture
from OsteoScreenLib.explain.saliency_map import saliency_map
from OsteoScreenLib.radiograph.radiograph import Radiograph

SIDE = 360  # longest side of each of the two pictures
_BETWEEN = 6


def failure_picture(read: Callable[[], Radiograph], classifier: Classifier | None) -> np.ndarray | None:
    """The radiograph, and beside it the same under its heatmap where there is a classifier: uint8 (rows, columns, 3).

    read : gives the radiograph, upright. None when it cannot be read or the model gives no map for it: a list of failures is no
    reason to fail.
    """
    try:
        radiograph = read()
        size, _ = fit((radiograph.pixels.shape[0], radiograph.pixels.shape[1]), SIDE, SIDE)
        plain = np.repeat(grey_picture(radiograph.pixels, size)[..., None], 3, axis=2)
        if classifier is None:
            return plain
        heated = plain.copy()
        blend_heat(heated, saliency_map(classifier, radiograph.pixels).on_radiograph(shape=size))
    except (OsteoScreenError, OSError):
        return None
    gap = np.full((size[0], _BETWEEN, 3), 255, np.uint8)
    return np.concatenate([plain, gap, heated], axis=1)
