"""The structured report: what is written is read back, stands as TID 1500 asks, and says what it must."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pydicom
import pytest
from exchange.conformance import errors, needs_checkers, report_text, xml_of
from exchange.dicom_cases import PLACEMENTS, DicomCase, dicom_case, dicom_file, many_bones
from exchange.report_cases import about, small_source, written
from exchange.result_cases import OPINION, differences, prior_result
from pydicom.dataset import Dataset

from OsteoScreenLib.bones.vocabulary import CHEST_FRONTAL
from OsteoScreenLib.exchange.dicom.codes import PRIVATE_SCHEME
from OsteoScreenLib.exchange.dicom.read_report import read_report
from OsteoScreenLib.exchange.dicom.report_items import SIGNIFICANT_DIGITS
from OsteoScreenLib.exchange.dicom.saving import save_dicom
from OsteoScreenLib.exchange.dicom.segmentation import build_segmentation, segment_numbers
from OsteoScreenLib.exchange.dicom.source import SourceImage, source_image
from OsteoScreenLib.exchange.dicom.structured_report import structured_report
from OsteoScreenLib.exchange.dicom.uids import result_uid, result_uids
from OsteoScreenLib.exchange.prior_result import result_of
from OsteoScreenLib.explain.analysis import AnalysisRequest
from OsteoScreenLib.radiograph.read import read_radiograph


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> SourceImage:
    return small_source(tmp_path_factory.mktemp("source"))


@pytest.fixture(scope="module")
def segmentation(source: SourceImage) -> Dataset:
    return build_segmentation(source, result_uid("segmentation", source.sop_instance_uid), many_bones(source.shape))


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> DicomCase:
    return dicom_case(
        tmp_path_factory.mktemp("case"), request=AnalysisRequest(cover=("Spine", "left rib 3", "L2"), verdict=True)
    )


def numbers_of(item: Dataset) -> list[Dataset]:
    found = list(item.get("MeasuredValueSequence", []))
    for child in item.get("ContentSequence", []):
        found += numbers_of(child)
    return found


@pytest.mark.parametrize("seed", range(4))
def test_every_number_comes_back(tmp_path: Path, source: SourceImage, segmentation: Dataset, seed: int) -> None:
    wanted = prior_result(seed, image=about(source, sha256="ef" * 32, view="PA", site="CHEST"))
    path = written(tmp_path, wanted, source, segmentation)
    assert differences(wanted, read_report(path)) == []


def test_what_is_not_known_is_not_there(tmp_path: Path, source: SourceImage) -> None:
    """A model without T-score and input check, no bones covered, no verdict, no reader, nothing measured of the model."""
    full = prior_result()
    plain = replace(
        full,
        image=about(source),
        model=replace(full.model, performance=(), simulated_training=False),
        prediction=replace(full.prediction, domain=None, expected_t_score=None),
        covering=None,
        verdict=None,
        notes=(),
        statements=full.statements[:1],
        opinion=None,
        table=None,
    )
    path = written(tmp_path, plain, source)
    assert differences(plain, read_report(path)) == []
    text = path.read_bytes()
    for absent in (b"simulated images;", b"Reader's", b"T-score", b"Input check", b"Covered pixels"):
        assert absent not in text


def test_without_the_doubles_six_digits_are_left(tmp_path: Path, source: SourceImage) -> None:
    """An archive that drops Floating Point Value keeps the numbers to the stated precision."""
    wanted = prior_result(3, image=about(source))
    path = written(tmp_path, wanted, source)
    report = pydicom.dcmread(path)
    for measured in numbers_of(report):
        if "FloatingPointValue" in measured:
            del measured.FloatingPointValue
    report.save_as(path)
    found = read_report(path)
    assert differences(wanted, found, within=0.5 * 10 ** (1 - SIGNIFICANT_DIGITS)) == []
    assert differences(wanted, found) != []


def test_viewers_see_short_numbers(tmp_path: Path, source: SourceImage) -> None:
    report = pydicom.dcmread(written(tmp_path, prior_result(image=about(source)), source))
    shown = [str(measured["NumericValue"].value) for measured in numbers_of(report)]
    assert len(shown) > 60
    for text, measured in zip(shown, numbers_of(report), strict=True):
        digits = text.lower().split("e")[0].replace(".", "").strip("-+").lstrip("0")
        assert len(text) <= 16
        assert "FloatingPointValue" not in measured or len(digits) <= SIGNIFICANT_DIGITS, text


def test_the_real_analysis(tmp_path: Path, case: DicomCase) -> None:
    uids = result_uids(case.source.sop_instance_uid, case.analysis, case.masks)
    seg = build_segmentation(case.source, uids.segmentation, case.masks)
    report = structured_report(case.source, case.analysis, case.masks, seg, OPINION)
    path = save_dicom(tmp_path / "sr.dcm", report, case.source.character_set)
    assert differences(result_of(case.analysis, OPINION), read_report(path)) == []
    assert structured_report(case.source, case.analysis, case.masks, seg).SOPInstanceUID == uids.report
    assert report.SOPInstanceUID != uids.report  # a reader's opinion makes another document
    assert structured_report(case.source, case.analysis, case.masks, seg, OPINION).SOPInstanceUID == report.SOPInstanceUID
    swept = structured_report(case.source, case.analysis, case.masks, seg, table=prior_result().table)
    assert swept.SOPInstanceUID not in (report.SOPInstanceUID, uids.report)
    assert (report.CompletionFlag, report.VerificationFlag, report.PreliminaryFlag) == ("COMPLETE", "UNVERIFIED", "PRELIMINARY")
    assert report.StudyInstanceUID == case.source.study_instance_uid
    assert report.SeriesInstanceUID != case.source.series_instance_uid


def test_it_says_what_it_is_not_for(tmp_path: Path, source: SourceImage) -> None:
    path = written(tmp_path, prior_result(image=about(source)), source)
    report, text = pydicom.dcmread(path), path.read_bytes().decode("utf-8", "replace")
    assert "RESEARCH USE ONLY" in report.SeriesDescription
    assert "simulated images" in report.CompletionFlagDescription
    assert text.count("Research use only: not for diagnosis") == 1
    assert "At the edge of the model's training images; Research use only; model trained on simulated images" in text


def test_highdicom_finds_groups_and_outlines(tmp_path: Path, source: SourceImage, segmentation: Dataset) -> None:
    """Another program's view: TID 1500 with its observer, image library, groups, and frames that lead to the bones' segments."""
    from highdicom.sr import ComprehensiveSR, DeviceObserverIdentifyingAttributes, MeasurementReport, srread
    from highdicom.sr.coding import CodedConcept

    path = written(tmp_path, prior_result(image=about(source)), source, segmentation)
    report = srread(path)
    assert isinstance(report, ComprehensiveSR)
    content = report.content
    assert isinstance(content, MeasurementReport)
    (device,) = content.get_observer_contexts()
    assert device.observer_type.meaning == "Device"
    assert isinstance(device.observer_identifying_attributes, DeviceObserverIdentifyingAttributes)
    assert device.observer_identifying_attributes.model_name == "tiny"
    assert {evidence[2] for evidence in report.get_evidence()} == {source.sop_instance_uid, segmentation.SOPInstanceUID}
    numbers = segment_numbers(many_bones(source.shape))
    outlined = content.get_planar_roi_measurement_groups()
    assert len(outlined) == 5
    for group, bone in zip(outlined, ("T7", "T8", "left rib 3", "T8", "left rib 3"), strict=True):
        (reference,) = [item for item in group[0].ContentSequence if item.name.value == "121214"]
        assert reference.referenced_sop_instance_uid == segmentation.SOPInstanceUID
        frame = segmentation.PerFrameFunctionalGroupsSequence[reference.ReferencedSOPSequence[0].ReferencedFrameNumber - 1]
        assert frame.SegmentIdentificationSequence[0].ReferencedSegmentNumber == numbers[bone]
        number = numbers[bone]
        assert group.tracking_uid == segmentation.SegmentSequence[number - 1].TrackingUID
        assert group.tracking_identifier == segmentation.SegmentSequence[number - 1].TrackingID == bone
        (site,) = group.finding_sites
        assert site.value.value == CHEST_FRONTAL.by_name[bone].code.value
        assert (site.laterality is None) == (CHEST_FRONTAL.by_name[bone].side_code is None)
    groups = content.get_image_measurement_groups()
    # Answer, two points, input check, covering, set, group; settings, set and group of the table; verdict, reader.
    assert len(groups) == 12
    (reference,) = [item for item in groups[9][0].ContentSequence if item.name.value == "121191"]
    spine = [numbers[name] for name in CHEST_FRONTAL.groups["Spine"]]
    assert list(reference.ReferencedSOPSequence[0].ReferencedSegmentNumber) == spine
    added = groups[8].get_measurements(CodedConcept("DELTA-POINTS", PRIVATE_SCHEME, ""))
    methods = [one.method.value if one.method is not None else "" for one in added]
    assert list(zip([one.value for one in added], methods, strict=True)) == [(30.25, "REMOVE"), (-2.5e-7, "ADD-BACK")]
    answer = groups[0].get_measurements(CodedConcept("P-OSTEOPOROSIS", PRIVATE_SCHEME, "Probability of osteoporosis"))
    assert answer[0].value == pytest.approx(100 * prior_result().prediction.probabilities["osteoporosis"], rel=1e-15)
    assert answer[0].unit.value == "%"


def test_the_reader_is_known_by_code_alone(tmp_path: Path, source: SourceImage) -> None:
    """The reader observes the group of the opinion, the device everything else."""
    report = pydicom.dcmread(written(tmp_path, prior_result(image=about(source)), source))
    names = [item for item in report.ContentSequence if item.ValueType == "PNAME"]
    assert names == []
    (group,) = [
        group
        for container in report.ContentSequence
        for group in container.get("ContentSequence", [])
        if any(item.ValueType == "PNAME" for item in group.get("ContentSequence", []))
    ]
    assert [str(item.PersonName) for item in group.ContentSequence if item.ValueType == "PNAME"] == ["R1^"]


@pytest.mark.parametrize(
    ("name", "character_set"), [("Müller^Jörg", "ISO_IR 100"), ("山田^太郎", "ISO_IR 192"), ("Doe^Jane", None)]
)
def test_names_keep_their_letters(tmp_path: Path, name: str, character_set: str | None) -> None:
    path = dicom_file(tmp_path / "image.dcm", PatientName=name, SpecificCharacterSet=character_set)
    source = source_image(path, read_radiograph(path))
    result = prior_result(image=about(source))
    read = pydicom.dcmread(written(tmp_path, result, source))
    assert str(read.PatientName) == name
    assert differences(result, read_report(tmp_path / "sr.dcm")) == []


@pytest.mark.parametrize(("rotate", "flip"), PLACEMENTS[::3])
def test_however_the_image_lies(tmp_path: Path, rotate: int, flip: str | None) -> None:
    path = dicom_file(tmp_path / "image.dcm")
    radiograph = read_radiograph(path, rotate=rotate, flip=flip)
    source = source_image(path, radiograph)
    read = pydicom.dcmread(written(tmp_path, prior_result(image=about(source)), source))
    library = read.ContentSequence[
        [item.ConceptNameCodeSequence[0].CodeMeaning for item in read.ContentSequence].index("Image Library")
    ]
    facts = library.ContentSequence[0].ContentSequence[0].ContentSequence
    told = {item.ConceptNameCodeSequence[0].CodeMeaning: item for item in facts}
    sizes = [told[f"Pixel Data {side}"].MeasuredValueSequence[0].NumericValue for side in ("Rows", "Columns")]
    assert sizes == [203, 171]
    spacing = [told[f"{side} Pixel Spacing"].MeasuredValueSequence[0].FloatingPointValue for side in ("Vertical", "Horizontal")]
    assert np.allclose(spacing, [0.2, 0.3])


@needs_checkers
def test_other_programs_find_no_fault(tmp_path: Path, source: SourceImage, segmentation: Dataset) -> None:
    path = written(tmp_path, prior_result(image=about(source)), source, segmentation)
    assert errors(path) == []
    assert "Probability of osteoporosis" in report_text(path)
    xml_of(path)


def test_saved_twice_it_differs_in_its_times_alone(tmp_path: Path, source: SourceImage) -> None:
    made = []
    for _ in range(2):
        report = pydicom.dcmread(written(tmp_path, prior_result(image=about(source)), source))
        for keyword in list(report.dir()):
            if keyword.endswith(("Date", "Time")) or keyword == "ContributingEquipmentSequence":
                delattr(report, keyword)
        made.append(report.to_json())
    assert made[0] == made[1]
