"""What of a radiograph's DICOM header goes into the results about it, checked and repaired.

Headers hold what no standard allows: empty UIDs, dates in words, names in other character sets than the one they state. A result
carries what is valid of patient and study, leaves the rest empty, and so is itself conformant; but the UIDs by which an archive
files it are taken as they are, because a repaired one would file it elsewhere.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from OsteoScreenLib.errors import InputError
from OsteoScreenLib.exchange.dicom.repair import copy_valid, valid_value
from OsteoScreenLib.radiograph import header
from OsteoScreenLib.radiograph.limits import printable
from OsteoScreenLib.radiograph.radiograph import Placement, Radiograph

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

_PATIENT = (
    "PatientName", "PatientID", "IssuerOfPatientID", "TypeOfPatientID", "PatientBirthDate", "PatientSex",
    "QualityControlSubject", "PatientSpeciesDescription", "PatientSpeciesCodeSequence", "PatientBreedDescription",
    "PatientBreedCodeSequence", "ResponsiblePerson", "ResponsiblePersonRole", "ResponsibleOrganization", "PatientIdentityRemoved",
    "DeidentificationMethod", "DeidentificationMethodCodeSequence",
)  # fmt: skip
_STUDY = (
    "StudyDate", "StudyTime", "AccessionNumber", "IssuerOfAccessionNumberSequence", "ReferringPhysicianName", "StudyDescription",
    "ProcedureCodeSequence", "StudyID", "PatientAge", "PatientSize", "PatientWeight", "LongitudinalTemporalInformationModified",
)  # fmt: skip
_NEVER_ABSENT = (
    "PatientName", "PatientID", "PatientBirthDate", "PatientSex", "StudyDate", "StudyTime", "AccessionNumber",
    "ReferringPhysicianName", "StudyID",
)  # fmt: skip
_UIDS = {"SOPInstanceUID": "SOP Instance", "SeriesInstanceUID": "Series Instance", "StudyInstanceUID": "Study Instance"}


@dataclass(frozen=True)
class SourceImage:
    """A radiograph's DICOM image as its results refer to it.

    header : patient, study, UIDs, modality, size and character set alone, all valid: what highdicom takes for a source image.
    original : the whole header as it was read, unchecked, without the pixels.
    shape : (rows, columns) of the stored image. placement : how it was turned upright.
    spacing_mm : (row, column) of the stored pixels as the radiograph knows them, None when unknown.
    """

    header: Dataset
    original: Dataset
    shape: tuple[int, int]
    placement: Placement
    spacing_mm: tuple[float, float] | None

    @property
    def sop_class_uid(self) -> str:
        """SOP Class UID."""
        return str(self.header.SOPClassUID)

    @property
    def sop_instance_uid(self) -> str:
        """SOP Instance UID."""
        return str(self.header.SOPInstanceUID)

    @property
    def series_instance_uid(self) -> str:
        """Series Instance UID."""
        return str(self.header.SeriesInstanceUID)

    @property
    def study_instance_uid(self) -> str:
        """Study Instance UID."""
        return str(self.header.StudyInstanceUID)

    @property
    def instance_number(self) -> int:
        """The image's number in its series, 1 where the header gives none."""
        return int(self.header.InstanceNumber)

    @property
    def character_set(self) -> tuple[str, ...]:
        """Specific Character Set as the header states it, empty for ASCII."""
        return tuple(header.texts(self.original, "SpecificCharacterSet"))

    def stored(self, upright: np.ndarray) -> np.ndarray:
        """An upright array (rows, columns[, …]) as the stored image lies."""
        return np.ascontiguousarray(self.placement.undo(upright))

    @property
    def upright_to_stored(self) -> np.ndarray:
        """3×3 matrix from upright pixel centres (column, row, 1), counted from 0, to stored ones."""
        return self.placement.upright_to_stored(self.shape)


def source_image(image: str | Path | Dataset, radiograph: Radiograph) -> SourceImage:
    """The source of a radiograph: its DICOM file, or the data set that it was read from, which is left as it is.

    Raises
    ------
    InputError
        One sentence: "no-dicom" (the image is no DICOM file), "no-uids" (it lacks a UID that results refer to), "changed" (the
        file is not the one that was read, or the volume is not the file's image any more).
    """
    from pydicom.config import disable_value_validation

    from OsteoScreenLib.radiograph.quiet import quiet

    if radiograph.source.format != "DICOM":
        raise _no_dicom()
    if any(note.code == "volume-differs" for note in radiograph.notes):
        raise InputError(
            "The volume is not its DICOM file's image any more, so no DICOM objects can refer to it; open the file itself.",
            "changed",
        )
    with quiet(), disable_value_validation():
        dataset, digest = _read_file(Path(image)) if isinstance(image, str | Path) else (_without_pixels(image), "")
        return _source(dataset, digest, radiograph)


def _source(dataset: Dataset, digest: str, radiograph: Radiograph) -> SourceImage:
    read = radiograph.source
    uids = {keyword: header.uid(dataset, keyword) for keyword in _UIDS}
    missing = [words for keyword, words in _UIDS.items() if not uids[keyword]]
    sop_class = header.uid(dataset, "SOPClassUID") or header.uid(
        getattr(dataset, "file_meta", dataset), "MediaStorageSOPClassUID"
    )
    missing += [] if sop_class else ["SOP Class"]
    if missing:
        raise InputError(
            f"The image's header has no valid {' and no '.join(missing)} UID, so no DICOM objects can refer to it; export it again.",
            "no-uids",
        )
    if (digest and read.sha256 and digest != read.sha256) or read.sop_instance_uid != uids["SOPInstanceUID"]:
        raise InputError("The DICOM file is not the one that was analysed any more; analyse it again.", "changed")
    turned = radiograph.placement.quarter_turns % 2 == 1
    spacing = radiograph.spacing_mm
    return SourceImage(
        header=_valid_header(dataset, {**uids, "SOPClassUID": sop_class}, read.stored_shape),
        original=dataset,
        shape=read.stored_shape,
        placement=radiograph.placement,
        spacing_mm=spacing if spacing is None or not turned else (spacing[1], spacing[0]),
    )


def _no_dicom() -> InputError:
    return InputError(
        "The image is no DICOM file, so there are no DICOM objects about it; its other results are written.", "no-dicom"
    )


def _read_file(path: Path) -> tuple[Dataset, str]:
    """The file's data set without pixels, and its SHA-256."""
    from OsteoScreenLib.radiograph.dicom import parse_dicom
    from OsteoScreenLib.radiograph.read import bytes_of
    from OsteoScreenLib.radiograph.sniff import kind_of

    data = bytes_of(path)
    if kind_of(data) != "dicom":
        raise _no_dicom()
    return _without_pixels(parse_dicom(data, printable(path.name))), hashlib.sha256(data).hexdigest()


def _without_pixels(dataset: Dataset) -> Dataset:
    """The data set's elements without its pixels. pydicom's own copies share one table of elements with the original."""
    from pydicom.dataset import Dataset, FileMetaDataset

    pixels = {0x7FE00008, 0x7FE00009, 0x7FE00010}
    kept = Dataset({tag: element for tag, element in dataset.items() if tag not in pixels})  # still undecoded
    implicit, little_endian = dataset.original_encoding
    kept.set_original_encoding(implicit, little_endian, dataset.original_character_set)
    kept.file_meta = getattr(dataset, "file_meta", None) or FileMetaDataset()
    return kept


def _valid_header(dataset: Dataset, uids: dict[str, str], shape: tuple[int, int]) -> Dataset:
    from pydicom.dataset import Dataset

    kept = Dataset()
    copy_valid(dataset, kept, (*_PATIENT, *_STUDY))
    for keyword in _NEVER_ABSENT:
        if keyword not in kept:
            setattr(kept, keyword, None)
    for keyword, uid in uids.items():
        setattr(kept, keyword, uid)
    kept.Modality = valid_value(dataset, "Modality") or "OT"
    kept.InstanceNumber = _whole(header.integer(dataset, "InstanceNumber"))
    kept.Rows, kept.Columns = shape
    return kept


def _whole(number: int | None) -> int:
    return number if number is not None and 0 < number < 2**31 else 1
