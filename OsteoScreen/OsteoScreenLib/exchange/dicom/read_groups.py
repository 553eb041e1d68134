"""The groups of a structured report, read back: the other way of `report_groups`. A part that is missing raises `KeyError` or `ValueError`."""

from __future__ import annotations

from typing import Any, cast

from OsteoScreenLib.bones.vocabulary import Code
from OsteoScreenLib.classifier.domain import Domain
from OsteoScreenLib.classifier.prediction import CLASSES, OperatingPoints, PointPerformance, Prediction
from OsteoScreenLib.exchange.dicom import report_codes as terms
from OsteoScreenLib.exchange.dicom.report_tree import Node, key
from OsteoScreenLib.exchange.prior_result import BoneTable, ReaderOpinion, TableEffect, TableRow
from OsteoScreenLib.explain.analysis import BoneEffect, Covering
from OsteoScreenLib.explain.verdict import Verdict
from OsteoScreenLib.radiograph.radiograph import Note
from OsteoScreenLib.review.nouns import Opinion

_READER = Code("121008", "Person Observer Name", "DCM")


def points_of(groups: list[Node]) -> tuple[OperatingPoints, tuple[PointPerformance, ...]]:
    """The operating points, and how good the decision is there where the report says so. groups : one a point."""
    by_class = {group.answer(terms.TARGET, terms.CLASSES): group for group in groups}
    performance = tuple(
        PointPerformance(
            name,
            group.share(terms.SENSITIVITY),
            group.share(terms.SPECIFICITY),
            int(group.number(terms.POSITIVES)),
            int(group.number(terms.NEGATIVES)),
            group.text(terms.MEASURED_ON),
        )
        for name, group in by_class.items()
        if group.find(terms.SENSITIVITY) is not None
    )
    low, high = (by_class[name].share(terms.THRESHOLD) for name in ("low bone mass", "osteoporosis"))
    return OperatingPoints(osteoporosis=high, low_bone_mass=low), performance


def domain_of(group: Node) -> Domain:
    """The input check."""
    level = group.answer(terms.INPUT_CHECK, terms.LEVELS)
    return Domain(group.number(terms.DOMAIN_DISTANCE), group.number(terms.DOMAIN_PERCENTILE), cast(Any, level))


def covering_of(group: Node, effects: list[Node], points: OperatingPoints) -> Covering:
    """The covered bones with every effect. points : of the model."""
    return Covering(
        mode=cast(Any, group.answer(terms.MODE, terms.MODES)),
        fill=cast(Any, group.answer(terms.FILL, terms.FILLS)),
        seed=int(group.text(terms.SEED)),
        margin_px=group.number(terms.MARGIN_PX),
        margin_mm=None if group.find(terms.MARGIN_MM) is None else group.number(terms.MARGIN_MM),
        covered=tuple(one.value for one in group.all(terms.COVERED_BONE)),
        not_found=tuple(one.value for one in group.all(terms.NOT_FOUND)),
        area_px=int(group.number(terms.COVERED_AREA)),
        prediction=Prediction(shares_of(group), group.answer(terms.DECISION, terms.CLASSES), points),
        probability=group.share(terms.P_VARIANT),
        delta_points=group.number(terms.DELTA_POINTS),
        delta_log_odds=group.number(terms.DELTA_LOG_ODDS),
        effects=tuple(_effect(one) for one in effects),
    )


def _effect(group: Node) -> BoneEffect:
    return BoneEffect(
        of=cast(Any, group.answer(terms.EFFECT_OF, terms.SUBJECTS)),
        name=group.text(terms.SUBJECT_NAME),
        bones=tuple(one.value for one in group.all(terms.BONE)),
        area_px=int(group.number(terms.COVERED_AREA)),
        probabilities=shares_of(group),
        probability=group.share(terms.P_VARIANT),
        reference_probability=group.share(terms.P_REFERENCE),
        delta_points=group.number(terms.DELTA_POINTS),
        delta_log_odds=group.number(terms.DELTA_LOG_ODDS),
    )


def table_of(group: Node, rows: list[Node]) -> BoneTable:
    """The table of bones. group : its settings."""
    return BoneTable(
        fill=cast(Any, group.answer(terms.FILL, terms.FILLS)),
        margin_px=group.number(terms.MARGIN_PX),
        seed=int(group.text(terms.SEED)),
        rows=tuple(
            TableRow(
                cast(Any, row.answer(terms.EFFECT_OF, terms.SUBJECTS)),
                row.text(terms.SUBJECT_NAME),
                _in_mode(row, "remove"),
                _in_mode(row, "add-back"),
            )
            for row in rows
        ),
    )


def _in_mode(row: Node, mode: str) -> TableEffect | None:
    """The numbers of a row whose method is the mode."""
    told = {item.name: item.value for item in row.children if _mode_of(item) == key(terms.MODES[mode])}
    if key(terms.DELTA_POINTS) not in told:
        return None
    controls = told.get(key(terms.CONTROLS))
    return TableEffect(
        float(told[key(terms.DELTA_POINTS)]),
        float(told[key(terms.DELTA_LOG_ODDS)]),
        told.get(key(terms.PERCENTILE)),
        told.get(key(terms.P_VALUE)),
        None if controls is None else int(controls),
    )


def _mode_of(item: Node) -> Any:
    method = item.find(terms.METHOD)
    return None if method is None else method.value


def verdict_of(group: Node) -> Verdict:
    """The verdict with its numbers."""
    numbers: dict[str, float | str | None] = {}
    rules: dict[str, float] = {}
    for item in group.children:
        if item.name in (key(terms.VERDICT_NUMBER), key(terms.VERDICT_WORD)):
            numbers[item.text(terms.NUMBER_NAME)] = item.value
        elif item.name == key(terms.VERDICT_UNKNOWN):
            numbers[item.value] = None
        elif item.name == key(terms.VERDICT_RULE):
            rules[item.text(terms.NUMBER_NAME)] = item.value
    kind, about = group.answer(terms.VERDICT, terms.VERDICTS), group.answer(terms.VERDICT_ABOUT, terms.ABOUT)
    return Verdict(cast(Any, kind), group.text(terms.VERDICT_SENTENCE), numbers, rules, cast(Any, about))


def note_of(item: Node) -> Note:
    """One remark."""
    return Note(item.text(terms.REMARK_CODE), cast(Any, item.answer(terms.SEVERITY, terms.SEVERITIES)), item.value)


def opinion_of(group: Node) -> ReaderOpinion:
    """The reader's opinion."""
    said = Opinion(
        decision=group.answer(terms.READER_DECISION, terms.CLASSES),
        confidence=int(group.number(terms.CONFIDENCE)),
        quality=group.answer(terms.READER_QUALITY, terms.QUALITIES),
        findings=tuple(one.value for one in group.all(terms.FINDING)),
        comment=group.text(terms.COMMENT),
        changed_because=group.text(terms.CHANGED),
    )
    return ReaderOpinion(
        group.needed(_READER).value.split("^")[0],
        group.answer(terms.READING, terms.READINGS),
        said,
        group.answer(terms.TARGET, terms.CLASSES),
        group.text(terms.LOCKED_AT),
    )


def shares_of(node: Node) -> dict[str, float]:
    """The classes' probabilities in a group."""
    return {name: node.share(terms.PROBABILITIES[name]) for name in CLASSES}
