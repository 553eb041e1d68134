"""The explanation bench's table as text: Markdown to read, JSON for programs, and the rows that a terminal shows."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from OsteoScreenLib.explain.saliency_methods import SALIENCY_METHODS
from OsteoScreenLib.files import write_text
from OsteoScreenLib.study.classifier_figures import Interval
from OsteoScreenLib.study.explained_view import MEASURES, PERFECT
from OsteoScreenLib.study.explanation_bench import BenchOptions
from OsteoScreenLib.study.explanation_figures import (
    LEAST_AUC,
    LEAST_TRUTHS,
    BenchFigures,
    Choice,
    ExplanationRow,
    NetworkFigures,
)

HOW_WORDS = {
    "enrichment": "times chance", "mass_share": "share of map", "rank_accuracy": "largest values", "iou_otsu": "IoU Otsu",
    "iou_matched": "IoU same area", "remove": "remove", "add-back": "add back",
}  # fmt: skip
_MEANING = (
    "Each network was trained on simulated radiographs in which the density of the named bones alone tells the class; the density of "
    "all other bones varies as much, independently of it. It is explained on bodies that it never saw. Rates: how often the true "
    "bones come first of the seven groups, for saliency on radiographs of osteoporosis, for covered bones on all. In brackets: 95 % intervals from drawing bodies with replacement; they do not tell how far "
    "another training would change a rate. Otherwise: how often the same bones come first where others are the truth."
)


@dataclass(frozen=True)
class TextTable:
    """title : a line above. head : of the columns. lines : cells."""

    title: str
    head: tuple[str, ...]
    lines: tuple[tuple[str, ...], ...]


def write_table(folder: Path, figures: BenchFigures, options: BenchOptions) -> dict[str, Path]:
    """Write explanations.md and explanations.json into an existing folder."""
    return {
        "markdown": write_text(folder / "explanations.md", as_markdown(figures, options)),
        "json": write_text(
            folder / "explanations.json", json.dumps(as_json(figures, options), indent=2, allow_nan=False) + "\n"
        ),
    }


def as_json(figures: BenchFigures, options: BenchOptions) -> dict[str, Any]:
    """Everything; null where a number is not defined."""
    return {
        "command": command_of(options),
        "seed": options.seed,
        "bodies": dict(zip(("training", "explained"), options.bodies, strict=True)),
        "interval": f"95 %, {figures.draws} draws of bodies, seed {figures.seed}",
        "networks": [
            {**asdict(one), "learned": one.learned, "reads_only_the_truth": one.reads_only_the_truth}
            for one in figures.networks
        ],
        "explanations": [{**asdict(row), "finds_the_truth": row.finds_the_truth} for row in figures.rows],
        "defaults": [
            {
                "network": one.network,
                "kind": one.kind,
                "current": [one.current.name, one.current.how],
                "best": [one.best.name, one.best.how],
                "gain": one.gain and asdict(one.gain),
                "chosen": [one.chosen.name, one.chosen.how],
                "set_aside": one.set_aside and [one.set_aside.name, one.set_aside.how],
                "sentence": sentence(one),
            }
            for one in figures.choices
        ],
    }


def as_markdown(figures: BenchFigures, options: BenchOptions) -> str:
    """All tables with what they mean."""
    lines = [
        "# Do explanations find the bones that carry the signal?",
        "",
        _MEANING,
        "",
        f"Made by `{command_of(options)}`.",
        "",
    ]
    lines += [f"- {one}" for one in sentences(figures)] + [""]
    for table in tables(figures):
        lines += [f"## {table.title}", "", "| " + " | ".join(table.head) + " |", "|---|" + "---:|" * (len(table.head) - 1)]
        lines += ["| " + " | ".join(cells) + " |" for cells in table.lines] + [""]
    return "\n".join(lines)


def sentences(figures: BenchFigures) -> list[str]:
    """What follows from the table, and which networks did not learn."""
    told = [sentence(one) for one in figures.choices]
    told += [
        f"Fewer than {LEAST_TRUTHS} truths were learned by {network}, so no default is chosen for it."
        for network in dict.fromkeys(one.network for one in figures.networks)
        if network not in {one.network for one in figures.choices}
    ]
    told += [
        f"The network {one.network} did not learn {one.truth}: {_falls_short(one.untouched)}, so this truth is left out of all rates; train "
        "it longer with --steps."
        for one in figures.networks
        if not one.learned
    ]
    told += [
        f"The network {one.network} for {one.truth} still tells the classes with these bones covered (AUC {_words(one.without)}), so "
        "they are not its only reason."
        for one in figures.networks
        if one.learned and not one.reads_only_the_truth
    ]
    return told


def sentence(choice: Choice) -> str:
    """What should be the default, and why."""
    current, best, chosen = choice.current, choice.best, choice.chosen
    seen = "radiographs of osteoporosis" if choice.kind == "saliency" else "radiographs"
    found = "finds the true bones" if current.finds_the_truth else "does not find the true bones more often than chance"
    told = (
        f"{choice.network}: {_named(current)} {found}: they come first in {_percent(current.first)} of {seen} "
        f"(chance {100 * current.chance:.0f} %)."
    )
    if best is not current:
        better = _named(best)
        told += f" {better[0].upper()}{better[1:]} has {_percent(best.first)}, {_points(choice.gain)} more."
    told += f" Recommended default: {_named(chosen)}."
    if choice.set_aside is not None:
        told += (
            f" {_named(choice.set_aside)} has {_percent(choice.set_aside.first)} and is not taken: its map is the same for every class, "
            "so it shows what is conspicuous and not what speaks for osteoporosis."
        )
    return told


def tables(figures: BenchFigures) -> list[TextTable]:
    """The networks; then for each kind of network its saliency and its occlusion, over all truths and for each."""
    head = ("truth", "network", "steps", "radiographs (bodies)", "AUC", "truth covered", "truth alone")
    found = [TextTable("Networks", head, tuple(_network(one) for one in figures.networks))]
    for network in dict.fromkeys(row.network for row in figures.rows):
        own = [row for row in figures.rows if row.network == network]
        saliency, occlusion = ([row for row in own if row.kind == kind] for kind in ("saliency", "occlusion"))
        methods = list(dict.fromkeys(row.name for row in saliency))
        cell = {(row.name, row.how): _percent(row.first) for row in saliency}
        found.append(
            TextTable(
                f"Saliency of {network}: the truth first, by how groups are ranked",
                ("method", *(HOW_WORDS[measure] for measure in MEASURES)),
                tuple((_title(name), *(cell[name, measure] for measure in MEASURES)) for name in methods),
            )
        )
        best = [max((r for r in saliency if r.name == name), key=_rate) for name in methods]
        found.append(_by_truth(f"Saliency of {network}, each method by its best measure", best))
        found.append(_by_truth(f"Occlusion with {network}: groups ranked by |Δ| in points", occlusion))
    return found


def command_of(options: BenchOptions) -> str:
    """The command that makes the same table."""
    truths = ",".join("+".join(truth.groups) for truth in options.truths)
    steps = f" --steps {options.steps}" if options.steps else ""
    return (
        f'osteoscreen bench explanations --skeleton ZIP --thorax-ct DIR --work DIR --truths "{truths}" --networks '
        f"{','.join(options.networks)} --bodies {options.bodies[0]},{options.bodies[1]}{steps} --seed {options.seed}"
    )


def _by_truth(title: str, rows: Sequence[ExplanationRow]) -> TextTable:
    truths = list(rows[0].by_truth) if rows else []
    saliency = bool(rows) and rows[0].kind == "saliency"
    head = (
        "",
        "truth first",
        "on all" if saliency else "on osteoporosis",
        "mean rank",
        "chance",
        *(f"{truth} (otherwise)" for truth in truths),
    )
    return TextTable(
        title,
        head,
        tuple(
            (
                f"{_title(row.name)}, {HOW_WORDS[row.how]}",
                _percent(row.first),
                _percent(row.first_all if saliency else row.first_osteoporosis),
                "–" if row.rank is None else f"{row.rank.value:.1f} ({row.rank.low:.1f} to {row.rank.high:.1f})",
                f"{100 * row.chance:.0f} %",
                *(
                    f"{_share(rate.first.value if rate.first else None)} ({_share(rate.otherwise)})"
                    for rate in row.by_truth.values()
                ),
            )
            for row in rows
        ),
    )


def _network(one: NetworkFigures) -> tuple[str, ...]:
    learned = "" if one.learned else " (not learned)"
    images = f"{one.images} ({one.bodies})"
    return (one.truth, one.network + learned, str(one.steps), images, *map(_words, (one.untouched, one.without, one.alone)))


def _falls_short(auc: Interval | None) -> str:
    """Why a truth was not learned, with digits enough to see it."""
    if auc is None:
        return "its AUC is not defined"
    return f"its AUC is {auc.value:.2f} and the interval begins at {auc.low:.3f}, where at least {LEAST_AUC:.2f} is asked for"


def _rate(row: ExplanationRow) -> float:
    return row.first.value if row.first is not None else -1.0


def _title(name: str) -> str:
    return (
        SALIENCY_METHODS[name].title
        if name in SALIENCY_METHODS
        else f"({PERFECT}, on the same cells)"
        if name == PERFECT
        else name
    )


def _named(row: ExplanationRow) -> str:
    return (
        f"{_title(row.name)} by {HOW_WORDS[row.how]}"
        if row.kind == "saliency"
        else f"covering with {row.name} ({HOW_WORDS[row.how]})"
    )


def _words(one: Interval | None) -> str:
    return "–" if one is None else f"{one.value:.2f} ({one.low:.2f} to {one.high:.2f})"


def _percent(one: Interval | None) -> str:
    return "–" if one is None else f"{100 * one.value:.0f} % ({100 * one.low:.0f} to {100 * one.high:.0f})"


def _points(one: Interval | None) -> str:
    return "–" if one is None else f"{100 * one.value:.0f} points ({100 * one.low:.0f} to {100 * one.high:.0f})"


def _share(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.0f} %"
