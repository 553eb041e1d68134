"""The sanity checks of several radiographs as files: sanity.json with everything, sanity.md to read."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from OsteoScreenLib.classifier.classifier import Classifier
from OsteoScreenLib.explain.analyse import versions
from OsteoScreenLib.explain.analysis import RESEARCH_USE_ONLY, SIMULATED_TRAINING
from OsteoScreenLib.explain.curves import CurveCheck
from OsteoScreenLib.explain.saliency_methods import SALIENCY_METHODS
from OsteoScreenLib.explain.sanity import ALIKE, Cascade
from OsteoScreenLib.explain.sanity_checks import ImageSanity, SanityRequest
from OsteoScreenLib.files import write_text
from OsteoScreenLib.study.label_randomised import LabelComparison

HEAD = ("method", "like random weights", "depends on learning", "deletion", "better than", "insertion", "better than")
MEANING = (
    "Like random weights: mean rank correlation (95 % interval) of the map with those of networks of the same kind whose weights are "
    f"random; it depends on learning when the whole interval lies below {ALIKE:g}. Deletion: mean probability while the map's most "
    "salient pixels are covered first; small is good. Insertion: while they are shown first; large is good. Better than: per cent of "
    "random orders of the same grain; above 95 is better than chance."
)


@dataclass(frozen=True)
class SanityTable:
    """facts : what the run is. images : file name and checks of each. left_out : one sentence for each image that was left out.

    labels : comparison with a model trained on shuffled labels, by method; empty without one.
    """

    facts: dict[str, Any]
    images: tuple[tuple[str, ImageSanity], ...]
    left_out: tuple[str, ...] = ()
    labels: tuple[LabelComparison, ...] = ()


def facts_of(classifier: Classifier, request: SanityRequest, randomised: Classifier | None = None) -> dict[str, Any]:
    """What a run is, as it stands at the head of its files."""
    model = classifier.model
    return {
        "research_use_only": True,
        "statements": [RESEARCH_USE_ONLY, *([SIMULATED_TRAINING] if model.simulated else [])],
        "model": _model(classifier),
        "random_labels_model": None if randomised is None else _model(randomised),
        "options": asdict(request),
        "device": classifier.device.type,
        "precision": classifier.precision,
        "versions": versions(),
    }


def _model(classifier: Classifier) -> dict[str, str]:
    model = classifier.model
    return {
        "id": model.id,
        "title": model.title,
        "sha256": model.bundle.sha256,
        "weights_sha256": model.bundle.weights_sha256,
    }


def write_sanity(folder: Path, table: SanityTable) -> dict[str, Path]:
    """Write sanity.json and sanity.md into an existing folder; what was written, by "json" and "markdown"."""
    return {
        "json": write_text(folder / "sanity.json", as_json(table)),
        "markdown": write_text(folder / "sanity.md", as_markdown(table)),
    }


def as_json(table: SanityTable) -> str:
    """Everything, with how it came about; null where a number is not defined."""
    images = [
        {
            "image": name,
            "probability": checks.probability,
            "methods": [
                {
                    "method": one.method,
                    "empty": one.empty,
                    "weights": _cascade(one.cascade),
                    "deletion": _curve(one.deletion),
                    "insertion": _curve(one.insertion),
                }
                for one in checks.methods
            ],
        }
        for name, checks in table.images
    ]
    labels = [
        {
            "method": one.method,
            "verdict": one.sensitivity,
            "sentence": one.sentence,
            "mean": None if one.found is None else asdict(one.found),
            "images": [None if similarity is None else asdict(similarity) for similarity in one.similarities],
        }
        for one in table.labels
    ]
    values = {**table.facts, "rules": {"alike": ALIKE}, "images": images, "labels": labels, "left_out": list(table.left_out)}
    return json.dumps(values, indent=2, allow_nan=False, ensure_ascii=False) + "\n"


def as_markdown(table: SanityTable) -> str:
    """Tables to read."""
    lines = [
        f"# Do the heatmaps of {table.facts['model']['title']} say anything?",
        "",
        *(f"- **{statement}**" for statement in table.facts["statements"]),
        *(f"- {sentence}" for sentence in sentences(table)),
        "",
        MEANING,
        "",
    ]
    for name, checks in table.images:
        rows = table_words(checks)
        lines += [f"## {name}", "", "| " + " | ".join(HEAD) + " |", "|---|" + "---:|" * (len(HEAD) - 1)]
        lines += [*("| " + " | ".join(row) + " |" for row in rows), ""]
    if table.left_out:
        lines += ["## Images that were left out", "", *(f"- {sentence}" for sentence in table.left_out), ""]
    return "\n".join(lines)


def sentences(table: SanityTable) -> list[str]:
    """What was measured and how, and what it says of each method, each in one sentence."""
    options, facts = table.facts["options"], table.facts
    how = options["curves"]
    told = [
        f"{len(table.images)} images; left out: {len(table.left_out)}. Target {how['target']}, {options['draws']} random networks an "
        f"image, curves of {how['steps']} steps with fill {how['fill']} against {how['orders']} random orders, seed {how['seed']}, "
        f"{facts['device']} in {facts['precision']}."
    ]
    for method in [one.method for one in table.images[0][1].methods] if table.images else []:
        found = [one.cascade.sensitivity for _, checks in table.images for one in checks.methods if one.method == method]
        told.append(f"{title_of(method)} with random weights: {_counted(found)}.")
    told += [f"{title_of(one.method)} with shuffled labels: {_lowered(one.sentence)}" for one in table.labels]
    return told


def table_words(checks: ImageSanity) -> list[tuple[str, ...]]:
    """The cells of one image's table, row by row."""
    rows: list[tuple[str, ...]] = []
    for one in checks.methods:
        found = one.cascade.without_learning
        alike = "–" if found is None else f"{found.mean:.2f} ({found.low:.2f} to {found.high:.2f})"
        answer = {"sensitive": "yes", "insensitive": "**no**", "cannot tell": "cannot tell"}[one.cascade.sensitivity]
        name = title_of(one.method) + (" (empty)" if one.empty else "")
        rows.append((name, alike, answer, *_curve_words(one.deletion), *_curve_words(one.insertion)))
    return rows


def title_of(method: str) -> str:
    """How people read a method's key."""
    return SALIENCY_METHODS[method].title


def _curve_words(check: CurveCheck) -> tuple[str, str]:
    return f"{check.curve.area:.3f}", "–" if check.chance is None else f"{check.chance.percentile:.1f} %"


def _counted(found: Sequence[str]) -> str:
    words = {"sensitive": "depends on learning", "insensitive": "does not depend on learning", "cannot tell": "cannot tell"}
    return "; ".join(f"{word} in {found.count(kind)} of {len(found)}" for kind, word in words.items() if found.count(kind))


def _lowered(sentence: str) -> str:
    return sentence[:1].lower() + sentence[1:]


def _cascade(cascade: Cascade) -> dict[str, Any]:
    found = cascade.without_learning
    return {
        "verdict": cascade.sensitivity,
        "sentence": cascade.sentence,
        "without_learning": None if found is None else asdict(found),
        "stages": [
            {
                "layer": layer,
                "spearman": [one.spearman for one in similarities],
                "ssim": [one.ssim for one in similarities],
            }
            for layer, similarities in zip(cascade.stages, cascade.similarities or [()] * len(cascade.stages), strict=True)
        ],
    }


def _curve(check: CurveCheck) -> dict[str, Any]:
    return {
        "shares": list(check.curve.shares),
        "probabilities": list(check.curve.probabilities),
        "area": check.curve.area,
        "random_areas": list(check.random_areas),
        "percentile": None if check.chance is None else check.chance.percentile,
        "p_value": None if check.chance is None else check.chance.p_value,
    }
