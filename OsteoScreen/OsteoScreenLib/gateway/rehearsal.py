"""Radiographs and senders for trying a gateway: variants of simulated samples with UIDs of their own, sent until they are taken."""

from __future__ import annotations

import io
import random
import threading
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from OsteoScreenLib.files import resource_folder

SAMPLES = ("simulated_chest_normal.dcm", "simulated_chest_osteoporosis.dcm")
_ROOT = "2.25."
_PAUSE = 0.5
_SECONDS = 20.0


@dataclass(frozen=True)
class Piece:
    """One radiograph to be sent. screened : it is a chest, so results are due; the others are to be refused."""

    number: int
    sop_instance_uid: str
    study_uid: str
    screened: bool


def pieces(count: int, others: int, seed: int) -> tuple[Piece, ...]:
    """`count` chests and `others` that are none, in an order and with UIDs that follow from the seed."""
    chance = random.Random(seed)
    kinds = [True] * count + [False] * others
    chance.shuffle(kinds)
    uids = [f"{_ROOT}{chance.getrandbits(122)}" for _ in range(2 * len(kinds))]
    return tuple(Piece(number, uids[2 * number], uids[2 * number + 1], kind) for number, kind in enumerate(kinds))


def data_set(piece: Piece) -> bytes:
    """A piece as a DICOM file: a shipped sample with its own patient, study and image; one that is no chest is noise."""
    import numpy as np
    from pydicom import dcmread
    from pydicom.uid import UID

    dataset = dcmread(resource_folder("SampleData", SAMPLES[piece.number % len(SAMPLES)]))
    dataset.SOPInstanceUID = UID(piece.sop_instance_uid)
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = piece.study_uid, f"{piece.study_uid[:60]}.1"
    dataset.PatientID, dataset.PatientName = f"REHEARSAL-{piece.number:05}", f"Rehearsal^{piece.number:05}"
    dataset.AccessionNumber = f"R{piece.number:05}"
    if not piece.screened:
        dataset.decompress(generate_instance_uid=False)
        noise = np.random.default_rng(piece.number).integers(0, 2**dataset.BitsStored, (dataset.Rows, dataset.Columns))
        dataset.PixelData = noise.astype(np.uint16 if dataset.BitsAllocated == 16 else np.uint8).tobytes()
    stream = io.BytesIO()
    dataset.save_as(stream, enforce_file_format=True)
    return stream.getvalue()


@dataclass
class Sender:
    """Sends its pieces by C-STORE, each until it is taken, whatever happens to the gateway meanwhile.

    port : the gateway's, on loopback. interval : seconds between two pieces. statuses : how often each status was answered, "no answer" among them. taken : how many
    pieces were answered with success.
    """

    port: int
    pieces: Sequence[Piece]
    name: str = "SENDER"
    called: str = "OSTEOSCREEN"
    interval: float = 0.0
    statuses: Counter[str] = field(default_factory=Counter)
    taken: int = 0

    def start(self, leave: threading.Event) -> threading.Thread:
        """Send on a thread of its own until all are taken or `leave` is set."""
        thread = threading.Thread(target=self._send_all, args=(leave,), name=self.name, daemon=True)
        thread.start()
        return thread

    def _send_all(self, leave: threading.Event) -> None:
        waiting = list(self.pieces)
        while waiting and not leave.is_set():
            waiting = self._send(waiting, leave)
            if waiting:
                leave.wait(_PAUSE)

    def _send(self, waiting: list[Piece], leave: threading.Event) -> list[Piece]:
        """One association; returns what is still to be sent."""
        from pydicom import dcmread
        from pydicom.uid import DigitalXRayImageStorageForPresentation, ExplicitVRLittleEndian, JPEG2000Lossless
        from pynetdicom import AE

        entity = AE(self.name)
        entity.acse_timeout = entity.dimse_timeout = entity.network_timeout = _SECONDS
        for syntax in (JPEG2000Lossless, ExplicitVRLittleEndian):
            entity.add_requested_context(DigitalXRayImageStorageForPresentation, syntax)
        association = entity.associate("127.0.0.1", self.port, ae_title=self.called)
        left = list(waiting)
        for piece in waiting:
            if leave.is_set() or not association.is_established:
                break
            try:
                status = association.send_c_store(dcmread(io.BytesIO(data_set(piece)))).get("Status")
            except (RuntimeError, ValueError, OSError):  # the association ended meanwhile
                status = None
            self.statuses["no answer" if status is None else f"{status:04X}"] += 1
            if status == 0:
                left.remove(piece)
                self.taken += 1
            leave.wait(self.interval)
        if association.is_established:
            association.release()
        return left
