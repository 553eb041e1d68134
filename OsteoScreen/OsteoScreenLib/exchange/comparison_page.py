"""A comparison of models as one HTML page that needs no other file."""

from __future__ import annotations

from pathlib import Path

from OsteoScreenLib import __version__
from OsteoScreenLib.exchange.pages import png_uri, template
from OsteoScreenLib.files import write_text
from OsteoScreenLib.study.comparison import partitions, table
from OsteoScreenLib.study.comparison.checklists import CHECKLISTS
from OsteoScreenLib.study.comparison.comparison import Comparison
from OsteoScreenLib.study.comparison.published import (
    INTERVAL_WARNING,
    NOT_PUBLISHED,
    PUBLISHED,
    SOURCE,
    denominator,
    published_interval,
)

FIGURE_WORDS = {
    "roc": "ROC curves on the test split; marks: the operating points that were set on the validation split.",
    "iou": "AUC against the overlap of the saliency map with all bones; bars: 95 % intervals.",
    "delta": "AUC against Δ of all bones. Δ contains the AUC itself, so the two must go together to some extent.",
}


def write_comparison_page(folder: Path, comparison: Comparison) -> Path:
    """Write comparison.html into the comparison's folder, where its figures lie; its path."""
    return write_text(folder / "comparison.html", comparison_page(folder, comparison))


def comparison_page(folder: Path, comparison: Comparison) -> str:
    """The page as HTML text without any outside reference. folder : where the figures lie."""
    best = {row.key for row in table.by_auc(comparison.first_seed)[:1]}
    return template("comparison.html.j2").render(
        statements=comparison.facts["statements"],
        facts=comparison.facts,
        partition_head=partitions.HEAD,
        partitions=[one.words for one in comparison.partitions],
        head=table.HEAD,
        published_head=table.PUBLISHED_HEAD,
        meaning=table.MEANING,
        rows=[
            {
                "cells": table.cells(row),
                "published": table.published_words(row),
                "best": row.key in best,
                "baseline": row.seed is None,
            }
            for row in comparison.first_seed
        ],
        baseline_note=comparison.baseline_note,
        tests=comparison.tests,
        bones=[
            {
                "model": row.title,
                "groups": [(name, str(delta)) for name, delta in row.bones.best_groups],
                "bones": [(name, str(delta)) for name, delta in row.bones.best_bones],
                "images": row.bones.images,
                "left_out": row.bones.left_out,
            }
            for row in comparison.first_seed
            if row.bones is not None
        ],
        omitted=sorted({row.bones_note for row in comparison.rows if row.bones is None}),
        rankings=comparison.rankings,
        rank_table=_rank_table(comparison),
        agreements=comparison.agreements,
        figures=[(FIGURE_WORDS[name], png_uri((folder / path).read_bytes())) for name, path in comparison.figures.items()],
        limits=comparison.limits,
        source=SOURCE,
        not_published=NOT_PUBLISHED,
        interval_warning=INTERVAL_WARNING,
        published_intervals=_published_intervals(comparison),
        checklists=CHECKLISTS,
        version=__version__,
    )


def _rank_table(comparison: Comparison) -> list[tuple[str, ...]]:
    """model, then for each seed AUC and rank with the middle 95 % of its ranks over draws; best mean rank first."""
    names = [one.name for one in comparison.rankings[0].standings]
    lines = []
    for place, name in enumerate(names):
        held = [ranking.standings[place] for ranking in comparison.rankings]
        cells = [cell for one in held for cell in (f"{one.auc:.3f}", f"{one.rank:g} ({one.low:g} to {one.high:g})")]
        lines.append((sum(one.rank for one in held), (name, *cells)))
    return [cells for _, cells in sorted(lines, key=lambda line: line[0])]


def _published_intervals(comparison: Comparison) -> list[tuple[str, ...]]:
    """The published shares of the models that are compared here, with intervals over the right denominators."""
    lines = []
    for row in comparison.first_seed:
        model = PUBLISHED.get((row.family, row.tuning))
        if model is not None:
            shares = [published_interval(model, measure) for measure in ("accuracy", "sensitivity", "specificity")]
            lines.append((row.title, f"{model.auc:.2f}", *(str(one) for one in shares)))
    count = [f"of {denominator(measure):,}" for measure in ("accuracy", "sensitivity", "specificity")]
    return [("images", "", *count), *lines] if lines else []
