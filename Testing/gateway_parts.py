"""What the gateway's tests share: quick analysers and couriers, senders, and radiographs with UIDs of their own."""

from __future__ import annotations

import io
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydicom import dcmread
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

from OsteoScreenLib.errors import InputError
from OsteoScreenLib.gateway.analysers import GivenBack
from OsteoScreenLib.gateway.delivering import Delivery
from OsteoScreenLib.gateway.journal import Journal
from OsteoScreenLib.gateway.settings import Limits, Listening, Settings, Web

CR = "1.2.840.10008.5.1.4.1.1.1"
LIMITS = Limits(object_bytes=2**20, associations=4, association_seconds=5, idle_seconds=5, reserve_bytes=0, attempts=3)


def radiograph(uid: str | None = None, **changes: Any) -> Dataset:
    """A tiny CR image; it is not analysable, and need not be."""
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.SOPClassUID, dataset.SOPInstanceUID = CR, uid or generate_uid()
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = generate_uid(), generate_uid()
    dataset.PatientName, dataset.PatientID, dataset.Modality = "Secret^Name", "SECRET-ID", "CR"
    dataset.Rows = dataset.Columns = 16
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 8, 8, 7, 0
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.PixelData = bytes(range(256))
    for name, value in changes.items():
        setattr(dataset, name, value)
    return dataset


def as_file(dataset: Dataset) -> bytes:
    """The data set as a DICOM file."""
    stream = io.BytesIO()
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    dataset.save_as(stream, enforce_file_format=True)
    return stream.getvalue()


class QuickAnalyser:
    """Writes the image's own UID as its results. behave : may raise or wait, with the UID and how often it was asked."""

    def __init__(self, behave: Callable[[str, int], None] = lambda uid, time: None, seconds: float = 0.0) -> None:
        self._behave, self._seconds = behave, seconds
        self.asked: Counter[str] = Counter()
        self.closed = False

    def warm(self, leave: threading.Event) -> None:
        """Nothing to load."""

    def analyse(self, image: Path, out: Path, following: Path | None, leave: threading.Event) -> Mapping[str, Path]:
        """See `Analyser`."""
        uid = str(dcmread(image).SOPInstanceUID)
        self.asked[uid] += 1
        self._behave(uid, self.asked[uid])
        if leave.wait(self._seconds):
            raise GivenBack("Leaving.")
        out.mkdir(parents=True)
        for kind in ("seg", "sr", "sc"):
            (out / f"{kind}.dcm").write_text(f"{uid} {kind}")
        return {kind: out / f"{kind}.dcm" for kind in ("seg", "sr", "sc")}

    def close(self) -> None:
        """Remembered."""
        self.closed = True


class QuickCourier:
    """Keeps what was delivered, in memory. answer : what becomes of an attempt; None means well."""

    def __init__(self, answer: Callable[[int], Delivery | None] = lambda attempt: None) -> None:
        self._answer = answer
        self.attempts = 0
        self.delivered: Counter[str] = Counter()

    def deliver(self, files: Sequence[Path]) -> Delivery:
        """See `Courier`."""
        self.attempts += 1
        if (answer := self._answer(self.attempts)) is not None:
            return answer
        self.delivered.update(path.read_text() for path in files)
        return Delivery(len(files))


def settings(folder: Path, limits: Limits = LIMITS, **changes: Any) -> Settings:
    """A gateway on ports that the system chooses."""
    listening = changes.pop("listening", Listening(port=0))
    return Settings(folder, "nowhere", listening=listening, web=changes.pop("web", Web(port=0)), limits=limits, **changes)


def quiet() -> tuple[Journal, io.StringIO]:
    """A journal, and what is written into it."""
    stream = io.StringIO()
    return Journal(stream), stream


def wait_for(what: Callable[[], bool], seconds: float = 20.0) -> None:
    """Until it is so; fails when it takes longer."""
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline, "It took too long."
        time.sleep(0.02)


def send(port: int, *datasets: Dataset, calling: str = "SENDER", called: str = "OSTEOSCREEN") -> list[int | None]:
    """Send by C-STORE. Returns the statuses; None where the association ended."""
    from pynetdicom import AE

    entity = AE(calling)
    entity.add_requested_context(CR, ExplicitVRLittleEndian)
    entity.acse_timeout = entity.dimse_timeout = 10
    association = entity.associate("127.0.0.1", port, ae_title=called)
    statuses: list[int | None] = []
    for dataset in datasets:
        if not association.is_established:
            statuses.append(None)
            continue
        status = association.send_c_store(dataset)
        statuses.append(status.Status if "Status" in status else None)
    if association.is_established:
        association.release()
    return statuses


def refuse(code: str) -> Callable[[str, int], None]:
    """A behaviour that refuses every image."""

    def behave(uid: str, time: int) -> None:
        raise InputError("Not a chest.", code=code)

    return behave
