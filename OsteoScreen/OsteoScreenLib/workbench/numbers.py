"""What a reader reads: `Numbers` beside the image and an `EffectCell` in each row of the bone tree, made from answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from OsteoScreenLib.classifier.prediction import CLASSES, OperatingPoints, decide, log_odds, members_of
from OsteoScreenLib.workbench.answers import Answer
from OsteoScreenLib.workbench.toggles import Toggles

State = Literal["current", "computing", "stale", "unanswered", "not stored"]


@dataclass(frozen=True)
class ClassRow:
    """One class: its probability on the untouched image, on the image as shown now, and Δ in percentage points.

    now, delta_points : None when nothing is covered or the number is not there yet.
    """

    name: str
    untouched: float
    now: float | None
    delta_points: float | None


@dataclass(frozen=True)
class Numbers:
    """The answer, untouched and as shown now.

    reference : what Δ is against: in mode "remove" the untouched image, in "add-back" the image with all bones covered.
    delta_points, delta_log_odds : of the target. Remove: P(untouched) − P(now). Add back: P(now) − P(all bones covered).
    state : "stale" when the masks were changed since; such numbers belong to the former masks. "unanswered" when a number is
        missing and nobody computes it, "not stored" when the case has stored answers only, and this is none of them.
    expected_t_score : of the untouched image; None where the model gives none.
    """

    rows: tuple[ClassRow, ...]
    decision_untouched: str
    decision_now: str | None
    target: str
    state: State
    reference: Literal["untouched", "all covered"]
    delta_points: float | None
    delta_log_odds: float | None
    covered_area_px: int | None
    sentence: str
    expected_t_score: float | None = None


@dataclass(frozen=True)
class EffectCell:
    """What one bone or group is worth to the target's probability; None while it is not known."""

    delta_points: float | None = None
    delta_log_odds: float | None = None
    state: Literal["current", "computing", "stale", "none"] = "none"


def differences(now: Answer, reference: Answer, toggles: Toggles) -> tuple[float, float]:
    """(Δ in percentage points, Δ in log-odds) of the target, signed for the mode."""
    p, q = (_probability(answer, toggles.target) for answer in (now, reference))
    sign = 1.0 if toggles.mode == "remove" else -1.0
    return sign * 100 * (q - p), sign * (log_odds(q) - log_odds(p))


def numbers(
    toggles: Toggles,
    found: frozenset[str],
    untouched: Answer,
    now: Answer | None,
    reference: Answer | None,
    points: OperatingPoints,
    masks_edited: bool,
) -> Numbers:
    """Put an answer into words and figures.

    found : the bones that have a mask. untouched, now, reference : answers; `now` and `reference` None while they are computed.
    masks_edited : the masks were changed since these answers.
    """
    removing = toggles.mode == "remove"
    covered = toggles.covered & found
    state: State = "current"
    if covered:
        state = "stale" if masks_edited else "current" if now is not None and reference is not None else "computing"
    if not covered:
        now = None
    sign = 1.0 if removing else -1.0
    rows = []
    for index, name in enumerate(CLASSES):
        after = None if now is None else now.probabilities[index]
        known = after is not None and reference is not None
        delta = sign * 100 * (reference.probabilities[index] - after) if known and reference and after is not None else None
        rows.append(ClassRow(name, untouched.probabilities[index], after, delta))
    delta_points = delta_log_odds = None
    if now is not None and reference is not None:
        delta_points, delta_log_odds = differences(now, reference, toggles)
    return Numbers(
        rows=tuple(rows),
        decision_untouched=decide(np.array(untouched.probabilities), points).decision,
        decision_now=None if now is None else decide(np.array(now.probabilities), points).decision,
        target=toggles.target,
        state=state,
        reference="untouched" if removing else "all covered",
        delta_points=delta_points,
        delta_log_odds=delta_log_odds,
        covered_area_px=None if now is None else now.area_px,
        sentence=_sentence(toggles, covered, found, untouched, now, reference, state),
    )


def _sentence(
    toggles: Toggles,
    covered: frozenset[str],
    found: frozenset[str],
    untouched: Answer,
    now: Answer | None,
    reference: Answer | None,
    state: State,
) -> str:
    if not covered:
        return "Nothing is covered: this is the answer on the untouched radiograph."
    if now is None or reference is None:
        return "Computing the answer on the image as it is shown now."
    old = " (of the masks before they were changed)" if state == "stale" else ""
    before, after, empty = (_percent(answer, toggles.target) for answer in (untouched, now, reference))
    if toggles.mode == "remove":
        return f"With {_count(len(covered))} covered, P({toggles.target}) is {after} instead of {before}{old}."
    shown = len(found - covered)
    if not shown:
        return f"With every bone covered, P({toggles.target}) is {after}; on the untouched radiograph {before}{old}."
    return f"With {_count(shown)} shown alone, P({toggles.target}) is {after}; with every bone covered {empty}{old}."


def _count(bones: int) -> str:
    return "1 bone" if bones == 1 else f"{bones} bones"


def _percent(answer: Answer, target: str) -> str:
    return f"{100 * _probability(answer, target):.1f} %"


def _probability(answer: Answer, target: str) -> float:
    return sum(answer.probabilities[index] for index in members_of(target))
