"""Segmentations that others wrote: every kind of them as masks on the upright radiograph, or one sentence why not."""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path
from typing import Any

import highdicom
import numpy as np
import pytest
from exchange.dicom_cases import dicom_file, many_bones
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRLittleEndian, JPEG2000Lossless, RLELossless

from OsteoScreenLib.bones.masks import BoneMasks
from OsteoScreenLib.bones.segnrrd import write_seg_nrrd
from OsteoScreenLib.bones.vocabulary import CHEST_FRONTAL, KNEE
from OsteoScreenLib.errors import InputError
from OsteoScreenLib.exchange.dicom.masks_file import read_masks
from OsteoScreenLib.exchange.dicom.read_segmentation import bone_of_segment
from OsteoScreenLib.exchange.dicom.source import source_image
from OsteoScreenLib.radiograph.read import radiograph_from_array, read_radiograph
from OsteoScreenLib.study.mutants.bases import Base
from OsteoScreenLib.study.mutants.mutant import mutant

BONE = ("91723000", "SCT", "Anatomical Structure")
CLAVICLE, RIGHT, LEFT = ("51299004", "SCT", "Clavicle"), ("24028007", "SCT", "Right"), ("7771000", "SCT", "Left")
T5 = ("56401006", "SCT", "T5 vertebra")


def concept(code: tuple[str, str, str]) -> highdicom.sr.CodedConcept:
    return highdicom.sr.CodedConcept(*code)


def described(number: int, label: str, kind: tuple[str, str, str], side: tuple[str, str, str] | None = None) -> Any:
    made = highdicom.seg.SegmentDescription(number, label, concept(BONE), concept(kind), "MANUAL")
    if side:
        made.SegmentedPropertyTypeCodeSequence[0].SegmentedPropertyTypeModifierCodeSequence = [concept(side)]
    return made


def segmentation(
    source: Dataset,
    array: np.ndarray,
    segments: list[Any],
    kind: str = "BINARY",
    syntax: Any = ExplicitVRLittleEndian,
    **more: Any,
) -> Dataset:
    return highdicom.seg.Segmentation(
        source_images=[source], pixel_array=array, segmentation_type=kind, segment_descriptions=segments,
        series_instance_uid="1.2.3", series_number=1, sop_instance_uid="1.2.3.4", instance_number=1, manufacturer="Somebody",
        manufacturer_model_name="Else", software_versions="1", device_serial_number="1", transfer_syntax_uid=syntax, **more,
    )  # fmt: skip


class Bench:
    """An image that lies on its side, its header, and two overlapping masks as it is stored."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.path = folder, dicom_file(folder / "image.dcm")
        self.radiograph = read_radiograph(self.path, rotate=90, flip="horizontal")
        self.header = source_image(self.path, self.radiograph).header
        self.one, self.two = np.zeros((2, *self.radiograph.source.stored_shape), bool)
        self.one[20:90, 30:50] = True
        self.two[60:120, 40:90] = True

    def read(self, made: Dataset, name: str = "other.dcm") -> BoneMasks:
        path = self.folder / name
        made.save_as(path, enforce_file_format=True)
        return read_masks(path, self.radiograph)

    def upright(self, mask: np.ndarray) -> np.ndarray:
        return self.radiograph.placement.apply(mask)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def test_binary_segments_that_overlap(bench: Bench) -> None:
    array = np.stack([bench.one, bench.two], -1)[np.newaxis].astype(np.uint8)
    masks = bench.read(segmentation(bench.header, array, [described(1, "A", CLAVICLE, LEFT), described(2, "B", T5)]))
    assert masks.names == ("T5", "left clavicle")
    assert np.array_equal(masks.mask("left clavicle"), bench.upright(bench.one))
    assert np.array_equal(masks.mask("T5"), bench.upright(bench.two))
    assert masks.method == "file other.dcm"


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, RLELossless, JPEG2000Lossless])
def test_fractional_segments_count_from_one_half_on(bench: Bench, syntax: Any) -> None:
    array = np.where(bench.one, 0.5, 0.49)[np.newaxis, ..., np.newaxis]
    made = segmentation(bench.header, array, [described(1, "A", T5)], "FRACTIONAL", syntax, max_fractional_value=200)
    assert np.array_equal(bench.read(made).mask("T5"), bench.upright(bench.one))


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, RLELossless])
def test_label_maps(bench: Bench, syntax: Any) -> None:
    labels = np.where(bench.one, 7, np.where(bench.two, 3, 0)).astype(np.uint8)
    made = segmentation(bench.header, labels, [described(3, "B", CLAVICLE, RIGHT), described(7, "A", T5)], "LABELMAP", syntax)
    masks = bench.read(made)
    assert np.array_equal(masks.mask("T5"), bench.upright(bench.one))
    assert np.array_equal(masks.mask("right clavicle"), bench.upright(bench.two & ~bench.one))


def test_only_the_frames_of_this_image_are_taken(bench: Bench) -> None:
    made = segmentation(
        bench.header,
        np.stack([bench.one, bench.two], -1)[np.newaxis].astype(np.uint8),
        [described(1, "A", T5), described(2, "B", T5)],
    )
    second = made.PerFrameFunctionalGroupsSequence[1]
    second.DerivationImageSequence = deepcopy(second.DerivationImageSequence)  # highdicom lets the frames share it
    second.DerivationImageSequence[0].SourceImageSequence[0].ReferencedSOPInstanceUID = "1.2.3.4.5.6"
    assert np.array_equal(bench.read(made).mask("T5"), bench.upright(bench.one))
    del second.DerivationImageSequence  # it does not say; then it is of the image that the whole is about
    assert np.array_equal(bench.read(made).mask("T5"), bench.upright(bench.one | bench.two))


@pytest.mark.parametrize(
    ("label", "codes", "bone"),
    [
        ("anything", [("SegmentedPropertyTypeCodeSequence", CLAVICLE, LEFT)], "left clavicle"),
        ("anything", [("SegmentedPropertyTypeCodeSequence", ("T-12310", "SRT", "Clavicle"), ("G-A100", "SRT", "Right"))], "right clavicle"),
        ("anything", [("SegmentedPropertyTypeCodeSequence", T5, None)], "T5"),
        ("left clavicle", [("SegmentedPropertyTypeCodeSequence", CLAVICLE, None)], "left clavicle"),
        ("anything", [("AnatomicRegionSequence", CLAVICLE, RIGHT), ("SegmentedPropertyTypeCodeSequence", ("1", "99X", "Bone"), None)],
         "right clavicle"),
        ("rib_left_5", [], "left rib 5"),
        ("vertebrae_T5", [], "T5"),
        ("clavicula_right", [], "right clavicle"),
        ("Right-Scapula", [], "right scapula"),
        ("Rib 05 L", [], "left rib 5"),
        ("rib 5", [], None),
        ("clavicle", [("SegmentedPropertyTypeCodeSequence", CLAVICLE, None)], None),
        ("lung", [("SegmentedPropertyTypeCodeSequence", ("39607008", "SCT", "Lung"), LEFT)], None),
        ("", [], None),
    ],
)  # fmt: skip
def test_bones_are_known_by_their_codes_else_by_their_labels(label: str, codes: list[Any], bone: str | None) -> None:
    modifiers = {
        "SegmentedPropertyTypeCodeSequence": "SegmentedPropertyTypeModifierCodeSequence",
        "AnatomicRegionSequence": "AnatomicRegionModifierSequence",
    }
    segment = Dataset()
    segment.SegmentLabel = label
    for what, code, side in codes:
        item = concept(code)
        if side:
            setattr(item, modifiers[what], [concept(side)])
        setattr(segment, what, [item])
    found = bone_of_segment(segment, CHEST_FRONTAL)
    assert (found.name if found else None) == bone
    assert bone is None or "femur" in bone or bone_of_segment(segment, KNEE) is None


def test_seg_nrrd_is_told_by_content_not_by_name(bench: Bench) -> None:
    masks = many_bones(bench.radiograph.shape)
    path = write_seg_nrrd(bench.folder / "masks.seg.nrrd", masks, bench.radiograph)
    disguised = path.rename(bench.folder / "masks.dcm")
    assert read_masks(disguised, bench.radiograph).sha256 == masks.sha256


def good(bench: Bench) -> Dataset:
    return segmentation(bench.header, bench.one.astype(np.uint8), [described(1, "A", T5)])


def refused(bench: Bench, made: Dataset, code: str, words: str) -> None:
    with pytest.raises(InputError, match=words) as error:
        bench.read(made)
    assert error.value.code == code and str(error.value).startswith("other.dcm") and "\n" not in str(error.value)


def test_a_segmentation_of_another_image_is_refused(bench: Bench) -> None:
    other = deepcopy(bench.header)
    other.SOPInstanceUID = "1.2.3.9"
    refused(
        bench,
        segmentation(other, bench.one.astype(np.uint8), [described(1, "A", T5)]),
        "masks-elsewhere",
        "about another image",
    )


def test_one_that_refers_to_nothing_is_refused(bench: Bench) -> None:
    made = good(bench)
    del made.SourceImageSequence, made.ReferencedSeriesSequence
    del made.PerFrameFunctionalGroupsSequence[0].DerivationImageSequence
    refused(bench, made, "masks-elsewhere", "does not say about which image it is")


def test_one_of_another_size_is_refused(bench: Bench) -> None:
    made = good(bench)
    made.Rows, made.Columns = made.Columns, made.Rows
    refused(bench, made, "masks-elsewhere", "203 × 171 pixels and this radiograph 171 × 203")


def test_one_without_a_bone_is_refused(bench: Bench) -> None:
    made = segmentation(bench.header, bench.one.astype(np.uint8), [described(1, "lung", ("39607008", "SCT", "Lung"))])
    refused(bench, made, "masks-no-bones", "holds no bone of chest-frontal")


def test_an_empty_one_is_refused(bench: Bench) -> None:
    made = segmentation(
        bench.header,
        np.zeros(bench.one.shape, np.uint8),
        [described(1, "A", T5)],
        omit_empty_frames=False,
    )
    refused(bench, made, "masks-elsewhere", "holds no mask on this radiograph")


@pytest.mark.parametrize("damage", ["short", "bits", "frames", "groups", "number", "kind", "no pixels"])
def test_damaged_ones_are_refused(bench: Bench, damage: str) -> None:
    made = good(bench)
    if damage == "short":
        made.PixelData = made.PixelData[:1000]
    elif damage == "bits":
        made.BitsAllocated = 8
    elif damage == "frames":
        made.NumberOfFrames = 3
    elif damage == "groups":
        del made.PerFrameFunctionalGroupsSequence[0]
        made.NumberOfFrames = 2
    elif damage == "number":
        made.SharedFunctionalGroupsSequence[0].SegmentIdentificationSequence = []
    elif damage == "kind":
        made.SegmentationType = "PAINTING"
    else:
        del made.PixelData
    refused(bench, made, "masks-unreadable", "damaged segmentation")


def test_mutants_are_read_or_refused_in_one_sentence(bench: Bench) -> None:
    labels = np.where(bench.one, 2, bench.two.astype(np.uint8)).astype(np.uint8)
    overlapping = np.stack([bench.one, bench.two], -1)[np.newaxis].astype(np.uint8)
    segments = [described(1, "A", CLAVICLE, LEFT), described(2, "B", T5)]
    path = bench.folder / "mutant.dcm"
    bases = []
    for array, kind, syntax in ((overlapping, "BINARY", ExplicitVRLittleEndian), (labels, "LABELMAP", RLELossless)):
        segmentation(bench.header, array, deepcopy(segments), kind, syntax).save_as(path, enforce_file_format=True)
        bases.append(Base(kind, path.read_bytes()))
    ends = set()
    for number in range(80):
        path.write_bytes(mutant(bases, 0, number).data)
        try:
            ends.add(read_masks(path, bench.radiograph).names)
        except InputError as error:
            ends.add(error.code)
            assert "\n" not in str(error)
    assert {"masks-unreadable", "masks-elsewhere", ("T5", "left clavicle")} <= ends  # the mutants got as far as they should


def test_another_object_and_an_image_without_header_are_refused(bench: Bench) -> None:
    refused(bench, dcmread(bench.path), "masks-unreadable", "is no DICOM segmentation")
    path = bench.folder / "good.dcm"
    good(bench).save_as(path, enforce_file_format=True)
    plain = radiograph_from_array(np.random.default_rng(0).random((100, 100)))
    with pytest.raises(InputError, match="comes without a DICOM header"):
        read_masks(path, plain)
    with pytest.raises(InputError, match="There is no masks file"):
        read_masks(bench.folder / "absent.dcm", bench.radiograph)
