"""Bone masks as DICOM SEG: bit for bit what was drawn, on the stored image, coded so that others know which bone it is."""

from __future__ import annotations

from pathlib import Path

import highdicom
import numpy as np
import pytest
from exchange.dicom_cases import PLACEMENTS, dicom_file, many_bones
from pydicom import dcmread
from pydicom.sr.codedict import codes as standard_codes
from pydicom.sr.coding import Code as DicomCode

from OsteoScreenLib.bones.masks import BoneMasks
from OsteoScreenLib.bones.vocabulary import SITES
from OsteoScreenLib.exchange.dicom import codes
from OsteoScreenLib.exchange.dicom.masks_file import read_masks
from OsteoScreenLib.exchange.dicom.saving import save_dicom
from OsteoScreenLib.exchange.dicom.segmentation import build_segmentation, segment_numbers
from OsteoScreenLib.exchange.dicom.series import object_facts
from OsteoScreenLib.exchange.dicom.source import source_image
from OsteoScreenLib.exchange.dicom.uids import series_uid
from OsteoScreenLib.radiograph.radiograph import Radiograph
from OsteoScreenLib.radiograph.read import read_radiograph


def written(folder: Path, radiograph: Radiograph, masks: BoneMasks, image: Path) -> Path:
    source = source_image(image, radiograph)
    return save_dicom(folder / "seg.dcm", build_segmentation(source, "2.25.1", masks), source.character_set)


@pytest.fixture
def image(tmp_path: Path) -> Path:
    return dicom_file(tmp_path / "image.dcm")


@pytest.mark.parametrize(("rotate", "flip"), PLACEMENTS)
def test_others_read_the_same_bits_on_the_stored_image(tmp_path: Path, image: Path, rotate: int, flip: str | None) -> None:
    radiograph = read_radiograph(image, rotate=rotate, flip=flip)
    masks = many_bones(radiograph.shape)
    path = written(tmp_path, radiograph, masks, image)
    stored = np.stack([radiograph.placement.undo(masks.mask(name)) for name in masks.names])
    assert stored.shape == (46, 203, 171)
    assert np.array_equal(dcmread(path).pixel_array.astype(bool), stored)
    segmentation = highdicom.seg.segread(path)
    uid = str(dcmread(image).SOPInstanceUID)
    for name, number in segment_numbers(masks).items():
        assert segmentation.get_segment_description(number).segment_label == name
        pixels = segmentation.get_pixels_by_source_instance([uid], segment_numbers=[number], ignore_spatial_locations=True)
        assert np.array_equal(pixels[0, ..., 0].astype(bool), stored[number - 1])
    assert read_masks(path, radiograph).sha256 == masks.sha256


def test_every_bone_of_every_site_is_coded(tmp_path: Path) -> None:
    for site in SITES.values():
        folder = tmp_path / site.name
        folder.mkdir()
        image = dicom_file(folder / "image.dcm")
        radiograph = read_radiograph(image)
        masks = {name: np.zeros(radiograph.shape, bool) for name in site.by_name}
        for row, mask in enumerate(masks.values()):
            mask[row + 3, 5:40] = True
        segmentation = dcmread(written(folder, radiograph, BoneMasks.pack(masks, radiograph.shape, site, "a method"), image))
        assert [str(segment.SegmentLabel) for segment in segmentation.SegmentSequence] == list(site.by_name)
        for segment, bone in zip(segmentation.SegmentSequence, site.bones, strict=True):
            kind = segment.SegmentedPropertyTypeCodeSequence[0]
            assert (kind.CodeValue, kind.CodingSchemeDesignator) == (bone.code.value, "SCT")
            sides = [item.CodeMeaning for item in kind.get("SegmentedPropertyTypeModifierCodeSequence", [])]
            assert sides == ([bone.side.capitalize()] if bone.side != "midline" else [])
            assert segment.SegmentedPropertyCategoryCodeSequence[0].CodeMeaning == "Anatomical Structure"
            assert site.region is not None and segment.AnatomicRegionSequence[0].CodeValue == site.region.value
            lightness, a, b = segment.RecommendedDisplayCIELabValue
            colour = highdicom.color.CIELabColor(lightness / 65535 * 100, a / 257 - 128, b / 257 - 128).to_rgb()
            assert np.abs(np.subtract(colour, bone.colour)).max() <= 1
            algorithm = segment.SegmentationAlgorithmIdentificationSequence[0]
            assert (algorithm.AlgorithmName, algorithm.AlgorithmFamilyCodeSequence[0].CodeValue) == ("a method", "123110")
            assert segment.TrackingID == bone.name and segment.TrackingUID.startswith("2.25.")


def test_codes_are_those_of_the_standard_s_tables() -> None:
    for ours, theirs in (
        (codes.ANATOMICAL_STRUCTURE, standard_codes.cid7150.AnatomicalStructure),
        (codes.SPATIAL_CONCEPT, standard_codes.cid7150.SpatialAndRelationalConcept),
        (codes.SALIENCY, standard_codes.DCM.Saliency),
        (codes.ARTIFICIAL_INTELLIGENCE, standard_codes.cid7162.ArtificialIntelligence),
        (SITES["chest-frontal"].region, standard_codes.SCT.Chest),
        (SITES["knee"].region, standard_codes.SCT.Knee),
    ):
        assert (
            ours is not None and DicomCode(ours.value, ours.scheme, ours.meaning) == theirs and ours.meaning == theirs.meaning
        )
    assert len(codes.PRIVATE_SCHEME) <= 16 and codes.PRIVATE_SCHEME.startswith("99")


def test_who_drew_a_bone_and_how_sure_it_is(tmp_path: Path, image: Path) -> None:
    radiograph = read_radiograph(image)
    masks = many_bones(radiograph.shape).with_facts(
        confidence={"T5": 0.876}, trust={"T5": "check", "sternum": "hidden"}, edited=frozenset({"left clavicle"})
    )
    segments = {one.SegmentLabel: one for one in dcmread(written(tmp_path, radiograph, masks, image)).SegmentSequence}
    assert segments["T5"].SegmentAlgorithmType == "AUTOMATIC"
    assert segments["left clavicle"].SegmentAlgorithmType == "SEMIAUTOMATIC"
    assert "estimated Dice 0.88" in segments["T5"].SegmentDescription and "to be checked" in segments["T5"].SegmentDescription
    assert "number counted by position" in segments["right rib 4"].SegmentDescription
    assert "changed by a person" in segments["left clavicle"].SegmentDescription
    assert all("RESEARCH USE ONLY" in one.SegmentDescription for one in segments.values())


def test_the_name_of_a_masks_file_goes_nowhere(tmp_path: Path, image: Path) -> None:
    radiograph = read_radiograph(image)
    path = written(tmp_path, radiograph, many_bones(radiograph.shape, method="file nightingale.seg.nrrd"), image)
    assert b"nightingale.seg" not in path.read_bytes()
    assert {one.SegmentAlgorithmType for one in dcmread(path).SegmentSequence} == {"SEMIAUTOMATIC"}


def test_it_stands_in_the_patient_s_study_and_refers_to_its_image(tmp_path: Path, image: Path) -> None:
    radiograph = read_radiograph(image)
    made, given = dcmread(written(tmp_path, radiograph, many_bones(radiograph.shape), image)), dcmread(image)
    for keyword in (
        "StudyInstanceUID",
        "PatientID",
        "PatientName",
        "PatientBirthDate",
        "PatientSex",
        "StudyDate",
        "AccessionNumber",
    ):
        assert made[keyword].value == given[keyword].value, keyword
    assert made.SeriesInstanceUID == series_uid("segmentation", given.SeriesInstanceUID) != given.SeriesInstanceUID
    assert (
        made.InstanceNumber == 3
        and "RESEARCH USE ONLY" in made.SeriesDescription
        and "RESEARCH USE ONLY" in made.ContentDescription
    )
    assert made.ReferencedSeriesSequence[0].SeriesInstanceUID == given.SeriesInstanceUID
    assert made.ReferencedSeriesSequence[0].ReferencedInstanceSequence[0].ReferencedSOPInstanceUID == given.SOPInstanceUID
    for frame in made.PerFrameFunctionalGroupsSequence:
        assert frame.DerivationImageSequence[0].SourceImageSequence[0].ReferencedSOPInstanceUID == given.SOPInstanceUID
    assert (made.Rows, made.Columns, made.SegmentationType, made.SegmentsOverlap) == (203, 171, "BINARY", "YES")
    assert "FrameOfReferenceUID" not in made and "PatientOrientation" in made


def test_bones_that_do_not_overlap_are_said_not_to(tmp_path: Path, image: Path) -> None:
    radiograph = read_radiograph(image)
    mask = np.zeros(radiograph.shape, bool)
    mask[10:20, 10:20] = True
    masks = BoneMasks.pack({"T5": mask, "T6": np.roll(mask, 40, 0)}, radiograph.shape)
    made = dcmread(written(tmp_path, radiograph, masks, image))
    assert (made.SegmentsOverlap, made.NumberOfFrames, len(made.SegmentSequence)) == ("NO", 2, 2)


def test_the_source_is_left_as_it_was(image: Path) -> None:
    radiograph = read_radiograph(image)
    source = source_image(image, radiograph)
    before = source.header.to_json()
    build_segmentation(source, "2.25.1", many_bones(radiograph.shape))
    assert source.header.to_json() == before


def test_masks_of_another_size_and_no_masks_are_mistakes_of_the_caller(image: Path) -> None:
    radiograph = read_radiograph(image)
    source = source_image(image, radiograph)
    with pytest.raises(ValueError, match="differ in size"):
        build_segmentation(source, "2.25.1", many_bones((100, 100)))
    with pytest.raises(ValueError, match="no bone"):
        build_segmentation(source, "2.25.1", BoneMasks.pack({}, radiograph.shape))


def test_series_of_kinds_and_sources_differ() -> None:
    uids = {
        series_uid(kind, source)
        for kind in ("segmentation", "saliency", "report", "capture", "presentation")
        for source in "12"
    }
    assert len(uids) == 10


def test_all_objects_name_their_equipment_alike(image: Path) -> None:
    source = source_image(image, read_radiograph(image))
    facts = object_facts("report", source, "2.25.7")
    assert facts["manufacturer"] == "OsteoScreen contributors" and facts["manufacturer_model_name"] == "OsteoScreen"
