"""A worker with real frames and real pipes whose requests do what a test asks: wait, print, fail, echo, leave."""

from __future__ import annotations

import os
import sys
import time

from OsteoScreenLib.errors import InputError, OsteoScreenError
from OsteoScreenLib.worker.protocol import Message
from OsteoScreenLib.worker.server import Answer, Progress, Server, take_pipes


def echo(request: Message, progress: Progress) -> Answer:
    print("a stray print of a library")
    os.write(1, b"a stray write of a C library\n")
    return Answer({"pid": os.getpid(), **request.body}, dict(request.arrays))


def sleep(request: Message, progress: Progress) -> Answer:
    progress("sleep", 0.5, "Sleeping")
    time.sleep(float(request.body["seconds"]))
    return Answer()


def fail(request: Message, progress: Progress) -> Answer:
    kinds = {"input": InputError("The file is empty.", code="empty"), "fault": OsteoScreenError("The disk is full.")}
    raise kinds.get(request.body["how"], KeyError("surprise"))


def leave(request: Message, progress: Progress) -> Answer:
    print("last words", file=sys.stderr, flush=True)
    os._exit(7)


def half(request: Message, progress: Progress) -> Answer:
    os.write(PIPE, b"OSTO\x01\x00")
    os._exit(3)


def garbage(request: Message, progress: Progress) -> Answer:
    os.write(PIPE, b"Hello, this is no frame at all, whatever you may think.")
    time.sleep(60)
    return Answer()


def write(request: Message, progress: Progress) -> Answer:
    """Write a file that takes its time, as results are written: the process does not leave in the middle."""
    with SERVER.writing_files, open(request.body["path"], "w", encoding="utf-8") as file:
        progress("write", 0.5, "Writing")
        for _ in range(10):
            file.write("part\n")
            file.flush()
            time.sleep(0.05)
    time.sleep(60)
    return Answer()


incoming, outgoing = take_pipes()
PIPE = outgoing.fileno()
handlers = {"echo": echo, "sleep": sleep, "fail": fail, "leave": leave, "half": half, "garbage": garbage, "write": write}
SERVER = Server(incoming, outgoing, handlers)
sys.exit(SERVER.run())
