"""A query as both protocols answer it: from studies to their series, from a series to its objects (PS3.4 C.6.2, PS3.18 10.6).

The hierarchy is walked step by step, because answers across levels are optional in both protocols; what the standard lets a PACS
overlook (modalities in study, lists of modalities) is checked again here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Literal

from OsteoScreenLib.exchange.pacs.query import FoundImage, FoundSeries, Listing, Query
from OsteoScreenLib.radiograph.header import is_uid

Level = Literal["STUDY", "SERIES", "IMAGE"]
Ask = Callable[[Level, Mapping[str, str], Sequence[str]], Iterator[Mapping[str, str]]]
"""Called with a level, keyword → value that has to match (the UIDs of the levels above among them), and keywords wanted in the
answer; yields keyword → text of each match."""

_STUDY = ("StudyInstanceUID", "StudyDate", "PatientID", "PatientName", "AccessionNumber", "StudyDescription")
_SERIES = ("SeriesInstanceUID", "Modality", "SeriesDescription", "NumberOfSeriesRelatedInstances")
_IMAGE = ("SOPInstanceUID", "SOPClassUID")


def find_series(ask: Ask, query: Query, most: int) -> Listing:
    """The series that match; at most `most`, the latest studies are not sorted to the front."""
    found: list[FoundSeries] = []
    unusable = 0
    for study in _studies(ask, query):
        study_uid = study.get("StudyInstanceUID", "")
        if not is_uid(study_uid):
            unusable += 1
            continue
        wanted = {"StudyInstanceUID": study_uid, **_given(SeriesInstanceUID=query.series_uid)}
        for series in ask("SERIES", wanted, _SERIES):
            uid, modality = series.get("SeriesInstanceUID", ""), series.get("Modality", "")
            if query.modalities and modality not in query.modalities:
                continue
            if not is_uid(uid):
                unusable += 1
                continue
            if len(found) == most:
                return Listing(tuple(found), more=True, unusable=unusable)
            found.append(_series(study, series))
    return Listing(tuple(found), unusable=unusable)


def find_images(ask: Ask, series: FoundSeries) -> tuple[FoundImage, ...]:
    """The objects of a series, each once. Their UIDs are as the PACS gives them, proper or not."""
    wanted = {"StudyInstanceUID": series.study_uid, "SeriesInstanceUID": series.series_uid}
    images: dict[str, FoundImage] = {}
    for entry in ask("IMAGE", wanted, _IMAGE):
        uid, sop_class = entry.get("SOPInstanceUID", ""), entry.get("SOPClassUID", "")
        sop_class = sop_class if is_uid(sop_class) else ""
        images.setdefault(uid, FoundImage(series.study_uid, series.series_uid, uid, sop_class, series.modality))
    return tuple(images.values())


def _studies(ask: Ask, query: Query) -> Iterator[Mapping[str, str]]:
    """Studies that match, each once. A list of modalities is no query of the standard, so each is asked for by itself."""
    given = _given(
        StudyInstanceUID=query.study_uid, PatientID=query.patient_id, PatientName=query.patient_name,
        AccessionNumber=query.accession, StudyDate=query.date,
    )  # fmt: skip
    seen: set[str] = set()
    one_study = bool(query.study_uid) or not query.modalities
    for modality in ("",) if one_study else query.modalities:
        for study in ask("STUDY", {**given, **_given(ModalitiesInStudy=modality)}, _STUDY):
            uid = study.get("StudyInstanceUID", "")
            if uid not in seen:
                seen.add(uid)
                yield study


def _series(study: Mapping[str, str], series: Mapping[str, str]) -> FoundSeries:
    count = series.get("NumberOfSeriesRelatedInstances", "")
    return FoundSeries(
        study_uid=study["StudyInstanceUID"],
        series_uid=series["SeriesInstanceUID"],
        modality=series.get("Modality", ""),
        images=int(count) if count.isdecimal() else None,
        study_date=study.get("StudyDate", ""),
        description=series.get("SeriesDescription", "") or study.get("StudyDescription", ""),
        patient_id=study.get("PatientID", ""),
        patient_name=study.get("PatientName", ""),
        accession=study.get("AccessionNumber", ""),
    )


def _given(**values: str) -> dict[str, str]:
    return {keyword: value for keyword, value in values.items() if value}
