"""The objects of radiographs of every kind conform: in colour, without a patient, in other scripts, encodings, windows and body sites."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from builders import make_classifier_bundle, make_knee_masks
from exchange.conformance import errors_beyond, needs_checkers, report_text, xml_of
from exchange.dicom_cases import DicomCase, dicom_case, dicom_file
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRBigEndian, ImplicitVRLittleEndian
from radiograph.synthetic import SC, data_set, grey_picture, save

from OsteoScreenLib.bones.masks import BoneMasks
from OsteoScreenLib.classifier.classifier import Classifier
from OsteoScreenLib.classifier.model_bundle import ModelBundle
from OsteoScreenLib.exchange.dicom.objects import write_dicom
from OsteoScreenLib.exchange.overlay import banner, draw_overlay
from OsteoScreenLib.explain.analyse import analyse
from OsteoScreenLib.explain.analysis import AnalysisRequest
from OsteoScreenLib.radiograph.read import read_radiograph

SHAPE = (203, 171)
GREY, EIGHT = grey_picture(*SHAPE), grey_picture(*SHAPE, top=255, dtype="u1")
ALL = {"seg", "sr", "sc", "pr", "saliency", "saliency_nrrd"}


def voi_table() -> Dataset:
    table = Dataset()
    table.LUTDescriptor, table.LUTData = [256, 0, 16], (np.arange(256) * 257).astype("<u2").tobytes()
    table["LUTDescriptor"].VR, table["LUTData"].VR = "US", "OW"
    return table


def written(array: np.ndarray, **options: Any) -> Callable[[Path], Path]:
    return lambda path: save(data_set(array, **options), path)


def tagged(**tags: Any) -> Callable[[Path], Path]:
    return lambda path: dicom_file(path, *SHAPE, **tags)


KINDS: dict[str, Callable[[Path], Path]] = {
    "colour": written(np.stack([EIGHT] * 3, axis=-1), sop_class=SC, modality="OT", ConversionType="WSD"),
    "without a patient": written(GREY, PatientName=None, PatientID=None),
    "three scripts": tagged(
        SpecificCharacterSet=["", "ISO 2022 IR 87"], PatientName="Yamada^Tarou=\u5c71\u7530^\u592a\u90ce=\u3084\u307e\u3060^\u305f\u308d\u3046"
    ),
    "Greek": tagged(SpecificCharacterSet="ISO_IR 126", PatientName="\u0394\u03b9\u03bf\u03bd\u03c5\u03c3\u03b9\u03bf\u03c2"),
    "implicit": written(GREY, syntax=ImplicitVRLittleEndian),
    "big endian": written(GREY, syntax=ExplicitVRBigEndian),
    "sigmoid and inverted": tagged(
        PhotometricInterpretation="MONOCHROME1", WindowCenter=2000, WindowWidth=3000, VOILUTFunction="SIGMOID",
        PresentationLUTShape="INVERSE",
    ),
    "table": written(EIGHT, VOILUTSequence=[voi_table()]),
    "lossy": tagged(LossyImageCompression="01", LossyImageCompressionRatio="10", LossyImageCompressionMethod="ISO_10918_1"),
    "text in the pixels": tagged(BurnedInAnnotation="YES"),
    "wrong values": tagged(
        PatientAge="62", StudyDate="1.2.2020", PatientSex="female", AccessionNumber="x" * 40, StudyDescription="y" * 200,
        PixelSpacing=["0", "0"], InstanceNumber="99999999999",
    ),
    "an animal": tagged(PatientSpeciesDescription="Canine", ResponsiblePerson="Owner^A", ResponsiblePersonRole="OWNER"),
}  # fmt: skip


def check(case: DicomCase, folder: Path, expected: set[str]) -> None:
    files = write_dicom(folder, case.path, case.analysis, case.radiograph, case.masks, case.overlay)
    assert set(files) == expected
    for path in files.values():
        if path.suffix == ".dcm":
            assert errors_beyond(path, case.path) == [], path.name
            xml_of(path)
    report_text(files["sr"])


@needs_checkers
@pytest.mark.parametrize("kind", KINDS)
def test_kind(kind: str, tmp_path: Path) -> None:
    path = KINDS[kind](tmp_path / "image.dcm")
    check(dicom_case(tmp_path, path), tmp_path, ALL)


@needs_checkers
def test_without_a_bone(tmp_path: Path) -> None:
    path, none = tagged()(tmp_path / "image.dcm"), BoneMasks.pack({}, SHAPE)
    check(dicom_case(tmp_path, path, masks=none, request=AnalysisRequest()), tmp_path, ALL - {"seg", "pr"})


@needs_checkers
def test_a_knee(tmp_path: Path) -> None:
    path = tagged(BodyPartExamined="KNEE", Laterality="R")(tmp_path / "image.dcm")
    radiograph, masks = read_radiograph(path), make_knee_masks(SHAPE)
    bundle = ModelBundle.from_bundle(make_classifier_bundle(tmp_path / "knee", site="knee"))
    request = AnalysisRequest(cover=("Femora", "right patella"))
    analysis = analyse(radiograph, masks, Classifier.load(bundle, device="cpu", precision="fp32"), request)
    overlay = draw_overlay(radiograph, masks, analysis.saliency, notice=banner(True), headline="Normal")
    check(DicomCase(path, radiograph, masks, analysis, overlay), tmp_path, ALL)
