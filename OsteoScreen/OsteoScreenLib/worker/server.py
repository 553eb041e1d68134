"""The serving loop: requests in, progress and one answer each out, and no life without the parent.

Every request carries `request`, a number; every reply names it again. Replies are

    progress {request, stage, fraction, message}
    result   {request, …} with arrays
    error    {request, kind: "input" | "fault", code, sentence, details}

An error of kind "input" is the user's to mend (exit code 2), "fault" is ours or the machine's. `details` is a traceback for
the log and is never shown on its own.
"""

from __future__ import annotations

import os
import queue
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, BinaryIO

import numpy as np

from OsteoScreenLib.errors import InputError, OsteoScreenError
from OsteoScreenLib.worker.protocol import Message, ProtocolError, read_message, write_message

Progress = Callable[[str, float, str], None]
"""Called with (stage, fraction between 0 and 1, sentence)."""


@dataclass
class Answer:
    """What a handler returns. body : JSON values. arrays : as the protocol allows."""

    body: dict[str, Any] = field(default_factory=dict)
    arrays: dict[str, np.ndarray] = field(default_factory=dict)


Handler = Callable[[Message, Progress], Answer]


def take_pipes() -> tuple[BinaryIO, BinaryIO]:
    """Keep the real stdin and stdout for frames, and point file descriptors 0 and 1 elsewhere.

    After this a stray `print`, also one of a C library, goes to stderr and cannot damage a frame. Binary on Windows too.
    """
    incoming, outgoing = os.dup(0), os.dup(1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    if sys.platform == "win32":
        import msvcrt

        msvcrt.setmode(incoming, os.O_BINARY)
        msvcrt.setmode(outgoing, os.O_BINARY)
    # Unbuffered: a thread blocked in a buffered read would hold that buffer's lock when the interpreter ends.
    return os.fdopen(incoming, "rb", buffering=0), os.fdopen(outgoing, "wb", buffering=0)


class Server:
    """Answers one request after another on the calling thread; a second thread only reads.

    The reading thread notices at once when the parent is gone (the pipe closes, however the parent ended) and ends the
    process even in the middle of a forward pass, after a file that is being written is whole.
    """

    def __init__(
        self,
        incoming: BinaryIO,
        outgoing: BinaryIO,
        handlers: Mapping[str, Handler],
        leave: Callable[[int], None] = os._exit,
    ) -> None:
        self._incoming = incoming
        self._outgoing = outgoing
        self.handlers = dict(handlers)
        self._leave = leave
        self._waiting: queue.SimpleQueue[Message] = queue.SimpleQueue()
        self._sending = threading.Lock()
        self.writing_files = threading.Lock()

    def run(self) -> int:
        """Serve until `shutdown` or until the parent is gone. Returns the exit code."""
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole terminal group; the parent decides
        threading.Thread(target=self._read, name="requests", daemon=True).start()
        while True:
            request = self._waiting.get()
            if request.kind == "shutdown":
                self._reply(request, "result", {})
                return 0
            self._answer(request)

    def _read(self) -> None:
        try:
            while (message := read_message(self._incoming)) is not None:
                self._waiting.put(message)
            code = 0
        except (OSError, ProtocolError) as error:
            print(f"The client's stream ended badly: {error}", file=sys.stderr)
            code = 1
        self.writing_files.acquire(timeout=20)
        self._leave(code)

    def _answer(self, request: Message) -> None:
        def progress(stage: str, fraction: float, message: str) -> None:
            bounded = min(1.0, max(0.0, float(fraction)))
            self._reply(request, "progress", {"stage": stage, "fraction": bounded, "message": message})

        try:
            handler = self.handlers.get(request.kind)
            if handler is None:
                raise InputError(f"The analysis process does not know the request '{request.kind}'.", code="unknown-request")
            answer = handler(request, progress)
            self._reply(request, "result", answer.body, answer.arrays)
        except Exception as error:
            print(traceback.format_exc(), file=sys.stderr)
            self._reply(request, "error", describe(error))

    def _reply(self, request: Message, kind: str, body: dict[str, Any], arrays: Mapping[str, np.ndarray] | None = None) -> None:
        message = Message(kind, {**body, "request": request.body.get("request")}, arrays or {})
        try:
            with self._sending:
                write_message(self._outgoing, message)
        except OSError:  # the parent closed its end; the reading thread notices the same and leaves in order
            pass


def describe(error: Exception) -> dict[str, Any]:
    """An exception as the body of an `error` reply: one sentence for the user, the traceback for the log."""
    details = "".join(traceback.format_exception(error))
    if isinstance(error, InputError):
        return {"kind": "input", "code": error.code, "sentence": str(error), "details": details}
    if isinstance(error, OsteoScreenError):
        return {"kind": "fault", "code": getattr(error, "code", "fault"), "sentence": str(error), "details": details}
    if type(error).__name__ == "OutOfMemoryError":  # torch's, which may not be imported here
        sentence = "The GPU ran out of memory; close other programs that use it, or choose the device cpu."
        return {"kind": "fault", "code": "memory", "sentence": sentence, "details": details}
    if isinstance(error, MemoryError):
        sentence = "The computer ran out of memory during the analysis; close other programs or use a smaller image."
        return {"kind": "fault", "code": "memory", "sentence": sentence, "details": details}
    if isinstance(error, ModuleNotFoundError):
        sentence = f"The library {error.name} is not installed for {sys.executable}; install OsteoScreen's requirements there."
        return {"kind": "fault", "code": "library-missing", "sentence": sentence, "details": details}
    reason = " ".join(str(error).split())[:200]
    sentence = (
        f"An unexpected fault in OsteoScreen stopped the analysis ({type(error).__name__}{': ' if reason else ''}{reason})."
    )
    return {"kind": "fault", "code": "unexpected", "sentence": sentence, "details": details}
