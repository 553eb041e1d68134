"""What is asked of a PACS, and what it lists."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime

from OsteoScreenLib.errors import InputError
from OsteoScreenLib.radiograph.header import is_uid

RADIOGRAPHS = ("CR", "DX")
ANY: tuple[str, ...] = ()


@dataclass(frozen=True)
class Query:
    """Which series are wanted. Everything given has to hold; what is "" is not asked for.

    patient_name : may hold the wildcards * and ?. date : of the study, YYYYMMDD, YYYYMMDD-YYYYMMDD, YYYYMMDD- or -YYYYMMDD.
    modalities : any of them; `ANY` for all.
    """

    patient_id: str = field(default="", repr=False)
    patient_name: str = field(default="", repr=False)
    accession: str = field(default="", repr=False)
    study_uid: str = ""
    series_uid: str = ""
    date: str = ""
    modalities: tuple[str, ...] = RADIOGRAPHS

    def __post_init__(self) -> None:
        for value in (self.patient_id, self.patient_name, self.accession):
            if len(value) > 324 or "\\" in value or not value.isprintable():
                raise InputError("A value to search for is plain text without a backslash.", code="query")
        for uid in (self.study_uid, self.series_uid):
            if uid and not is_uid(uid):
                raise InputError(f"{uid[:70]!r} is no UID; a UID is numbers with dots between them.", code="query")
        if self.series_uid and not self.study_uid:
            raise InputError("A series is asked for together with its study; give the study's UID too.", code="query")
        if self.date:
            check_date_range(self.date)
        for modality in self.modalities:
            if not re.fullmatch(r"[A-Z0-9_ ]{1,16}", modality):
                raise InputError(f"{modality[:20]!r} is no modality; name CR, DX, …", code="query")

    @property
    def narrow(self) -> bool:
        """Whether anything but the modality limits it."""
        named = (self.patient_id, self.patient_name.strip("*?^ "), self.accession, self.study_uid, self.series_uid, self.date)
        return any(value.strip("*?") for value in named)


@dataclass(frozen=True)
class FoundSeries:
    """A series as the PACS lists it. images : how many it says there are, None when it does not say. What names the patient is for
    the user's eyes only and is not part of `repr`."""

    study_uid: str
    series_uid: str
    modality: str
    images: int | None = None
    study_date: str = ""
    description: str = field(default="", repr=False)
    patient_id: str = field(default="", repr=False)
    patient_name: str = field(default="", repr=False)
    accession: str = field(default="", repr=False)


@dataclass(frozen=True)
class FoundImage:
    """One object of a series. sop_class : its SOP Class UID, "" when the PACS does not say."""

    study_uid: str
    series_uid: str
    uid: str
    sop_class: str = ""
    modality: str = ""


@dataclass(frozen=True)
class Listing:
    """What a query found. more : the PACS has further ones that are not in `series`. unusable : entries without a proper UID."""

    series: tuple[FoundSeries, ...]
    more: bool = False
    unusable: int = 0


def check_date_range(text: str) -> None:
    """Raises `InputError` unless `text` is a date or a range of dates as PS3.4 C.2.2.2.5 writes them."""
    first, _, last = text.partition("-")
    try:
        days = [datetime.strptime(day, "%Y%m%d") for day in (first, last) if day]
    except ValueError:
        days = []
    if not days or (len(days) == 2 and days[0] > days[1]) or any(len(day) not in (0, 8) for day in (first, last)):
        raise InputError(
            f"{text[:20]!r} is no date; write 20240131, or a range such as 20240101-20240131, 20240101- or -20240131.",
            code="query",
        )
