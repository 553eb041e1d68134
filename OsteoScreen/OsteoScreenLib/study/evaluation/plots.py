"""The figures of an evaluation as PNG, in colours that colour-blind readers can tell apart and with dashes for prints without."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from OsteoScreenLib.classifier.prediction import CLASSES
from OsteoScreenLib.study.evaluation.discrimination import RocCurve
from OsteoScreenLib.study.evaluation.evaluate import Evaluation
from OsteoScreenLib.study.evaluation.level import LevelFigures
from OsteoScreenLib.study.evaluation.predictions import Predictions
from OsteoScreenLib.study.evaluation.questions import LOW_BONE_MASS, OSTEOPOROSIS, QUESTIONS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe and Ito's colours.
BLUE, ORANGE, GREEN, PINK, GREY = "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#6e6e6e"
_CLASS_COLOURS = (GREEN, "#e69f00", ORANGE)
_QUESTION_STYLE = {
    OSTEOPOROSIS: (BLUE, "-"), LOW_BONE_MASS: (ORANGE, "--"), "osteopenia": (GREEN, "-."), "normal": (PINK, ":"),
}  # fmt: skip
_STYLE: dict[Any, Any] = {
    "font.size": 9, "axes.titlesize": 10, "axes.spines.top": False, "axes.spines.right": False, "axes.grid": True,
    "grid.color": "#e3e6ea", "grid.linewidth": 0.6, "axes.axisbelow": True, "legend.frameon": False, "legend.fontsize": 8,
    "figure.facecolor": "white", "axes.titleweight": "bold", "axes.titlelocation": "left",
}  # fmt: skip
DPI = 150


def figures_of(evaluation: Evaluation, test: Predictions, development: Predictions | None = None) -> dict[str, bytes]:
    """Name → PNG of every figure that there is something for. test : what was evaluated."""
    per_image = evaluation.per_image
    drawers: dict[str, Callable[[], bytes]] = {
        "roc": lambda: _png(5.0 * 2, 4.6, lambda figure: _roc(figure, evaluation)),
        "scores": lambda: _png(8.4, 3.2, lambda figure: _scores(figure, evaluation, test)),
        "confusion": lambda: _png(4.4, 3.8, lambda figure: _confusion(figure, evaluation)),
        "calibration": lambda: _png(5.0, 5.6, lambda figure: _calibration(figure, per_image, test)),
        "decision_curve": lambda: _png(6.2, 4.2, lambda figure: _decision_curve(figure, per_image)),
    }
    measured = [one for one in evaluation.subgroups if one.auc or one.sensitivity or one.specificity]
    if measured:
        height = 1.4 + 0.26 * (len(evaluation.subgroups) + len({one.by for one in evaluation.subgroups}))
        drawers["subgroups"] = lambda: _png(9.6, height, lambda figure: _subgroups(figure, evaluation))
    if evaluation.agreement is not None:
        drawers["agreement"] = lambda: _png(9.6, 4.3, lambda figure: _agreement(figure, evaluation))
    if development is not None:
        drawers["drift"] = lambda: _png(9.6, 3.6, lambda figure: _drift(figure, test, development))
    return {name: draw() for name, draw in drawers.items()}


def _png(width: float, height: float, draw: Callable[[Figure], None]) -> bytes:
    """A figure of that many inches."""
    with _matplotlib():
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure as New

        figure = New(figsize=(width, height), dpi=DPI, layout="constrained")
        FigureCanvasAgg(figure)
        draw(figure)
        stream = io.BytesIO()
        figure.savefig(stream, format="png", metadata={"Software": "OsteoScreen"})
    return stream.getvalue()


@contextmanager
def _matplotlib() -> Iterator[None]:
    import matplotlib as mpl

    with mpl.rc_context():  # whatever the user's own settings are
        mpl.rcdefaults()
        mpl.rcParams.update(_STYLE)
        yield


def _roc(figure: Figure, evaluation: Evaluation) -> None:
    """Left what is decided, with the baseline and the operating points; right each class against the rest."""
    figures = evaluation.per_image
    left, right = figure.subplots(1, 2)
    curves = {curve.question: curve for curve in figures.roc}
    for question in (OSTEOPOROSIS, LOW_BONE_MASS):
        if question in curves:
            _curve(left, curves[question], figures)
    for base in evaluation.baselines:
        colour = _QUESTION_STYLE[base.question][0]
        label = f"{base.uses} alone, {base.question}: {base.age_and_sex.value:.3f}"
        left.plot(base.roc.false_positive_rate, base.roc.true_positive_rate, color=colour, lw=1, ls=(0, (1, 1.5)), label=label)
    markers = dict(zip(dict.fromkeys(one.point.name for one in figures.decisions), "osD^v", strict=False))
    for one in figures.decisions:
        if one.sensitivity and one.specificity:
            left.plot(
                1 - one.specificity.wilson.value, one.sensitivity.wilson.value, markers[one.point.name], mfc="white", ms=6,
                mec=_QUESTION_STYLE[one.point.question][0], mew=1.5, zorder=4,
            )  # fmt: skip
    for name, marker in markers.items():
        left.plot([], [], marker, mfc="white", mec=GREY, mew=1.5, ls="none", label=f"operating point: {name}")
    for question in QUESTIONS:
        if question in curves and question != LOW_BONE_MASS:
            _curve(right, curves[question], figures)
    left.set_title("Questions with operating points")
    right.set_title("Each class against the rest")
    for axes in (left, right):
        axes.plot([0, 1], [0, 1], color=GREY, lw=0.8, ls=":")
        axes.set(xlabel="1 − specificity", ylabel="Sensitivity", xlim=(-0.01, 1.01), ylim=(-0.01, 1.01), aspect="equal")
        axes.legend(
            loc="lower right", handlelength=2.6, title="AUC, 95 % interval by patients", title_fontsize=8, alignment="left"
        )


def _curve(axes: Axes, curve: RocCurve, figures: LevelFigures) -> None:
    colour, dashes = _QUESTION_STYLE[curve.question]
    auc = figures.auc(curve.question)
    held = None if auc is None else auc.clustered or auc.bootstrap
    label = f"{curve.question}: {held.value:.3f} ({held.low:.3f} to {held.high:.3f})" if held else curve.question
    axes.plot(curve.false_positive_rate, curve.true_positive_rate, color=colour, ls=dashes, lw=1.8, label=label)


def _scores(figure: Figure, evaluation: Evaluation, test: Predictions) -> None:
    """How the two scores are spread in each class, with the deciding thresholds."""
    thresholds = evaluation.per_image.ordinal.thresholds
    both = ((OSTEOPOROSIS, test.osteoporosis), (LOW_BONE_MASS, test.low_bone_mass))
    for axes, (question, scores) in zip(figure.subplots(1, 2), both, strict=True):
        held = [scores[test.label == place] for place in range(len(CLASSES))]
        rng = np.random.default_rng(0)
        for place, values in enumerate(held):
            if not values.size:
                continue
            shown = values if values.size <= 600 else rng.choice(values, 600, replace=False)
            axes.scatter(
                shown, place + rng.uniform(-0.32, 0.32, shown.size), s=5, color=_CLASS_COLOURS[place], alpha=0.45, lw=0
            )
            low, middle, high = np.quantile(values, [0.25, 0.5, 0.75])
            axes.plot([low, high], [place, place], color="black", lw=3, solid_capstyle="butt")
            axes.plot(middle, place, "o", color="white", mec="black", ms=5, zorder=4)
        axes.axvline(thresholds[question], color="black", lw=1, ls="--")
        axes.set_yticks(
            range(len(CLASSES)), [f"{name}\n(n = {len(values)})" for name, values in zip(CLASSES, held, strict=True)]
        )
        axes.set(xlabel=f"P({question})", xlim=(-0.02, 1.02), ylim=(-0.5, 2.5))
        axes.set_title(f"{question}: threshold {thresholds[question]:.3f}")
        axes.grid(axis="y", visible=False)


def _confusion(figure: Figure, evaluation: Evaluation) -> None:
    """Counts, shaded by the share of the true class."""
    table = np.array(evaluation.per_image.ordinal.confusion)
    shares = table / np.maximum(table.sum(axis=1, keepdims=True), 1)
    axes = figure.subplots()
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    for (row, column), count in np.ndenumerate(table):
        colour = "white" if shares[row, column] > 0.55 else "black"
        text = f"{count}\n{100 * shares[row, column]:.0f} %" if table[row].sum() else "0"
        axes.text(column, row, text, ha="center", va="center", color=colour, fontsize=10)
    axes.set_xticks(range(len(CLASSES)), CLASSES)
    axes.set_yticks(
        range(len(CLASSES)), [f"{name}\n(n = {total})" for name, total in zip(CLASSES, table.sum(axis=1), strict=True)]
    )
    axes.set(xlabel="decided", ylabel="true")
    axes.set_title(f"Images at the points “{evaluation.primary}”")
    axes.grid(visible=False)
    axes.spines[:].set_visible(False)


def _calibration(figure: Figure, figures: LevelFigures, test: Predictions) -> None:
    """What was seen against what was said, over a histogram of what was said."""
    calibration = figures.calibration
    axes, below = figure.subplots(2, 1, sharex=True, height_ratios=(4, 1))
    axes.plot([0, 1], [0, 1], color=GREY, lw=0.8, ls=":", label="perfect")
    if calibration.smooth:
        axes.plot(*np.array(calibration.smooth).T, color=BLUE, lw=1.6, label="smoothed (lowess)")
    said = np.array([one.predicted for one in calibration.bins])
    seen = np.array(
        [[one.observed.wilson.value, one.observed.wilson.low, one.observed.wilson.high] for one in calibration.bins]
    )
    reach = np.abs(seen[:, 1:].T - seen[:, 0])
    axes.errorbar(
        said, seen[:, 0], reach, fmt="o", color=ORANGE, mfc="white", ms=5, lw=1, capsize=2,
        label=f"{len(said)} groups of about {len(test) // max(len(said), 1)} images, Wilson 95 %",
    )  # fmt: skip
    axes.set(ylabel="Observed share with osteoporosis", xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
    axes.set_title("Calibration of P(osteoporosis)")
    axes.legend(loc="upper left")
    words = [f"{name} {held.value:.2f} ({held.low:.2f} to {held.high:.2f})".replace("-", "−") for name, held in
             (("slope", calibration.slope), ("intercept", calibration.intercept), ("Brier", calibration.brier)) if held]  # fmt: skip
    axes.text(0.98, 0.03, "\n".join(words), transform=axes.transAxes, ha="right", va="bottom", fontsize=8)
    edges = np.linspace(0, 1, 41)
    positive = test.label == 2
    below.hist(
        [test.osteoporosis[~positive], test.osteoporosis[positive]], edges, stacked=True, color=["#b9c4cf", ORANGE],
        label=["others", "osteoporosis"],
    )  # fmt: skip
    below.set(xlabel="Predicted probability of osteoporosis", ylabel="Images")
    below.legend(loc="upper right")


def _decision_curve(figure: Figure, figures: LevelFigures) -> None:
    """Over the thresholds at which acting on everyone is not yet clearly worse than anything."""
    curve, share = figures.decision_curve, figures.classes[OSTEOPOROSIS] / figures.count
    axes = figure.subplots()
    thresholds = np.array(curve.thresholds)
    shown = thresholds <= min(0.99, max(0.3, 3 * share))
    across = thresholds[shown]
    axes.fill_between(across, np.array(curve.low)[shown], np.array(curve.high)[shown], color=BLUE, alpha=0.15, lw=0)
    axes.plot(across, np.array(curve.model)[shown], color=BLUE, lw=1.8, label="act on the model's answer")
    axes.plot(across, np.array(curve.everyone)[shown], color=ORANGE, lw=1.3, ls="--", label="act on everyone")
    axes.axhline(0, color=GREY, lw=1.2, ls=":", label="act on no one")
    best = max(np.max(np.array(curve.high)[shown]), share)
    axes.set(xlabel="Probability of osteoporosis from which one would act", ylabel="Net benefit (true positives per image)")
    axes.set(ylim=(-0.3 * best, 1.1 * best), xlim=(0, across[-1]))
    axes.set_title(f"Decision curve at the sample's share of {100 * share:.1f} %")
    axes.legend(loc="upper right")


def _subgroups(figure: Figure, evaluation: Evaluation) -> None:
    """A forest: AUC, sensitivity and specificity of each part, with the whole on top."""
    rows: list[tuple[str, Any]] = [("all test images", None)]
    by = ""
    for one in evaluation.subgroups:
        if one.by != by:
            by = one.by
            rows.append((by, "head"))
        rows.append((f"   {one.name}  ({one.positives} / {one.negatives})", one))
    whole = evaluation.per_image.auc(), evaluation.per_image.at(OSTEOPOROSIS, evaluation.primary)
    places = np.arange(len(rows))[::-1]
    axes = figure.subplots(1, 3, sharey=True)
    for panel, title in zip(axes, ("AUC", "Sensitivity", "Specificity"), strict=True):
        for place, (_, one) in zip(places, rows, strict=True):
            if one == "head":
                continue
            held = _part(title, *whole) if one is None else _part(title, one.auc, one)
            if held is not None:
                colour = ORANGE if one is None else BLUE
                panel.plot([held.low, held.high], [place, place], color=colour, lw=1.6)
                panel.plot(held.value, place, "D" if one is None else "o", color=colour, ms=5)
                if one is None:
                    panel.axvline(held.value, color=ORANGE, lw=0.8, ls=":")
            else:
                panel.text(0.5, place, "too few", transform=panel.get_yaxis_transform(), ha="center", va="center",
                           color=GREY, fontsize=7)  # fmt: skip
        panel.set_title(title)
        panel.grid(axis="y", visible=False)
        panel.set_xlim(right=1.005)
        panel.tick_params(axis="y", length=0)
    axes[0].set_yticks(places, [name for name, _ in rows])
    axes[0].set_ylim(-0.7, len(rows) - 0.3)
    for label, (_, one) in zip(axes[0].get_yticklabels(), rows, strict=True):
        label.set_fontweight("bold" if one is None or one == "head" else "normal")
    figure.supxlabel(
        "osteoporosis against the rest; in brackets images of osteoporosis / others; 95 % intervals: AUC by patients, others Wilson",
        fontsize=8,
    )


def _part(title: str, auc: Any, counted: Any) -> Any:
    if title == "AUC":
        return None if auc is None else auc.clustered or auc.delong
    held = None if counted is None else getattr(counted, title.lower())
    return None if held is None else held.wilson


def _agreement(figure: Figure, evaluation: Evaluation) -> None:
    """Left expected on measured, right the differences on the means (Bland and Altman)."""
    held = evaluation.agreement
    assert held is not None
    measured, expected = np.array(held.pairs).T
    left, right = figure.subplots(1, 2)
    ends = [min(measured.min(), expected.min()) - 0.2, max(measured.max(), expected.max()) + 0.2]
    look: dict[str, Any] = {"s": 10, "color": BLUE, "alpha": 0.35 if len(measured) > 200 else 0.7, "lw": 0}
    left.scatter(measured, expected, **look)
    left.plot(ends, ends, color=GREY, lw=0.8, ls=":")
    for limit in (-2.5, -1.0):
        left.axvline(limit, color=ORANGE, lw=0.7, ls="--")
        left.axhline(limit, color=ORANGE, lw=0.7, ls="--")
    left.set(xlabel="Measured T-score", ylabel="Expected T-score", xlim=ends, ylim=ends, aspect="equal")
    left.set_title("Expected on measured")
    words = [f"MAE {held.mae.value:.2f}", *([f"r {held.pearson.value:.2f}"] if held.pearson else []),
             *([f"ICC {held.icc.value:.2f}"] if held.icc else [])]  # fmt: skip
    left.text(0.03, 0.97, "\n".join(words), transform=left.transAxes, va="top", fontsize=8)
    right.scatter((measured + expected) / 2, expected - measured, **look)
    for one, dashes in ((held.bias, "-"), (held.lower, "--"), (held.upper, "--")):
        right.axhline(one.value, color=ORANGE, lw=1.2, ls=dashes)
        right.axhspan(one.low, one.high, color=ORANGE, alpha=0.15, lw=0)
        right.annotate(
            f"{one.value:+.2f}".replace("-", "−"), (1, one.value), xycoords=("axes fraction", "data"), xytext=(4, 0),
            textcoords="offset points", va="center", fontsize=8,
        )  # fmt: skip
    right.axhline(0, color=GREY, lw=0.8, ls=":")
    right.set(xlabel="Mean of both T-scores", ylabel="Expected − measured T-score")
    right.set_title("Bias and 95 % limits of agreement")


def _drift(figure: Figure, test: Predictions, development: Predictions) -> None:
    """Distribution functions here and in the development cohort, by class: they lie on each other where nothing moved."""
    from OsteoScreenLib.study.evaluation.patient_level import by_patient

    here, there = by_patient(test), by_patient(development)
    panels: list[tuple[str, np.ndarray, np.ndarray]] = [("all patients", here.osteoporosis, there.osteoporosis)]
    panels += [
        (name, here.osteoporosis[here.label == place], there.osteoporosis[there.label == place])
        for place, name in ((0, "normal"), (2, "osteoporosis"))
    ]
    for axes, (name, first, second) in zip(figure.subplots(1, 3, sharey=True), panels, strict=True):
        for values, colour, dashes, label in ((second, GREY, "--", "development"), (first, BLUE, "-", "this cohort")):
            if values.size:
                axes.ecdf(values, color=colour, ls=dashes, lw=1.6, label=f"{label} (n = {values.size})")
        axes.set(xlabel="P(osteoporosis)", xlim=(-0.02, 1.02))
        axes.set_title(name)
        axes.legend(loc="lower right")
    figure.axes[0].set_ylabel("Share of patients at or below")
