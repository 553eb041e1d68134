"""Headers with an identifier in every text-like element that the standard knows, in sequences, in private elements and beside the data."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import pydicom
from pydicom.config import disable_value_validation
from pydicom.datadict import DicomDictionary, keyword_for_tag
from pydicom.dataset import Dataset, FileDataset
from pydicom.tag import Tag

MARK = "ZQXVJ"
DATE = "19470513"
UID_ROOT = "1.2.826.0.1.99999.47"
# Elements that say how the image is to be read; with a name in them there is nothing to read.
_NEEDED = frozenset({
    "SpecificCharacterSet", "SOPClassUID", "Modality", "PhotometricInterpretation", "PresentationLUTShape", "VOILUTFunction",
    "PixelDataProviderURL", "LossyImageCompression", "CollimatorShape", "ShutterShape", "TransferSyntaxUID", "LUTExplanation",
})  # fmt: skip
_LONGEST = {
    "AE": 16,
    "CS": 16,
    "SH": 16,
    "LO": 64,
    "PN": 64,
    "ST": 1000,
    "LT": 1000,
    "UC": 1000,
    "UT": 1000,
    "UR": 200,
    "AS": 4,
}
_TEXT = {*_LONGEST, "UI", "DA", "DT"}


def text_elements() -> Iterator[tuple[int, str, str]]:
    """Tag, VR and keyword of every standard element of text, dates or UIDs, outside the groups of a file's head."""
    for tag, (vr, _, _, _, keyword) in DicomDictionary.items():
        if vr in _TEXT and 0x0008 <= tag >> 16 < 0x6000 and keyword and keyword not in _NEEDED and not Tag(tag).is_private:
            yield tag, vr, keyword


def plant(dataset: FileDataset, character_set: str = "ISO_IR 192", word: str = "") -> dict[str, str]:
    """Put an identifier into every text-like element of a data set, twice nested and private too.

    character_set : in which it will be written. word : a name with other letters, put beside the mark where a VR allows it.
    Returns element → what was put there.
    """
    planted: dict[str, str] = {}
    dataset.SpecificCharacterSet = character_set.split("\\")
    elements = list(text_elements())
    _fill(dataset, elements, planted, "", word)
    # A sequence whose items are looked at, one whose items are codes, one inside another, and one that the profile removes.
    for keyword in ("SourceImageSequence", "ViewCodeSequence", "AnatomicRegionSequence", "RequestAttributesSequence"):
        inner, outer = Dataset(), Dataset()
        _fill(inner, elements[::7], planted, f"{keyword}[1].PurposeOfReferenceCodeSequence.", word)
        _fill(outer, elements[::3], planted, f"{keyword}.", word)
        outer.PurposeOfReferenceCodeSequence = [inner]
        setattr(dataset, keyword, [outer])
    _fill_private(dataset, planted)
    return planted


def written(dataset: FileDataset, path: Path) -> Path:
    """The data set as a file, with a mark in the preamble, in the file's head, and behind everything."""
    dataset.file_meta.SourceApplicationEntityTitle = f"{MARK}AE1"
    dataset.file_meta.PrivateInformationCreatorUID = f"{UID_ROOT}.1"
    dataset.file_meta.PrivateInformation = f"{MARK} private information".encode()
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    dataset.preamble = f"{MARK} preamble".encode().ljust(128, b"\0")
    dataset.add_new(0xFFFCFFFC, "OB", f"{MARK} padding ".encode())
    stream = io.BytesIO()
    with disable_value_validation():
        dataset.save_as(stream)
    path.write_bytes(stream.getvalue())
    return path


def _fill(dataset: Dataset, elements: list[tuple[int, str, str]], planted: dict[str, str], where: str, word: str) -> None:
    with disable_value_validation():
        for tag, vr, keyword in elements:
            number = len(planted)
            if vr == "DA":
                value = DATE
            elif vr == "DT":
                value = f"{DATE}121314"
            elif vr == "UI":
                value = f"{UID_ROOT}.{number}"
            elif vr == "AS":
                value = "ZQXY"
            else:
                free = word if vr not in {"CS", "AE", "AS", "UR"} else ""
                value = f"{MARK}{number} {free}".strip()[: _LONGEST[vr]]
            planted[where + keyword] = value
            dataset.add_new(tag, vr, value)


def _fill_private(dataset: Dataset, planted: dict[str, str]) -> None:
    block = dataset.private_block(0x0029, f"{MARK} CREATOR", create=True)
    block.add_new(1, "LO", f"{MARK} private text")
    block.add_new(2, "OB", f"{MARK} private bytes".encode())
    item = Dataset()
    item.PatientName = f"{MARK}^Private"
    block.add_new(3, "SQ", [item])
    dataset.add_new(0x60004000, "LT", f"{MARK} overlay comment")
    dataset.add_new(0x60000022, "LO", f"{MARK} overlay description")
    dataset.add_new(0x00091001, "UN", f"{MARK} unknown".encode())
    for name in ("creator", "text", "bytes", "item", "overlay", "unknown"):
        planted[f"private {name}"] = MARK


def own_identifiers(path: Path) -> dict[str, str]:
    """Keyword → value of what identifies in a real file's own header: names, ids, UIDs, numbers, institutions, and private texts."""
    found: dict[str, str] = {}
    keywords = (
        "PatientName", "PatientID", "PatientBirthDate", "OtherPatientIDs", "AccessionNumber", "StudyInstanceUID", "SeriesInstanceUID",
        "SOPInstanceUID", "InstitutionName", "InstitutionalDepartmentName", "StationName", "ReferringPhysicianName", "OperatorsName",
        "RequestingPhysician", "DeviceSerialNumber", "DetectorID", "StudyID", "StudyDate", "SeriesDate", "AcquisitionDate",
        "ContentDate", "InstanceCreationDate", "DateOfLastCalibration", "PerformedProcedureStepID", "ImageComments",
        "AdditionalPatientHistory", "InstanceCreatorUID", "DerivationDescription",
    )  # fmt: skip
    dataset = pydicom.dcmread(path, stop_before_pixels=True, force=True)
    for element in dataset.iterall():
        known = element.keyword in keywords or element.tag.is_private or element.keyword == "ReferencedSOPInstanceUID"
        if known and element.VR not in {"SQ", "US", "SS", "UL", "SL", "FL", "FD", "DS", "IS"}:
            value = element.value.decode("latin-1") if isinstance(element.value, bytes) else str(element.value or "")
            if len(value.strip("\0 ")) >= 5:
                found[f"{element.keyword or keyword_for_tag(element.tag) or element.tag}"] = value.strip("\0 ")
    return found
