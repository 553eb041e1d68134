"""The sanity checks as one HTML page that needs no other file: tables, and curves drawn as SVG."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from OsteoScreenLib import __version__
from OsteoScreenLib.exchange.pages import template
from OsteoScreenLib.explain.curves import CurveCheck
from OsteoScreenLib.explain.sanity import ALIKE, Cascade
from OsteoScreenLib.explain.sanity_checks import ImageSanity
from OsteoScreenLib.files import write_text
from OsteoScreenLib.study.sanity_table import HEAD, MEANING, SanityTable, sentences, table_words, title_of

WIDTH, HEIGHT = 260, 150  # of a plot, in SVG units
# Okabe and Ito's colours, which colour-blind readers can tell apart, and dashes for a print without colours.
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#8c6bb1", "#7f7f7f")
DASHES = ("none", "6 2", "2 2", "8 2 2 2", "none", "6 2", "2 2", "8 2 2 2")


def write_sanity_page(folder: Path, table: SanityTable) -> Path:
    """Write sanity.html into an existing folder; its path."""
    return write_text(folder / "sanity.html", sanity_page(table))


def sanity_page(table: SanityTable) -> str:
    """The page as HTML text without any outside reference."""
    return template("sanity.html.j2").render(
        model=table.facts["model"]["title"],
        statements=table.facts["statements"],
        sentences=sentences(table),
        meaning=MEANING,
        head=HEAD,
        images=[_image(name, checks) for name, checks in table.images],
        left_out=table.left_out,
        size=(WIDTH, HEIGHT),
        version=__version__,
    )


def _image(name: str, checks: ImageSanity) -> dict[str, Any]:
    rows = [
        {
            "words": [word.replace("**", "") for word in words],
            "colour": COLOURS[place % len(COLOURS)],
            "dash": DASHES[place % 8],
        }
        for place, words in enumerate(table_words(checks))
    ]
    compared = [(place, one.cascade) for place, one in enumerate(checks.methods) if one.cascade.similarities]
    plots = [
        _plot("Rank correlation with the map, as layers become random from the top", -1.0, 1.0, ALIKE,
              [_line(place, _falling(cascade)) for place, cascade in compared],
              _layers(compared)),
        _plot("Deletion: probability while the most salient pixels are covered", 0.0, 1.0, None,
              [_line(place, _points(one.deletion)) for place, one in enumerate(checks.methods)], ("nothing covered", "all covered")),
        _plot("Insertion: probability while the most salient pixels are shown", 0.0, 1.0, None,
              [_line(place, _points(one.insertion)) for place, one in enumerate(checks.methods)], ("all covered", "all shown")),
    ]  # fmt: skip
    told = [f"{title_of(one.method)}: {one.cascade.sentence}" for one in checks.methods]
    return {"name": name, "rows": rows, "plots": plots, "told": told}


def _layers(compared: Sequence[tuple[int, Cascade]]) -> tuple[str, str]:
    return ("as trained", f"all random, down to {compared[0][1].stages[-1]}") if compared else ("as trained", "all random")


def _falling(cascade: Cascade) -> list[tuple[float, float]]:
    """(share of the layers that are random, mean rank correlation), from 1 for the map with itself."""
    stages = len(cascade.stages)
    return [(0.0, 1.0), *(((stage + 1) / stages, cascade.mean_spearman(stage)) for stage in range(stages))]


def _points(check: CurveCheck) -> list[tuple[float, float]]:
    return list(zip(check.curve.shares, check.curve.probabilities, strict=True))


def _line(place: int, points: Sequence[tuple[float, float]]) -> dict[str, Any]:
    return {"colour": COLOURS[place % len(COLOURS)], "dash": DASHES[place % len(DASHES)], "points": points}


def _plot(
    title: str, low: float, high: float, limit: float | None, lines: list[dict[str, Any]], ends: tuple[str, str]
) -> dict[str, Any]:
    """Points as SVG coordinates; y grows downwards there."""

    def across(share: float) -> float:
        return WIDTH * share

    def down(value: float) -> float:
        return HEIGHT * (high - value) / (high - low)

    drawn = [{**line, "points": " ".join(f"{across(x):.1f},{down(y):.1f}" for x, y in line["points"])} for line in lines]
    return {
        "title": title, "lines": drawn, "ends": ends, "low": f"{low:g}", "high": f"{high:g}",
        "limit": None if limit is None else down(limit), "zero": down(0.0),
    }  # fmt: skip
