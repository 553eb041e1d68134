"""Queries: what may be asked, and how a PACS's hierarchical answers become a listing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from OsteoScreenLib.errors import InputError
from OsteoScreenLib.exchange.pacs.faults import NotAllowed, PacsRefused, PacsUnreachable
from OsteoScreenLib.exchange.pacs.query import ANY, FoundSeries, Query
from OsteoScreenLib.exchange.pacs.retrying import LONGEST_PAUSE_S, again, pause_s
from OsteoScreenLib.exchange.pacs.searching import find_images, find_series
from OsteoScreenLib.radiograph.header import is_uid


@pytest.mark.parametrize("date", ["20240131", "20240101-20240131", "20240101-", "-20240131"])
def test_dates_and_ranges_are_taken(date: str) -> None:
    assert Query(date=date).narrow


@pytest.mark.parametrize(
    "date", ["2024-01-31", "20240132", "20240131-20240101", "-", "2024", "20240101-20240102-20240103", "today"]
)
def test_what_is_no_date_is_refused(date: str) -> None:
    with pytest.raises(InputError, match="is no date"):
        Query(date=date)


@pytest.mark.parametrize(
    "wrong",
    [
        {"study_uid": "../../etc/passwd"},
        {"study_uid": "1.2\\1.3"},
        {"study_uid": "1" * 65},
        {"series_uid": "1.2"},
        {"patient_id": "a\\b"},
        {"patient_name": "a\nb"},
        {"modalities": ("cr",)},
        {"modalities": ("CR\\DX",)},
    ],
)
def test_what_could_change_a_query_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(InputError):
        Query(**wrong)


@pytest.mark.parametrize("values", [{}, {"patient_name": "*"}, {"patient_id": "*"}, {"patient_name": "^?*"}])
def test_a_query_for_everything_is_known_as_such(values: dict[str, Any]) -> None:
    assert not Query(**values).narrow


@given(st.text(max_size=70))
def test_a_uid_is_never_a_path(text: str) -> None:
    if is_uid(text):
        assert set(text) <= set("0123456789.") and not text.startswith(".") and ".." not in text and len(text) <= 64


def test_names_of_patients_are_not_in_what_is_printed() -> None:
    series = FoundSeries("1.2", "1.3", "CR", patient_id="4711", patient_name="Doe^Jane", accession="A1", description="Doe")
    query = Query(patient_id="4711", patient_name="Doe*", accession="A1")
    for word in ("4711", "Doe", "A1"):
        assert word not in repr(series) and word not in repr(query)


class Archive:
    """Answers of a PACS: study → series (modality) → objects. `asked` is what was asked for."""

    def __init__(self, studies: Mapping[str, Mapping[str, tuple[str, Sequence[str]]]]) -> None:
        self.studies = studies
        self.asked: list[tuple[str, dict[str, str]]] = []

    def ask(self, level: str, match: Mapping[str, str], wanted: Sequence[str]) -> Iterator[dict[str, str]]:
        self.asked.append((level, dict(match)))
        if level == "STUDY":
            for uid, held in self.studies.items():
                modality = match.get("ModalitiesInStudy")
                if not modality or any(one == modality for one, _ in held.values()):
                    yield {"StudyInstanceUID": uid, "PatientID": "p"}
        elif level == "SERIES":
            for uid, (modality, images) in self.studies[match["StudyInstanceUID"]].items():
                yield {"SeriesInstanceUID": uid, "Modality": modality, "NumberOfSeriesRelatedInstances": str(len(images))}
        else:
            for uid in self.studies[match["StudyInstanceUID"]][match["SeriesInstanceUID"]][1]:
                yield {"SOPInstanceUID": uid, "SOPClassUID": "1.5"}


ARCHIVE = {
    "1.1": {"1.1.1": ("CR", ["9.1", "9.2"]), "1.1.2": ("SR", ["9.3"])},
    "1.2": {"1.2.1": ("DX", ["9.4"]), "1.2.2": ("CR", ["9.5"])},
    "1.3": {"1.3.1": ("CT", ["9.6"])},
}


def test_series_of_the_modalities_are_found_once_each() -> None:
    archive = Archive(ARCHIVE)
    listing = find_series(archive.ask, Query(patient_id="p"), 500)
    assert [one.series_uid for one in listing.series] == ["1.1.1", "1.2.1", "1.2.2"] and not listing.more
    assert listing.series[0].images == 2 and listing.series[0].patient_id == "p"
    assert [match for level, match in archive.asked if level == "STUDY"] == [
        {"PatientID": "p", "ModalitiesInStudy": "CR"},
        {"PatientID": "p", "ModalitiesInStudy": "DX"},
    ]
    assert len(find_series(archive.ask, Query(modalities=ANY), 500).series) == 5
    assert [one.uid for one in find_images(archive.ask, listing.series[0])] == ["9.1", "9.2"]


def test_a_long_listing_is_cut_and_says_so() -> None:
    listing = find_series(Archive(ARCHIVE).ask, Query(modalities=ANY), 2)
    assert len(listing.series) == 2 and listing.more
    assert not find_series(Archive(ARCHIVE).ask, Query(modalities=ANY), 5).more


def test_entries_without_a_uid_are_counted_not_followed() -> None:
    archive = Archive({"../x": {"1.1": ("CR", [])}, "1.2": {"a/b": ("CR", []), "1.3": ("CR", ["../../etc/passwd"])}})
    listing = find_series(archive.ask, Query(modalities=("CR",)), 500)
    assert [one.series_uid for one in listing.series] == ["1.3"] and listing.unusable == 2
    assert [one.sop_class for one in find_images(archive.ask, listing.series[0])] == ["1.5"]
    assert all("../x" not in match.values() for level, match in archive.asked if level != "STUDY")


def test_only_what_may_succeed_later_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("OsteoScreenLib.exchange.pacs.retrying.FIRST_PAUSE_S", 0.5)
    pauses: list[float] = []
    failures: list[Exception] = [PacsUnreachable("busy"), PacsUnreachable("busy", wait_s=7.0)]

    def action() -> str:
        if failures:
            raise failures.pop(0)
        return "done"

    assert again(action, 4, pauses.append) == "done" and len(pauses) == 2
    assert 0.25 <= pauses[0] <= 0.5 and pauses[1] == 7.0
    for error in (PacsRefused("no"), NotAllowed("no")):
        failures[:] = [error]
        with pytest.raises(type(error)):
            again(action, 4, pauses.append)
    assert len(pauses) == 2
    failures[:] = [PacsUnreachable("busy")] * 4
    with pytest.raises(PacsUnreachable):
        again(action, 2, pauses.append)
    assert len(failures) == 1 and len(pauses) == 4


def test_pauses_grow_differ_and_end_at_half_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("OsteoScreenLib.exchange.pacs.retrying.FIRST_PAUSE_S", 0.5)
    assert [pause_s(attempt, chance=lambda: 1.0) for attempt in range(8)] == [0.5, 1, 2, 4, 8, 16, 30, 30]
    assert pause_s(3, chance=lambda: 0.0) == 2.0
    assert pause_s(0, asked_s=86400.0) == LONGEST_PAUSE_S
