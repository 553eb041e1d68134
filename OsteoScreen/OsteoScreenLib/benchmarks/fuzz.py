"""Broken DICOM files through reading, and those that reading lets through also through the whole chain: each must end in words.

A file may be read or refused in one sentence. It may not end its process, keep it busy for longer than the limit, raise anything
else, print, or take more memory than the limit. Files that do are kept.
"""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import psutil

from OsteoScreenLib.benchmarks.fuzz_figures import STANDARD, Fault, FuzzFigures, Limits
from OsteoScreenLib.errors import InputError
from OsteoScreenLib.files import resource_folder, write_bytes, write_text
from OsteoScreenLib.study.mutants.bases import Base, bases
from OsteoScreenLib.study.mutants.mutant import Mutant, mutant
from OsteoScreenLib.workbench.worker_client import WorkerClient, WorkerEnded, WorkerFault
from OsteoScreenLib.worker.protocol import Message

Progress = Callable[[str, int, int], None]
"""Called with what is going on, how many files are done and how many there are."""

_READER = ("-m", "OsteoScreenLib.benchmarks.fuzz_reader")
_WARM_UP_SECONDS = 120.0
_BUSY = 6  # times slower than a machine of one's own


def fuzz(
    files: int = 5000,
    chain: int = 200,
    seed: int = 0,
    *,
    out: Path,
    radiographs: Sequence[Path] = (),
    limits: Limits = STANDARD,
    progress: Progress = lambda what, done, total: None,
    reader: Callable[[], WorkerClient] = lambda: WorkerClient(arguments=_READER),
    analyser: Callable[[], WorkerClient] = WorkerClient,
) -> FuzzFigures:
    """Break `files` files, read them all, and analyse the first `chain` that come through, with their DICOM results.

    out : where files that did not end in words are kept; made when there is one. radiographs : DICOM files to break besides the
    shipped samples. reader, analyser : make the processes.
    """
    began, figures = time.perf_counter(), FuzzFigures(files, chain, seed)
    samples = sorted(resource_folder("SampleData").glob("*.dcm"))
    whole = bases([*radiographs, *samples])
    passing = _read_all(figures, whole, out, limits, progress, reader)
    if chain:
        _analyse(figures, whole, passing, out, limits, progress, analyser, reader)
    figures.seconds = time.perf_counter() - began
    return figures


def _read_all(
    figures: FuzzFigures,
    whole: Sequence[Base],
    out: Path,
    limits: Limits,
    progress: Progress,
    reader: Callable[[], WorkerClient],
) -> list[int]:
    """Read every mutant; the numbers of those that were read."""
    passing = []
    with tempfile.TemporaryDirectory(prefix="osteoscreen-fuzz-") as work, reader() as client:
        watched = _Watched(client, "read", {"path": str(Path(work) / "broken.dcm")}, limits, whole[-1])
        for number in range(figures.files):
            one = mutant(whole, figures.seed, number)
            answer, what, seconds = watched.given(one.data)
            figures.slowest = max(figures.slowest, seconds)
            figures.peak_bytes = max(figures.peak_bytes, int(answer.get("peak_bytes", 0)))
            what = (
                what
                or _sentence_fault(answer)
                or _said(answer)
                or _memory_fault(int(answer.get("peak_bytes", 0)), limits.memory_bytes)
            )
            if what:
                _keep(figures, one, "read", what, out)
                client.cancel()  # the next file's memory is its own again
            if answer.get("status") == "read":
                figures.read += 1
                passing.append(number)
            elif answer:
                figures.refused += 1
                figures.codes[str(answer["code"])] += 1
            progress("Reading broken files", number + 1, figures.files)
    return passing


def _analyse(
    figures: FuzzFigures,
    whole: Sequence[Base],
    passing: Sequence[int],
    out: Path,
    limits: Limits,
    progress: Progress,
    analyser: Callable[[], WorkerClient],
    reader: Callable[[], WorkerClient],
) -> None:
    """Analyse mutants that were read until enough gave an answer, and read back what was written."""
    sample = next(base for base in whole if base.name.startswith("simulated_chest"))
    with tempfile.TemporaryDirectory(prefix="osteoscreen-fuzz-") as work, analyser() as client, reader() as looking:
        request = {"path": str(Path(work) / "broken.dcm"), "out": str(Path(work) / "results"), "dicom": True}
        watched = _Watched(client, "analyse", request, limits, sample)
        for number in passing:
            if figures.analysed >= figures.chain:
                break
            one = mutant(whole, figures.seed, number)
            answer, what, seconds = watched.given(one.data)
            figures.slowest_chain = max(figures.slowest_chain, seconds)
            if "files" in answer:
                written = {name: file for name, file in answer["files"].items() if file.endswith(".dcm")}
                peak = int(answer["peak_memory_bytes"])
                figures.analysed += 1
                figures.without_objects += "sr" not in written
                figures.chain_peak_bytes = max(figures.chain_peak_bytes, peak)
                what = (
                    what
                    or _memory_fault(peak, limits.chain_memory_bytes)
                    or _asked(looking, "read-back", {"files": written}, limits.seconds)[1]
                )
            elif answer:
                figures.turned_away += 1
                what = what or _sentence_fault(answer)
            if what:
                _keep(figures, one, "chain", what, out)
            progress("Analysing those that were read", figures.analysed, figures.chain)


@dataclass
class _Watched:
    """A process that is given one file after another. whole : a file that it reads well, so that it is warm before it is timed."""

    client: WorkerClient
    kind: str
    request: Mapping[str, Any]
    limits: Limits
    whole: Base

    def given(self, data: bytes) -> tuple[dict[str, Any], str, float]:
        """The answer about a file, what went wrong in one line, and the seconds it took on the clock."""
        if self.client.process_id is None:
            self._put(self.whole.data)
            self.client.request(self.kind, self.request, timeout=_WARM_UP_SECONDS)
        self._put(data)
        began = time.perf_counter()
        answer, what = _asked(self.client, self.kind, self.request, self.limits.seconds)
        return answer, what, time.perf_counter() - began

    def _put(self, data: bytes) -> None:
        Path(self.request["path"]).write_bytes(data)


def _asked(client: WorkerClient, kind: str, body: Mapping[str, Any], seconds: float) -> tuple[dict[str, Any], str]:
    """The answer and "", or nothing and what happened instead, in one line. A refusal is an answer with `code` and `sentence`."""
    try:
        answer = _answer(client, kind, body, seconds)
    except InputError as error:
        return {"code": error.code, "sentence": str(error)}, ""
    except WorkerEnded as error:
        return {}, f"crash: {error.happened}"
    except WorkerFault as error:
        lines = error.details.strip().splitlines()
        return {}, f"fault: {lines[-1] if lines else error}"
    return ({}, f"no answer within {seconds:g} s") if answer is None else (dict(answer.body), "")


def _answer(client: WorkerClient, kind: str, body: Mapping[str, Any], seconds: float) -> Message | None:
    """The answer, None when the time was up; the process is ended then."""
    client.submit(kind, body)
    assert client.process_id is not None
    number, pause = client.process_id, 0.0005
    began, spent = time.monotonic(), _own_seconds(number)
    while (answer := client.poll()) is None:
        waited = time.monotonic() - began
        if waited > seconds and (waited > _BUSY * seconds or _own_seconds(number) - spent > seconds):
            client.cancel()
            return None
        time.sleep(pause)
        pause = min(1.3 * pause, 0.02)
    return answer


def _own_seconds(process_id: int) -> float:
    """Seconds that a process has computed for."""
    try:
        times = psutil.Process(process_id).cpu_times()
    except psutil.Error:  # it has just ended, which its pipe will tell
        return 0.0
    return float(times.user + times.system)


def _sentence_fault(answer: Mapping[str, Any]) -> str:
    """What is wrong with a refusal's words, "" if nothing."""
    sentence = str(answer.get("sentence", ""))
    if "status" in answer and answer["status"] != "read" and not (sentence and answer.get("code")):
        return "refused without a word"
    if "\n" in sentence or not sentence.isprintable() or "Traceback" in sentence:
        return f"a refusal that is no sentence: {sentence!r}"
    return ""


def _said(answer: Mapping[str, Any]) -> str:
    """What the reading process printed, which it should not, "" if nothing."""
    printed = str(answer.get("printed", "")).strip()
    return f"printed: {printed.splitlines()[0]}" if printed else ""


def _memory_fault(peak: int, limit: int) -> str:
    return f"took {peak / 2**20:.0f} MiB" if peak > limit else ""


def _keep(figures: FuzzFigures, one: Mutant, stage: str, what: str, out: Path) -> None:
    out.mkdir(parents=True, exist_ok=True)
    kept = write_bytes(out / f"{stage}-{figures.seed}-{one.number}.dcm", one.data)
    fault = Fault(one.number, stage, one.base, one.faults, what, str(kept))
    write_text(kept.with_suffix(".json"), json.dumps(asdict(fault), indent=2) + "\n")
    figures.faults.append(fault)
