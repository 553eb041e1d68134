"""Whether the model's answer comes from bone, in one sentence, made from the table beside the bones. It is about the model alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from OsteoScreenLib.classifier.domain import Domain
from OsteoScreenLib.classifier.prediction import CLASSES, target_probability
from OsteoScreenLib.explain.analysis import BoneEffect
from OsteoScreenLib.explain.bone_sweep import SweepRow
from OsteoScreenLib.explain.verdict import verdict_on_image
from OsteoScreenLib.workbench.effect_rows import EffectRow

if TYPE_CHECKING:
    from OsteoScreenLib.workbench.case import Case


@dataclass(frozen=True)
class VerdictLine:
    """kind : as `explain.verdict.Verdict`, "" while there is none. sentence : for a reader, without medical advice.

    state : "computing" until every group was compared with its controls; "stale" when the masks were changed since.
    """

    kind: str = ""
    sentence: str = ""
    state: Literal["current", "computing", "stale", "none"] = "none"


def verdict_line(case: Case, rows: Mapping[str, EffectRow]) -> VerdictLine:
    """The verdict on the image that lies on the table, for the present target, fill and margin. rows : of its table."""
    result = case.result
    groups = {name: row for name, row in rows.items() if row.of == "group"}
    if result is None or not groups:
        return VerdictLine()
    if any(row.removed_chance.state in {"computing", "none"} for row in groups.values()):
        waiting = any(row.removed_chance.state == "computing" for row in groups.values())
        return VerdictLine(state="computing" if waiting else "none")
    if result.saliency is not None and case.saliency is None:
        return VerdictLine(state="computing")  # the verdict also asks where the heatmap lies
    domain: Mapping[str, Any] | None = (result.analysis.get("prediction") or {}).get("domain")
    verdict = verdict_on_image(
        [_swept(case, name, row) for name, row in groups.items()],
        result.overlap if case.saliency is not None else (),
        domain=None if domain is None else Domain(**domain),
    )
    stale = any(row.removed_chance.state == "stale" for row in groups.values())
    return VerdictLine(verdict.kind, verdict.sentence, "stale" if stale else "current")


def _swept(case: Case, name: str, row: EffectRow) -> SweepRow:
    """A row of the table as `explain` knows it."""
    bones, target = case.subjects()[name], case.toggles.target
    answer = case.answers.get(case.question_about(bones, "remove"))
    reference = case.answers.get(case.reference_in("remove"))
    points, odds = row.removed.delta_points, row.removed.delta_log_odds
    assert answer is not None and reference is not None and points is not None and odds is not None
    p, q = (float(target_probability(np.array(one.probabilities), target)) for one in (answer, reference))
    named = dict(zip(CLASSES, answer.probabilities, strict=True))
    effect = BoneEffect("group", name, tuple(sorted(bones)), answer.area_px, named, p, q, points, odds)
    return SweepRow("remove", effect, (), row.removed_chance.chance)
