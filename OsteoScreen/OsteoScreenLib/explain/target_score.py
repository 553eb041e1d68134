"""The number that is explained: the log-odds of the target's probability."""

from __future__ import annotations

from typing import TYPE_CHECKING

from OsteoScreenLib.classifier.classifier import Classifier
from OsteoScreenLib.classifier.prediction import TARGETS, members_of
from OsteoScreenLib.errors import InputError, OsteoScreenError

if TYPE_CHECKING:
    import torch

SCORE = "log-odds of the target's probability"


class TargetScore:
    """Logits (…, 3) → log-odds (…) of the classes that the target adds up, against the others.

    Its gradient points where the probability's does, but does not vanish when the probability is near 0 or 1.
    Raises `InputError` for a target that is not one of `TARGETS`; a call raises `OsteoScreenError` when a score is not finite.
    """

    def __init__(self, classifier: Classifier, target: str) -> None:
        if target not in TARGETS:
            raise InputError(f"There is no target called '{target}'; choose one of {', '.join(TARGETS)}.", code="target")
        self._model = classifier.model.id
        self._temperature = classifier.model.temperature
        self._wanted = list(members_of(target))
        self._others = [index for index in range(3) if index not in self._wanted]

    def __call__(self, logits: torch.Tensor) -> torch.Tensor:
        import torch

        scaled = logits.float() / self._temperature
        score = torch.logsumexp(scaled[..., self._wanted], -1) - torch.logsumexp(scaled[..., self._others], -1)
        if not torch.isfinite(score).all():
            raise OsteoScreenError(
                f"The model {self._model} gave no finite probability for this image, so nothing can be explained; "
                "verify the model or choose another one."
            )
        return score
