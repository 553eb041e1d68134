"""Label randomisation: a saliency map that tells of what a model has learnt differs from that of a model that could learn nothing.

Adebayo et al. 2018 (arXiv 1810.03292), the data randomisation test: a second model of the same kind is trained on the same
radiographs with labels that say nothing about them. Where its maps are like the model's own, they come from the images, or from
the training's other habits, and not from what the labels tell.

The second model is the researcher's to train, with his own recipe and shuffled labels; `train_label_randomised` does it for recipes
that have the switch, as that of the embedded classifier has (`osteoscreen train-embedded classifier --shuffle-labels`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from OsteoScreenLib.bundle import Bundle
from OsteoScreenLib.classifier.classifier import Classifier
from OsteoScreenLib.errors import InputError
from OsteoScreenLib.explain.map_similarity import MeanInterval, Similarity, compare_maps, mean_interval
from OsteoScreenLib.explain.saliency_map import saliency_map
from OsteoScreenLib.explain.sanity import Sensitivity, sensitivity_of, sentence_on

if TYPE_CHECKING:
    import numpy as np


class Recipe(Protocol):
    """A frozen dataclass of training options with a switch for labels that say nothing."""

    @property
    def shuffled_labels(self) -> bool:
        """Whether images keep a label that was drawn by lot."""


AnyRecipe = TypeVar("AnyRecipe", bound=Recipe)


def train_label_randomised(train: Callable[[AnyRecipe], Bundle], recipe: AnyRecipe, **changes: Any) -> Bundle:
    """The same training with shuffled labels. changes : of further fields, such as the folder that the bundle goes to."""
    wanted: Any = recipe
    return train(replace(wanted, shuffled_labels=True, **changes))


@dataclass(frozen=True)
class LabelComparison:
    """One method over several images.

    similarities : of the model's map with that of the label-randomised model, for each image; None where the model's own map is
    flat.
    """

    method: str
    similarities: tuple[Similarity | None, ...]

    @property
    def found(self) -> MeanInterval | None:
        """The mean rank correlation over the images with its interval; None for fewer than two."""
        return mean_interval([one.spearman for one in self.similarities if one is not None])

    @property
    def sensitivity(self) -> Sensitivity:
        """Whether the maps depend on what the labels tell; see `explain.sanity`."""
        return sensitivity_of(self.found)

    @property
    def sentence(self) -> str:
        """The same in words, with the numbers."""
        return sentence_on(self.found, "a model trained on shuffled labels")


def check_pair(classifier: Classifier, randomised: Classifier) -> None:
    """Raises `InputError` when the two are the same model or no pair: another network, or other input."""
    model, other = classifier.model, randomised.model
    if model.bundle.weights_sha256 == other.bundle.weights_sha256:
        raise InputError(
            f"The bundle {other.id} has the very weights of {model.id}; give the one that was trained on shuffled labels.",
            code="random-labels",
        )
    if (model.architecture.name, model.preprocessing) != (other.architecture.name, other.preprocessing):
        raise InputError(
            f"The bundles {model.id} and {other.id} differ in network or input, so that their maps differ for that reason alone; "
            "train the second one with the same recipe.",
            code="random-labels",
        )


def compare_labels(
    classifier: Classifier,
    randomised: Classifier,
    images: Sequence[np.ndarray],
    target: str,
    methods: Sequence[str],
    progress: Callable[[float], None] | None = None,
) -> tuple[LabelComparison, ...]:
    """The maps of both models on each radiograph, float32 (rows, columns), by each method. Raises as `check_pair` does."""
    check_pair(classifier, randomised)
    found: dict[str, list[Similarity | None]] = {method: [] for method in methods}
    for number, pixels in enumerate(images, 1):
        for method in methods:
            own, other = (saliency_map(one, pixels, target, method) for one in (classifier, randomised))
            found[method].append(compare_maps(own, other))
        if progress is not None:
            progress(number / len(images))
    return tuple(LabelComparison(method, tuple(values)) for method, values in found.items())
