"""What is asked of a classifier: each class against the rest, and osteopenia or worse against normal."""

from __future__ import annotations

import numpy as np

from OsteoScreenLib.classifier.prediction import members_of, target_probability
from OsteoScreenLib.study.evaluation.predictions import Predictions

OSTEOPOROSIS, LOW_BONE_MASS = "osteoporosis", "low bone mass"
DECIDED = (OSTEOPOROSIS, LOW_BONE_MASS)  # the two questions that have an operating point
ONE_VS_REST = ("normal", "osteopenia", OSTEOPOROSIS)
QUESTIONS = (OSTEOPOROSIS, LOW_BONE_MASS, "osteopenia", "normal")


def score_of(predictions: Predictions, question: str) -> np.ndarray:
    """The probability of what is asked for, float64 (n,)."""
    return target_probability(predictions.probabilities, question)


def truth_of(predictions: Predictions, question: str) -> np.ndarray:
    """Whether it is so, bool (n,)."""
    return np.isin(predictions.label, members_of(question))
