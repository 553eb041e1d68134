"""The noun `PriorResult`: what a written result says, whichever file it was read from.

The structured report is written from it and read back into it, `analysis.json` is read into it, and the FHIR resources are made
from it, so that all three say the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from OsteoScreenLib import __version__
from OsteoScreenLib.classifier.prediction import Prediction
from OsteoScreenLib.explain.analysis import Analysis, Covering, EffectOf, ModelFacts
from OsteoScreenLib.explain.fills import Fill
from OsteoScreenLib.explain.verdict import Verdict
from OsteoScreenLib.radiograph.radiograph import Note
from OsteoScreenLib.review.nouns import Opinion

if TYPE_CHECKING:
    from OsteoScreenLib.review.nouns import LockedRead


@dataclass(frozen=True)
class ReaderOpinion:
    """What one reader of a study thought of the radiograph.

    reader : the reader's code, never a name. phase : "first" (blind, or the only one) or "second" (the model's answer seen).
    target : the class that `opinion.confidence` is about. at : UTC, ISO 8601, when it was locked.
    """

    reader: str
    phase: str
    opinion: Opinion
    target: str
    at: str

    @classmethod
    def of(cls, read: LockedRead, target: str = "osteoporosis") -> ReaderOpinion:
        """Of a locked read. target : of the study's protocol."""
        return cls(read.reader, read.phase, read.opinion, target, read.at)


@dataclass(frozen=True)
class TableEffect:
    """Δ of one row of the table in one mode, signed as in `BoneEffect`.

    percentile, p_value, controls : its rank among as many controls (`explain.chance`); None where it was not ranked.
    """

    delta_points: float
    delta_log_odds: float
    percentile: float | None = None
    p_value: float | None = None
    controls: int | None = None


@dataclass(frozen=True)
class TableRow:
    """All bones together ("set"), a group or a bone, each by itself removed and added back; None where that was not computed."""

    of: EffectOf
    name: str
    removed: TableEffect | None
    added: TableEffect | None


@dataclass(frozen=True)
class BoneTable:
    """The table of what every group and bone is worth to the target. fill, margin_px, seed : with which it was computed."""

    fill: Fill
    margin_px: float
    seed: int
    rows: tuple[TableRow, ...]


@dataclass(frozen=True)
class AboutImage:
    """Which radiograph a result is about. UIDs are "" where it was no DICOM image; sha256 : of the file, "" when not known.

    view, site : as its header names them, or "".
    """

    study_instance_uid: str = ""
    series_instance_uid: str = ""
    sop_instance_uid: str = ""
    sha256: str = ""
    view: str = ""
    site: str = ""


@dataclass(frozen=True)
class PriorResult:
    """One radiograph's answer as a report tells it.

    target : class or "low bone mass" that effects are about; target_probability : of it, on the untouched radiograph.
    covering : chosen bones covered, with every effect; None where none were chosen. table : of every bone by itself, where the panel
    has swept them. verdict : None where it was not asked for.
    statements : sentences that must stand beside the answer. opinion : a reader's, where the report has one.
    software : OsteoScreen's version that made the answer. started : UTC, ISO 8601. device, precision : what computed it.
    """

    image: AboutImage
    model: ModelFacts
    target: str
    prediction: Prediction
    target_probability: float
    covering: Covering | None
    verdict: Verdict | None
    notes: tuple[Note, ...]
    statements: tuple[str, ...]
    software: str
    started: str
    device: str
    precision: str
    opinion: ReaderOpinion | None = None
    table: BoneTable | None = None


def result_of(analysis: Analysis, opinion: ReaderOpinion | None = None, table: BoneTable | None = None) -> PriorResult:
    """What a report of this analysis says."""
    facts, how = analysis.radiograph, analysis.provenance
    source = facts.source
    return PriorResult(
        image=AboutImage(
            source.study_instance_uid,
            source.series_instance_uid,
            source.sop_instance_uid,
            source.sha256,
            facts.view,
            facts.site,
        ),
        model=analysis.model,
        target=analysis.request.target,
        prediction=analysis.prediction,
        target_probability=analysis.target_probability,
        covering=analysis.covering,
        verdict=analysis.verdict,
        notes=analysis.notes,
        statements=analysis.statements,
        software=how.versions.get("osteoscreen", __version__),
        started=how.started,
        device=how.device,
        precision=how.precision,
        opinion=opinion,
        table=table,
    )
