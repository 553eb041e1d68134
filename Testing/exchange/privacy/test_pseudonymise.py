"""Pseudonymised copies: the same picture, nothing of whom it shows, and the same pseudonym in every run."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pydicom
import pytest
from exchange.conformance import errors_beyond, needs_checkers
from exchange.privacy.planting import DATE, MARK, UID_ROOT, own_identifiers, plant, text_elements, written
from pydicom.config import disable_value_validation
from radiograph.synthetic import data_set, grey_picture, save

from OsteoScreenLib.errors import InputError
from OsteoScreenLib.exchange.privacy.identifiers import identifiers_of, left_in_bytes
from OsteoScreenLib.exchange.privacy.key import Key
from OsteoScreenLib.exchange.privacy.profile import Options
from OsteoScreenLib.exchange.privacy.pseudonymise import Pseudonymised, pseudonymise
from OsteoScreenLib.radiograph.read import read_radiograph

KEY = Key(bytes(range(32)))
READABLE = (
    "animal_lateral_thorax", "chest_cr_monochrome1_10bit", "chest_dx_inverted_upside_down_16bit", "chest_dx_pa_12bit_j2k",
    "chest_pa_cr_8bit_jpeg", "chest_pa_j2k_pixelspacing_zero", "chest_pa_tagged_monochrome1", "hip_j2k_lossless",
    "panoramic_modality_lut", "tibia_jpeg_lossless", "tibia_rle",
)  # fmt: skip
SAMPLE = Path(__file__).resolve().parents[3] / "OsteoScreen/Resources/SampleData/simulated_chest_normal.dcm"
NAMES = {
    "ISO_IR 100": "Königsgräber^Jürgen",
    "ISO_IR 192": "Żółćñska^Þóra 山田^太郎",
    "GB18030": "王小东^晓东",
    "ISO_IR 144": "Люксембург^Роза",
    "\\ISO 2022 IR 87": "Yamada^Tarou=山田^太郎",
}
CODECS = {
    "": "",
    "ISO_IR 100": "latin-1",
    "ISO_IR 192": "utf-8",
    "GB18030": "gb18030",
    "ISO_IR 144": "iso8859_5",
    "\\ISO 2022 IR 87": "iso2022_jp",
}


def copied(image: Path, folder: Path, options: Options | None = None, text: str = "keep") -> Pseudonymised:
    folder.mkdir(exist_ok=True)
    return pseudonymise(image, folder, KEY, options, text)  # type: ignore[arg-type]


def assert_no_trace(copy: Path, *traces: str) -> None:
    """None of the texts stands in the bytes, in any encoding of a character set, in any case."""
    data = copy.read_bytes()
    for trace in traces:
        for codec in {*CODECS.values(), "utf-16-le", "utf-16-be"} - {""}:
            for spelt in {trace, trace.upper(), trace.lower()}:
                encoded = spelt.encode(codec, "ignore")
                assert len(encoded) < 4 or encoded not in data, f"{trace!r} in {codec}"


def test_planting_reaches_every_kind_of_text() -> None:
    kinds = {vr for _, vr, _ in text_elements()}
    assert kinds == {"AE", "AS", "CS", "DA", "DT", "LO", "LT", "PN", "SH", "ST", "UC", "UI", "UR", "UT"}
    assert sum(1 for _ in text_elements()) > 1500


@pytest.mark.parametrize("dates", ["shift", "remove"])
def test_nothing_planted_is_left(tmp_path: Path, dates: str) -> None:
    dataset = pydicom.dcmread(SAMPLE)
    planted = plant(dataset)
    original = written(dataset, tmp_path / f"{MARK}-file-name.dcm")
    made = copied(original, tmp_path / "copies", Options(dates=dates))  # type: ignore[arg-type]
    assert len(planted) > 4000
    assert_no_trace(made.path, MARK, DATE, UID_ROOT, "ZQXY")
    assert MARK not in made.path.name
    assert np.array_equal(read_radiograph(made.path).pixels, read_radiograph(original).pixels)


def test_a_name_in_what_is_to_stay_is_refused(tmp_path: Path) -> None:
    tags = {"PatientName": "Nightingale^Florence", "StationName": "nightingale1"}
    source = save(data_set(grey_picture(100, 90), **tags), tmp_path / "a.dcm")
    with pytest.raises(InputError, match="its PatientName would still stand") as caught:
        copied(source, tmp_path / "copies", Options(device=True))
    assert caught.value.code == "identifier-left"
    assert not list((tmp_path / "copies").iterdir())


@pytest.mark.parametrize("character_set", NAMES)
def test_no_name_is_left_in_any_encoding(tmp_path: Path, character_set: str) -> None:
    name = NAMES[character_set]
    dataset = pydicom.dcmread(SAMPLE)
    plant(dataset, character_set, name)
    dataset.PatientName = name
    original = written(dataset, tmp_path / "planted.dcm")
    assert name.split("^")[0].encode(CODECS[character_set]) in original.read_bytes() or "=" in name, "the test plants it"
    made = copied(original, tmp_path / "copies")
    assert_no_trace(made.path, MARK, DATE, UID_ROOT, *re.split(r"[\^= ]", name))


@pytest.mark.parametrize("name", READABLE)
def test_nothing_is_left_of_real_files_with_planted_identifiers(shared_data: Path, tmp_path: Path, name: str) -> None:
    source = shared_data / "radiographs" / f"{name}.dcm"
    own = own_identifiers(source)
    with disable_value_validation():
        dataset = pydicom.dcmread(source, force=True)
        plant(dataset)
    original = written(dataset, tmp_path / f"{MARK}.dcm")
    made = copied(original, tmp_path / "copies")
    assert_no_trace(made.path, MARK, DATE, UID_ROOT)
    plain = copied(source, tmp_path / "plain")
    kept = {"CHEST", "THORAX", "19000101"}
    assert_no_trace(plain.path, *(value for value in own.values() if value.upper() not in kept), source.stem)


@pytest.mark.parametrize("name", READABLE)
def test_real_files_read_the_same(shared_data: Path, tmp_path: Path, name: str) -> None:
    source = shared_data / "radiographs" / f"{name}.dcm"
    one, other = read_radiograph(source), read_radiograph(copied(source, tmp_path / "copies").path)
    assert np.array_equal(one.pixels, other.pixels)
    assert (one.spacing_mm, one.spacing_source, one.view, one.site) == (
        other.spacing_mm,
        other.spacing_source,
        other.view,
        other.site,
    )
    assert one.source.patient_sex == other.source.patient_sex


@needs_checkers
@pytest.mark.parametrize("name", READABLE)
def test_copies_of_real_files_have_no_error_that_the_original_has_not(shared_data: Path, tmp_path: Path, name: str) -> None:
    source = shared_data / "radiographs" / f"{name}.dcm"
    found = errors_beyond(copied(source, tmp_path / "copies").path, source)
    # One file bears one UID for study and series, and its copy another one for both; the sentence quotes the UID.
    assert [line for line in found if "has same value as StudyInstanceUID" not in line] == []


def test_the_same_patient_has_the_same_pseudonym_and_shift_in_any_run(tmp_path: Path) -> None:
    def study(number: int, day: str, patient: str) -> pydicom.FileDataset:
        path = save(
            data_set(grey_picture(100, 90), PatientID=patient, StudyDate=day, StudyTime="101112.5", StudyInstanceUID=f"1.2.3.{number}",
                     SeriesInstanceUID=f"1.2.3.{number}.1", SOPInstanceUID=f"1.2.3.{number}.1.1", FrameOfReferenceUID="1.2.3.99"),
            tmp_path / f"{number}.dcm",
        )  # fmt: skip
        return pydicom.dcmread(copied(path, tmp_path / f"run{number}").path)

    first, second, other = study(1, "20240229", "P 77"), study(2, "20240330", " p  77 "), study(3, "20240229", "P78")
    assert first.PatientID == first.PatientName == second.PatientID != other.PatientID
    assert re.fullmatch(r"OS-[A-Z2-7]{16}", first.PatientID)
    days = [pydicom.valuerep.DA(one.StudyDate) for one in (first, second)]
    assert (days[1] - days[0]).days == 30
    assert days[0].weekday() == 3 and first.StudyDate != other.StudyDate != "20240229"
    assert first.StudyTime == "1011"
    assert first.FrameOfReferenceUID == second.FrameOfReferenceUID != "1.2.3.99"
    assert len({first.StudyInstanceUID, first.SeriesInstanceUID, first.SOPInstanceUID, second.StudyInstanceUID}) == 4
    assert first.file_meta.MediaStorageSOPInstanceUID == first.SOPInstanceUID


def test_the_copy_says_what_was_done(tmp_path: Path) -> None:
    source = save(data_set(grey_picture(100, 90), StudyDate="20240229", PatientAge="093Y", PatientSex="F", Manufacturer="Siemens of St. Mary"),
                  tmp_path / "a.dcm")  # fmt: skip
    copy = pydicom.dcmread(copied(source, tmp_path / "copies").path)
    assert copy.PatientIdentityRemoved == "YES" and copy.LongitudinalTemporalInformationModified == "MODIFIED"
    codes = [item.CodeValue for item in copy.DeidentificationMethodCodeSequence]
    assert codes == ["113100", "113105", "113107", "113108"]
    assert (copy.PatientAge, copy.PatientSex, copy.PatientBirthDate, copy.Manufacturer) == ("090Y", "F", "", "SIEMENS")
    bare = pydicom.dcmread(copied(source, tmp_path / "bare", Options("remove", False, False)).path)
    assert [item.CodeValue for item in bare.DeidentificationMethodCodeSequence] == ["113100"]
    assert not bare.StudyDate and not bare.PatientSex and "PatientAge" not in bare and bare.AccessionNumber == ""
    assert bare.LongitudinalTemporalInformationModified == "REMOVED"


def test_device_identity_is_kept_by_choice(tmp_path: Path) -> None:
    source = save(
        data_set(grey_picture(100, 90), StationName="ROOM 3", DeviceSerialNumber="S-1", ManufacturerModelName="Model X"),
        tmp_path / "a.dcm",
    )
    without, kept = (
        pydicom.dcmread(copied(source, tmp_path / f"{device}", Options(device=device)).path) for device in (False, True)
    )
    assert "StationName" not in without and not without.get("ManufacturerModelName")
    assert (kept.StationName, kept.DeviceSerialNumber, kept.ManufacturerModelName) == ("ROOM 3", "S-1", "Model X")


def test_kept_text_in_other_letters_stays_as_it_is(tmp_path: Path) -> None:
    tags = {"SpecificCharacterSet": "ISO_IR 144", "ManufacturerModelName": "ПроСкан-2000"}
    source = save(data_set(grey_picture(100, 90), **tags), tmp_path / "a.dcm")
    copy = pydicom.dcmread(copied(source, tmp_path / "copies", Options(device=True)).path)
    assert (copy.ManufacturerModelName, copy.SpecificCharacterSet) == ("ПроСкан-2000", "ISO_IR 192")
    assert "SpecificCharacterSet" not in pydicom.dcmread(copied(source, tmp_path / "plain").path)


def test_codes_of_known_dictionaries_stay_with_the_dictionarys_meaning(tmp_path: Path) -> None:
    view, odd = pydicom.Dataset(), pydicom.Dataset()
    view.CodeValue, view.CodingSchemeDesignator, view.CodeMeaning = "272479007", "SCT", "PA of Mrs Nightingale"
    odd.CodeValue, odd.CodingSchemeDesignator, odd.CodeMeaning = "P1820", "99LOCAL", "Nightingale"
    source = save(
        data_set(grey_picture(100, 90), ViewPosition="", ViewCodeSequence=[view], AnatomicRegionSequence=[odd]),
        tmp_path / "a.dcm",
    )
    made = copied(source, tmp_path / "copies").path
    copy = pydicom.dcmread(made)
    assert copy.ViewCodeSequence[0].CodeValue == "272479007" and len(copy.AnatomicRegionSequence) == 0
    assert_no_trace(made, "Nightingale", "P1820")
    assert read_radiograph(made).view == "PA"


def test_files_that_bear_one_uid_do_not_overwrite_each_other(tmp_path: Path) -> None:
    one = save(data_set(grey_picture(100, 90)), tmp_path / "1.dcm")
    two = save(data_set(grey_picture(100, 91)), tmp_path / "2.dcm")
    paths = [copied(path, tmp_path / "copies").path for path in (one, two, one)]
    assert paths[0] == paths[2] != paths[1]


def test_a_picture_becomes_greys_and_spacing(tmp_path: Path) -> None:
    from PIL import Image
    from PIL.PngImagePlugin import PngInfo

    hidden = PngInfo()
    hidden.add_text("Patient", f"{MARK} in a comment")
    path = tmp_path / f"{MARK}.png"
    Image.fromarray((grey_picture(120, 130) >> 4).astype(np.uint8)).save(path, pnginfo=hidden)
    made = copied(path, tmp_path / "copies")
    assert made.path.suffix == ".nrrd" and MARK not in made.path.name
    assert_no_trace(made.path, MARK)
    assert np.allclose(read_radiograph(made.path).pixels, read_radiograph(path).pixels, atol=1e-6)


def test_broken_files_are_refused_in_one_sentence(tmp_path: Path) -> None:
    path = save(data_set(grey_picture(100, 90)), tmp_path / "a.dcm")
    path.write_bytes(path.read_bytes()[:-1000])
    with pytest.raises(InputError) as caught:
        copied(path, tmp_path / "copies")
    assert "\n" not in str(caught.value) and not list((tmp_path / "copies").iterdir())


def test_a_patient_may_be_called_like_a_term_of_the_standard(tmp_path: Path) -> None:
    tags = {"PatientName": "CHEST^WHITE", "PatientID": "MONOCHROME2", "BodyPartExamined": "CHEST", "BorderDensity": "WHITE"}
    copy = pydicom.dcmread(copied(save(data_set(grey_picture(100, 90), **tags), tmp_path / "a.dcm"), tmp_path / "copies").path)
    assert (copy.BodyPartExamined, copy.BorderDensity) == ("CHEST", "WHITE") and "CHEST" not in str(copy.PatientName)


def test_the_last_look_knows_the_originals_encodings() -> None:
    dataset = pydicom.Dataset()
    dataset.SpecificCharacterSet = "ISO_IR 144"
    dataset.PatientName, dataset.PatientID, dataset.StudyID = "Люксембург^Роза", "12345", "A-4711"
    identifiers = identifiers_of(dataset, Options())
    assert identifiers == {
        "Люксембург^Роза": "PatientName", "Люксембург": "PatientName", "12345": "PatientID", "A-4711": "StudyID",
    }  # fmt: skip
    for data, held in (
        ("xxЛюксембургxx".encode("iso8859_5"), "PatientName"), ("ЛЮКСЕМБУРГ".encode(), "PatientName"), (b"xA-4711x", "StudyID"),
        ("A-4711".encode("utf-16-le"), "StudyID"), (b"2.25.9912345678", ""), (b"nothing", ""),
    ):  # fmt: skip
        assert left_in_bytes(data, identifiers, dataset) == held
