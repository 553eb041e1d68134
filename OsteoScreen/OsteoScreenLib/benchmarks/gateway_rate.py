"""What the gateway adds to the analyser's own time: receiving, the durable queue, sending, and a PACS on the same machine."""

from __future__ import annotations

import contextlib
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from OsteoScreenLib.benchmarks.gateway_process import GatewayProcess
from OsteoScreenLib.benchmarks.orthanc import Orthanc
from OsteoScreenLib.errors import OsteoScreenError
from OsteoScreenLib.gateway.analysers import ProcessAnalyser
from OsteoScreenLib.gateway.rehearsal import Piece, Sender, data_set, pieces

OPTIONS = {"objects": ["seg", "sr", "sc"]}
_AIM = 1.2
_PATIENCE = 600.0


@dataclass(frozen=True)
class RateFigures:
    """own_seconds, gateway_seconds : for one radiograph, a round each, in turns. ratio : the median of the rounds'."""

    images: int
    senders: int
    own_seconds: tuple[float, ...]
    gateway_seconds: tuple[float, ...]
    ratio: float
    aim: float = _AIM

    def as_json(self) -> dict[str, object]:
        """The figures as JSON values."""
        return asdict(self)

    def as_text(self) -> str:
        """For people."""
        own, gateway = (statistics.median(values) for values in (self.own_seconds, self.gateway_seconds))
        return (
            f"{len(self.own_seconds)} rounds of {self.images} radiographs, {self.senders} senders\n"
            f"the analyser alone {own:.3f} s, through the gateway {gateway:.3f} s a radiograph (medians)\n"
            f"ratio {self.ratio:.2f} (median of the rounds; aim at most {self.aim:g})"
        )


def measure(
    images: int = 20,
    rounds: int = 3,
    senders: int = 4,
    folder: Path | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> RateFigures:
    """Analyse as many radiographs in one warm process, from files into files, and through a warm gateway into Orthanc, in turns.

    The gateway's time is from the first C-STORE until Orthanc has the last result.
    """
    own, through = [], []
    with contextlib.ExitStack() as stack:
        work = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=folder, prefix="osteoscreen-rate-")))
        server = stack.enter_context(Orthanc(work / "orthanc"))
        gateway = GatewayProcess(work, work / "queue", server.dicomweb())
        stack.callback(gateway.kill)
        gateway.start()
        analyser = ProcessAnalyser(OPTIONS, _PATIENCE)
        stack.callback(analyser.close)
        analyser.warm(threading.Event())
        gateway.wait_until_ready()
        _alone(analyser, pieces(2, 0, seed=rounds), work / "warm")
        _through(gateway, pieces(2, 0, seed=rounds), 1)
        for number in range(rounds):
            batch = pieces(images, 0, seed=number)
            own.append(_alone(analyser, batch, work / f"round-{number}"))
            through.append(_through(gateway, batch, senders))
            progress(number + 1, rounds)
        gateway.terminate()
    ratio = statistics.median(b / a for a, b in zip(own, through, strict=True))
    return RateFigures(images, senders, tuple(own), tuple(through), ratio)


def _alone(analyser: ProcessAnalyser, batch: Sequence[Piece], folder: Path) -> float:
    """Seconds for one radiograph."""
    folder.mkdir()
    paths = [folder / f"{piece.number}.dcm" for piece in batch]
    for piece, path in zip(batch, paths, strict=True):
        path.write_bytes(data_set(piece))
    began, never = time.perf_counter(), threading.Event()
    for path, following in zip(paths, [*paths[1:], None], strict=True):
        analyser.analyse(path, path.with_suffix(""), following, never)
    return (time.perf_counter() - began) / len(batch)


def _through(gateway: GatewayProcess, batch: Sequence[Piece], senders: int) -> float:
    """Seconds for one radiograph."""
    gateway.check()
    due, leave = gateway.done + len(batch), threading.Event()
    began = time.perf_counter()
    threads = [Sender(gateway.dicom_port, batch[number::senders]).start(leave) for number in range(senders)]
    while gateway.done < due:
        time.sleep(0.05)
        gateway.check()
        if time.perf_counter() - began > _PATIENCE:
            raise OsteoScreenError(
                f"The gateway did not finish {len(batch)} radiographs in {_PATIENCE:g} s; see {gateway.output}."
            )
    seconds = time.perf_counter() - began
    for thread in threads:
        thread.join()
    return seconds / len(batch)
