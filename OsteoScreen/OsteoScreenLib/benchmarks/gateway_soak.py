"""Does a killed gateway lose a radiograph, or answer one twice? The real command is killed again and again while senders insist,
the PACS behind it goes away and comes back, its disk is filled, and in the end the PACS is asked what it holds."""

from __future__ import annotations

import contextlib
import random
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from OsteoScreenLib.benchmarks.gateway_process import GatewayProcess
from OsteoScreenLib.benchmarks.orthanc import Orthanc
from OsteoScreenLib.benchmarks.small_disk import SmallDisk
from OsteoScreenLib.errors import OsteoScreenError
from OsteoScreenLib.gateway.rehearsal import Piece, Sender, pieces

_STORAGE = "1.2.840.10008.5.1.4.1.1."
OBJECTS = {f"{_STORAGE}66.4": "SEG", f"{_STORAGE}88.33": "SR", f"{_STORAGE}7": "SC"}
"""SOP class → what is due of each radiograph."""
_RESERVE_MIB = 128
_FULL_SECONDS, _AWAY_SECONDS, _LONGEST_BIDING = 12.0, 5.0, 120.0
_SOON = 0.25  # share of the moments that do not wait for work to be done
_PATIENCE = 3600.0


@dataclass(frozen=True)
class SoakFigures:
    """What came of it.

    radiographs, others : that were sent; the others are no chests. kills, restarts : of the gateway (SIGKILL), and of Orthanc.
    filled : how the disk was made full ("tmpfs", "reserve"). statuses : answers to C-STORE by their number, and "no answer".
    events : what the gateway's journals told, added up. faults : a sentence on each promise that was broken.
    """

    radiographs: int
    others: int
    senders: int
    kills: int
    restarts: int
    filled: str
    statuses: dict[str, int]
    events: dict[str, int]
    seconds: float
    faults: tuple[str, ...]

    @property
    def passed(self) -> bool:
        """Whether the PACS holds exactly one set of results of each radiograph, and nothing else."""
        return not self.faults

    def as_json(self) -> dict[str, object]:
        """The figures and the verdict as JSON values."""
        return {**asdict(self), "faults": list(self.faults), "passed": self.passed}

    def as_text(self) -> str:
        """For people."""
        answers = ", ".join(f"{status} {count}" for status, count in sorted(self.statuses.items()))
        return (
            f"{self.radiographs} radiographs and {self.others} other images from {self.senders} senders in {self.seconds:.0f} s\n"
            f"{self.kills} kills, {self.restarts} restarts of Orthanc, the disk filled once ({self.filled})\n"
            f"answers to C-STORE: {answers}\n"
            + "".join(f"{fault}\n" for fault in self.faults)
            + ("passed: exactly one set of results of each, none lost" if self.passed else "not passed")
        )


def soak(
    count: int = 300,
    *,
    others: int = 12,
    senders: int = 4,
    kills: int = 10,
    restarts: int = 2,
    seed: int = 0,
    folder: Path | None = None,
    interval: float = 1.0,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> SoakFigures:
    """Try a gateway in earnest.

    Parameters
    ----------
    count, others : chests, and images that are none. senders : that send at once. kills : of the gateway. restarts : of Orthanc.
    seed : of UIDs, order and moments. folder : for everything that is written; a temporary one if None. interval :
    seconds between two images of a sender. progress : called with the cases that are done and all.

    Raises `OsteoScreenError` where Orthanc is not installed, and when the gateway ends by itself.
    """
    began, chance = time.perf_counter(), random.Random(seed)
    images = pieces(count, others, seed)
    with contextlib.ExitStack() as stack:
        work = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=folder, prefix="osteoscreen-soak-")))
        server = stack.enter_context(Orthanc(work / "orthanc"))
        disk = SmallDisk(work / "queue")
        stack.callback(disk.close)
        gateway = GatewayProcess(work, disk.folder, server.dicomweb(), reserve_mib=_RESERVE_MIB if disk.kind == "tmpfs" else 0)
        stack.callback(gateway.kill)
        late = max(1, len(images) // 20)  # sent by one more sender, from the moment on at which the disk is full
        early = [
            Sender(gateway.dicom_port, images[late:][number::senders], f"SENDER{number}", interval=interval)
            for number in range(senders)
        ]
        last = Sender(gateway.dicom_port, images[:late], "LATE")
        leave = threading.Event()
        stack.callback(leave.set)
        gateway.start()
        threads = [one.start(leave) for one in early]
        trouble = _Trouble(gateway, server, disk, chance, lambda: threads.append(last.start(leave)))
        trouble.cause(kills, restarts, len(images), lambda: progress(gateway.done, len(images)))
        _wait_for_the_end(gateway, threads, len(images), progress)
        exit_code = gateway.terminate()
        faults = [] if exit_code == 0 else [f"The gateway ended with exit code {exit_code} when it was told to."]
        faults += _faults(images, server.instances())
        statuses: Counter[str] = sum((one.statuses for one in (*early, last)), Counter())
        if not statuses["A700"]:
            faults.append("The disk was full, and no sender was told so (0xA700).")
        if leaked := gateway.names("Rehearsal^", "REHEARSAL-", *(one.sop_instance_uid for one in images)):
            faults.append(f"The gateway's output names the patient or the image ({leaked}).")
        return SoakFigures(
            count, others, senders, trouble.kills, trouble.restarts, disk.kind, dict(statuses), dict(gateway.events()),
            time.perf_counter() - began, tuple(faults),
        )  # fmt: skip


class _Trouble:
    """What happens to the gateway, spread over its work: kills, Orthanc's restarts and a full disk, in an order left to chance."""

    def __init__(
        self, gateway: GatewayProcess, server: Orthanc, disk: SmallDisk, chance: random.Random, when_full: Callable[[], None]
    ) -> None:
        self._gateway, self._server, self._disk, self._chance, self._when_full = gateway, server, disk, chance, when_full
        self.kills = self.restarts = 0

    def cause(self, kills: int, restarts: int, total: int, tell: Callable[[], None]) -> None:
        """All of it. total : cases over which it is spread."""
        plan = ["kill"] * kills + ["restart"] * restarts + ["fill"]
        self._chance.shuffle(plan)
        for what in plan:
            self._bide(total // (len(plan) + 1), tell)
            if what == "kill":
                self._gateway.restart()
                self.kills += 1
            elif what == "restart":
                self._server.stop()
                self._sleep(_AWAY_SECONDS, tell)
                self._server.start()
                self.restarts += 1
            else:
                with self._disk.full(self._gateway):
                    self._when_full()
                    self._sleep(_FULL_SECONDS, tell)

    def _bide(self, share: int, tell: Callable[[], None]) -> None:
        """A random moment: soon, when the gateway may still be starting, or after about `share` more cases."""
        if self._chance.random() >= _SOON:
            due, deadline = self._gateway.done + self._chance.randint(0, 2 * share), time.monotonic() + _LONGEST_BIDING
            while self._gateway.done < due and time.monotonic() < deadline:
                self._sleep(0.2, tell)
        self._sleep(self._chance.uniform(0.0, 3.0), tell)

    def _sleep(self, seconds: float, tell: Callable[[], None]) -> None:
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            tell()
            self._gateway.check()
            time.sleep(min(0.2, left))


def _wait_for_the_end(
    gateway: GatewayProcess, threads: Sequence[threading.Thread], total: int, progress: Callable[[int, int], None]
) -> None:
    deadline = time.monotonic() + _PATIENCE
    while any(thread.is_alive() for thread in threads) or gateway.done < total:
        progress(gateway.done, total)
        gateway.check()
        if time.monotonic() > deadline:
            raise OsteoScreenError(f"After an hour {gateway.done} of {total} cases are done; see {gateway.output}.")
        time.sleep(0.5)
    progress(total, total)


def _faults(images: Sequence[Piece], stored: Sequence[dict[str, str]]) -> list[str]:
    """What the PACS holds beside exactly one set of results of each radiograph."""
    found = Counter((one["StudyInstanceUID"], OBJECTS.get(one["SOPClassUID"], "other object")) for one in stored)
    faults = []
    for image in images:
        for kind in OBJECTS.values():
            number, due = found.pop((image.study_uid, kind), 0), int(image.screened)
            if number != due:
                faults.append(f"Image {image.number}: {number} {kind} instead of {due}.")
    return faults + [f"There is a {kind} of a study that nobody sent." for _, kind in found]
