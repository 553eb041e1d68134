"""The noun `Analysis`: everything one radiograph was answered with, and how the answer came about."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from OsteoScreenLib.bones.quality import Mark
from OsteoScreenLib.bones.vocabulary import Site
from OsteoScreenLib.classifier.prediction import CLASSES, TARGETS, OperatingPoints, PointPerformance, Prediction
from OsteoScreenLib.explain.covering import Mode
from OsteoScreenLib.explain.fills import Fill
from OsteoScreenLib.explain.overlap import Overlap
from OsteoScreenLib.explain.saliency import SaliencyMap
from OsteoScreenLib.explain.saliency_methods import DEFAULT_METHOD
from OsteoScreenLib.explain.verdict import Verdict
from OsteoScreenLib.radiograph.radiograph import Note, Placement, Radiograph, Source, SpacingSource

__all__ = [
    "CLASSES", "RESEARCH_USE_ONLY", "SIMULATED_TRAINING", "TARGETS", "AbsentBone", "Analysis", "AnalysisRequest", "BoneEffect",
    "BoneSummary",
    "Covering", "ModelFacts", "OperatingPoints", "PointPerformance", "Prediction", "Provenance", "RadiographFacts",
    "SaliencyMap",
]  # fmt: skip

RESEARCH_USE_ONLY = "Research use only: not for diagnosis or for decisions on treatment."
SIMULATED_TRAINING = (
    "This model was trained on simulated radiographs, not on patients; its answer is no evidence about a patient."
)

EffectOf = Literal["set", "group", "bone"]


@dataclass(frozen=True)
class AnalysisRequest:
    """What to compute.

    target : what saliency and effects are about, one of `TARGETS`. saliency : whether to compute the heatmap.
    cover : bones and groups to cover, as a person names them; empty for none. mode, fill : see `covering` and `fills`.
    dilation_px : margin around covered bones in pixels; dilation_mm : the same in millimetres, which wins where given and
        needs a known spacing. seed : of the fills "noise" and "linear".
    saliency_method : how the heatmap is made, a key of `SALIENCY_METHODS`, or `DEFAULT_METHOD`.
    verdict : whether to ask if the answer comes from bone (`explain.verdict`), which takes about 250 forward passes more.
    """

    target: str = "osteoporosis"
    saliency: bool = True
    cover: tuple[str, ...] = ()
    mode: Mode = "remove"
    fill: Fill = "mean"
    dilation_px: float = 0.0
    dilation_mm: float | None = None
    seed: int = 0
    saliency_method: str = DEFAULT_METHOD
    verdict: bool = False


@dataclass(frozen=True)
class BoneEffect:
    """What one bone, the chosen bones of one group, or the whole chosen set is worth to the answer.

    of, name, bones : what it is about. area_px : covered pixels of the variant.
    probabilities : class → probability of the variant. probability, reference_probability : of the target.
    delta_points : Δ in percentage points of the target's probability. delta_log_odds : the same difference in log-odds.

    Mode "remove": the variant has these bones covered, the reference is the untouched image, and
    Δ = P(untouched) − P(covered): positive when the bones support the target.
    Mode "add-back": the variant shows these bones alone, the reference has every bone covered, and
    Δ = P(shown alone) − P(all bones covered).
    """

    of: EffectOf
    name: str
    bones: tuple[str, ...]
    area_px: int
    probabilities: Mapping[str, float]
    probability: float
    reference_probability: float
    delta_points: float
    delta_log_odds: float


@dataclass(frozen=True)
class Covering:
    """The chosen bones covered, and what that does to the answer.

    covered : the covered bones that were found. not_found : chosen bones without a mask.
    area_px : covered pixels. margin_px, margin_mm : the margin used; millimetres are None without a spacing.
    prediction : the answer on the radiograph with `covered` covered. delta_points, delta_log_odds : its difference, in mode
        "remove" from the untouched image, in mode "add-back" from the image with every bone covered, signed as in `BoneEffect`.
    effects : the chosen set, each group that it touches (its chosen bones), and each chosen bone.
    """

    mode: Mode
    fill: Fill
    seed: int
    margin_px: float
    margin_mm: float | None
    covered: tuple[str, ...]
    not_found: tuple[str, ...]
    area_px: int
    prediction: Prediction
    probability: float
    delta_points: float
    delta_log_odds: float
    effects: tuple[BoneEffect, ...]


@dataclass(frozen=True)
class BoneSummary:
    """One bone that was found: area_px pixels; area_mm2 where the spacing is known (see `RadiographFacts.spacing_source`).

    confidence, remarks, numbering_uncertain, trust, edited : see `bones.quality.MaskQuality`.
    """

    name: str
    group: str
    side: str
    area_px: int
    area_mm2: float | None
    confidence: float | None = None
    remarks: tuple[Mark, ...] = ()
    numbering_uncertain: bool = False
    trust: str = ""
    edited: bool = False


@dataclass(frozen=True)
class AbsentBone:
    """One bone without a mask about which something is to be said: it should be in the picture, or was drawn and left out."""

    name: str
    remarks: tuple[Mark, ...]


@dataclass(frozen=True)
class RadiographFacts:
    """What is known of the radiograph. shape : (rows, columns), upright. spacing_mm : (row, column) or None when unknown."""

    shape: tuple[int, int]
    spacing_mm: tuple[float, float] | None
    spacing_source: SpacingSource
    view: str
    site: str
    source: Source
    placement: Placement

    @classmethod
    def of(cls, radiograph: Radiograph) -> RadiographFacts:
        """Everything but the pixels and the notes."""
        return cls(
            radiograph.shape,
            radiograph.spacing_mm,
            radiograph.spacing_source,
            radiograph.view,
            radiograph.site,
            radiograph.source,
            radiograph.placement,
        )


@dataclass(frozen=True)
class ModelFacts:
    """The model's bundle. sha256 : of its manifest, which names every file's hash. weights_sha256 : of its weights.

    performance : of its class decision at the operating points, where the bundle says so.
    """

    id: str
    title: str
    site: str
    sha256: str
    weights_sha256: str
    simulated_training: bool
    performance: tuple[PointPerformance, ...] = ()


@dataclass(frozen=True)
class Provenance:
    """How the answer came about. started : UTC, ISO 8601. seconds : step → wall-clock time."""

    versions: Mapping[str, str]
    device: str
    precision: str
    started: str
    seconds: Mapping[str, float]


@dataclass(frozen=True)
class Analysis:
    """One radiograph's whole answer.

    prediction : on the untouched radiograph. target_probability : of the request's target there.
    bones, site, segmenter : the bones found and what drew them. absent : bones without a mask that are to be spoken of. statements : sentences that must stand beside the answer.
    overlap : of the saliency map with all bones, each group, each bone; empty without a map or without bones.
    verdict : whether the answer comes from bone; None where it was not asked for, and without bone masks.
    """

    request: AnalysisRequest
    radiograph: RadiographFacts
    model: ModelFacts
    prediction: Prediction
    target_probability: float
    saliency: SaliencyMap | None
    site: Site | None
    segmenter: str
    bones: tuple[BoneSummary, ...]
    covering: Covering | None
    notes: tuple[Note, ...]
    statements: tuple[str, ...]
    provenance: Provenance
    absent: tuple[AbsentBone, ...] = ()
    overlap: tuple[Overlap, ...] = ()
    verdict: Verdict | None = None

    def to_json(self) -> str:
        """The analysis as JSON text, valid under the published schema (`Resources/Schemas/analysis.schema.json`)."""
        from OsteoScreenLib.explain.analysis_json import to_json

        return to_json(self)
