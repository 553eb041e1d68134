"""A prior result in words: rows of a title and a value, as the command line prints them and the panel shows them."""

from __future__ import annotations

from collections.abc import Iterator

from OsteoScreenLib.exchange.prior_result import BoneTable, PriorResult, ReaderOpinion, TableEffect
from OsteoScreenLib.exchange.report import percent, signed
from OsteoScreenLib.explain.analysis import BoneEffect, Covering

Rows = tuple[tuple[str, str], ...]

_LEVELS = {
    "in": "resembles the model's training images",
    "borderline": "at the edge of the model's training images",
    "out": "unlike the model's training images: do not trust this answer",
}
_SUBJECTS = {"set": "all chosen bones", "group": "group", "bone": "bone"}


def rows(result: PriorResult) -> Rows:
    """What a result says, the sentences that must be read first on top. Nothing of the patient, and of the UIDs the image's alone."""
    return tuple((_line(title), _line(value)) for title, value in _rows(result))


def _line(text: str) -> str:
    """One line of printable letters: a report from elsewhere may hold what steers a terminal."""
    return " ".join("".join(letter if letter.isprintable() else " " if letter.isspace() else "" for letter in text).split())


def _rows(result: PriorResult) -> Iterator[tuple[str, str]]:
    prediction, model = result.prediction, result.model
    for sentence in result.statements:
        yield "Read first", sentence
    yield "Class", prediction.decision
    for name, share in prediction.probabilities.items():
        yield f"Probability of {name}", percent(share)
    yield "Probability of osteopenia or worse", percent(prediction.low_bone_mass)
    points = prediction.operating_points
    yield (
        "Operating points",
        f"osteoporosis from {percent(points.osteoporosis)} on, low bone mass from {percent(points.low_bone_mass)} on",
    )
    for one in model.performance:
        yield (
            f"At the point of {one.point}",
            f"sensitivity {percent(one.sensitivity)} of {one.positives}, specificity {percent(one.specificity)} of {one.negatives}; "
            f"measured on {one.measured_on}",
        )
    if prediction.expected_t_score is not None:
        yield "Expected T-score", f"{signed(prediction.expected_t_score, 1)}, a regression on the image, no measurement"
    if prediction.domain is None:
        yield "Input check", "this model brings none"
    else:
        domain = prediction.domain
        yield "Input check", f"{_LEVELS[domain.level]} (distance {domain.distance:.2f}, percentile {domain.percentile:.0f})"
    if result.covering is not None:
        yield from _covering(result.covering, result.target)
    if result.table is not None:
        yield from _table(result.table, result.target)
    if result.verdict is not None:
        yield "Does the answer come from bone?", result.verdict.sentence
    for note in result.notes:
        yield "Warning" if note.severity == "warning" else "Remark", note.text
    if result.opinion is not None:
        yield from _opinion(result.opinion)
    yield "Model", f"{model.title} ({model.id}, SHA-256 {model.sha256[:16]}…)"
    yield "Made by", f"OsteoScreen {result.software}, {result.started}, {result.device}, {result.precision}"
    if result.image.sop_instance_uid:
        yield "Image (SOP Instance UID)", result.image.sop_instance_uid


def _covering(covering: Covering, target: str) -> Iterator[tuple[str, str]]:
    how = "covered" if covering.mode == "remove" else "shown alone, every other bone covered"
    which = ", ".join(covering.covered) or "none of the chosen bones was found"
    yield "Bones " + how, f"{which}; fill {covering.fill}, margin {covering.margin_px:g} px"
    if covering.not_found:
        yield "Chosen, but not found", ", ".join(covering.not_found)
    for effect in covering.effects:
        yield f"Effect on {target}: {_SUBJECTS[effect.of]} {_name(effect)}".rstrip(), _effect(effect)


def _name(effect: BoneEffect) -> str:
    return "" if effect.of == "set" else effect.name


def _effect(effect: BoneEffect) -> str:
    return (
        f"{signed(effect.delta_points, 2)} percentage points, {signed(effect.delta_log_odds, 3)} log-odds "
        f"({percent(effect.reference_probability)} and {percent(effect.probability)}; {effect.area_px} px)"
    )


def _table(table: BoneTable, target: str) -> Iterator[tuple[str, str]]:
    yield "Every bone by itself", f"fill {table.fill}, margin {table.margin_px:g} px"
    for row in table.rows:
        told = [("removed", row.removed), ("added back", row.added)]
        words = "; ".join(f"{mode} {_ranked(effect)}" for mode, effect in told if effect is not None)
        if words:
            yield f"Worth to {target}: {row.name}", words


def _ranked(effect: TableEffect) -> str:
    points = f"{signed(effect.delta_points, 2)} percentage points"
    if effect.percentile is None:
        return points
    return f"{points} (percentile {effect.percentile:.0f} of {effect.controls} controls)"


def _opinion(read: ReaderOpinion) -> Iterator[tuple[str, str]]:
    said = read.opinion
    seen = "the model's answer seen" if read.phase == "second" else "first reading"
    yield (
        f"Reader {read.reader}",
        f"{said.decision}, {said.confidence} % sure of {read.target}, image quality {said.quality} ({seen}, {read.at})",
    )
    if said.findings:
        yield f"Reader {read.reader} found", ", ".join(said.findings)
    if said.comment:
        yield f"Reader {read.reader} says", said.comment
    if said.changed_because:
        yield f"Reader {read.reader} changed because", said.changed_because
