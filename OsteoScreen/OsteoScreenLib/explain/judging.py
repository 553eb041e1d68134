"""What the verdict on one image rests on, measured: the bone groups against controls, and whether the heatmap depends on learning."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from OsteoScreenLib.classifier.classifier import Classifier
from OsteoScreenLib.classifier.domain import Domain
from OsteoScreenLib.explain.analysis import AnalysisRequest
from OsteoScreenLib.explain.bone_sweep import BoneSweep, SweepRequest, SweepRow
from OsteoScreenLib.explain.covering import Coverer
from OsteoScreenLib.explain.overlap import Overlap
from OsteoScreenLib.explain.saliency import SaliencyMap
from OsteoScreenLib.explain.sanity import Cascade, weight_cascade
from OsteoScreenLib.explain.verdict import Verdict, verdict_on_image

_COVERING = 0.6  # share of the work


def judge(
    coverer: Coverer,
    classifier: Classifier,
    request: AnalysisRequest,
    saliency: SaliencyMap | None = None,
    overlap: Sequence[Overlap] = (),
    domain: Domain | None = None,
    progress: Callable[[float], None] | None = None,
) -> Verdict:
    """The verdict on one radiograph with its bones, in the coverer's fill and margin.

    Parameters
    ----------
    coverer : of the radiograph and its bones. saliency : the heatmap, by the request's method; overlap : its overlap with bones.
    domain : the input check's answer. progress : called with the share done, 0 to 1.

    Raises
    ------
    InputError
        One sentence: masks over everything, the fill "tokens" on a network without patches.
    """
    tell = progress or (lambda _share: None)
    if domain is not None and domain.level == "out":  # nothing that could be measured would change the verdict
        return verdict_on_image((), domain=domain)
    rows = swept_groups(coverer, classifier, request, lambda share: tell(_COVERING * share))
    cascade: Cascade | None = None
    if saliency is not None and not saliency.is_empty:
        (cascade,) = weight_cascade(
            classifier,
            coverer.pixels,
            request.target,
            (request.saliency_method,),
            seed=request.seed,
            every_layer=False,
            originals=(saliency,),
            progress=lambda share: tell(_COVERING + (1 - _COVERING) * share),
        )
    return verdict_on_image(rows, overlap, cascade, domain)


def swept_groups(
    coverer: Coverer, classifier: Classifier, request: AnalysisRequest, progress: Callable[[float], None]
) -> tuple[SweepRow, ...]:
    """All bones and each group removed, with controls; the sweep is left when it comes to the single bones' controls."""
    if not any(coverer.masks.areas().values()):
        return ()
    wanted = SweepRequest(request.target, ("remove",), request.fill, request.dilation_px, request.seed)
    sweep = BoneSweep(coverer.pixels, coverer.masks, classifier, wanted, coverer)
    groups = sum(subject.of == "group" for subject in sweep.subjects)
    rows: dict[str, SweepRow] = {}
    known = 0
    for row in sweep.stream():
        if row.effect.of == "bone":
            if row.chance is not None:
                break
            continue
        rows[row.effect.name] = row
        known += row.chance is not None
        progress(min(known / (1 + groups), 1.0))
    return tuple(rows.values())
