"""The table beside the bones: what its rows say, made from answers, and which controls have to be asked for it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from OsteoScreenLib.explain.chance import CONTROLS, Chance, against_chance
from OsteoScreenLib.explain.covering import Mode
from OsteoScreenLib.explain.overlap import ALL_BONES
from OsteoScreenLib.workbench.answers import Answer, Question
from OsteoScreenLib.workbench.effect_rows import NO_OVERLAP, CellState, ChanceCell, EffectRow, OverlapCell, RowOf
from OsteoScreenLib.workbench.numbers import EffectCell, differences

if TYPE_CHECKING:
    from OsteoScreenLib.workbench.case import Case


class EffectTable:
    """The rows of one case. A rank among controls is computed once, when the last of its controls is answered."""

    def __init__(self, case: Case) -> None:
        self._case = case
        self._ranks: dict[tuple[Question, str], Chance | None] = {}  # first control and target → rank, None without room

    def subjects(self) -> dict[str, frozenset[str]]:
        """All bones, groups, bones: name → the found bones that a row stands for. Empty before the first analysis."""
        found = self._case.found
        return ({ALL_BONES: found} if found else {}) | self._case.subjects()

    def rows(self) -> dict[str, EffectRow]:
        """By name, in display order; empty before the first analysis."""
        if self._case.result is None:
            return {}
        subjects, groups = self.subjects(), self._case.result.masks.site.groups
        effects: dict[Mode, dict[str, EffectCell]] = {}
        ranks: dict[Mode, dict[str, ChanceCell]] = {}
        for mode in ("remove", "add-back"):
            effects[mode] = self._case.effects(mode, subjects)
            ranks[mode] = self._ranks_of(mode, subjects, effects[mode])
        overlap = self._overlap()
        rows = {}
        for name in subjects:
            of: RowOf = "all" if name == ALL_BONES else "group" if name in groups else "bone"
            removed, added = (effects[mode][name] for mode in ("remove", "add-back"))
            rows[name] = EffectRow(
                of, removed, ranks["remove"][name], added, ranks["add-back"][name], overlap.get(name, NO_OVERLAP)
            )
        return rows

    def controls(self, mode: Mode) -> Iterator[Question]:
        """The controls that are still needed, row by row; made as they are taken, for there are many.

        Those of the groups in mode "remove" come first, for the verdict rests on them, then those of a mode's percentiles.
        What is yielded belongs to the case as it was when this was called.
        """
        case = self._case
        if case.result is None:
            return iter(())
        target, subjects = case.toggles.target, self.subjects()
        firsts = [
            case.question_about(subjects[group], "remove", 1) for group in case.result.masks.site.groups if group in subjects
        ]
        firsts += [case.question_about(bones, mode, 1) for bones in subjects.values()]
        unfinished = [first for first in dict.fromkeys(firsts) if (first, target) not in self._ranks]
        return (replace(first, draw=draw) for first in unfinished for draw in range(1, CONTROLS + 1))

    def _ranks_of(
        self, mode: Mode, subjects: dict[str, frozenset[str]], effects: dict[str, EffectCell]
    ) -> dict[str, ChanceCell]:
        case, ranks = self._case, {}
        reference = case.answers.get(case.reference_in(mode))
        state: CellState = "stale" if case.masks_edited else "current"
        for name, bones in subjects.items():
            points = effects[name].delta_points
            if points is None or reference is None:
                ranks[name] = ChanceCell(state="none" if case.masks_edited else "computing")
                continue
            known, chance = self._rank(case.question_about(bones, mode, draw=1), points, reference, mode)
            if known:
                ranks[name] = ChanceCell(chance, state if chance is not None else "no room")
            else:
                ranks[name] = ChanceCell(state="none" if case.masks_edited else "computing")
        return ranks

    def _rank(self, first: Question, points: float, reference: Answer, mode: Mode) -> tuple[bool, Chance | None]:
        """(whether all controls are answered, the rank or None where there is no room for a control)."""
        case, key = self._case, (first, self._case.toggles.target)
        if key not in self._ranks:
            controls: list[float] = []
            for draw in range(1, CONTROLS + 1):
                control = replace(first, draw=draw)
                if not case.answers.settled(control):
                    return False, None
                answer = case.answers.get(control)
                if answer is not None:
                    controls.append(differences(answer, reference, case.toggles.with_changes(mode=mode))[0])
            self._ranks[key] = against_chance(points, controls)
        return True, self._ranks[key]

    def _overlap(self) -> dict[str, OverlapCell]:
        case = self._case
        if case.result is None or case.result.saliency is None:
            return {}
        if case.saliency is None or not case.result.overlap:
            return dict.fromkeys(self.subjects(), OverlapCell(state="none" if case.masks_edited else "computing"))
        state: CellState = "stale" if case.masks_edited else "current"
        return {one.name: OverlapCell(one, state) for one in case.result.overlap}
