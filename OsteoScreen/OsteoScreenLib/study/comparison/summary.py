"""From finished models to a `Comparison`: rows, ranks, correlations, figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from OsteoScreenLib.study.classifier_figures import Interval
from OsteoScreenLib.study.comparison.comparison import Comparison, SeedRanking
from OsteoScreenLib.study.comparison.drawn_measures import DrawnMeasures, Scored, draw_measures
from OsteoScreenLib.study.comparison.figures import Curve, Point, write_against, write_roc
from OsteoScreenLib.study.comparison.limits import limits, note_on
from OsteoScreenLib.study.comparison.one_model import TARGET, Cohort, ModelResult, Settings
from OsteoScreenLib.study.comparison.partitions import partitions
from OsteoScreenLib.study.comparison.plan import Plan
from OsteoScreenLib.study.comparison.published import PUBLISHED, Measure
from OsteoScreenLib.study.comparison.rank import agreement, correlate, standings
from OsteoScreenLib.study.comparison.table import BoneColumns, TableRow
from OsteoScreenLib.study.evaluation.baseline import Baseline
from OsteoScreenLib.study.evaluation.decisions import Decisions
from OsteoScreenLib.study.evaluation.discrimination import Auc
from OsteoScreenLib.study.evaluation.proportions import Proportion
from OsteoScreenLib.study.evaluation.questions import OSTEOPOROSIS
from OsteoScreenLib.study.patient_bootstrap import interval_of

IOU, DELTA = "IoU of the saliency map with all bones", "Δ of all bones"


def summarise_models(
    results: Sequence[ModelResult], cohort: Cohort, plan: Plan, settings: Settings, folder: Path, facts: Mapping[str, Any]
) -> Comparison:
    """The whole comparison; its figures are written into `folder`.

    results : every model of the plan, in its order, all with the same test images in the same order.
    """
    drawn = {seed: _drawn([one for one in results if one.combination.seed == seed], settings) for seed in plan.seeds}
    first, seed = drawn[plan.seeds[0]], plan.seeds[0]
    parts = partitions(cohort.rows, cohort.splits)
    rows = tuple(_row(one, folder, plan, settings) for one in results)
    baseline, note = _baseline(results[0])
    return Comparison(
        facts=facts,
        partitions=parts,
        rows=rows,
        baseline=baseline,
        baseline_note=note,
        tests=tuple(_test_words(one) for one in results if one.combination.seed == seed and _age(one) is not None),
        rankings=tuple(_ranking(seed, measures) for seed, measures in drawn.items()),
        agreements=tuple(
            agreement(first, measures, (seed, other)) for other, measures in drawn.items() if other != plan.seeds[0]
        ),
        limits=limits(
            plan,
            parts,
            settings.omitted if settings.bones is None else settings.bones.note,
            settings.training.site,
            settings.training.simulated,
        ),
        figures=_figures([one for one in results if one.combination.seed == seed], first, folder, plan),
    )


def _drawn(results: Sequence[ModelResult], settings: Settings) -> DrawnMeasures:
    models = [Scored(one.combination.title, one.test.osteoporosis, one.explained) for one in results]
    test = results[0].test
    return draw_measures(models, [str(name) for name in test.patient], test.label == TARGET, settings.draws, settings.seed)


def _ranking(seed: int, drawn: DrawnMeasures) -> SeedRanking:
    return SeedRanking(seed, standings(drawn), (correlate(drawn, IOU, drawn.iou), correlate(drawn, DELTA, drawn.delta)))


def _row(result: ModelResult, folder: Path, plan: Plan, settings: Settings) -> TableRow:
    combination, figures = result.combination, result.evaluation.per_image
    auc, decided = figures.auc(OSTEOPOROSIS), figures.at(OSTEOPOROSIS, result.evaluation.primary)
    return TableRow(
        key=combination.key,
        title=combination.title,
        family=combination.family,
        tuning=combination.tuning,
        backbone=combination.backbone,
        seed=combination.seed,
        note=note_on(combination, plan.random_weights),
        images=figures.count,
        positives=figures.classes[OSTEOPOROSIS],
        auc=_area(auc),
        accuracy=_share(decided, "accuracy"),
        sensitivity=_share(decided, "sensitivity"),
        specificity=_share(decided, "specificity"),
        bones=None if result.effects is None else BoneColumns.of(result.effects),
        bones_note=settings.omitted if result.effects is None else "",
        published=PUBLISHED.get((combination.family, combination.tuning)),
        folder=result.folder.relative_to(folder).as_posix(),
    )


def _area(one: Auc | None) -> Interval | None:
    """The interval that an evaluation leads with."""
    return None if one is None else one.clustered or one.bootstrap


def _share(decided: Decisions | None, measure: Measure) -> Interval | None:
    one: Proportion | None = getattr(decided, measure, None)
    return None if one is None else one.wilson


def _age(result: ModelResult) -> Baseline | None:
    return next((one for one in result.evaluation.baselines if one.question == OSTEOPOROSIS), None)


def _baseline(result: ModelResult) -> tuple[TableRow | None, str]:
    """The row of the age-and-sex baseline with a sentence on how it was made, or why there is none."""
    found = _age(result)
    if found is None:
        said = [remark for remark in result.evaluation.remarks if "age-and-sex baseline" in remark]
        return None, said[0] if said else "No age-and-sex baseline."
    row = TableRow(
        key="baseline", title=f"{found.uses} alone", family="", tuning="", backbone="", seed=None, note="no radiograph",
        images=found.images, positives=found.age_and_sex.positives or 0, auc=_area(found.age_and_sex), accuracy=None,
        sensitivity=None, specificity=None, bones=None, bones_note="–", published=None, folder="",
    )  # fmt: skip
    return row, (
        f"The last row is a logistic regression on {found.uses}, fitted on {found.fitted_on} and tested on the {found.images} test "
        "images with a known age. DeLong's tests of each model against it, clustered by patients, on these images:"
    )


def _test_words(result: ModelResult) -> str:
    found = _age(result)
    assert found is not None
    one = found.difference
    return f"{result.combination.title}: its AUC less that of {found.uses} alone is {one.value}, p = {one.p:.2g}."


def _figures(results: Sequence[ModelResult], drawn: DrawnMeasures, folder: Path, plan: Plan) -> dict[str, str]:
    curves: list[Curve] = []
    points: dict[str, list[Point]] = {"iou": [], "delta": []}
    for place, one in enumerate(results):
        decided = one.evaluation.per_image.at(OSTEOPOROSIS, one.evaluation.primary)
        mark = None
        if decided is not None and decided.sensitivity is not None and decided.specificity is not None:
            mark = (1 - decided.specificity.wilson.value, decided.sensitivity.wilson.value)
        combination, auc = one.combination, _area(one.evaluation.per_image.auc(OSTEOPOROSIS))
        curves.append(Curve(combination.family, combination.tuning, one.test.osteoporosis, one.test.label == TARGET, mark))
        for name, values in (("iou", drawn.iou), ("delta", drawn.delta)):
            x = interval_of(values[place])
            if x is not None and auc is not None:
                points[name].append(Point(combination.family, combination.tuning, x, auc))
    told = " (random weights)" if plan.random_weights else ""
    written = {"roc": write_roc(folder / "roc.png", curves, f"Osteoporosis against the rest, test split{told}")}
    for name, words in (("iou", IOU), ("delta", DELTA)):
        if points[name]:
            written[name] = write_against(folder / f"auc-against-{name}.png", points[name], words, f"AUC against {words}{told}")
    return {name: path.name for name, path in written.items()}
