"""`saliency_map`: where a classifier looked, by any method of the registry, on any network it can be built from."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from OsteoScreenLib.classifier.classifier import Classifier
from OsteoScreenLib.classifier.preprocess import InputGeometry
from OsteoScreenLib.errors import OsteoScreenError
from OsteoScreenLib.explain.cell_grid import CellGrid
from OsteoScreenLib.explain.network_state import evaluating
from OsteoScreenLib.explain.saliency import NO_SCORE, SaliencyMap
from OsteoScreenLib.explain.saliency_methods import DEFAULT_METHOD, method_for
from OsteoScreenLib.explain.target_score import SCORE, TargetScore


def saliency_map(
    classifier: Classifier,
    pixels: np.ndarray,
    target: str = "osteoporosis",
    method: str = DEFAULT_METHOD,
    progress: Callable[[float], None] | None = None,
) -> SaliencyMap:
    """Where the classifier looked for `target`.

    What is explained is the log-odds of the target's probability (`TargetScore`). Features, attention and gradients are
    computed in full precision on the classifier's device; Score-CAM's many passes run in the classifier's own precision and
    batch shape. The network is left as it was: its modes, its fused attention, its weights' gradients, no hooks.

    Parameters
    ----------
    pixels : float32 (rows, columns) in [0, 1], a radiograph's. target : one of `TARGETS`.
    method : a key of `SALIENCY_METHODS`, or `DEFAULT_METHOD`. progress : called with the share done (0 to 1) by the methods that take long.

    Raises
    ------
    InputError
        An unknown target (code "target"); an unknown method, or one that this network cannot give ("saliency-method").
    OsteoScreenError
        The model's answer or the map is not finite.
    """
    chosen = method_for(method, classifier.network)
    score = TargetScore(classifier, target)
    prepared = classifier.preprocess(pixels[None])

    def draw() -> CellGrid:
        # Imported here: torch and pytorch-grad-cam are slow to import.
        from OsteoScreenLib.explain import attention_maps, class_activation

        with evaluating(classifier.network):
            if chosen.networks == "transformer":
                return attention_maps.draw(chosen, classifier, prepared, score)
            return class_activation.draw(chosen, classifier, prepared, score, progress)

    grid = classifier.with_cpu_fallback(draw)
    if not np.isfinite(grid.values).all():
        raise OsteoScreenError(
            f"{chosen.title} of the model {classifier.model.id} came out with values that are not finite; choose another "
            "saliency method, or verify the model."
        )
    shape = (pixels.shape[0], pixels.shape[1])
    input_to_radiograph = InputGeometry.of(classifier.model.preprocessing, shape).input_to_radiograph
    return SaliencyMap(
        grid=np.ascontiguousarray(np.maximum(grid.values, 0), dtype=np.float32),
        grid_to_radiograph=input_to_radiograph @ grid.to_input,
        radiograph_shape=shape,
        input_to_radiograph=input_to_radiograph,
        input_shape=(prepared.shape[2], prepared.shape[3]),
        target=target,
        score=SCORE if chosen.class_specific else NO_SCORE,
        method=chosen.title,
        layer=grid.layer,
    )
