"""What each bone is worth to a classifier on one image of a cohort: its answers with bones covered, and where it looked.

Shown are: the radiograph untouched; every bone covered; each bone and each group alone among covered bones ("add-back", the
study's way); each removed from the rest.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from OsteoScreenLib.bones.gate import Gate, lay_upright
from OsteoScreenLib.bones.masks import BoneMasks
from OsteoScreenLib.bones.segmenter import Segmenter
from OsteoScreenLib.bones.segnrrd import read_seg_nrrd
from OsteoScreenLib.bones.vocabulary import CHEST_FRONTAL, Site
from OsteoScreenLib.classifier.classifier import Classifier
from OsteoScreenLib.errors import InputError, OsteoScreenError
from OsteoScreenLib.explain.analyse import make_coverer, settle
from OsteoScreenLib.explain.analysis import AnalysisRequest
from OsteoScreenLib.explain.analysis_json import overlap_table
from OsteoScreenLib.explain.fills import Fill
from OsteoScreenLib.explain.overlap import ALL_BONES, Overlap, OverlapOf, measure_overlap
from OsteoScreenLib.explain.saliency_map import saliency_map
from OsteoScreenLib.explain.saliency_methods import GRAD_CAM
from OsteoScreenLib.explain.sweep import Trial, sweep
from OsteoScreenLib.radiograph.radiograph import Radiograph
from OsteoScreenLib.radiograph.read import read_radiograph
from OsteoScreenLib.study.cohort import CohortRow

NO_SALIENCY = "none"
# (kind, name, bones) of a row of a table of effects.
Subject = tuple[OverlapOf, str, tuple[str, ...]]
_DIGITS = 9  # of the overlap's numbers in a row's file


@dataclass(frozen=True)
class EffectOptions:
    """How bones are covered and what is explained.

    target : one of `TARGETS`. fill, margin_px, margin_mm : as `AnalysisRequest` has them. saliency : a method's key, or "none".
    seed : of the fill "noise" and of the patients that are drawn.
    """

    target: str = "osteoporosis"
    fill: Fill = "mean"
    margin_px: float = 0.0
    margin_mm: float | None = None
    saliency: str = GRAD_CAM
    seed: int = 0


@dataclass(frozen=True)
class Reader:
    """From a row to an upright radiograph with its bones.

    gate : asks the image whether and how the site lies there, as `osteoscreen analyse` does; None takes images as they
    are. segmenter : draws the bones of images for which the table names no masks; None where it names them for all.
    site : whose bones the masks' files are searched for.
    """

    gate: Gate | None
    segmenter: Segmenter | None
    site: Site = CHEST_FRONTAL

    def read(self, row: CohortRow) -> tuple[Radiograph, BoneMasks]:
        """Raises `InputError` that begins with the row and the column when there is no usable image or no bone."""
        try:
            radiograph = read_radiograph(row.image)
            if self.gate is not None:
                radiograph = lay_upright(radiograph, self.gate, self.site)
        except InputError as error:
            raise at_row(row, "image", error) from error
        try:
            if row.masks is not None:
                masks = read_seg_nrrd(row.masks, radiograph, self.site)
            elif self.segmenter is not None:
                masks = self.segmenter.segment(radiograph)
            else:
                raise InputError("it names no masks, and there is no segmenter.", code="no-masks")
            if not masks.names:
                raise InputError("no bone was found on this image, so none can be covered.", code="no-bones")
        except InputError as error:
            raise at_row(row, "image" if row.masks is None else "masks", error) from error
        return radiograph, masks


def subjects_of(site: Site) -> list[Subject]:
    """The rows of a table of effects: all bones, each group, each bone, in display order."""
    groups: list[Subject] = [("group", name, members) for name, members in site.groups.items()]
    return [("all", ALL_BONES, tuple(site.by_name)), *groups, *(("bone", name, (name,)) for name in site.by_name)]


def measure_image(radiograph: Radiograph, masks: BoneMasks, classifier: Classifier, options: EffectOptions) -> dict[str, Any]:
    """Every number of one image, as JSON values.

    untouched, covered (all bones) : class probabilities. alone, removed : name → class probabilities, of groups and bones that
    were found. overlap : rows of the saliency map's overlap.
    Raises `InputError` for options that do not suit the image, `OsteoScreenError` when the model's answer is not finite or the
    device gave out on the way: numbers of two devices are not put side by side.
    """
    settle(classifier, radiograph, masks)
    place = (classifier.device.type, classifier.precision)
    request = AnalysisRequest(
        target=options.target,
        fill=options.fill,
        dilation_px=options.margin_px,
        dilation_mm=options.margin_mm,
        seed=options.seed,
    )
    coverer = make_coverer(radiograph, masks, request)
    every = frozenset(masks.names)
    found = {name: frozenset(members) & every for of, name, members in subjects_of(masks.site) if of != "all"}
    found = {name: bones for name, bones in found.items() if bones}
    untouched, covered = Trial(frozenset(), "remove"), Trial(every, "remove")
    alone = {name: Trial(every - bones, "add-back") for name, bones in found.items()}
    removed = {name: Trial(bones, "remove") for name, bones in found.items()}
    answers = sweep(coverer, classifier, [untouched, covered, *alone.values(), *removed.values()])
    overlap: tuple[Overlap, ...] = ()
    if options.saliency != NO_SALIENCY:
        overlap = measure_overlap(saliency_map(classifier, radiograph.pixels, options.target, options.saliency), masks)
    if (classifier.device.type, classifier.precision) != place:
        raise OsteoScreenError(
            f"The {place[0]} device ran out of memory; close other programs and run the command again, or choose another --device "
            "and another folder."
        )

    def shares(trial: Trial) -> list[float]:
        return [float(value) for value in answers[trial].probabilities]

    return {
        "untouched": shares(untouched),
        "covered": shares(covered),
        "alone": {name: shares(trial) for name, trial in alone.items()},
        "removed": {name: shares(trial) for name, trial in removed.items()},
        "overlap": [_rounded(overlap_table(one)) for one in overlap],
    }


def _rounded(values: Mapping[str, Any]) -> dict[str, Any]:
    def short(value: Any) -> Any:
        if isinstance(value, list):
            return [short(item) for item in value]
        return round(value, _DIGITS) if isinstance(value, float) else value

    return {name: short(value) for name, value in values.items()}


def at_row(row: CohortRow, column: str, error: InputError) -> InputError:
    """The same error, said of a row and a column of the table."""
    return InputError(f"Row {row.number}, column {column}: {error}", code=error.code)
