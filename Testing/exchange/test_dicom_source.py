"""What of a header goes into results: the valid part of it, under the UIDs that the archive knows, in a character set that holds it."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from exchange.dicom_cases import PLACEMENTS, dicom_file
from pydicom import dcmread
from pydicom.datadict import tag_for_keyword
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.tag import BaseTag
from radiograph.synthetic import SC, data_set, grey_picture

from OsteoScreenLib.errors import InputError
from OsteoScreenLib.exchange.dicom.repair import valid_value
from OsteoScreenLib.exchange.dicom.saving import UTF_8, fitting_character_set, save_dicom
from OsteoScreenLib.exchange.dicom.source import SourceImage, source_image
from OsteoScreenLib.radiograph.radiograph import Note
from OsteoScreenLib.radiograph.read import radiograph_from_array, read_dataset, read_radiograph


def source_of(folder: Path, **tags: Any) -> SourceImage:
    path = dicom_file(folder / "image.dcm", **tags)
    return source_image(path, read_radiograph(path))


def test_patient_and_study_are_carried_as_they_are(tmp_path: Path) -> None:
    header = source_of(tmp_path, StudyDescription="Thorax", PatientAge="085Y", PatientSize="1.62").header
    assert (str(header.PatientName), header.PatientID, header.PatientBirthDate, header.PatientSex) == (
        "Nightingale^Florence", "SECRET-17", "18200512", "F",
    )  # fmt: skip
    assert (header.StudyDate, header.StudyTime, header.AccessionNumber, header.StudyID) == (
        "20240229",
        "101112",
        "A-4711",
        "17",
    )
    assert (header.StudyDescription, header.PatientAge, float(header.PatientSize)) == ("Thorax", "085Y", 1.62)
    assert (header.Modality, header.InstanceNumber, header.Rows, header.Columns) == ("DX", 3, 203, 171)
    assert "BodyPartExamined" not in header and "PixelData" not in header and "FrameOfReferenceUID" not in header


@pytest.mark.parametrize(
    ("keyword", "value", "kept"),
    [
        ("PatientBirthDate", "12 May 1820", None),
        ("PatientBirthDate", "1820.05.12", "18200512"),
        ("PatientBirthDate", "18201399", None),
        ("StudyTime", "noon", None),
        ("PatientSex", "female", None),
        ("PatientSex", "f", "F"),
        ("PatientID", "X" * 65, None),
        ("PatientID", "two\x1blines", None),
        ("PatientName", "a^b^c^d^e^f", None),
        ("PatientName", "Nightingale^Florence=ナイチンゲール^フローレンス", "Nightingale^Florence=ナイチンゲール^フローレンス"),
        ("PatientAge", "old", None),
        ("AccessionNumber", "longer than sixteen characters", None),
    ],
)
def test_only_values_that_the_standard_allows_are_carried(tmp_path: Path, keyword: str, value: str, kept: Any) -> None:
    tags = {"SpecificCharacterSet": "ISO_IR 192"} if not value.isascii() else {}
    header = source_of(tmp_path, **tags, **{keyword: value}).header
    found = header.get(keyword)
    assert (None if found in (None, "") else str(found)) == kept
    for always in (
        "PatientName",
        "PatientID",
        "PatientBirthDate",
        "PatientSex",
        "StudyDate",
        "StudyTime",
        "AccessionNumber",
        "StudyID",
    ):
        assert always in header  # type 2: there, if empty


def test_codes_of_a_sequence_are_carried_when_they_are_whole(tmp_path: Path) -> None:
    good, bad = Dataset(), Dataset()
    good.CodeValue, good.CodingSchemeDesignator, good.CodeMeaning = "113100", "DCM", "Basic Application Confidentiality Profile"
    bad.CodeValue = "113100"
    header = source_of(tmp_path, PatientIdentityRemoved="YES", DeidentificationMethodCodeSequence=[bad, good]).header
    assert [item.CodeMeaning for item in header.DeidentificationMethodCodeSequence] == [
        "Basic Application Confidentiality Profile"
    ]
    assert header.PatientIdentityRemoved == "YES"


@pytest.mark.parametrize("keyword", ["StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"])
@pytest.mark.parametrize("value", ["", "none", "1.2.3\\..\\etc", "1" * 65])
def test_without_a_uid_there_is_nothing_to_refer_to(tmp_path: Path, keyword: str, value: str) -> None:
    path = dicom_file(tmp_path / "image.dcm", **{keyword: value})
    with pytest.raises(InputError, match=r"no valid .* UID, so no DICOM objects can refer to it; export it again") as refused:
        source_image(path, read_radiograph(path))
    assert refused.value.code == "no-uids"


def test_an_odd_uid_is_kept_because_the_archive_files_the_study_under_it(tmp_path: Path) -> None:
    assert source_of(tmp_path, StudyInstanceUID="1.02.003").study_instance_uid == "1.02.003"


def test_other_images_and_changed_files_are_refused(tmp_path: Path) -> None:
    path = dicom_file(tmp_path / "image.dcm")
    radiograph = read_radiograph(path)
    picture = radiograph_from_array(np.random.default_rng(0).random((100, 100)))
    differs = radiograph.with_notes(Note("volume-differs", "warning", "It was edited."))
    other = tmp_path / "other.dcm"
    shutil.copyfile(path, other)
    with open(other, "ab") as stream:
        stream.write(b"\0\0")
    for image, of, code in ((path, picture, "no-dicom"), (path, differs, "changed"), (other, radiograph, "changed")):
        with pytest.raises(InputError) as refused:
            source_image(image, of)
        assert refused.value.code == code and "\n" not in str(refused.value)


def test_a_data_set_in_memory_is_left_as_it_was() -> None:
    dataset = data_set(grey_picture(), sop_class=SC, modality="OT", PatientName="Grün^Ä", SpecificCharacterSet="ISO_IR 100")
    before = len(dataset.PixelData)
    source = source_image(dataset, read_dataset(dataset))
    assert len(dataset.PixelData) == before and "PixelData" not in source.original
    assert str(source.header.PatientName) == "Grün^Ä" and source.character_set == ("ISO_IR 100",)


@pytest.mark.parametrize(("rotate", "flip"), PLACEMENTS)
def test_what_is_upright_goes_back_to_where_it_is_stored(tmp_path: Path, rotate: int, flip: str | None) -> None:
    path = dicom_file(tmp_path / "image.dcm")
    radiograph = read_radiograph(path, rotate=rotate, flip=flip)
    source = source_image(path, radiograph)
    assert source.shape == (203, 171) and source.spacing_mm == pytest.approx((0.2, 0.3))
    assert np.array_equal(source.stored(radiograph.pixels), read_radiograph(path).pixels)
    column, row = 5, 11
    at = source.upright_to_stored @ (column, row, 1)
    assert read_radiograph(path).pixels[round(at[1]), round(at[0])] == radiograph.pixels[row, column]


@pytest.mark.parametrize(
    ("stated", "name", "written"),
    [
        (None, "Nightingale^Florence", None),
        ("ISO_IR 100", "Müller^Jörg", "ISO_IR 100"),
        (None, "Müller^Jörg", UTF_8),  # Latin letters without a statement, as old exports have them
        ("ISO_IR 100", "Ἀσκληπιός", UTF_8),
        (["", "ISO 2022 IR 87"], "Yamada^Tarou=山田^太郎", ["", "ISO 2022 IR 87"]),
        ("ISO_IR 999", "Müller^Jörg", UTF_8),
        ("ISO_IR 999", "Nightingale", None),
    ],
)
def test_text_keeps_the_source_s_character_set_or_becomes_utf_8(tmp_path: Path, stated: Any, name: str, written: Any) -> None:
    dataset = data_set(grey_picture(), PatientName=name)
    stated_terms = [stated] if isinstance(stated, str) else stated or []
    assert fitting_character_set(dataset, stated_terms) == tuple([written] if isinstance(written, str) else written or ())
    back = dcmread(save_dicom(tmp_path / "made.dcm", dataset, stated_terms))
    assert back.get("SpecificCharacterSet") == written and str(back.PatientName) == name


def test_a_name_is_written_anew_in_each_object_s_character_set(tmp_path: Path) -> None:
    source = source_of(tmp_path, SpecificCharacterSet="ISO_IR 144", PatientName="Люкс^А", ReferringPhysicianName="Б")
    for description, stated in (("plain", "ISO_IR 144"), ("Δ", UTF_8), ("plain", "ISO_IR 144")):
        made = data_set(grey_picture(), StudyDescription=description)
        made.PatientName, made.ReferringPhysicianName = source.header.PatientName, source.header.ReferringPhysicianName
        back = dcmread(save_dicom(tmp_path / "made.dcm", made, source.character_set))
        assert (back.SpecificCharacterSet, str(back.PatientName), str(back.ReferringPhysicianName)) == (stated, "Люкс^А", "Б")


def test_text_inside_sequences_decides_about_the_character_set_too() -> None:
    dataset, item = Dataset(), Dataset()
    item.CodeMeaning = "Δ log-odds"
    dataset.ConceptNameCodeSequence = [item]
    assert fitting_character_set(dataset, ["ISO_IR 100"]) == (UTF_8,)
    item.CodeMeaning = "change of log-odds"
    assert fitting_character_set(dataset, ["ISO_IR 100"]) == ("ISO_IR 100",)


@pytest.mark.parametrize(
    ("written", "kept"), [(b"1.62", 1.62), (b"1,62", 1.62), (b"tall", None), (b"-1", None), (b"1e99", None)]
)
def test_numbers_are_carried_when_they_are_some(written: bytes, kept: float | None) -> None:
    dataset = Dataset()
    tag = BaseTag(0x00101020)  # Patient's Size
    dataset[tag] = RawDataElement(tag, "DS", len(written), written, 0, False, True)
    assert valid_value(dataset, "PatientSize") == kept


@pytest.mark.parametrize(
    ("keyword", "written", "kept"),
    [
        ("StudyDate", b"20240229", "20240229"), ("StudyDate", b"2024.02.29", "20240229"), ("StudyDate", b"20230229", None),
        ("StudyDate", b"20200101-20210101", None), ("StudyDate", b"-20210101", None), ("StudyTime", b"101112.5", "101112.5"),
        ("StudyTime", b"10", "10"), ("StudyTime", b"251112", None), ("StudyTime", b"0900-1000", None),
    ],
)  # fmt: skip
def test_dates_and_times_are_carried_when_they_are_some(keyword: str, written: bytes, kept: str | None) -> None:
    dataset = Dataset()
    tag, vr = BaseTag(tag_for_keyword(keyword) or 0), "DA" if keyword.endswith("Date") else "TM"
    dataset[tag] = RawDataElement(tag, vr, len(written), written, 0, False, True)
    assert valid_value(dataset, keyword) == kept
