"""A radiograph's file → a pseudonymised copy of it (DICOM PS3.15, Annex E): the front of this room.

The copy's pixels are written as they were decoded, uncompressed, so nothing hides in a codec's comments, in unused bits or behind the
image; its file name is made of pseudonyms. A picture or volume, which has no header to speak of, becomes an NRRD with nothing but grey
values and spacing. Each copy is read again and compared with its original before it gets its name.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from OsteoScreenLib.errors import InputError
from OsteoScreenLib.exchange.privacy.burned_in import TextArea, find_text, masked_codes, masked_pixels
from OsteoScreenLib.exchange.privacy.header_copy import Rules, copied_header, patient_of, uid_or
from OsteoScreenLib.exchange.privacy.identifiers import identifiers_of, left_in, left_in_bytes
from OsteoScreenLib.exchange.privacy.key import Key
from OsteoScreenLib.exchange.privacy.pictures import Text, TextFound
from OsteoScreenLib.exchange.privacy.profile import Options
from OsteoScreenLib.files import write_atomically
from OsteoScreenLib.radiograph import header
from OsteoScreenLib.radiograph.limits import printable

if TYPE_CHECKING:
    from pydicom.dataset import Dataset, FileDataset

    from OsteoScreenLib.radiograph.dicom import StoredGrey
    from OsteoScreenLib.radiograph.radiograph import Radiograph

_METHOD = "OsteoScreen: PS3.15 Basic Profile; only known terms kept"
_EXPLICIT_LITTLE_ENDIAN = "1.2.840.10008.1.2.1"


@dataclass(frozen=True)
class Pseudonymised:
    """A copy. path : its file. pseudonym : of the patient. areas : where text was found in the stored image. text : what was done with it."""

    path: Path
    pseudonym: str
    areas: tuple[TextArea, ...]
    text: Text


def pseudonymise(image: Path, folder: Path, key: Key, options: Options | None = None, text: Text = "refuse") -> Pseudonymised:
    """Write a pseudonymised copy of a radiograph into an existing folder.

    Parameters
    ----------
    image : a DICOM file, a picture or a volume. key : from which pseudonym, UIDs and shift follow, alike in every run.
    options : what is kept beyond the basic profile. text : what to do when text is found in the pixels.

    Returns
    -------
    The copy `folder`/PSEUDONYM_NUMBER.dcm, .nrrd for what was no DICOM file; the same image gives the same name again.

    Raises
    ------
    InputError
        The image cannot be read; text was found and `text` is "refuse" (`TextFound`, text-found); the copy would not read the same
        (copy-differs) or something of the header is still in it (identifier-left); nothing is written then.
    OsteoScreenError
        The copy cannot be written.
    """
    from OsteoScreenLib.radiograph.read import bytes_of
    from OsteoScreenLib.radiograph.sniff import kind_of

    data = bytes_of(image)
    if kind_of(data) == "dicom":
        return _dicom_copy(data, printable(image.name), folder, key, options or Options(), text)
    return _picture_copy(image, data, folder, key, text)


def _dicom_copy(data: bytes, name: str, folder: Path, key: Key, options: Options, text: Text) -> Pseudonymised:
    from pydicom.config import disable_value_validation

    from OsteoScreenLib.radiograph.dicom import displayed, parse_dicom, stored_grey
    from OsteoScreenLib.radiograph.quiet import quiet

    digest = hashlib.sha256(data).hexdigest()
    dataset = parse_dicom(data, name)
    with quiet(), disable_value_validation():
        stored = stored_grey(dataset, name)
        original = displayed(dataset, stored, name=name)
        areas = _allowed(find_text(original.pixels), name, text)
        patient = patient_of(dataset, digest)
        rules = Rules(key, options, key.pseudonym(patient), key.weeks(patient))
        copy = _framed(dataset, copied_header(dataset, rules), rules, digest)
        identifiers = identifiers_of(dataset, options)
        _check(left_in(copy, identifiers), name)
        if text == "mask" and areas:
            stored = replace(stored, grey=masked_codes(stored.grey, areas))
        _put_pixels(copy, dataset, stored)
        _state(copy, dataset, rules, areas, text)
        path = folder / f"{rules.patient}_{_number(key, digest)}.dcm"

        def write(temporary: Path) -> None:
            _save_checked(copy, temporary, original, areas if text == "mask" else (), name)
            _check(left_in_bytes(temporary.read_bytes()[: -len(copy.PixelData)], identifiers, dataset), name)

        write_atomically(path, write)
    return Pseudonymised(path, rules.patient, areas, text)


def _framed(dataset: Dataset, body: Dataset, rules: Rules, digest: str) -> FileDataset:
    """The copied header as a file, with the UIDs that it must have."""
    from pydicom.dataset import FileDataset, FileMetaDataset
    from pydicom.uid import UID, ComputedRadiographyImageStorage

    stated = header.text(dataset, "SOPClassUID") or header.text(
        getattr(dataset, "file_meta", dataset), "MediaStorageSOPClassUID"
    )
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = UID(stated or ComputedRadiographyImageStorage)
    meta.MediaStorageSOPInstanceUID = UID(uid_or(rules, dataset, "SOPInstanceUID", digest))
    meta.TransferSyntaxUID = UID(_EXPLICIT_LITTLE_ENDIAN)
    copy = FileDataset("", {}, file_meta=meta, preamble=bytes(128), is_implicit_VR=False, is_little_endian=True)
    copy.update(body)
    copy.SOPClassUID, copy.SOPInstanceUID = meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID
    copy.StudyInstanceUID = uid_or(rules, dataset, "StudyInstanceUID", digest)
    copy.SeriesInstanceUID = uid_or(rules, dataset, "SeriesInstanceUID", digest)
    return copy


def _put_pixels(copy: Dataset, dataset: Dataset, stored: StoredGrey) -> None:
    from OsteoScreenLib.radiograph.quality import LOSSY
    from OsteoScreenLib.review.deidentify import put_pixels

    put_pixels(copy, stored, header.word(dataset, "PhotometricInterpretation"))
    if str(stored.syntax) in LOSSY:
        copy.LossyImageCompression = "01"


def _state(copy: Dataset, dataset: Dataset, rules: Rules, areas: tuple[TextArea, ...], text: Text) -> None:
    """What was done to the copy (Patient Study and SOP Common modules; PS3.15 E.1)."""
    from pydicom.dataset import Dataset

    masked = bool(areas) and text == "mask"
    if masked:
        copy.ImageType = ["DERIVED", *(header.texts(copy, "ImageType")[1:] or ["PRIMARY"])]
    methods = []
    for value, meaning in rules.options.codes(pixels_cleaned=masked):
        item = Dataset()
        item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, "DCM", meaning
        methods.append(item)
    copy.PatientIdentityRemoved = "YES"
    copy.DeidentificationMethod, copy.DeidentificationMethodCodeSequence = _METHOD, methods
    copy.LongitudinalTemporalInformationModified = "MODIFIED" if rules.options.dates == "shift" else "REMOVED"
    if areas:
        copy.BurnedInAnnotation = "NO" if masked else "YES"
    elif header.word(dataset, "BurnedInAnnotation") == "YES" and "BurnedInAnnotation" not in copy:
        copy.BurnedInAnnotation = "YES"


def _check(left: str, name: str) -> None:
    if left:
        raise InputError(
            f"{name} cannot be pseudonymised safely: its {left} would still stand in the copy; correct the header first.",
            "identifier-left",
        )


def _save_checked(copy: FileDataset, temporary: Path, original: Radiograph, masked: tuple[TextArea, ...], name: str) -> None:
    """Write, read again and compare; `masked` pixels may differ, and with them the grey scale that was taken from the image."""
    from OsteoScreenLib.exchange.dicom.saving import fitting_character_set
    from OsteoScreenLib.radiograph.read import read_radiograph

    for character_set in fitting_character_set(copy, ()):
        copy.SpecificCharacterSet = character_set
    copy.save_as(temporary, enforce_file_format=True)
    again = read_radiograph(temporary)
    same = np.ones(original.shape, bool)
    for area in masked:
        same[area.box] = False
    equal = again.shape == original.shape and again.spacing_mm == original.spacing_mm
    if equal and (not masked or again.source.window == original.source.window):
        equal = bool(np.array_equal(again.pixels[same], original.pixels[same]))
    if not equal:
        raise InputError(
            f"{name} cannot be copied without its header so that it reads the same; export it again.", "copy-differs"
        )


def _picture_copy(image: Path, data: bytes, folder: Path, key: Key, text: Text) -> Pseudonymised:
    from OsteoScreenLib.radiograph.read import read_radiograph
    from OsteoScreenLib.review.deidentify import save_nrrd

    name = printable(image.name)
    original = read_radiograph(image)
    areas = _allowed(find_text(original.pixels), name, text)
    if areas and text == "mask":
        original = replace(original, pixels=masked_pixels(original.pixels, areas))
    digest = hashlib.sha256(data).hexdigest()
    pseudonym = key.pseudonym(digest)
    path = folder / f"{pseudonym}_{_number(key, digest)}.nrrd"
    write_atomically(path, lambda temporary: save_nrrd(original, temporary))
    return Pseudonymised(path, pseudonym, areas, text)


def _allowed(areas: tuple[TextArea, ...], name: str, text: Text) -> tuple[TextArea, ...]:
    if areas and text == "refuse":
        raise TextFound(name, areas)
    return areas


def _number(key: Key, digest: str) -> str:
    """Eight digits that tell the files of a patient apart, also files that wrongly bear one UID."""
    return key.uid(digest)[-8:]
