"""Calibration, operating points and figures of a classifier on developed radiographs with known classes."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from OsteoScreenLib.classifier.prediction import OperatingPoints
from OsteoScreenLib.files import write_text
from OsteoScreenLib.study.point_performance import confusion_at


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
    """`youden_threshold`, kept away from 0 and 1."""
    from OsteoScreenLib.study.evaluation.operating_points import youden_threshold

    return float(np.clip(youden_threshold(scores, positive), 1e-4, 1 - 1e-4))


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


@dataclass(frozen=True)
class Interval:
    """A figure with a 95 % interval by resampling whole clusters."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.3f} ({self.low:.3f} to {self.high:.3f})"

    @property
    def excludes_chance(self) -> bool:
        """The interval of an AUC does not hold 0.5."""
        return not self.low <= 0.5 <= self.high


def auc_interval(scores: np.ndarray, positive: np.ndarray, clusters: np.ndarray, draws: int = 1000, seed: int = 0) -> Interval:
    """AUC of scores (n,), percentile interval from drawing clusters (n,) with replacement (Efron and Tibshirani 1993)."""
    from sklearn.metrics import roc_auc_score

    rng = np.random.default_rng(seed)
    members = [np.flatnonzero(clusters == name) for name in np.unique(clusters)]
    values = []
    for _ in range(draws):
        chosen = np.concatenate([members[i] for i in rng.integers(len(members), size=len(members))])
        if 0 < positive[chosen].sum() < len(chosen):
            values.append(roc_auc_score(positive[chosen], scores[chosen]))
    low, high = np.percentile(values, [2.5, 97.5])
    return Interval(float(roc_auc_score(positive, scores)), float(low), float(high))


def classifier_figures(
    probabilities: np.ndarray, labels: np.ndarray, bodies: np.ndarray, points: tuple[float, float]
) -> ClassifierFigures:
    """Figures from probabilities (n, 3), labels (n,) in 0..2, the body of each image (n,), and (osteoporosis, low bone mass) points."""
    from sklearn.metrics import roc_auc_score

    worst, low = probabilities[:, 2], probabilities[:, 1:].sum(axis=1)

    def within(scores: np.ndarray, positive: np.ndarray) -> float:
        aucs = [roc_auc_score(positive[bodies == b], scores[bodies == b]) for b in np.unique(bodies)]
        return float(np.mean(aucs))

    confusion = confusion_at(probabilities, labels, OperatingPoints(*points))
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


@dataclass(frozen=True)
class Measured:
    """AUCs of one way to develop. osteoporosis : against the rest. low_bone_mass : against normal."""

    name: str
    images: int
    bodies: int
    osteoporosis: Interval
    low_bone_mass: Interval

    def row(self) -> str:
        """A row of a Markdown table."""
        return f"| {self.name} | {self.images} ({self.bodies}) | {self.osteoporosis} | {self.low_bone_mass} |"


MEASURED_HEAD = (
    "| | images (bodies) | AUC osteoporosis (95 % interval) | AUC low bone mass (95 % interval) |\n|---|---|---|---|"
)


@dataclass(frozen=True)
class LeftOut:
    """A source of anatomy that a shorter run never saw: its name, the run's steps, and the figures on that source alone."""

    source: str
    steps: int
    within_bodies: float
    measured: tuple[Measured, ...]


def keep_figures(work: Path, source: str, steps: int, figures: ClassifierFigures, measured: tuple[Measured, ...]) -> Path:
    """Write what a run without `source` gave into the work folder."""
    left = LeftOut(source, steps, figures.osteoporosis_within, measured)
    return write_text(_figures_folder(work) / f"classifier-without-{source}.json", json.dumps(asdict(left), indent=2) + "\n")


def kept_figures(work: Path) -> tuple[LeftOut, ...]:
    """What runs without a source gave, by the sources' names."""
    found = []
    for path in sorted(_figures_folder(work).glob("classifier-without-*.json")):
        held = json.loads(path.read_text(encoding="utf-8"))
        rows = [
            Measured(
                one["name"], one["images"], one["bodies"], Interval(**one["osteoporosis"]), Interval(**one["low_bone_mass"])
            )
            for one in held["measured"]
        ]
        found.append(LeftOut(held["source"], held["steps"], held["within_bodies"], tuple(rows)))
    return tuple(found)


def _figures_folder(work: Path) -> Path:
    folder = work / "figures"
    folder.mkdir(parents=True, exist_ok=True)
    return folder
