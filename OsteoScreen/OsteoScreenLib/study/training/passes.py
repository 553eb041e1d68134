"""Forward passes over cached images: logits, what the head reads, and the statistics that the input check looks at."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from OsteoScreenLib.classifier.devices import Precision, running
from OsteoScreenLib.classifier.domain import stages_of, watched
from OsteoScreenLib.classifier.full_head import full_head
from OsteoScreenLib.classifier.head import before_head
from OsteoScreenLib.classifier.preprocess import PreprocessSpec
from OsteoScreenLib.study.training.batches import Normaliser, Reading
from OsteoScreenLib.study.training.image_cache import CachedImages

# Images a forward pass; on a processor few, so that activations stay in its cache.
BATCH_ON_CPU, BATCH_ON_GPU = 8, 64


@dataclass(frozen=True, eq=False)
class Seen:
    """What a network made of n images. places : in the cohort (n,). logits : float64 (n, 3). features : what the head reads,
    float32 (n, d). stages : statistics for the input check, float32 (n, s); s is 0 where they were not asked for."""

    places: np.ndarray
    logits: np.ndarray
    features: np.ndarray
    stages: np.ndarray


@dataclass(frozen=True, eq=False)
class Looking:
    """How images are shown to networks: where, in which number format, and as what input."""

    images: CachedImages
    spec: PreprocessSpec
    device: torch.device
    precision: Precision

    @property
    def batch(self) -> int:
        """Images a forward pass."""
        return BATCH_ON_CPU if self.device.type == "cpu" else BATCH_ON_GPU

    def inputs(self, places: np.ndarray) -> Iterator[tuple[np.ndarray, torch.Tensor]]:
        """(places, input on the device) of each batch in turn."""
        reading = Reading(self.images, pinned=self.device.type == "cuda")
        ready = Normaliser(self.spec)
        for few, pixels in reading([places[start : start + self.batch] for start in range(0, len(places), self.batch)]):
            yield few, ready.normalised(ready.grey(pixels, self.device))

    def logits(self, network: nn.Module, places: np.ndarray) -> np.ndarray:
        """Logits float64 (n, 3) of some rows' images; the network is left in evaluation mode."""
        network.eval()
        found = []
        with torch.inference_mode(), running(self.device, self.precision), full_head(network, self.device.type):
            for _, inputs in self.inputs(places):
                found.append(network(inputs).float())
        return torch.cat(found).double().cpu().numpy() if found else np.zeros((0, 3))

    def look(
        self, network: nn.Module, places: np.ndarray, stages: bool = False, tell: Callable[[int], None] | None = None
    ) -> Seen:
        """All of `Seen` in one pass. stages : for the input check too. tell : called with the number of images done."""
        network.eval()
        logits, features, statistics = [], [], []
        layers = stages_of(network) if stages else ()
        with ExitStack() as stack:
            stack.enter_context(torch.inference_mode())
            stack.enter_context(running(self.device, self.precision))
            stack.enter_context(full_head(network, self.device.type))
            before = stack.enter_context(before_head(network))
            stage = stack.enter_context(watched(network, layers)) if layers else None
            done = 0
            for few, inputs in self.inputs(places):
                logits.append(network(inputs).float().cpu())
                features.append(before().cpu())
                if stage is not None:
                    statistics.append(stage())
                done += len(few)
                if tell is not None:
                    tell(done)
        n = len(places)
        return Seen(
            places,
            torch.cat(logits).double().numpy() if logits else np.zeros((0, 3)),
            torch.cat(features).numpy() if features else np.zeros((0, 0), np.float32),
            np.concatenate(statistics).astype(np.float32) if statistics else np.zeros((n, 0), np.float32),
        )
