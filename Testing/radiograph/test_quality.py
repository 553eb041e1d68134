"""What a reader is told about an image, and what is kept from notes and source."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from radiograph.synthetic import SC, codes, data_set, grey_picture

from OsteoScreenLib.radiograph.quality import age_in_years
from OsteoScreenLib.radiograph.read import read_dataset


@pytest.mark.parametrize(
    ("tags", "code"),
    [
        ({"PresentationIntentType": "FOR PROCESSING"}, "for-processing"),
        ({"sop_class": "1.2.840.10008.5.1.4.1.1.1.1.1"}, "for-processing"),
        ({"LossyImageCompression": "01"}, "lossy"),
        ({"BurnedInAnnotation": "YES"}, "burned-in"),
        ({"PatientSpeciesDescription": "Canine"}, "animal"),
        ({"AcquisitionDeviceProcessingDescription": "EQUINE THORAX"}, "animal"),
        ({"SeriesDescription": "Chest PORTABLE", "ViewPosition": "PA"}, "ap-view"),
        ({"modality": "OT", "sop_class": SC}, "secondary-capture"),
        ({"modality": "OT"}, "unknown-modality"),
        ({"PatientSex": "M", "PatientAge": "070Y"}, "outside-population"),
        ({"PatientSex": "F", "PatientAge": "034Y"}, "outside-population"),
        ({"PatientSex": "F", "PatientAge": "008M"}, "outside-population"),
    ],
)
def test_what_is_noted(tags: dict[str, Any], code: str) -> None:
    assert code in codes(read_dataset(data_set(grey_picture(), **tags)))
    assert code not in codes(read_dataset(data_set(grey_picture(), ViewPosition="PA")))


@pytest.mark.parametrize("tags", [{"PatientSex": "F", "PatientAge": "067Y"}, {"PatientAge": "067Y"}, {"PatientSex": "F"}, {}])
def test_patients_of_the_study_get_no_note(tags: dict[str, Any]) -> None:
    assert "outside-population" not in codes(read_dataset(data_set(grey_picture(), **tags)))


def test_a_young_man_hears_both_reasons() -> None:
    shown = read_dataset(data_set(grey_picture(), PatientSex="M", PatientAge="040Y"))
    text = next(note.text for note in shown.notes if note.code == "outside-population")
    assert "women only" in text and "men from 50" in text


@pytest.mark.parametrize(
    ("text", "years"), [("062Y", 62), ("62", 62), ("018M", 1.5), ("", None), ("999Y", None), ("old", None), ("000Y", 0)]
)
def test_ages(text: str, years: float | None) -> None:
    assert age_in_years(text) == (None if years is None else pytest.approx(years))


def test_resolution_and_depth() -> None:
    small = codes(read_dataset(data_set(grey_picture(400, 700, top=255, dtype="u1"))))
    assert {"low-resolution", "low-bit-depth"} <= small
    large = codes(read_dataset(data_set(grey_picture(512, 600), WindowCenter=2048, WindowWidth=4096)))
    assert not large & {"low-resolution", "low-bit-depth", "clipped"}


@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
def test_clipping_is_told_by_its_share(photometric: str) -> None:
    array = grey_picture(top=4095)
    array[:20] = np.random.default_rng(0).integers(4000, 4096, (20, array.shape[1]))
    shown = read_dataset(data_set(array, PhotometricInterpretation=photometric, WindowCenter=1000, WindowWidth=2000))
    note = next(note for note in shown.notes if note.code == "clipped")
    share = 100 * float((shown.pixels == 1).mean()), 100 * float((shown.pixels == 0).mean())
    assert f"{share[0]:.0f} % of the pixels are fully white" in note.text
    assert f"{share[1]:.0f} % fully black" in note.text
    assert note.severity == ("info" if photometric == "MONOCHROME1" else "warning")


def test_nothing_names_the_patient() -> None:
    shown = read_dataset(
        data_set(
            grey_picture(),
            SeriesDescription="Nightingale chest PA", StudyDescription="SECRET-17", BodyPartExamined="Nightingale's chest",
            PatientSex="Nightingale", PatientAge="Nig1", ViewPosition="Nightingale", AccessionNumber="SECRET-17",
        )
    )  # fmt: skip
    said = repr((shown.source, shown.notes, shown.site)).upper()
    assert "SECRET" not in said and "FLORENCE" not in said
    assert "NIGHTINGALE" not in said


def test_source_and_severities() -> None:
    dataset = data_set(grey_picture(), PatientSex="F", PatientAge="061Y")
    source = read_dataset(dataset).source
    assert source.sop_class_uid == dataset.SOPClassUID and source.study_instance_uid == dataset.StudyInstanceUID
    assert source.series_instance_uid == dataset.SeriesInstanceUID and source.sop_instance_uid == dataset.SOPInstanceUID
    assert (source.format, source.modality, source.photometric_interpretation) == ("DICOM", "DX", "MONOCHROME2")
    assert (source.patient_sex, source.patient_age, source.stored_shape) == ("F", "061Y", (96, 80))
    for note in read_dataset(data_set(grey_picture(), PatientSex="M")).notes:
        assert note.severity in {"info", "warning"} and note.text.endswith(".") and "\n" not in note.text
