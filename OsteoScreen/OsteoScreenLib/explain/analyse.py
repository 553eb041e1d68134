"""`analyse`: one radiograph, its bones and a classifier in; the whole answer out."""

from __future__ import annotations

import platform
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from importlib import metadata

import numpy as np

import OsteoScreenLib
from OsteoScreenLib.bones.masks import BoneMasks
from OsteoScreenLib.bones.quality import MaskQuality, assess, notes_on
from OsteoScreenLib.classifier.classifier import Classifier
from OsteoScreenLib.classifier.domain import Domain
from OsteoScreenLib.classifier.prediction import CLASSES, TARGETS, log_odds, target_probability
from OsteoScreenLib.errors import InputError
from OsteoScreenLib.explain.analysis import (
    RESEARCH_USE_ONLY,
    SIMULATED_TRAINING,
    AbsentBone,
    Analysis,
    AnalysisRequest,
    BoneEffect,
    BoneSummary,
    Covering,
    EffectOf,
    ModelFacts,
    Provenance,
    RadiographFacts,
)
from OsteoScreenLib.explain.covering import LARGEST_MARGIN, Coverer
from OsteoScreenLib.explain.judging import judge
from OsteoScreenLib.explain.overlap import Overlap, measure_overlap
from OsteoScreenLib.explain.saliency import SaliencyMap
from OsteoScreenLib.explain.saliency_map import saliency_map
from OsteoScreenLib.explain.saliency_methods import method_for
from OsteoScreenLib.explain.sweep import BoneSet, Trial, Variant, sweep
from OsteoScreenLib.radiograph.radiograph import Note, Radiograph

# Called with the share done (0 to 1) and a few words on what is being done.
Progress = Callable[[float, str], None]

_ASKING = "asking whether it looks at bone"
_PACKAGES = ("torch", "timm", "numpy", "grad-cam", "opencv-python-headless")


def analyse(
    radiograph: Radiograph,
    masks: BoneMasks | None,
    classifier: Classifier,
    request: AnalysisRequest | None = None,
    progress: Progress | None = None,
) -> Analysis:
    """Predict, explain and, where bones are to be covered, say what they are worth to the answer.

    Parameters
    ----------
    masks : bones of this radiograph, at its size; None when there are none (then nothing can be covered).
    request : what to compute; the defaults of `AnalysisRequest` when None.

    Raises
    ------
    InputError
        One sentence: an unknown target, bone, mode, fill or saliency method, a method that the network cannot give, a margin in
        millimetres without a spacing, masks of another size.
    """
    request = request or AnalysisRequest()
    report = progress or (lambda _share, _words: None)
    if request.target not in TARGETS:
        raise InputError(f"There is no target called '{request.target}'; choose one of {', '.join(TARGETS)}.", code="target")
    if masks is None and request.cover:
        raise InputError("Bones cannot be covered without bone masks; segment the radiograph first.", code="no-masks")
    model = classifier.model
    if masks is not None and model.site != masks.site.name:
        raise InputError(
            f"The model {model.id} was made for {model.site} radiographs, and this is {masks.site.name}; choose a model for it.",
            code="model-site",
        )
    if request.saliency:
        request = replace(request, saliency_method=method_for(request.saliency_method, classifier.network).key)
    coverer, chosen, notes = _prepare_covering(radiograph, masks, request)
    started = datetime.now(UTC).isoformat(timespec="seconds")
    seconds: dict[str, float] = {}

    report(0.0, "predicting")
    settle(classifier, radiograph, masks)
    place = (classifier.device.type, classifier.precision)
    with _timed(seconds, "prediction"):
        prediction = classifier.answer(radiograph.pixels)
    untouched, domain = np.array(list(prediction.probabilities.values())), prediction.domain
    saliency: SaliencyMap | None = None
    overlap: tuple[Overlap, ...] = ()
    if request.saliency:
        report(0.2, "computing the heatmap")
        with _timed(seconds, "saliency"):
            saliency = saliency_map(
                classifier,
                radiograph.pixels,
                request.target,
                request.saliency_method,
                lambda share: report(0.2 + 0.2 * share, "computing the heatmap"),
            )
            overlap = measure_overlap(saliency, masks) if masks is not None else ()
        if saliency.is_empty:
            notes.append(Note("empty-heatmap", "info", f"The heatmap is empty: no place on the image {saliency.claim}."))
    covering = None
    if coverer is not None:
        report(0.4, "covering bones")
        with _timed(seconds, "covering"):
            covering = _covering(radiograph, coverer, classifier, request, chosen, untouched, report)
    verdict = None
    if request.verdict and masks is not None:
        report(0.65, _ASKING)
        with _timed(seconds, "verdict"):
            verdict = judge(
                coverer or make_coverer(radiograph, masks, request),
                classifier,
                replace(request, dilation_px=_margin_px(radiograph, request)),
                saliency,
                overlap,
                domain,
                lambda share: report(0.65 + 0.35 * share, _ASKING),
            )
    if (classifier.device.type, classifier.precision) != place:
        # The device ran out of memory on the way. Numbers of two devices are never put side by side.
        return analyse(radiograph, masks, classifier, request, progress)
    report(1.0, "done")

    quality = assess(masks) if masks is not None else {}
    return Analysis(
        request=request,
        radiograph=RadiographFacts.of(radiograph),
        model=ModelFacts(
            model.id,
            model.title,
            model.site,
            model.bundle.sha256,
            model.bundle.weights_sha256,
            model.simulated,
            model.performance,
        ),
        prediction=prediction,
        target_probability=float(target_probability(untouched, request.target)),
        saliency=saliency,
        site=masks.site if masks is not None else None,
        segmenter=masks.method if masks is not None else "",
        bones=_summaries(radiograph, masks, quality) if masks is not None else (),
        overlap=overlap,
        absent=tuple(AbsentBone(one.name, one.marks) for one in quality.values() if not one.found and one.marks),
        covering=covering,
        verdict=verdict,
        notes=(_input_check(domain), *radiograph.notes, *classifier.notes, *notes, *notes_on(quality)),
        statements=_statements(domain, model.simulated),
        provenance=Provenance(versions(), classifier.device.type, classifier.precision, started, seconds),
    )


def _input_check(domain: Domain | None) -> Note:
    if domain is None:
        return Note(
            "input-unchecked", "info", "This model brings no input check, so it is not known whether the image suits it."
        )
    return Note(f"input-{domain.level}", "info" if domain.level == "in" else "warning", domain.sentence)


def _statements(domain: Domain | None, simulated: bool) -> tuple[str, ...]:
    """What must be read before the answer, the image's own first."""
    doubt = (domain.sentence,) if domain is not None and domain.level != "in" else ()
    return (*doubt, RESEARCH_USE_ONLY, *((SIMULATED_TRAINING,) if simulated else ()))


def settle(classifier: Classifier, radiograph: Radiograph, masks: BoneMasks | None) -> None:
    """Choose the precision in which everything about this radiograph is computed: by its answer untouched, and with every bone covered."""

    def extremes() -> Iterator[np.ndarray]:
        yield radiograph.pixels
        if masks is not None and masks.names:
            yield Coverer(radiograph.pixels, masks).cover(masks.names)

    classifier.settle_precision(extremes())  # asked for only where there is a choice


def make_coverer(radiograph: Radiograph, masks: BoneMasks, request: AnalysisRequest) -> Coverer:
    """The coverer that `analyse` uses for a request; its `cover` gives the very pixels the model was shown."""
    margin = _margin_px(radiograph, request)
    return Coverer(radiograph.pixels, masks, request.mode, request.fill, margin, request.seed)


def versions() -> dict[str, str]:
    """OsteoScreen, Python and the packages whose version can change an answer."""
    found = {"osteoscreen": OsteoScreenLib.__version__, "python": platform.python_version()}
    for name in _PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = "unknown"
    return found


def _prepare_covering(
    radiograph: Radiograph, masks: BoneMasks | None, request: AnalysisRequest
) -> tuple[Coverer | None, tuple[str, ...], list[Note]]:
    """The coverer, the chosen bones, and a note on those that were not found; no coverer when nothing is to be covered."""
    if masks is None or not request.cover:
        return None, (), []
    chosen = masks.site.expand(request.cover)
    coverer = make_coverer(radiograph, masks, request)
    missing = [name for name in chosen if name not in masks.table]
    if not missing:
        return coverer, chosen, []
    listed = ", ".join(missing[:6]) + (f" and {len(missing) - 6} more" if len(missing) > 6 else "")
    text = f"Not covered, because no mask was found: {listed}."
    return coverer, chosen, [Note("bones-not-found", "warning", text)]


def _margin_px(radiograph: Radiograph, request: AnalysisRequest) -> float:
    """The margin in pixels. Millimetres go by the mean of row and column spacing, which are equal on nearly every detector."""
    margin = request.dilation_px
    if request.dilation_mm is not None:
        if radiograph.spacing_mm is None:
            raise InputError(
                "A margin in millimetres needs the pixel spacing, which is unknown for this radiograph; give it in pixels.",
                code="margin",
            )
        margin = request.dilation_mm / (sum(radiograph.spacing_mm) / 2)
    if not 0 <= margin <= LARGEST_MARGIN:
        raise InputError(f"The margin around covered bones must be from 0 to {LARGEST_MARGIN} pixels.", code="margin")
    return float(margin)


def _covering(
    radiograph: Radiograph,
    coverer: Coverer,
    classifier: Classifier,
    request: AnalysisRequest,
    chosen: tuple[str, ...],
    untouched: np.ndarray,
    report: Progress,
) -> Covering:
    every: BoneSet = frozenset(coverer.bones.names)
    found = tuple(name for name in chosen if name in every)
    subjects = _subjects(coverer.masks, found)
    removing = request.mode == "remove"
    # Both modes are a choice of covered bones: these ones, or all but these ones.
    covered_for = {bones: bones if removing else every - bones for _, _, bones in subjects}
    state: BoneSet = frozenset(found)
    reference: BoneSet = frozenset() if removing else every

    span = 0.2 if request.verdict else 0.6  # of the progress
    wanted = [reference, state, *covered_for.values()]
    trials = [Trial(bones) for bones in wanted if bones]
    found_out = sweep(coverer, classifier, trials, lambda done, total: report(0.4 + span * done / total, "covering bones"))
    answers = {trial.covered: variant for trial, variant in found_out.items()}
    answers[frozenset()] = Variant(untouched, 0)

    sign = 1.0 if removing else -1.0

    def difference(variant: Variant) -> tuple[float, float, float, float]:
        """(P variant, P reference, Δ points, Δ log-odds), signed for the mode."""
        p, q = (float(target_probability(v.probabilities, request.target)) for v in (variant, answers[reference]))
        return p, q, sign * 100 * (q - p), sign * (log_odds(q) - log_odds(p))

    effects = []
    for of, name, bones in subjects:
        variant = answers[covered_for[bones]]
        p, q, points, odds = difference(variant)
        members = tuple(member for member in found if member in bones)
        named = dict(zip(CLASSES, map(float, variant.probabilities), strict=True))
        effects.append(BoneEffect(of, name, members, variant.area_px, named, p, q, points, odds))
    p, _, points, odds = difference(answers[state])
    spacing = radiograph.spacing_mm
    return Covering(
        mode=request.mode,
        fill=request.fill,
        seed=request.seed,
        margin_px=coverer.margin_px,
        margin_mm=None if spacing is None else coverer.margin_px * (sum(spacing) / 2),
        covered=found,
        not_found=tuple(name for name in chosen if name not in every),
        area_px=answers[state].area_px,
        prediction=classifier.decide(answers[state].probabilities),
        probability=p,
        delta_points=points,
        delta_log_odds=odds,
        effects=tuple(effects),
    )


def _subjects(masks: BoneMasks, found: tuple[str, ...]) -> list[tuple[EffectOf, str, BoneSet]]:
    """The whole set, the chosen bones of each group, and each bone, in display order."""
    if not found:
        return []
    subjects: list[tuple[EffectOf, str, BoneSet]] = [("set", "all chosen bones", frozenset(found))]
    for group, members in masks.site.groups.items():
        touched = frozenset(members) & frozenset(found)
        if touched:
            subjects.append(("group", group, touched))
    return subjects + [("bone", name, frozenset({name})) for name in found]


def _summaries(radiograph: Radiograph, masks: BoneMasks, quality: Mapping[str, MaskQuality]) -> tuple[BoneSummary, ...]:
    spacing = radiograph.spacing_mm
    pixel_mm2 = None if spacing is None else spacing[0] * spacing[1]
    areas = masks.areas()
    return tuple(
        BoneSummary(
            bone.name,
            bone.group,
            bone.side,
            areas[bone.name],
            None if pixel_mm2 is None else round(areas[bone.name] * pixel_mm2, 3),
            quality[bone.name].confidence,
            quality[bone.name].marks,
            quality[bone.name].numbering_uncertain,
            quality[bone.name].trust,
            quality[bone.name].edited,
        )
        for bone in (masks.site.by_name[name] for name in masks.names)
    )


@contextmanager
def _timed(seconds: dict[str, float], step: str) -> Iterator[None]:
    start = time.perf_counter()
    yield
    seconds[step] = time.perf_counter() - start
