"""Starts the inference process, sends it one request at a time, and survives its end.

Usable from a command line (blocking `request`) and from an event loop (`submit`, then `poll` from a timer). Starts the child
with subprocess, never multiprocessing, which inside Slicer would start a second Slicer.
"""

from __future__ import annotations

import queue
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from OsteoScreenLib.errors import InputError, OsteoScreenError
from OsteoScreenLib.workbench.child import Child, child_environment
from OsteoScreenLib.worker.protocol import Message, ProtocolError

ProgressCallback = Callable[[str, float, str], None]
"""Called with (stage, fraction between 0 and 1, sentence)."""

CANCEL_SECONDS = 0.6  # how long a caller waits for the end of a process; what remains is done in the background
CLOSE_SECONDS = 2.0
FILE_SECONDS = 10.0  # how long a process may go on to finish a file that it is writing
_PACKAGE = Path(__file__).resolve().parents[2]


class WorkerFault(OsteoScreenError):
    """A request failed through no fault of the user. `code` names the reason, `details` is the traceback for a log."""

    def __init__(self, sentence: str, code: str = "fault", details: str = "") -> None:
        super().__init__(sentence)
        self.code = code
        self.details = details


class WorkerEnded(WorkerFault):
    """The analysis process ended while it was needed. The next request starts a new one.

    happened : what happened in words, without advice. mendable : asking again makes sense.
    """

    def __init__(self, happened: str, advice: str, details: str = "", mendable: bool = True) -> None:
        super().__init__(f"{happened}; {advice}.", code="ended", details=details)
        self.happened = happened
        self.mendable = mendable


class WorkerClient:
    """One analysis process, started at the first request and kept warm.

    Parameters
    ----------
    python : the interpreter that has torch, for example Slicer's PythonSlicer.
    arguments : what to run in it; only tests replace it.
    environment : extra environment variables of the child.
    log : file to which the child's stderr is appended; it never reaches the terminal.
    name : what the child is called in sentences for the user.
    """

    def __init__(
        self,
        python: str | Path = sys.executable,
        *,
        arguments: Sequence[str] = ("-m", "OsteoScreenLib.worker"),
        environment: Mapping[str, str] | None = None,
        log: Path | None = None,
        name: str = "analysis process",
    ) -> None:
        self._command = [str(python), *arguments]
        self._name = name
        self._environment = dict(environment or {})
        self._log = log
        self._child: Child | None = None
        self._tail: Sequence[str] = ()
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
        return self._child.process_id if self._child is not None and self._child.alive else None

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
        self._end()
        try:
            self._child = Child(self._command, child_environment(self._environment, _PACKAGE), self._log)
        except OSError as error:
            raise WorkerFault(
                f"The {self._name} could not be started with {self._command[0]}: {error.strerror or error}; "
                "check that this Python is installed.",
                code="not-started",
            ) from error
        self._tail = self._child.tail

    def submit(
        self, kind: str, body: Mapping[str, Any] | None = None, arrays: Mapping[str, np.ndarray] | None = None, doing: str = ""
    ) -> int:
        """Send one request and return its number at once; the answer, or what went wrong, comes through `poll` or `wait`.

        arrays : not to be changed before the answer, for a thread of its own writes them while the child reads.
        doing : what is going on in words ("analysing chest.dcm"), for the sentence if the process ends meanwhile.
        Raises `OsteoScreenError` when another request is still being answered.
        """
        if self._in_flight is not None:
            raise OsteoScreenError(f"The {self._name} is still busy with {self._doing}; wait for it or cancel it first.")
        self.start()
        assert self._child is not None
        self._last_request += 1
        self._doing = doing or f"answering '{kind}'"
        self._child.send(Message(kind, {**(body or {}), "request": self._last_request}, arrays or {}))
        self._in_flight = self._last_request
        return self._last_request

    def poll(self, on_progress: ProgressCallback | None = None) -> Message | None:
        """Take what has arrived without blocking; the answer if it is there, else None.

        Raises `InputError`, `WorkerFault` or `WorkerEnded`, each one sentence.
        """
        while self._in_flight is not None and self._child is not None:
            try:
                arrived = self._child.inbox.get_nowait()
            except queue.Empty:
                return None
            answer = self._take(arrived, on_progress)
            if answer is not None:
                return answer
        return None

    def wait(self, on_progress: ProgressCallback | None = None, timeout: float | None = None) -> Message:
        """Block until the answer of the request in flight. timeout : seconds without it, after which the process is ended."""
        if self._child is None or self._in_flight is None:
            raise OsteoScreenError(f"Nothing was asked of the {self._name}, so there is no answer to wait for.")
        inbox = self._child.inbox
        deadline = None if timeout is None else time.monotonic() + timeout
        while True:
            left = None if deadline is None else deadline - time.monotonic()
            try:
                arrived = inbox.get(timeout=left) if left is None or left > 0 else inbox.get_nowait()
            except queue.Empty:
                doing = self._doing
                self.cancel()
                raise WorkerFault(
                    f"The {self._name} gave no answer within {timeout:g} s while {doing}; it was ended.", code="timeout"
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

    def cancel(self, wait_seconds: float = CANCEL_SECONDS, *, finish_files: bool = False) -> None:
        """End the child at once, whatever it does; the next request starts a new one. A forward pass cannot be interrupted.

        wait_seconds : at most so long is waited until it is gone; what is left of its end goes on in the background.
        finish_files : a file that is being written right now may be finished first, so that no half of it stays.
        """
        self._end(wait_seconds, FILE_SECONDS if finish_files else 0.0)

    def close(self) -> None:
        """Ask an idle child to leave, end a busy one. Safe to call twice."""
        if self._child is not None and self._in_flight is None:
            self._child.leave(CLOSE_SECONDS)
        self._end(CLOSE_SECONDS)

    def _take(self, arrived: Message | ProtocolError | None, on_progress: ProgressCallback | None) -> Message | None:
        if arrived is None:
            raise self._ended()
        if isinstance(arrived, ProtocolError):
            self._end()
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
        child, doing = self._child, self._doing
        code = child.exit_code(1.0) if child is not None else None
        details = self.stderr_tail
        self._end()
        mendable = True
        if "No module named" in details and "OsteoScreenLib.worker" not in details.splitlines()[-1]:
            missing = details.splitlines()[-1].strip()
            advice, mendable = f"a library is missing there ({missing})", False
        elif code is not None and -code in (getattr(signal, "SIGKILL", None), getattr(signal, "SIGABRT", None)):
            advice = "often the computer ran out of memory; run it again, with other programs closed"
        else:
            advice = "run it again"
        return WorkerEnded(f"The {self._name} ended unexpectedly ({_how(code)}) while {doing}", advice, details, mendable)

    def _end(self, seconds: float = CANCEL_SECONDS, unfinished_files: float = 0.0) -> None:
        child, self._child, self._in_flight = self._child, None, None
        if child is not None:
            child.end(seconds, unfinished_files)


def _how(code: int | None) -> str:
    if code is None:
        return "its pipe closed"
    return f"signal {-code}" if code < 0 else f"exit code {code}"
