"""The profile's table and the shift of dates."""

from __future__ import annotations

import datetime

import pytest
from pydicom.datadict import dictionary_description, dictionary_VR, tag_for_keyword
from pydicom.sr.codedict import codes

from OsteoScreenLib.exchange.privacy.date_shift import moved
from OsteoScreenLib.exchange.privacy.profile import Action, Options, _table, action_for

BARE = Options("remove", False, False)


def action(keyword: str, options: Options = BARE) -> Action:
    tag = tag_for_keyword(keyword)
    assert tag is not None
    return action_for(tag, dictionary_VR(tag), options)


def test_the_table_names_attributes_of_the_dictionary() -> None:
    table = _table()
    assert len(table) == 620 and set(table.values()) == {"D", "Z", "X", "U", "Z/D", "X/Z", "X/D", "X/Z/D", "X/Z/U*"}
    for name, basic in table.items():
        if "x" not in name:
            assert dictionary_description(int(name, 16))
            if basic == "U":
                assert dictionary_VR(int(name, 16)) == "UI", name


@pytest.mark.parametrize(
    ("keyword", "expected"),
    [
        # Rows of PS3.15 Table E.1-1.
        ("PatientName", Action.EMPTY), ("PatientID", Action.EMPTY), ("PatientBirthDate", Action.EMPTY), ("PatientSex", Action.EMPTY),
        ("PatientAge", Action.REMOVE), ("PatientAddress", Action.REMOVE), ("OtherPatientIDs", Action.REMOVE),
        ("AccessionNumber", Action.EMPTY), ("StudyID", Action.EMPTY), ("StudyDate", Action.EMPTY), ("StudyTime", Action.EMPTY),
        ("StudyDescription", Action.REMOVE), ("SeriesDescription", Action.REMOVE), ("ReferringPhysicianName", Action.EMPTY),
        ("InstitutionName", Action.REMOVE), ("OperatorsName", Action.REMOVE), ("StationName", Action.REMOVE),
        ("SOPInstanceUID", Action.NEW_UID), ("StudyInstanceUID", Action.NEW_UID), ("FrameOfReferenceUID", Action.NEW_UID),
        ("SourceImageSequence", Action.NEW_REFERENCES), ("RequestAttributesSequence", Action.REMOVE),
        ("VerifyingObserverName", Action.DUMMY), ("PersonName", Action.DUMMY), ("Rows", Action.UNLISTED), ("KVP", Action.UNLISTED),
    ],
)  # fmt: skip
def test_the_basic_profile(keyword: str, expected: Action) -> None:
    assert action(keyword) is expected


def test_options_change_what_they_are_about() -> None:
    assert action("StudyDate", Options("shift")) is action("AcquisitionDateTime", Options("shift")) is Action.MOVE
    assert action("PatientBirthDate", Options("shift")) is Action.EMPTY
    assert action("PatientAge", Options()) is action("PatientSex", Options()) is Action.KEEP
    assert action("StudyDescription", Options()) is Action.CLEAN
    assert action("StationName", Options(device=True)) is Action.KEEP
    assert action("InstitutionName", Options(device=True)) is Action.REMOVE


@pytest.mark.parametrize(
    "tag", [0x00091001, 0x00090010, 0x60003000, 0x60024000, 0x50003000, 0x00020003, 0xFFFCFFFC, 0xFFFAFFFA]
)
def test_private_attributes_overlays_curves_and_what_is_no_header_go(tag: int) -> None:
    assert action_for(tag, "LO", Options(device=True)) is Action.REMOVE


def test_the_options_codes_are_dicoms() -> None:
    known = {code.value: code.meaning for code in codes.DCM.concepts.values()}
    every = Options("shift", True, True, True).codes(pixels_cleaned=True)
    assert len(every) == 6
    for value, meaning in every:
        assert known[value].lower() == meaning.lower()


@pytest.mark.parametrize(
    ("vr", "text", "expected"),
    [
        ("DA", "20240229", "20240215"), ("DA", "2024.02.29", "20240215"), ("DA", "20240105", "20231222"), ("DA", "", ""),
        ("DA", "2024022", ""), ("DA", "20240230", ""), ("DA", "00010101", ""), ("DA", "yesterday", ""),
        ("TM", "101112.345", "1011"), ("TM", "10:11:12", "1011"), ("TM", "10", "10"), ("TM", "2560", ""), ("TM", "Nightingale", ""),
        ("DT", "20240229101112.123456+0100", "202402151011"), ("DT", "20240229", "20240215"), ("DT", "2024", "2024"),
        ("DT", "202401", "202401"), ("DT", "2024022910", "2024021510"), ("DT", "20249999", ""), ("DT", "x", ""),
    ],
)  # fmt: skip
def test_dates_move_by_weeks_and_times_lose_their_seconds(vr: str, text: str, expected: str) -> None:
    assert moved(vr, text, 2) == expected


def test_the_time_between_dates_and_the_day_of_the_week_stay() -> None:
    first, second = (datetime.datetime.strptime(moved("DA", text, 301), "%Y%m%d") for text in ("19991231", "20000301"))
    assert second - first == datetime.date(2000, 3, 1) - datetime.date(1999, 12, 31)
    assert first.weekday() == datetime.date(1999, 12, 31).weekday()
