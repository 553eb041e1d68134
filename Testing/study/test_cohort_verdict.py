"""The verdict on a cohort: each rule on its own edge, and on real runs of models whose interest is known."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from study.drawn_cohort import reading_bundle, write_cohort

from OsteoScreenLib.classifier.classifier import Classifier
from OsteoScreenLib.study.bone_effects import EffectOptions, Reader
from OsteoScreenLib.study.bone_effects_run import measure_cohort
from OsteoScreenLib.study.bone_effects_summary import BoneRow, CohortEffects, summarise
from OsteoScreenLib.study.bone_effects_table import as_json, as_markdown
from OsteoScreenLib.study.classifier_figures import Interval
from OsteoScreenLib.study.cohort import read_cohort
from OsteoScreenLib.study.cohort_verdict import FEWEST_PATIENTS, NO_LOSS, verdict_on_cohort


def bone_row(of: Any, name: str, delta: Interval | None, enrichment: Interval | None = None) -> BoneRow:
    return BoneRow(of, name, 50, None, delta, None, None, {"enrichment": enrichment}, ())


def effects(**changes: Any) -> CohortEffects:
    """Everything speaks for bone."""
    values: dict[str, Any] = {
        "facts": {}, "images": 80, "patients": 60, "classes": {}, "left_out": (), "draws": 200,
        "untouched": Interval(0.9, 0.85, 0.95), "no_bone": Interval(0.55, 0.5, 0.6),
        "rows": (
            bone_row("all", "all bones", Interval(0.35, 0.25, 0.45)),
            bone_row("group", "Spine", Interval(0.2, 0.1, 0.3), Interval(1.8, 1.5, 2.1)),
            bone_row("group", "Right ribs", Interval(0.25, -0.1, 0.4), Interval(0.5, 0.4, 0.6)),
        ),
    }  # fmt: skip
    return CohortEffects(**(values | changes))


def with_rows(**rows: Interval | None) -> tuple[BoneRow, ...]:
    """The rows with another Δ of all bones (`all`) or of the spine, or another enrichment of the spine (`heat`)."""
    every, spine, ribs = effects().rows
    return (
        replace(every, delta=rows.get("all", every.delta)),
        replace(spine, delta=rows.get("spine", spine.delta), overlap={"enrichment": rows.get("heat", Interval(1.8, 1.5, 2.1))}),
        ribs,
    )


@pytest.mark.parametrize(
    ("changes", "kind", "words"),
    [
        ({}, "looks at bone", "Spine alone brings 0.200"),
        ({"patients": FEWEST_PATIENTS}, "looks at bone", "Spine"),
        ({"patients": FEWEST_PATIENTS - 1}, "cannot tell", "too few"),
        ({"untouched": Interval(0.6, 0.49, 0.7)}, "cannot tell", "for certain"),
        ({"untouched": Interval(0.4, 0.2, 0.45)}, "cannot tell", "does not tell the classes apart"),
        ({"untouched": None}, "cannot tell", "not defined"),
        ({"rows": with_rows(all=None)}, "cannot tell", "not defined"),
        ({"rows": with_rows(all=Interval(0.01, -0.02, NO_LOSS - 1e-6))}, "does not", "less than"),
        ({"rows": with_rows(all=Interval(0.01, -0.02, NO_LOSS))}, "cannot tell", "holds 0"),
        ({"rows": with_rows(all=Interval(0.3, 0.0, 0.5))}, "cannot tell", "holds 0"),
        ({"rows": with_rows(all=Interval(0.2, 0.1, 0.3))}, "cannot tell", "only 50 %"),
        ({"rows": with_rows(all=Interval(0.21, 0.1, 0.3))}, "looks at bone", "Spine"),
        ({"rows": with_rows(spine=Interval(0.2, 0.0, 0.3))}, "cannot tell", "alone surely"),
        ({"rows": with_rows(heat=Interval(1.5, 1.0, 2.0))}, "cannot tell", "not surely richer"),
        ({"rows": with_rows(heat=None)}, "looks at bone", "Spine"),
        ({"rows": ()}, "cannot tell", "not defined"),
    ],
)
def test_each_rule_on_its_edge(changes: dict[str, Any], kind: str, words: str) -> None:
    verdict = verdict_on_cohort(effects(**changes))
    assert verdict.kind == kind and words in verdict.sentence, verdict.sentence
    assert verdict.about == "cohort" and verdict.sentence.endswith(".") and "nan" not in verdict.sentence
    json.dumps(dict(verdict.numbers), allow_nan=False)


@pytest.fixture(scope="module")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_cohort(tmp_path_factory.mktemp("cohort") / "drawn", 72, noise=0.08)


def test_a_cohort_of_a_model_that_reads_one_bone_and_of_one_that_reads_none(cohort: Path, tmp_path: Path) -> None:
    classifier = Classifier.load(reading_bundle(tmp_path / "reads-one-bone"), "cpu", "fp32")
    rows = read_cohort(cohort)

    def summed(table: Any, folder: Path) -> CohortEffects:
        facts = measure_cohort(table, cohort.parent, folder, classifier, Reader(None, None), EffectOptions(fill="black"))
        return summarise(folder, table, facts, 200)

    found = summed(rows, tmp_path / "one")
    verdict = verdict_on_cohort(found)
    assert verdict.kind == "looks at bone" and verdict.numbers["group"] == "Spine", verdict.sentence
    assert verdict.numbers["share_of_ability"] == pytest.approx(1)
    table = json.loads(as_json(found))
    assert table["verdict"]["kind"] == verdict.kind and table["verdict"]["numbers"]["patients"] == found.patients
    assert verdict.sentence in as_markdown(found)
    # The same answers, with labels that have nothing to do with the bone.
    shuffled = tuple(replace(row, label=index % 3) for index, row in enumerate(rows))
    assert verdict_on_cohort(summed(shuffled, tmp_path / "none")).kind == "cannot tell"
