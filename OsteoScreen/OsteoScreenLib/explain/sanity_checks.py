"""All sanity checks of one radiograph: cascading weight randomisation, and deletion and insertion curves, method by method."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from OsteoScreenLib.bones.masks import BoneMasks
from OsteoScreenLib.classifier.classifier import Classifier
from OsteoScreenLib.classifier.prediction import TARGETS
from OsteoScreenLib.errors import InputError, OsteoScreenError
from OsteoScreenLib.explain.curves import CurveCheck, CurveRequest, curves
from OsteoScreenLib.explain.saliency_map import saliency_map
from OsteoScreenLib.explain.saliency_methods import method_for, methods_for
from OsteoScreenLib.explain.sanity import DRAWS, Cascade, weight_cascade

_MAPS, _CASCADE = 0.1, 0.6  # shares of the work, for the progress


@dataclass(frozen=True)
class SanityRequest:
    """methods : keys of `SALIENCY_METHODS`; empty for all that the network can give. draws : random networks, 2 or more for a verdict.

    curves : see `CurveRequest`; its target and seed are those of everything.
    """

    methods: tuple[str, ...] = ()
    draws: int = DRAWS
    curves: CurveRequest = field(default_factory=CurveRequest)


@dataclass(frozen=True)
class MethodSanity:
    """One method on one radiograph. empty : the map is zero everywhere. cascade : see `sanity`. deletion, insertion : see `curves`."""

    method: str
    empty: bool
    cascade: Cascade
    deletion: CurveCheck
    insertion: CurveCheck


@dataclass(frozen=True)
class ImageSanity:
    """probability : of the target, untouched. methods : in the order in which they were asked for."""

    probability: float
    methods: tuple[MethodSanity, ...]


def chosen_methods(classifier: Classifier, request: SanityRequest) -> tuple[str, ...]:
    """The methods that a request asks for. Raises `InputError` for one that there is not, or that the network cannot give."""
    asked = (method_for(method, classifier.network).key for method in request.methods)
    return tuple(dict.fromkeys(asked)) or methods_for(classifier.network)


def check_image(
    classifier: Classifier,
    pixels: np.ndarray,
    request: SanityRequest | None = None,
    masks: BoneMasks | None = None,
    progress: Callable[[float, str], None] | None = None,
) -> ImageSanity:
    """Check every method on one radiograph.

    Parameters
    ----------
    pixels : float32 (rows, columns) in [0, 1]. masks : bones, for fills that leave them out of what they paint with.
    progress : called with the share done, 0 to 1, and a few words.

    Raises
    ------
    InputError
        Wrong options, in one sentence.
    OsteoScreenError
        The model's answer is not finite, or the device gave out: numbers of two devices are not put side by side.
    """
    request = request or SanityRequest()
    tell = progress or (lambda _share, _words: None)
    target, seed = request.curves.target, request.curves.seed
    if target not in TARGETS:
        raise InputError(f"There is no target called '{target}'; choose one of {', '.join(TARGETS)}.", code="target")
    methods = chosen_methods(classifier, request)
    place = (classifier.device.type, classifier.precision)
    tell(0.0, "computing heatmaps")
    maps = [saliency_map(classifier, pixels, target, method) for method in methods]
    checked = curves(
        classifier,
        pixels,
        maps,
        request.curves,
        masks,
        lambda share: tell(_MAPS + (1 - _MAPS - _CASCADE) * share, "deleting and inserting pixels"),
    )
    cascades = weight_cascade(
        classifier,
        pixels,
        target,
        methods,
        request.draws,
        seed,
        originals=maps,
        progress=lambda share: tell(1 - _CASCADE + _CASCADE * share, "drawing weights anew"),
    )
    if (classifier.device.type, classifier.precision) != place:
        raise OsteoScreenError(
            f"The {place[0]} device ran out of memory; close other programs and run the command again, or choose --device cpu."
        )
    found = [
        MethodSanity(method, saliency.is_empty, cascade, deletion, insertion)
        for method, saliency, cascade, (deletion, insertion) in zip(methods, maps, cascades, checked, strict=True)
    ]
    return ImageSanity(found[0].deletion.curve.probabilities[0], tuple(found))
