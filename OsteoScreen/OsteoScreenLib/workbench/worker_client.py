"""Starts the inference process, sends it one request at a time, and survives its end.

Usable from a command line (blocking `request`) and from an event loop (`submit`, then `poll` from a timer). Starts the child
with subprocess, never multiprocessing, which inside Slicer would start a second Slicer.
"""

from __future__ import annotations

import contextlib
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from OsteoScreenLib.errors import InputError, OsteoScreenError
from OsteoScreenLib.worker.protocol import Message, ProtocolError, read_message, write_message

ProgressCallback = Callable[[str, float, str], None]
"""Called with (stage, fraction between 0 and 1, sentence)."""


class WorkerFault(OsteoScreenError):
    """A request failed through no fault of the user. `code` names the reason, `details` is the traceback for a log."""

    def __init__(self, sentence: str, code: str = "fault", details: str = "") -> None:
        super().__init__(sentence)
        self.code = code
        self.details = details


class WorkerEnded(WorkerFault):
    """The analysis process ended while it was needed. The next request starts a new one."""


class WorkerClient:
    """One analysis process, started at the first request and kept warm.

    Parameters
    ----------
    python : the interpreter that has torch, for example Slicer's PythonSlicer.
    arguments : what to run in it; only tests replace it.
    environment : extra environment variables of the child.
    log : file to which the child's stderr is appended; it never reaches the terminal.
    """

    def __init__(
        self,
        python: str | Path = sys.executable,
        *,
        arguments: Sequence[str] = ("-m", "OsteoScreenLib.worker"),
        environment: Mapping[str, str] | None = None,
        log: Path | None = None,
    ) -> None:
        self._command = [str(python), *arguments]
        self._environment = dict(environment or {})
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None
        self._inbox: queue.SimpleQueue[Message | ProtocolError | None] = queue.SimpleQueue()
        self._tail: deque[str] = deque(maxlen=200)
        self._drain: threading.Thread | None = None
        self._last_request = 0
        self._in_flight: int | None = None
        self._doing = ""

    def __enter__(self) -> WorkerClient:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def process_id(self) -> int | None:
        """The child's process id, None while there is none."""
        return self._process.pid if self._process is not None and self._process.poll() is None else None

    @property
    def busy(self) -> bool:
        """True between a request and its answer."""
        return self._in_flight is not None

    @property
    def stderr_tail(self) -> str:
        """The child's last lines on stderr, for a log or a bug report."""
        return "\n".join(self._tail)

    def start(self) -> None:
        """Start the child unless it runs. Returns at once; the child imports its libraries meanwhile."""
        if self.process_id is not None:
            return
        self._dispose()
        environment = os.environ | self._environment
        package = str(Path(__file__).resolve().parents[2])
        others = environment.get("PYTHONPATH", "")
        environment["PYTHONPATH"] = package + os.pathsep + others if others else package
        environment["PYTHONUNBUFFERED"] = "1"
        # Threads of torch that wait shall sleep, not spin: where other programs use a core too, spinning made an analysis
        # ten times slower (measured on two cores), and on an idle machine sleeping costs nothing that can be noticed.
        environment.setdefault("OMP_WAIT_POLICY", "PASSIVE")
        environment.setdefault("KMP_BLOCKTIME", "0")
        environment["PYTHONIOENCODING"] = "utf-8:backslashreplace"
        options: dict[str, Any] = {}
        if sys.platform == "win32":
            options["creationflags"] = subprocess.CREATE_NO_WINDOW | subprocess.CREATE_NEW_PROCESS_GROUP
        else:
            options["start_new_session"] = True  # Ctrl-C is for the parent, which then ends the child
        try:
            self._process = subprocess.Popen(
                self._command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                bufsize=0,
                env=environment,
                **options,
            )
        except OSError as error:
            raise WorkerFault(
                f"The analysis process could not be started with {self._command[0]}: {error.strerror or error}; "
                "check that this Python is installed.",
                code="not-started",
            ) from error
        assert self._process.stdout is not None and self._process.stderr is not None
        self._inbox = queue.SimpleQueue()
        self._tail.clear()
        threading.Thread(target=_receive, args=(self._process.stdout, self._inbox), name="replies", daemon=True).start()
        self._drain = threading.Thread(
            target=_drain, args=(self._process.stderr, self._tail, self._log), name="worker log", daemon=True
        )
        self._drain.start()

    def submit(
        self, kind: str, body: Mapping[str, Any] | None = None, arrays: Mapping[str, np.ndarray] | None = None, doing: str = ""
    ) -> int:
        """Send one request and return its number without waiting; the answer comes through `poll` or `wait`.

        doing : what is going on in words ("analysing chest.dcm"), for the sentence if the process ends meanwhile.
        Raises `OsteoScreenError` when another request is still being answered.
        """
        if self._in_flight is not None:
            raise OsteoScreenError(f"The analysis process is still busy with {self._doing}; wait for it or cancel it first.")
        self.start()
        assert self._process is not None and self._process.stdin is not None
        self._last_request += 1
        self._doing = doing or f"answering '{kind}'"
        message = Message(kind, {**(body or {}), "request": self._last_request}, arrays or {})
        self._in_flight = self._last_request
        try:
            write_message(self._process.stdin, message)  # type: ignore[arg-type]
        except ProtocolError:
            self._in_flight = None
            raise
        except OSError as error:
            raise self._ended() from error
        return self._last_request

    def poll(self, on_progress: ProgressCallback | None = None) -> Message | None:
        """Take what has arrived without blocking; the answer if it is there, else None.

        Raises `InputError`, `WorkerFault` or `WorkerEnded`, each one sentence.
        """
        while self._in_flight is not None:
            try:
                arrived = self._inbox.get_nowait()
            except queue.Empty:
                return None
            answer = self._take(arrived, on_progress)
            if answer is not None:
                return answer
        return None

    def wait(self, on_progress: ProgressCallback | None = None, timeout: float | None = None) -> Message:
        """Block until the answer of the request in flight. timeout : seconds without it, after which the process is ended."""
        deadline = None if timeout is None else time.monotonic() + timeout
        while True:
            left = None if deadline is None else deadline - time.monotonic()
            try:
                arrived = self._inbox.get(timeout=left) if left is None or left > 0 else self._inbox.get_nowait()
            except queue.Empty:
                doing = self._doing
                self.cancel()
                raise WorkerFault(
                    f"The analysis process gave no answer within {timeout:g} s while {doing}; it was ended.", code="timeout"
                ) from None
            answer = self._take(arrived, on_progress)
            if answer is not None:
                return answer

    def request(
        self,
        kind: str,
        body: Mapping[str, Any] | None = None,
        arrays: Mapping[str, np.ndarray] | None = None,
        *,
        on_progress: ProgressCallback | None = None,
        timeout: float | None = None,
        doing: str = "",
    ) -> Message:
        """Send one request and wait for its answer. See `submit` and `wait` for what is raised."""
        self.submit(kind, body, arrays, doing)
        return self.wait(on_progress, timeout)

    def cancel(self) -> None:
        """End the child at once, whatever it does; the next request starts a new one. A forward pass cannot be interrupted."""
        self._dispose()

    def close(self) -> None:
        """Ask an idle child to leave, end a busy one. Safe to call twice."""
        process = self._process
        if process is not None and process.poll() is None and self._in_flight is None:
            with contextlib.suppress(OSError, subprocess.TimeoutExpired):
                assert process.stdin is not None
                process.stdin.close()  # the child leaves when its pipe closes
                process.wait(timeout=5)
        self._dispose()

    def _take(self, arrived: Message | ProtocolError | None, on_progress: ProgressCallback | None) -> Message | None:
        if arrived is None:
            raise self._ended()
        if isinstance(arrived, ProtocolError):
            self._dispose()
            raise WorkerFault(str(arrived), code="protocol") from arrived
        if arrived.body.get("request") != self._in_flight:
            return None  # left over from a request that is no longer wanted
        if arrived.kind == "progress":
            if on_progress is not None:
                on_progress(str(arrived.body["stage"]), float(arrived.body["fraction"]), str(arrived.body["message"]))
            return None
        self._in_flight = None
        if arrived.kind == "error":
            sentence, code = str(arrived.body["sentence"]), str(arrived.body["code"])
            if arrived.body["kind"] == "input":
                raise InputError(sentence, code=code)
            raise WorkerFault(sentence, code=code, details=str(arrived.body.get("details", "")))
        return arrived

    def _ended(self) -> WorkerEnded:
        """The child closed its pipe in the middle of a request: say how it ended and forget it."""
        process, doing = self._process, self._doing
        code: int | None = None
        if process is not None:
            try:
                code = process.wait(timeout=5)
            except subprocess.TimeoutExpired:
                code = None
        if self._drain is not None:
            self._drain.join(timeout=2)
        details = self.stderr_tail
        self._dispose()
        if "No module named" in details and "OsteoScreenLib.worker" not in details.splitlines()[-1]:
            missing = details.splitlines()[-1].strip()
            advice = f"a library is missing there ({missing})"
        elif code is not None and -code in (getattr(signal, "SIGKILL", None), getattr(signal, "SIGABRT", None)):
            advice = "often the computer ran out of memory; run it again, with other programs closed"
        else:
            advice = "run it again"
        return WorkerEnded(
            f"The analysis process ended unexpectedly ({_how(code)}) while {doing}; {advice}.", code="ended", details=details
        )

    def _dispose(self) -> None:
        process, self._process, self._in_flight = self._process, None, None
        if process is None:
            return
        if process.poll() is None:
            process.kill()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=10)
        if self._drain is not None:
            self._drain.join(timeout=2)
        for pipe in (process.stdin, process.stdout, process.stderr):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()


def _how(code: int | None) -> str:
    if code is None:
        return "its pipe closed"
    return f"signal {-code}" if code < 0 else f"exit code {code}"


def _receive(stream: BinaryIO, inbox: queue.SimpleQueue[Message | ProtocolError | None]) -> None:
    """Move the child's messages into the inbox; None marks the end. Runs on its own thread and touches nothing else."""
    try:
        while (message := read_message(stream)) is not None:
            inbox.put(message)
    except ProtocolError as error:
        # A frame cut off in the middle is how a killed process looks from here; anything else is a damaged stream.
        inbox.put(None if "ended inside" in str(error) else error)
        return
    except (OSError, ValueError):
        pass
    inbox.put(None)


def _drain(stream: BinaryIO, tail: deque[str], log: Path | None) -> None:
    """Keep the child's stderr from filling its pipe: last lines in memory, all of it in the log."""
    with contextlib.ExitStack() as stack:
        copy = None
        if log is not None:
            with contextlib.suppress(OSError):
                log.parent.mkdir(parents=True, exist_ok=True)
                copy = stack.enter_context(open(log, "a", encoding="utf-8", errors="backslashreplace"))
        with contextlib.suppress(OSError, ValueError):
            for raw in iter(lambda: stream.readline(), b""):
                line = raw.decode("utf-8", "replace").rstrip()
                tail.append(line)
                if copy is not None:
                    with contextlib.suppress(OSError):
                        copy.write(line + "\n")
                        copy.flush()
