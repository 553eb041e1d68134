"""Classes that are not equally common: weights of the loss, and the way back to the cohort's own frequencies."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from OsteoScreenLib.study.training.options import Imbalance


@dataclass(frozen=True, eq=False)
class Balance:
    """weights : of each class in the loss, mean 1 over the training images, float64 (3,).

    offset : added to the logits, so that probabilities are those where classes are as common as in training, float64 (3,). Weighing
    or drawing classes equally teaches a network that they are equally common; the logarithm of their frequencies corrects that
    (Saerens et al. 2002, doi 10.1162/089976602753284446).
    """

    weights: np.ndarray
    offset: np.ndarray

    @classmethod
    def of(cls, counts: np.ndarray, imbalance: Imbalance) -> Balance:
        """From the training images of each class, int (3,), none of them 0."""
        share = counts / counts.sum()
        even = 1 / (len(counts) * share)
        weights = even if imbalance == "weights" else np.ones(len(counts))
        offset = np.zeros(len(counts)) if imbalance == "none" else np.log(share) - np.log(share).mean()
        return cls(weights, offset)
