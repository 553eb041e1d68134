"""The comparison's figures: AUC against what saliency and covering say of bone, and ROC curves. Drawn without a display."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from OsteoScreenLib.files import write_bytes
from OsteoScreenLib.study.classifier_figures import Interval
from OsteoScreenLib.study.comparison.plan import FAMILIES, TUNINGS
from OsteoScreenLib.study.training.options import Tuning

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe and Ito's colours, which readers with any colour vision tell apart; the tuning has a shape besides.
COLOURS: Mapping[str, str] = {"openclip": "#0072B2", "dinov2": "#D55E00", "chexagent": "#009E73", "raddino": "#CC79A7"}
MARKERS: Mapping[str, str] = {"linear": "o", "partial": "s", "lora": "^"}
LINES: Mapping[str, str] = {"linear": ":", "partial": "--", "lora": "-"}
_DPI = 160


@dataclass(frozen=True)
class Point:
    """One model in the plane: x an explainability measure, y its AUC."""

    family: str
    tuning: Tuning
    x: Interval
    auc: Interval


@dataclass(frozen=True)
class Curve:
    """One model's ROC curve with the operating point that its bundle uses, as (1 − specificity, sensitivity)."""

    family: str
    tuning: Tuning
    scores: np.ndarray
    positive: np.ndarray
    operating: tuple[float, float] | None


def write_against(path: Path, points: Sequence[Point], measure: str, title: str) -> Path:
    """Write AUC against one measure as PNG, bars over both 95 % intervals. measure : the words of the x axis."""
    figure, (axes,) = _canvas(1, (6.4, 4.8))
    for point in points:
        axes.errorbar(
            point.x.value,
            point.auc.value,
            xerr=_bar(point.x),
            yerr=_bar(point.auc),
            fmt=MARKERS[point.tuning],
            color=COLOURS[point.family],
            ms=7,
            lw=0.8,
            alpha=0.9,
            mec="white",
            mew=0.8,
        )
    axes.axhline(0.5, color="#777777", lw=0.8, ls=(0, (1, 3)))
    axes.set_xlabel(measure)
    axes.set_ylabel("AUC, osteoporosis against the rest")
    axes.set_title(title, fontsize=10, loc="left")
    _legend(axes, {point.family for point in points}, {point.tuning for point in points})
    return _save(path, figure)


def write_roc(path: Path, curves: Sequence[Curve], title: str) -> Path:
    """Write the ROC curves as PNG, one panel a family, the operating points as marks."""
    from sklearn.metrics import roc_auc_score, roc_curve

    families = [family for family in FAMILIES if any(curve.family == family for curve in curves)]
    figure, panels = _canvas(len(families), (3.4 * len(families), 3.7))
    for axes, family in zip(panels, families, strict=True):
        axes.plot([0, 1], [0, 1], color="#777777", lw=0.8, ls=(0, (1, 3)))
        for curve in (one for one in curves if one.family == family):
            false_rate, true_rate, _ = roc_curve(curve.positive, curve.scores, drop_intermediate=False)
            auc = roc_auc_score(curve.positive, curve.scores)
            words = f"{TUNINGS[curve.tuning]}, AUC {auc:.2f}"
            axes.plot(false_rate, true_rate, color=COLOURS[family], ls=LINES[curve.tuning], lw=1.5, label=words)
            if curve.operating is not None:
                axes.plot(*curve.operating, MARKERS[curve.tuning], color=COLOURS[family], ms=6, mec="white", mew=0.8)
        axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), aspect="equal")
        axes.set_title(FAMILIES[family], fontsize=10)
        axes.set_xlabel("1 − specificity")
        axes.legend(fontsize=7, loc="lower right", frameon=False, handlelength=2.6)
    panels[0].set_ylabel("sensitivity")
    figure.suptitle(title, fontsize=10, x=0.01, ha="left")
    return _save(path, figure)


def _canvas(panels: int, size: tuple[float, float]) -> tuple[Figure, Sequence[Axes]]:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=size, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(1, panels, squeeze=False)[0]
    for one in axes:
        one.spines[["top", "right"]].set_visible(False)
    return figure, axes


def _bar(interval: Interval) -> list[list[float]]:
    """Distances down and up; a drawn interval need not hold the value itself."""
    return [[max(interval.value - interval.low, 0.0)], [max(interval.high - interval.value, 0.0)]]


def _legend(axes: Axes, families: set[str], tunings: set[str]) -> None:
    from matplotlib.lines import Line2D

    marks = [
        Line2D([], [], marker="D", ls="", color=COLOURS[one], label=words) for one, words in FAMILIES.items() if one in families
    ]
    marks += [
        Line2D([], [], marker=MARKERS[one], ls="", color="#555555", label=words)
        for one, words in TUNINGS.items()
        if one in tunings
    ]
    axes.legend(handles=marks, fontsize=8, frameon=False, loc="upper left", bbox_to_anchor=(1.0, 1.0))


def _save(path: Path, figure: Figure) -> Path:
    image = io.BytesIO()
    figure.savefig(image, format="png", dpi=_DPI, metadata={"Software": None})
    return write_bytes(path, image.getvalue())
