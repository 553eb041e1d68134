"""One case on the table: what was read and answered, what the reader has switched, and what that makes of the numbers."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from dataclasses import replace

from OsteoScreenLib.bones import quality
from OsteoScreenLib.bones.masks import BoneMasks
from OsteoScreenLib.bones.quality import MaskQuality
from OsteoScreenLib.classifier.prediction import TARGETS
from OsteoScreenLib.explain.covering import Mode
from OsteoScreenLib.explain.overlap import Overlap
from OsteoScreenLib.explain.saliency import SaliencyMap
from OsteoScreenLib.explain.saliency_methods import SALIENCY_METHODS, SaliencyMethod, default_among
from OsteoScreenLib.workbench.answers import Answer, Answers, Question, asked
from OsteoScreenLib.workbench.effect_table import EffectTable
from OsteoScreenLib.workbench.events import Event
from OsteoScreenLib.workbench.messages import computed_on
from OsteoScreenLib.workbench.numbers import EffectCell, Numbers, differences, numbers
from OsteoScreenLib.workbench.reading import Reading, Result
from OsteoScreenLib.workbench.toggles import Toggles

LONGEST_HISTORY = 500


class Case:
    """The state of one case. Views listen to `changed` and hold no state of their own.

    changed : emitted with "reading", "result", "toggles" or "masks" after that part has changed.
    token : names the case towards the worker and the scene. table : the rows beside the bones.
    """

    def __init__(self, reading: Reading, answers: Answers, token: str = "") -> None:
        self.changed: Event[[str]] = Event()
        self.token = token or uuid.uuid4().hex
        self.answers = answers
        self.table = EffectTable(self)
        self._reading = reading
        self._result: Result | None = None
        self._toggles = Toggles()
        self._undo: list[Toggles] = []
        self._redo: list[Toggles] = []
        self._masks_edited = False
        self._quality: tuple[BoneMasks | None, dict[str, MaskQuality]] = (None, {})  # of these very masks
        self.corrected = False  # the reader has changed masks by hand, and they were taken over

    # What was read and answered

    @property
    def reading(self) -> Reading:
        """The radiograph as it lies on the table."""
        return self._reading

    @property
    def result(self) -> Result | None:
        """The answer, None before the first analysis."""
        return self._result

    @property
    def found(self) -> frozenset[str]:
        """Bones that have a mask."""
        return frozenset(self._result.masks.table) if self._result is not None else frozenset()

    @property
    def saliency(self) -> SaliencyMap | None:
        """The heatmap of the class and by the method that are chosen now; None while only another one is there."""
        saliency = self._result.saliency if self._result is not None else None
        if saliency is None or (saliency.target, saliency.method) != (self._toggles.target, self.saliency_method.title):
            return None
        return saliency

    @property
    def saliency_method(self) -> SaliencyMethod:
        """How the heatmap is made: as chosen, or by default where the model cannot give that."""
        given = self._result.saliency_methods if self._result is not None else ()
        return SALIENCY_METHODS[self._toggles.saliency if self._toggles.saliency in given else default_among(given)]

    @property
    def masks_edited(self) -> bool:
        """The masks in the scene are no longer those that the numbers belong to."""
        return self._masks_edited

    def take_reading(self, reading: Reading) -> None:
        """The image was read again, for example turned by hand: a former answer no longer belongs to it."""
        same = reading.image_sha256 == self._reading.image_sha256
        if same and self._result is not None:  # what the analysis has remarked on this image still holds
            kept = tuple(note for note in self._reading.notes if note not in reading.notes)
            reading = replace(reading, notes=(*reading.notes, *kept))
        self._reading = reading
        if not same and self._result is not None:
            self._result = None
            self._masks_edited = False
            self.changed.emit("result")
        self.changed.emit("reading")

    def take_result(self, reading: Reading, result: Result, corrected: bool = False) -> None:
        """An analysis has finished. Toggles stay, as a reader comparing two models wants.

        At the first one, outlines of bones that cannot be trusted on real images start hidden; covering them works all the same.

        corrected : its masks are not those that were drawn, but the reader's.
        """
        self.corrected = corrected
        if self._result is None:
            self._toggles = self._toggles.with_changes(hidden=self._toggles.hidden | _untrusted(result.masks))
        self._reading, self._result, self._masks_edited = reading, result, False
        if corrected:
            self._remark_on_masks()
        self.answers.put(self.question(frozenset()), Answer(result.probabilities, 0))
        self.changed.emit("reading")
        self.changed.emit("result")

    def take_saliency(self, saliency: SaliencyMap, overlap: tuple[Overlap, ...]) -> None:
        """Another heatmap of the same image and model. overlap : with the present masks."""
        if self._result is not None:
            self._result = replace(self._result, saliency=saliency, overlap=overlap)
            self.changed.emit("saliency")

    def mark_masks(self, edited: bool) -> None:
        """Say whether the scene's masks differ from those that were answered for; True as soon as a stroke begins."""
        if self._result is not None and edited != self._masks_edited:
            self._masks_edited = edited
            self.changed.emit("masks")

    def take_masks(self, masks: BoneMasks) -> None:
        """Corrected masks take the place of the former ones; answers for those stay known, should the reader go back."""
        if self._result is None:
            return
        former = self._result.masks
        masks = masks.corrected_from(former.digests, former.facts)
        same = masks.sha256 == self._result.masks_sha256
        overlap = self._result.overlap if same else ()  # of the former masks
        self._result = replace(self._result, masks=masks, masks_sha256=masks.sha256, overlap=overlap)
        self._masks_edited = False
        self.corrected = True
        self._remark_on_masks()
        self.changed.emit("masks")
        self.changed.emit("reading")

    def _remark_on_masks(self) -> None:
        """The note on implausible masks is about the masks that are there now."""
        notes = tuple(note for note in self._reading.notes if note.code != quality.NOTE)
        self._reading = replace(self._reading, notes=(*notes, *quality.notes_on(self.quality)))

    @property
    def quality(self) -> Mapping[str, MaskQuality]:
        """How good each bone's mask looks; empty before the first analysis."""
        if self._result is None:
            return {}
        masks = self._result.masks
        if self._quality[0] is not masks:
            self._quality = (masks, quality.assess(masks))
        return self._quality[1]

    # Toggles, every one of which can be undone

    @property
    def toggles(self) -> Toggles:
        """What is switched now."""
        return self._toggles

    @property
    def can_undo(self) -> bool:
        """Something was switched that can be taken back."""
        return bool(self._undo)

    @property
    def can_redo(self) -> bool:
        """Something was taken back that can be done again."""
        return bool(self._redo)

    def switch(self, toggles: Toggles) -> None:
        """Take new toggles. The same ones again are no step."""
        if toggles == self._toggles:
            return
        self._undo = [*self._undo[-LONGEST_HISTORY + 1 :], self._toggles]
        self._redo.clear()
        self._toggles = toggles
        self.changed.emit("toggles")

    def restore(self, toggles: Toggles) -> None:
        """Toggles of a saved case: no step that could be undone."""
        self._toggles = toggles
        self._undo.clear()
        self._redo.clear()
        self.changed.emit("toggles")

    def undo(self) -> None:
        """Take the last step back."""
        if self._undo:
            self._redo.append(self._toggles)
            self._toggles = self._undo.pop()
            self.changed.emit("toggles")

    def redo(self) -> None:
        """Do the last step that was taken back again."""
        if self._redo:
            self._undo.append(self._toggles)
            self._toggles = self._redo.pop()
            self.changed.emit("toggles")

    def set_covered(self, names: Iterable[str], covered: bool) -> None:
        """Cover these bones, or show them again."""
        chosen = frozenset(names) & self.found
        now = self._toggles.covered
        self.switch(self._toggles.with_changes(covered=now | chosen if covered else now - chosen))

    def set_hidden(self, names: Iterable[str], hidden: bool) -> None:
        """Switch the outlines of these bones off, or on again."""
        chosen, now = frozenset(names), self._toggles.hidden
        self.switch(self._toggles.with_changes(hidden=now | chosen if hidden else now - chosen))

    def show_all(self) -> None:
        """The model sees every bone."""
        self.switch(self._toggles.with_changes(covered=frozenset()))

    def show_none(self) -> None:
        """The model sees no bone."""
        self.switch(self._toggles.with_changes(covered=self.found))

    def show_only(self, names: Iterable[str]) -> None:
        """The model sees these bones and no other bone."""
        self.switch(self._toggles.with_changes(covered=self.found - frozenset(names)))

    def invert(self) -> None:
        """Covered bones are shown, shown ones covered."""
        self.switch(self._toggles.with_changes(covered=self.found - self._toggles.covered))

    def reset(self) -> None:
        """Every toggle as at the beginning; what the heatmap shows stays."""
        hidden = frozenset() if self._result is None else _untrusted(self._result.masks)
        self.switch(Toggles(target=self._toggles.target, saliency=self._toggles.saliency, hidden=hidden))

    def set_target(self, target: str) -> None:
        """Choose the class that Δ and the heatmap are about."""
        if target in TARGETS:
            self.switch(self._toggles.with_changes(target=target))

    def set_saliency(self, method: str) -> None:
        """Choose how the heatmap is made; a method that the model cannot give is no choice."""
        if self._result is not None and method in self._result.saliency_methods:
            self.switch(self._toggles.with_changes(saliency=method))

    # Questions to the model, and what their answers make

    def question(self, covered: frozenset[str], mode: Mode | None = None, draw: int = 0) -> Question:
        """The question with these bones covered, in the present mode or another one, and with the present fill. Needs a result.

        draw : 0 for these bones themselves, i ≥ 1 for their i-th control.
        """
        result, toggles = self._result, self._toggles
        if result is None:
            raise ValueError("a case without a result has no question")
        return asked(
            Question(
                self._reading.image_sha256,
                result.model.sha256,
                computed_on(result.device, result.precision),
                result.masks_sha256,
                mode or toggles.mode,
                toggles.fill,
                toggles.margin_px,
                toggles.seed,
                covered & self.found,
                draw,
            )
        )

    @property
    def question_now(self) -> Question:
        """What the reader looks at."""
        return self.question(self._toggles.covered)

    @property
    def reference(self) -> Question:
        """What Δ is against, in the present mode."""
        return self.reference_in(self._toggles.mode)

    def reference_in(self, mode: Mode) -> Question:
        """What Δ of a mode is against."""
        return self.question(frozenset() if mode == "remove" else self.found, mode)

    def question_about(self, bones: frozenset[str], mode: Mode, draw: int = 0) -> Question:
        """The question that says what these bones are worth in a mode; draw : as in `question`."""
        return self.question(bones if mode == "remove" else self.found - bones, mode, draw)

    def subjects(self) -> dict[str, frozenset[str]]:
        """Groups, then bones, in display order: name → the found bones that it stands for."""
        if self._result is None:
            return {}
        masks = self._result.masks
        groups = {group: frozenset(members) & self.found for group, members in masks.site.groups.items()}
        return {name: bones for name, bones in groups.items() if bones} | {name: frozenset({name}) for name in masks.names}

    def questions(self, mode: Mode | None = None) -> list[Question]:
        """All that a mode's Δ need, the present one's by default: the reference first, then groups, then bones."""
        mode = mode or self._toggles.mode
        return [self.reference_in(mode), *(self.question_about(bones, mode) for bones in self.table.subjects().values())]

    def numbers(self) -> Numbers | None:
        """The answer, untouched and as shown now; None before the first analysis."""
        if self._result is None:
            return None
        untouched = Answer(self._result.probabilities, 0)
        now, reference = self.answers.get(self.question_now), self.answers.get(self.reference)
        points = self._result.model.operating_points
        told = numbers(self._toggles, self.found, untouched, now, reference, points, self._masks_edited)
        expected = (self._result.analysis.get("prediction") or {}).get("expected_t_score")
        return replace(told, expected_t_score=expected)

    def effects(self, mode: Mode | None = None, subjects: Mapping[str, frozenset[str]] | None = None) -> dict[str, EffectCell]:
        """Δ of each group and bone that was found, or of other subjects, in a mode; the present one by default."""
        if self._result is None:
            return {}
        toggles = self._toggles.with_changes(mode=mode or self._toggles.mode)
        reference = self.answers.get(self.reference_in(toggles.mode))
        cells = {}
        for name, bones in (self.subjects() if subjects is None else subjects).items():
            answer = self.answers.get(self.question_about(bones, toggles.mode))
            if answer is None or reference is None:
                cells[name] = EffectCell(state="stale" if self._masks_edited else "computing")
            else:
                points, odds = differences(answer, reference, toggles)
                cells[name] = EffectCell(points, odds, "stale" if self._masks_edited else "current")
        return cells


def _untrusted(masks: BoneMasks) -> frozenset[str]:
    """Bones whose outlines start hidden, unless a person has drawn or corrected them."""
    return frozenset(name for name, level in masks.facts.trust.items() if level == "hidden") - masks.facts.edited
