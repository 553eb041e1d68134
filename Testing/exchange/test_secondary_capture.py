"""The secondary capture: the picture itself, whose image it is of, and what it says of burned-in text and of lost detail."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pydicom
import pytest
from exchange.dicom_cases import DicomCase, dicom_case

from OsteoScreenLib.exchange.dicom.saving import save_dicom
from OsteoScreenLib.exchange.dicom.secondary_capture import build_capture
from OsteoScreenLib.exchange.dicom.uids import result_uids
from OsteoScreenLib.radiograph.radiograph import Note


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> DicomCase:
    return dicom_case(tmp_path_factory.mktemp("case"))


def capture(case: DicomCase, folder: Path, *notes: str) -> pydicom.Dataset:
    uids = result_uids(case.source.sop_instance_uid, case.analysis, case.masks)
    remarks = [Note(code, "info", "a remark") for code in notes]
    made = build_capture(case.source, uids, case.analysis, case.overlay, remarks)
    return pydicom.dcmread(save_dicom(folder / "sc.dcm", made, case.source.character_set))


def with_header(case: DicomCase, **tags: object) -> DicomCase:
    dataset = pydicom.dcmread(case.path)
    for keyword, value in tags.items():
        setattr(dataset, keyword, value)
    changed = case.path.with_name("changed.dcm")
    dataset.save_as(changed)
    source = replace(case.radiograph.source, path=str(changed), sha256="")
    return replace(case, path=changed, radiograph=replace(case.radiograph, source=source))


def test_it_is_the_picture_of_its_source(case: DicomCase, tmp_path: Path) -> None:
    made, source = capture(case, tmp_path), pydicom.dcmread(case.path)
    assert np.array_equal(made.pixel_array, case.overlay.image)
    assert (made.SOPClassUID.name, made.ConversionType) == ("Secondary Capture Image Storage", "WSD")
    assert list(made.ImageType[:2]) == ["DERIVED", "SECONDARY"]
    (reference,) = made.SourceImageSequence
    assert reference.ReferencedSOPInstanceUID == source.SOPInstanceUID and reference.SpatialLocationsPreserved == "NO"
    assert reference.PurposeOfReferenceCodeSequence[0].CodeValue == "121322"
    assert (made.PatientID, made.StudyInstanceUID) == (source.PatientID, source.StudyInstanceUID)
    assert made.SeriesInstanceUID != source.SeriesInstanceUID


def test_it_says_what_it_is_for(case: DicomCase, tmp_path: Path) -> None:
    made = capture(case, tmp_path)
    assert "RESEARCH USE ONLY" in made.SeriesDescription and "RESEARCH USE ONLY" in made.ImageComments
    assert "model trained on simulated images" in made.ImageComments


@pytest.mark.parametrize(
    ("header", "notes", "stated"),
    [
        ({}, (), None),
        ({"BurnedInAnnotation": "NO"}, (), "NO"),
        ({"BurnedInAnnotation": "YES"}, (), "YES"),
        ({"BurnedInAnnotation": "NO"}, ("text-found",), "YES"),
        ({}, ("text-found",), "YES"),
        ({"BurnedInAnnotation": "YES"}, ("text-masked",), "NO"),
    ],
)
def test_burned_in_text_is_stated_as_it_is_known(
    case: DicomCase, tmp_path: Path, header: dict[str, str], notes: tuple[str, ...], stated: str | None
) -> None:
    assert capture(with_header(case, **header), tmp_path, *notes).get("BurnedInAnnotation") == stated


def test_lost_detail_stays_lost(case: DicomCase, tmp_path: Path) -> None:
    assert "LossyImageCompression" not in capture(case, tmp_path)
    tags = {"LossyImageCompression": "01", "LossyImageCompressionRatio": "12.5", "LossyImageCompressionMethod": "ISO_10918_1"}
    made = capture(with_header(case, **tags), tmp_path)
    assert (made.LossyImageCompression, made.LossyImageCompressionRatio) == ("01", 12.5)
    assert made.LossyImageCompressionMethod == "ISO_10918_1"


def test_a_masked_picture_is_another_object(case: DicomCase) -> None:
    masked = replace(case.analysis, notes=(*case.analysis.notes, Note("text-masked", "info", "covered")))
    plain, other = (result_uids("1.2.3", analysis, case.masks) for analysis in (case.analysis, masked))
    assert {kind for kind, uid in vars(plain).items() if uid != getattr(other, kind)} == {"capture"}
