"""Agreement as a table for programs: agreement.csv with one figure a line."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from OsteoScreenLib.files import write_text
from OsteoScreenLib.review.agreement.agreement import Agreement
from OsteoScreenLib.review.agreement.change import Change
from OsteoScreenLib.review.agreement.estimate import Estimate, Share
from OsteoScreenLib.review.agreement.pairs import Pair

# What of whom: `section` and `measure` say what; `who` and `against` between whom; then the figure with its 95 % interval and, for
# shares and counts, count and total.
COLUMNS = ("section", "measure", "phase", "reading", "who", "against", "value", "low", "high", "count", "total")
Row = dict[str, Any]


def write_agreement_csv(path: Path, agreement: Agreement) -> Path:
    """Write `path` atomically; its folder must exist. Cells stay empty where a column does not apply or a figure is not defined."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n", restval="")
    writer.writeheader()
    writer.writerows(rows(agreement))
    return write_text(path, text.getvalue())


def rows(agreement: Agreement) -> Iterator[Row]:
    """In the order of the report."""
    for section, pairs in (
        ("between readers", agreement.between), ("within readers", agreement.within),
        ("against model", agreement.with_model), ("against reference", agreement.with_reference),
    ):  # fmt: skip
        for pair in pairs:
            yield from _pair(section, pair)
    for one in agreement.together:
        row: Row = {"section": "between readers", "measure": "fleiss kappa", "phase": one.phase, "reading": one.aided}
        yield row | {"who": "all readers", "total": one.cases} | _figure(one.kappa)
    for accuracy in agreement.accuracies:
        named: Row = {"section": "accuracy", "phase": accuracy.phase or "", "reading": accuracy.aided, "who": accuracy.who}
        for measure, held in (
            ("sensitivity", accuracy.sensitivity),
            ("specificity", accuracy.specificity),
            ("right class", accuracy.right),
        ):
            yield named | {"measure": measure} | _figure(held)
    for area in agreement.areas:
        named = {"section": "roc", "measure": "auc", "phase": area.phase or "", "reading": area.aided, "who": area.who}
        yield named | _figure(area.auc) | {"count": area.positives, "total": area.positives + area.negatives}
    for gain in agreement.gains:
        yield {"section": "roc", "measure": "auc aided - unaided", "who": gain.who, "total": gain.images} | _figure(gain.gain)
    for average in agreement.averages:
        yield {"section": "mrmc", "measure": "auc", "reading": average.modality, "who": "all readers"} | _figure(average.auc)
    for change in agreement.changes:
        yield from _change(change)
    for spent in agreement.times:
        named = {"section": "time", "phase": spent.phase, "reading": spent.aided, "who": spent.who, "total": spent.reads}
        yield named | {"measure": "median active seconds", "value": _number(spent.median)}
        yield named | {"measure": "lower quartile of active seconds", "value": _number(spent.lower_quartile)}
        yield named | {"measure": "upper quartile of active seconds", "value": _number(spent.upper_quartile)}
        yield named | {"measure": "sum of active seconds", "value": _number(spent.active)}
        yield named | {"measure": "sum of idle seconds", "value": _number(spent.idle)}


def _pair(section: str, pair: Pair) -> Iterator[Row]:
    named = {"section": section, "phase": pair.phase or "", "reading": pair.aided, "who": pair.one, "against": pair.other}
    yield named | {"measure": "same class"} | _figure(pair.same)
    for weights, kappa in (("none", pair.plain), ("linear", pair.linear), ("quadratic", pair.quadratic)):
        yield named | {"measure": f"kappa, weights {weights}", "total": pair.images} | _figure(kappa)


def _change(change: Change) -> Iterator[Row]:
    named = {"section": "change", "who": change.who}
    yield named | {"measure": "class changed"} | _figure(change.changed)
    yield named | {"measure": "changed to the model's class", "count": change.towards_model, "total": change.changed.count}
    yield named | {"measure": "changed from the model's class", "count": change.away, "total": change.changed.count}
    for by, outcome in (
        ("classes", change.classes), ("target", change.target),
        ("classes, model right", change.model_right), ("classes, model wrong", change.model_wrong),
    ):  # fmt: skip
        for what, count in (
            ("helped", outcome.helped), ("harmed", outcome.harmed),
            ("stayed right", outcome.stayed_right), ("stayed wrong", outcome.stayed_wrong),
        ):  # fmt: skip
            yield named | {"measure": f"{what} ({by})", "count": count, "total": outcome.reads}
        yield named | {"measure": f"helped - harmed ({by})", "total": outcome.reads} | _figure(outcome.net)


def _figure(held: Estimate | Share | None) -> Row:
    if held is None:
        return {}
    low, high = held.interval or (None, None)
    figure = {"value": _number(held.value), "low": _number(low), "high": _number(high)}
    return figure | {"count": held.count, "total": held.of} if isinstance(held, Share) else figure


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.6g}"
