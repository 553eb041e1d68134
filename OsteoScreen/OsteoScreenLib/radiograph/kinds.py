"""Which DICOM objects are radiographs, and in one sentence what the others are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from OsteoScreenLib.errors import InputError
from OsteoScreenLib.radiograph import header
from OsteoScreenLib.radiograph.radiograph import Note

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

_STORAGE = "1.2.840.10008.5.1.4.1.1."
RADIOGRAPHS = {_STORAGE + one for one in ("1", "1.1", "1.1.1", "1.3", "1.3.1")}
CAPTURES = {_STORAGE + one for one in ("7", "7.1", "7.2", "7.3", "7.4")}
"""SOP classes of what is read: CR, DX and intra-oral images, and secondary captures, which may be of a radiograph."""
_MODALITIES = {"CR", "DX", "PX", "IO", "RG", "DR"}
_UNDECLARED = {"", "OT", "SC"}
_NAMES = {
    "CT": "a CT slice", "MR": "an MR slice", "US": "an ultrasound image", "NM": "a nuclear medicine image", "PT": "a PET slice",
    "MG": "a mammogram", "XA": "an angiogram", "RF": "a fluoroscopy image", "XC": "a photograph", "ES": "an endoscopy image",
    "OP": "an eye photograph", "OPT": "an OCT scan", "GM": "a microscopy image", "SM": "a microscopy image", "BMD": "a DXA scan",
    "SR": "a structured report", "SEG": "a segmentation", "PR": "a presentation state", "KO": "a list of key images",
    "DOC": "a document", "REG": "a registration", "RTDOSE": "a radiotherapy dose", "RTSTRUCT": "a set of radiotherapy outlines",
    "RTPLAN": "a radiotherapy plan", "RTIMAGE": "a radiotherapy image", "ECG": "an ECG", "IVUS": "an intravascular ultrasound",
    "IVOCT": "an intravascular OCT", "PA": "a photoacoustic image", "DG": "a diaphanography", "TG": "a thermogram", "FID": "a set of markers",
}  # fmt: skip
_CLASSES = {
    "2": "CT", "2.1": "CT", "4": "MR", "4.1": "MR", "4.2": "MR", "4.3": "MR", "6.1": "US", "3.1": "US", "20": "NM", "128": "PT", "130": "PT",
    "1.2": "MG", "1.2.1": "MG", "13.1.3": "MG", "12.1": "XA", "12.1.1": "XA", "12.2": "RF", "12.2.1": "RF", "77.1.4": "XC",
    "77.1.4.1": "XC", "77.1.1": "ES", "77.1.2": "GM", "77.1.5.1": "OP", "77.1.5.2": "OP", "66.4": "SEG", "66.7": "SEG", "104.1": "DOC",
    "104.2": "DOC", "481.1": "RTIMAGE", "481.2": "RTDOSE", "481.3": "RTSTRUCT", "481.5": "RTPLAN", "66.1": "REG",
}  # fmt: skip
_FAMILIES = (("88.", "SR"), ("11.", "PR"), ("9.", "ECG"), ("77.1.", "XC"), ("13.1.", "CT"))


def check_kind(dataset: Dataset, name: str) -> list[Note]:
    """Refuse what is no radiograph by its SOP class and modality, and cine loops; note secondary captures.

    Raises InputError: "not-an-image-object" (directories, reports, documents), "photograph", "not-a-radiograph", "multi-frame".
    """
    sop_class = header.text(dataset, "SOPClassUID") or header.text(
        getattr(dataset, "file_meta", dataset), "MediaStorageSOPClassUID"
    )
    modality = header.word(dataset, "Modality")
    if sop_class == "1.2.840.10008.1.3.10" or header.value(dataset, "DirectoryRecordSequence") is not None:
        raise InputError(
            f"{name} is a DICOMDIR, a table of contents; choose one of the images it lists.", "not-an-image-object"
        )
    if sop_class in RADIOGRAPHS or sop_class in CAPTURES or not sop_class:
        if modality in _MODALITIES | _UNDECLARED:
            _check_frames(dataset, name)
            return _capture_notes(sop_class, modality)
        kind = modality
    else:
        kind = _kind_of_class(sop_class, modality)
    described = _NAMES.get(kind, "another kind of object" if not kind.isalpha() else f"of modality {kind[:16]}")
    if kind in {"SR", "SEG", "PR", "KO", "DOC", "REG", "RTDOSE", "RTSTRUCT", "RTPLAN", "ECG", "FID"}:
        raise InputError(
            f"{name} is {described} in DICOM form, not an image; choose the radiograph itself.", "not-an-image-object"
        )
    code = "photograph" if kind in {"XC", "ES", "OP", "GM", "SM"} else "not-a-radiograph"
    raise InputError(
        f"{name} is {described}, not a plain radiograph; OsteoScreen reads CR, DX, panoramic and captured radiographs.", code
    )


def _kind_of_class(sop_class: str, modality: str) -> str:
    if not sop_class.startswith(_STORAGE):
        return modality if modality not in _MODALITIES else "another object"
    tail = sop_class[len(_STORAGE) :]
    family = next((kind for prefix, kind in _FAMILIES if tail.startswith(prefix)), "")
    return _CLASSES.get(tail) or family or (modality if modality not in _MODALITIES | _UNDECLARED else "another object")


def _check_frames(dataset: Dataset, name: str) -> None:
    frames = header.integer(dataset, "NumberOfFrames")
    if frames is not None and frames > 1:
        raise InputError(
            f"{name} is a film of {frames} images; OsteoScreen reads single radiographs, so export one frame.", "multi-frame"
        )


def _capture_notes(sop_class: str, modality: str) -> list[Note]:
    if sop_class in CAPTURES:
        text = "A secondary capture: its grey values went through another program or a scanner first."
        return [Note("secondary-capture", "info", text)]
    if modality in _UNDECLARED:
        text = "The header does not say that this is a radiograph (no modality)."
        return [Note("unknown-modality", "info", text)]
    return []
