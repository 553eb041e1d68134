"""What a file says of its patient is told whole before it is sent, and nothing is told that is not there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from exchange.dicom_cases import dicom_file
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from radiograph.synthetic import SC

from OsteoScreenLib.worker.carried import description_of, patient_in

PICTURE = "the picture of the radiograph"


def test_every_attribute_that_is_filled_is_named(tmp_path: Path) -> None:
    carried = patient_in(dicom_file(tmp_path / "a.dcm", SeriesDescription="Thorax p.a."))
    assert carried == (
        "the patient's name", "patient id", "birth date", "sex", "study date", "accession number", "study id", "referring physician",
        "the study's and the image's UIDs", PICTURE,
    )  # fmt: skip
    assert description_of(tmp_path / "a.dcm") == "Thorax p.a."


def test_what_is_empty_is_not_named(tmp_path: Path) -> None:
    names = (
        "PatientName",
        "PatientID",
        "PatientBirthDate",
        "PatientSex",
        "StudyDate",
        "AccessionNumber",
        "StudyID",
        "ReferringPhysicianName",
    )
    carried = patient_in(dicom_file(tmp_path / "a.dcm", **dict.fromkeys(names, "")))
    assert carried == ("the study's and the image's UIDs", PICTURE)
    assert description_of(tmp_path / "a.dcm") == ""


@pytest.mark.parametrize("depth", [0, 1, 2])
def test_names_of_others_are_found_at_any_depth(tmp_path: Path, depth: int) -> None:
    item: Dataset = Dataset()
    item.OperatorsName = "Curie^Marie"
    for _ in range(depth - 1):
        outer = Dataset()
        outer.RequestAttributesSequence = Sequence([item])
        item = outer
    tags: dict[str, Any] = {"OperatorsName": "Curie^Marie"} if depth == 0 else {"RequestAttributesSequence": Sequence([item])}
    assert "other persons' names" in patient_in(dicom_file(tmp_path / "a.dcm", **tags))
    assert "other persons' names" not in patient_in(dicom_file(tmp_path / "b.dcm"))


@pytest.mark.parametrize(("burned", "told"), [("YES", True), ("NO", False), (None, False)])
def test_text_that_the_file_admits_is_told(tmp_path: Path, burned: str | None, told: bool) -> None:
    carried = patient_in(dicom_file(tmp_path / "a.dcm", BurnedInAnnotation=burned))
    assert carried[-1].startswith(PICTURE) and ("may name the patient" in carried[-1]) is told


@pytest.mark.parametrize(
    ("sop_class", "picture"),
    [
        (str(SC), True),
        ("1.2.840.10008.5.1.4.1.1.7.4", True),  # multi-frame true colour secondary capture
        ("1.2.840.10008.5.1.4.1.1.1", True),  # CR
        ("1.2.840.10008.5.1.4.1.1.66.4", False),  # segmentation
        ("1.2.840.10008.5.1.4.1.1.11.1", False),  # presentation state
        ("1.2.840.10008.5.1.4.1.1.88.33", False),  # structured report
    ],
)
def test_only_pictures_are_called_so(tmp_path: Path, sop_class: str, picture: bool) -> None:
    assert (PICTURE in patient_in(dicom_file(tmp_path / "a.dcm", SOPClassUID=sop_class))) is picture
