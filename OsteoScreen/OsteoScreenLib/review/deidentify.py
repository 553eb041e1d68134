"""Copies of radiographs without whom they show.

A DICOM copy is written anew from a list of what reading needs; whatever else a header holds, private groups and text included, is
never looked at, which goes beyond the removals of DICOM PS3.15, Annex E. Free text is reduced to what it was understood as (view,
body part, a bedside image). The grey values are stored uncompressed, as they were decoded, so nothing hides in a codec's comments or
in unused bits. Ages from 90 are written as 90, as the safe harbour of HIPAA (45 CFR 164.514) asks. A picture or volume becomes the
upright greys that are read from it, as float32 NRRD, with its spacing. Each copy is read again and compared with its original.

Text that is burned into the pixels stays there.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from OsteoScreenLib.errors import InputError
from OsteoScreenLib.files import write_atomically
from OsteoScreenLib.radiograph import header
from OsteoScreenLib.radiograph.dicom import StoredGrey, displayed, parse_dicom, stored_grey, with_functional_groups
from OsteoScreenLib.radiograph.lookup import table_of
from OsteoScreenLib.radiograph.quality import LOSSY, age_in_years
from OsteoScreenLib.radiograph.quiet import quiet
from OsteoScreenLib.radiograph.radiograph import Radiograph
from OsteoScreenLib.radiograph.read import bytes_of, read_radiograph
from OsteoScreenLib.radiograph.sniff import kind_of
from OsteoScreenLib.radiograph.view import known_site, known_view

if TYPE_CHECKING:
    from pydicom.dataset import Dataset, FileDataset

_COMPUTED_RADIOGRAPHY = "1.2.840.10008.5.1.4.1.1.1"
_EXPLICIT_LITTLE_ENDIAN = "1.2.840.10008.1.2.1"
_OLDEST = 90
_METHOD = "OsteoScreen: rewritten with what reading the image needs"
_SPACINGS = ("PixelSpacing", "ImagerPixelSpacing", "NominalScannedPixelSpacing")
_OPENINGS = (
    "UpperHorizontalEdge", "LowerHorizontalEdge", "LeftVerticalEdge", "RightVerticalEdge", "CenterOfCircular{}", "RadiusOfCircular{}",
    "VerticesOfThePolygonal{}",
)  # fmt: skip
_NUMBERS = (
    *_SPACINGS, "EstimatedRadiographicMagnificationFactor", "DistanceSourceToDetector", "DistanceSourceToPatient",
    "PixelPaddingValue", "PixelPaddingRangeLimit",
    *((part.format(device) if "{}" in part else device + part) for device in ("Collimator", "Shutter") for part in _OPENINGS),
)  # fmt: skip
_WORDS = {
    "VOILUTFunction": {"LINEAR", "LINEAR_EXACT", "SIGMOID"},
    "PresentationLUTShape": {"IDENTITY", "INVERSE"},
    "PresentationIntentType": {"FOR PRESENTATION", "FOR PROCESSING"},
    "PixelSpacingCalibrationType": {"GEOMETRY", "FIDUCIAL"},
    "BurnedInAnnotation": {"YES", "NO"},
    "LossyImageCompression": {"00", "01"},
    "PatientSex": {"F", "M", "O"},
}


def write_copy(source: Path, folder: Path, pseudonym: str, patient: str = "") -> Path:
    """A de-identified copy of a radiograph: `folder`/`pseudonym`.dcm, or .nrrd for what was no DICOM file.

    patient : pseudonym of the patient, "" when unknown. The copy reads to the same pixels and spacing.

    Raises
    ------
    InputError
        The file cannot be read, as `read_radiograph` says it, or cannot be rewritten so that it reads the same (copy-differs).
    OsteoScreenError
        The copy could not be written.
    """
    data = bytes_of(source)
    if kind_of(data) == "dicom":
        original, dataset = _rewritten(data, source.name, pseudonym, patient or pseudonym)
        path = folder / f"{pseudonym}.dcm"
        write_atomically(path, lambda temporary: _save(dataset, temporary))
    else:
        original = read_radiograph(source)
        path = folder / f"{pseudonym}.nrrd"
        write_atomically(path, lambda temporary: save_nrrd(original, temporary))
    again = read_radiograph(path)
    if not np.array_equal(again.pixels, original.pixels) or again.spacing_mm != original.spacing_mm:
        path.unlink()
        raise InputError(
            f"{source.name} cannot be rewritten without its header so that it reads the same; export it again or make the study "
            "without --copy.",
            code="copy-differs",
        )
    return path


def _rewritten(data: bytes, name: str, pseudonym: str, patient: str) -> tuple[Radiograph, FileDataset]:
    """What a DICOM file shows, and a data set that shows the same and nothing else."""
    from pydicom.config import disable_value_validation

    dataset = parse_dicom(data, name)
    with quiet(), disable_value_validation():
        stored = stored_grey(dataset, name)
        original = displayed(dataset, stored, name=name)
        copy = _frame_of(dataset, pseudonym, patient)
        put_pixels(copy, stored, header.word(dataset, "PhotometricInterpretation"))
        _put_display(copy, with_functional_groups(dataset), stored)
        _put_words(copy, dataset, original, str(stored.syntax))
    return original, copy


def _frame_of(dataset: Dataset, pseudonym: str, patient: str) -> FileDataset:
    from pydicom.dataset import FileDataset, FileMetaDataset
    from pydicom.uid import UID, generate_uid

    meta = FileMetaDataset()
    stated = header.text(dataset, "SOPClassUID") or header.text(
        getattr(dataset, "file_meta", dataset), "MediaStorageSOPClassUID"
    )
    meta.MediaStorageSOPClassUID = UID(stated or _COMPUTED_RADIOGRAPHY)
    meta.MediaStorageSOPInstanceUID = generate_uid(None)
    meta.TransferSyntaxUID = UID(_EXPLICIT_LITTLE_ENDIAN)
    copy = FileDataset("", {}, file_meta=meta, preamble=bytes(128), is_implicit_VR=False, is_little_endian=True)
    copy.SOPClassUID, copy.SOPInstanceUID = meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID
    copy.StudyInstanceUID, copy.SeriesInstanceUID = generate_uid(None), generate_uid(None)
    copy.PatientName, copy.PatientID = pseudonym, patient
    copy.PatientIdentityRemoved, copy.DeidentificationMethod = "YES", _METHOD
    copy.Modality = header.word(dataset, "Modality")
    return copy


def put_pixels(copy: Dataset, stored: StoredGrey, photometric: str) -> None:
    """The decoded values in containers of the file's own width, uncompressed; colour and palettes become grey.

    photometric : of the original.
    """
    grey, bits = stored.grey, stored.bits
    values = grey.codes if grey.table is None else grey.table[grey.codes]
    copy.SamplesPerPixel = 1
    copy.PhotometricInterpretation = "MONOCHROME1" if photometric == "MONOCHROME1" else "MONOCHROME2"
    copy.Rows, copy.Columns = values.shape
    copy.BitsAllocated, copy.BitsStored, copy.HighBit = bits.allocated, bits.stored, bits.stored - 1
    copy.PixelRepresentation = int(bits.signed)
    data = values.astype(f"<{'i' if bits.signed else 'u'}{bits.allocated // 8}").tobytes()
    copy.PixelData = data + bytes(len(data) % 2)
    copy["PixelData"].VR = "OB" if bits.allocated == 8 else "OW"


def _put_display(copy: Dataset, dataset: Dataset, stored: StoredGrey) -> None:
    """Modality and VOI tables, rescaling and windows."""
    signed, little_endian = stored.bits.signed, bool(stored.syntax.is_little_endian)
    modality = header.items(dataset, "ModalityLUTSequence")[:1]
    if modality:
        copy.ModalityLUTSequence = _tables(modality, signed, little_endian)
    else:
        _put_numbers(copy, "RescaleSlope", header.numbers(dataset, "RescaleSlope")[:1])
        _put_numbers(copy, "RescaleIntercept", header.numbers(dataset, "RescaleIntercept")[:1])
    copy.VOILUTSequence = _tables(header.items(dataset, "VOILUTSequence"), signed, little_endian)
    windows = zip(header.numbers(dataset, "WindowCenter"), header.numbers(dataset, "WindowWidth"), strict=False)
    finite = [window for window in windows if np.isfinite(window).all()]
    _put_numbers(copy, "WindowCenter", [centre for centre, _ in finite])
    _put_numbers(copy, "WindowWidth", [width for _, width in finite])
    for keyword in _NUMBERS:
        _put_numbers(copy, keyword, header.numbers(dataset, keyword))
    shapes = {"RECTANGULAR", "CIRCULAR", "POLYGONAL"}
    for keyword in ("CollimatorShape", "ShutterShape"):
        stated = [shape for one in header.texts(dataset, keyword) if (shape := one.upper()) in shapes]
        if stated:
            setattr(copy, keyword, stated)


def _put_words(copy: Dataset, dataset: Dataset, original: Radiograph, syntax: str) -> None:
    """Words of fixed lists, and what free text was understood as."""
    flat = with_functional_groups(dataset)
    for keyword, allowed in _WORDS.items():
        word = header.word(flat, keyword)
        if word in allowed:
            setattr(copy, keyword, word)
    if syntax in LOSSY:
        copy.LossyImageCompression = "01"
    noted = {note.code for note in original.notes}
    copy.ViewPosition, copy.BodyPartExamined = known_view(original.view), known_site(original.site)
    if "ap-view" in noted and original.view != "AP":
        copy.SeriesDescription = "PORTABLE"
    if "animal" in noted:
        copy.PatientSpeciesDescription = "ANIMAL"
    orientation = [one.upper() for one in header.texts(dataset, "PatientOrientation")]
    if len(orientation) == 2 and all(re.fullmatch(r"[LRAPHF]{1,3}", one) for one in orientation):
        copy.PatientOrientation = orientation
    age = header.word(dataset, "PatientAge")
    years = age_in_years(age)
    if years is not None and re.fullmatch(r"\d{1,3}[DWMY]?", age):
        copy.PatientAge = f"{_OLDEST:03}Y" if years >= _OLDEST else age


def _tables(items: list[Dataset], signed: bool, little_endian: bool) -> list[Dataset]:
    """Lookup tables with entries of 16 bits; those that cannot be read are left out, as they are in reading."""
    from pydicom.dataset import Dataset

    written = []
    for item in items:
        table = table_of(item, signed, little_endian)
        if table is None:
            continue
        first, entries = int(table[0]), table[1].astype("<u2")
        copy = Dataset()
        descriptor = [entries.size % 65536, first, 16]
        copy.add_new("LUTDescriptor", "SS" if first < 0 else "US", descriptor)
        copy.add_new("LUTData", "OW", entries.tobytes())
        written.append(copy)
    return written


def _put_numbers(copy: Dataset, keyword: str, numbers: list[float]) -> None:
    """Numbers that are numbers; a text in their place is left out."""
    from pydicom.datadict import dictionary_VR

    if not numbers or not np.isfinite(numbers).all():
        return
    kind = dictionary_VR(keyword)
    whole: list[Any] = [int(one) if one == int(one) else one for one in numbers]
    if kind == "DS" or kind == "IS":
        whole = [repr(one) for one in whole]  # pydicom keeps a text as it is, so no digit is lost
    else:
        whole = [int(one) for one in numbers]
        kind = "SS" if min(whole) < 0 else "US"
    copy.add_new(keyword, kind, whole if len(whole) > 1 else whole[0])


def _save(dataset: FileDataset, path: Path) -> None:
    from pydicom.config import disable_value_validation

    with quiet(), disable_value_validation():
        dataset.save_as(path, enforce_file_format=True)


def save_nrrd(radiograph: Radiograph, path: Path) -> None:
    """The upright greys as float32 NRRD with their spacing and nothing else. Raises OSError when it cannot be written."""
    import SimpleITK

    image = SimpleITK.GetImageFromArray(radiograph.pixels)
    if radiograph.spacing_mm is not None:
        image.SetSpacing(tuple(reversed(radiograph.spacing_mm)))
    try:
        SimpleITK.WriteImage(image, str(path), useCompression=True)
    except RuntimeError as error:
        raise OSError(f"the image could not be written ({str(error).splitlines()[-1]})") from error
