"""What of a patient a DICOM file carries, in words, so that a reader knows it before the file leaves the machine."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

# Attributes of patient and study that the results copy from their source (PS3.3 C.7.1.1, C.7.2.1, C.7.2.2), in the reader's words.
_WORDS = (
    ("PatientName", "the patient's name"),
    ("PatientID", "patient id"),
    ("PatientBirthDate", "birth date"),
    ("PatientSex", "sex"),
    ("PatientAge", "age"),
    ("PatientSize", "height"),
    ("PatientWeight", "weight"),
    ("StudyDate", "study date"),
    ("AccessionNumber", "accession number"),
    ("StudyID", "study id"),
    ("StudyDescription", "study description"),
    ("ReferringPhysicianName", "referring physician"),
    ("InstitutionName", "institution"),
)
_PERSON = "PN"  # the value representation of names
_PICTURES = ("1.2.840.10008.5.1.4.1.1.1", "1.2.840.10008.5.1.4.1.1.7")  # CR and secondary capture; DX and others are below them


def description_of(path: Path) -> str:
    """What the file calls itself: its series description, else its content description, else "".

    Raises pydicom's errors for what is no DICOM file.
    """
    header = _header(path)
    return str(header.get("SeriesDescription") or header.get("ContentDescription") or "")


def patient_in(path: Path) -> tuple[str, ...]:
    """What it carries: attributes of the patient and the study that are not empty, other persons, UIDs, the picture."""
    header = _header(path)
    carried = [words for keyword, words in _WORDS if str(header.get(keyword, "") or "").strip()]
    if _others(header):
        carried.append("other persons' names")
    if header.get("StudyInstanceUID"):
        carried.append("the study's and the image's UIDs")
    sop_class = str(header.get("SOPClassUID", ""))
    if any(f"{sop_class}.".startswith(f"{pictures}.") for pictures in _PICTURES):
        burned = str(header.get("BurnedInAnnotation", "")).upper() == "YES"
        carried.append(f"the picture of the radiograph{', with text in it that may name the patient' if burned else ''}")
    return tuple(carried)


def _header(path: Path) -> Dataset:
    import pydicom

    from OsteoScreenLib.radiograph.quiet import quiet

    with quiet():
        return pydicom.dcmread(path, stop_before_pixels=True)


def _others(header: Dataset) -> bool:
    """A name of a person stands elsewhere, at whatever depth."""
    told = {keyword for keyword, _ in _WORDS}
    return any(element.VR == _PERSON and element.keyword not in told and element.value for element in header.iterall())
