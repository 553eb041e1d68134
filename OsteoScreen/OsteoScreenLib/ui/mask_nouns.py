"""What the check of a case's masks is made of: the case that is checked, and one bone's row in the list."""

from __future__ import annotations

from dataclasses import dataclass

from OsteoScreenLib.bones.masks import BoneMasks
from OsteoScreenLib.bones.quality import MaskQuality
from OsteoScreenLib.radiograph.radiograph import Radiograph
from OsteoScreenLib.review.mask_keeper import Judge
from OsteoScreenLib.review.mask_versions import MaskVersions
from OsteoScreenLib.review.nouns import MaskVerdict
from OsteoScreenLib.scene.case_nodes import SceneCase


@dataclass(frozen=True)
class MaskSubject:
    """One case whose masks a reader checks.

    case : pseudonym, for the store; never shown. reader : code. scene : shows the masks. masks : the model's own, with facts.
    radiograph : that they lie on. versions : of the case. judge : keeps a verdict, `ReaderStore.judge`.
    verdicts : given earlier, oldest first; those of others are passed over.
    """

    case: str
    reader: str
    scene: SceneCase
    masks: BoneMasks
    radiograph: Radiograph
    versions: MaskVersions
    judge: Judge
    verdicts: tuple[MaskVerdict, ...] = ()


@dataclass(frozen=True)
class BoneRow:
    """One bone in the list. verdict : that counts, None before there is one. dice : with the model's own mask, None where neither
    drew it. drawn : it has a mask now. quality : how the model's mask looks, None where nothing is known."""

    name: str
    group: str
    colour: tuple[int, int, int]
    verdict: MaskVerdict | None
    dice: float | None
    drawn: bool
    quality: MaskQuality | None
