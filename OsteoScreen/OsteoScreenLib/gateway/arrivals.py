"""One object has arrived, by C-STORE or from a watched server: is it taken into the queue? What is taken is on the disk."""

from __future__ import annotations

import io
import re
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from OsteoScreenLib.errors import OsteoScreenError
from OsteoScreenLib.exchange.dicom.series import MANUFACTURER, MODEL_NAME
from OsteoScreenLib.gateway.shared import Shared
from OsteoScreenLib.gateway.spool import key_of

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

Taken = Literal["accepted", "known", "own-result", "refused", "full"]
_UID = re.compile(r"(0|[1-9][0-9]*)(\.[0-9]+)+")  # PS3.5 section 9.1; components with leading zeros are forbidden but common
_UID_LENGTH = 64


@dataclass(frozen=True)
class Arrival:
    """What became of an offered object. key : the case's, "" where there is none. code : why it was refused."""

    taken: Taken
    key: str = ""
    code: str = ""


class Arrivals:
    """The gateway's one door."""

    def __init__(self, shared: Shared) -> None:
        self._shared = shared
        self._one_at_a_time = threading.Lock()

    def knows(self, sop_instance_uid: str) -> bool:
        """Whether an object was taken or refused before, so that a watched server need not be asked for it again."""
        case = self._shared.ledger.case(key_of(sop_instance_uid))
        return case is not None and case.state != "failed"

    def decline(self, sop_instance_uid: str, code: str) -> None:
        """Remember that a watched server's object cannot be taken."""
        if self._shared.ledger.case(key := key_of(sop_instance_uid)) is None:
            self._shared.ledger.add(key, 0, "watch", "refused", code)
            self._shared.journal.warning("object refused", case=key, code=code, origin="watch")

    def take(self, data: bytes, sop_class_uid: str, sop_instance_uid: str, origin: str) -> Arrival:
        """Take one object in. When this says "accepted" or "known", nothing can be lost any more.

        data : a DICOM file (PS3.10). sop_class_uid, sop_instance_uid : as the sender named them; a class that it did not name is "". origin : "store" or "watch".
        """
        arrival = self._take(data, sop_class_uid, sop_instance_uid, origin)
        self._shared.metrics.arrivals.labels(origin, arrival.taken).inc()
        facts = {"case": arrival.key or None, "code": arrival.code or None, "bytes": len(data), "origin": origin}
        tell = (
            self._shared.journal.info if arrival.taken in {"accepted", "known", "own-result"} else self._shared.journal.warning
        )
        tell(f"object {arrival.taken}", **facts)
        if arrival.taken == "accepted":
            self._shared.tell()
        return arrival

    def _take(self, data: bytes, sop_class_uid: str, sop_instance_uid: str, origin: str) -> Arrival:
        if len(sop_instance_uid) > _UID_LENGTH or not _UID.fullmatch(sop_instance_uid):
            return Arrival("refused", code="invalid-uid")
        key = key_of(sop_instance_uid)
        if len(data) > self._shared.limits.object_bytes:
            return Arrival("refused", key, "too-large")
        header = _header(data)
        if header is None:
            return Arrival("refused", key, "no-dicom")
        if str(header.get("SOPInstanceUID", "")) != sop_instance_uid or sop_class_uid not in {
            "",
            str(header.get("SOPClassUID", "")),
        }:
            return Arrival("refused", key, "uid-mismatch")
        try:
            with self._one_at_a_time:  # the same object may come from two senders at once
                return self._enter(key, data, _is_own(header), origin)
        except OsteoScreenError:
            return Arrival("full", key, "disk-full")

    def _enter(self, key: str, data: bytes, own: bool, origin: str) -> Arrival:
        case = self._shared.ledger.case(key)
        if case is not None and case.state != "failed":
            return Arrival("known", key)
        if not self._shared.spool.has_room(len(data)):
            return Arrival("full", key, "disk-full")
        if (
            own
        ):  # a PACS that hands everything on brings our own secondary captures back; to refuse them would make it try again
            self._shared.ledger.add(key, len(data), origin, "refused", "own-result")
            return Arrival("own-result", key)
        self._shared.spool.keep(key, data)
        self._shared.ledger.add(key, len(data), origin)
        return Arrival("accepted", key)


def _header(data: bytes) -> Dataset | None:
    """The few attributes that decide here; None when there is no DICOM data set."""
    from pydicom import dcmread

    wanted = ["SOPClassUID", "SOPInstanceUID", "Manufacturer", "ManufacturerModelName"]
    try:
        return dcmread(io.BytesIO(data), stop_before_pixels=True, specific_tags=wanted)
    except Exception:  # whatever a foreign file does to the reader
        return None


def _is_own(header: Dataset) -> bool:
    return (header.get("Manufacturer"), header.get("ManufacturerModelName")) == (MANUFACTURER, MODEL_NAME)
