"""Remarks on what a reader should know about an image before believing an answer about it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from OsteoScreenLib.radiograph import header
from OsteoScreenLib.radiograph.grey import Function, Levels
from OsteoScreenLib.radiograph.radiograph import Note

if TYPE_CHECKING:
    from pydicom.dataset import Dataset
    from pydicom.uid import UID

# Below this a rib is a few pixels wide and the classifier's input has to be enlarged.
_FEW_PIXELS = 512
_WHITE_SHARE, _BLACK_SHARE = 0.03, 0.35
LOSSY = {
    "1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.51", "1.2.840.10008.1.2.4.81", "1.2.840.10008.1.2.4.91", "1.2.840.10008.1.2.4.203",
}  # fmt: skip
_ANIMAL = re.compile(r"CANINE|FELINE|EQUINE|VETERINAR|\bDOG\b|\bCAT\b")
_PORTABLE = re.compile(r"PORTABLE|MOBILE|BEDSIDE|\bBETT|\bICU\b|\bLIEGEND|\bSUPINE")


def is_animal(words: str) -> bool:
    """Whether a description in upper case names an animal."""
    return bool(_ANIMAL.search(words))


def is_portable(words: str) -> bool:
    """Whether a description in upper case names an image taken at the bedside."""
    return bool(_PORTABLE.search(words))


def picture_notes(shape: tuple[int, int], bits: int, levels: Levels, display: Function, inverted: bool) -> list[Note]:
    """Resolution, depth of grey and clipping.

    bits : stored bits of a pixel. levels : grey values that count in statistics. display : their way to [0, 1].
    """
    notes = []
    if min(shape) < _FEW_PIXELS:
        text = f"Low resolution: {shape[1]} × {shape[0]} pixels; small bones cannot be told apart."
        notes.append(Note("low-resolution", "warning", text))
    if bits <= 8 or levels.values.size <= 256:
        text = f"Only {min(2**bits, levels.values.size)} shades of grey: the image was probably converted for display once."
        notes.append(Note("low-bit-depth", "info", text))
    shown = display(levels.values)
    ends = levels.share(shown <= 0), levels.share(shown >= 1)
    black, white = reversed(ends) if inverted else ends
    if white > _WHITE_SHARE or black > _BLACK_SHARE:
        text = f"Clipped: {100 * white:.0f} % of the pixels are fully white and {100 * black:.0f} % fully black."
        notes.append(Note("clipped", "warning" if white > _WHITE_SHARE else "info", text))
    return notes


def header_notes(dataset: Dataset, syntax: UID, view: str, site: str) -> list[Note]:
    """Remarks on a DICOM header: processing, compression, burned-in text, view, species and patient."""
    notes = []
    if (
        header.word(dataset, "PresentationIntentType") == "FOR PROCESSING"
        or header.text(dataset, "SOPClassUID") in _FOR_PROCESSING
    ):
        text = "This image is FOR PROCESSING: raw detector values that were never meant to be looked at or classified."
        notes.append(Note("for-processing", "warning", text))
    if str(syntax) in LOSSY or header.word(dataset, "LossyImageCompression") == "01":
        notes.append(Note("lossy", "info", "The image went through lossy compression."))
    if header.word(dataset, "BurnedInAnnotation") == "YES":
        text = "The header says that text is burned into the pixels; it may name the patient."
        notes.append(Note("burned-in", "warning", text))
    descriptions = " ".join(
        header.word(dataset, keyword)
        for keyword in ("SeriesDescription", "StudyDescription", "ProtocolName", "AcquisitionDeviceProcessingDescription")
    )
    species = header.word(dataset, "PatientSpeciesDescription")
    if (species and not re.search("HUMAN|HOMO", species)) or is_animal(descriptions):
        notes.append(Note("animal", "warning", "The header says that this is an animal; the models know people only."))
    portable = is_portable(descriptions)
    if view == "":
        notes.append(Note("unknown-view", "info", "The header does not say which view this is."))
    elif (view == "AP" and site in {"CHEST", ""}) or portable:
        kind = "An AP" if view == "AP" else "A bedside"
        text = f"{kind} view: heart, clavicles and scapulae lie otherwise than in an upright PA view."
        notes.append(Note("ap-view", "info", text))
    elif view not in {"PA", "AP"}:
        notes.append(Note("not-frontal-view", "info", f"The header says that this is not a frontal view ({view.lower()})."))
    return notes + patient_notes(header.word(dataset, "PatientSex"), age_in_years(header.word(dataset, "PatientAge")))


_FOR_PROCESSING = {"1.2.840.10008.5.1.4.1.1.1.1.1", "1.2.840.10008.5.1.4.1.1.1.3.1"}


def patient_notes(sex: str, age: float | None) -> list[Note]:
    """Whether the patient belongs to those the study and the WHO's classes are about, as far as it is known."""
    reasons = []
    if sex == "M":
        reasons.append("the study behind the method saw women only")
        if age is not None and age < 50:
            reasons.append("the WHO's classes are meant for men from 50")
    elif age is not None and age < 50:
        reasons.append("the WHO's classes are meant for women after menopause")
    if age is not None and age < 18:
        reasons = ["the patient is a minor, and neither the study nor the WHO's classes are about children"]
    if not reasons:
        return []
    return [Note("outside-population", "warning", f"Outside the population studied: {' and '.join(reasons)}.")]


def age_in_years(text: str) -> float | None:
    """A DICOM age string ("062Y", "018M", also plain "62") in years, None when it says nothing possible."""
    found = re.fullmatch(r"\s*(\d{1,4})\s*([DWMY]?)\s*", text.upper())
    if not found:
        return None
    years = int(found[1]) / {"D": 365.25, "W": 52.18, "M": 12.0, "Y": 1.0, "": 1.0}[found[2]]
    return years if years <= 120 else None
