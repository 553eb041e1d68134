"""Exactly what would leave this machine: the DICOM objects in files and folders, looked at without their pixels."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from OsteoScreenLib.errors import InputError
from OsteoScreenLib.exchange.pacs.connection import LARGEST_OBJECT
from OsteoScreenLib.radiograph.header import is_uid
from OsteoScreenLib.radiograph.limits import printable
from OsteoScreenLib.radiograph.sniff import kind_of

if TYPE_CHECKING:
    from pydicom import Dataset

_HEAD = 1024  # bytes that tell a DICOM file
_LOOKED_AT = [
    "SOPInstanceUID", "SOPClassUID", "StudyInstanceUID", "SeriesInstanceUID", "Modality", "PatientName", "PatientID",
    "PatientIdentityRemoved",
]  # fmt: skip
_KINDS = {
    "1.2.840.10008.5.1.4.1.1.66.4": "segmentation",
    "1.2.840.10008.5.1.4.1.1.88.33": "structured report",
    "1.2.840.10008.5.1.4.1.1.11.1": "presentation state",
    "1.2.840.10008.5.1.4.1.1.7": "secondary capture",
    "1.2.840.10008.5.1.4.1.1.1": "radiograph (CR)",
    "1.2.840.10008.5.1.4.1.1.1.1": "radiograph (DX)",
    "1.2.840.10008.5.1.4.1.1.1.1.1": "radiograph (DX, for processing)",
}
_FOLDER_LISTING = "1.2.840.10008.1.3.10"  # DICOMDIR: an index, no object of a PACS


@dataclass(frozen=True)
class Outgoing:
    """One DICOM file to be sent.

    Parameters
    ----------
    path : the file.
    uid, sop_class, study_uid, series_uid : its UIDs.
    transfer_syntax : the UID of how it is encoded.
    kind : what it is, in words ("segmentation", "radiograph (DX)", …).
    bytes : its size.
    names_patient : it carries a patient's name or id, and is not marked as de-identified.
    """

    path: Path
    uid: str
    sop_class: str
    study_uid: str
    series_uid: str
    transfer_syntax: str
    kind: str
    bytes: int
    names_patient: bool = False


@dataclass(frozen=True)
class Left:
    """A file that is not sent, and why, in one sentence."""

    path: Path
    sentence: str
    code: str


def look(paths: Sequence[Path], largest: int = LARGEST_OBJECT) -> tuple[tuple[Outgoing, ...], tuple[Left, ...]]:
    """The DICOM objects among files and, at any depth, in folders; what is no DICOM object in a folder is passed over silently.

    Files that were named and cannot be sent, and damaged objects, are in the second tuple. Each SOP Instance UID goes once.
    Raises `InputError` (code "nothing-to-send") when there is nothing at all.
    """
    items: dict[str, Outgoing] = {}
    left: list[Left] = []
    for path, named in _files(paths):
        try:
            item = _look_at(path, largest)
        except InputError as error:
            if named or error.code != "not-dicom":
                left.append(Left(path, str(error), error.code))
            continue
        items.setdefault(item.uid, item)
    if not items and not left:
        raise InputError("There is no DICOM object to send; name files or folders that hold some.", code="nothing-to-send")
    return tuple(items.values()), tuple(left)


def _files(paths: Sequence[Path]) -> Iterator[tuple[Path, bool]]:
    """Files, and whether each was named itself. What a killed process left half written begins with a dot and is passed over."""
    for path in paths:
        if path.is_dir():
            inside = sorted(one for one in path.rglob("*") if one.is_file() and not one.name.startswith("."))
            yield from ((one, False) for one in inside)
        else:
            yield path, True


def _look_at(path: Path, largest: int) -> Outgoing:
    from pydicom import dcmread

    from OsteoScreenLib.radiograph.quiet import quiet

    name = printable(path.name)
    try:
        size = path.stat().st_size
        with open(path, "rb") as file:
            head = file.read(_HEAD)
    except OSError as error:
        raise InputError(f"{name} cannot be read ({error.strerror or error}).", "unreadable-file") from error
    if kind_of(head) != "dicom":
        raise InputError(f"{name} is no DICOM file, and a PACS takes nothing else.", "not-dicom")
    if size > largest:
        raise InputError(f"{name} is larger than {largest / 1e6:.0f} MB, the limit.", "too-large")
    try:
        with quiet():
            dataset = dcmread(path, stop_before_pixels=True, specific_tags=_LOOKED_AT)
            values = {keyword: str(dataset.get(keyword, "") or "").strip() for keyword in _LOOKED_AT}
            syntax = str(dataset.file_meta.TransferSyntaxUID)
    except Exception as error:  # pydicom raises whatever the file's bytes lead it to
        raise InputError(f"{name} has no complete DICOM header; export it again.", "damaged-header") from error
    uids = [values[keyword] for keyword in ("SOPInstanceUID", "SOPClassUID", "StudyInstanceUID", "SeriesInstanceUID")]
    if uids[1] == _FOLDER_LISTING:
        raise InputError(f"{name} is the index of a medium, which no PACS takes.", "not-dicom")
    if not all(is_uid(uid) for uid in [*uids, syntax]):
        raise InputError(f"{name} lacks a proper study, series, class or instance UID; no PACS could file it.", "no-uid")
    return Outgoing(path, uids[0], uids[1], uids[2], uids[3], syntax, _kind(dataset, uids[1]), size, _names_patient(values))


def _kind(dataset: Dataset, sop_class: str) -> str:
    from pydicom.uid import UID

    return _KINDS.get(sop_class) or UID(sop_class).name.removesuffix(" Storage")


def _names_patient(values: dict[str, str]) -> bool:
    return values["PatientIdentityRemoved"] != "YES" and bool(values["PatientName"].strip("^ ") or values["PatientID"])
