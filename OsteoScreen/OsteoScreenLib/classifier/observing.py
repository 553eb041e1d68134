"""All that a model's bundle can tell of radiographs, from one forward pass: probabilities, input check, expected T-score."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from OsteoScreenLib.classifier.devices import batch_size
from OsteoScreenLib.classifier.domain import Domain, watched
from OsteoScreenLib.classifier.head import before_head

if TYPE_CHECKING:
    import torch

    from OsteoScreenLib.classifier.classifier import Classifier


@dataclass(frozen=True, eq=False)
class Observed:
    """Of n images. probabilities : float64 (n, 3). domains : one each; none where the bundle has no input check.

    expected_t : expected T-scores float64 (n,); empty where the bundle has no regression to them.
    """

    probabilities: np.ndarray
    domains: tuple[Domain, ...]
    expected_t: np.ndarray


@contextmanager
def observing(classifier: Classifier) -> Iterator[Callable[[list[torch.Tensor]], list[Observed]]]:
    """Inside it, the callable gives what is observed of prepared inputs, each (1, channels, rows, columns), batch by batch.

    Raises `InputError` when the bundle's input check, or its T-score, does not fit the network.
    """
    check, head = classifier.domain_check, classifier.t_score_head
    with ExitStack() as stack:
        stages = stack.enter_context(watched(classifier.network, check.layers)) if check is not None else None
        features = stack.enter_context(before_head(classifier.network)) if head is not None else None

        def look(inputs: list[torch.Tensor]) -> list[Observed]:
            parts: list[Observed] = []
            while inputs:
                few = inputs[: batch_size(classifier.device)]
                probabilities = classifier.probabilities_of(few)
                if batch_size(classifier.device) < len(few):
                    continue  # the device ran out of memory on the way: the processor takes fewer at a time
                domains: tuple[Domain, ...] = ()
                if check is not None and stages is not None:
                    domains = tuple(check.judge(one.astype(np.float64)) for one in stages()[: len(few)])
                expected = np.empty(0)
                if head is not None and features is not None:
                    expected = head.expected(features().cpu().numpy()[: len(few)])
                parts.append(Observed(probabilities, domains, expected))
                inputs = inputs[len(few) :]
            return parts

        yield look
