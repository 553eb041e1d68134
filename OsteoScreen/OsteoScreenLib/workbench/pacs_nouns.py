"""What the PACS window is about: connections, a search and what it found, files that came, objects that are to go."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Kind = Literal["dicomweb", "dimse"]
Secret = Literal["none", "there", "missing"]
FileKind = Literal["image", "report", "masks", "other"]

RADIOGRAPHS = ("CR", "DX")  # modalities (PS3.3 C.7.3.1.1.1) that are searched for
REPORTS = ("SR",)


@dataclass(frozen=True)
class ConnectionFacts:
    """A stored connection, without its secret.

    kind : "dicomweb" or "dimse". where : address in words. protection : TLS and sign-in in words. secret : "none" is needed,
    "there" (kept in a file or in an environment variable), or "missing", so that it is typed. remark : what a reader should know
    before anything is sent over it, in one sentence, or "".
    """

    name: str
    kind: Kind
    where: str
    protection: str
    secret: Secret
    remark: str = ""


@dataclass(frozen=True)
class Search:
    """What is searched for; "" leaves a field open.

    patient_name, patient_id, accession : as DICOM matches them, with * and ?. first_day, last_day : "YYYYMMDD". modalities : of series.
    """

    patient_name: str = ""
    patient_id: str = ""
    accession: str = ""
    first_day: str = ""
    last_day: str = ""
    modalities: tuple[str, ...] = RADIOGRAPHS


@dataclass(frozen=True)
class FoundSeries:
    """One series of the archive. date : "YYYYMMDD" or "". images : None where the archive does not say."""

    study_uid: str
    series_uid: str
    patient_name: str
    patient_id: str
    date: str
    modality: str
    description: str
    images: int | None


@dataclass(frozen=True)
class FetchedFile:
    """A file that came. kind : an image, a structured report, bone masks, or something else.

    name : for the list of cases, without anything of the patient.
    """

    path: str
    name: str
    kind: FileKind


@dataclass(frozen=True)
class OutgoingObject:
    """One file that would be sent. kind : in words. title : its description. carries : what of the patient is in it, in words."""

    path: str
    kind: str
    title: str
    bytes: int
    carries: tuple[str, ...]


@dataclass(frozen=True)
class SendOutcome:
    """What became of one file. problem : one sentence, "" when it was stored."""

    path: str
    problem: str


@dataclass(frozen=True)
class NewConnection:
    """What the reader wrote into the form. values : the fields of a connection. secret : typed, or "". keep : in a file of his own."""

    values: Mapping[str, Any] = field(default_factory=dict)
    secret: str = ""
    keep: bool = False
