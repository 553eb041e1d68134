"""Dates of a patient moved by one and the same number of weeks, so that the time between them stays.

PS3.15 E.3.6, Retain Longitudinal Temporal Information with Modified Dates. Times of day are cut to the minute, so that seconds do not
match an archive's; a date that cannot be read is left out.
"""

from __future__ import annotations

import datetime
import re

_DATE_TIME = re.compile(r"(\d{4})(\d{2})?(\d{2})?(\d{2})?(\d{2})?(\d{2})?(?:\.\d{1,6})?(?:[+-]\d{4})?")


def moved(vr: str, text: str, weeks: int) -> str:
    """A value of VR DA, TM or DT, `weeks` earlier; "" for what is none."""
    text = text.strip(" \0")
    return _date(text, weeks) if vr == "DA" else _time(text) if vr == "TM" else _date_time(text, weeks)


def _date(text: str, weeks: int) -> str:
    """YYYYMMDD, also as ACR-NEMA wrote it (YYYY.MM.DD)."""
    found = re.fullmatch(r"(\d{4})([.]?)(\d{2})\2(\d{2})", text)
    return "" if found is None else _earlier(int(found[1]), int(found[3]), int(found[4]), weeks)


def _time(text: str) -> str:
    """HHMM of HH, HHMM, HHMMSS.FFFFFF, also with colons (ACR-NEMA)."""
    found = re.fullmatch(r"([01]\d|2[0-3])(?::?([0-5]\d)(?::?(?:[0-5]\d|60)(?:\.\d{1,6})?)?)?", text)
    return "" if found is None else found[1] + (found[2] or "")


def _date_time(text: str, weeks: int) -> str:
    """YYYYMMDDHHMM, or as much of it as there was; of a year or month alone the one that its middle moves to."""
    found = _DATE_TIME.fullmatch(text)
    if found is None:
        return ""
    year, month, day, hour, minute, _ = found.groups()
    date = _earlier(int(year), int(month or 7), int(day or 15), weeks)
    if not date or day is None:
        return date[: 4 if month is None else 6]
    return date + (_time(f"{hour}{minute or ''}") if hour else "")


def _earlier(year: int, month: int, day: int, weeks: int) -> str:
    try:
        moved_date = datetime.date(year, month, day) - datetime.timedelta(weeks=weeks)
    except (ValueError, OverflowError):
        return ""
    return f"{moved_date.year:04}{moved_date.month:02}{moved_date.day:02}"
