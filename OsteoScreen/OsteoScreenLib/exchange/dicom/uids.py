"""UIDs made from what an object is about, so that sending the same result twice gives the same object.

A UID is "2.25." and the decimal form of a name-based UUID (PS3.5 B.2; RFC 9562, version 5). Different results about one image get
different UIDs: another model, other masks, another question, another version of OsteoScreen.
"""

from __future__ import annotations

import json
import uuid
from dataclasses import asdict, dataclass
from typing import Literal

from OsteoScreenLib import __version__
from OsteoScreenLib.bones.masks import BoneMasks
from OsteoScreenLib.explain.analysis import Analysis

Kind = Literal["segmentation", "saliency", "report", "capture", "presentation"]
"""The kinds of objects that a result may have."""

_NAMESPACE = uuid.UUID("6c1f2a8e-4b07-5d63-9a44-0f6e35d0b9c2")


def result_uid(kind: str, source_sop_instance_uid: str, *parts: str) -> str:
    """SOP Instance UID of a result of a kind about one source image. parts : what else the result depends on."""
    return _uid("instance", kind, source_sop_instance_uid, __version__, *parts)


def series_uid(kind: str, source_series_instance_uid: str) -> str:
    """Series Instance UID: all results of one kind about the images of one series, made by one version, are a series."""
    return _uid("series", kind, source_series_instance_uid, __version__)


def tracking_uid(source_sop_instance_uid: str, thing: str) -> str:
    """Tracking UID of one thing (a bone) seen on one image; the same for every drawing of it."""
    return _uid("tracking", source_sop_instance_uid, thing)


@dataclass(frozen=True)
class ResultUids:
    """SOP Instance UIDs of all objects about one analysis, known before any of them is built."""

    segmentation: str
    saliency: str
    report: str
    capture: str
    presentation: str


def result_uids(source_sop_instance_uid: str, analysis: Analysis, masks: BoneMasks, opinion: str = "") -> ResultUids:
    """The objects' UIDs. opinion : what names a reader's opinion in the report (its hash), "" without one.

    Bones and outlines depend on the masks, what drew them and how the image was laid upright; everything else also on the
    model, the request and the numeric precision.
    """
    drawn = (masks.sha256, masks.method, ",".join(sorted(masks.facts.edited)), _plain(asdict(analysis.radiograph.placement)))
    answered = (
        *drawn,
        analysis.model.id,
        analysis.model.sha256,
        analysis.provenance.precision,
        _plain(asdict(analysis.request)),
    )
    parts: dict[Kind, tuple[str, ...]] = {
        "segmentation": drawn,
        "saliency": answered,
        "report": (*answered, opinion),
        "capture": (*answered, *(note.code for note in analysis.notes if note.code == "text-masked")),
        "presentation": drawn,
    }
    return ResultUids(**{kind: result_uid(kind, source_sop_instance_uid, *mine) for kind, mine in parts.items()})


def _plain(values: object) -> str:
    return json.dumps(values, sort_keys=True)


def _uid(*parts: str) -> str:
    # Lengths keep ("a", "bc") and ("ab", "c") apart.
    name = "".join(f"{len(part)}:{part}" for part in parts)
    return f"2.25.{uuid.uuid5(_NAMESPACE, name).int}"
