"""The figures of a reader study as PNG, in colours that colour-blind readers can tell apart and with dashes for prints without."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from OsteoScreenLib.classifier.prediction import CLASSES
from OsteoScreenLib.review.agreement.agreement import Agreement
from OsteoScreenLib.review.agreement.pairs import MODEL, Pair
from OsteoScreenLib.review.agreement.words import counts_title

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe and Ito's colours.
_BLUE, _ORANGE, _GREEN, _PINK, _SKY, _YELLOW, _GREY = (
    "#0072b2",
    "#d55e00",
    "#009e73",
    "#cc79a7",
    "#56b4e9",
    "#e69f00",
    "#6e6e6e",
)
_READERS = (_BLUE, _ORANGE, _GREEN, _PINK, _SKY, _YELLOW)
_DASHES = ("-", "--", "-.", ":")
_SHORT = ("normal", "osteo-\npenia", "osteo-\nporosis")  # in the order of `CLASSES`
_MARKS = {"unaided": "o", "aided": "s", "": "D"}
_OUTCOMES = {
    "helped": (_GREEN, ""),
    "stayed right": ("#cfe8df", ""),
    "stayed wrong": ("#f3d9c7", ""),
    "harmed": (_ORANGE, "///"),
}
_STYLE: dict[Any, Any] = {
    "font.size": 9, "axes.titlesize": 10, "axes.spines.top": False, "axes.spines.right": False, "axes.grid": True,
    "grid.color": "#e3e6ea", "grid.linewidth": 0.6, "axes.axisbelow": True, "legend.frameon": False, "legend.fontsize": 8,
    "figure.facecolor": "white", "axes.titleweight": "bold", "axes.titlelocation": "left",
}  # fmt: skip
_MOST_ROWS = 60  # of a figure; with more the table is there
_MOST_TABLES = 12


def agreement_figures(agreement: Agreement) -> dict[str, bytes]:
    """Name → PNG of every figure that there is something for: "kappa", "roc", "counts", "change", "time"."""
    found: dict[str, bytes] = {}
    pairs = [pair for pair in _all_pairs(agreement) if pair.quadratic is not None]
    if 0 < len(pairs) <= _MOST_ROWS:
        found["kappa"] = _png(7.6, 1.1 + 0.22 * len(pairs), lambda figure: _kappas(figure, pairs))
    readings = list(dict.fromkeys(area.aided for area in agreement.areas if area.who != MODEL)) or [""] * bool(agreement.areas)
    if readings:
        found["roc"] = _png(4.6 * len(readings), 4.4, lambda figure: _roc(figure, agreement, readings))
    tables = agreement.with_reference
    if 0 < len(tables) <= _MOST_TABLES:
        rows = -(-len(tables) // 4)
        found["counts"] = _png(2.5 * min(len(tables), 4), 2.5 * rows, lambda figure: _counts(figure, tables, rows))
    if any(change.classes.reads for change in agreement.changes) and len(agreement.changes) <= _MOST_ROWS:
        found["change"] = _png(7.6, 1.3 + 0.3 * len(agreement.changes), lambda figure: _changes(figure, agreement))
    if 0 < len(agreement.times) <= _MOST_ROWS:
        found["time"] = _png(7.6, 1.1 + 0.24 * len(agreement.times), lambda figure: _times(figure, agreement))
    return found


def _all_pairs(agreement: Agreement) -> list[Pair]:
    return [*agreement.between, *agreement.within, *agreement.with_model, *agreement.with_reference]


def _png(width: float, height: float, draw: Callable[[Figure], None]) -> bytes:
    """A figure of that many inches, whatever the user's own settings are."""
    import matplotlib as mpl

    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(_STYLE)
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure as New

        figure = New(figsize=(width, height), dpi=150, layout="constrained")
        FigureCanvasAgg(figure)
        draw(figure)
        stream = io.BytesIO()
        figure.savefig(stream, format="png", metadata={"Software": "OsteoScreen"})
    return stream.getvalue()


def _kappas(figure: Figure, pairs: list[Pair]) -> None:
    """Quadratic kappas with intervals, one line a pair."""
    axes = figure.subplots()
    for row, pair in enumerate(pairs):
        colour, held = _BLUE if pair.aided == "unaided" else _ORANGE if pair.aided else _GREY, pair.quadratic
        assert held is not None
        if held.interval:
            axes.plot(held.interval, (row, row), color=colour, lw=1.4)
        axes.plot(held.value, row, _MARKS[pair.aided], color=colour, ms=4.5)
    names = [f"{pair.one} twice" if pair.one == pair.other else f"{pair.one} – {pair.other}" for pair in pairs]
    _rows(axes, names)
    _legend(axes, {pair.aided for pair in pairs})
    axes.set_xlabel("Cohen's κ, quadratic weights, with 95 % interval")
    axes.axvline(0, color=_GREY, lw=0.8, ls=":")
    axes.set_xlim(right=1.02)


def _roc(figure: Figure, agreement: Agreement, readings: list[str]) -> None:
    """One panel a reading; the model in each."""
    panels = np.atleast_1d(np.asarray(figure.subplots(1, len(readings), sharex=True, sharey=True)))
    for axes, reading in zip(panels, readings, strict=True):
        for area in agreement.areas:
            place = agreement.readers.index(area.who) if area.who in agreement.readers else -1
            if area.who != MODEL and area.aided != reading:
                continue
            style = {"color": "black", "ls": "-", "lw": 1.0} if place < 0 else {
                "color": _READERS[place % len(_READERS)], "ls": _DASHES[place % len(_DASHES)], "lw": 1.6,
            }  # fmt: skip
            axes.plot(area.false_positive_rate, area.true_positive_rate, label=f"{area.who}: {area.auc.value:.2f}", **style)
        for one in agreement.accuracies:
            if one.aided == reading and one.who in agreement.readers and one.sensitivity and one.specificity:
                colour = _READERS[agreement.readers.index(one.who) % len(_READERS)]
                axes.plot(
                    1 - one.specificity.value, one.sensitivity.value, "o", mfc="white", mec=colour, mew=1.5, ms=6, zorder=4
                )
        axes.plot([0, 1], [0, 1], color=_GREY, lw=0.8, ls=":")
        axes.set_title(reading.capitalize() or "Model")
        axes.set_xlabel("1 − specificity")
        axes.set_aspect("equal")
        axes.legend(loc="lower right", title="AUC", title_fontsize=8)
    panels[0].set_ylabel("Sensitivity")


def _counts(figure: Figure, pairs: tuple[Pair, ...], rows: int) -> None:
    """Each side's classes against the reference's."""
    columns = min(len(pairs), 4)
    panels = np.atleast_1d(np.asarray(figure.subplots(rows, columns, sharex=True, sharey=True))).ravel()
    for axes, pair in zip(panels, pairs, strict=False):
        table = np.array(pair.table).T  # rows of the reference
        shares = table / np.maximum(table.sum(axis=1, keepdims=True), 1)
        axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
        for (row, column), count in np.ndenumerate(table):
            axes.text(
                column, row, str(count), ha="center", va="center", color="white" if shares[row, column] > 0.6 else "black"
            )
        axes.set_xticks(range(len(CLASSES)), _SHORT)
        axes.set_yticks(range(len(CLASSES)), _SHORT)
        axes.set_title(counts_title(pair))
        axes.grid(False)
    for axes in panels[len(pairs) :]:
        axes.set_axis_off()
    for axes in panels[::columns]:
        axes.set_ylabel("reference")


def _changes(figure: Figure, agreement: Agreement) -> None:
    """Shares of helped, harmed and unchanged reads, one bar a reader."""
    axes = figure.subplots()
    for row, change in enumerate(agreement.changes):
        held, start = change.classes, 0.0
        counts = (held.helped, held.stayed_right, held.stayed_wrong, held.harmed)
        for count, (colour, hatch) in zip(counts, _OUTCOMES.values(), strict=True):
            width = 100 * count / held.reads if held.reads else 0.0
            axes.barh(row, width, left=start, color=colour, hatch=hatch, edgecolor="white", height=0.7)
            if width >= 2.5:
                box = {"boxstyle": "round,pad=0.15", "fc": "white", "ec": "none"} if hatch else None
                axes.text(start + width / 2, row, str(count), ha="center", va="center", fontsize=8, bbox=box)
            start += width
    for label, (colour, hatch) in _OUTCOMES.items():
        axes.barh(0, 0, color=colour, hatch=hatch, edgecolor="white", label=label)
    _rows(axes, [change.who for change in agreement.changes])
    axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=4)
    axes.set_xlim(0, 100)
    axes.set_xlabel("% of the reads with a known reference")


def _times(figure: Figure, agreement: Agreement) -> None:
    """Median and middle half of the active seconds."""
    axes = figure.subplots()
    for row, spent in enumerate(agreement.times):
        colour = _BLUE if spent.aided == "unaided" else _ORANGE
        axes.plot((spent.lower_quartile, spent.upper_quartile), (row, row), color=colour, lw=3, alpha=0.5)
        axes.plot(spent.median, row, _MARKS[spent.aided], color=colour, ms=5)
    _rows(axes, [spent.who for spent in agreement.times])
    _legend(axes, {spent.aided for spent in agreement.times})
    axes.set_xlim(left=0)
    axes.set_xlabel("Active seconds a read: median and middle half")


def _rows(axes: Axes, names: list[str]) -> None:
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.grid(axis="y", visible=False)


def _legend(axes: Axes, readings: set[str]) -> None:
    for name, colour in (("unaided", _BLUE), ("aided", _ORANGE)):
        if name in readings:
            axes.plot([], [], _MARKS[name], color=colour, label=name, ls="-")
    if len(readings - {""}) > 1:
        axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2)
