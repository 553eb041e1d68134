"""What all results of one kind share: the series they go into and the equipment that made them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from OsteoScreenLib import __version__
from OsteoScreenLib.bones.vocabulary import Site
from OsteoScreenLib.exchange import overlay
from OsteoScreenLib.exchange.dicom.uids import Kind, series_uid
from OsteoScreenLib.radiograph.view import known_site

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

    from OsteoScreenLib.exchange.dicom.source import SourceImage

MANUFACTURER = "OsteoScreen contributors"
MODEL_NAME = "OsteoScreen"
RESEARCH_USE = overlay.RESEARCH_USE.upper()


@dataclass(frozen=True)
class SeriesFacts:
    """number : Series Number, far from those of modalities. description : Series Description, which every archive's list shows."""

    number: int
    description: str


SERIES: dict[Kind, SeriesFacts] = {
    "segmentation": SeriesFacts(9801, f"OsteoScreen bones, {RESEARCH_USE}"),
    "saliency": SeriesFacts(9802, f"OsteoScreen saliency, {RESEARCH_USE}"),
    "report": SeriesFacts(9803, f"OsteoScreen report, {RESEARCH_USE}"),
    "capture": SeriesFacts(9804, f"OsteoScreen overlay, {RESEARCH_USE}"),
    "presentation": SeriesFacts(9805, f"OsteoScreen outlines, {RESEARCH_USE}"),
}


def object_facts(kind: Kind, source: SourceImage, sop_instance_uid: str) -> dict[str, Any]:
    """The keyword arguments that every constructor of highdicom takes: series, instance and equipment.

    An object's Instance Number is its source's, so that results of one series stand in its images' order.
    """
    return {
        "series_instance_uid": series_uid(kind, source.series_instance_uid),
        "series_number": SERIES[kind].number,
        "series_description": SERIES[kind].description,
        "sop_instance_uid": sop_instance_uid,
        "instance_number": source.instance_number,
        "manufacturer": MANUFACTURER,
        "manufacturer_model_name": MODEL_NAME,
        "software_versions": __version__,
        "device_serial_number": f"{MODEL_NAME}-{__version__}",
    }


def put_body_part(made: Dataset, site: Site | None) -> None:
    """Body Part Examined, and an empty Laterality where it may be one of a pair and nobody has verified which (PS3.3 C.7.3.1)."""
    part = known_site(site.name.split("-")[0].upper()) if site is not None else ""
    if part:
        made.BodyPartExamined = part
    if part != "CHEST":
        made.Laterality = None
