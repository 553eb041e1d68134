"""Calibration, operating points and figures of a classifier on developed radiographs with known classes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


def softmax(logits: np.ndarray, temperature: float = 1.0) -> np.ndarray:
    """Probabilities (n, classes) from logits (n, classes)."""
    scaled = logits / temperature
    raised = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    return raised / raised.sum(axis=1, keepdims=True)


def best_temperature(logits: np.ndarray, labels: np.ndarray) -> float:
    """The temperature with the least cross-entropy (Guo et al. 2017), by search on a fine grid."""
    grid = np.exp(np.linspace(np.log(0.2), np.log(5), 200))
    rows = np.arange(len(labels))
    losses = [-np.log(np.maximum(softmax(logits, t)[rows, labels], 1e-12)).mean() for t in grid]
    return round(float(grid[int(np.argmin(losses))]), 4)


def youden(scores: np.ndarray, positive: np.ndarray) -> float:
    """The threshold with the largest sensitivity + specificity - 1, midway to the next score below it."""
    from sklearn.metrics import roc_curve

    false_rate, true_rate, thresholds = roc_curve(positive, scores, drop_intermediate=False)
    best = int(np.argmax((true_rate - false_rate)[1:])) + 1
    below = thresholds[best + 1] if best + 1 < len(thresholds) else thresholds[best]
    return float(np.clip((thresholds[best] + below) / 2, 1e-4, 1 - 1e-4))


@dataclass(frozen=True)
class ClassifierFigures:
    """On one split. AUCs pooled over bodies and averaged within bodies; decisions counted at the operating points.

    confusion : rows true class, columns decided class, int (3, 3).
    """

    images: int
    bodies: int
    osteoporosis: float
    low_bone_mass: float
    osteoporosis_within: float
    low_bone_mass_within: float
    log_loss: float
    confusion: np.ndarray

    def row(self, name: str) -> str:
        """A row of a Markdown table."""
        return (
            f"| {name} | {self.images} ({self.bodies}) | {self.osteoporosis:.3f} | {self.low_bone_mass:.3f} | "
            f"{self.osteoporosis_within:.3f} | {self.low_bone_mass_within:.3f} | {self.log_loss:.3f} |"
        )


TABLE_HEAD = (
    "| split | images (bodies) | AUC osteoporosis | AUC low bone mass | within bodies: osteoporosis | low bone mass | log loss |\n"
    "|---|---|---|---|---|---|---|"
)


def classifier_figures(
    probabilities: np.ndarray, labels: np.ndarray, bodies: np.ndarray, points: tuple[float, float]
) -> ClassifierFigures:
    """Figures from probabilities (n, 3), labels (n,) in 0..2, the body of each image (n,), and (osteoporosis, low bone mass) points."""
    from sklearn.metrics import roc_auc_score

    worst, low = probabilities[:, 2], probabilities[:, 1:].sum(axis=1)

    def within(scores: np.ndarray, positive: np.ndarray) -> float:
        aucs = [roc_auc_score(positive[bodies == b], scores[bodies == b]) for b in np.unique(bodies)]
        return float(np.mean(aucs))

    decided = np.where(worst >= points[0], 2, np.where(low >= points[1], 1, 0))
    confusion = np.zeros((3, 3), int)
    np.add.at(confusion, (labels, decided), 1)
    return ClassifierFigures(
        len(labels),
        len(np.unique(bodies)),
        float(roc_auc_score(labels == 2, worst)),
        float(roc_auc_score(labels >= 1, low)),
        within(worst, labels == 2),
        within(low, labels >= 1),
        float(-np.log(np.maximum(probabilities[np.arange(len(labels)), labels], 1e-12)).mean()),
        confusion,
    )
