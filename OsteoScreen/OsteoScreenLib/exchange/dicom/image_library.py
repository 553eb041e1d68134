"""The radiograph in the structured report's image library (PS3.16 TID 1600 to 1603)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from OsteoScreenLib.bones.vocabulary import Code
from OsteoScreenLib.exchange.dicom import report_codes as terms
from OsteoScreenLib.exchange.dicom.codes import concept
from OsteoScreenLib.exchange.dicom.report_items import code_item, number_item
from OsteoScreenLib.exchange.dicom.source import SourceImage

if TYPE_CHECKING:
    from highdicom.sr import ContainerContentItem

# PS3.16 CID 29, where radiographs are; every other modality is "Other".
_MODALITIES = {
    "CR": Code("CR", "Computed Radiography", "DCM"),
    "DX": Code("DX", "Digital Radiography", "DCM"),
    "IO": Code("IO", "Intra-oral Radiography", "DCM"),
    "PX": Code("PX", "Panoramic X-Ray", "DCM"),
}
_OTHER = Code("OT", "Other", "DCM")
_ROWS, _COLUMNS = Code("110910", "Pixel Data Rows", "DCM"), Code("110911", "Pixel Data Columns", "DCM")
_ACROSS = Code("111026", "Horizontal Pixel Spacing", "DCM")
_DOWN = Code("111066", "Vertical Pixel Spacing", "DCM")
_ACQUIRED = "HAS ACQ CONTEXT"


def image_library(source: SourceImage) -> ContainerContentItem:
    """The library with its one image: modality, size, and the spacing of its stored pixels where that is known.

    What a header may lack or misstate, such as the patient's orientation, is not repeated.
    """
    from highdicom.sr import ContainerContentItem, ContentSequence, ImageContentItem

    rows, columns = source.shape
    facts = [
        code_item(Code("121139", "Modality", "DCM"), _MODALITIES.get(str(source.header.Modality), _OTHER), _ACQUIRED),
        number_item(_ROWS, rows, terms.PIXELS, _ACQUIRED),
        number_item(_COLUMNS, columns, terms.PIXELS, _ACQUIRED),
    ]
    if source.spacing_mm is not None:
        facts += [
            number_item(_ACROSS, source.spacing_mm[1], terms.MILLIMETRES, _ACQUIRED),
            number_item(_DOWN, source.spacing_mm[0], terms.MILLIMETRES, _ACQUIRED),
        ]
    image = ImageContentItem(
        name=concept(Code("260753009", "Source")),
        referenced_sop_class_uid=source.sop_class_uid,
        referenced_sop_instance_uid=source.sop_instance_uid,
        relationship_type="CONTAINS",
    )
    image.ContentSequence = ContentSequence(facts)
    group = ContainerContentItem(name=concept(Code("126200", "Image Library Group", "DCM")), relationship_type="CONTAINS")
    group.ContentSequence = ContentSequence([image])
    library = ContainerContentItem(name=concept(Code("111028", "Image Library", "DCM")), relationship_type="CONTAINS")
    library.ContentSequence = ContentSequence([group])
    return library
