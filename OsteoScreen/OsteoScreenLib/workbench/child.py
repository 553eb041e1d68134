"""One run of the analysis process: its pipes, the threads that serve them, and its end.

Threads only move bytes; nothing else is touched from them. Everything else happens in the thread that owns the `Child`.
"""

from __future__ import annotations

import contextlib
import os
import queue
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

from OsteoScreenLib.worker.protocol import Message, ProtocolError, encode, read_message, write_pieces

PIPE_BYTES = 2**20  # asked of systems that can: fewer turns of the threads for a large image

Pieces = Sequence[bytes | memoryview]


class Child:
    """A started process that speaks the worker's protocol.

    inbox : what it has said; None marks the end of its stream. tail : its last lines on stderr.
    Raises `OSError` when it cannot be started.
    """

    def __init__(self, command: Sequence[str], environment: Mapping[str, str], log: Path | None) -> None:
        options: dict[str, Any] = {}
        if sys.platform == "win32":
            options["creationflags"] = subprocess.CREATE_NO_WINDOW | subprocess.CREATE_NEW_PROCESS_GROUP
        else:
            options["start_new_session"] = True  # Ctrl-C is for the parent, which then ends the child
        self._process = subprocess.Popen(
            list(command),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
            env=dict(environment),
            **options,
        )
        assert self._process.stdin and self._process.stdout and self._process.stderr
        for pipe in (self._process.stdin, self._process.stdout):
            _widen(pipe)
        self.inbox: queue.SimpleQueue[Message | ProtocolError | None] = queue.SimpleQueue()
        self.tail: deque[str] = deque(maxlen=200)
        self._outbox: queue.SimpleQueue[Pieces | None] = queue.SimpleQueue()
        self._ending = False
        self._drainer = _thread("worker log", _drain, self._process.stderr, self.tail, log)
        self._threads = (
            _thread("replies", _receive, self._process.stdout, self.inbox),
            _thread("requests", _send, self._process.stdin, self._outbox),
            self._drainer,
        )

    @property
    def process_id(self) -> int:
        """Of the process, also after its end."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """It has not ended."""
        return self._process.poll() is None

    def send(self, message: Message) -> None:
        """Hand a message to the sending thread and return at once. Its arrays must not be changed before it is answered.

        Raises `ProtocolError` when the message cannot be put into a frame.
        """
        self._outbox.put(encode(message))

    def exit_code(self, seconds: float) -> int | None:
        """How it ended, waiting at most so long for that and for its last words; None while it has not."""
        try:
            code = self._process.wait(timeout=seconds)
        except subprocess.TimeoutExpired:
            return None
        self._drainer.join(timeout=seconds)
        return code

    def leave(self, seconds: float) -> None:
        """Ask it to go, which an idle one does at once, wait at most so long, then end it. Safe to call twice."""
        self._outbox.put(None)  # the child leaves when its pipe closes
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=seconds)
        self.end(seconds)

    def end(self, seconds: float, unfinished_files: float = 0.0) -> None:
        """End it, whatever it does, and wait at most `seconds` until it is gone; what is left to do goes on in the background.

        unfinished_files : how long a process that may be writing a file is left to finish that; it takes no more requests.
        """
        if self._ending:
            return
        self._ending = True
        if unfinished_files:
            self._outbox.put(None)
        else:
            self._kill()
        tidier = _thread("worker's end", self._tidy, unfinished_files)
        tidier.join(timeout=seconds)

    def _kill(self) -> None:
        if self._process.poll() is None:
            self._process.kill()

    def _tidy(self, patience: float) -> None:
        """Wait for the end, then close the pipes, which no thread may be using any more."""
        if patience:
            try:
                self._process.wait(timeout=patience)
            except subprocess.TimeoutExpired:
                self._kill()
        self._process.wait()
        self._outbox.put(None)
        for thread in self._threads:
            thread.join(timeout=5)
        for pipe in (self._process.stdin, self._process.stdout, self._process.stderr):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()


def _thread(name: str, work: Any, *arguments: Any) -> threading.Thread:
    thread = threading.Thread(target=work, args=arguments, name=name, daemon=True)
    thread.start()
    return thread


def _widen(pipe: Any) -> None:
    with contextlib.suppress(ImportError, AttributeError, OSError):
        import fcntl

        fcntl.fcntl(pipe.fileno(), fcntl.F_SETPIPE_SZ, PIPE_BYTES)  # type: ignore[attr-defined, unused-ignore]


def _send(stream: BinaryIO, outbox: queue.SimpleQueue[Pieces | None]) -> None:
    """Write what is handed over; None closes the pipe. A pipe that broke is noticed by the thread that reads."""
    with contextlib.suppress(OSError, ValueError):
        while (pieces := outbox.get()) is not None:
            write_pieces(stream, pieces)
    with contextlib.suppress(OSError):
        stream.close()


def _receive(stream: BinaryIO, inbox: queue.SimpleQueue[Message | ProtocolError | None]) -> None:
    """Move the child's messages into the inbox; None marks the end."""
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
            for raw in iter(stream.readline, b""):
                line = raw.decode("utf-8", "replace").rstrip()
                tail.append(line)
                if copy is not None:
                    with contextlib.suppress(OSError):
                        copy.write(line + "\n")
                        copy.flush()


def child_environment(extra: Mapping[str, str], package: Path) -> dict[str, str]:
    """What the child is started with. package : the folder that holds this library, put first on its path."""
    environment = os.environ | dict(extra)
    others = environment.get("PYTHONPATH", "")
    environment["PYTHONPATH"] = str(package) + os.pathsep + others if others else str(package)
    environment["PYTHONUNBUFFERED"] = "1"
    # Threads of torch that wait shall sleep, not spin: where other programs use a core too, spinning made an analysis
    # ten times slower (measured on two cores), and on an idle machine sleeping costs nothing that can be noticed.
    environment.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    environment.setdefault("KMP_BLOCKTIME", "0")
    environment["PYTHONIOENCODING"] = "utf-8:backslashreplace"
    return environment
