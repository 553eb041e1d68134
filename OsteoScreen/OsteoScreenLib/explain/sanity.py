"""Cascading weight randomisation: a saliency map that tells of what a network has learnt must change when that is taken away.

Adebayo et al., "Sanity checks for saliency maps", NeurIPS 2018 (arXiv 1810.03292): the layers' weights are drawn anew one after
another, from the answer down to the image, and after each the map is compared with the original. A map that stays the same comes
from the image and the network's shape, not from anything learnt. What random weights give differs from draw to draw, so the
cascade is repeated, and the mean similarity is given with its interval. The verdict goes by the last stage, where nothing learnt is
left; how fast the similarity falls on the way depends on the network as much as on the method (Binder et al., CVPR 2023,
"Shortcomings of top-down randomization-based sanity checks"), and is only shown.

The classifier's network is never touched: a copy of it is randomised.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from OsteoScreenLib.classifier.classifier import Classifier
from OsteoScreenLib.errors import InputError, OsteoScreenError
from OsteoScreenLib.explain.map_similarity import MeanInterval, Similarity, compare_maps, mean_interval
from OsteoScreenLib.explain.saliency import SaliencyMap
from OsteoScreenLib.explain.saliency_map import saliency_map
from OsteoScreenLib.explain.saliency_methods import method_for

Sensitivity = Literal["sensitive", "insensitive", "cannot tell"]
DRAWS = 10  # cascades: with fewer, intervals are seldom narrower than the whole scale
MOST_DRAWS = 200
# A mean rank correlation of 0.5 with maps of networks that have learnt nothing means that a quarter of the variance of the map's
# ranks is there without learning. Where that much may be so, the map is not taken for evidence about the model.
ALIKE = 0.5


@dataclass(frozen=True)
class Cascade:
    """One method on one image.

    method : its key. stages : the layers that are drawn anew, from the top; at each, all those before it are random as well.
    similarities : by stage, then draw; empty when the original map is flat, so that there is nothing to compare.
    """

    method: str
    stages: tuple[str, ...]
    similarities: tuple[tuple[Similarity, ...], ...]

    def mean_spearman(self, stage: int) -> float:
        """The mean rank correlation over the draws."""
        return float(np.mean([one.spearman for one in self.similarities[stage]]))

    def mean_ssim(self, stage: int) -> float | None:
        """The mean structural similarity over the draws; None where it was not computed."""
        values = [one.ssim for one in self.similarities[stage] if one.ssim is not None]
        return float(np.mean(values)) if values else None

    @property
    def without_learning(self) -> MeanInterval | None:
        """Rank correlation with maps of wholly random networks: mean and interval; None without a map, or with a single draw."""
        return mean_interval([one.spearman for one in self.similarities[-1]]) if self.similarities else None

    @property
    def sensitivity(self) -> Sensitivity:
        """Whether the map depends on what was learnt: by the interval of `without_learning` and `ALIKE`."""
        return sensitivity_of(self.without_learning)

    @property
    def sentence(self) -> str:
        """The same in words, with the numbers."""
        return sentence_on(self.without_learning, "networks whose weights are random")


def sensitivity_of(found: MeanInterval | None) -> Sensitivity:
    """Sensitive when the whole interval of the mean rank correlation lies below `ALIKE`, insensitive when it lies above."""
    if found is None or found.low <= ALIKE <= found.high:
        return "cannot tell"
    return "sensitive" if found.high < ALIKE else "insensitive"


def sentence_on(found: MeanInterval | None, of_whom: str) -> str:
    """What the interval means. of_whom : whose maps the map was compared with."""
    if found is None:
        return "Cannot tell whether the map depends on what was learnt: it is the same everywhere, or was compared only once."
    numbers = (
        f"mean rank correlation with the maps of {of_whom} {found.mean:.2f} (95 % interval {found.low:.2f} to {found.high:.2f}, "
        f"{found.of} comparisons; limit {ALIKE:g})"
    )
    return {
        "sensitive": f"The map depends on what was learnt: {numbers}.",
        "insensitive": f"The map does not depend on what was learnt, so it says nothing about the model: {numbers}.",
        "cannot tell": f"Cannot tell whether the map depends on what was learnt: {numbers}.",
    }[sensitivity_of(found)]


def weight_cascade(
    classifier: Classifier,
    pixels: np.ndarray,
    target: str = "osteoporosis",
    methods: Sequence[str] = ("grad-cam",),
    draws: int = DRAWS,
    seed: int = 0,
    every_layer: bool = True,
    originals: Sequence[SaliencyMap] | None = None,
    progress: Callable[[float], None] | None = None,
) -> tuple[Cascade, ...]:
    """The cascade of each method on one radiograph. The same arguments give the same numbers on one device.

    Parameters
    ----------
    pixels : float32 (rows, columns) in [0, 1]. methods : keys of `SALIENCY_METHODS`. draws : cascades, 1 to 200. seed : of the
    draws. every_layer : False for the last stage alone, which is all that the verdict needs. originals : the methods' maps, where
    they are there already. progress : called with the share done, 0 to 1.

    Raises
    ------
    InputError
        An unknown target or method, a method that the network cannot give, a number of draws that is out of range.
    OsteoScreenError
        The model's own map is not finite. (A random network's that is not counts as a map unlike the original.)
    """
    from OsteoScreenLib.explain.weight_layers import draw_anew, weight_layers

    if not 1 <= draws <= MOST_DRAWS:
        raise InputError(f"The number of random networks must be from 1 to {MOST_DRAWS}.", code="option")
    for method in methods:
        method_for(method, classifier.network)
    import torch

    tell = progress or (lambda _share: None)
    originals = originals or [saliency_map(classifier, pixels, target, method) for method in methods]
    # A copy on the same device; the classifier that holds it is left to fall back to the processor on its own.
    random = Classifier(classifier.model, copy.deepcopy(classifier.network), classifier.device, classifier.precision)
    learnt = {name: weights.detach().clone() for name, weights in random.network.named_parameters()}
    layers = weight_layers(random.network, classifier.preprocess(pixels[None]).to(classifier.device))
    stages = layers if every_layer else layers[-1:]
    found: list[list[list[Similarity]]] = [[[] for _ in stages] for _ in methods]
    steps, done = draws * len(stages) * len(methods), 0
    for draw in range(draws):
        generator = torch.Generator().manual_seed(_seed_of(seed, draw))
        with torch.no_grad():
            for name, weights in random.network.named_parameters():
                weights.copy_(learnt[name])
        for layer in layers:
            draw_anew(random.network, layer, generator)
            if layer not in stages:
                continue
            for place, (method, original) in enumerate(zip(methods, originals, strict=True)):
                similarity = _against(original, random, pixels, target, method)
                if similarity is not None:
                    found[place][stages.index(layer)].append(similarity)
                done += 1
                tell(done / steps)
    names = tuple(layer.name for layer in stages)
    return tuple(
        Cascade(method, names, tuple(map(tuple, by_stage)) if by_stage[0] else ())
        for method, by_stage in zip(methods, found, strict=True)
    )


def _against(original: SaliencyMap, random: Classifier, pixels: np.ndarray, target: str, method: str) -> Similarity | None:
    try:
        return compare_maps(original, saliency_map(random, pixels, target, method))
    except InputError:
        raise
    except OsteoScreenError:
        return Similarity(0.0, 0.0)  # its scores are no numbers


def _seed_of(seed: int, draw: int) -> int:
    return int(np.random.SeedSequence([seed, draw]).generate_state(1, np.uint64)[0] >> np.uint64(1))
