"""Every bone and every group, removed and added back, each against controls: one cancellable stream.

The stream shows the classifier first what all rows need (the untouched radiograph, all bones covered), then each group and each
bone in each mode, and after the last of them their controls. Whoever takes rows from it may stop at any time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np

from OsteoScreenLib.bones.masks import BoneMasks
from OsteoScreenLib.bones.vocabulary import Site
from OsteoScreenLib.classifier.classifier import Classifier
from OsteoScreenLib.classifier.prediction import CLASSES, TARGETS, log_odds, target_probability
from OsteoScreenLib.errors import InputError
from OsteoScreenLib.explain.analysis import BoneEffect, EffectOf
from OsteoScreenLib.explain.chance import CONTROLS, Chance, against_chance
from OsteoScreenLib.explain.controls import Controls
from OsteoScreenLib.explain.covering import MODES, Coverer, Mode
from OsteoScreenLib.explain.fills import Fill
from OsteoScreenLib.explain.mask_notes import alike, notes_on
from OsteoScreenLib.explain.overlap import ALL_BONES
from OsteoScreenLib.explain.sweep import BoneSet, Trial, Variant, stream
from OsteoScreenLib.radiograph.radiograph import Note


@dataclass(frozen=True)
class SweepRequest:
    """What to sweep.

    target : one of `TARGETS`. modes, fill, margin_px : see `covering` and `fills`. seed : of the controls and of the fills
    "noise" and "linear". controls : draws for each row; 0 for none.
    """

    target: str = "osteoporosis"
    modes: tuple[Mode, ...] = MODES
    fill: Fill = "mean"
    margin_px: float = 0.0
    seed: int = 0
    controls: int = CONTROLS


@dataclass(frozen=True)
class Subject:
    """Whom a row is about: all bones that were found, those of one group, or one."""

    of: EffectOf
    name: str
    bones: BoneSet


@dataclass(frozen=True)
class SweepRow:
    """One group or bone in one mode.

    same_as : other bones with the very same mask; their rows hold the same numbers, computed once.
    chance : None before its controls are through, and where there is no room for a control of that size.
    """

    mode: Mode
    effect: BoneEffect
    same_as: tuple[str, ...] = ()
    chance: Chance | None = None


@dataclass(frozen=True)
class SweepTable:
    """A whole sweep. rows : by mode, then all bones, groups, bones. notes : what is to be said of the masks.

    device, precision : all numbers were computed there.
    """

    request: SweepRequest
    rows: tuple[SweepRow, ...]
    notes: tuple[Note, ...]
    device: str
    precision: str

    def row(self, name: str, mode: Mode) -> SweepRow:
        """The row of a group or a bone. Raises `KeyError`."""
        for row in self.rows:
            if (row.effect.name, row.mode) == (name, mode):
                return row
        raise KeyError((name, mode))


def subjects_of(site: Site, found: BoneSet) -> tuple[Subject, ...]:
    """All bones, the groups, and the bones, of those that were found."""
    if not found:
        return ()
    groups = [Subject("group", group, found & frozenset(members)) for group, members in site.groups.items()]
    bones = [Subject("bone", name, frozenset({name})) for name in site.by_name if name in found]
    return (Subject("set", ALL_BONES, found), *(group for group in groups if group.bones), *bones)


class BoneSweep:
    """One radiograph's sweep with one classifier.

    Parameters
    ----------
    pixels : float32 (rows, columns) in [0, 1]. masks : bones of this radiograph. coverer : one of the same pixels and masks with
        the request's fill, margin and seed, where there is one already.

    Raises
    ------
    InputError
        One sentence: an unknown target, mode or fill, masks without a bone or over everything, tokens without patches.
    """

    def __init__(
        self,
        pixels: np.ndarray,
        masks: BoneMasks,
        classifier: Classifier,
        request: SweepRequest | None = None,
        coverer: Coverer | None = None,
    ) -> None:
        self.request = request = request or SweepRequest()
        if request.target not in TARGETS:
            raise InputError(
                f"There is no target called '{request.target}'; choose one of {', '.join(TARGETS)}.", code="target"
            )
        if not request.modes or request.controls < 0:
            raise InputError("A sweep needs a mode, and no fewer than 0 controls.", code="option")
        coverer = coverer or Coverer(pixels, masks, request.modes[0], request.fill, request.margin_px, request.seed)
        grid = classifier.patches if request.fill == "tokens" else None  # says at once that a network has none
        areas = masks.areas()
        found = frozenset(name for name in masks.names if areas[name])
        if not found:
            raise InputError(
                "No bone was found on this radiograph, so nothing can be covered; draw or correct the masks.", code="no-masks"
            )
        for mode in request.modes:
            if coverer.region(masks.names, mode).area == pixels.size:
                raise InputError(
                    "The bone masks cover the whole radiograph, so nothing is left to compare with; correct the masks "
                    "or take a smaller margin.",
                    code="masks-everywhere",
                )
        self._every: BoneSet = frozenset(masks.names)
        self._coverer, self._classifier = coverer, classifier
        self._controls = Controls(coverer, request.seed)
        self.subjects = subjects_of(masks.site, found)
        self._alike = alike(coverer, found)
        self.notes = notes_on(coverer, self._alike, grid)

    def trials(self) -> tuple[Trial, ...]:
        """All that the classifier is shown, in order; those of one picture are shown once."""
        effects = [self._trial(subject, mode) for mode in self.request.modes for subject in self.subjects]
        controls = [
            self._trial(subject, mode, draw)
            for subject in self.subjects
            for mode in self.request.modes
            for draw in range(1, self.request.controls + 1)
        ]
        return (Trial(frozenset(), "remove"), Trial(self._every, "remove"), *effects, *controls)

    def stream(self, progress: Callable[[float], None] | None = None) -> Iterator[SweepRow]:
        """Rows as they come, each once without and, where it has controls, once more with its chance. Stop taking to cancel.

        progress : called with the share done, 0 to 1. When the device runs out of memory, the classifier goes over to the
        processor and all rows are told again: numbers of two devices are never put side by side.
        """
        place = self._place()
        asked = self.trials()
        about: dict[Trial, list[tuple[Subject, Mode]]] = {}  # a group of one bone and that bone share a trial
        for mode in self.request.modes:
            for subject in self.subjects:
                about.setdefault(self._trial(subject, mode), []).append((subject, mode))
        known: dict[Trial, Variant] = {}
        rows: dict[Trial, list[SweepRow]] = {}
        draws: dict[Trial, list[float | None]] = {}
        for number, (trial, variant) in enumerate(stream(self._coverer, self._classifier, asked, controls=self._controls), 1):
            if self._place() != place:
                yield from self.stream(progress)
                return
            if progress is not None:
                progress(number / len(asked))
            bones = Trial(trial.covered, trial.mode)
            if not trial.draw:
                assert variant is not None
                known[trial] = variant
                rows[trial] = [self._row(*one, variant, known) for one in about.get(trial, ())]
                yield from rows[trial]
                continue
            effects = draws.setdefault(bones, [])
            effects.append(None if variant is None else self._difference(bones.mode or "remove", variant, known)[2])
            if len(effects) == self.request.controls:
                points = [effect for effect in effects if effect is not None]
                for row in rows[bones] if points else ():
                    yield replace(row, chance=against_chance(row.effect.delta_points, points))
        if progress is not None:
            progress(1.0)

    def run(self, progress: Callable[[float], None] | None = None) -> SweepTable:
        """The whole table."""
        rows: dict[tuple[Mode, str, str], SweepRow] = {}
        for row in self.stream(progress):
            rows[row.mode, row.effect.of, row.effect.name] = row
        order = [(mode, subject.of, subject.name) for mode in self.request.modes for subject in self.subjects]
        return SweepTable(self.request, tuple(rows[key] for key in order), self.notes, *self._place())

    def _trial(self, subject: Subject, mode: Mode, draw: int = 0) -> Trial:
        return Trial(subject.bones if mode == "remove" else self._every - subject.bones, mode, draw)

    def _row(self, subject: Subject, mode: Mode, variant: Variant, known: Mapping[Trial, Variant]) -> SweepRow:
        p, q, points, odds = self._difference(mode, variant, known)
        named = dict(zip(CLASSES, map(float, variant.probabilities), strict=True))
        bones = tuple(name for name in self._coverer.masks.names if name in subject.bones)
        effect = BoneEffect(subject.of, subject.name, bones, variant.area_px, named, p, q, points, odds)
        same = next((names for names in self._alike if subject.of == "bone" and subject.name in names), ())
        return SweepRow(mode, effect, tuple(name for name in same if name != subject.name))

    def _difference(self, mode: Mode, variant: Variant, known: Mapping[Trial, Variant]) -> tuple[float, float, float, float]:
        """(P variant, P reference, Δ points, Δ log-odds) of the target, signed for the mode as in `BoneEffect`."""
        removing = mode == "remove"
        reference = known[Trial(frozenset() if removing else self._every, "remove")]
        p, q = (float(target_probability(one.probabilities, self.request.target)) for one in (variant, reference))
        sign = 1.0 if removing else -1.0
        return p, q, sign * 100 * (q - p), sign * (log_odds(q) - log_odds(p))

    def _place(self) -> tuple[str, str]:
        return self._classifier.device.type, self._classifier.precision
