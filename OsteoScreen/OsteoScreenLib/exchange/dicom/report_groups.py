"""What a structured report says, group by group: the answer, the operating points, the input check, effects, verdict, the reader."""

from __future__ import annotations

from typing import TYPE_CHECKING

from OsteoScreenLib.bones.vocabulary import Code
from OsteoScreenLib.classifier.prediction import Prediction
from OsteoScreenLib.exchange.dicom import report_codes as terms
from OsteoScreenLib.exchange.dicom.codes import concept
from OsteoScreenLib.exchange.dicom.group_maker import Group, GroupMaker
from OsteoScreenLib.exchange.dicom.report_items import answer, code_item, modified, number, number_item, percent, text_item
from OsteoScreenLib.exchange.prior_result import BoneTable, PriorResult, ReaderOpinion, TableEffect
from OsteoScreenLib.explain.analysis import BoneEffect, Covering
from OsteoScreenLib.explain.verdict import Verdict

if TYPE_CHECKING:
    from highdicom.sr import ContentItem, Measurement


def groups_of(maker: GroupMaker, result: PriorResult) -> list[Group]:
    """Every group of a result, the answer first."""
    prediction = result.prediction
    groups = [_answer(maker, result), *_points(maker, result)]
    if prediction.domain is not None:
        groups.append(_input_check(maker, prediction))
    if result.covering is not None:
        groups.append(_covering(maker, result.covering))
        groups += [_effect(maker, effect, result.covering) for effect in result.covering.effects]
    if result.table is not None:
        groups += _table(maker, result.table)
    if result.verdict is not None:
        groups.append(_verdict(maker, result.verdict))
    if result.opinion is not None:
        groups.append(_opinion(maker, result.opinion))
    return groups


def _answer(maker: GroupMaker, result: PriorResult) -> Group:
    decided = [
        answer(terms.DECISION, terms.CLASSES[result.prediction.decision]),
        answer(terms.TARGET, terms.CLASSES[result.target]),
        answer(terms.SIMULATED, terms.YES if result.model.simulated_training else terms.NO),
    ]
    said = [text_item(terms.STATEMENT, sentence) for sentence in result.statements]
    numbers = _probabilities(result.prediction)
    if result.prediction.expected_t_score is not None:
        numbers.append(number(terms.T_SCORE, float(result.prediction.expected_t_score), terms.T_SCORE_UNIT))
    return maker.group("answer", terms.GROUP_PREDICTION, numbers, decided, said)


def _points(maker: GroupMaker, result: PriorResult) -> list[Group]:
    """One group an operating point: the threshold, and how good the decision is there where the bundle says so."""
    points = result.prediction.operating_points
    groups = []
    for name, threshold in (("osteoporosis", points.osteoporosis), ("low bone mass", points.low_bone_mass)):
        numbers, said = [percent(terms.THRESHOLD, threshold)], []
        for one in result.model.performance:
            if one.point == name:
                numbers += [
                    percent(terms.SENSITIVITY, one.sensitivity),
                    percent(terms.SPECIFICITY, one.specificity),
                    number(terms.POSITIVES, one.positives, terms.IMAGES),
                    number(terms.NEGATIVES, one.negatives, terms.IMAGES),
                ]
                said.append(text_item(terms.MEASURED_ON, one.measured_on))
        asked = [answer(terms.TARGET, terms.CLASSES[name])]
        groups.append(maker.group(f"operating point: {name}", terms.GROUP_POINT, numbers, asked, said))
    return groups


def _input_check(maker: GroupMaker, prediction: Prediction) -> Group:
    domain = prediction.domain
    assert domain is not None
    numbers = [
        number(terms.DOMAIN_DISTANCE, float(domain.distance)),
        number(terms.DOMAIN_PERCENTILE, float(domain.percentile), terms.PERCENT),
    ]
    return maker.group("input check", terms.GROUP_INPUT, numbers, [answer(terms.INPUT_CHECK, terms.LEVELS[domain.level])])


def _covering(maker: GroupMaker, covering: Covering) -> Group:
    numbers = [
        *_probabilities(covering.prediction),
        percent(terms.P_VARIANT, covering.probability),
        *_deltas(covering.delta_points, covering.delta_log_odds),
        number(terms.COVERED_AREA, covering.area_px, terms.PIXELS),
        number(terms.MARGIN_PX, float(covering.margin_px), terms.PIXELS),
    ]
    if covering.margin_mm is not None:
        numbers.append(number(terms.MARGIN_MM, float(covering.margin_mm), terms.MILLIMETRES))
    asked = [
        answer(terms.MODE, terms.MODES[covering.mode]),
        answer(terms.FILL, terms.FILLS[covering.fill]),
        answer(terms.DECISION, terms.CLASSES[covering.prediction.decision]),
    ]
    said = [
        text_item(terms.SEED, str(covering.seed)),
        *(text_item(terms.COVERED_BONE, name) for name in covering.covered),
        *(text_item(terms.NOT_FOUND, name) for name in covering.not_found),
    ]
    return maker.group("covering", terms.GROUP_COVERING, numbers, asked, said)


def _effect(maker: GroupMaker, effect: BoneEffect, covering: Covering) -> Group:
    classes = effect.probabilities
    numbers = [
        *_deltas(effect.delta_points, effect.delta_log_odds),
        percent(terms.P_VARIANT, effect.probability),
        percent(terms.P_REFERENCE, effect.reference_probability),
        *(percent(terms.PROBABILITIES[name], classes[name]) for name in classes),
        number(terms.COVERED_AREA, effect.area_px, terms.PIXELS),
    ]
    said = [text_item(terms.SUBJECT_NAME, effect.name), *(text_item(terms.BONE, name) for name in effect.bones)]
    return maker.group(
        f"effect of {effect.of}: {effect.name}",
        terms.GROUP_EFFECT,
        numbers,
        [
            answer(terms.EFFECT_OF, terms.SUBJECTS[effect.of]),
            answer(terms.MODE, terms.MODES[covering.mode]),
            answer(terms.FILL, terms.FILLS[covering.fill]),
        ],
        said,
        effect.bones,
    )


def _table(maker: GroupMaker, table: BoneTable) -> list[Group]:
    """The settings, then a group for each row with its numbers of both modes."""
    margin = [number(terms.MARGIN_PX, float(table.margin_px), terms.PIXELS)]
    seed = [text_item(terms.SEED, str(table.seed))]
    fill = answer(terms.FILL, terms.FILLS[table.fill])
    groups = [maker.group("table", terms.GROUP_TABLE, margin, [fill], seed)]
    for row in table.rows:
        numbers = [
            *([] if row.removed is None else _in_mode(row.removed, terms.MODES["remove"])),
            *([] if row.added is None else _in_mode(row.added, terms.MODES["add-back"])),
        ]
        subject = answer(terms.EFFECT_OF, terms.SUBJECTS[row.of])
        named = [text_item(terms.SUBJECT_NAME, row.name)]
        track = f"table, {row.of}: {row.name}"
        groups.append(maker.group(track, terms.GROUP_ROW, numbers, [subject, fill], named, maker.members(row.of, row.name)))
    return groups


def _in_mode(effect: TableEffect, mode: Code) -> list[Measurement]:
    numbers = [
        number(terms.DELTA_POINTS, float(effect.delta_points), terms.PERCENT, mode),
        number(terms.DELTA_LOG_ODDS, float(effect.delta_log_odds), terms.LOG_ODDS_UNIT, mode),
    ]
    if effect.percentile is not None and effect.p_value is not None and effect.controls is not None:
        numbers += [
            number(terms.PERCENTILE, float(effect.percentile), terms.PERCENT, mode),
            number(terms.P_VALUE, float(effect.p_value), method=mode),
            number(terms.CONTROLS, effect.controls, method=mode),
        ]
    return numbers


def _verdict(maker: GroupMaker, verdict: Verdict) -> Group:
    said: list[ContentItem] = [text_item(terms.VERDICT_SENTENCE, verdict.sentence)]
    for name, value in verdict.numbers.items():
        called = text_item(terms.NUMBER_NAME, name, "HAS CONCEPT MOD")
        if value is None:
            said.append(text_item(terms.VERDICT_UNKNOWN, name))
        elif isinstance(value, str):
            said.append(modified(text_item(terms.VERDICT_WORD, value), called))
        else:
            said.append(modified(number_item(terms.VERDICT_NUMBER, value, terms.NO_UNITS), called))
    for name, limit in verdict.rules.items():
        called = text_item(terms.NUMBER_NAME, name, "HAS CONCEPT MOD")
        said.append(modified(number_item(terms.VERDICT_RULE, limit, terms.NO_UNITS), called))
    asked = [answer(terms.VERDICT, terms.VERDICTS[verdict.kind]), answer(terms.VERDICT_ABOUT, terms.ABOUT[verdict.about])]
    return maker.group("verdict", terms.GROUP_VERDICT, [], asked, said)


def _opinion(maker: GroupMaker, read: ReaderOpinion) -> Group:
    """The reader is the observer of this group, under the code of the study, instead of the device."""
    from highdicom.sr import PnameContentItem

    opinion = read.opinion
    asked = [
        answer(terms.READER_DECISION, terms.CLASSES[opinion.decision]),
        answer(terms.TARGET, terms.CLASSES[read.target]),
        answer(terms.READER_QUALITY, terms.QUALITIES[opinion.quality]),
        answer(terms.READING, terms.READINGS[read.phase]),
    ]
    observer = [
        code_item(Code("121005", "Observer Type", "DCM"), Code("121006", "Person", "DCM"), "HAS OBS CONTEXT"),
        PnameContentItem(
            name=concept(Code("121008", "Person Observer Name", "DCM")),
            value=f"{read.reader}^",  # the caret says that this is a whole family name, not one without its parts
            relationship_type="HAS OBS CONTEXT",
        ),
    ]
    said = [
        *(text_item(terms.FINDING, finding) for finding in opinion.findings),
        *([text_item(terms.COMMENT, opinion.comment)] if opinion.comment else []),
        *([text_item(terms.CHANGED, opinion.changed_because)] if opinion.changed_because else []),
        text_item(terms.LOCKED_AT, read.at),
    ]
    sure = [number(terms.CONFIDENCE, opinion.confidence, terms.PERCENT)]
    group = maker.group("reader", terms.GROUP_READER, sure, asked, said, by_algorithm=False)
    for item in reversed(observer):
        group[0].ContentSequence.insert(0, item)
    return group


def _probabilities(prediction: Prediction) -> list[Measurement]:
    named = {**prediction.probabilities, "low bone mass": prediction.low_bone_mass}
    return [percent(terms.PROBABILITIES[name], share) for name, share in named.items()]


def _deltas(points: float, log_odds: float) -> list[Measurement]:
    return [
        number(terms.DELTA_POINTS, float(points), terms.PERCENT),
        number(terms.DELTA_LOG_ODDS, float(log_odds), terms.LOG_ODDS_UNIT),
    ]
